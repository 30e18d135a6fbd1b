"""Rule books with dates: drafted, consulted on, adopted by a vote, filed, in force, superseded; frozen once used."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from zhili.common.clock import now
from zhili.common.ids import uuid7
from zhili.people.models import User


class RuleBook(models.Model):
    """One version of a village's rule book. `text` is the whole zhili-rulebook/1 document, canonical YAML."""

    class Status(models.TextChoices):
        DRAFT = "draft", "草稿"
        CONSULTATION = "consultation", "征求意见"
        ADOPTED = "adopted", "已通过"
        FILED = "filed", "已备案"
        IN_FORCE = "in_force", "施行中"
        SUPERSEDED = "superseded", "已被替代"
        WITHDRAWN = "withdrawn", "已撤回"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    title = models.CharField("名称", max_length=80)
    version = models.PositiveIntegerField("版本")
    status = models.CharField("状态", max_length=14, choices=Status.choices, default=Status.DRAFT)
    unit = models.CharField("积分归谁", max_length=10, choices=[("household", "户"), ("resident", "人")])
    settlement = models.CharField("结算周期", max_length=12)
    text = models.TextField("内容")
    digest = models.CharField("内容指纹", max_length=64)
    valid_from = models.DateField("施行日期")
    valid_to = models.DateField("截止日期", null=True, blank=True)
    frozen_at = models.DateTimeField("首次使用时间", null=True, blank=True)
    # The recorded procedure, each written once by the action of its name in adopting.py.
    consultation = models.JSONField("征求意见", default=dict, blank=True)
    adoption = models.JSONField("通过记录", default=dict, blank=True)
    filing = models.JSONField("备案回执", default=dict, blank=True)
    override = models.JSONField("法审意见", default=dict, blank=True)
    withdrawal = models.JSONField("撤回记录", default=dict, blank=True)
    # Ids of everybody who wrote on the text: none of them may approve it.
    authors = models.JSONField("起草人", default=list, blank=True)
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created_at = models.DateTimeField("建立时间", default=now)

    class Meta:
        verbose_name = verbose_name_plural = "积分细则"
        ordering = ["place", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["place", "version"], name="rulebook_version_unique"),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gt=F("valid_from")), name="rulebook_dates_in_order"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} 第{self.version}版"


class Item(models.Model):
    """One item of one rule book, as rows so that claims can point at it. Written once with its book."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    book = models.ForeignKey(RuleBook, models.CASCADE, related_name="items")
    code = models.CharField("编号", max_length=20)
    category_code = models.CharField("类别编号", max_length=20)
    category_title = models.CharField("类别", max_length=40)
    title = models.CharField("项目", max_length=120)
    position = models.PositiveIntegerField("顺序")

    class Meta:
        verbose_name = verbose_name_plural = "积分项目"
        ordering = ["book", "position"]
        constraints = [models.UniqueConstraint(fields=["book", "code"], name="item_code_unique")]

    def __str__(self) -> str:
        return self.title
