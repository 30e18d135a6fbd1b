"""积分超市: a shelf in the village office where points become soap and rice, and the money behind it.

The models in life: a village opens the shop on a fair day (兑换日), reads a household's card, takes points and hands
goods over; who collects for a neighbour (代领) is written down; stock, money and points are matched every month.

Goods are counted by moves (入库、出库、盘点), money by double entry in fen; both are append-only and keep their sums by
triggers in sql/. Points live in the ledger alone: an order only names its transfer.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from zhili.common.clock import now
from zhili.common.ids import uuid7
from zhili.common.periods import today


class Shop(models.Model):
    """One shop: of a village (12 digits), of a township (9 digits, for all villages below), or a partner's."""

    class Kind(models.TextChoices):
        OWN = "own", "村办"
        TOWNSHIP = "township", "乡镇办"
        PARTNER = "partner", "合作商户"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    title = models.CharField("名称", max_length=40)
    kind = models.CharField("类型", max_length=10, choices=Kind.choices, default=Kind.OWN)
    address = models.CharField("地点", max_length=60, blank=True)
    hours = models.CharField("开放时间", max_length=60, blank=True)
    only_fair_days = models.BooleanField("只在兑换日开放", default=False)
    paused = models.CharField("暂停原因", max_length=60, blank=True)
    last_number = models.PositiveIntegerField("最近单号", default=0)
    closed_on = models.DateField("停办日期", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "超市"
        ordering = ["place", "title"]
        constraints = [models.UniqueConstraint(fields=["place", "title"], name="shop_title_once")]

    def __str__(self) -> str:
        return self.title

    @property
    def keeps_stock(self) -> bool:
        """A partner only confirms: its shelf is its own business."""
        return self.kind != self.Kind.PARTNER


class Supplier(models.Model):
    """Where goods come from. related_to: declared tie to somebody of the village's staff (G-15), never guessed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    title = models.CharField("名称", max_length=60)
    related_to = models.CharField("与工作人员的关系", max_length=60, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "供货方"
        constraints = [models.UniqueConstraint(fields=["place", "title"], name="supplier_once")]

    def __str__(self) -> str:
        return self.title


class Good(models.Model):
    """One kind of thing on the shelf. stock and value_fen follow from the moves and are kept by a trigger alone.

    reserved: ordered and not yet collected. limit_count per household and limit_period (0: no limit).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    shop = models.ForeignKey(Shop, models.PROTECT, related_name="goods")
    code = models.CharField("货号", max_length=12)
    title = models.CharField("名称", max_length=40)
    category = models.CharField("类别", max_length=20, blank=True)
    unit = models.CharField("单位", max_length=6, default="件")
    picture = models.CharField("图片", max_length=80, blank=True)
    supplier = models.ForeignKey(
        Supplier, models.PROTECT, null=True, blank=True, related_name="goods", verbose_name="常用供货方"
    )
    stock = models.IntegerField("库存", default=0)
    reserved = models.IntegerField("已预订", default=0)
    value_fen = models.BigIntegerField("库存成本（分钱）", default=0)
    limit_count = models.PositiveSmallIntegerField("每户限兑", default=0)
    limit_period = models.CharField("限兑周期", max_length=10, default="month")
    active = models.BooleanField("在架", default=True)
    added_on = models.DateField("上架日期", default=today)

    class Meta:
        verbose_name = verbose_name_plural = "物品"
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["shop", "code"], name="good_code_once"),
            models.CheckConstraint(
                condition=Q(stock__gte=F("reserved"), reserved__gte=0), name="good_stock_not_oversold"
            ),
            models.CheckConstraint(condition=Q(value_fen__gte=0), name="good_value_not_negative"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def free(self) -> int:
        """What may still be ordered."""
        return self.stock - self.reserved

    @property
    def unit_cost_fen(self) -> int:
        """Average cost of one piece on the shelf, fen, rounded down."""
        return self.value_fen // self.stock if self.stock else 0


class PriceList(models.Model):
    """The prices of one period, frozen when published: added to, never changed (G-15)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    shop = models.ForeignKey(Shop, models.PROTECT, related_name="price_lists")
    period = models.CharField("周期", max_length=10)
    starts = models.DateField("从")
    ends = models.DateField("到")
    published_at = models.DateTimeField("公布时间", default=now)
    by = models.ForeignKey("people.User", models.PROTECT, related_name="+")

    class Meta:
        verbose_name = verbose_name_plural = "价目表"
        ordering = ["-starts"]
        constraints = [models.UniqueConstraint(fields=["shop", "period"], name="price_list_once")]

    def __str__(self) -> str:
        return f"{self.shop} {self.period}"


class Price(models.Model):
    """points: hundredths for one unit."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    price_list = models.ForeignKey(PriceList, models.PROTECT, related_name="prices")
    good = models.ForeignKey(Good, models.PROTECT, related_name="prices")
    points = models.IntegerField("积分价")

    class Meta:
        verbose_name = verbose_name_plural = "价格"
        constraints = [
            models.UniqueConstraint(fields=["price_list", "good"], name="price_once"),
            models.CheckConstraint(condition=Q(points__gt=0), name="price_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.good} {self.points}"


class StockMove(models.Model):
    """What came in, went out or was found different at a count. Append-only; fen: cost of the pieces moved,
    worked out by the trigger for goods that leave (average cost)."""

    class Kind(models.TextChoices):
        IN = "in", "入库"
        OUT = "out", "出库"
        COUNT = "count", "盘点"
        BACK = "back", "退回"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    good = models.ForeignKey(Good, models.PROTECT, related_name="moves")
    kind = models.CharField("类型", max_length=6, choices=Kind.choices)
    quantity = models.IntegerField("数量")
    fen = models.BigIntegerField("成本（分钱）", default=0)
    supplier = models.ForeignKey(Supplier, models.PROTECT, null=True, blank=True, related_name="+")
    fund = models.ForeignKey("Fund", models.PROTECT, null=True, blank=True, related_name="+")
    donated_by = models.CharField("捐物方", max_length=40, blank=True)
    order = models.ForeignKey("Order", models.PROTECT, null=True, blank=True, related_name="moves")
    count = models.ForeignKey("StockCount", models.PROTECT, null=True, blank=True, related_name="moves")
    paper = models.CharField("单据号", max_length=40, blank=True)
    delivery = models.UUIDField("到货单", null=True, blank=True)
    by = models.ForeignKey("people.User", models.PROTECT, related_name="+")
    at = models.DateTimeField("时间", default=now)
    on = models.DateField("日期", default=today)

    class Meta:
        verbose_name = verbose_name_plural = "库存流水"
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["good", "-at"], name="stockmove_good_at"),
            models.Index(fields=["delivery"], name="stockmove_delivery", condition=Q(delivery__isnull=False)),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(quantity=0), name="stockmove_moves"),
            models.CheckConstraint(
                condition=Q(kind="in", quantity__gt=0, fund__isnull=False)
                | Q(kind="back", quantity__gt=0, order__isnull=False)
                | Q(kind="out", quantity__lt=0, order__isnull=False)
                | Q(kind="count", count__isnull=False),
                name="stockmove_shape",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.quantity}"


class StockCount(models.Model):
    """盘点: what was counted, why it differs, and a second signature before the shelf is adjusted (C-18)."""

    class Status(models.TextChoices):
        WAITING = "waiting", "等待签字"
        SIGNED = "signed", "已签字"
        REFUSED = "refused", "不同意"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    shop = models.ForeignKey(Shop, models.PROTECT, related_name="counts")
    lines = models.JSONField("清点", default=list)
    """[{"good": id, "book": pieces by the book then, "found": pieces, "reason": text}]"""
    by = models.ForeignKey("people.User", models.PROTECT, related_name="+")
    at = models.DateTimeField("清点时间", default=now)
    status = models.CharField("状态", max_length=8, choices=Status.choices, default=Status.WAITING)
    signed_by = models.ForeignKey("people.User", models.PROTECT, null=True, blank=True, related_name="+")
    signed_at = models.DateTimeField("签字时间", null=True, blank=True)
    note = models.CharField("意见", max_length=200, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "盘点单"
        ordering = ["-at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(signed_by=None) | ~Q(signed_by=F("by")), name="count_second_signature"
            )
        ]

    def __str__(self) -> str:
        return f"盘点 {self.at:%Y-%m-%d}"


class FairDay(models.Model):
    """兑换日: a window with hours and quotas. quota_points: per household on that day, hundredths (0: none);
    quota_orders: for the day (0: none). groups: the order in which groups are called."""

    class Status(models.TextChoices):
        PLANNED = "planned", "未开始"
        OPEN = "open", "进行中"
        CLOSED = "closed", "已结束"
        DROPPED = "dropped", "已取消"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    shop = models.ForeignKey(Shop, models.PROTECT, related_name="fair_days")
    on = models.DateField("日期")
    opens_at = models.TimeField("开始")
    closes_at = models.TimeField("结束")
    quota_points = models.IntegerField("每户限额", default=0)
    quota_orders = models.PositiveIntegerField("全天限单", default=0)
    groups = models.JSONField("分组顺序", default=list)
    status = models.CharField("状态", max_length=8, choices=Status.choices, default=Status.PLANNED)
    tally = models.JSONField("结单", default=dict)
    reason = models.CharField("取消原因", max_length=60, blank=True, default="")
    by = models.ForeignKey("people.User", models.PROTECT, related_name="+")

    class Meta:
        verbose_name = verbose_name_plural = "兑换日"
        ordering = ["-on"]
        constraints = [
            models.UniqueConstraint(
                fields=["shop", "on"], condition=~Q(status="dropped"), name="fair_day_once"
            ),
            models.CheckConstraint(condition=Q(closes_at__gt=F("opens_at")), name="fair_day_hours"),
        ]

    def __str__(self) -> str:
        return f"{self.on:%-m月%-d日}兑换日"


class Ticket(models.Model):
    """A place in the queue of a fair day, by group."""

    class Status(models.TextChoices):
        WAITING = "waiting", "排队"
        SERVED = "served", "已兑"
        PASSED = "passed", "过号"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    fair_day = models.ForeignKey(FairDay, models.CASCADE, related_name="tickets")
    household = models.ForeignKey("people.Household", models.PROTECT, related_name="+")
    number = models.PositiveIntegerField("号")
    group = models.CharField("组", max_length=20, blank=True)
    status = models.CharField("状态", max_length=8, choices=Status.choices, default=Status.WAITING)
    called_at = models.DateTimeField("叫号时间", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "排队号"
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["fair_day", "household"], name="ticket_household_once"),
            models.UniqueConstraint(fields=["fair_day", "number"], name="ticket_number_once"),
        ]

    def __str__(self) -> str:
        return str(self.number)


class Order(models.Model):
    """兑换: one visit's goods. id is made by the client: sending it twice takes points once.

    place: the household's village. owner: whose purse pays (the household, or a person where the rule book is by
    person). points: hundredths, all lines. transfer: its key in the ledger. number: of the
    shop, to read aloud. collected_by: who took the goods (a name as written on the slip only when 代领).
    """

    class Status(models.TextChoices):
        RESERVED = "reserved", "待领取"
        HANDED_OVER = "handed_over", "已领取"
        CANCELLED = "cancelled", "已取消"
        EXPIRED = "expired", "逾期未领"
        REVERSED = "reversed", "已冲正"

    class Channel(models.TextChoices):
        PHONE = "phone", "手机预订"
        COUNTER = "counter", "柜台"
        FAIR = "fair", "兑换日"
        PAPER = "paper", "纸表补录"

    class Proof(models.TextChoices):
        NONE = "", "小额免验"
        PIN = "pin", "密码"
        SIGNATURE = "signature", "签名照片"
        SECOND = "second", "第二人在场"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    shop = models.ForeignKey(Shop, models.PROTECT, related_name="orders")
    number = models.PositiveIntegerField("单号")
    household = models.ForeignKey("people.Household", models.PROTECT, related_name="orders")
    owner = models.UUIDField("付积分的户或人")
    points = models.IntegerField("积分")
    status = models.CharField("状态", max_length=12, choices=Status.choices)
    channel = models.CharField("渠道", max_length=8, choices=Channel.choices)
    digest = models.CharField("内容指纹", max_length=64)
    pick_up_code = models.CharField("取货码", max_length=8, blank=True)
    expires_on = models.DateField("保留到", null=True, blank=True)
    fair_day = models.ForeignKey(FairDay, models.PROTECT, null=True, blank=True, related_name="orders")
    transfer = models.UUIDField("流水")
    proof = models.CharField("验证", max_length=10, choices=Proof.choices, blank=True)
    signature = models.CharField("签名照片", max_length=80, blank=True)
    second = models.ForeignKey("people.User", models.PROTECT, null=True, blank=True, related_name="+")
    collector = models.ForeignKey(
        "people.Resident", models.PROTECT, null=True, blank=True, related_name="collected"
    )
    collector_relation = models.CharField("代领关系", max_length=20, blank=True)
    paper_number = models.CharField("纸表编号", max_length=30, blank=True)
    made_by = models.ForeignKey("people.User", models.PROTECT, related_name="+")
    on_behalf_of = models.ForeignKey(
        "people.Resident", models.PROTECT, null=True, blank=True, related_name="+"
    )
    made_at = models.DateTimeField("下单时间", default=now)
    on = models.DateField("发生日", default=today)
    handed_by = models.ForeignKey("people.User", models.PROTECT, null=True, blank=True, related_name="+")
    ended_at = models.DateTimeField("办结时间", null=True, blank=True)
    reason = models.CharField("取消原因", max_length=100, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "兑换"
        ordering = ["-made_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["shop", "number"], name="order_number_once"),
            models.UniqueConstraint(
                fields=["shop", "pick_up_code"], condition=Q(status="reserved"), name="order_code_once"
            ),
            models.CheckConstraint(condition=Q(points__gt=0), name="order_points_positive"),
        ]
        indexes = [
            models.Index(fields=["household", "-made_at"], name="order_household"),
            models.Index(fields=["shop", "status", "expires_on"], name="order_waiting"),
            models.Index(fields=["place", "on"], name="order_place_on"),
        ]

    def __str__(self) -> str:
        return f"D-{self.number}"

    @property
    def is_proxy(self) -> bool:
        """代领: somebody of another household took the goods."""
        return self.collector_id is not None or bool(self.collector_relation)


class OrderLine(models.Model):
    """One kind of good in an order, at the price of the list in force. At a partner's: words and points only."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    order = models.ForeignKey(Order, models.PROTECT, related_name="lines")
    good = models.ForeignKey(Good, models.PROTECT, null=True, blank=True, related_name="order_lines")
    title = models.CharField("名称", max_length=40)
    quantity = models.PositiveIntegerField("数量")
    points = models.IntegerField("单价")

    class Meta:
        verbose_name = verbose_name_plural = "兑换明细"
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gt=0, points__gt=0), name="orderline_positive")
        ]

    def __str__(self) -> str:
        return f"{self.title}×{self.quantity}"


class Pin(models.Model):
    """A household's four to six digits for amounts above the cap (N-07). Sealed with the county's keys, since any plain
    digest of six digits is found by trying; wrong tries wait longer and longer."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    household = models.OneToOneField("people.Household", models.PROTECT, related_name="pin")
    place = models.CharField("区划", max_length=14)
    sealed = models.TextField("密码（加密）")
    wrong = models.PositiveSmallIntegerField("连错次数", default=0)
    wait_until = models.DateTimeField("可再试", null=True, blank=True)
    set_by = models.ForeignKey("people.User", models.PROTECT, related_name="+")
    set_at = models.DateTimeField("设置时间", default=now)

    class Meta:
        verbose_name = verbose_name_plural = "兑换密码"

    def __str__(self) -> str:
        return "兑换密码"


from zhili.shop.models_counter import OrderReversal, PaperList  # noqa: E402 - one registry, three files to read
from zhili.shop.models_money import (  # noqa: E402
    FlagResult,
    Fund,
    FundAccount,
    FundEntry,
    Poll,
    PollAnswer,
    Reconciliation,
    ReconciliationNote,
    Settings,
)

__all__ = [
    "FairDay",
    "FlagResult",
    "Fund",
    "FundAccount",
    "FundEntry",
    "Good",
    "Order",
    "OrderLine",
    "OrderReversal",
    "PaperList",
    "Pin",
    "Poll",
    "PollAnswer",
    "Price",
    "PriceList",
    "Reconciliation",
    "ReconciliationNote",
    "Settings",
    "Shop",
    "StockCount",
    "StockMove",
    "Supplier",
    "Ticket",
]
