"""兑换资金: money in fen with named sources, in its own double-entry books, never mixed with points (L-17, G-11)."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from zhili.common.clock import now
from zhili.common.ids import uuid7
from zhili.common.periods import today


class Fund(models.Model):
    """One pot of money for a village's points, named as the village resolved it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    title = models.CharField("名称", max_length=60)
    opened_on = models.DateField("设立日期", default=today)
    basis = models.CharField("依据", max_length=100)

    class Meta:
        app_label = "shop"
        verbose_name = verbose_name_plural = "兑换资金"
        constraints = [models.UniqueConstraint(fields=["place", "title"], name="fund_title_once")]

    def __str__(self) -> str:
        return self.title


class FundAccount(models.Model):
    """One side of the books; sums kept by the trigger on FundEntry alone. cash and goods never fall below zero.

    source, cash and paid belong to a fund; goods, spent and lost to the village, because a shelf is filled from
    several funds. balance = credits - debits, fen.
    """

    OF_VILLAGE = ("goods", "spent", "lost")

    class Kind(models.TextChoices):
        SOURCE = "source", "资金来源"
        CASH = "cash", "可用资金"
        GOODS = "goods", "库存物品"
        SPENT = "spent", "已兑物品"
        LOST = "lost", "盘亏"
        PAID = "paid", "已付商户或现金"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    kind = models.CharField("账户", max_length=8, choices=Kind.choices)
    fund = models.ForeignKey(Fund, models.PROTECT, null=True, blank=True, related_name="accounts")
    credits = models.BigIntegerField("贷方累计", default=0)
    debits = models.BigIntegerField("借方累计", default=0)

    class Meta:
        app_label = "shop"
        verbose_name = verbose_name_plural = "资金账户"
        constraints = [
            models.UniqueConstraint(
                fields=["place", "kind", "fund"], name="fund_account_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=["cash", "goods"]) | Q(credits__gte=F("debits")),
                name="fund_account_not_overdrawn",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.fund or self.place} {self.get_kind_display()}"

    @property
    def balance(self) -> int:
        return self.credits - self.debits


class FundEntry(models.Model):
    """One line of the money books: `fen` from the debit to the credit account. Append-only.

    fund: None where only the village's own accounts are touched (goods handed over, shrinkage).
    """

    class Code(models.TextChoices):
        DEPOSIT = "deposit", "拨入"
        PURCHASE = "purchase", "进货"
        HAND_OVER = "hand_over", "兑出"
        BACK = "back", "退回"
        SHRINKAGE = "shrinkage", "盘亏"
        FOUND = "found", "盘盈"
        SETTLE = "settle", "商户结算"
        PAYOUT = "payout", "按分兑现"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    fund = models.ForeignKey(Fund, models.PROTECT, null=True, blank=True, related_name="entries")
    debit = models.CharField("借方", max_length=8, choices=FundAccount.Kind.choices)
    credit = models.CharField("贷方", max_length=8, choices=FundAccount.Kind.choices)
    fen = models.BigIntegerField("金额（分钱）")
    code = models.CharField("事由", max_length=10, choices=Code.choices)
    source = models.CharField("来源", max_length=40, blank=True)
    """Of a deposit: 财政, 集体收益, 捐赠, or a company's name."""
    shop = models.ForeignKey("shop.Shop", models.PROTECT, null=True, blank=True, related_name="+")
    """Of a settlement: the partner's or township's shop that was paid, whatever its title becomes."""
    paper = models.CharField("凭证号", max_length=40, blank=True)
    move = models.ForeignKey("shop.StockMove", models.PROTECT, null=True, blank=True, related_name="entries")
    ledger_points = models.BigIntegerField("折合积分", default=0)
    by = models.ForeignKey("people.User", models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField("时间", default=now)
    on = models.DateField("日期", default=today)

    class Meta:
        app_label = "shop"
        verbose_name = verbose_name_plural = "资金流水"
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["place", "on"], name="fundentry_place_on")]
        constraints = [
            models.CheckConstraint(condition=Q(fen__gt=0) & ~Q(debit=F("credit")), name="fund_entry_shape")
        ]

    def __str__(self) -> str:
        return f"{self.get_code_display()} {self.fen}"


class Settings(models.Model):
    """What a village decides about its shop. value_fen: fen per point in mode A (0: no fixed value).

    issue: what happens when a notice would issue more points than are funded. hold_days: how long an order waits.
    cap_points: hundredths up to which a card alone is enough (N-07).
    """

    class Mode(models.TextChoices):
        FIXED = "fixed", "固定值"
        FLOATING = "floating", "结算时按资金除以积分"

    place = models.CharField("区划", max_length=14, primary_key=True)
    mode = models.CharField("计价方式", max_length=8, choices=Mode.choices, default=Mode.FIXED)
    value_fen = models.PositiveIntegerField("每分值（分钱）", default=100)
    hold_days = models.PositiveSmallIntegerField("预订保留天数", default=7)
    cap_points = models.PositiveIntegerField("小额免验上限", default=3000)
    resolution = models.CharField("决议", max_length=100, blank=True)

    class Meta:
        app_label = "shop"
        verbose_name = verbose_name_plural = "超市设置"
        constraints = [
            models.CheckConstraint(condition=Q(hold_days__range=(1, 60)), name="shop_settings_hold_days"),
            models.CheckConstraint(
                condition=Q(mode="floating") | Q(value_fen__gt=0), name="shop_settings_value"
            ),
        ]

    def __str__(self) -> str:
        return self.place


class Reconciliation(models.Model):
    """月度对账: stock, money and points of one month matched three ways, signed and published (G-15)."""

    class Status(models.TextChoices):
        DRAFT = "draft", "待签字"
        PUBLISHED = "published", "已公布"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    month = models.CharField("月份", max_length=7)
    figures = models.JSONField("数据", default=dict)
    matches = models.BooleanField("相符")
    digest = models.CharField("指纹", max_length=64)
    made_by = models.ForeignKey("people.User", models.PROTECT, related_name="+")
    made_at = models.DateTimeField("制表时间", default=now)
    signed_by = models.ForeignKey("people.User", models.PROTECT, null=True, blank=True, related_name="+")
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.DRAFT)
    published_at = models.DateTimeField("公布时间", null=True, blank=True)
    note = models.CharField("说明", max_length=300, blank=True)

    class Meta:
        app_label = "shop"
        verbose_name = verbose_name_plural = "月度对账"
        ordering = ["-month"]
        constraints = [
            models.UniqueConstraint(fields=["place", "month"], name="reconciliation_month_once"),
            models.CheckConstraint(
                condition=Q(signed_by=None) | ~Q(signed_by=F("made_by")),
                name="reconciliation_second_signature",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month}对账"


class ReconciliationNote(models.Model):
    """A later word on a published month: the figures stay, what was found wrong afterwards is written beside them."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    reconciliation = models.ForeignKey(Reconciliation, models.PROTECT, related_name="notes")
    text = models.CharField("说明", max_length=300)
    by = models.ForeignKey("people.User", models.PROTECT, related_name="+")
    at = models.DateTimeField("时间", default=now)

    class Meta:
        app_label = "shop"
        verbose_name = verbose_name_plural = "对账补充说明"
        ordering = ["at"]

    def __str__(self) -> str:
        return f"{self.reconciliation}补充说明"


class FlagResult(models.Model):
    """What a person found when looking into a flag of flags.py. Nothing follows from it by itself.

    rule: one of flags.RULES. subject: whom or what the flag is about: the key of a household, good, supplier or login.
    """

    class Result(models.TextChoices):
        TRUE = "true", "属实"
        REASON = "reason", "有理由"
        FALSE = "false", "误报"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    rule = models.CharField("规则", max_length=16)
    subject = models.CharField("对象", max_length=40)
    result = models.CharField("结论", max_length=6, choices=Result.choices)
    note = models.CharField("情况", max_length=200)
    by = models.ForeignKey("people.User", models.PROTECT, related_name="+")
    at = models.DateTimeField("时间", default=now)

    class Meta:
        app_label = "shop"
        verbose_name = verbose_name_plural = "核查结论"
        ordering = ["-at"]
        indexes = [models.Index(fields=["place", "rule", "subject", "-at"], name="flagresult_of")]

    def __str__(self) -> str:
        return f"{self.rule} {self.get_result_display()}"


class Poll(models.Model):
    """进货前问一问: what households would like on the shelf (G-15). options: [{"code", "title"}]."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    shop = models.ForeignKey("shop.Shop", models.PROTECT, related_name="polls")
    title = models.CharField("标题", max_length=40)
    options = models.JSONField("选项", default=list)
    most = models.PositiveSmallIntegerField("最多选", default=3)
    opens_on = models.DateField("从", default=today)
    closes_on = models.DateField("到")
    ended_at = models.DateTimeField("提前截止", null=True, blank=True)
    by = models.ForeignKey("people.User", models.PROTECT, related_name="+")

    class Meta:
        app_label = "shop"
        verbose_name = verbose_name_plural = "需求征询"
        ordering = ["-opens_on"]

    def __str__(self) -> str:
        return self.title

    @property
    def is_open(self) -> bool:
        return self.ended_at is None and today() <= self.closes_on


class PollAnswer(models.Model):
    """One household's wishes; a second answer replaces the first while the poll is open."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    poll = models.ForeignKey(Poll, models.CASCADE, related_name="answers")
    household = models.ForeignKey("people.Household", models.PROTECT, related_name="+")
    chosen = models.JSONField("所选", default=list)
    by = models.ForeignKey("people.User", models.PROTECT, related_name="+")
    at = models.DateTimeField("时间", default=now)

    class Meta:
        app_label = "shop"
        verbose_name = verbose_name_plural = "需求答复"
        constraints = [models.UniqueConstraint(fields=["poll", "household"], name="poll_household_once")]

    def __str__(self) -> str:
        return f"{self.poll}"
