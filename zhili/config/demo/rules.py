"""How the demo village adopted its rule book: drafted by the clerk, voted, filed, in force from 1 November 2025."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from zhili.common.periods import SHANGHAI

if TYPE_CHECKING:
    from zhili.config.demo.build import Village
    from zhili.rulebook.book import RuleBook as Book

PLACE: Final = "511702109200"
VOTE: Final[dict[str, Any]] = {
    "meeting": "村民代表会议（演示）",
    "on": "2025-10-20",
    "present": 52,
    "in_favour": 49,
    "against": 1,
    "women_present": 23,
}


def adopt(village: Village, book: Book) -> None:
    """Draft, adopt and put in force, by the persons whose business each is."""
    from zhili.rulebook.actions import put_in_force, save_draft

    draft = save_draft(by=village.fresh("clerk"), place=PLACE, book=book)
    village.clock.move_to(datetime(2025, 10, 25, 10, tzinfo=SHANGHAI))
    put_in_force(by=village.fresh("township"), book=draft, on=date(2025, 11, 1), adoption=VOTE)
    village.counts["rule_books"] += 1
