"""告知书 in public, large and plain; and the state of a request by the code on its slip."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from zhili.common.errors import NotFound
from zhili.common.policy import open_to_all
from zhili.privacy.notice import notice_of
from zhili.privacy.queries import find_request
from zhili.privacy.requests import APPEAL


@open_to_all
def notice(request: HttpRequest, place: str) -> HttpResponse:
    """/open/<place>/privacy/: one page, at least 18 pt."""
    return render(request, "privacy/open_notice.html", {"notice": notice_of(place), "place": place})


@open_to_all
def state(request: HttpRequest, place: str) -> HttpResponse:
    """Whoever holds the slip reads the answer; nothing about who asked stands here."""
    typed = request.GET.get("code", "").replace("\x00", "")[:40]
    found, wrong = None, ""
    if typed.strip():
        try:
            found = find_request(place, typed)
        except NotFound as error:
            wrong = error.message
    context = {"found": found, "wrong": wrong, "typed": typed, "place": place, "appeal": APPEAL}
    return render(request, "privacy/open_request.html", context, status=404 if wrong else 200)


urlpatterns = [
    path("<str:place>/privacy/", notice, name="open_privacy"),
    path("<str:place>/privacy/request/", state, name="open_privacy_request"),
]
