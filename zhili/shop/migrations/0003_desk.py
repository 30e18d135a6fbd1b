"""What the shop's back office needs: a usual supplier, deliveries as one paper, called-off fair days, polls that end early."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

SQL = Path(__file__).resolve().parents[1] / "sql"


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_security")]
    operations = [
        migrations.AddField(
            "good",
            "supplier",
            models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="goods",
                to="shop.supplier", verbose_name="常用供货方",
            ),
        ),
        migrations.AddField("stockmove", "delivery", models.UUIDField("到货单", null=True, blank=True)),
        migrations.AddIndex(
            "stockmove",
            models.Index(
                fields=["delivery"], name="stockmove_delivery", condition=models.Q(delivery__isnull=False)
            ),
        ),
        migrations.AddField("poll", "ended_at", models.DateTimeField("提前截止", null=True, blank=True)),
        migrations.AddField(
            "fairday", "reason", models.CharField("取消原因", max_length=60, blank=True, default=""),
        ),
        migrations.AlterField(
            "fairday",
            "status",
            models.CharField(
                "状态",
                max_length=8,
                choices=[("planned", "未开始"), ("open", "进行中"), ("closed", "已结束"), ("dropped", "已取消")],
                default="planned",
            ),
        ),
        migrations.RemoveConstraint("fairday", "fair_day_once"),
        migrations.AddConstraint(
            "fairday",
            models.UniqueConstraint(
                fields=["shop", "on"], condition=~models.Q(status="dropped"), name="fair_day_once"
            ),
        ),
        migrations.RunSQL((SQL / "03_price_list.sql").read_text(encoding="utf-8"), migrations.RunSQL.noop),
    ]
