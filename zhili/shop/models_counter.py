"""What the counter leaves behind beside the order itself: a request to take a redemption back, a paper list keyed in."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from zhili.common.clock import now
from zhili.common.ids import uuid7
from zhili.common.periods import today


class OrderReversal(models.Model):
    """冲正 of a redemption in two hands: the clerk asks and says which goods came back, a council member or the
    supervisor agrees. goods: {order line id: pieces that came back}."""

    class Status(models.TextChoices):
        WAITING = "waiting", "等待同意"
        DONE = "done", "已冲正"
        REFUSED = "refused", "不同意"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    order = models.ForeignKey("shop.Order", models.PROTECT, related_name="reversals")
    goods = models.JSONField("退回物品", default=dict)
    reason = models.CharField("原因", max_length=100)
    status = models.CharField("状态", max_length=8, choices=Status.choices, default=Status.WAITING)
    asked_by = models.ForeignKey("people.User", models.PROTECT, related_name="+")
    asked_at = models.DateTimeField("提出时间", default=now)
    decided_by = models.ForeignKey("people.User", models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField("决定时间", null=True, blank=True)
    answer = models.CharField("答复", max_length=100, blank=True)

    class Meta:
        app_label = "shop"
        verbose_name = verbose_name_plural = "兑换冲正"
        ordering = ["-asked_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["order"], condition=~Q(status="refused"), name="orderreversal_once"
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None) | ~Q(decided_by=F("asked_by")), name="orderreversal_two_hands"
            ),
        ]

    def __str__(self) -> str:
        return f"冲正 {self.order}"


class PaperList(models.Model):
    """One paper list of redemptions, keyed in afterwards (U-34). id is made by the page: booked once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    shop = models.ForeignKey("shop.Shop", models.PROTECT, related_name="paper_lists")
    number = models.CharField("纸表编号", max_length=30)
    on = models.DateField("兑换日期", default=today)
    photo = models.CharField("照片", max_length=80, blank=True)
    rows = models.PositiveSmallIntegerField("行数")
    digest = models.CharField("内容指纹", max_length=64)
    by = models.ForeignKey("people.User", models.PROTECT, related_name="+")
    at = models.DateTimeField("录入时间", default=now)

    class Meta:
        app_label = "shop"
        verbose_name = verbose_name_plural = "纸表"
        ordering = ["-at"]
        constraints = [models.UniqueConstraint(fields=["shop", "number"], name="paperlist_number_once")]

    def __str__(self) -> str:
        return self.number
