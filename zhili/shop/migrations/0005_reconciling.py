"""Notes on published months and what people found when looking into a flag; what is published stays."""

from pathlib import Path

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import zhili.common.clock
import zhili.common.ids
from zhili.common.rowsecurity import row_security

SQL = Path(__file__).resolve().parents[1] / "sql" / "04_reconciling.sql"
KEY = models.UUIDField(default=zhili.common.ids.uuid7, editable=False, primary_key=True, serialize=False)
BY = models.ForeignKey(
    on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
)
AT = models.DateTimeField(default=zhili.common.clock.now, verbose_name="时间")


class Migration(migrations.Migration):
    dependencies = [("shop", "0004_counter"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        migrations.CreateModel(
            name="FlagResult",
            fields=[
                ("id", KEY.clone()),
                ("place", models.CharField(max_length=14, verbose_name="区划")),
                ("rule", models.CharField(max_length=16, verbose_name="规则")),
                ("subject", models.CharField(max_length=40, verbose_name="对象")),
                ("result", models.CharField(choices=[("true", "属实"), ("reason", "有理由"), ("false", "误报")],
                                            max_length=6, verbose_name="结论")),
                ("note", models.CharField(max_length=200, verbose_name="情况")),
                ("at", AT.clone()),
                ("by", BY.clone()),
            ],
            options={
                "verbose_name": "核查结论",
                "verbose_name_plural": "核查结论",
                "ordering": ["-at"],
                "indexes": [models.Index(fields=["place", "rule", "subject", "-at"], name="flagresult_of")],
            },
        ),
        migrations.CreateModel(
            name="ReconciliationNote",
            fields=[
                ("id", KEY.clone()),
                ("place", models.CharField(max_length=14, verbose_name="区划")),
                ("text", models.CharField(max_length=300, verbose_name="说明")),
                ("at", AT.clone()),
                ("by", BY.clone()),
                ("reconciliation", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="notes",
                                                     to="shop.reconciliation")),
            ],
            options={"verbose_name": "对账补充说明", "verbose_name_plural": "对账补充说明", "ordering": ["at"]},
        ),
        row_security("shop_flagresult"),
        row_security("shop_reconciliationnote"),
        migrations.RunSQL(SQL.read_text(encoding="utf-8"), migrations.RunSQL.noop),
    ]  # fmt: skip
