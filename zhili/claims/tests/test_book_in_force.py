"""From draft to binding: what the claims of a village stand on."""

from __future__ import annotations

from datetime import date

import pytest

from tests.books import SMALL_BOOK, make_book
from zhili.common.errors import NotAllowed
from zhili.rulebook.actions import freeze, put_in_force, save_draft
from zhili.rulebook.errors import RuleBookError
from zhili.rulebook.queries import in_force


def test_the_small_book_binds_its_village_on_its_days(cast):
    """One in force per place and date."""
    book = make_book(cast)
    assert in_force(cast.place, date(2026, 10, 1)) == book
    assert in_force(cast.place, date(2025, 12, 31)) is None
    assert in_force(cast.next_place, date(2026, 10, 1)) is None
    assert book.items.count() == 9


def test_a_second_version_ends_the_first(cast):
    """A new version supersedes from its day; the old one still binds its own days (L-09)."""
    first = make_book(cast)
    second = make_book(cast, on=date(2026, 7, 1))
    assert second.version == 2
    assert in_force(cast.place, date(2026, 6, 30)) == first
    assert in_force(cast.place, date(2026, 7, 1)) == second


def test_the_author_cannot_put_it_in_force(cast):
    """A-07: rule author ≠ rule approver."""
    draft = save_draft(by=cast.township, place=cast.place, text=SMALL_BOOK)
    with pytest.raises(NotAllowed, match="起草人"):
        put_in_force(by=cast.township, book=draft, on=date(2026, 1, 1), adoption={"meeting": "x"})


@pytest.mark.parametrize("who", ["villager", "reviewer", "stranger_clerk", "system_admin"])
def test_who_may_not_draft(cast, who):
    """A-02, A-07"""
    with pytest.raises(NotAllowed):
        save_draft(by=getattr(cast, who), place=cast.place, text=SMALL_BOOK)


def test_a_red_line_cannot_come_into_force(cast):
    """Invariant 9: blocked by the checker, whoever asks."""
    text = SMALL_BOOK.replace("占用公共通道经提醒不改", "越级上访")
    draft = save_draft(by=cast.township, place=cast.place, text=text)
    with pytest.raises(RuleBookError, match="红线"):
        put_in_force(by=cast.county, book=draft, on=date(2026, 1, 1), adoption={"meeting": "x"})
    assert in_force(cast.place, date(2026, 2, 1)) is None


@pytest.mark.parametrize("adoption, on", [({}, date(2026, 1, 1)), ({"meeting": "x"}, date(2025, 1, 1))])
def test_not_without_a_vote_nor_before_its_day(cast, adoption, on):
    """Adopted by a recorded vote, from a day the book itself covers."""
    draft = save_draft(by=cast.township, place=cast.place, text=SMALL_BOOK)
    with pytest.raises(RuleBookError):
        put_in_force(by=cast.county, book=draft, on=on, adoption=adoption, override={"by": "x"})


def test_twice_in_force_is_refused(cast):
    """A version comes into force once."""
    book = make_book(cast)
    with pytest.raises(RuleBookError, match="施行中"):
        put_in_force(
            by=cast.elder,
            book=book,
            on=date(2026, 3, 1),
            adoption={"meeting": "x"},
            override={"by": "x"},
        )


def test_frozen_once(cast):
    """L-09: the moment of first use is kept."""
    book = make_book(cast)
    freeze(book)
    first = book.frozen_at
    freeze(book)
    book.refresh_from_db()
    assert book.frozen_at == first is not None


def test_a_book_of_another_village_is_refused(cast):
    """The place in the text must be this village."""
    text = SMALL_BOOK.replace("unit: household", 'place: "511702109201"\nunit: household')
    with pytest.raises(RuleBookError, match="不是本村"):
        save_draft(by=cast.township, place=cast.place, text=text)
