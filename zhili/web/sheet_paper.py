"""一户一表 and 评分表 on paper: with numbers and codes to scan, so that they find their way back (U-22, U-33).

The household's own sheet bears the head's whole name, for it stays with the household; a scoring sheet goes through
many hands, so names on it are masked.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from zhili.claims.actions import print_sheets
from zhili.claims.errors import ClaimError
from zhili.claims.models import Sheet
from zhili.claims.sheets import sheet_url
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.masking import mask_name
from zhili.common.periods import next_period, parse_code, period_of, previous_period, today
from zhili.common.policy import may, requires
from zhili.people.access import leads_group, person_of
from zhili.people.models import Household, User
from zhili.people.queries import find_by_card, groups_of, head_names
from zhili.places.queries import get_place, village_settings
from zhili.rulebook.book import Grades, Range
from zhili.rulebook.book import RuleBook as Book
from zhili.rulebook.models import RuleBook
from zhili.rulebook.queries import in_force, parsed
from zhili.rulebook.words import item_words
from zhili.web.notice_paper import answer
from zhili.web.print import PrintError, claim_sheets_pdf
from zhili.web.print.scoring import (
    HOMES_A_PAGE,
    ITEMS_A_PAGE,
    ScoringHome,
    ScoringItem,
    ScoringPage,
    ScoringSheets,
    scoring_pdf,
)
from zhili.web.rulebook_paper import blank_claim_sheet

WHAT = [
    ("group", "一户一表：一个组，或全村"),
    ("household", "一户一表：只打一户"),
    ("blank", "一户一表：空白，有编号"),
    ("scoring", "评分表：评议员给一个组打分"),
]


class SheetsForm(forms.Form):
    """Which sheets to print now."""

    what = forms.ChoiceField(label="打印什么", choices=WHAT, widget=forms.RadioSelect, initial="group")
    period = forms.ChoiceField(label="哪一期")
    group = forms.ChoiceField(label="哪个组", required=False)
    household = forms.CharField(label="户编号", required=False, max_length=300, help_text="只打一户的才填。")
    count = forms.IntegerField(
        label="几张空白表", required=False, min_value=1, max_value=100, initial=20,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )  # fmt: skip
    category = forms.ChoiceField(label="评哪一类", required=False, help_text="评分表才选。")

    def __init__(self, *args: Any, choices: dict[str, list[tuple[str, str]]], **more: Any) -> None:
        super().__init__(*args, **more)
        for key, values in choices.items():
            self.fields[key].choices = values  # type: ignore[attr-defined]


def _at(request: HttpRequest, place: str) -> User:
    user = person_of(request)
    if not may(user, "claims.field", place):
        raise NotFound("没有这一页。")
    return user


@requires("claims.field")
def sheets_print(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/sheets/print/: GET: choose. POST: the PDF, or what is wrong beside its field."""
    user, row = _at(request, place), in_force(place, today())
    if row is None:
        return render(request, "web/desk_sheets_print.html", {"place": place, "book": None})
    book = parsed(row)
    now = period_of(today(), book.settlement)
    periods = [now, previous_period(now), next_period(now)]
    choices = {
        "period": [(one.code, one.title) for one in periods],
        "group": [("", "全村"), *[(one, one) for one in groups_of(place)]],
        "category": [(one.code, one.title) for one in book.categories if _scorable(book, one.code)],
    }
    form = SheetsForm(request.POST if request.method == "POST" else None, choices=choices)
    if request.method == "POST" and form.is_valid():
        try:
            return _print(user, place, row, form.cleaned_data)
        except ZhiliError as error:
            show_error(form, error)
    context = {"place": place, "form": form, "book": row}
    return render(request, "web/desk_sheets_print.html", context, status=422 if form.errors else 200)


@transaction.atomic
def _print(user: User, place: str, row: RuleBook, data: dict[str, Any]) -> HttpResponse:
    """Numbers and paper together: where no paper comes out, no number is used up."""
    try:
        draw = _scoring if data["what"] == "scoring" else _household_sheets
        body = draw(user, place, row, data)
    except PrintError as error:
        raise ZhiliError(str(error)) from error
    return answer(body, f"sheets-{place}-{data['period']}.pdf")


def _household_sheets(user: User, place: str, row: RuleBook, data: dict[str, Any]) -> bytes:
    chosen = _chosen(user, place, data) if data["what"] != "blank" else []
    made = print_sheets(
        by=user, place=place, period=data["period"], households=chosen,
        blank=(data["count"] or 20) if data["what"] == "blank" else 0,
    )  # fmt: skip
    names = head_names(place, [one.pk for one in chosen])
    empty = replace(blank_claim_sheet(row), period_title=parse_code(data["period"]).title)
    papers = []
    for one in made:
        home = one.household
        filled = replace(empty, number=str(one), form_url=sheet_url(one))
        if home is not None:
            filled = replace(
                filled, household_code=home.code, head_name=names.get(home.pk, ""), group=home.group
            )
        papers.append(filled)
    return claim_sheets_pdf(papers)


def _chosen(user: User, place: str, data: dict[str, Any]) -> list[Household]:
    if data["what"] == "household":
        text = data["household"].replace("\x00", "").strip()
        found = find_by_card(place, text) if text else None
        if found is None or not _in_charge(user, found):
            raise ClaimError("没有找到这一户", field="household", hint="请核对户编号。")
        return [found]
    rows = Household.objects.filter(place=place, status__in=Household.OPEN).order_by("group", "code")
    if data["group"]:
        rows = rows.filter(group=data["group"])
    chosen = [one for one in rows if _in_charge(user, one)]
    if not chosen:
        raise ClaimError("没有要打印的户", field="group", hint="组长只能打印本组的。")
    return chosen


def _in_charge(user: User, home: Household) -> bool:
    return user.has_role("clerk", place=home.place) or leads_group(user, home)


def _scorable(book: Book, category: str) -> list[ScoringItem]:
    """Items of a category that people give points for on the spot: no deductions, none that need a receipt."""
    found = []
    for item in book.items_in(category):
        if item.is_deduction or "clerk" not in item.effective_claim_by:
            continue
        if item.effective_evidence in ("photo", "document"):
            continue
        hint = (
            "写等次" if isinstance(item.points, Grades) else "写分" if isinstance(item.points, Range) else ""
        )
        found.append(ScoringItem(item.code, item.title, item_words(item, book).points, hint))
    return found


def _scoring(user: User, place: str, row: RuleBook, data: dict[str, Any]) -> bytes:
    if not data["group"]:
        raise ClaimError("没有选组", field="group", hint="评分表一个组一套，请选一个组。")
    items = _scorable(parsed(row), data["category"])
    if not items:
        raise ClaimError("这一类没有能当场评的项目", field="category", hint="请换一类。")
    homes = _chosen(user, place, data)
    names = head_names(place, [one.pk for one in homes])
    parts = [
        (homes[n : n + HOMES_A_PAGE], items[k : k + ITEMS_A_PAGE])
        for n in range(0, len(homes), HOMES_A_PAGE)
        for k in range(0, len(items), ITEMS_A_PAGE)
    ]
    made: list[Sheet] = print_sheets(
        by=user, place=place, period=data["period"], group=data["group"], blank=len(parts)
    )
    settings = village_settings(place)
    pages = [
        ScoringPage(
            group=data["group"],
            items=some,
            homes=[ScoringHome(one.code, mask_name(names.get(one.pk, ""))) for one in few],
            number=str(sheet),
            part=f"第 {n} 张，共 {len(parts)} 张",
            form_url=sheet_url(sheet),
        )
        for n, ((few, some), sheet) in enumerate(zip(parts, made, strict=True), start=1)
    ]
    whole = ScoringSheets(
        village=get_place(place).short_name,
        period_title=parse_code(data["period"]).title,
        printed_on=today(),
        pages=pages,
        phone=settings.office_phone,
        demo=settings.demo,
    )
    return scoring_pdf(whole)


urlpatterns = [path("<str:place>/sheets/print/", sheets_print, name="desk_sheets_print")]
