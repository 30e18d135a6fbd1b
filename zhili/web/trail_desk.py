"""留痕 at the desk: who did what, when, from where, with what outcome, in words; and whether the trail is whole."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any, Final

from django.apps import apps
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from zhili.audit.actions import record
from zhili.audit.catalogue import EVENTS, KINDS, OUTCOMES, names_of, title_of
from zhili.audit.models import Entry
from zhili.audit.queries import entries, heads
from zhili.audit.verify import Anchor, verify
from zhili.common.errors import NotFound
from zhili.common.paging import Column, Filter, table
from zhili.common.periods import SHANGHAI
from zhili.common.policy import may, requires
from zhili.ledger.anchors import published
from zhili.people.models import Membership, Resident, User
from zhili.places.models import Place
from zhili.places.queries import get_place

ROLES: Final = dict(Membership.Role.choices)
ANCHORS_TRIED: Final = 400


@requires("audit.read")
def trail(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/trail/: the rows of a place and of what lies below it; POST checks this place's own chain."""
    user = request.user
    assert isinstance(user, User)
    if not may(user, "audit.read", place):
        raise NotFound("没有这一页。")
    get_place(place)
    listed = table(
        request,
        _named(entries(place)),
        _columns(whole_county=len(place) < 12),
        title="留痕",
        filters=_filters(),
        default_order=["-at", "-id"],
        on_export=lambda count: record("audit.export", by=user, place=place, count=count),
    )
    if isinstance(listed, HttpResponse):
        return listed
    said = published(place, "audit", ANCHORS_TRIED)
    report = None
    if request.method == "POST":
        report = verify([place], anchors=[Anchor(place, row.seq, row.head) for row in said])
    context = {
        "table": listed,
        "place": place,
        "head": next(iter(heads([place])), None),
        "said": said[0] if said else None,
        "report": report,
    }
    return render(request, "web/desk_trail.html", context)


def _named(rows: QuerySet[Entry]) -> QuerySet[Any]:
    """The rows with the names a reader needs, in the same statement."""
    person = User.objects.filter(pk=OuterRef("actor_id")).values("display_name")[:1]
    login = User.objects.filter(pk=OuterRef("actor_id")).values("username")[:1]
    principal = Resident.objects.filter(pk=OuterRef("on_behalf_of")).values("name")[:1]
    where = Place.objects.filter(code=OuterRef("place")).values("name")[:1]
    return rows.annotate(
        person=Subquery(person), login=Subquery(login), principal=Subquery(principal), where=Subquery(where)
    )


def _columns(*, whole_county: bool) -> list[Column]:
    return [
        Column(
            "at", "时间", lambda row: f"{row.at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}", order="at", width=20
        ),
        Column("who", "谁", _who),
        Column("action", "事项", lambda row: title_of(row.action), order="action"),
        Column(
            "outcome", "结果", lambda row: OUTCOMES.get(row.outcome, "其他"), kind="state", order="outcome"
        ),
        Column("target", "对象", _object),
        Column("why", "说明", _why),
        Column("source", "来处", _source),
        *(
            [Column("where", "地方", lambda row: Place(name=row.where or "").short_name)]
            if whole_county
            else []
        ),
        Column("kind", "类别", _kind, shown=False),
        Column("seq", "序号", lambda row: row.seq, kind="number", shown=False),
        Column("role", "身份", lambda row: ROLES.get(row.role, ""), shown=False),
        Column("offset", "时差", _offset, shown=False),
        Column("receipt", "请求编号", lambda row: row.receipt, shown=False),
        Column("row", "对象编号", lambda row: row.target, shown=False, width=50),
    ]


def _who(row: Any) -> str:
    """乙 代 甲, wherever one acted for another (A-09)."""
    if row.actor_id is None:
        name = "系统" if row.source in ("", "job") else "没有登录的人"
    else:
        name = row.person or row.login or f"账号 {row.actor_id}"
    return f"{name} 代 {row.principal or '已删除的人'}" if row.on_behalf_of else name


def _object(row: Any) -> str:
    label, _, key = row.target.partition(":")
    try:
        return str(apps.get_model(label)._meta.verbose_name) + (f" {key}" if key.isdigit() else "")
    except (LookupError, ValueError):
        return _WORDS.get(label, "")


_WORDS: Final = {"ledger.batch": "台账批次", "expiry": "积分到期公告", "holiday": "节假日"}


def _why(row: Any) -> str:
    detail = row.detail if isinstance(row.detail, dict) else {}
    for key in ("reason", "why", "answer", "text", "basis"):
        if isinstance(detail.get(key), str) and detail[key]:
            return str(detail[key])[:200]
    if isinstance(detail.get("count"), int) and detail["count"] != 1:
        return f"{detail['count']} 条"
    return ""


def _source(row: Any) -> str:
    return {"job": "自动任务", "": "本机"}.get(row.source, row.source)


def _kind(row: Any) -> str:
    event = EVENTS.get(row.action)
    return KINDS[event.kind] if event else "其他"


def _offset(row: Any) -> str:
    sign = "-" if row.utc_offset < 0 else "+"
    return f"UTC{sign}{abs(row.utc_offset) // 60:02d}:{abs(row.utc_offset) % 60:02d}"


def _filters() -> list[Filter]:
    actions = [
        (event.name, event.title) for event in sorted(EVENTS.values(), key=lambda e: (e.kind, e.title))
    ]
    return [
        Filter("since", "从哪天", "date", lambda rows, day: rows.filter(at__gte=_midnight(day))),
        Filter(
            "until",
            "到哪天",
            "date",
            lambda rows, day: rows.filter(at__lt=_midnight(day + timedelta(days=1))),
        ),
        Filter("who", "谁", "text", _by_person, hint="称呼或用户名"),
        Filter("kind", "类别", list(KINDS.items()), _by_kind),
        Filter("action", "事项", actions, lambda rows, name: rows.filter(action=name)),
        Filter("outcome", "结果", list(OUTCOMES.items()), lambda rows, value: rows.filter(outcome=value)),
    ]


def _by_person(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    people = User.objects.filter(Q(display_name__icontains=text) | Q(username__iexact=text))
    return rows.filter(actor_id__in=people.values("pk"))


def _by_kind(rows: QuerySet[Any], kind: str) -> QuerySet[Any]:
    acting = Q(on_behalf_of__isnull=False) if kind == "acting" else Q(pk__in=[])
    return rows.filter(Q(action__in=names_of(kind)) | acting)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=SHANGHAI)


urlpatterns = [path("<str:place>/trail/", trail, name="desk_trail")]
