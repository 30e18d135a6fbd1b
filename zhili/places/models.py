"""The tree of places by statistical code: the code is the path, so a subtree is a prefix."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q


class Place(models.Model):
    """One place: province (2 digits), city (4), county (6), township (9), village or community (12), group (14)."""

    class Kind(models.TextChoices):
        PROVINCE = "province", "省"
        CITY = "city", "市"
        COUNTY = "county", "区县"
        TOWNSHIP = "township", "乡镇街道"
        VILLAGE = "village", "村"
        COMMUNITY = "community", "社区"
        GROUP = "group", "组"

    code = models.CharField("代码", max_length=14, primary_key=True)
    name = models.CharField("名称", max_length=60)
    kind = models.CharField("类型", max_length=10, choices=Kind.choices)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    valid_from = models.DateField("启用日期", null=True, blank=True)
    valid_to = models.DateField("停用日期", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "区划"
        ordering = ["code"]
        indexes = [models.Index(fields=["code"], name="place_prefix", opclasses=["varchar_pattern_ops"])]
        constraints = [
            models.CheckConstraint(
                condition=Q(code__regex=r"^(\d{2}|\d{4}|\d{6}|\d{9}|\d{12}|\d{14})$"), name="place_code_shape"
            ),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_from=None) | Q(valid_to__gt=F("valid_from")),
                name="place_dates_in_order",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def short_name(self) -> str:
        """谭家沟村村民委员会 → 谭家沟村, as people say it."""
        for tail in ("村民委员会", "居民委员会", "居委会", "村委会"):
            if self.name.endswith(tail) and len(self.name) > len(tail):
                kept = self.name.removesuffix(tail)
                return kept if kept.endswith(("村", "社区")) else kept + ("村" if "村" in tail else "社区")
        return self.name


class PlaceChange(models.Model):
    """A merge, split, rename or new code, kept so that old books still find their place."""

    class Kind(models.TextChoices):
        RENAME = "rename", "更名"
        MERGE = "merge", "合并"
        RECODE = "recode", "换代码"

    old = models.ForeignKey(Place, models.PROTECT, related_name="changes_out")
    new = models.ForeignKey(Place, models.PROTECT, related_name="changes_in")
    kind = models.CharField("变更", max_length=10, choices=Kind.choices)
    on = models.DateField("日期")
    old_name = models.CharField("原名", max_length=60, blank=True)
    basis = models.CharField("依据", max_length=200)

    class Meta:
        verbose_name = verbose_name_plural = "区划变更"
        ordering = ["-on"]

    def __str__(self) -> str:
        return f"{self.old_id} {self.get_kind_display()} {self.new_id}"


class VillageSettings(models.Model):
    """What a village decides for itself, apart from its rule book.

    issue_policy: what happens when a notice would issue more spendable points than money was put in for (G-11).
    """

    class IssuePolicy(models.TextChoices):
        FREE = "free", "不与资金挂钩（没有积分超市）"
        REFUSE = "refuse", "资金不够就不入账"
        QUEUE = "queue", "荣誉积分先入账，兑换积分排队等资金"

    place = models.CharField("区划", max_length=14, primary_key=True)
    notice_days = models.PositiveSmallIntegerField("公示工作日", default=5)
    acknowledge_days = models.PositiveSmallIntegerField("异议受理天数", default=3)
    answer_days = models.PositiveSmallIntegerField("异议答复天数", default=15)
    late_days = models.PositiveSmallIntegerField("补记期限（天）", default=90)
    office_phone = models.CharField("公开电话", max_length=20, blank=True)
    office_address = models.CharField("办公地点", max_length=60, blank=True)
    supervisor_phone = models.CharField("监督委员会电话", max_length=20, blank=True)
    issue_policy = models.CharField(
        "发放与资金", max_length=8, choices=IssuePolicy.choices, default=IssuePolicy.FREE
    )
    demo = models.BooleanField("演示数据", default=False)

    class Meta:
        verbose_name = verbose_name_plural = "村设置"
        constraints = [
            models.CheckConstraint(condition=Q(notice_days__range=(1, 30)), name="settings_notice_days"),
            models.CheckConstraint(
                condition=Q(acknowledge_days__range=(1, 10)), name="settings_acknowledge_days"
            ),
            models.CheckConstraint(condition=Q(answer_days__range=(1, 60)), name="settings_answer_days"),
            models.CheckConstraint(condition=Q(late_days__range=(1, 366)), name="settings_late_days"),
        ]

    def __str__(self) -> str:
        return self.place
