"""The forms of the back office: what is typed in yuan becomes fen, in points hundredths; the rest comes from the server."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django import forms

from zhili.claims.forms import DayInput, PointsField
from zhili.common.errors import ZhiliError
from zhili.common.ids import uuid7
from zhili.common.money import format_yuan, parse_yuan
from zhili.common.periods import Period, today
from zhili.common.photos import MAX_BYTES
from zhili.common.points import format_points, parse_points
from zhili.shop.models import Fund, Good, Shop, Supplier

_WHOLE: Final = re.compile(r"[0-9]{1,6}")
DECIMAL: Final = {"inputmode": "decimal", "autocomplete": "off"}
DIGITS: Final = {"inputmode": "numeric", "autocomplete": "off"}
LIMIT_CHOICES: Final = [
    ("month", "每月"),
    ("quarter", "每季度"),
    ("half_year", "每半年"),
    ("year", "每年"),
    ("ever", "一共"),
]
NEW: Final = "new"


def parse_whole(text: str) -> int:
    """ "20", "２０" → 20. Raises ValidationError in words."""
    clean = unicodedata.normalize("NFKC", text).strip()
    if not _WHOLE.fullmatch(clean):
        raise forms.ValidationError(f"“{text.strip()[:20]}”不是数量，请写 0、1、2 这样的整数。")
    return int(clean)


class TimeInput(forms.TimeInput):
    """The device's own clock."""

    input_type = "time"

    def __init__(self) -> None:
        super().__init__(format="%H:%M")


class ShopForm(forms.Form):
    """Open or change a shop. The kind is asked once; a township's desk has one kind only."""

    title = forms.CharField(label="名称", max_length=40, help_text="例如：谭家沟村幸福超市。")
    kind = forms.ChoiceField(label="谁办的", widget=forms.RadioSelect)
    address = forms.CharField(label="地点", max_length=60, required=False)
    hours = forms.CharField(
        label="开放时间", max_length=60, required=False, help_text="例如：每周六 9:00—11:30。公开页上会写。"
    )
    only_fair_days = forms.BooleanField(label="只在兑换日开放，平时不兑", required=False)
    paused = forms.CharField(
        label="暂停原因", max_length=60, required=False,
        help_text="写了就暂停兑换，原因会公开；清空就恢复。例如：搬货架，10 月 8 日恢复。",
    )  # fmt: skip

    def __init__(self, *args: Any, place: str, shop: Shop | None = None, **more: Any) -> None:
        super().__init__(*args, **more)
        kinds = [Shop.Kind.TOWNSHIP] if len(place) == 9 else [Shop.Kind.OWN, Shop.Kind.PARTNER]
        self.fields["kind"].choices = [(one.value, one.label) for one in kinds]  # type: ignore[attr-defined]
        if shop is not None:
            del self.fields["kind"]
            names = ("title", "address", "hours", "only_fair_days", "paused")
            self.initial = {name: getattr(shop, name) for name in names}
        else:
            del self.fields["paused"]
            self.initial = {"kind": kinds[0].value}


class GoodForm(forms.Form):
    """One kind of good: words, limit, usual supplier, picture. Price and stock have pages of their own."""

    code = forms.CharField(
        label="货号",
        max_length=12,
        help_text="印在价目表和盘点表上，例如 A01。",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    title = forms.CharField(label="名称", max_length=40, help_text="写清规格，例如：洗衣粉 1 公斤。")
    category = forms.CharField(
        label="类别", max_length=20, required=False, help_text="例如：日用、粮油、农资。"
    )
    unit = forms.CharField(label="单位", max_length=6, initial="件", help_text="例如：块、袋、瓶。")
    limit_count = forms.IntegerField(
        label="每户最多兑几件", min_value=0, max_value=999, required=False, widget=forms.NumberInput(attrs=dict(DIGITS)),
        help_text="不填或填 0 就是不限。",
    )  # fmt: skip
    limit_period = forms.ChoiceField(label="多久算一次", choices=LIMIT_CHOICES, required=False)
    supplier = forms.ModelChoiceField(
        Supplier.objects.none(), label="常用供货方", required=False, empty_label="没有固定的"
    )
    picture = forms.FileField(
        label="图片", required=False, widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png,image/webp"}),
        help_text="会放在公开的价目页上，不要拍到人脸、证件和电话。",
    )  # fmt: skip
    active = forms.BooleanField(label="在架，可以兑换", required=False, initial=True)

    def __init__(self, *args: Any, place: str, good: Good | None = None, **more: Any) -> None:
        super().__init__(*args, **more)
        rows = Supplier.objects.filter(place=place).order_by("title")
        self.fields["supplier"].queryset = rows  # type: ignore[attr-defined]
        if good is not None:
            del self.fields["code"]
            names = ("title", "category", "unit", "limit_count", "limit_period", "supplier", "active")
            self.initial = {name: getattr(good, name) for name in names}
        else:
            del self.fields["active"]

    def clean_limit_count(self) -> int:
        return self.cleaned_data["limit_count"] or 0

    def clean_limit_period(self) -> str:
        return self.cleaned_data["limit_period"] or "month"

    def clean_picture(self) -> bytes | None:
        file = self.cleaned_data["picture"]
        if file is None:
            return None
        if file.size > MAX_BYTES:
            raise forms.ValidationError(f"图片太大，最大 {MAX_BYTES // 1048576} MB，请用“标准”画质重拍。")
        return bytes(file.read())


class SupplierForm(forms.Form):
    """Who delivers, and the declared tie to somebody who runs the shop (G-15)."""

    title = forms.CharField(label="供货方", max_length=60, help_text="店名或公司名。")
    related_to = forms.CharField(
        label="和村干部、店员有什么关系", max_length=60, required=False,
        help_text="没有就不填。有就写关系，不写姓名，例如：店员的亲戚开的店。监督委员看得到。",
    )  # fmt: skip


@dataclass(slots=True)
class Cell:
    """One box of a row, with what was typed and what is wrong with it."""

    name: str
    value: str = ""
    error: str = ""


@dataclass(slots=True)
class GoodRow:
    """One good in a form of many: its boxes by their letter."""

    good: Any
    cells: dict[str, Cell]
    note: str = ""

    @property
    def first(self) -> Cell:
        return next(iter(self.cells.values()))


class RowsForm(forms.Form):
    """A form with the same boxes for every good of a shop. Boxes are called letter_<good>; an empty box is no answer."""

    id = forms.UUIDField(widget=forms.HiddenInput)
    letters: tuple[str, ...] = ()

    def __init__(
        self, *args: Any, goods: Iterable[Any], typed: Mapping[UUID, str] | None = None, **more: Any
    ) -> None:
        super().__init__(*args, **more)
        if not self.is_bound:
            self.initial = {"id": uuid7(), **self.initial}
        self.rows: list[GoodRow] = []
        for good in goods:
            cells = {}
            for letter in self.letters:
                name = f"{letter}_{good.pk}"
                value = str(self.data.get(name, "")).replace("\x00", "")[:120] if self.is_bound else ""
                cells[letter] = Cell(name, value)
            if typed and not self.is_bound and good.pk in typed:
                cells[self.letters[0]].value = typed[good.pk]
            self.rows.append(GoodRow(good, cells))

    def box(self, row: GoodRow, letter: str, read: Any) -> Any:
        """The box read by `read`, None where it is empty or wrong; what is wrong stands beside it and on top."""
        cell = row.cells[letter]
        if not cell.value.strip():
            return None
        try:
            return read(cell.value)
        except (forms.ValidationError, ZhiliError) as error:
            cell.error = error.messages[0] if isinstance(error, forms.ValidationError) else str(error)
            self.add_error(None, f"{row.good}：{cell.error}")
            return None

    def wrong(self, row: GoodRow, letter: str, text: str) -> None:
        row.cells[letter].error = text
        self.add_error(None, f"{row.good}：{text}")


class DeliveryForm(RowsForm):
    """到货: one note, several goods; yuan for the whole line as the receipt says it."""

    letters = ("q", "y")
    on = forms.DateField(label="到货日期", widget=DayInput())
    fund = forms.ModelChoiceField(Fund.objects.none(), label="从哪笔资金出", empty_label=None)
    supplier = forms.ChoiceField(label="供货方", required=False)
    new_supplier = forms.CharField(
        label="新的供货方", max_length=60, required=False, help_text="上面没有的，写店名。"
    )
    related_to = forms.CharField(
        label="新供货方和村干部、店员的关系",
        max_length=60,
        required=False,
        help_text="没有就不填。写关系，不写姓名。",
    )
    donated = forms.BooleanField(label="是捐来的东西，没有花钱", required=False)
    donated_by = forms.CharField(
        label="谁捐的",
        max_length=40,
        required=False,
        help_text="捐的才填。金额按市价估。个人捐的只写“热心村民”。",
    )
    paper = forms.CharField(
        label="单据号", max_length=40, required=False, help_text="发票或收据的号码，没有就写“白条”。"
    )

    def __init__(
        self,
        *args: Any,
        place: str,
        funds: Sequence[tuple[Fund, int]],
        suppliers: Sequence[Supplier],
        **more: Any,
    ) -> None:
        super().__init__(*args, **more)
        field: Any = self.fields["fund"]
        field.queryset = Fund.objects.filter(place=place)
        field.choices = [(fund.pk, f"{fund}（还有 {format_yuan(cash)} 元）") for fund, cash in funds]
        self._suppliers = {str(one.pk): one for one in suppliers}
        chosen: Any = self.fields["supplier"]
        tie = {key: "（有申报的关系）" if one.related_to else "" for key, one in self._suppliers.items()}
        chosen.choices = [("", "没有写")] + [
            (key, f"{one}{tie[key]}") for key, one in self._suppliers.items()
        ]
        if not self.is_bound:
            self.initial = {"on": today(), **self.initial}

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        lines = []
        for row in self.rows:
            quantity = self.box(row, "q", parse_whole)
            fen = self.box(row, "y", parse_yuan)
            if row.cells["q"].error or row.cells["y"].error:
                continue
            if quantity is None and fen is not None:
                self.wrong(row, "q", "填了金额，没有填数量")
            elif quantity == 0:
                self.wrong(row, "q", "数量要大于 0，没到货的不填")
            elif quantity is not None and fen is None:
                self.wrong(row, "y", "填了数量，没有填这一批一共多少元")
            elif quantity is not None:
                lines.append((row.good, quantity, fen))
        data["lines"] = lines
        data["supplier"] = self._suppliers.get(data.get("supplier", ""))
        if data.get("donated") and len(str(data.get("donated_by", "")).strip()) < 2:
            self.add_error("donated_by", "捐来的要写谁捐的。")
        if not data.get("donated") and str(data.get("donated_by", "")).strip():
            self.add_error("donated", "写了谁捐的，请勾上“是捐来的东西”；花钱买的请把捐物方清空。")
        if data["supplier"] is not None and str(data.get("new_supplier", "")).strip():
            self.add_error("new_supplier", "选了供货方，又写了新的，请只留一个。")
        return data


class CountForm(RowsForm):
    """盘点: what was found of each good; a box left empty was not counted."""

    letters = ("f", "r")

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        counted = []
        for row in self.rows:
            found = self.box(row, "f", parse_whole)
            reason = row.cells["r"].value.strip()
            if found is None:
                if reason and not row.cells["f"].error:
                    self.wrong(row, "f", "写了原因，没有填清点数")
                continue
            if found != row.good.stock and len(reason) < 2:
                self.wrong(
                    row, "r", f"账上 {row.good.stock}{row.good.unit}，清点 {found}{row.good.unit}，要写明原因"
                )
            counted.append((row.good, found, reason[:100]))
        data["counted"] = counted
        return data


class PricesForm(RowsForm):
    """价目表: points for one unit; a box left empty is not on the list."""

    letters = ("p",)
    period = forms.ChoiceField(label="哪一期")

    def __init__(self, *args: Any, periods: Sequence[Period] | None, **more: Any) -> None:
        super().__init__(*args, **more)
        if periods is None:
            del self.fields["period"]
        else:
            choices = [
                (one.code, f"{one.title}（{one.start:%-m月%-d日}至{one.end:%-m月%-d日}）") for one in periods
            ]
            self.fields["period"].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        points: dict[UUID, int] = {}
        for row in self.rows:
            price = self.box(row, "p", parse_points)
            if price is not None and price <= 0:
                self.wrong(row, "p", "积分价要大于 0，不上价目表的请清空")
            elif price is not None:
                points[row.good.pk] = price
        data["points"] = points
        return data


class FairForm(forms.Form):
    """安排兑换日."""

    on = forms.DateField(label="哪一天", widget=DayInput())
    opens_at = forms.TimeField(label="几点开始", widget=TimeInput())
    closes_at = forms.TimeField(label="几点结束", widget=TimeInput())
    groups = forms.CharField(
        label="按什么次序叫组", required=False, max_length=400, widget=forms.Textarea(attrs={"rows": 4}),
        help_text="一行一个组，先叫的写在前面；不填就按取号先后。",
    )  # fmt: skip
    quota_points = PointsField(
        label="每户最多兑几分",
        required=False,
        max_length=12,
        widget=forms.TextInput(attrs=dict(DECIMAL)),
        help_text="不填就是不限。",
    )
    quota_orders = forms.IntegerField(
        label="全天最多几单", required=False, min_value=0, max_value=10_000, widget=forms.NumberInput(attrs=dict(DIGITS)),
        help_text="不填就是不限。",
    )  # fmt: skip

    def clean_groups(self) -> list[str]:
        lines = [line.strip()[:20] for line in re.split(r"[\n,，、;；]", self.cleaned_data["groups"])]
        return list(dict.fromkeys(line for line in lines if line))[:60]


class PollForm(forms.Form):
    """进货前问一问."""

    title = forms.CharField(label="问什么", max_length=40, initial="下一期想换什么")
    options = forms.CharField(
        label="可选的物品",
        max_length=1200,
        widget=forms.Textarea(attrs={"rows": 8}),
        help_text="一行一种，2 到 30 种。",
    )
    most = forms.IntegerField(
        label="每户最多选几种",
        min_value=1,
        max_value=30,
        initial=3,
        widget=forms.NumberInput(attrs=dict(DIGITS)),
    )
    closes_on = forms.DateField(label="问到哪一天", widget=DayInput())


class AnswerForm(forms.Form):
    """What a household without a phone wants, said at the desk or on paper (U-38)."""

    household = forms.CharField(
        label="户编号", max_length=40, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    chosen = forms.MultipleChoiceField(label="想要哪几种", widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, options: Sequence[Mapping[str, str]], **more: Any) -> None:
        super().__init__(*args, **more)
        choices = [(one["code"], one["title"]) for one in options]
        self.fields["chosen"].choices = choices  # type: ignore[attr-defined]


class ReasonForm(forms.Form):
    """Why something is called off."""

    reason = forms.CharField(
        label="为什么取消", max_length=60, help_text="会公开，例如：下大雨，改到 12 月 8 日。不写姓名和电话。"
    )


class SignForm(forms.Form):
    """第二个人签字: agree, or send the sheet back with what is wrong."""

    decision = forms.ChoiceField(
        label="核对结果", widget=forms.RadioSelect,
        choices=[("agree", "数目对，同意按清点数改库存"), ("refuse", "不对，退回重新清点")],
    )  # fmt: skip
    note = forms.CharField(label="意见", max_length=200, required=False, help_text="退回的要写明哪里不对。")

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("decision") == "refuse" and len(str(data.get("note", "")).strip()) < 2:
            self.add_error("note", "退回的要写明哪里不对。")
        return data


def typed_points(points: Mapping[UUID, int]) -> dict[UUID, str]:
    """Prices as they stand in the boxes."""
    return {key: format_points(one) for key, one in points.items()}
