"""The books of one village (台账): accounts, transfers, batches. Private to this room.

A village writes points into a book that nobody tears a page out of. Every line moves points from one
account to another, so the books balance by construction; every day's lines are one batch, sealed with a
fingerprint (账本指纹) that also covers the batch before it. The fingerprint is printed on the next poster.

Written only by the functions in sql/, which run as the database's owner: the application's role can read
these tables and nothing else. No foreign keys between them: checking 100,000 rows against two keys costs
more than posting them, no row is ever deleted, and `verify` checks every reference.
"""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q

from zhili.common.clock import now
from zhili.common.ids import uuid7


class Account(models.Model):
    """One account: of the village (pool, issued, deducted, …) or of a holder, for one purse.

    `id` is the first half of SHA-256 over place, kind, owner and purse, so none of these can change
    unnoticed. Amounts in hundredths of a point. Balance = credits - debits; what may be spent = balance -
    reserved.
    """

    class Kind(models.TextChoices):
        POOL = "pool", "积分总池"
        ISSUED = "issued", "发放"
        HOLDER = "holder", "户存折"
        DEDUCTED = "deducted", "扣分"
        REDEEMED = "redeemed", "已兑换"
        EXPIRED = "expired", "已到期"
        REVERSED = "reversed", "已冲正"
        MOVED = "moved", "随户注销"

    id = models.UUIDField(primary_key=True, editable=False)
    place = models.CharField("村（社区）代码", max_length=14)
    kind = models.CharField("账户", max_length=10, choices=Kind.choices)
    owner = models.UUIDField("户或人", null=True)
    purse = models.CharField("存折", max_length=20)
    credits = models.BigIntegerField("贷方累计", default=0)
    debits = models.BigIntegerField("借方累计", default=0)
    reserved = models.BigIntegerField("已预留", default=0)
    may_go_negative = models.BooleanField("可为负", default=False)
    opened_on = models.DateField("开户日期")
    closed_on = models.DateField("销户日期", null=True)
    seal = models.BinaryField("封签")

    class Meta:
        verbose_name = verbose_name_plural = "账户"
        constraints = [
            models.UniqueConstraint(
                fields=["place", "kind", "owner", "purse"], name="account_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=Q(credits__gte=0, debits__gte=0, reserved__gte=0), name="account_sides_not_negative"
            ),
            models.CheckConstraint(
                condition=~Q(kind="holder")
                | Q(may_go_negative=True)
                | Q(credits__gte=F("debits") + F("reserved")),
                name="account_never_below_zero",
            ),
            models.CheckConstraint(
                condition=~Q(kind="holder", purse="spend", may_go_negative=True),
                name="account_spend_never_negative",
            ),
            models.CheckConstraint(
                condition=Q(kind="holder", owner__isnull=False) | (~Q(kind="holder") & Q(owner=None)),
                name="account_holder_has_owner",
            ),
            models.CheckConstraint(
                condition=Q(closed_on=None) | Q(credits=F("debits"), reserved=0),
                name="account_closed_is_empty",
            ),
        ]
        indexes = [models.Index(fields=["owner"], name="account_owner", condition=Q(kind="holder"))]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.purse}"

    @property
    def balance(self) -> int:
        return self.credits - self.debits

    @property
    def available(self) -> int:
        return self.credits - self.debits - self.reserved


class Batch(models.Model):
    """One posting, all or nothing; the n-th of its village. `head` seals it and, through `previous_head`,
    the past."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    place = models.CharField("村（社区）代码", max_length=14)
    seq = models.BigIntegerField("批次号")
    previous_head = models.BinaryField("上一批指纹")
    root = models.BinaryField("流水树根")
    head = models.BinaryField("账本指纹")
    algorithm = models.CharField("摘要算法", max_length=10)
    count = models.IntegerField("流水笔数")
    total = models.BigIntegerField("金额合计")
    posted_at = models.DateTimeField("记账时间")
    period = models.CharField("周期", max_length=10)
    by_id = models.BigIntegerField("记账人", null=True)
    note = models.CharField("说明", max_length=200, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "批次"
        constraints = [models.UniqueConstraint(fields=["place", "seq"], name="batch_place_seq")]

    def __str__(self) -> str:
        return f"{self.place} 第 {self.seq} 批"


class Transfer(models.Model):
    """One line: `amount` from `debit` to `credit`, and why. `id` is the key of the deed: it posts once, for
    ever.

    short: what a deduction could not take because the purse was empty (L-06); amount + short is what was
    asked. cause: canonical JSON of ids and codes. commitment seals it with a salt, so that the chain holds
    no personal data and outlives an erased cause. leaf: this row's digest in its batch's Merkle tree.
    """

    class Phase(models.TextChoices):
        POSTED = "posted", "已入账"
        PENDING = "pending", "预留"
        SETTLED = "settled", "预留入账"
        VOIDED = "voided", "预留取消"

    id = models.UUIDField(primary_key=True, editable=False)
    place = models.CharField("村（社区）代码", max_length=14)
    seq = models.BigIntegerField("批次号")
    index = models.IntegerField("批内序号")
    debit = models.UUIDField("借方账户")
    credit = models.UUIDField("贷方账户")
    amount = models.BigIntegerField("金额")
    short = models.BigIntegerField("未扣足", default=0)
    code = models.CharField("事由", max_length=12)
    phase = models.CharField("阶段", max_length=8, choices=Phase.choices)
    pending_of = models.UUIDField("了结哪笔预留", null=True)
    reverses = models.UUIDField("冲正哪笔", null=True)
    occurred_on = models.DateField("发生日")
    posted_at = models.DateTimeField("记账时间")
    period = models.CharField("周期", max_length=10)
    late = models.BooleanField("迟报")
    salt = models.BinaryField("盐")
    cause = models.TextField("依据")
    commitment = models.BinaryField("依据封签")
    leaf = models.BinaryField("流水指纹")

    class Meta:
        verbose_name = verbose_name_plural = "流水"
        # What a row must be in itself stands in sql/05_guards.sql as one CHECK: cheaper than five.
        constraints = [
            models.UniqueConstraint(fields=["place", "seq", "index"], name="transfer_place_seq_index"),
            models.UniqueConstraint(
                fields=["pending_of"], condition=Q(pending_of__isnull=False), name="transfer_resolved_once"
            ),
            models.UniqueConstraint(
                fields=["reverses"], condition=Q(reverses__isnull=False), name="transfer_reversed_once"
            ),
        ]
        indexes = [
            models.Index(fields=["debit", "seq"], name="transfer_debit"),
            models.Index(fields=["credit", "seq"], name="transfer_credit"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.amount}"


class PeriodTotal(models.Model):
    """What one holder's purse gained and lost in one period, kept with every posting so that pages need not
    add up.

    earned (awards, opening), deducted, spent, expired: each >= 0. adjusted: everything else, signed
    (reversals, household changes).
    """

    pk = models.CompositePrimaryKey("account", "period")
    account = models.UUIDField("账户")
    period = models.CharField("周期", max_length=10)
    place = models.CharField("村（社区）代码", max_length=14)
    earned = models.BigIntegerField("加分", default=0)
    deducted = models.BigIntegerField("扣分", default=0)
    spent = models.BigIntegerField("兑换", default=0)
    expired = models.BigIntegerField("到期", default=0)
    adjusted = models.BigIntegerField("更正", default=0)

    class Meta:
        verbose_name = verbose_name_plural = "周期合计"
        indexes = [models.Index(fields=["place", "period"], name="periodtotal_place_period")]

    def __str__(self) -> str:
        return self.period


class PeriodClose(models.Model):
    """A closed period takes no more entries (L-08). Its batch in the chain seals every balance of that
    moment."""

    pk = models.CompositePrimaryKey("place", "period")
    place = models.CharField("村（社区）代码", max_length=14)
    period = models.CharField("周期", max_length=10)
    starts = models.DateField("从")
    ends = models.DateField("到")
    seq = models.BigIntegerField("批次号")

    class Meta:
        verbose_name = verbose_name_plural = "结账"

    def __str__(self) -> str:
        return f"{self.place} {self.period}"


class Assertion(models.Model):
    """An account's sides when a period was closed (L-10). Leaf `index` of the closing batch's Merkle tree."""

    pk = models.CompositePrimaryKey("place", "seq", "index")
    place = models.CharField("村（社区）代码", max_length=14)
    seq = models.BigIntegerField("批次号")
    index = models.IntegerField("序号")
    account = models.UUIDField("账户")
    credits = models.BigIntegerField("贷方累计")
    debits = models.BigIntegerField("借方累计")
    reserved = models.BigIntegerField("已预留")

    class Meta:
        verbose_name = verbose_name_plural = "结账余额"

    def __str__(self) -> str:
        return str(self.account)


class ReversalRequest(models.Model):
    """冲正申请: the clerk asks, another person decides; only then does the ledger write counter-entries (L-04)."""

    class Status(models.TextChoices):
        WAITING = "waiting", "等待同意"
        DONE = "done", "已冲正"
        REFUSED = "refused", "不同意"

    id = models.UUIDField(primary_key=True, default=uuid7)
    place = models.CharField("区划", max_length=14)
    transfers = models.JSONField("流水")
    reason = models.CharField("理由", max_length=200)
    asked_by = models.ForeignKey("people.User", models.PROTECT, related_name="+")
    asked_at = models.DateTimeField("提出时间", default=now)
    status = models.CharField("状态", max_length=8, choices=Status.choices, default=Status.WAITING)
    decided_by = models.ForeignKey("people.User", models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField("决定时间", null=True, blank=True)
    answer = models.CharField("意见", max_length=200, blank=True)
    seq = models.PositiveIntegerField("冲正批次", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "冲正申请"
        ordering = ["-asked_at", "-id"]
        indexes = [models.Index(fields=["place", "status"], name="reversal_place_status")]

    def __str__(self) -> str:
        return f"冲正申请 {self.asked_at:%Y-%m-%d}"


class Alarm(models.Model):
    """台账警报: something in this village's book is not as it was written, so nothing more is written until a named
    person has looked (L-15). Other villages go on."""

    class FoundBy(models.TextChoices):
        POST = "post", "入账时"
        VERIFY = "verify", "核对时"

    id = models.UUIDField(primary_key=True, default=uuid7)
    place = models.CharField("区划", max_length=14)
    raised_at = models.DateTimeField("发现时间", default=now)
    found_by = models.CharField("怎样发现", max_length=8, choices=FoundBy.choices)
    what = models.CharField("哪里不对", max_length=300)
    lifted_at = models.DateTimeField("解除时间", null=True, blank=True)
    lifted_by = models.ForeignKey("people.User", models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.CharField("解除理由", max_length=200, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "台账警报"
        ordering = ["-raised_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["place"], condition=Q(lifted_at=None), name="alarm_open_once"),
            models.CheckConstraint(
                condition=Q(lifted_at=None, lifted_by=None, reason="")
                | (Q(lifted_at__isnull=False, lifted_by__isnull=False) & ~Q(reason="")),
                name="alarm_lifted_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return self.what
