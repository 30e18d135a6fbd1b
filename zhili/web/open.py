"""/open/<place>/: the village's public door. What hangs out now, which rules bind, what the book's fingerprint is."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from zhili.common.errors import NotFound
from zhili.common.periods import today
from zhili.common.policy import open_to_all
from zhili.ledger.queries import latest_head
from zhili.notices.queries import current_notice, escalation, objection_numbers, public_lines
from zhili.places.queries import get_place, village_settings
from zhili.rulebook.queries import in_force
from zhili.web import navigation

LINES_SHOWN = 12


@open_to_all
def village(request: HttpRequest, place: str) -> HttpResponse:
    """Masked, without log-in and without script; what it shows can be checked against the poster on the wall."""
    row = get_place(place)
    if len(row.code) != 12:
        raise NotFound("没有这个村。")
    day = today()
    notice = current_notice(place)
    lines = public_lines(notice) if notice is not None else []
    return render(
        request,
        "web/open_village.html",
        {
            "place": row,
            "village": village_settings(place),
            "notice": notice,
            "lines": lines[:LINES_SHOWN],
            "more": max(0, len(lines) - LINES_SHOWN),
            "count": len(lines),
            "notices_url": navigation.address("open_notices", place),
            "book": in_force(place, day),
            "rulebook_url": navigation.address("open_rulebook", place),
            "head": latest_head(place),
            "ledger_url": navigation.address("open_ledger", place),
            "objections": objection_numbers(place, day - timedelta(days=365), day),
            "escalation": escalation(place),
        },
    )


urlpatterns = [path("<str:place>/", village, name="open_village")]
