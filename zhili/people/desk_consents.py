"""授权 at the desk: what each person said yes or no to, on the phone, here, or on paper; and what is masked, unmasked
one number at a time. Children's details, and alarms, have their pages here too."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from zhili.common.errors import NotFound
from zhili.common.policy import may, reauthenticated, requires
from zhili.people import forms
from zhili.people.access import person_of
from zhili.people.consent_actions import access_sheet, answer_consents, read_sheet
from zhili.people.consent_models import Consent
from zhili.people.consent_purposes import current
from zhili.people.consents import consents_of, counted, outstanding
from zhili.people.desk import posted, resident_at, saved
from zhili.people.unmasking import (
    FIELDS,
    access_alarm,
    access_minor_request,
    alarms,
    ask_minor,
    decide_minor,
    minor_requests,
    settle_alarm,
    unmask,
)


@requires("people.see_consents")
def overview(request: HttpRequest, place: str) -> HttpResponse:
    """How many said yes, no, and took a yes back, by purpose; the latest answers."""
    user = person_of(request)
    if not may(user, "people.see_consents", place):
        raise NotFound("没有这一页。")
    numbers = counted(place)
    rows = Consent.objects.filter(place=place).select_related("resident__household")
    context = {
        "place": place, "version": current(), "latest": list(rows.order_by("-given_at")[:50]),
        "counts": [{"purpose": one, **numbers[one.code]} for one in current().purposes],
    }  # fmt: skip
    return render(request, "people/desk_consents.html", context)


@requires("people.record_consent")
@reauthenticated
def consents(request: HttpRequest, place: str, resident_id: UUID) -> HttpResponse:
    """One person's answers, and entering what they say now or wrote on paper."""
    one = resident_at(request, place, resident_id, "people.record_consent")
    form = forms.ConsentForm(posted(request), request.FILES or None, resident=one)

    def keep() -> None:
        data = form.cleaned_data
        answer_consents(
            by=person_of(request), resident=one, answers=form.answers(), channel=data["channel"],
            given_by=data["given_by"], giver=form.who_gave(), paper_number=data["paper_number"],
            sheet=data["sheet"].read() if data["sheet"] else None,
        )  # fmt: skip

    if saved(request, form, keep):
        messages.success(request, "已登记，马上生效。")
        return redirect("desk_consents_of", place, one.pk)
    standing = consents_of(place, [one.pk])
    open_codes = {purpose.code for purpose in outstanding(one)}
    rows = [
        {"purpose": purpose, "field": form[f"p_{purpose.code}"], "now": standing.get((one.pk, purpose.code)),
         "again": purpose.code in open_codes and (one.pk, purpose.code) in standing}
        for purpose in form.purposes
    ]  # fmt: skip
    history = Consent.objects.filter(resident=one).select_related("giver", "recorded_by", "sheet")
    context = {
        "place": place,
        "one": one,
        "form": form,
        "rows": rows,
        "history": list(history[:100]),
        "version": current(),
    }
    return render(request, "people/desk_consents_of.html", context)


@requires("people.see_consents")
def sheet(request: HttpRequest, place: str, sheet_id: UUID) -> HttpResponse:
    """The photographed paper; every look is on record."""
    user = person_of(request)
    found = access_sheet(user, sheet_id)
    if found.place != place:
        raise NotFound("没有这张授权书。")
    answer = HttpResponse(read_sheet(by=user, sheet=found), content_type="image/jpeg")
    answer["Cache-Control"] = "no-store"
    answer["Content-Disposition"] = "inline"
    return answer


@requires("people.reveal")
@reauthenticated
def numbers(request: HttpRequest, place: str, resident_id: UUID) -> HttpResponse:
    """One number of one person in clear, after a reason, on record (A-14)."""
    one = resident_at(request, place, resident_id, "people.reveal")
    form = forms.UnmaskForm(posted(request))
    shown: dict[str, str] = {}

    def show() -> None:
        field = form.cleaned_data["field"]
        shown[FIELDS[field][0]] = unmask(
            by=person_of(request), resident=one, field=field, reason=form.cleaned_data["reason"]
        )

    saved(request, form, show)
    return render(
        request, "people/desk_reveal.html", {"form": form, "place": place, "one": one, "shown": shown}
    )


@requires("people.edit_households")
def minor_ask(request: HttpRequest, place: str, resident_id: UUID) -> HttpResponse:
    """申请查看一个孩子的信息."""
    one = resident_at(request, place, resident_id, "people.edit_households")
    form = forms.ReasonForm(posted(request))
    if saved(
        request, form,
        lambda: ask_minor(by=person_of(request), resident=one, reason=form.cleaned_data["reason"]),
    ):  # fmt: skip
        messages.success(request, "已申请，请等监督委员批准。")
        return redirect("desk_household", place, one.household_id)
    return render(request, "people/desk_minor_ask.html", {"form": form, "place": place, "one": one})


@requires("people.allow_minor")
def minors(request: HttpRequest, place: str) -> HttpResponse:
    """The supervisor decides who may see a child's details, and reads who did."""
    user = person_of(request)
    if not may(user, "people.allow_minor", place):
        raise NotFound("没有这一页。")
    if request.method == "POST":
        asked = access_minor_request(user, _uuid(request.POST.get("asked", "")))
        if asked.place != place:
            raise NotFound("没有这条申请。")
        allow = request.POST.get("allow") == "1"
        form = forms.ConfirmForm(posted(request))
        if saved(request, form, lambda: decide_minor(by=user, asked=asked, allow=allow)):
            messages.success(request, "已准许，七天内有效。" if allow else "已记为不准许。")
        else:
            messages.error(request, "；".join(map(str, form.non_field_errors())))
        return redirect("desk_minors", place)
    return render(request, "people/desk_minors.html", {"place": place, "rows": minor_requests(place)})


@requires("people.see_alarms")
def alarm_list(request: HttpRequest, place: str) -> HttpResponse:
    """安全告警, for the security administrator."""
    user = person_of(request)
    if not may(user, "people.see_alarms", place):
        raise NotFound("没有这一页。")
    form = forms.NoteForm(posted(request))
    if request.method == "POST":
        alarm = access_alarm(user, _uuid(request.POST.get("alarm", "")))
        if not alarm.place.startswith(place):
            raise NotFound("没有这条告警。")
        if saved(request, form, lambda: settle_alarm(by=user, alarm=alarm, note=form.cleaned_data["note"])):
            messages.success(request, "已记下。")
            return redirect("desk_alarms", place)
    return render(request, "people/desk_alarms.html", {"place": place, "rows": alarms(place), "form": form})


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("没有这一条。") from None


urlpatterns = [
    path("<str:place>/consents/", overview, name="desk_consents"),
    path("<str:place>/consents/sheets/<uuid:sheet_id>/", sheet, name="desk_consent_sheet"),
    path("<str:place>/residents/<uuid:resident_id>/consents/", consents, name="desk_consents_of"),
    path("<str:place>/residents/<uuid:resident_id>/numbers/", numbers, name="desk_resident_numbers"),
    path("<str:place>/residents/<uuid:resident_id>/minor/", minor_ask, name="desk_minor_ask"),
    path("<str:place>/minors/", minors, name="desk_minors"),
    path("<str:place>/alarms/", alarm_list, name="desk_alarms"),
]
