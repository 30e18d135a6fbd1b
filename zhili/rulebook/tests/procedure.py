"""Steps of the procedure for tests: a version brought as far as asked, by the persons whose business each step is."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

from tests.books import SMALL_BOOK
from zhili.common.periods import today
from zhili.rulebook import actions
from zhili.rulebook.book import RuleBook as Book
from zhili.rulebook.book_yaml import load_starter
from zhili.rulebook.models import RuleBook

ORDER = ("draft", "consultation", "adopted", "filed", "in_force")
VOTE: dict[str, Any] = {
    "meeting": "representatives", "entitled": 45, "present": 40, "in_favour": 35, "against": 2,
    "women_present": 16, "minutes_ref": "会-2026-03",
}  # fmt: skip
BLOCKED = SMALL_BOOK.replace("占用公共通道经提醒不改", "越级上访")
# A clause that needs a legal opinion: going into people's homes (RL-06).
NEEDS_REVIEW = SMALL_BOOK.replace("组织一次公益活动", "入户检查屋内卫生，室内整洁")


def clean_book(place: str, **changes: Any) -> Book:
    """A starter that the red lines pass, made this village's own."""
    from dataclasses import replace

    return replace(load_starter("household"), place=place, title="演示细则", effective_from=date(2026, 1, 1),
                   effective_to=None, **changes)  # fmt: skip


def make(
    cast: SimpleNamespace, status: str = "draft", *, text: str | None = None, on: date | None = None
) -> RuleBook:
    """A version in `status`: drafted by the clerk, voted on record by an elder, filed by the township."""
    given: dict[str, Any] = {"book": clean_book(cast.place)} if text is None else {"text": text}
    row = actions.save_draft(by=cast.clerk, place=cast.place, **given)
    day = today()
    for step in ORDER[1 : ORDER.index(status) + 1]:
        if step == "consultation":
            start = day - timedelta(days=10)
            row = actions.open_consultation(by=cast.clerk, book=row, on=start, until=day - timedelta(days=3))
        elif step == "adopted":
            row = actions.record_adoption(by=cast.elder, book=row, on=day - timedelta(days=2), **VOTE)
        elif step == "filed":
            row = actions.record_filing(
                by=cast.township, book=row, on=day - timedelta(days=1), receipt="备-7"
            )
        else:
            row = actions.put_in_force(by=cast.elder, book=row, on=on or day)
    return row
