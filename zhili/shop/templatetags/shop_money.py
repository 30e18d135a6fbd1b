"""Money on the shop's pages: {% load shop_money %}."""

from __future__ import annotations

from django import template

from zhili.common.money import format_yuan

register = template.Library()


@register.filter
def yuan(fen: int | None) -> str:
    """Fen → "23,000.00"; None → "—"."""
    return "—" if fen is None else format_yuan(fen)
