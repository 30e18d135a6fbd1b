"""/open/<place>/promises/: what this system guarantees and what it cannot, said to everybody (O-14)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from zhili.common.policy import open_to_all
from zhili.places.queries import get_place


@open_to_all
def promises(request: HttpRequest, place: str) -> HttpResponse:
    """The same words as docs/security-honest.md; a test compares the sentences that matter."""
    return render(request, "web/open_promises.html", {"place": get_place(place)})


urlpatterns = [path("<str:place>/promises/", promises, name="open_promises")]
