"""What-if over a village's real year: the claims that counted, scored again under a draft (rulebook.whatif is pure)."""

from __future__ import annotations

from datetime import date
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from zhili.claims.models import Claim
from zhili.claims.scoring import COUNTED, event_of
from zhili.common.errors import NotAllowed
from zhili.common.periods import today
from zhili.common.policy import may, requires
from zhili.people.models import Household, Resident
from zhili.people.queries import head_names
from zhili.rulebook.access import access_book
from zhili.rulebook.desk import frame
from zhili.rulebook.errors import RuleBookError
from zhili.rulebook.models import RuleBook
from zhili.rulebook.queries import parsed
from zhili.rulebook.whatif import Past, WhatIf, what_if

EVENTS_MAX: Final = 500_000
SHOWN_MAX: Final = 100


def past_events(place: str, year: int) -> list[Past]:
    """Every claim of that year that counted or hangs on the wall, with what it was really awarded. 2 queries."""
    rows = (
        Claim.objects.filter(
            place=place,
            status__in=COUNTED,
            occurred_on__gte=date(year, 1, 1),
            occurred_on__lte=date(year, 12, 31),
        )
        .select_related("household", "resident", "item")
        .order_by("occurred_on", "pk")
    )
    if rows.count() > EVENTS_MAX:
        raise RuleBookError(f"{year} 年的记录超过 {EVENTS_MAX} 条，一次算不完", hint="请联系管理员分批试算")
    books = RuleBook.objects.filter(place=place).in_bulk()
    found = []
    for claim in rows.iterator(chunk_size=5_000):
        claim.book = books[claim.book_id]
        item = claim.item
        found.append(
            Past(
                event_of(claim),
                claim.points_awarded or 0,
                item.category_code,
                item.category_title,
                item.title,
            )
        )
    return found


def account_names(place: str, result: WhatIf) -> dict[str, str]:
    """Account id → household code, or the code and “家中一人” for a person's account; no names of persons."""
    ids = [row.key for row in result.accounts]
    names = {str(h.pk): f"{h.code} 户" for h in Household.objects.filter(place=place, pk__in=ids)}
    left = [key for key in ids if key not in names]
    for resident in Resident.objects.filter(place=place, pk__in=left).select_related("household"):
        names[str(resident.pk)] = f"{resident.household.code} 户（个人）"
    return names


@requires("rulebook.see")
def desk_whatif(request: HttpRequest, place: str, book_id: UUID) -> HttpResponse:
    """What this version would have made of a year, by household, category and item."""
    row = access_book(request.user, place, book_id)
    if not may(request.user, "rulebook.whatif", row):
        raise NotAllowed("您的身份不能用去年的记录试算，要由村文书、议事会成员、监督委员或乡镇干部来做")
    years = list(range(today().year, today().year - 5, -1))
    asked = request.GET.get("year", "")
    year = int(asked) if asked.isascii() and asked.isdigit() and len(asked) == 4 else 0
    context: dict[str, Any] = {**frame(request, row), "years": years, "year": year}
    if year in years:
        result = what_if(parsed(row), past_events(place, year))
        names = account_names(place, result)
        heads = head_names(place, [UUID(line.key) for line in result.accounts[:SHOWN_MAX]])
        context |= {
            "result": result,
            "accounts": [
                (names.get(line.key, "已注销的账户"), heads.get(UUID(line.key), ""), line)
                for line in result.accounts[:SHOWN_MAX]
            ],
            "shown_max": SHOWN_MAX,
        }
    return render(request, "web/rulebook_whatif.html", context)


desk_pages = [path("<str:place>/rulebooks/<uuid:book_id>/whatif/", desk_whatif, name="desk_rulebook_whatif")]
