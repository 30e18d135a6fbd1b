"""The forms of the shop's money: amounts are typed in yuan, kept in fen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from zhili.claims.forms import DayInput, PointsField
from zhili.common.ids import uuid7
from zhili.common.periods import today
from zhili.places.models import VillageSettings
from zhili.shop.fields import YuanField
from zhili.shop.models import FlagResult, Settings


class Once(forms.Form):
    """A form whose key is made with the page, so that a double tap books once."""

    id = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if not self.is_bound:
            self.initial = {"id": uuid7(), **self.initial}


class FundForm(forms.Form):
    """设立资金."""

    title = forms.CharField(label="资金名称", max_length=60, help_text="例如：2026年积分资金。")
    basis = forms.CharField(label="依据", max_length=100, help_text="例如：村民代表会议决议。")


class DepositForm(Once):
    """拨入."""

    fen = YuanField(label="拨入多少元", help_text="例如 23000。")
    source = forms.CharField(
        label="钱从哪里来", max_length=40, widget=forms.TextInput(attrs={"list": "sources", "autocomplete": "off"}),
        help_text="财政、集体收益、捐赠，或写企业名称。",
    )  # fmt: skip
    paper = forms.CharField(label="收据号或凭证号", max_length=40)
    on = forms.DateField(label="到账日期", widget=DayInput, initial=today)


class SettleForm(Once):
    """商户结算."""

    shop = forms.ChoiceField(label="付给哪家")
    fen = YuanField(label="付多少元")
    paper = forms.CharField(label="付款凭证号", max_length=40)

    def __init__(self, *args: Any, shops: Sequence[tuple[str, str]], **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["shop"].choices = list(shops)  # type: ignore[attr-defined]


class FloatingForm(Once):
    """按分兑现: how much, from which receipt. seen: what the preview showed."""

    fen = YuanField(label="这次拿出多少元来分")
    paper = forms.CharField(label="凭证号", max_length=40, help_text="现金支出单或银行回单的号。")
    seen = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)


class ShopSettingsForm(forms.Form):
    """超市设置, by resolution."""

    mode = forms.ChoiceField(label="一分值多少钱", choices=Settings.Mode.choices, widget=forms.RadioSelect)
    value_fen = YuanField(label="每分值多少元", required=False, help_text="固定值才填。常见的是 1 元。")
    hold_days = forms.IntegerField(label="预订的东西留几天", min_value=1, max_value=60)
    cap_points = PointsField(
        label="多少分以内只看积分卡",
        max_length=12,
        help_text="超过的要密码、签名照片，或第二位工作人员在场。",
    )
    issue_policy = forms.ChoiceField(
        label="公示的积分比资金多时怎么办",
        choices=VillageSettings.IssuePolicy.choices,
        widget=forms.RadioSelect,
    )
    resolution = forms.CharField(
        label="按哪次决议", max_length=100, help_text="例如：2026年第3次村民代表会议。"
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if (
            data.get("mode") == Settings.Mode.FIXED
            and data.get("value_fen") is None
            and "value_fen" not in self.errors
        ):
            self.add_error("value_fen", "固定值要填每分值多少元。")
        return data


class NoteForm(forms.Form):
    """A sentence beside a month's books."""

    note = forms.CharField(
        label="说明", max_length=300, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )


class FlagForm(forms.Form):
    """核查结论."""

    rule = forms.CharField(widget=forms.HiddenInput, max_length=16)
    subject = forms.CharField(widget=forms.HiddenInput, max_length=40)
    result = forms.ChoiceField(label="核查结论", choices=FlagResult.Result.choices, widget=forms.RadioSelect)
    note = forms.CharField(label="核查情况", max_length=200, widget=forms.Textarea(attrs={"rows": 2}))
