import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import zhili.common.clock
import zhili.common.ids
from zhili.common.rowsecurity import row_security


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_functions"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        migrations.CreateModel(
            name="ReversalRequest",
            fields=[
                ("id", models.UUIDField(default=zhili.common.ids.uuid7, primary_key=True, serialize=False)),
                ("place", models.CharField(max_length=14, verbose_name="区划")),
                ("transfers", models.JSONField(verbose_name="流水")),
                ("reason", models.CharField(max_length=200, verbose_name="理由")),
                ("asked_at", models.DateTimeField(default=zhili.common.clock.now, verbose_name="提出时间")),
                ("status", models.CharField(choices=[("waiting", "等待同意"), ("done", "已冲正"), ("refused", "不同意")], default="waiting", max_length=8, verbose_name="状态")),
                ("decided_at", models.DateTimeField(blank=True, null=True, verbose_name="决定时间")),
                ("answer", models.CharField(blank=True, max_length=200, verbose_name="意见")),
                ("seq", models.PositiveIntegerField(blank=True, null=True, verbose_name="冲正批次")),
                ("asked_by", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
                ("decided_by", models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "verbose_name": "冲正申请",
                "verbose_name_plural": "冲正申请",
                "ordering": ["-asked_at", "-id"],
                "indexes": [models.Index(fields=["place", "status"], name="reversal_place_status")],
            },
        ),
        row_security("ledger_reversalrequest"),
    ]
