"""公示: everything approved for a period is frozen as it will hang on the wall, and hung out for so many working
days. What is public is decided here once: masked names, no name beside a deduction, nothing of children.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max

from zhili.audit.actions import record
from zhili.claims.actions import Frozen, post_openings, put_on_notice
from zhili.claims.models import Claim
from zhili.claims.scoring import score_claims
from zhili.common.errors import NotAllowed
from zhili.common.faults import fault
from zhili.common.gates import pass_gate
from zhili.common.masking import mask_name, scan_public
from zhili.common.models import Holiday
from zhili.common.periods import KIND_TITLES, Period, parse_code, period_of, today
from zhili.common.points import format_signed
from zhili.common.policy import may
from zhili.common.workdays import add_workdays, is_workday
from zhili.ledger.queries import is_closed, latest_head
from zhili.notices.digest import content_digest, seal_names
from zhili.notices.errors import Conflict, NoticeError
from zhili.notices.models import Line, Notice
from zhili.people.models import Household, Resident, User
from zhili.people.queries import head_names
from zhili.places.models import VillageSettings
from zhili.places.queries import get_place, village_settings
from zhili.rulebook.calculator import Scored
from zhili.rulebook.queries import in_force

LINES_MAX: Final = 20_000


def holidays() -> dict[date, bool]:
    """The county's own calendar over the published one: day → whether offices work."""
    return dict(Holiday.objects.values_list("day", "is_workday"))


def lock_notices(place: str) -> None:
    """One person at a time opens, closes, objects or answers in a village; held to the end of the transaction.

    So no objection can slip in between the last look at the lines and their posting.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"notices:{place}"])


def open_notice(*, by: User, place: str, period: str, on: date | None = None) -> Notice:
    """Hang out every approved claim of the village up to the end of `period`, today.

    The book's base and block starts (期初) for the period reach every passbook first, so that deductions find
    them there. period: a code of the book's settlement (2026-10, 2026-Q3 …) that is over. Raises NoticeError, NotAllowed,
    Conflict. Statements do not grow with the number of lines.
    """
    if not may(by, "notices.manage", place):
        raise NotAllowed("只有村文书可以公布公示")
    pass_gate("publish", place=place)  # not before its impact has been assessed (P-09)
    day = on or today()
    calendar = holidays()
    wanted = _checked_period(place, period, day)
    _checked_day(day, calendar)
    settings = village_settings(place)
    with transaction.atomic():
        lock_notices(place)
        standing = Notice.objects.filter(place=place, status=Notice.Status.OPEN).first()
        if standing is not None:
            raise Conflict(
                f"《{standing.title}》还在公示，到 {standing.closes_on:%-m月%-d日}为止",
                hint="结束之后再公布下一期。",
            )
        claims = _approved(place, wanted)
        lines = _freeze(place, wanted, day, claims, score_claims(claims))
        post_openings(place=place, on=wanted.end, by=by)
        fault("notice.open.openings")
        number = (Notice.objects.filter(place=place).aggregate(last=Max("number"))["last"] or 0) + 1
        head = latest_head(place)
        notice = Notice(
            place=place,
            number=number,
            period=wanted.code,
            title=f"{get_place(place).short_name}{wanted.title}积分公示（第{number}期）"[:80],
            opens_on=day,
            closes_on=add_workdays(day, settings.notice_days, calendar),
            ledger_head=head.head if head else "",
            opened_by=by,
        )
        seal_names(lines)
        notice.digest = content_digest(notice, lines)
        _refuse_leaks(notice, lines, settings, claims)
        notice.save(force_insert=True)
        for line in lines:
            line.notice = notice
        Line.objects.bulk_create(lines)
        fault("notice.open.lines")
        put_on_notice(place, [Frozen(line.claim_id, line.points, line.why, line.late) for line in lines])
        record(
            "notices.open",
            by=by,
            place=place,
            target=notice,
            period=period,
            lines=len(lines),
            digest=notice.digest,
        )
        fault("notice.open.before_commit")
    return notice


def _checked_period(place: str, code: str, day: date) -> Period:
    wanted = parse_code(code)
    if wanted.kind == "ever" or wanted.end >= day:
        raise NoticeError(
            f"{wanted.title}还没有过完，不能公示", field="period", hint="请等这一期结束，或选择上一期。"
        )
    book = in_force(place, wanted.end)
    if book is None:
        raise NoticeError(f"{wanted.title}没有施行中的积分细则", field="period", hint="请核对期间。")
    if wanted.kind != book.settlement:
        fits = period_of(wanted.end, book.settlement)
        raise NoticeError(
            f"本村细则{KIND_TITLES[book.settlement]}结算一次，{wanted.title}不是一个结算期",
            field="period",
            hint=f"请选择 {fits.title}（{fits.code}）。",
        )
    if is_closed(place, wanted.code):
        raise NoticeError(
            f"{wanted.title}已经结账", field="period", hint="这一期的补记会自动列入下一期公示。"
        )
    return wanted


def _checked_day(day: date, calendar: dict[date, bool]) -> None:
    if day != today():
        raise NoticeError("公示从公布当天起算，不能倒填，也不能预填日期", field="on")
    if not is_workday(day, calendar):
        after = add_workdays(day, 1, calendar)
        raise NoticeError(
            f"{day:%-m月%-d日}不是工作日，不能公布", field="on", hint=f"请在{after:%-m月%-d日}公布。"
        )


def _approved(place: str, period: Period) -> list[Claim]:
    rows = Claim.objects.filter(
        place=place, status=Claim.Status.APPROVED, occurred_on__lte=period.end
    ).select_related("household", "resident", "item", "book")
    claims = list(rows.order_by("occurred_on", "pk")[: LINES_MAX + 1])
    if not claims:
        raise NoticeError(
            f"{period.title}没有通过评议的申报，没有可公示的", field="period", hint="请先完成评议。"
        )
    if len(claims) > LINES_MAX:
        raise NoticeError(f"一期最多公示 {LINES_MAX} 条", hint="请缩短结算周期。")
    return claims


def _freeze(
    place: str, period: Period, day: date, claims: Sequence[Claim], scores: dict[UUID, Scored]
) -> list[Line]:
    """Lines as they will hang, in the order of the poster: group, household, day."""
    heads = head_names(place, list({claim.household_id for claim in claims}))
    ordered = sorted(
        claims,
        key=lambda claim: (
            _natural(claim.household.group), _natural(claim.household.code), claim.occurred_on, claim.number,
        ),
    )  # fmt: skip
    lines = []
    for position, claim in enumerate(ordered, start=1):
        scored = scores[claim.pk]
        person = claim.resident
        named = person.name if person and not person.is_minor(day) else heads.get(claim.household_id, "")
        lines.append(
            Line(
                place=place,
                position=position,
                claim=claim,
                household=claim.household,
                group=claim.household.group,
                household_code=claim.household.code,
                name_masked=mask_name(named)[:60],
                item_title=claim.item.title,
                occurred_on=claim.occurred_on,
                points=scored.awarded,
                why=list(scored.why),
                late=claim.occurred_on < period.start,
                # Deductions hang without a name (M-09); so does what cost points before a cap cut it to nothing.
                public_name=claim.household.published and scored.awarded >= 0 and scored.raw >= 0,
            )
        )
    return lines


def _natural(text: str) -> list[tuple[int, int, str]]:
    """2组 before 10组."""
    parts = re.split(r"(\d+)", text)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def public_text(line: Line) -> str:
    """Everything of a line that any public face may show, as one text to scan."""
    shown = line.name_masked if line.public_name else ""
    return " ".join(
        [line.group, line.household_code, shown, line.item_title, format_signed(line.points), *line.why]
    )


def _refuse_leaks(
    notice: Notice, lines: Sequence[Line], settings: VillageSettings, claims: Sequence[Claim]
) -> None:
    """M-08: the finished text is looked over before it hangs; one digit too many and nothing is published."""
    texts = [notice.title, *(public_text(line) for line in lines)]
    starts, at = [], 0
    for text in texts:
        starts.append(at)
        at += len(text) + 1
    phones = [phone for phone in (settings.office_phone, settings.supervisor_phone) if phone]
    leaks = scan_public(
        "\n".join(texts), allowed=phones, minors=minors_of(claim.household for claim in claims)
    )
    blocking = [leak for leak in leaks if leak.blocks]
    if blocking:
        leak = blocking[0]
        n = max(index for index, start in enumerate(starts) if start <= leak.start)
        where = (
            f"第 {n} 条（{lines[n - 1].household_code} 户 {lines[n - 1].item_title[:20]}）" if n else "标题"
        )
        raise NoticeError(
            f"{where}里有不能公开的内容：{leak.message}", hint="请改正户编号、项目名称或细则后再公布。"
        )


def minors_of(households: Iterable[Household]) -> list[str]:
    """Full names of children under 14 in these households: they must not stand on any public face (P-07)."""
    day = today()
    born_after = date(day.year - 14, day.month, 28 if (day.month, day.day) == (2, 29) else day.day)
    ids = list({household.pk for household in households})
    rows = Resident.objects.filter(household__in=ids, birth_date__gt=born_after)
    return list(rows.values_list("name", flat=True).distinct())
