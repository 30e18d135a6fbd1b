"""Template filters every page may use without loading: points, masked names, dates in Chinese."""

from __future__ import annotations

from datetime import date, datetime

from django import template

from zhili.common.masking import mask_name
from zhili.common.points import format_points, format_signed

register = template.Library()


@register.filter
def points(value: int | None) -> str:
    """Hundredths → "2.5"; None → "—"."""
    return "—" if value is None else format_points(value)


@register.filter
def signed(value: int | None) -> str:
    """Hundredths → "+2.5" or "-1"; None → "—"."""
    return "—" if value is None else format_signed(value)


@register.filter
def masked(value: str) -> str:
    """A name as it may stand on a public page."""
    return mask_name(value)


@register.filter
def day(value: date | datetime | None) -> str:
    """2026年3月5日, or "—"."""
    return "—" if value is None else f"{value.year}年{value.month}月{value.day}日"


@register.filter
def short_day(value: date | datetime | None) -> str:
    """3月5日, or "—"."""
    return "—" if value is None else f"{value.month}月{value.day}日"
