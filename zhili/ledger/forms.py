"""The forms of the ledger's faces."""

from __future__ import annotations

from typing import Any

from django import forms

from zhili.common.ids import uuid7


class ReversalForm(forms.Form):
    """Why a line is to be taken back."""

    id = forms.UUIDField(widget=forms.HiddenInput)
    reason = forms.CharField(
        label="为什么要冲正",
        max_length=200,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="例如：户编号记错，应是 1002 户。",
    )

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if not self.is_bound:
            self.initial = {"id": uuid7(), **self.initial}


class DecisionForm(forms.Form):
    """Agree or not."""

    agree = forms.ChoiceField(choices=[("yes", "同意"), ("no", "不同意")])
    answer = forms.CharField(label="意见（不同意要写）", max_length=200, required=False)


class LiftForm(forms.Form):
    """Why a village whose book raised an alarm may go on (L-15)."""

    id = forms.UUIDField(widget=forms.HiddenInput)
    reason = forms.CharField(label="解除理由", max_length=200, widget=forms.Textarea(attrs={"rows": 3}))
