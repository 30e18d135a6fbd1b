"""Reading rule books: which one binds a place on a day, and its parsed form."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from django.db.models import Q

from zhili.rulebook.models import RuleBook

if TYPE_CHECKING:
    from zhili.rulebook import book as book_module


def in_force(place: str, on: date) -> RuleBook | None:
    """The one book that binds `place` on `on` (a superseded one for its own days), or None."""
    return (
        RuleBook.objects.filter(place=place, status__in=["in_force", "superseded"], valid_from__lte=on)
        .filter(Q(valid_to=None) | Q(valid_to__gt=on))
        .first()
    )


def parsed(row: RuleBook) -> book_module.RuleBook:
    """The book as the calculator wants it; parsed once per text and process."""
    return _parse(row.digest, row.text)


@lru_cache(maxsize=256)
def _parse(digest: str, text: str) -> book_module.RuleBook:
    from zhili.rulebook.book_yaml import load_yaml

    return load_yaml(text, f"细则 {digest[:8]}")
