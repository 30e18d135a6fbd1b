"""个人信息 at the desk: the register and the counts for supervisors (O-07), the requests with their last days, and
the two hands under an erasure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse

from zhili.common.errors import NotFound
from zhili.common.paging import Column, Filter, table
from zhili.common.periods import today
from zhili.common.policy import may, reauthenticated, requires
from zhili.people.access import person_of
from zhili.people.consent_purposes import current, purpose
from zhili.people.consents import counted
from zhili.people.desk import posted, saved
from zhili.people.models import Household, Resident, User
from zhili.people.queries import matching
from zhili.privacy import actions, forms
from zhili.privacy.access import access_person, access_request
from zhili.privacy.errors import PrivacyError
from zhili.privacy.golive import checklist
from zhili.privacy.models import Request
from zhili.privacy.phone import excel
from zhili.privacy.queries import overview, register_rows, requests_of, year_due
from zhili.privacy.register import register
from zhili.privacy.requests import APPEAL
from zhili.privacy.retention import due

VILLAGE: Final = 12


def at(request: HttpRequest, place: str, permission: str = "privacy.see") -> User:
    """The person, who may do this at this place; the same NotFound for everybody else."""
    user = person_of(request)
    if not may(user, permission, place):
        raise NotFound("没有这一页。")
    return user


@requires("privacy.see")
def home(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/privacy/: requests and deadlines first, then consents, sharing, the register, last audit."""
    user = at(request, place)
    counts = counted(place)
    context = {
        "place": place,
        "found": overview(place),
        "consents": [
            {"title": purpose(code).title, **numbers} for code, numbers in counts.items() if code in _asked()
        ],
        "version": current(),
        "rows": register_rows(),
        "stores": register().stores,
        "checks": checklist(place),
        "due": [one for one in due(place) if one.count],
        "year_due": year_due(place),
        "reads": may(user, "privacy.requests", place),
        "handles": may(user, "privacy.handle", place) and len(place) == VILLAGE,
        "shares": may(user, "privacy.share", place),
        "assesses": may(user, "privacy.assess", place),
        "audits": may(user, "privacy.minors", place),
        "breaches": may(user, "privacy.breach", place),
    }
    return render(request, "privacy/desk_home.html", context)


def _asked() -> set[str]:
    return {one.code for one in current().purposes}


COLUMNS: Final = [
    Column("number", "编号", str, order="number", url=lambda r: reverse("desk_privacy_request", args=[r.place, r.pk])),
    Column("kind", "要求", lambda r: r.get_kind_display(), order="kind"),
    Column("household", "户编号", lambda r: r.resident.household.code, order="resident__household__code"),
    Column("who", "谁的", lambda r: r.resident.name),
    Column("asked_by", "谁提的", lambda r: r.get_asked_by_display()),
    Column("channel", "渠道", lambda r: r.get_channel_display()),
    Column("received", "收到", lambda r: r.received_at, order="received_at", kind="date"),
    Column("due", "期限", lambda r: r.due_on, order="due_on", kind="date"),
    Column("state", "状态", lambda r: _state(r), order="status", kind="state"),
]  # fmt: skip


def _state(row: Request) -> str:
    return "逾期" if row.is_open and row.due_on < today() else row.get_status_display()


@requires("privacy.requests")
def requests(request: HttpRequest, place: str) -> HttpResponse:
    """Every request, the open ones first by their last day."""
    user = at(request, place, "privacy.requests")
    filters = [
        Filter("kind", "要求", Request.Kind.choices, lambda q, v: q.filter(kind=v)),
        Filter("status", "状态", Request.Status.choices, lambda q, v: q.filter(status=v)),
    ]
    rows = table(
        request, requests_of(place), COLUMNS, title="个人信息请求", filters=filters, default_order="due_on",
        on_export=lambda count: actions.record_export(by=user, place=place, count=count),
    )  # fmt: skip
    if isinstance(rows, HttpResponse):
        return rows
    handles = may(user, "privacy.handle", place) and len(place) == VILLAGE
    return render(request, "privacy/desk_requests.html", {"table": rows, "place": place, "handles": handles})


@requires("privacy.handle")
def find(request: HttpRequest, place: str) -> HttpResponse:
    """Whose data: by household number or name, the dead among them."""
    at(request, place, "privacy.handle")
    form = forms.FindForm(request.GET if "q" in request.GET else None)
    people: list[Resident] = []
    if form.is_valid():
        text = form.cleaned_data["q"]
        homes = matching(Household.objects.filter(place=place), text).values("pk")[:50]
        rows = Resident.objects.filter(place=place, erasures=None).select_related("household")
        named = rows.filter(name__contains=text.strip()[:40])
        people = list(
            (rows.filter(household__in=homes) | named).order_by("household__code", "relation")[:100]
        )
    return render(request, "privacy/desk_find.html", {"form": form, "people": people, "place": place})


@requires("privacy.handle")
def new(request: HttpRequest, place: str, resident_id: UUID) -> HttpResponse:
    """Take a request in at the desk or from paper."""
    user = at(request, place, "privacy.handle")
    one = access_person(user, resident_id)
    if one.place != place:
        raise NotFound("没有这个人。")
    form = forms.DeskAskForm(posted(request), resident=one)
    made: list[Request] = []
    if saved(request, form, lambda: made.append(actions.ask(by=user, resident=one, **form.cleaned_data))):
        messages.success(request, f"已收下，编号 {made[0]}。请把回执交给来人。")
        return redirect("desk_privacy_request", place, made[0].pk)
    return render(request, "privacy/desk_ask.html", {"form": form, "one": one, "place": place})


VERBS: Final[dict[str, Callable[[User, Request, str], Any]]] = {
    "answer": lambda by, row, text: actions.answer(by=by, request=row, text=text),
    "refuse": lambda by, row, text: actions.refuse(by=by, request=row, reason=text),
    "extend": lambda by, row, text: actions.extend(by=by, request=row, reason=text),
    "prepare": lambda by, row, text: actions.prepare_erasure(by=by, request=row),
    "approve": lambda by, row, text: actions.approve_erasure(by=by, request=row),
    "back": lambda by, row, text: actions.send_back(by=by, request=row, reason=text),
    "cancel": lambda by, row, text: actions.cancel(by=by, request=row),
}
DONE: Final = {
    "answer": "已答复。", "refuse": "已答复，本人会看到理由和申诉的办法。", "extend": "已延期，本人会看到原因。",
    "prepare": "等另一人批准。", "approve": "已删除。账上的数字还在，不再指向任何人。",
    "back": "已退回。", "cancel": "已撤回。",
}  # fmt: skip
NO_WORDS: Final = ("prepare", "approve", "cancel")


@requires("privacy.requests")
def request_page(request: HttpRequest, place: str, request_id: UUID) -> HttpResponse:
    """One request: what, who, until when; answering it; for a deletion the first hand or the second."""
    user = at(request, place, "privacy.requests")
    found = access_request(user, request_id)
    if not found.place.startswith(place):
        raise NotFound("没有这个请求。")
    verb = request.POST.get("do", "")
    form = forms.WordsForm(posted(request) if verb not in NO_WORDS else {"text": "——"})
    if request.method == "POST" and verb in VERBS:
        if saved(request, form, lambda: VERBS[verb](user, found, form.cleaned_data.get("text", ""))):
            messages.success(request, DONE[verb])
            return redirect("desk_privacy_request", place, found.pk)
    elif request.method == "POST":
        raise PrivacyError("不知道要做什么", hint="请刷新页面后再点。")
    handles = may(user, "privacy.handle", found.place)
    context = {
        "found": found,
        "place": place,
        "form": form if request.method == "POST" else forms.WordsForm(),
        "verb": verb,
        "late": found.is_open and found.due_on < today(),
        "handles": handles and found.is_open,
        "first_hand": handles
        and found.kind == Request.Kind.DELETE
        and found.status == Request.Status.RECEIVED,
        "second_hand": found.status == Request.Status.SECOND and may(user, "privacy.approve", found),
        "may_copy": handles and found.is_open and found.kind == Request.Kind.COPY,
        "appeal": APPEAL,
        "erasure": found.erasures.first(),
    }
    return render(request, "privacy/desk_request.html", context)


@requires("privacy.handle")
@reauthenticated
def copy_xlsx(request: HttpRequest, place: str, request_id: UUID) -> HttpResponse:
    """The copy, to be handed to the person who asked; only while such a request is open."""
    return excel(person_of(request), copy_for(request, place, request_id))


def copy_for(request: HttpRequest, place: str, request_id: UUID) -> Resident:
    """The person whose copy was asked for by an open request of this village."""
    user = at(request, place, "privacy.handle")
    found = access_request(user, request_id)
    if found.place != place or found.kind != Request.Kind.COPY or not found.is_open:
        raise NotFound("没有等着办的副本请求。")
    return found.resident


urlpatterns = [
    path("<str:place>/privacy/", home, name="desk_privacy"),
    path("<str:place>/privacy/requests/", requests, name="desk_privacy_requests"),
    path("<str:place>/privacy/requests/new/", find, name="desk_privacy_find"),
    path("<str:place>/privacy/requests/new/<uuid:resident_id>/", new, name="desk_privacy_new"),
    path("<str:place>/privacy/requests/<uuid:request_id>/", request_page, name="desk_privacy_request"),
    path("<str:place>/privacy/requests/<uuid:request_id>/copy.xlsx", copy_xlsx, name="desk_privacy_copy"),
]
