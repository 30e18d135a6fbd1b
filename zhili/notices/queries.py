"""Reading notices: what hangs out, what a poster says, what is owed today and by whom. Constant queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings as django_settings
from django.db.models import Count, Q, QuerySet

from zhili.claims.models import Claim
from zhili.claims.queries import recheck_list, waiting_counts
from zhili.common.errors import NotFound
from zhili.common.ids import CodeError, parse_short_code
from zhili.common.periods import local_date, parse_code, period_of, previous_period, today
from zhili.common.points import format_signed
from zhili.ledger.queries import head_short, is_closed
from zhili.notices.models import Line, Notice, Objection
from zhili.notices.scopes import Facts, Scope, Shown, shown
from zhili.people.models import Household, Membership
from zhili.places.queries import get_place, village_settings
from zhili.rulebook.queries import in_force

ESCALATION: Final = (
    "对答复不满意：先找村务监督委员会，再找乡镇人民政府，仍不满意可以向区县主管部门反映，"
    "也可以依法向人民法院起诉。"
)
HOW_TO_OBJECT: Final = (
    "扫右边的码，在手机上提，可以不写名字",
    "打村里的公开电话，或到村里口头说",
    "写在纸上交给村文书或监督委员，当场给回执",
)
WEEKDAYS: Final = "一二三四五六日"


def current_notice(place: str) -> Notice | None:
    """The notice that hangs out now, or None."""
    return Notice.objects.filter(place=place, status=Notice.Status.OPEN).first()


def notices_of(place: str, limit: int = 60) -> list[Notice]:
    """A village's notices, newest first, each with `.line_count` and `.held_count`. One query."""
    rows = Notice.objects.filter(place=place).annotate(
        line_count=Count("lines"), held_count=Count("lines", filter=Q(lines__status=Line.Status.HELD))
    )
    return list(rows.order_by("-number")[:limit])


def public_notices(place: str) -> list[Notice]:
    """Notices that may still be read without log-in: the open one and those not yet taken down (M-07)."""
    rows = Notice.objects.filter(place=place).filter(Q(taken_down_on=None) | Q(taken_down_on__gte=today()))
    return list(rows.order_by("-number")[:12])


def public_notice(place: str, number: int) -> Notice:
    """One notice for the open page. NotFound once it is taken down: the link dies (M-07)."""
    for notice in public_notices(place):
        if notice.number == number:
            return notice
    raise NotFound("没有这一期公示，或已经撤下。")


@dataclass(frozen=True, slots=True)
class PublicLine:
    """One line as anybody may read it. name: masked, "" where no name is public (deductions, 不公开户).
    points: hundredths. mark: "", 更正, 异议中, 补记. why: the steps, where they explain a 0 or a correction."""

    id: UUID
    position: int
    group: str
    household_code: str
    name: str
    item: str
    occurred_on: date
    points: int
    mark: str
    status: str
    correction: str
    points_before: int | None
    why: tuple[str, ...]


def lines_of(notice: Notice) -> QuerySet[Line]:
    """All lines with their claims, for those who work on them."""
    return notice.lines.select_related("claim__item", "household").order_by("position")


def public_lines(notice: Notice) -> list[PublicLine]:
    """The notice as it may be shown to anybody, in the order of the poster. One query."""
    return [_public(line) for line in notice.lines.select_related("household").order_by("position")]


def _public(line: Line) -> PublicLine:
    mark = "更正" if line.correction else "补记" if line.late else ""
    if line.status == Line.Status.HELD:
        mark = "异议中"
    return PublicLine(
        line.pk,
        line.position,
        line.group,
        line.household_code,
        _public_name(line),
        line.item_title,
        line.occurred_on,
        line.points,
        mark,
        line.status,
        line.correction,
        line.points_before,
        tuple(line.why) if line.points == 0 else (),
    )


def _public_name(line: Line) -> str:
    """The name as it was frozen, masked, if it may stand there today: a no said while the notice hangs counts at once."""
    facts = Facts(deduction=line.points < 0, published=line.public_name and line.household.published)
    return "" if shown(Scope.INTERNET, facts) is Shown.NOTHING else line.name_masked


def household_lines(household: Household, limit: int = 200) -> list[Line]:
    """A household's own lines on any notice, newest first: with its own scores, whole."""
    rows = Line.objects.filter(household=household).select_related("notice", "claim__item")
    return list(rows.order_by("-notice__number", "position")[:limit])


def chinese_day(day: date, *, weekday: bool = True) -> str:
    """2026年11月3日（星期二）, as a poster says it."""
    text = f"{day.year}年{day.month}月{day.day}日"
    return f"{text}（星期{WEEKDAYS[day.weekday()]}）" if weekday else text


def poster_data(notice: Notice) -> dict[str, Any]:
    """Everything the poster prints, as plain data under the names of web.print.poster.Poster; `lines` as dicts.

    Dropped lines stay on the poster's corrections, not in its list. Four queries.
    """
    settings = village_settings(notice.place)
    village = get_place(notice.place).short_name
    lines = public_lines(notice)
    hanging = [line for line in lines if line.status != Line.Status.DROPPED]
    total = sum(line.points for line in hanging)
    households = len({line.household_code for line in hanging})
    page = f"{django_settings.PUBLIC_URL}/open/{notice.place}/"
    period = parse_code(notice.period)
    return {
        "village": village,
        "period_title": period.title,
        "title": "积分公示",
        "issuer": f"{village}村民委员会" if village.endswith("村") else f"{village}居民委员会",
        "lines": [
            {
                "group": line.group or "未分组",
                "household_code": line.household_code,
                "name_masked": line.name,
                "item": line.item,
                "occurred_on": line.occurred_on.isoformat(),
                "points": format_signed(line.points),
                "mark": line.mark,
            }
            for line in hanging
        ],
        "total_text": f"{households} 户，合计 {format_signed(total)} 分",
        "opens_on": chinese_day(notice.opens_on),
        "closes_on": chinese_day(notice.closes_on),
        "objection_deadline": f"{chinese_day(notice.closes_on)}24 时以前",
        "phone": settings.office_phone,
        "how_to_object": list(HOW_TO_OBJECT),
        "escalation": escalation(notice.place),
        "head_code": head_short(bytes.fromhex(notice.ledger_head)) if notice.ledger_head else "尚无",
        "head_url": page,
        "page_url": page,
        "printed_on": today(),
        "corrections": [
            f"第 {line.position} 条 {line.household_code} 户 {line.item}：{line.correction}"
            for line in lines
            if line.correction
        ],
        "deductions_resolved": False,
        "demo": settings.demo,
    }


def escalation(place: str) -> str:
    """Where to go when the answer does not satisfy, on every notice (G-21)."""
    phone = village_settings(place).supervisor_phone
    return ESCALATION + (f"监督委员会电话 {phone}。" if phone else "")


# ------------------------------------------------------------------------------------------------ objections


def objections_of(place: str) -> QuerySet[Objection]:
    """All objections of a village with their lines, newest first; who objected is for those who answer."""
    return Objection.objects.filter(place=place).select_related(
        "line__notice", "line__claim__item", "line__household", "by_resident", "answered_by"
    )


def open_objections(place: str) -> list[Objection]:
    """What waits for an answer, most urgent first."""
    return list(objections_of(place).filter(status__in=Objection.OPEN).order_by("due_on", "number")[:500])


def find_objection(place: str, code: str) -> Objection:
    """By the code on the slip, from anybody who holds it. NotFound in the same words for wrong and foreign."""
    try:
        wanted = parse_short_code(code, 12)
    except CodeError as error:
        raise NotFound("没有找到这张回执，请对照回执再抄一遍。") from error
    found = objections_of(place).filter(lookup_code=wanted).first()
    if found is None:
        raise NotFound("没有找到这张回执，请对照回执再抄一遍。")
    return found


def objection_numbers(place: str, start: date, end: date) -> dict[str, int]:
    """For the public page: received, open, upheld, refused, and answered or still open after their day (G-19)."""
    rows = Objection.objects.filter(place=place, received_at__date__range=(start, end))
    day = today()
    found: dict[str, int] = rows.aggregate(
        received=Count("pk"),
        open=Count("pk", filter=Q(status__in=Objection.OPEN)),
        upheld=Count("pk", filter=Q(status="upheld")),
        refused=Count("pk", filter=Q(status="refused")),
    )
    late = 0
    for status, due, answered in rows.values_list("status", "due_on", "answered_at"):
        ended = local_date(answered) if answered else (day if status in Objection.OPEN else due)
        late += ended > due
    return found | {"late": late}


# ------------------------------------------------------------------------------------------------- due today


@dataclass(frozen=True, slots=True)
class Duty:
    """One thing owed. kind: stable word for links. who: roles in words. due: None where no day is set.
    target: an id for the link, or ""."""

    kind: str
    title: str
    who: str
    due: date | None
    overdue: bool
    count: int = 1
    target: str = ""


def due_today(place: str) -> list[Duty]:
    """What is owed in this village, by whom, by when; overdue first. About 8 queries."""
    day = today()
    found = [*_review_duties(place), *_notice_duties(place, day), *_objection_duties(place, day)]
    visits = len(recheck_list(place))
    if visits:
        found.append(Duty("recheck", f"{visits} 条申报抽中回访", "监督委员、村文书", None, False, visits))
    return sorted(found, key=lambda duty: (not duty.overdue, duty.due or date.max, duty.kind))


def _review_duties(place: str) -> list[Duty]:
    counts = waiting_counts(place)
    words = (
        (Claim.Status.SUBMITTED, "review", "条申报等待评议", "评议员"),
        (Claim.Status.SECOND_REVIEW, "second_review", "条申报等待复核", "评议员"),
        (Claim.Status.COUNCIL, "council", "条申报等待议事会", "议事会成员"),
        (Claim.Status.RETURNED, "returned", "条申报退回待补充", "申报人"),
    )
    found = [
        Duty(kind, f"{counts[status]} {text}", who, None, False, counts[status])
        for status, kind, text, who in words
        if counts.get(status)
    ]
    unheard = (
        Claim.objects.filter(place=place, status__in=Claim.OPEN, heard="").exclude(reminded_on=None).count()
    )
    if unheard:
        found.append(Duty("hearing", f"{unheard} 条扣分还没有听本户怎么说", "村文书", None, False, unheard))
    return found


def _notice_duties(place: str, day: date) -> list[Duty]:
    notice = current_notice(place)
    if notice is not None:
        overdue = day > notice.closes_on
        title = f"《{notice.title}》" + ("已期满，请结束并入账" if overdue else "公示中")
        return [
            Duty(
                "close" if overdue else "notice",
                title,
                "村文书",
                notice.closes_on,
                overdue,
                1,
                str(notice.pk),
            )
        ]
    book = in_force(place, day)
    if book is None:
        return [Duty("rulebook", "还没有施行中的积分细则", "村文书、议事会成员", None, False)]
    last = previous_period(period_of(day, book.settlement))
    if is_closed(place, last.code):
        return []
    ready = Claim.objects.filter(place=place, status=Claim.Status.APPROVED, occurred_on__lte=last.end).count()
    if not ready:
        return []
    due = last.end + timedelta(days=10)
    return [Duty("open", f"{last.title}有 {ready} 条可以公示", "村文书", due, day > due, ready, last.code)]


def _objection_duties(place: str, day: date) -> list[Duty]:
    found = []
    for objection in open_objections(place):
        if objection.status == Objection.Status.RECEIVED:
            due = objection.acknowledge_due
            found.append(
                Duty(
                    "acknowledge",
                    f"异议 {objection} 要受理",
                    "村文书、监督委员",
                    due,
                    day > due,
                    1,
                    str(objection.pk),
                )
            )
        due = objection.due_on
        found.append(
            Duty(
                "answer",
                f"异议 {objection} 要书面答复",
                "监督委员、议事会成员",
                due,
                day > due,
                1,
                str(objection.pk),
            )
        )
    return found


def answerers(place: str) -> list[Membership]:
    """Who may answer objections here today: for the page that says whom to ask. One query."""
    day = today()
    rows = Membership.objects.filter(place=place, role__in=["supervisor", "council"], valid_from__lte=day)
    return list(rows.filter(Q(valid_to=None) | Q(valid_to__gt=day)).select_related("user"))
