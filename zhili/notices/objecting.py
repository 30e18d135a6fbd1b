"""异议: anybody may object to a line, with a name or without, on the phone or on paper; it holds that line only,
until people who did not decide before have answered in writing (G-19).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Max

from zhili.audit.actions import record
from zhili.claims import actions as claims
from zhili.claims.access import of_household
from zhili.claims.scoring import allowed_points
from zhili.common.clock import now
from zhili.common.errors import NotAllowed
from zhili.common.ids import short_code, uuid7
from zhili.common.masking import scan_public
from zhili.common.periods import today
from zhili.common.points import format_points, format_signed
from zhili.common.policy import may
from zhili.notices.access import ANSWERERS, involved
from zhili.notices.closing import post_held
from zhili.notices.errors import Conflict, NoticeError
from zhili.notices.models import Line, Notice, Objection
from zhili.notices.opening import lock_notices
from zhili.people.models import Membership, Resident, User
from zhili.people.queries import active_delegation
from zhili.places.queries import village_settings
from zhili.rulebook.queries import parsed

TEXT_MAX: Final = 500
ANSWER_MAX: Final = 500
PER_LINE_MAX: Final = 20
PER_DAY_MAX: Final = 300
CHANNELS: Final = ("phone", "paper", "counter", "open", "api", "offline")
Role = Membership.Role
Status = Objection.Status


def object_to(
    *,
    line: Line,
    text: str,
    by: User | None = None,
    resident: Resident | None = None,
    channel: str,
    paper_number: str = "",
    id: UUID | None = None,
) -> Objection:
    """Object to a line that hangs out; it is held from this moment. The slip shows `lookup_code`.

    by None: without a name, from the open page. resident: whose objection a clerk keys in from paper, or for
    whom a delegate speaks. The same id with the same text gives the objection that is there.
    Raises NoticeError (with the field), Conflict, NotAllowed.
    """
    text, paper_number = text.strip(), paper_number.strip()
    _check_text(text, channel, paper_number)
    objector = _objector(line.place, by, resident)
    with transaction.atomic():
        lock_notices(line.place)
        key = id or uuid7()
        known = Objection.objects.filter(pk=key).first()
        if known is not None:
            if (known.line_id, known.text) != (line.pk, text):
                raise Conflict("这个提交编号已用于另一条异议", field="id", hint="请刷新页面后重新填写。")
            return known
        line = Line.objects.select_related("notice").get(pk=line.pk)
        _refuse_closed(line)
        _refuse_flood(line)
        settings = village_settings(line.place)
        number = (Objection.objects.filter(place=line.place).aggregate(last=Max("number"))["last"] or 0) + 1
        try:
            with transaction.atomic():
                objection = Objection.objects.create(
                    id=key,
                    place=line.place,
                    number=number,
                    line=line,
                    text=text,
                    by_resident=objector,
                    entered_by=by,
                    channel=channel,
                    paper_number=paper_number,
                    acknowledge_due=today() + timedelta(days=settings.acknowledge_days),
                    due_on=today() + timedelta(days=settings.answer_days),
                    lookup_code=short_code(uuid7(), 12),
                )
        except IntegrityError as error:
            raise Conflict("这个提交编号已被使用", field="id", hint="请刷新页面后重新填写。") from error
        Line.objects.filter(pk=line.pk, status=Line.Status.SHOWN).update(status=Line.Status.HELD)
        claims.hold(line.claim_id)
        # Who objected stands in the objection itself, for those who answer it; the trace says only that.
        record(
            "notices.object", by=by, place=line.place, target=objection, line=str(line.pk), channel=channel
        )
    return objection


def _check_text(text: str, channel: str, paper_number: str) -> None:
    if len(text) < 2:
        raise NoticeError("请写明哪里不对", field="text", hint="一句话就可以，例如：那天他不在村里。")
    if len(text) > TEXT_MAX:
        raise NoticeError(
            f"理由太长，最多 {TEXT_MAX} 个字", field="text", hint="请写要点，材料可以交到村里。"
        )
    if "\x00" in text or "\x00" in paper_number:
        raise NoticeError("里面有看不见的字符", field="text", hint="请删掉重新输入。")
    if channel not in CHANNELS:
        raise NoticeError("没有这种渠道", field="channel")
    if len(paper_number) > 30:
        raise NoticeError("纸质编号太长，最多 30 个字", field="paper_number")


def _objector(place: str, by: User | None, resident: Resident | None) -> Resident | None:
    """Whose objection it is. Raises NotAllowed where the person may not speak for that one."""
    if by is None:
        if resident is not None:
            raise NotAllowed("没有登录，不能替别人署名", hint="可以匿名提，或请村文书代录。")
        return None
    if not may(by, "notices.object", place):
        raise NotAllowed("您不是本村的人", hint="可以在公开页面匿名提出异议。")
    if resident is None:
        staff = by.has_role(Role.CLERK, Role.GROUP_LEADER, place=place)
        return None if staff else by.resident
    if resident.place != place:
        raise NotAllowed("这个人不是本村的")
    staff = by.has_role(Role.CLERK, Role.GROUP_LEADER, Role.SUPERVISOR, place=place)
    own = of_household(by, resident.household_id)
    if not (staff or own or active_delegation(by, resident, "object")):
        raise NotAllowed("您不能替这个人提异议", hint="请先办理代办委托，或请村文书代录。")
    return resident


def _refuse_closed(line: Line) -> None:
    notice = line.notice
    if notice.status != Notice.Status.OPEN or today() > notice.closes_on:
        raise NoticeError(
            f"《{notice.title}》的异议期到 {notice.closes_on:%Y年%-m月%-d日}为止，已经过了",
            hint="请直接找村监督委员会或乡镇反映，查实后可以冲正。",
        )
    if line.status == Line.Status.DROPPED:
        raise NoticeError("这一条已经撤下，不会入账，不用再提异议")


def _refuse_flood(line: Line) -> None:
    if Objection.objects.filter(line=line).count() >= PER_LINE_MAX:
        raise NoticeError("这一条已收到很多异议，正在办理，不再重复登记", hint="补充材料请交到村监督委员会。")
    recent = now() - timedelta(days=1)
    if Objection.objects.filter(place=line.place, received_at__gte=recent).count() >= PER_DAY_MAX:
        raise NoticeError("今天收到的异议太多，系统暂停登记", hint="请打村里的电话，或写在纸上交到村里。")


def acknowledge(*, by: User, objection: Objection) -> Objection:
    """The objection is received and being looked into; within the days the village has set."""
    if not may(by, "notices.acknowledge", objection):
        raise NotAllowed("您的身份不能受理异议")
    with transaction.atomic():
        done = Objection.objects.filter(pk=objection.pk, status=Status.RECEIVED).update(
            status=Status.ACKNOWLEDGED, acknowledged_at=now()
        )
        objection.refresh_from_db()
        if not done:
            raise Conflict(f"{objection} 已经是“{objection.get_status_display()}”")
        record("notices.acknowledge", by=by, place=objection.place, target=objection)
    return objection


def withdraw_objection(*, objection: Objection, by: User | None = None, lookup_code: str = "") -> Objection:
    """Whoever made it takes it back: the named person, the clerk who keyed in the paper, or the slip's holder."""
    own = by is not None and (
        (by.resident_id is not None and by.resident_id == objection.by_resident_id)
        or (objection.entered_by_id == by.pk)
    )
    if not own and lookup_code != objection.lookup_code:
        raise NotAllowed("只有提异议的人可以撤回", hint="匿名提的，请输入回执上的查询码。")
    with transaction.atomic():
        lock_notices(objection.place)
        done = Objection.objects.filter(pk=objection.pk, status__in=Objection.OPEN).update(
            status=Status.WITHDRAWN
        )
        objection.refresh_from_db()
        if not done:
            raise Conflict(f"{objection} 已经是“{objection.get_status_display()}”")
        record("notices.objection_withdraw", by=by, place=objection.place, target=objection)
        _after_last_answer(by or objection.line.notice.opened_by, objection.line_id)
    return objection


def answer_objection(
    *, by: User, objection: Objection, outcome: str, answer: str, points: int | None = None
) -> Objection:
    """The written answer. outcome "refused": the line is released. "upheld": corrected to `points` (hundredths,
    within the rule), or taken down where `points` is None or 0.

    Released or corrected lines of a closed notice are posted at once, into the open period. Raises NotAllowed
    for anybody who submitted, reviewed or published it or must stay out.
    """
    answer = answer.strip()
    if outcome not in (Status.UPHELD, Status.REFUSED):
        raise NoticeError("请选择异议成立或不成立", field="outcome")
    if not 2 <= len(answer) <= ANSWER_MAX:
        raise NoticeError(
            f"要写书面答复，最多 {ANSWER_MAX} 个字", field="answer", hint="写明查了什么、结论是什么。"
        )
    if outcome == Status.REFUSED and points is not None:
        raise NoticeError("异议不成立，分值不变", field="points", hint="要改分的，请选择异议成立。")
    if not by.has_role(*ANSWERERS, place=objection.place):
        raise NotAllowed("异议由监督委员、议事会成员或乡镇干部答复")
    with transaction.atomic():
        lock_notices(objection.place)
        objection = Objection.objects.select_related(
            "line__notice", "line__claim__item", "line__claim__book"
        ).get(pk=objection.pk)
        why_not = involved(by, objection)
        if why_not:
            raise NotAllowed(f"您不能答复这条异议：{why_not}", hint="要由没有参与过的人答复。")
        line = objection.line
        corrected = outcome == Status.UPHELD and bool(points) and line.status != Line.Status.DROPPED
        if corrected:
            assert points is not None
            check_points(line, points)
        done = Objection.objects.filter(pk=objection.pk, status__in=Objection.OPEN).update(
            status=outcome,
            answer=answer,
            answered_by=by,
            answered_at=now(),
            outcome_points=(points or 0) if outcome == Status.UPHELD else None,
        )
        if not done:
            raise Conflict(f"{objection} 已经是“{objection.get_status_display()}”", hint="请刷新后再看。")
        if outcome == Status.UPHELD:
            mark_corrected(line, points if corrected else None, f"{objection} 异议成立")
        record(
            "notices.answer",
            by=by,
            place=objection.place,
            target=objection,
            outcome_of_objection=outcome,
            points=points,
        )
        _after_last_answer(by, line.pk)
        objection.refresh_from_db()
    return objection


def _after_last_answer(by: User, line_id: UUID) -> None:
    """When nothing is open against a held line any more, it goes back on the notice, or into the ledger."""
    line = Line.objects.select_related("notice").get(pk=line_id)
    if line.status != Line.Status.HELD:
        return
    if Objection.objects.filter(line=line, status__in=Objection.OPEN).exists():
        return
    if line.notice.status == Notice.Status.OPEN:
        Line.objects.filter(pk=line.pk, status=Line.Status.HELD).update(status=Line.Status.SHOWN)
        claims.release(line.claim_id)
    else:
        post_held(by=by, line=line)


def check_points(line: Line, points: int) -> None:
    """A corrected score must be one that the rule can give. Raises NoticeError."""
    item = parsed(line.claim.book).item(line.claim.item.code)
    least, most = allowed_points(item)
    if not least <= points <= most:
        raise NoticeError(
            f"“{item.title}”改成 {format_points(points)} 分不合细则",
            field="points",
            hint=f"只能在 {format_points(least)} 至 {format_points(most)} 分之间。",
        )
    if points == line.points:
        raise NoticeError("分值没有变", field="points", hint="不改分的，请选择异议不成立。")


def mark_corrected(line: Line, points: int | None, reason: str) -> None:
    """Change a line so that everybody sees it was changed: the old score stays beside the new. None: taken down."""
    text = f"{format_signed(line.points)} 分改为 {format_signed(points)} 分" if points else "撤下，不入账"
    changes = {
        "correction": f"{text}：{reason}"[:200],
        "corrected_at": now(),
        "points_before": line.points if line.points_before is None else line.points_before,
    }
    if points:
        # A correction that turns an award into a deduction takes the name away with it (M-09).
        changes |= {"points": points, "public_name": line.public_name and points > 0}
        claims.correct(line.claim_id, points)
    else:
        changes |= {"status": Line.Status.DROPPED}
        claims.drop([line.claim_id])
    Line.objects.filter(pk=line.pk).exclude(status=Line.Status.POSTED).update(**changes)


def correct_line(*, by: User, line: Line, points: int | None, reason: str) -> Line:
    """The clerk corrects a mistake while the notice hangs; the change stays visible. points None: taken down.

    Raises NoticeError, Conflict, NotAllowed.
    """
    reason = reason.strip()
    if not may(by, "notices.manage", line.place):
        raise NotAllowed("只有村文书可以更正公示")
    if not 2 <= len(reason) <= 100:
        raise NoticeError("更正要写理由，最多 100 个字", field="reason", hint="理由会和更正一起公开。")
    settings = village_settings(line.place)
    phones = [phone for phone in (settings.office_phone, settings.supervisor_phone) if phone]
    blocking = [leak for leak in scan_public(reason, allowed=phones) if leak.blocks]
    if blocking:
        raise NoticeError(f"理由会公开，{blocking[0].message}", field="reason", hint="请去掉号码再提交。")
    with transaction.atomic():
        lock_notices(line.place)
        line = Line.objects.select_related("notice", "claim__item", "claim__book").get(pk=line.pk)
        if of_household(by, line.household_id):
            raise NotAllowed("这是您自己家的条目，要由别人更正")
        if line.notice.status != Notice.Status.OPEN or line.status not in (
            Line.Status.SHOWN,
            Line.Status.HELD,
        ):
            raise Conflict(
                f"这一条现在是“{line.get_status_display()}”，不能更正", hint="已入账的，请办理冲正。"
            )
        if points:
            check_points(line, points)
        mark_corrected(line, points or None, reason)
        record("notices.correct", by=by, place=line.place, target=line, points=points, before=line.points)
        line.refresh_from_db()
    return line
