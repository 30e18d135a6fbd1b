"""What joins the rule book with the ledger every day: points that lapse are announced in time and posted on their day."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Final

from zhili.common.daily import daily
from zhili.common.scope import EVERYWHERE, scoped
from zhili.ledger.announcing import call_off
from zhili.ledger.lapsing import NOTICE_DAYS_MIN
from zhili.places.models import Place
from zhili.rulebook.models import RuleBook
from zhili.web.expiry import announce, lapse, plans

# Announced from five days before the last day that is still in time, so that a machine that was off may catch up.
AHEAD: Final = timedelta(days=NOTICE_DAYS_MIN + 5)


def villages() -> list[str]:
    """Villages with a rule book in force."""
    with scoped(EVERYWHERE):
        kept = RuleBook.objects.filter(status=RuleBook.Status.IN_FORCE).values_list("place", flat=True)
        return sorted(Place.objects.filter(code__in=set(kept), valid_to=None).values_list("code", flat=True))


def lapse_points(place: str, day: date) -> None:
    """Post what was announced and is due; announce what the rule book lets lapse in a month."""
    for plan in plans(place):
        if plan.dead and plan.said is not None:
            call_off(by=None, place=place, announcement=plan.said)
        elif plan.ripe:
            lapse(by=None, place=place, plan=plan)
        elif plan.said is None and plan.points > 0 and plan.on - day <= AHEAD:
            announce(by=None, place=place, plan=plan)


daily("web.lapse_points", lapse_points, places=villages, after=time(3))
