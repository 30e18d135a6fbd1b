"""The forms of notices and objections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from zhili.claims.forms import PointsField
from zhili.common.ids import uuid7


class ObjectionForm(forms.Form):
    """我不同意: one sentence is enough."""

    id = forms.UUIDField(widget=forms.HiddenInput)
    text = forms.CharField(
        label="哪里不对？", max_length=500, widget=forms.Textarea(attrs={"rows": 4}),
        help_text="一句话就可以，例如：那天他不在村里。不要写别人的电话和身份证号。",
    )  # fmt: skip

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if not self.is_bound:
            self.initial = {"id": uuid7(), **self.initial}


class PaperObjectionForm(ObjectionForm):
    """What came in on paper or by word of mouth."""

    household = forms.CharField(
        label="谁提的（户编号）", max_length=20, required=False, help_text="匿名的不填。"
    )
    paper_number = forms.CharField(
        label="纸质异议书编号", max_length=30, required=False, help_text="口头提的不填。"
    )


class AnswerForm(forms.Form):
    """The written answer."""

    outcome = forms.ChoiceField(
        label="结论", widget=forms.RadioSelect,
        choices=[("refused", "异议不成立，分值不变"), ("upheld", "异议成立，改分或撤下")],
    )  # fmt: skip
    points = PointsField(
        label="改成几分", required=False, max_length=12, widget=forms.TextInput(attrs={"inputmode": "decimal"}),
        help_text="异议成立才填；不填就是撤下这一条，不入账。",
    )  # fmt: skip
    answer = forms.CharField(
        label="书面答复", max_length=500, widget=forms.Textarea(attrs={"rows": 5}),
        help_text="写明查了什么、问了谁、结论是什么。提异议的人凭回执能看到。",
    )  # fmt: skip


class CorrectionForm(forms.Form):
    """A mistake the clerk found while the notice hangs."""

    points = PointsField(
        label="改成几分", required=False, max_length=12, widget=forms.TextInput(attrs={"inputmode": "decimal"}),
        help_text="不填就是撤下这一条。",
    )  # fmt: skip
    reason = forms.CharField(
        label="为什么改", max_length=100, help_text="会和更正一起公开，不要写姓名和号码。"
    )


class PeriodForm(forms.Form):
    """Which period to hang out."""

    period = forms.ChoiceField(label="哪一期")

    def __init__(self, *args: Any, periods: Sequence[tuple[str, str]], **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["period"].choices = periods  # type: ignore[attr-defined]
