"""荣誉 on the phone: my household's stars and certificates, my group's goal, who was honoured in the village."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from zhili.common.errors import NotFound
from zhili.common.policy import signed_in
from zhili.honours.goals import progress_of
from zhili.honours.queries import (
    certificates_of,
    goals_of,
    hanging,
    hanging_list,
    points_now,
    priorities_of,
    shown_list,
)
from zhili.notices.scopes import Scope
from zhili.people.access import person_of
from zhili.people.models import Household


def _home(request: HttpRequest) -> Household:
    user = person_of(request)
    if user.resident is None:
        raise NotFound("您的账号没有连到村里的一户。")
    return user.resident.household


@signed_in
def honours(request: HttpRequest) -> HttpResponse:
    """/m/honours/: one's own first."""
    home = _home(request)
    own = certificates_of(home)
    newest = own[0] if own else None
    context = {
        "home": home,
        "own": own,
        "newest": newest,
        "now": points_now(newest.list, [newest]).get(newest.pk) if newest else None,
        "goals": progress_of(home.place, goals_of(home.place, group=home.group)) if home.group else [],
        "priorities": priorities_of(home.place, household=home),
        "lists": hanging(home.place, public=False),
    }
    return render(request, "honours/phone_honours.html", context)


@signed_in
def honour_list(request: HttpRequest, number: int) -> HttpResponse:
    """/m/honours/<number>/: one list of the own village; names masked, and of the own group only (M-03)."""
    home = _home(request)
    found = hanging_list(home.place, number, public=False)
    shown = shown_list(found, Scope.VILLAGE, group=home.group)
    return render(request, "honours/phone_list.html", {"home": home, "list": found, "shown": shown})


urlpatterns = [
    path("honours/", honours, name="m_honours"),
    path("honours/<int:number>/", honour_list, name="m_honour_list"),
]
