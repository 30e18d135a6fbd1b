"""积分卡 at the desk: print them for those who have none, for a group, for one household that lost its own (U-30)."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from zhili.audit.actions import record
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.paging import Column, Filter, table
from zhili.common.periods import today
from zhili.common.policy import may, requires
from zhili.people.access import person_of
from zhili.people.actions import print_cards
from zhili.people.cards import cards_of, old_card, without_card
from zhili.people.errors import PeopleError
from zhili.people.models import Household, User
from zhili.people.queries import card_url, find_by_card, groups_of, head_names
from zhili.places.queries import get_place, village_settings
from zhili.web.notice_paper import answer
from zhili.web.print import PrintError
from zhili.web.print.cards import Card, CardSheet, cards_pdf

WHAT = [
    ("new", "还没打印过的户"),
    ("household", "一户（丢了、坏了，补一张）"),
    ("group", "一个组全部重打"),
]


class CardsForm(forms.Form):
    """Which households get a card now."""

    what = forms.ChoiceField(label="打印哪些", choices=WHAT, widget=forms.RadioSelect, initial="new")
    group = forms.ChoiceField(label="哪个组", required=False)
    household = forms.CharField(
        label="户编号", required=False, max_length=300, help_text="补一户的才填，也可以扫旧卡。"
    )
    reason = forms.CharField(
        label="补卡理由", required=False, max_length=100, help_text="重打的才填，例如：遗失。旧卡当场作废。"
    )
    backs = forms.BooleanField(label="背面也印（怎么用、丢了怎么办）", required=False, initial=True)

    def __init__(self, *args: Any, groups: list[str], **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["group"].choices = [("", "全村"), *[(one, one) for one in groups]]  # type: ignore[attr-defined]


COLUMNS = [
    Column("printed", "打印时间", lambda c: c.printed_at, order="printed_at", kind="date"),
    Column("group", "组", lambda c: c.household.group, order="household__group"),
    Column(
        "household", "户编号", lambda c: c.household.code, order="household__code",
        url=lambda c: reverse("desk_household", args=[c.place, c.household_id]),
    ),
    Column("version", "第几张", lambda c: c.version, kind="number"),
    Column("by", "谁打印的", lambda c: str(c.printed_by)),
    Column(
        "state", "状态", lambda c: "在用" if c.version == c.household.card_version else "已作废", kind="state"
    ),
]  # fmt: skip


def _clerk(request: HttpRequest, place: str) -> User:
    user = person_of(request)
    if not may(user, "people.change_households", place):
        raise NotFound("没有这一页。")
    return user


@requires("people.change_households")
def cards(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/cards/: GET: what can be printed, what was. POST: the PDF, or what is wrong beside its field."""
    user, groups = _clerk(request, place), groups_of(place)
    form = CardsForm(request.POST if request.method == "POST" else None, groups=groups)
    if request.method == "POST" and form.is_valid():
        try:
            return _print(user, place, form)
        except ZhiliError as error:
            show_error(form, error)
    listed = table(
        request,
        cards_of(place),
        COLUMNS,
        title="打印过的卡",
        default_order="-printed_at",
        filters=[
            Filter("group", "组", [(g, g) for g in groups], lambda rows, v: rows.filter(household__group=v)),
            Filter("state", "状态", [("1", "在用"), ("2", "已作废")], _in_use),
            Filter("q", "户编号", "text", lambda rows, v: rows.filter(household__code__icontains=v)),
        ],
        on_export=lambda count: record("people.export_list", by=user, place=place, count=count),
    )
    if isinstance(listed, HttpResponse):
        return listed
    scanned = request.GET.get("card", "").replace("\x00", "").strip()[:300]
    context = {
        "place": place,
        "form": form,
        "table": listed,
        "missing": without_card(place).count(),
        "scanned": scanned,
        "said": _said(place, scanned) if scanned else "",
    }
    return render(request, "web/desk_cards.html", context, status=422 if form.errors else 200)


def _in_use(rows: Any, value: str) -> Any:
    same = {"version": F("household__card_version")}
    return rows.filter(**same) if value == "1" else rows.exclude(**same)


def _said(place: str, text: str) -> str:
    """A card held under the scanner, in words."""
    found = find_by_card(place, text)
    if found is not None:
        return f"这是 {found.code} 户现在的卡（第 {found.card_version} 张），能用。"
    return old_card(place, text) or "没有这张卡：不是本村的，或者不是积分卡。"


def _chosen(place: str, form: CardsForm) -> list[Household]:
    data = form.cleaned_data
    if data["what"] == "household":
        text = data["household"].replace("\x00", "").strip()
        found = find_by_card(place, text) if text else None
        if found is None and text and (words := old_card(place, text)):
            raise PeopleError(words, field="household")
        if found is None:
            raise PeopleError("没有找到这一户", field="household", hint="请核对户编号。")
        return [found]
    if data["what"] == "group" and not data["group"]:
        raise PeopleError(
            "没有选组", field="group", hint="整村重打会让所有人的卡作废，所以只能一组一组地打。"
        )
    rows = (
        without_card(place)
        if data["what"] == "new"
        else Household.objects.filter(place=place, status__in=Household.OPEN)
    )
    return list(rows.filter(group=data["group"]) if data["group"] else rows)


@transaction.atomic
def _print(user: User, place: str, form: CardsForm) -> HttpResponse:
    """All of it or nothing: where no paper comes out, no card is dead."""
    chosen = _chosen(place, form)
    if not chosen and form.cleaned_data["what"] == "new":
        raise PeopleError(
            "没有还没打印过的户", field="what", hint="补卡请选“一户”，重打请选“一个组全部重打”。"
        )
    done = print_cards(by=user, place=place, households=chosen, reason=form.cleaned_data["reason"])
    names = head_names(place, [one.pk for one in done.households])
    settings = village_settings(place)
    sheet = CardSheet(
        village=get_place(place).short_name,
        printed_on=today(),
        cards=[
            Card(one.code, names.get(one.pk, ""), one.group, card_url(one), one.card_version)
            for one in done.households
        ],
        phone=settings.office_phone,
        backs=form.cleaned_data["backs"],
        demo=settings.demo,
    )
    try:
        return answer(cards_pdf(sheet), f"cards-{place}-{len(done.households)}.pdf")
    except PrintError as error:
        raise ZhiliError(str(error)) from error


urlpatterns = [path("<str:place>/cards/", cards, name="desk_cards")]
