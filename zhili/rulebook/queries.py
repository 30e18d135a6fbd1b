"""Reading rule books: which one binds a place on a day, its parsed form, its versions and what the check still asks."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from django.db.models import Q, QuerySet

from zhili.common import planned
from zhili.common.errors import NotFound
from zhili.rulebook.models import Item, RuleBook
from zhili.rulebook.redlines import Report, check_book

if TYPE_CHECKING:
    from zhili.rulebook import book as book_module

# What anybody may read: from the day opinions are asked.
PUBLIC: Final = ("consultation", "adopted", "filed", "in_force", "superseded")


def in_force(place: str, on: date) -> RuleBook | None:
    """The one book that binds `place` on `on` (a superseded one for its own days), or None."""
    return _binding(place, on).first()


def settlement_on(place: str, on: date) -> str | None:
    """The settlement period of the book that binds `place` on `on`, without reading the book."""
    found = planned.ask(
        "SELECT settlement FROM rulebook_rulebook WHERE place = %s AND status IN ('in_force', 'superseded')"
        " AND valid_from <= %s AND (valid_to IS NULL OR valid_to > %s) ORDER BY place, version DESC LIMIT 1",
        [place, on, on],
    )
    return found[0][0] if found else None


def _binding(place: str, on: date) -> QuerySet[RuleBook]:
    rows = RuleBook.objects.filter(place=place, status__in=["in_force", "superseded"], valid_from__lte=on)
    return rows.filter(Q(valid_to=None) | Q(valid_to__gt=on))


def parsed(row: RuleBook) -> book_module.RuleBook:
    """The book as the calculator wants it; parsed once per text and process."""
    return _parse(row.digest, row.text)


@lru_cache(maxsize=256)
def _parse(digest: str, text: str) -> book_module.RuleBook:
    from zhili.rulebook.book_yaml import load_yaml

    return load_yaml(text, f"细则 {digest[:8]}")


def items_of(book_row: RuleBook) -> list[Item]:
    """The items of a version, in its order. One query."""
    return list(book_row.items.order_by("position"))


def item_for(book_row: RuleBook, code: str) -> Item | None:
    """The item row with this code, or None."""
    return book_row.items.filter(code=code).first()


def versions(place: str) -> QuerySet[RuleBook]:
    """Every version of a village, newest first, without the text."""
    return (
        RuleBook.objects.filter(place=place).select_related("created_by").defer("text").order_by("-version")
    )


def public_versions(place: str) -> list[RuleBook]:
    """The versions anybody may read, newest first."""
    return list(versions(place).filter(status__in=PUBLIC)[:200])


def public_version(place: str, version: int) -> RuleBook:
    """One version anybody may read. NotFound for absent, foreign and not yet public alike."""
    found = RuleBook.objects.filter(place=place, version=version, status__in=PUBLIC).first()
    if found is None:
        raise NotFound("没有这一版积分细则。")
    return found


def checked(row: RuleBook) -> Report:
    """The red-line report of a version, worked out once per text and process."""
    return _check(row.digest, row.text)


@lru_cache(maxsize=64)
def _check(digest: str, text: str) -> Report:
    return check_book(_parse(digest, text), adopted=True)


def waiting_for_review(row: RuleBook) -> list[str]:
    """Codes of items that still need a legal opinion; "" stands for the book as a whole."""
    report = checked(row)
    asked = [item.code for item in report.items if item.verdict == "legal_review"]
    asked += [""] * any(found.level == "legal_review" for found in report.book)
    given = {
        code
        for entry in row.override.get("entries", [])
        if entry.get("digest") == row.digest
        for code in entry["items"]
    }
    return [code for code in asked if code not in given]
