"""Claims, their evidence and reviews; who must stay out of whose case."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from zhili.claims.sheet_models import Sheet as Sheet
from zhili.claims.sheet_models import SheetPhoto as SheetPhoto
from zhili.claims.sheet_models import SheetRow as SheetRow
from zhili.common.clock import now
from zhili.common.ids import uuid7
from zhili.common.periods import today
from zhili.people.models import Household, Resident, User
from zhili.rulebook.models import Item, RuleBook


class Claim(models.Model):
    """One thing somebody did. The id is made by the client (UUIDv7) and is the idempotency key, for ever."""

    class Status(models.TextChoices):
        SUBMITTED = "submitted", "等待评议"
        SECOND_REVIEW = "second_review", "等待复核"
        COUNCIL = "council", "等待议事会"
        RETURNED = "returned", "请补充"
        APPROVED = "approved", "已通过，等待公示"
        ON_NOTICE = "on_notice", "公示中"
        HELD = "held", "有异议，暂缓"
        POSTED = "posted", "已入账"
        REFUSED = "refused", "未通过"
        DROPPED = "dropped", "公示后撤下"
        WITHDRAWN = "withdrawn", "已撤回"

    OPEN = (Status.SUBMITTED, Status.SECOND_REVIEW, Status.COUNCIL)

    class Channel(models.TextChoices):
        PHONE = "phone", "手机"
        COUNTER = "counter", "村里代录"
        EXCEL = "excel", "表格"
        PAPER = "paper", "纸质"
        OFFLINE = "offline", "离线"
        ACTIVITY = "activity", "活动"
        API = "api", "接口"

    id = models.UUIDField(primary_key=True, default=uuid7)
    place = models.CharField("区划", max_length=14)
    number = models.PositiveIntegerField("编号")
    household = models.ForeignKey(Household, models.PROTECT, related_name="claims")
    resident = models.ForeignKey(Resident, models.PROTECT, null=True, blank=True, related_name="claims")
    book = models.ForeignKey(RuleBook, models.PROTECT, related_name="claims")
    item = models.ForeignKey(Item, models.PROTECT, related_name="claims")
    text = models.CharField("说明", max_length=300, blank=True)
    quantity = models.DecimalField("数量", max_digits=14, decimal_places=4, null=True, blank=True)
    grade = models.CharField("等次", max_length=20, blank=True)
    occurred_on = models.DateField("发生日期")
    channel = models.CharField("渠道", max_length=10, choices=Channel.choices)
    submitted_by = models.ForeignKey(User, models.PROTECT, related_name="claims_submitted")
    on_behalf_of = models.ForeignKey(Resident, models.PROTECT, null=True, blank=True, related_name="+")
    submitted_at = models.DateTimeField("提交时间", default=now)
    activity = models.CharField("活动", max_length=60, blank=True)
    status = models.CharField("状态", max_length=14, choices=Status.choices, default=Status.SUBMITTED)
    late = models.BooleanField("补记", default=False)
    # "1", "2" or "council": worked out from the item and the amount when submitted (G-04).
    review_needed = models.CharField("评议要求", max_length=7, default="1")
    # A deduction needs a reminder before, and what the household said about it (G-20).
    reminded_on = models.DateField("提醒日期", null=True, blank=True)
    heard = models.CharField("本户陈述", max_length=300, blank=True)
    # One in twenty is looked at again on the spot (G-04).
    recheck = models.BooleanField("抽查", default=False)
    visited_on = models.DateField("抽查日期", null=True, blank=True)
    visit_note = models.CharField("抽查结果", max_length=200, blank=True)
    # Hundredths: what reviewers set (ranges only); what the calculator gave when the line was frozen.
    points_decided = models.IntegerField("评定分", null=True, blank=True)
    points_awarded = models.IntegerField("应得分", null=True, blank=True)
    why = models.JSONField("计算过程", default=list, blank=True)
    body_digest = models.CharField("内容指纹", max_length=64)

    class Meta:
        verbose_name = verbose_name_plural = "申报"
        ordering = ["-occurred_on", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["place", "number"], name="claim_number_unique"),
            models.CheckConstraint(
                condition=Q(quantity=None) | Q(quantity__gt=0), name="claim_quantity_positive"
            ),
        ]
        indexes = [
            models.Index(fields=["place", "status", "occurred_on"], name="claim_place_status"),
            models.Index(fields=["household", "occurred_on"], name="claim_household_day"),
            models.Index(fields=["book", "household", "occurred_on"], name="claim_book_household"),
        ]

    def __str__(self) -> str:
        return f"A-{self.number}"


class Evidence(models.Model):
    """What supports a claim: a photo (its stored bytes hashed), a document, or a named witness."""

    class Kind(models.TextChoices):
        PHOTO = "photo", "照片"
        DOCUMENT = "document", "材料"
        WITNESS = "witness", "证明人"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    claim = models.ForeignKey(Claim, models.PROTECT, related_name="evidence")
    kind = models.CharField("类型", max_length=10, choices=Kind.choices)
    note = models.CharField("说明", max_length=120, blank=True)
    file_name = models.CharField("存放名", max_length=80, blank=True)
    sha256 = models.CharField("文件指纹", max_length=64, blank=True)
    similar = models.BigIntegerField("近似指纹", null=True, blank=True)
    added_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    added_at = models.DateTimeField("时间", default=now)

    class Meta:
        verbose_name = verbose_name_plural = "佐证"
        indexes = [
            models.Index(fields=["place", "sha256"], name="evidence_sha256"),
            models.Index(fields=["claim"], condition=~Q(file_name=""), name="evidence_photos"),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()


class Review(models.Model):
    """One person's decision on one claim at one level; never changed."""

    class Decision(models.TextChoices):
        APPROVE = "approve", "通过"
        CHANGE = "change", "改分通过"
        RETURN = "return", "退回补充"
        REFUSE = "refuse", "不通过"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    claim = models.ForeignKey(Claim, models.PROTECT, related_name="reviews")
    level = models.CharField(
        "环节", max_length=10, choices=[("1", "评议"), ("2", "复核"), ("council", "议事会")]
    )
    by = models.ForeignKey(User, models.PROTECT, related_name="reviews")
    decision = models.CharField("决定", max_length=8, choices=Decision.choices)
    points = models.IntegerField("分值", null=True, blank=True)
    reason = models.CharField("理由", max_length=200, blank=True)
    at = models.DateTimeField("时间", default=now)

    class Meta:
        verbose_name = verbose_name_plural = "评议"
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.get_level_display()} {self.get_decision_display()}"


class Recusal(models.Model):
    """A declared reason why `user` stays out of `household`'s cases (G-08); never guessed from surnames."""

    class Kind(models.TextChoices):
        RELATIVE = "relative", "亲属"
        BUSINESS = "business", "生意往来"
        DISPUTE = "dispute", "有纠纷"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    user = models.ForeignKey(User, models.PROTECT, related_name="recusals")
    household = models.ForeignKey(Household, models.PROTECT, related_name="recusals")
    kind = models.CharField("原因", max_length=10, choices=Kind.choices)
    note = models.CharField("说明", max_length=100, blank=True)
    declared_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    declared_on = models.DateField("申明日期", default=today)
    ended_on = models.DateField("结束日期", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "回避"
        constraints = [
            models.UniqueConstraint(
                fields=["user", "household", "kind"], condition=Q(ended_on=None), name="recusal_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} 回避 {self.household}"


class Opening(models.Model):
    """Opening points (基础分、起评分) that an account was credited; its key is the ledger's, so it counts once."""

    id = models.UUIDField(primary_key=True, editable=False)
    place = models.CharField("区划", max_length=14)
    owner = models.UUIDField("户或人")
    source = models.CharField("来源", max_length=20)
    opens = models.CharField("所属期间", max_length=12)
    purse = models.CharField("存折", max_length=20)
    points = models.IntegerField("分值")
    batch_id = models.UUIDField("入账批次")

    class Meta:
        verbose_name = verbose_name_plural = "期初分"
        indexes = [models.Index(fields=["place", "opens"], name="opening_place_opens")]

    def __str__(self) -> str:
        return f"{self.source} {self.opens}"


class Waiting(models.Model):
    """Spendable points of a posted claim that wait for money (G-11): posted later under the very same key.

    points: hundredths, > 0. batch_id: set when they were posted.
    """

    claim = models.OneToOneField(Claim, models.PROTECT, primary_key=True, related_name="waiting")
    place = models.CharField("区划", max_length=14)
    owner = models.UUIDField("户或人")
    points = models.IntegerField("兑换积分")
    since = models.DateTimeField("排队时间", default=now)
    notice_id = models.UUIDField("公示", null=True)
    batch_id = models.UUIDField("入账批次", null=True)

    class Meta:
        verbose_name = verbose_name_plural = "等待资金"
        indexes = [
            models.Index(fields=["place", "since"], condition=Q(batch_id=None), name="claim_waiting_money")
        ]

    def __str__(self) -> str:
        return str(self.claim_id)


class OfflineRecord(models.Model):
    """What a phone noted without signal and sent later (离线记录): kept whatever became of it, so nothing is lost silently.

    id: the phone's, and the claim's. noted_at, sent_at: by the phone's clock; skew_seconds: how far that clock is
    behind the server's. household, item: as they were typed.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    place = models.CharField("区划", max_length=14)
    by = models.ForeignKey(User, models.PROTECT, related_name="+")
    household = models.CharField("户编号", max_length=40)
    item = models.CharField("项目", max_length=32)
    occurred_on = models.DateField("手机上的日期")
    noted_at = models.DateTimeField("手机记下时间")
    sent_at = models.DateTimeField("手机送出时间")
    received_at = models.DateTimeField("收到时间", default=now)
    skew_seconds = models.BigIntegerField("手机时间差", default=0)
    body_digest = models.CharField("内容指纹", max_length=64)
    claim = models.OneToOneField(Claim, models.PROTECT, null=True, related_name="offline")
    refusal = models.CharField("未收下的原因", max_length=200, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "离线记录"
        indexes = [models.Index(fields=["place", "-received_at"], name="offline_place_received")]

    def __str__(self) -> str:
        return f"{self.household} {self.item}"
