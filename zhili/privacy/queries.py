"""What the pages of this room read: all set-based, one statement a number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from zhili.audit.models import Entry as Trail
from zhili.common.errors import NotFound
from zhili.common.ids import CodeError, parse_short_code
from zhili.common.periods import today
from zhili.notices.queries import Duty
from zhili.people.models import Resident, User
from zhili.people.queries import LIVE
from zhili.privacy.access import asks_as
from zhili.privacy.models import (
    Assessment,
    Erasure,
    Incident,
    MinorReport,
    Recipient,
    Request,
    RetentionRun,
    Sharing,
)
from zhili.privacy.register import register
from zhili.privacy.retention import words

LISTED = 200
SOON = timedelta(days=3)


def requests_of(place: str) -> QuerySet[Request]:
    """Requests of a place and below, with the people in them."""
    rows = Request.objects.filter(place__startswith=place)
    return rows.select_related("resident__household", "asker", "handled_by", "approved_by", "entered_by")


def my_requests(user: User) -> list[Request]:
    """What this person asked, for whomever, latest first."""
    mine = Q(entered_by=user)
    if user.resident_id is not None:
        mine |= Q(resident=user.resident_id) | Q(asker=user.resident_id)
    rows = Request.objects.filter(mine).select_related("resident").order_by("-received_at")
    return list(rows[:LISTED])


def find_request(place: str, code: str) -> Request:
    """By the code on the slip. NotFound in the same words for every code that finds nothing."""
    try:
        wanted = parse_short_code(code, 12)
    except CodeError as error:
        raise NotFound("没有这个查询码。") from error
    row = Request.objects.filter(place=place, lookup_code=wanted).first()
    if row is None:
        raise NotFound("没有这个查询码。")
    return row


def may_ask_for(user: User) -> list[tuple[Resident, str]]:
    """Whom this person may ask for on the phone, themselves first: (person, part)."""
    own = user.resident
    if own is None:
        return []
    rows = Resident.objects.filter(household=own.household_id, erasures=None).select_related("household")
    found = [(one, asks_as(user, one)) for one in rows]
    day = today()
    given = Resident.objects.filter(
        delegations__delegate=user, delegations__scope="all", delegations__revoked_on=None,
        delegations__valid_from__lte=day, delegations__valid_to__gte=day, status__in=LIVE, erasures=None,
    ).exclude(household=own.household_id).select_related("household").distinct()  # fmt: skip
    found += [(one, Request.AskedBy.DELEGATE) for one in given]
    return sorted(((one, part) for one, part in found if part), key=lambda pair: pair[0].pk != own.pk)


def duties(place: str) -> list[Duty]:
    """What is owed about personal data: requests by their last day, erasures that wait for a second hand."""
    day = today()
    rows = Request.objects.filter(place=place, status__in=Request.OPEN).values_list("status", "due_on")
    found: list[Duty] = []
    for status, title, who in (
        (Request.Status.RECEIVED, "个个人信息请求要答复", "村文书"),
        (Request.Status.SECOND, "个删除请求等另一人批准", "监督委员、乡镇"),
    ):
        days = [due for state, due in rows if state == status]
        if days:
            first = min(days)
            found.append(Duty("privacy", f"{len(days)} {title}", who, first, day > first, len(days)))
    return found


@dataclass(slots=True)
class Overview:
    """What supervisors see first (O-07)."""

    open: int
    overdue: int
    soon: int
    done: int
    refused: int
    erasures: int
    last_audit: MinorReport | None
    last_retention: RetentionRun | None
    incidents: int
    recipients: list[Recipient]
    sharings: list[Sharing]
    assessments: list[Assessment]
    looks: int


def overview(place: str) -> Overview:
    """About ten statements."""
    day = today()
    counts = Request.objects.filter(place__startswith=place).aggregate(
        open=Count("pk", filter=Q(status__in=Request.OPEN)),
        overdue=Count("pk", filter=Q(status__in=Request.OPEN, due_on__lt=day)),
        soon=Count("pk", filter=Q(status__in=Request.OPEN, due_on__gte=day, due_on__lte=day + SOON)),
        done=Count("pk", filter=Q(status=Request.Status.DONE)),
        refused=Count("pk", filter=Q(status=Request.Status.REFUSED)),
    )
    above = [place[:n] for n in (2, 4, 6, 9) if n < len(place)]
    here = Q(place__startswith=place) | Q(place__in=above)
    month = day - timedelta(days=30)
    return Overview(
        **counts,
        erasures=Erasure.objects.filter(place__startswith=place).count(),
        last_audit=MinorReport.objects.filter(here).order_by("-year").first(),
        last_retention=RetentionRun.objects.filter(here).exclude(finished_at=None).first(),
        incidents=Incident.objects.filter(here).count(),
        recipients=list(Recipient.objects.filter(here)[:LISTED]),
        sharings=list(Sharing.objects.filter(here).select_related("recipient")[:LISTED]),
        assessments=list(Assessment.objects.filter(here).select_related("made_by", "approved_by")[:LISTED]),
        looks=Trail.objects.filter(
            place__startswith=place, at__date__gte=month, action__in=["people.unmask", "people.reveal"]
        ).count(),
    )


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class of the register with the columns in it, for the page and the print."""

    title: str
    purpose: str
    basis: str
    level: str
    keep: str
    viewers: str
    columns: str
    count: int


def register_rows() -> list[ClassRow]:
    """The register as people read it: sensitive first, then as written."""
    found = register()
    rows = []
    for one in found.classes.values():
        entries = [entry for entry in found.entries if entry.of.code == one.code]
        if entries:
            by_table: dict[str, list[str]] = {}
            for entry in entries:
                by_table.setdefault(found.models[entry.model].title, []).append(entry.title)
            columns = "；".join(f"{table}：{'、'.join(names)}" for table, names in by_table.items())
            rows.append(
                ClassRow(one.title, one.purpose, one.basis, one.level, words(one.keep), "、".join(one.viewers) or "没有人",
                         columns, len(entries))
            )  # fmt: skip
    return sorted(rows, key=lambda row: row.level != "敏感")


def dead_or_gone(place: str, limit: int = LISTED) -> list[Resident]:
    """People who died, for relatives at the desk."""
    rows = Resident.objects.filter(place=place, status=Resident.Status.DEAD, erasures=None)
    return list(rows.select_related("household").order_by("-left_on")[:limit])


def last_looks(resident: UUID, place: str, limit: int = 20) -> list[Any]:
    """Who looked at or changed this person's row last."""
    rows = Trail.objects.filter(place=place, target=f"people.resident:{resident}").order_by("-at")
    return list(rows[:limit])


def year_due(place: str, day: date | None = None) -> int:
    """The year whose audit of children's data is not done yet (the last full one), or 0."""
    year = (day or today()).year - 1
    return 0 if MinorReport.objects.filter(place=place, year=year).exists() else year
