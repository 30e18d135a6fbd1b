"""没有信号时: the field page that works in a valley. It keeps notes on the phone and sends them when there is signal.

The page itself holds nobody's data, so a browser may keep it. Names come in a separate answer, only of the group the
person lives in or leads, masked, and the page stores them encrypted and for a few days (U-40, U-41).
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from zhili.claims.entering import choice_of, one_tap
from zhili.claims.errors import ClaimError
from zhili.claims.offline import RECORDS_MAX, Record, receive
from zhili.claims.phone_field import _place
from zhili.claims.queries import claimable_items
from zhili.common.clock import now
from zhili.common.masking import mask_name
from zhili.common.periods import today
from zhili.common.policy import may, requires
from zhili.people.access import person_of
from zhili.people.models import Household, Membership, User
from zhili.people.queries import head_names
from zhili.rulebook import book as format_1

SNAPSHOT_DAYS: Final = 3
"""How long a phone may keep the list of a group; then the page deletes it and its key."""
BODY_MAX: Final = 200_000
_WORKER: Final = Path(__file__).resolve().parents[1] / "web" / "static" / "web" / "offline-worker.js"


@require_GET
@requires("claims.field")
def page(request: HttpRequest) -> HttpResponse:
    """/m/field/offline/: the same for everybody; what is on it comes from the phone."""
    return render(request, "claims/field_offline.html", {"days": SNAPSHOT_DAYS})


@require_GET
@requires("claims.field")
def worker(request: HttpRequest) -> HttpResponse:
    """/m/field/offline-worker.js: keeps the page openable without signal; at this address it reaches no other page."""
    return HttpResponse(_WORKER.read_bytes(), content_type="text/javascript; charset=utf-8")


@require_GET
@requires("claims.field")
def snapshot(request: HttpRequest) -> JsonResponse:
    """/m/field/offline/list/: households of the own group, heads masked; items one can enter without paper."""
    user, place = person_of(request), _place(request)
    groups = own_groups(user, place)
    rows = [
        row
        for row in Household.objects.filter(place=place, status__in=Household.OPEN, group__in=groups).order_by("code")[:500]
        if may(user, "claims.submit", row)
    ]  # fmt: skip
    names = head_names(place, [row.pk for row in rows])
    expires = now() + timedelta(days=SNAPSHOT_DAYS)
    return JsonResponse(
        {
            "csrf": get_token(request),
            "expires": expires.isoformat(),
            "now": now().isoformat(),
            "households": [{"code": row.code, "name": mask_name(names.get(row.pk, ""))} for row in rows],
            "items": items_for(user, rows[0]) if rows else [],
        }
    )


def own_groups(user: User, place: str) -> list[str]:
    """The group somebody leads; of a clerk the group they live in. Never the whole village (U-41)."""
    led = [
        held.group for held in user.memberships_today
        if held.role == Membership.Role.GROUP_LEADER and held.place == place and held.group
    ]  # fmt: skip
    home = user.resident.household.group if user.resident and user.resident.place == place else ""
    return led or [home] if led or home else []


def items_for(user: User, household: Household) -> list[dict[str, str]]:
    """What can be noted with a tap, or with a number: {code, title, points, of}."""
    found = []
    for row, rule in claimable_items(user, household, today()):
        choice = choice_of(row, rule)
        counted = isinstance(rule.points, (format_1.PerUnit, format_1.Tiers)) and rule.effective_evidence in (
            "none", "witness",
        )  # fmt: skip
        if one_tap(choice) or counted:
            of = rule.points.of if isinstance(rule.points, (format_1.PerUnit, format_1.Tiers)) else ""
            found.append({"code": rule.code, "title": rule.title, "points": choice.points, "of": of})
    return found


@require_POST
@requires("claims.field")
def send(request: HttpRequest) -> JsonResponse:
    """/m/field/offline/send/: {"sent_at", "records": […]} → {"answers": [{"id", "taken", "number", "message"}]}."""
    user, place = person_of(request), _place(request)
    records, sent_at = read_body(request.body)
    answers = receive(by=user, place=place, records=records, sent_at=sent_at)
    return JsonResponse(
        {
            "answers": [
                {"id": str(one.id), "taken": one.taken, "number": one.number, "message": one.message}
                for one in answers
            ]
        }
    )


def read_body(body: bytes) -> tuple[list[Record], datetime]:
    """What the phone sent. Raises ClaimError where it cannot be read."""
    if len(body) > BODY_MAX:
        raise ClaimError("一次送的太多", hint="请分几次送。")
    try:
        sent = json.loads(body)
        sent_at = _moment(sent["sent_at"])
        rows = sent["records"]
        if not isinstance(rows, list) or len(rows) > RECORDS_MAX:
            raise ValueError("records")
        records = [_record(row) for row in rows]
    except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation, OverflowError) as error:
        raise ClaimError(
            "手机送来的内容看不懂，没有收下", hint="请刷新页面再送；仍不行的，导出成表格交到村里。"
        ) from error
    if len({one.id for one in records}) != len(records):
        raise ClaimError("同一条记录在这一次里出现了两次", hint="请刷新页面再送。")
    return records, sent_at


def _record(row: dict[str, Any]) -> Record:
    quantity = row.get("quantity")
    noted_at = _moment(row["noted_at"])
    household, item, grade = (str(row.get(key, "")) for key in ("household", "item", "grade"))
    if max(len(household), len(item), len(grade)) > 40 or "\x00" in household + item + grade:
        raise ValueError("too long")
    return Record(
        id=UUID(row["id"]), household=household, item=item[:32], noted_at=noted_at, grade=grade[:20],
        occurred_on=datetime.fromisoformat(row["occurred_on"]).date(),
        quantity=None if quantity in (None, "") else Decimal(str(quantity)[:20]),
    )  # fmt: skip


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if found.tzinfo is None:
        raise ValueError("no zone")
    return found


urlpatterns = [
    path("field/offline/", page, name="m_field_offline"),
    path("field/offline/list/", snapshot, name="m_field_offline_list"),
    path("field/offline/send/", send, name="m_field_offline_send"),
    path("field/offline-worker.js", worker, name="m_field_offline_worker"),
]
