"""公示: approved lines hung out for objection; one objection holds one line; closing posts the rest."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from zhili.claims.models import Claim
from zhili.common.clock import now
from zhili.common.ids import uuid7
from zhili.people.models import Household, Resident, User


class Notice(models.Model):
    """One notice of one village for one period."""

    class Status(models.TextChoices):
        OPEN = "open", "公示中"
        CLOSED = "closed", "已结束"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    number = models.PositiveIntegerField("期号")
    period = models.CharField("期间", max_length=12)
    title = models.CharField("标题", max_length=80)
    opens_on = models.DateField("开始日期")
    closes_on = models.DateField("截止日期")
    taken_down_on = models.DateField("撤下日期", null=True, blank=True)
    status = models.CharField("状态", max_length=8, choices=Status.choices, default=Status.OPEN)
    digest = models.CharField("内容指纹", max_length=64)
    ledger_head = models.CharField("账本指纹", max_length=80, blank=True)
    opened_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    opened_at = models.DateTimeField("公布时间", default=now)
    closed_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    closed_at = models.DateTimeField("结束时间", null=True, blank=True)
    batch_id = models.UUIDField("入账批次", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "公示"
        ordering = ["place", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["place", "number"], name="notice_number_unique"),
            models.UniqueConstraint(
                fields=["place"], condition=Q(status="open"), name="notice_one_open_per_place"
            ),
            models.CheckConstraint(condition=Q(closes_on__gte=F("opens_on")), name="notice_dates_in_order"),
        ]

    def __str__(self) -> str:
        return self.title


class Line(models.Model):
    """One line of a notice, its masked text frozen as it hangs on the wall."""

    class Status(models.TextChoices):
        SHOWN = "shown", "公示中"
        HELD = "held", "异议中"
        POSTED = "posted", "已入账"
        DROPPED = "dropped", "已撤下"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    notice = models.ForeignKey(Notice, models.PROTECT, related_name="lines")
    position = models.PositiveIntegerField("序号")
    claim = models.OneToOneField(Claim, models.PROTECT, related_name="line")
    household = models.ForeignKey(Household, models.PROTECT, related_name="+")
    group = models.CharField("组", max_length=20, blank=True)
    household_code = models.CharField("户编号", max_length=20)
    name_masked = models.CharField("姓名（脱敏）", max_length=60)
    # The name's part in the notice's digest; both hex. An erasure takes name and salt, the seal stays (digest.py).
    name_salt = models.CharField("封签的盐", max_length=32, blank=True, default="", db_default="")
    name_seal = models.CharField("姓名的封签", max_length=64, blank=True, default="", db_default="")
    item_title = models.CharField("项目", max_length=120)
    occurred_on = models.DateField("发生日期")
    points = models.IntegerField("分值")
    why = models.JSONField("计算过程", default=list, blank=True)
    points_before = models.IntegerField("更正前", null=True, blank=True)
    correction = models.CharField("更正说明", max_length=200, blank=True)
    corrected_at = models.DateTimeField("更正时间", null=True, blank=True)
    late = models.BooleanField("补记", default=False)
    # False for deductions and for households that asked not to be published: kept off every public face (M-09, P-04).
    public_name = models.BooleanField("公开姓名", default=True)
    status = models.CharField("状态", max_length=8, choices=Status.choices, default=Status.SHOWN)
    batch_id = models.UUIDField("入账批次", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "公示条目"
        ordering = ["notice", "position"]
        constraints = [
            models.UniqueConstraint(fields=["notice", "position"], name="line_position_unique"),
        ]
        indexes = [models.Index(fields=["place", "status"], name="line_place_status")]

    def __str__(self) -> str:
        return f"{self.household_code} {self.item_title}"


class Objection(models.Model):
    """异议: by anyone, named or not, on paper or phone; holds its line until a written answer (G-19)."""

    class Status(models.TextChoices):
        RECEIVED = "received", "已收到"
        ACKNOWLEDGED = "acknowledged", "已受理"
        UPHELD = "upheld", "成立"
        REFUSED = "refused", "不成立"
        WITHDRAWN = "withdrawn", "已撤回"

    OPEN = (Status.RECEIVED, Status.ACKNOWLEDGED)

    id = models.UUIDField(primary_key=True, default=uuid7)
    place = models.CharField("区划", max_length=14)
    number = models.PositiveIntegerField("编号")
    line = models.ForeignKey(Line, models.PROTECT, related_name="objections")
    text = models.CharField("理由", max_length=500)
    by_resident = models.ForeignKey(Resident, models.PROTECT, null=True, blank=True, related_name="+")
    entered_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    channel = models.CharField("渠道", max_length=10)
    paper_number = models.CharField("纸质编号", max_length=30, blank=True)
    received_at = models.DateTimeField("收到时间", default=now)
    acknowledged_at = models.DateTimeField("受理时间", null=True, blank=True)
    acknowledge_due = models.DateField("受理期限")
    due_on = models.DateField("答复期限")
    answer = models.CharField("书面答复", max_length=500, blank=True)
    answered_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField("答复时间", null=True, blank=True)
    outcome_points = models.IntegerField("更正后分值", null=True, blank=True)
    status = models.CharField("状态", max_length=12, choices=Status.choices, default=Status.RECEIVED)
    # The objector's slip: whoever holds the code may read the answer, named or not.
    lookup_code = models.CharField("查询码", max_length=16, unique=True)

    class Meta:
        verbose_name = verbose_name_plural = "异议"
        ordering = ["place", "-number"]
        indexes = [models.Index(fields=["place", "status", "due_on"], name="objection_place_due")]
        constraints = [
            models.UniqueConstraint(fields=["place", "number"], name="objection_number_unique"),
            models.CheckConstraint(
                condition=~Q(status__in=["upheld", "refused"]) | ~Q(answer=""), name="objection_needs_answer"
            ),
        ]

    def __str__(self) -> str:
        return f"Y-{self.number}"
