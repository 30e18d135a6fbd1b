"""Boxes that only the shop has."""

from __future__ import annotations

from typing import Any

from django import forms

from zhili.common.errors import ZhiliError
from zhili.common.money import format_yuan, parse_yuan


class YuanField(forms.CharField):
    """Yuan as people write them; cleaned to fen. An initial value is fen too."""

    def __init__(self, **more: Any) -> None:
        more.setdefault("widget", forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}))
        super().__init__(max_length=20, **more)

    def prepare_value(self, value: Any) -> Any:
        return format_yuan(value).replace(",", "") if isinstance(value, int) else value

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return parse_yuan(text)
        except ZhiliError as error:
            raise forms.ValidationError(str(error)) from error
