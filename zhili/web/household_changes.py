"""分户, 并户, 迁出, 销户 at the desk: the household changes and its points move in one deed (L-12).

Here and not with the people, because points belong to the ledger, which the room of people may not call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse

from zhili.common.errors import NotFound
from zhili.common.periods import period_of, today
from zhili.common.points import format_points
from zhili.common.policy import requires
from zhili.ledger import household_changes
from zhili.ledger.queries import balances
from zhili.people import forms
from zhili.people.access import person_of
from zhili.people.desk import household_at, posted, saved
from zhili.people.models import Household, User
from zhili.rulebook.queries import in_force, parsed


def period_at(place: str, on: date) -> str:
    """The period a change of that day is booked in: by the settlement of the book in force, else the month."""
    book = in_force(place, on)
    return period_of(on, parsed(book).settlement if book else "month").code


def _split(by: User, household: Household, form: forms.SplitForm, period: str) -> object:
    data = form.cleaned_data
    return household_changes.split_household(
        by=by, household=household, code=data["code"], residents=[UUID(one) for one in data["residents"]],
        head=UUID(data["head"]), share_percent=data["share_percent"], period=period, basis=data["basis"],
        on=data["on"],
    )  # fmt: skip


def _other(action: Callable[..., object]) -> Callable[[User, Household, Any, str], object]:
    return lambda by, household, form, period: action(
        by=by, household=household, period=period, **form.cleaned_data
    )


@dataclass(frozen=True, slots=True)
class Deed:
    """One deed. run: (by, household, form, period code)."""

    title: str
    form: type[Any]
    run: Callable[[User, Household, Any, str], object]
    done: str
    note: str


DEEDS: Final[dict[str, Deed]] = {
    "split": Deed("分户", forms.SplitForm, _split, "已分户，请给新户打印积分卡。",
                  "分出去的人立为新户，按您填的比例带走积分，其余留在原户。"),
    "merge": Deed("并户", forms.MergeForm, _other(household_changes.merge_households), "已并户，积分已转过去。",
                  "这一户结束，人和全部积分都转到另一户；关系请再核对。"),
    "move": Deed("迁出", forms.LeaveForm, _other(household_changes.move_away), "已办迁出。",
                 "这一户离开本村，剩下的积分记明依据后转出账本，不能再用。"),
    "close": Deed("销户", forms.LeaveForm, _other(household_changes.close_household), "已销户。",
                  "只用于家里已经没有人的户；剩下的积分记明依据后转出账本。"),
}  # fmt: skip


@requires("people.change_households")
def change(request: HttpRequest, place: str, household_id: UUID, verb: str) -> HttpResponse:
    """One form per deed; the balance stands on top, so nobody closes a full passbook unawares."""
    if verb not in DEEDS:
        raise NotFound("没有这一页。")
    deed = DEEDS[verb]
    household = household_at(request, place, household_id, "people.change_households")
    form = deed.form(posted(request), household=household)

    def run() -> object:
        return deed.run(person_of(request), household, form, period_at(place, form.cleaned_data["on"]))

    back = reverse("desk_household", args=[place, household.pk])
    if saved(request, form, run):
        messages.success(request, deed.done)
        return redirect(back)
    purses = balances(place, [household.pk])
    book = in_force(place, today())
    titles = {purse.code: purse.title for purse in parsed(book).purses} if book else {}
    held = "；".join(
        f"{titles.get(purse, purse)} {format_points(one.balance)} 分"
        for (_, purse), one in sorted(purses.items())
    )
    context = {
        "title": f"{deed.title} · {household.code}", "form": form, "place": place, "back": back,
        "button": deed.title, "note": f"{deed.note}现有积分：{held or '没有'}。",
    }  # fmt: skip
    return render(request, "people/desk_form.html", context)


urlpatterns = [
    path(
        "<str:place>/households/<uuid:household_id>/points/<str:verb>/", change, name="desk_household_points"
    ),
]
