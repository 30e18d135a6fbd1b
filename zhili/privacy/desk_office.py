"""The rest of 个人信息 at the desk: who gets data, assessments, the yearly audit of children's data, incidents."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from zhili.common.periods import today
from zhili.common.policy import may, reauthenticated, requires
from zhili.common.spreadsheets import safe_filename
from zhili.people.access import person_of
from zhili.people.desk import posted, saved
from zhili.privacy import actions, breach, forms
from zhili.privacy.access import access_assessment, access_incident, access_recipient
from zhili.privacy.breach import Question, actors_named
from zhili.privacy.desk import at
from zhili.privacy.golive import QUESTIONS, checklist, template
from zhili.privacy.minors import WORDS, figures
from zhili.privacy.models import Assessment, Incident, MinorReport
from zhili.privacy.phone import XLSX
from zhili.privacy.queries import overview, year_due
from zhili.privacy.register import SUBJECTS


@requires("privacy.see")
def sharing(request: HttpRequest, place: str) -> HttpResponse:
    """对外提供: the register, each delivery, and a new recipient."""
    user = at(request, place)
    shares = may(user, "privacy.share", place)
    form = forms.RecipientForm(posted(request) if shares else None)
    if shares and saved(
        request, form, lambda: actions.add_recipient(by=user, place=place, **form.cleaned_data)
    ):
        messages.success(request, "已登记。以后每提供一次，系统记一条。")
        return redirect("desk_privacy_sharing", place)
    context = {"form": form, "place": place, "found": overview(place), "shares": shares, "day": today()}
    return render(request, "privacy/desk_sharing.html", context)


@requires("privacy.share")
def end_sharing(request: HttpRequest, place: str, recipient_id: UUID) -> HttpResponse:
    """停止提供."""
    user = at(request, place, "privacy.share")
    found = access_recipient(user, recipient_id)
    if request.method == "POST":
        actions.end_recipient(by=user, recipient=found)
        messages.success(request, f"已停止，不能再向{found}提供。")
        return redirect("desk_privacy_sharing", place)
    return render(request, "privacy/desk_sharing_end.html", {"found": found, "place": place})


@requires("privacy.see")
def assessments(request: HttpRequest, place: str) -> HttpResponse:
    """影响评估: what stands, what is missing, and a new one filled from the register."""
    user = at(request, place)
    assesses = may(user, "privacy.assess", place)
    filled = template()
    first = {
        f"{code}_{name}": part[name] for code, part in filled["subjects"].items() for name in ("measures",)
    }
    form = forms.AssessmentForm(posted(request) if assesses else None, initial=first)
    if assesses and saved(
        request,
        form,
        lambda: actions.save_assessment(
            by=user,
            place=place,
            title=form.cleaned_data["title"],
            answers=form.answers(),
            covers=list(SUBJECTS),
        ),
    ):
        messages.success(request, "已保存。请另一位负责人打开这一页批准。")
        return redirect("desk_privacy_assessments", place)
    context = {
        "form": form, "place": place, "found": overview(place), "assesses": assesses, "checks": checklist(place),
        "subjects": filled["subjects"],
    }  # fmt: skip
    return render(request, "privacy/desk_assessments.html", context)


@requires("privacy.see")
def assessment(request: HttpRequest, place: str, assessment_id: UUID) -> HttpResponse:
    """One assessment; the second person approves it here."""
    user = at(request, place)
    found = access_assessment(user, assessment_id)
    may_approve = (
        found.status == Assessment.Status.DRAFT
        and may(user, "privacy.assess", found.place)
        and user.pk != found.made_by_id
    )
    if request.method == "POST":
        actions.approve_assessment(by=user, assessment=found)
        messages.success(request, "已批准。")
        return redirect("desk_privacy_assessment", place, found.pk)
    parts = [
        {"title": SUBJECTS[code], "level": found.answers["subjects"][code]["level"],
         "rows": [(QUESTIONS[name], found.answers["subjects"][code][name]) for name in QUESTIONS]}
        for code in found.covers
    ]  # fmt: skip
    context = {"found": found, "place": place, "parts": parts, "may_approve": may_approve}
    return render(request, "privacy/desk_assessment.html", context)


@requires("privacy.see")
def minors(request: HttpRequest, place: str) -> HttpResponse:
    """未成年人信息年度审计: the figures of a year, what was found, to whom it was reported."""
    user = at(request, place)
    audits = may(user, "privacy.minors", place)
    year = year_due(place) or today().year
    asked = request.GET.get("year", "")
    if asked.isascii() and asked.isdigit() and 2020 <= int(asked) <= today().year:
        year = int(asked)
    form = forms.MinorsForm(
        posted(request) if audits and "findings" in request.POST else None, initial={"year": year}
    )
    posting = audits and request.method == "POST"
    if (
        posting
        and "findings" in request.POST
        and saved(request, form, lambda: actions.make_report(by=user, place=place, **form.cleaned_data))
    ):
        messages.success(request, "审计已存档。请报告乡镇。")
        return redirect("desk_privacy_minors", place)
    rows = list(MinorReport.objects.filter(place=place).select_related("made_by"))
    open_report = next((row for row in rows if row.reported_on is None), None)
    report = forms.ReportForm(posted(request) if audits and "to" in request.POST else None)
    if (
        posting
        and "to" in request.POST
        and open_report is not None
        and saved(
            request, report, lambda: actions.report_to(by=user, report=open_report, **report.cleaned_data)
        )
    ):
        messages.success(request, "已记下报告日期。")
        return redirect("desk_privacy_minors", place)
    numbers = figures(place, year)
    context = {
        "place": place, "year": year, "numbers": [(WORDS[name], numbers[name]) for name in WORDS], "form": form,
        "rows": rows, "audits": audits, "report": report, "open_report": open_report,
    }  # fmt: skip
    return render(request, "privacy/desk_minors.html", context)


@requires("privacy.breach")
def incidents(request: HttpRequest, place: str) -> HttpResponse:
    """泄露事件: what is known → who is affected, and the texts."""
    user = at(request, place, "privacy.breach")
    form = forms.BreachForm(posted(request))
    made: list[Incident] = []

    def find() -> None:
        since, until = form.window()
        data = form.cleaned_data
        actors = actors_named(place, data["actors"].replace("，", ",").split(","))
        question = Question(place, since, until, actors, tuple(data["kinds"]))
        made.append(actions.open_incident(by=user, question=question, **form.texts()))

    if saved(request, form, find):
        messages.success(
            request, f"涉及 {made[0].people} 人，其中未满 14 岁 {made[0].minors} 人。请下载名单和通知。"
        )
        return redirect("desk_privacy_incident", place, made[0].pk)
    rows = list(Incident.objects.filter(place__startswith=place).select_related("made_by")[:100])
    return render(request, "privacy/desk_incidents.html", {"form": form, "rows": rows, "place": place})


@requires("privacy.breach")
def incident(request: HttpRequest, place: str, incident_id: UUID) -> HttpResponse:
    """The pack on screen: numbers, texts, the first fifty people."""
    user = at(request, place, "privacy.breach")
    pack = breach.pack(access_incident(user, incident_id))
    context = {"pack": pack, "place": place, "first": pack.people[:50], "more": max(len(pack.people) - 50, 0)}
    return render(request, "privacy/desk_incident.html", context)


@requires("privacy.breach")
@reauthenticated
def incident_xlsx(request: HttpRequest, place: str, incident_id: UUID) -> HttpResponse:
    """The pack as Excel, on record."""
    user = at(request, place, "privacy.breach")
    found = access_incident(user, incident_id)
    actions.record_pack(by=user, incident=found, form="xlsx")
    body = breach.workbook(breach.pack(found), watermark=f"{person_of(request)} 导出，{today():%Y-%m-%d}")
    _, disposition = safe_filename("个人信息泄露事件.xlsx")
    return HttpResponse(body, content_type=XLSX, headers={"Content-Disposition": disposition})


urlpatterns = [
    path("<str:place>/privacy/sharing/", sharing, name="desk_privacy_sharing"),
    path(
        "<str:place>/privacy/sharing/<uuid:recipient_id>/end/", end_sharing, name="desk_privacy_sharing_end"
    ),
    path("<str:place>/privacy/assessments/", assessments, name="desk_privacy_assessments"),
    path("<str:place>/privacy/assessments/<uuid:assessment_id>/", assessment, name="desk_privacy_assessment"),
    path("<str:place>/privacy/minors/", minors, name="desk_privacy_minors"),
    path("<str:place>/privacy/incidents/", incidents, name="desk_privacy_incidents"),
    path("<str:place>/privacy/incidents/<uuid:incident_id>/", incident, name="desk_privacy_incident"),
    path(
        "<str:place>/privacy/incidents/<uuid:incident_id>/pack.xlsx", incident_xlsx, name="desk_privacy_pack"
    ),
]
