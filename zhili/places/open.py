"""The open page of a village: no log-in, no script."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from zhili.common.policy import open_to_all
from zhili.places.queries import get_place


@open_to_all
def village(request: HttpRequest, place: str) -> HttpResponse:
    """The village's front page."""
    return render(request, "places/open_village.html", {"place": get_place(place)})


urlpatterns = [path("<str:place>/", village, name="open_village")]
