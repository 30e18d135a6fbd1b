"""荣誉 for everybody, without log-in and script: the honoured, masked; the groups' goals. Never who is not on it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from zhili.common.policy import open_to_all
from zhili.honours.goals import progress_of
from zhili.honours.queries import goals_of, hanging, hanging_list, shown_list
from zhili.notices.scopes import Scope
from zhili.places.queries import get_place, village_settings


@open_to_all
def honours(request: HttpRequest, place: str) -> HttpResponse:
    """Lists that hang out now, and how far the groups are."""
    get_place(place)
    context = {
        "place_code": place,
        "lists": hanging(place, public=True),
        "goals": progress_of(place, goals_of(place)),
    }
    return render(request, "honours/open_honours.html", context)


@open_to_all
def honour_list(request: HttpRequest, place: str, number: int) -> HttpResponse:
    """One list until its last day."""
    found = hanging_list(place, number, public=True)
    context = {
        "place_code": place,
        "list": found,
        "shown": shown_list(found, Scope.INTERNET),
        "settings": village_settings(place),
    }
    return render(request, "honours/open_list.html", context)


urlpatterns = [
    path("<str:place>/honours/", honours, name="open_honours"),
    path("<str:place>/honours/<int:number>/", honour_list, name="open_honour_list"),
]
