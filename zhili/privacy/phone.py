"""我的信息 on the phone: what is held about me, who looked, and every right two taps away from 我的."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse

from zhili.common.errors import NotFound
from zhili.common.policy import reauthenticated, signed_in
from zhili.common.spreadsheets import safe_filename
from zhili.people.access import person_of
from zhili.people.desk import posted, saved
from zhili.people.models import Resident, User
from zhili.privacy import actions, forms, mydata
from zhili.privacy.access import access_request, asks_as
from zhili.privacy.models import Request
from zhili.privacy.notice import changes_since, notice_of, unread
from zhili.privacy.queries import last_looks, may_ask_for, my_requests
from zhili.privacy.requests import ANSWER_WORKDAYS, APPEAL, FOR_THE_DEAD

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Kind = Request.Kind
# What each right is called here, and what happens next, in a villager's words.
WAYS = (
    (Kind.CORRECT, "pencil", "登记的不对，要改"),
    (Kind.COMPLETE, "plus", "缺了什么，要补上"),
    (Kind.EXPLAIN, "help-circle", "为什么记、给谁看、怎么算的"),
    (Kind.DELETE, "trash", "不想再记着我"),
)


def person_at(user: User, resident_id: UUID | None) -> tuple[Resident | None, str]:
    """Whom the page is about, and in which part: oneself, or with a key somebody one may ask for."""
    if resident_id is None or resident_id == user.resident_id:
        return user.resident, Request.AskedBy.PERSON
    one = Resident.objects.select_related("household").filter(pk=resident_id).first()
    part = asks_as(user, one) if one is not None else ""
    if one is None or not part:
        raise NotFound("没有这个人。")
    return one, part


@signed_in
def home(request: HttpRequest, resident_id: UUID | None = None) -> HttpResponse:
    """/m/mydata/: the rights of one person as six cells; below, what was asked and who looked last."""
    user = person_of(request)
    one, part = person_at(user, resident_id)
    ways = [
        {"kind": kind.value, "title": kind.label, "icon": icon, "small": small}
        for kind, icon, small in WAYS
        if one is not None and (one.status != Resident.Status.DEAD or kind in FOR_THE_DEAD)
    ]
    own = one is not None and one.pk == user.resident_id
    context = {
        "one": one,
        "own": own,
        "part": part,
        "ways": ways,
        "others": [(other, as_) for other, as_ in may_ask_for(user) if one is None or other.pk != one.pk]
        if own
        else [],
        "asked": my_requests(user) if own else [],
        "looks": len(last_looks(one.pk, one.place)) if one else 0,
    }
    return render(request, "privacy/m_home.html", context)


@signed_in
def ask(request: HttpRequest, resident_id: UUID, kind: str) -> HttpResponse:
    """One request: one box, one button, then a slip."""
    user = person_of(request)
    one, _ = person_at(user, resident_id)
    if one is None or kind not in [way[0].value for way in WAYS]:
        raise NotFound("没有这一页。")
    form = forms.AskForm(posted(request), kind=kind)
    made: list[Request] = []
    if saved(
        request,
        form,
        lambda: made.append(
            actions.ask(by=user, resident=one, kind=kind, channel="phone", text=form.cleaned_data["text"])
        ),
    ):
        messages.success(request, f"已收到，编号 {made[0]}，{made[0].due_on:%-m月%-d日}前答复。")
        return redirect("m_mydata_request", made[0].pk)
    context = {"form": form, "one": one, "own": one.pk == user.resident_id, "kind": kind,
               "title": Kind(kind).label, "days": ANSWER_WORKDAYS}  # fmt: skip
    return render(request, "privacy/m_ask.html", context)


@signed_in
def request_page(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Where a request stands; taking it back while it is open."""
    user = person_of(request)
    found = access_request(user, request_id)
    if not (asks_as(user, found.resident) or found.entered_by_id == user.pk):
        raise NotFound("没有这个请求。")
    if request.method == "POST":
        actions.cancel(by=user, request=found)
        messages.success(request, "已撤回，不办了。")
        return redirect("m_mydata")
    return render(request, "privacy/m_request.html", {"found": found, "appeal": APPEAL})


@signed_in
@reauthenticated
def copy(request: HttpRequest, resident_id: UUID) -> HttpResponse:
    """要一份副本: at once. What is in it, what is withheld and why, and the two files."""
    user = person_of(request)
    one, _ = person_at(user, resident_id)
    if one is None:
        raise NotFound("没有这个人。")
    found = actions.hand_out(by=user, resident=one, form="screen")
    return render(
        request, "privacy/m_copy.html", {"one": one, "found": found, "own": one.pk == user.resident_id}
    )


@signed_in
@reauthenticated
def copy_xlsx(request: HttpRequest, resident_id: UUID) -> HttpResponse:
    """The copy as Excel."""
    user = person_of(request)
    one, _ = person_at(user, resident_id)
    if one is None:
        raise NotFound("没有这个人。")
    return excel(user, one)


def excel(user: User, one: Resident) -> HttpResponse:
    """The copy of one person as a file to save."""
    found = actions.hand_out(by=user, resident=one, form="xlsx")
    body = mydata.workbook(found, watermark=mydata.watermark(user, one))
    # Names of people do not stand in file names: those wander through chat groups.
    _, disposition = safe_filename("我的信息.xlsx")
    return HttpResponse(body, content_type=XLSX, headers={"Content-Disposition": disposition})


@signed_in
def notice(request: HttpRequest) -> HttpResponse:
    """告知书 after a log-in where it has changed: read, 看过了, then the purposes one by one."""
    user = person_of(request)
    place = user.home_place or (user.resident.place if user.resident else "")
    if not place:
        raise NotFound("没有这一页。")
    if request.method == "POST":
        actions.mark_read(by=user, place=place)
        return redirect("m_consents" if request.POST.get("then") == "consents" else "m_home")
    context = {"notice": notice_of(place), "fresh": bool(unread(user)), "changes": changes_since(user)}
    return render(request, "privacy/m_notice.html", context)


def notice_first(user: User) -> str:
    """Where a villager goes right after logging in while a version of the notice is unread; "" otherwise."""
    return reverse("m_privacy_notice") if unread(user) else ""


urlpatterns = [
    path("mydata/", home, name="m_mydata"),
    path("mydata/notice/", notice, name="m_privacy_notice"),
    path("mydata/requests/<uuid:request_id>/", request_page, name="m_mydata_request"),
    path("mydata/<uuid:resident_id>/", home, name="m_mydata_of"),
    path("mydata/<uuid:resident_id>/copy/", copy, name="m_mydata_copy"),
    path("mydata/<uuid:resident_id>/copy.xlsx", copy_xlsx, name="m_mydata_xlsx"),
    path("mydata/<uuid:resident_id>/<str:kind>/", ask, name="m_mydata_ask"),
]
