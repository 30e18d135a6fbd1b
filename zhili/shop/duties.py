"""What the shop's money asks of its keepers today: alarms, a month that is not matched or not signed, flags to look at."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from zhili.common.periods import today
from zhili.notices.queries import Duty
from zhili.shop.dashboard import alarms
from zhili.shop.flags import open_count
from zhili.shop.models import Fund, Reconciliation
from zhili.shop.reconciling import due_months

RECONCILE_DAYS: Final = 10
"""A month should be drawn up and signed by the tenth of the next."""


def shop_duties(place: str, *, watcher: bool) -> list[Duty]:
    """watcher: also the flags, which are not for those who serve. One statement where there is no fund; else a fixed
    number."""
    if not Fund.objects.filter(place=place).exists():
        return []
    found = [
        Duty("shop_budget", f"{alarm.sentence}。{alarm.todo}", "村文书、监督委员", None, True)
        for alarm in alarms(place)
    ]
    found += _books(place)
    count = open_count(place) if watcher else 0
    if count:
        title = f"积分超市有 {count} 条核查提示，请看一看"
        found.append(Duty("shop_flags", title, "监督委员", None, False, count))
    return found


def _books(place: str) -> list[Duty]:
    """The oldest month that waits for the clerk, and the oldest that waits for a signature."""
    rows = Reconciliation.objects.filter(place=place, status=Reconciliation.Status.DRAFT)
    drafted, months = set(rows.values_list("month", flat=True)), due_months(place)
    found = []
    for waiting, what, who in (
        ([m for m in months if m.code not in drafted], "超市对账还没有做", "村文书"),
        ([m for m in months if m.code in drafted], "超市对账等签字", "监督委员"),
    ):
        if waiting:
            by = waiting[0].end + timedelta(days=RECONCILE_DAYS)
            more = f"（连后面共 {len(waiting)} 个月）" if len(waiting) > 1 else ""
            found.append(
                Duty("shop_books", f"{waiting[0].title}的{what}{more}", who, by, today() > by, len(waiting))
            )
    return found
