"""Alarms that stop one village (L-15); posting and closing under SM3 (K-02). Newer functions in place of the old."""

from pathlib import Path

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import zhili.common.clock
import zhili.common.ids
from zhili.common.rowsecurity import row_security

SQL = Path(__file__).resolve().parents[1] / "sql"
# Their parameters changed. On a fresh database 0002 has just made the newest ones: dropped and made again.
CHANGED = ("ledger_post", "ledger_write", "ledger_link", "ledger_close_period")
DROP_OLD = f"""
DO $$ DECLARE f regprocedure; BEGIN
  FOR f IN SELECT oid FROM pg_proc WHERE proname IN {CHANGED} LOOP EXECUTE 'DROP FUNCTION ' || f; END LOOP;
END $$;
"""


def load(name):
    return migrations.RunSQL((SQL / name).read_text(encoding="utf-8"), migrations.RunSQL.noop)


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0003_reversal_requests"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="Alarm",
            fields=[
                ("id", models.UUIDField(default=zhili.common.ids.uuid7, primary_key=True, serialize=False)),
                ("place", models.CharField(max_length=14, verbose_name="区划")),
                ("raised_at", models.DateTimeField(default=zhili.common.clock.now, verbose_name="发现时间")),
                ("found_by", models.CharField(choices=[("post", "入账时"), ("verify", "核对时")], max_length=8, verbose_name="怎样发现")),
                ("what", models.CharField(max_length=300, verbose_name="哪里不对")),
                ("lifted_at", models.DateTimeField(blank=True, null=True, verbose_name="解除时间")),
                ("reason", models.CharField(blank=True, max_length=200, verbose_name="解除理由")),
                ("lifted_by", models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "verbose_name": "台账警报",
                "verbose_name_plural": "台账警报",
                "ordering": ["-raised_at", "-id"],
                "constraints": [
                    models.UniqueConstraint(fields=("place",), condition=models.Q(lifted_at=None), name="alarm_open_once"),
                    models.CheckConstraint(
                        condition=models.Q(lifted_at=None, lifted_by=None, reason="")
                        | (models.Q(lifted_at__isnull=False, lifted_by__isnull=False) & ~models.Q(reason="")),
                        name="alarm_lifted_by_somebody",
                    ),
                ],
            },
        ),
        row_security("ledger_alarm"),
        migrations.RunSQL(DROP_OLD, migrations.RunSQL.noop),
        load("02_chain.sql"),
        load("03_post.sql"),
        load("04_close.sql"),
        migrations.RunSQL("REVOKE ALL ON FUNCTION ledger_post, ledger_close_period, ledger_draft FROM PUBLIC", migrations.RunSQL.noop),
    ]
