"""The forms of honours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django import forms

from zhili.claims.forms import DayInput, PointsField
from zhili.common.errors import ZhiliError
from zhili.common.periods import KIND_TITLES
from zhili.common.points import parse_points
from zhili.honours.models import PERIOD_KINDS, GroupGoal, HonourScheme

_DECIMAL = {"inputmode": "decimal"}


class LevelsField(forms.CharField):
    """20，40，60 → hundredths, one per star."""

    def clean(self, value: Any) -> list[int]:
        text = super().clean(value)
        parts = [part for part in re.split(r"[，,、；;\s]+", text.strip()) if part]
        try:
            return [parse_points(part) for part in parts]
        except ZhiliError as error:
            raise forms.ValidationError(str(error)) from error


class SchemeForm(forms.Form):
    """An honour as the meeting resolved it."""

    title = forms.CharField(
        label="荣誉叫什么", max_length=20, help_text="例如：星级文明户、积分标兵。会印在证书上。"
    )
    kind = forms.ChoiceField(label="怎么评", widget=forms.RadioSelect, choices=HonourScheme.Kind.choices)
    levels = LevelsField(
        label="每颗星要多少分", max_length=120, required=False,
        help_text="按星级评才填。从少到多，用逗号隔开，最多十个。例如 20，40，60：到 20 分一星，40 分二星，60 分三星。",
    )  # fmt: skip
    top_count = forms.IntegerField(
        label="前几名",
        required=False,
        min_value=1,
        max_value=100,
        help_text="评前几名才填。分一样的一起上榜。",
    )
    top_share = forms.IntegerField(
        label="或者前百分之几", required=False, min_value=1, max_value=30, help_text="和上面一格只填一个。"
    )
    minimum = PointsField(
        label="至少多少分", required=False, max_length=12, widget=forms.TextInput(attrs=_DECIMAL),
        help_text="不到这个分的，名次靠前也不评。",
    )  # fmt: skip
    period_kind = forms.ChoiceField(
        label="多久评一次", choices=[(kind, KIND_TITLES[kind]) for kind in PERIOD_KINDS], initial="half_year"
    )
    counts = forms.ChoiceField(
        label="分怎么算", widget=forms.RadioSelect, choices=HonourScheme.Counts.choices, initial="net"
    )
    reach = forms.ChoiceField(
        label="公布范围", widget=forms.RadioSelect, choices=HonourScheme.Reach.choices, initial="public"
    )
    shows_points = forms.BooleanField(
        label="名字旁边写分数", required=False, help_text="只看加分的才可以写。"
    )
    basis = forms.CharField(
        label="哪次会议决定的", max_length=100, help_text="例如：村民代表会议 2026 年第 1 次会议。"
    )
    basis_number = forms.CharField(label="决议编号", max_length=40, required=False)
    resolved_on = forms.DateField(label="决议日期", widget=DayInput())


class PeriodForm(forms.Form):
    """Which period to compute."""

    period = forms.ChoiceField(label="哪一期")

    def __init__(self, *args: Any, periods: Sequence[tuple[str, str]], **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["period"].choices = periods  # type: ignore[attr-defined]


class ResolutionForm(forms.Form):
    """What the meeting decided on this list."""

    digest = forms.CharField(widget=forms.HiddenInput, max_length=64)
    decided_by = forms.CharField(label="哪次会议决定的", max_length=40, help_text="例如：村民代表会议。")
    decided_on = forms.DateField(label="哪天决定的", widget=DayInput())
    present = forms.IntegerField(label="到会人数", required=False, min_value=1, max_value=10_000)
    in_favour = forms.IntegerField(label="同意人数", required=False, min_value=1, max_value=10_000)


class PublishForm(forms.Form):
    """Until when it hangs out."""

    shown_to = forms.DateField(
        label="公布到哪天", widget=DayInput(), help_text="到期自动撤下，网址也打不开了。"
    )


class ReasonForm(forms.Form):
    """Why: of an end, a list taken back, a household struck off."""

    because = forms.CharField(
        label="为什么", max_length=100, help_text="不写姓名和号码。只有村里办事的人看得到。"
    )


class GoalForm(forms.Form):
    """A goal of a whole group."""

    group = forms.ChoiceField(label="哪个组")
    title = forms.CharField(label="目标名称", max_length=30, help_text="例如：全组达标换路灯。")
    measure = forms.ChoiceField(
        label="怎么算达到", widget=forms.RadioSelect, choices=GroupGoal.Measure.choices
    )
    points = PointsField(
        label="多少分", max_length=12, widget=forms.TextInput(attrs=_DECIMAL),
        help_text="按户算，写每户要多少分；按全组算，写一共要多少分。只算加分。",
    )  # fmt: skip
    share = forms.IntegerField(
        label="百分之几的户", required=False, min_value=1, max_value=100, help_text="按户算才填。"
    )
    period = forms.ChoiceField(label="哪段时间")
    reward = forms.CharField(
        label="达到以后得什么", max_length=60, help_text="例如：换 6 盏太阳能路灯。全组一起用的，不分到户。"
    )
    basis = forms.CharField(label="哪次会议决定的", max_length=100)
    resolved_on = forms.DateField(label="决议日期", widget=DayInput())

    def __init__(
        self,
        *args: Any,
        groups: Sequence[str],
        periods: Sequence[tuple[str, str]],
        **more: Any,
    ) -> None:
        super().__init__(*args, **more)
        self.fields["group"].choices = [(one, one) for one in groups]  # type: ignore[attr-defined]
        self.fields["period"].choices = periods  # type: ignore[attr-defined]


class PriorityForm(forms.Form):
    """What the households of a list are asked first for."""

    title = forms.CharField(
        label="优先做什么", max_length=40, help_text="例如：先报名参加外出参观。不发东西，不发钱。"
    )
    list = forms.ChoiceField(label="哪张榜上的户")
    starts = forms.DateField(label="从哪天", widget=DayInput())
    ends = forms.DateField(label="到哪天", widget=DayInput())
    basis = forms.CharField(label="哪次会议决定的", max_length=100)

    def __init__(self, *args: Any, lists: Sequence[tuple[str, str]], **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["list"].choices = lists  # type: ignore[attr-defined]


class LetterForm(forms.Form):
    """A thank-you letter, written over before it is printed; nothing of it is kept."""

    greeting = forms.CharField(label="写给谁", max_length=40)
    body = forms.CharField(
        label="信的内容", max_length=800, widget=forms.Textarea(attrs={"rows": 10}),
        help_text="已经按这一户做过的事写好，可以改。一段写完按回车。不要写号码。",
    )  # fmt: skip
    signed = forms.CharField(label="落款", max_length=40)
