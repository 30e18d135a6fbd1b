"""The counter: calling numbers, redemptions taken back in two hands, paper lists keyed in afterwards."""

import django.db.models.deletion
from django.db import migrations, models

import zhili.common.clock
import zhili.common.ids
import zhili.common.periods
from zhili.common.rowsecurity import row_security


class Migration(migrations.Migration):
    dependencies = [
        ("shop", "0003_desk"),
        ("people", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="ticket",
            name="called_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="叫号时间"),
        ),
        migrations.AlterField(
            model_name="order",
            name="status",
            field=models.CharField(
                choices=[
                    ("reserved", "待领取"),
                    ("handed_over", "已领取"),
                    ("cancelled", "已取消"),
                    ("expired", "逾期未领"),
                    ("reversed", "已冲正"),
                ],
                max_length=12,
                verbose_name="状态",
            ),
        ),
        migrations.CreateModel(
            name="OrderReversal",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=zhili.common.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("place", models.CharField(max_length=14, verbose_name="区划")),
                ("goods", models.JSONField(default=dict, verbose_name="退回物品")),
                ("reason", models.CharField(max_length=100, verbose_name="原因")),
                (
                    "status",
                    models.CharField(
                        choices=[("waiting", "等待同意"), ("done", "已冲正"), ("refused", "不同意")],
                        default="waiting",
                        max_length=8,
                        verbose_name="状态",
                    ),
                ),
                ("asked_at", models.DateTimeField(default=zhili.common.clock.now, verbose_name="提出时间")),
                ("decided_at", models.DateTimeField(blank=True, null=True, verbose_name="决定时间")),
                ("answer", models.CharField(blank=True, max_length=100, verbose_name="答复")),
                (
                    "asked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="people.user",
                    ),
                ),
                (
                    "decided_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="people.user",
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="reversals", to="shop.order"
                    ),
                ),
            ],
            options={
                "verbose_name": "兑换冲正",
                "verbose_name_plural": "兑换冲正",
                "ordering": ["-asked_at"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status", "refused"), _negated=True),
                        fields=("order",),
                        name="orderreversal_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("decided_by", None),
                            models.Q(("decided_by", models.F("asked_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="orderreversal_two_hands",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PaperList",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=zhili.common.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("place", models.CharField(max_length=14, verbose_name="区划")),
                ("number", models.CharField(max_length=30, verbose_name="纸表编号")),
                ("on", models.DateField(default=zhili.common.periods.today, verbose_name="兑换日期")),
                ("photo", models.CharField(blank=True, max_length=80, verbose_name="照片")),
                ("rows", models.PositiveSmallIntegerField(verbose_name="行数")),
                ("digest", models.CharField(max_length=64, verbose_name="内容指纹")),
                ("at", models.DateTimeField(default=zhili.common.clock.now, verbose_name="录入时间")),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="people.user",
                    ),
                ),
                (
                    "shop",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="paper_lists",
                        to="shop.shop",
                    ),
                ),
            ],
            options={
                "verbose_name": "纸表",
                "verbose_name_plural": "纸表",
                "ordering": ["-at"],
                "constraints": [
                    models.UniqueConstraint(fields=("shop", "number"), name="paperlist_number_once")
                ],
            },
        ),
        row_security("shop_orderreversal"),
        row_security("shop_paperlist"),
    ]
