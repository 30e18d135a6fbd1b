"""How the demo village adopted its rule book: by the whole recorded procedure, in force from 1 November 2025."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from zhili.common.periods import SHANGHAI

if TYPE_CHECKING:
    from zhili.config.demo.build import Village
    from zhili.rulebook.book import RuleBook as Book

PLACE: Final = "511702109200"
VOTE: Final[dict[str, Any]] = {
    "meeting": "representatives",
    "entitled": 60,
    "present": 52,
    "in_favour": 49,
    "against": 1,
    "women_present": 23,
    "minutes_ref": "会-2025-03（演示）",
}


def adopt(village: Village, book: Book) -> None:
    """Drafted by the clerk, hung out for opinions, voted by the representatives, filed with the township, in force:
    each step on its day, by the person whose business it is."""
    from zhili.rulebook.actions import (
        open_consultation,
        put_in_force,
        record_adoption,
        record_filing,
        save_draft,
    )

    row = save_draft(by=village.fresh("clerk"), place=PLACE, book=book)
    first, voted, filed = date(2025, 10, 12), date(2025, 10, 20), date(2025, 10, 24)
    on_day(village, first, 9)
    row = open_consultation(by=village.fresh("clerk"), book=row, on=first, until=voted - timedelta(days=1))
    on_day(village, voted, 17)
    row = record_adoption(by=village.fresh("elder1"), book=row, on=voted, **VOTE)
    on_day(village, filed, 10)
    row = record_filing(by=village.fresh("township"), book=row, on=filed, receipt="备案〔2025〕07号（演示）")
    on_day(village, date(2025, 10, 25), 10)
    put_in_force(by=village.fresh("elder1"), book=row, on=date(2025, 11, 1))
    village.counts["rule_books"] += 1


def on_day(village: Village, day: date, hour: int) -> None:
    """Move the village's clock on."""
    village.clock.move_to(datetime.combine(day, time(hour), tzinfo=SHANGHAI))
