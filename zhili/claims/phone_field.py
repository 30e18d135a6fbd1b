"""现场: a clerk or group leader walks through the village and enters what they see, in under ten seconds each.

Scan the card or type 户编号 → the household's page with the items this village uses most → one tap, and back at
the pad with a sentence that says what was entered and a way to take it back.
"""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.http import urlencode

from zhili.claims.access import access_claim
from zhili.claims.actions import Entry as Tick
from zhili.claims.actions import submit_group, withdraw_claim
from zhili.claims.entering import Choice, Entry, find_choice, label_of, most_used, one_tap, shelves, word_for
from zhili.claims.forms import ActivityForm
from zhili.claims.models import Claim
from zhili.claims.phone import handle
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.forms import show_error
from zhili.common.ids import uuid7
from zhili.common.periods import today
from zhili.common.policy import may, requires
from zhili.people.access import person_of, village_of
from zhili.people.cards import old_card
from zhili.people.models import Household, Resident, User
from zhili.people.queries import LIVE, find_by_card, groups_of, head_names, search_households
from zhili.rulebook.queries import in_force, parsed

TICKS_MAX = 2_000
ENTERED_SHOWN = 5


@requires("claims.field")
def pad(request: HttpRequest) -> HttpResponse:
    """/m/field/: scan or type; what was just entered stands on top."""
    user, place = person_of(request), _place(request)
    text = request.GET.get("q", "").replace("\x00", "").strip()[:300]
    found: list[Household] = []
    if text:
        household = find_by_card(place, text)
        if household is not None and may(user, "claims.submit", household):
            return redirect("m_field_household", household.pk)
        found = [row for row in search_households(place, text) if may(user, "people.see_household", row)]
    day = today()
    mine = Claim.objects.filter(place=place, submitted_by=user, submitted_at__date=day).exclude(
        status="withdrawn"
    )
    recent = mine.select_related("item", "household", "resident").order_by("-submitted_at", "-number")
    saved = (
        recent.filter(pk__in=[key for key in [_uuid(request.GET.get("saved", ""))] if key]).first()
        if request.GET.get("saved")
        else None
    )
    context = {
        "q": text, "found": found, "missing": bool(text) and not found, "saved": saved,
        "old_card": old_card(place, text) if text and not found else "",
        "saved_words": word_for(saved) if saved else "", "recent": recent[:ENTERED_SHOWN], "count": mine.count(),
    }  # fmt: skip
    return render(request, "claims/field_pad.html", context)


@requires("claims.field")
def household_page(request: HttpRequest, household: UUID) -> HttpResponse:
    """/m/field/<household>/: big buttons; one tap enters, what needs a number or a photo asks for it."""
    user = person_of(request)
    home = _household(user, household, _place(request))
    groups = shelves(user, home)
    choices = {choice.rule.code: choice for shelf in groups for choice in shelf.choices}
    error: ZhiliError | None = None
    day = _day(request.POST.get("occurred_on", ""))
    if request.method == "POST":
        choice = choices.get(request.POST.get("item", ""))
        if choice is None:
            find_choice(user, home, request.POST.get("item", ""))
        elif not one_tap(choice):
            query = urlencode({"on": day.isoformat()})
            return redirect(f"{reverse('m_field_item', args=[home.pk, choice.rule.code])}?{query}")
        else:
            claim, error = _enter(request, home, choice, day)
            if claim is not None:
                return redirect(f"{reverse('m_field')}?{urlencode({'saved': str(claim.pk)})}")
    everything = list(choices.values())
    context = {
        "household": home, "label": label_of(user, home), "shelves": groups, "error": error, "id": uuid7(), "day": day,
        "used": most_used(home.place, everything), "today": today(), "open": home.is_open,
    }  # fmt: skip
    return render(request, "claims/field_household.html", context, status=422 if error else 200)


def _enter(
    request: HttpRequest, home: Household, choice: Choice, day: date
) -> tuple[Claim | None, ZhiliError | None]:
    """One tap: the clerk saw it, nothing more is asked."""
    entry = Entry(person_of(request), home, choice.row, choice.rule, "counter", staff=True)
    data = request.POST.copy()
    data["occurred_on"] = str(day)
    data["witness"] = "" if choice.rule.effective_evidence == "none" else str(person_of(request))
    form = entry.form(data)
    if not form.is_valid():
        first = next(iter(form.errors.values()))[0]
        return None, ZhiliError(str(first).rstrip("。"))
    claim = entry.hand_in(form)
    if claim is None:
        first = next(iter(form.errors.values()))[0]
        return None, ZhiliError(str(first).rstrip("。"))
    return claim, None


@requires("claims.field")
def item_page(request: HttpRequest, household: UUID, code: str) -> HttpResponse:
    """/m/field/<household>/<item>/: an item that needs a number, a grade, a photo or a reminder."""
    user = person_of(request)
    home = _household(user, household, _place(request))
    row, rule = find_choice(user, home, code)
    entry = Entry(user, home, row, rule, "counter", staff=True)
    back = reverse("m_field_household", args=[home.pk])
    if request.method != "POST":
        form = entry.form(initial={"occurred_on": _day(request.GET.get("on", ""))})
        context = {"entry": entry, "form": form, "label": label_of(user, home), "back": back, "field": True}
        return render(request, "claims/phone_form.html", context)
    faces = ("claims/phone_form.html", "claims/phone_preview.html")
    return handle(request, entry, faces=faces, back=back, done="m_field_saved", field=True)


@requires("claims.field")
def saved(request: HttpRequest, claim: UUID) -> HttpResponse:
    """From the long form back to the pad."""
    found = access_claim(person_of(request), claim)
    return redirect(f"{reverse('m_field')}?{urlencode({'saved': str(found.pk)})}")


@requires("claims.field")
def undo(request: HttpRequest, claim: UUID) -> HttpResponse:
    """Take back what was just entered: asks by GET, does by POST."""
    found = access_claim(person_of(request), claim)
    error: ZhiliError | None = None
    if request.method == "POST":
        try:
            withdraw_claim(by=person_of(request), claim=found, reason="现场录错")
            messages.success(request, f"{found} 已撤回")
            return redirect("m_field")
        except ZhiliError as refused:
            error = refused
    return render(request, "claims/phone_withdraw.html", {"claim": found, "error": error, "field": True})


@requires("claims.field")
def activity(request: HttpRequest) -> HttpResponse:
    """/m/field/activity/: everybody who came to one activity, on one tick list."""
    user, place = person_of(request), _place(request)
    book = in_force(place, today())
    rules = parsed(book) if book else None
    items = [
        (one.title, [(item.code, item.title) for item in rules.items_in(one.code) if not item.is_deduction])
        for one in (rules.categories if rules else ())
        if rules is not None
    ]
    by_person = book is not None and book.unit == "resident"
    rows = _tickable(user, place, by_person)
    form = ActivityForm(request.POST if request.method == "POST" else None, items=[x for x in items if x[1]])
    ticked = set(request.POST.getlist("who")[:TICKS_MAX])
    if request.method == "POST" and form.is_valid():
        claims = _enter_group(request, place, form, rows, ticked)
        if claims:
            return redirect("m_field_activity_done", claims[0].pk)
    for group in rows:
        for row in group["rows"]:
            row["on"] = row["key"] in ticked
    context = {"form": form, "groups": rows, "by_person": by_person, "book": book, "ticked": len(ticked)}
    return render(request, "claims/field_activity.html", context, status=422 if form.errors else 200)


def _enter_group(
    request: HttpRequest, place: str, form: forms.Form, rows: list[dict], ticked: set[str]
) -> list[Claim] | None:
    data = form.cleaned_data
    chosen = [row for group in rows for row in group["rows"] if row["key"] in ticked]
    entries = [Tick(row["household"], row["resident"], data["quantity"], data["grade"]) for row in chosen]
    try:
        return submit_group(
            by=person_of(request),
            id=data["id"],
            place=place,
            item=data["item"],
            occurred_on=data["occurred_on"],
            entries=entries,
            activity=data["activity"],
            document=data["document"],
        )
    except ZhiliError as error:
        show_error(form, error)
        return None


def _tickable(user: User, place: str, by_person: bool) -> list[dict]:
    """Groups with their households (or people, where the book is by person) that this person may enter for."""
    households = [
        row
        for row in Household.objects.filter(place=place, status__in=Household.OPEN).order_by("group", "code")[
            :TICKS_MAX
        ]
        if may(user, "people.edit_households", row)
    ]
    names = head_names(place, [row.pk for row in households])
    people: dict[object, list[Resident]] = {}
    if by_person:
        for one in Resident.objects.filter(household__in=households, status__in=LIVE).order_by(
            "relation", "pk"
        ):
            people.setdefault(one.household_id, []).append(one)
    found: dict[str, list[dict]] = {group: [] for group in groups_of(place)}
    for home in households:
        rows = found.setdefault(home.group, [])
        if by_person:
            rows += [
                {"key": str(one.pk), "household": home, "resident": one, "code": home.code, "name": one.name}
                for one in people.get(home.pk, [])
            ]
        else:
            rows.append(
                {
                    "key": str(home.pk),
                    "household": home,
                    "resident": None,
                    "code": home.code,
                    "name": names.get(home.pk, ""),
                }
            )
    return [{"title": group or "未分组", "rows": rows} for group, rows in found.items() if rows]


@requires("claims.field")
def activity_done(request: HttpRequest, claim: UUID) -> HttpResponse:
    """已记：河道清扫，12 户 (U-15)."""
    found = access_claim(person_of(request), claim)
    minute = timedelta(minutes=1)
    near = (found.submitted_at - minute, found.submitted_at + minute)
    same = Claim.objects.filter(
        place=found.place,
        activity=found.activity,
        submitted_by=found.submitted_by_id,
        submitted_at__range=near,
    )
    numbers = sorted(same.values_list("number", flat=True)) or [found.number]
    many = f"A-{numbers[0]} 至 A-{numbers[-1]}" if len(numbers) > 1 else f"A-{numbers[0]}"
    context = {
        "sentence": f"已记：{found.activity}，{len(numbers)} 条，等待评议，编号 {many}",
        "url": reverse("m_field"), "label": "继续现场录入", "url2": reverse("m_field_activity"), "label2": "再记一次活动",
    }  # fmt: skip
    return render(request, "web/done.html", context)


def _place(request: HttpRequest) -> str:
    place = village_of(request)
    if not may(person_of(request), "claims.field", place):
        raise NotFound("没有这一页。")
    return place


def _household(user: User, household: UUID, place: str) -> Household:
    found = Household.objects.filter(pk=household, place=place).first()
    if found is None or not may(user, "claims.submit", found):
        raise NotFound("没有这一户。")
    return found


def _day(text: str) -> date:
    """The day typed; today where there is none or it is nonsense."""
    try:
        day: date = forms.DateField().clean(text) if text else today()
    except forms.ValidationError:
        return today()
    return day


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


urlpatterns = [
    path("field/", pad, name="m_field"),
    path("field/activity/", activity, name="m_field_activity"),
    path("field/activity/<uuid:claim>/done/", activity_done, name="m_field_activity_done"),
    path("field/saved/<uuid:claim>/", saved, name="m_field_saved"),
    path("field/undo/<uuid:claim>/", undo, name="m_field_undo"),
    path("field/<uuid:household>/", household_page, name="m_field_household"),
    path("field/<uuid:household>/<str:code>/", item_page, name="m_field_item"),
]
