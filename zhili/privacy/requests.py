"""Requests about one's own data (个人信息保护法 44–50): taken in with a slip, answered in time, refused only with a
reason and the way to appeal.

Deadlines run in working days from the day after the request: 15 to answer, once 15 more for a reason the person is
told (GB/T 35273-2020 8.7 asks for an answer within thirty days). Withdrawing consent is at once.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from django.db import transaction
from django.db.models import Max

from zhili.audit.actions import record
from zhili.common.clock import now
from zhili.common.errors import NotAllowed
from zhili.common.ids import short_code, uuid7
from zhili.common.masking import scan_public
from zhili.common.periods import today
from zhili.common.policy import may
from zhili.common.workdays import add_workdays
from zhili.notices.opening import holidays
from zhili.people.models import Resident, User
from zhili.privacy.access import asks_as, erased, must
from zhili.privacy.erasing import erase, refuse_unless_erasable
from zhili.privacy.errors import PrivacyError
from zhili.privacy.models import Request

Kind, Channel, Status, AskedBy = Request.Kind, Request.Channel, Request.Status, Request.AskedBy
ANSWER_WORKDAYS: Final = 15
LONGER_WORKDAYS: Final = 15
TEXT_MAX: Final = 500
OPEN_PER_PERSON: Final = 10
NEEDS_TEXT: Final = {
    Kind.CORRECT: "写哪里错了、应当是什么",
    Kind.COMPLETE: "写缺了什么",
    Kind.EXPLAIN: "写想问什么",
}
# What relatives may do for the dead (49): look, copy, correct, delete.
FOR_THE_DEAD: Final = (Kind.COPY, Kind.CORRECT, Kind.DELETE, Kind.EXPLAIN)
# Answered at once, out of the system itself.
AT_ONCE: Final = (Kind.COPY,)
APPEAL: Final = "可以向村务监督委员会反映，向区县网信部门投诉，也可以依法向人民法院起诉"


def ask(
    *,
    by: User,
    resident: Resident,
    kind: str,
    channel: str,
    text: str = "",
    asked_by: str = "",
    asker: Resident | None = None,
    asker_name: str = "",
    relation: str = "",
    paper_number: str = "",
) -> Request:
    """Take a request in; the slip shows number, due day and lookup_code. Raises PrivacyError, NotAllowed.

    On the phone who asks follows from who is signed in. At the desk and on paper the clerk says who it was:
    relatives of the dead give their name and how they are related.
    """
    if kind not in Kind.values or channel not in Channel.values:
        raise PrivacyError("没有这种要求", field="kind", hint="请刷新页面后重新选。")
    resident = Resident.objects.select_related("household").get(pk=resident.pk)
    if channel == Channel.PHONE:
        asked_by = asks_as(by, resident)
        if not asked_by:
            raise NotAllowed("您不能替这个人提要求", hint="请本人办理，或请村文书代录。")
        asker = by.resident if asked_by != AskedBy.PERSON else None
    else:
        must(by, "privacy.handle", resident.place, "受理个人信息请求")
        asked_by = asked_by or AskedBy.PERSON
    text, asker_name, relation = _words(text), asker_name.strip()[:60], relation.strip()[:30]
    _check(resident, kind, channel, text, asked_by, asker, asker_name, relation, paper_number.strip())
    with transaction.atomic():
        Resident.objects.select_for_update(of=("self",)).get(pk=resident.pk)
        _refuse_again(resident, kind)
        number = Request.objects.filter(place=resident.place).aggregate(last=Max("number"))["last"] or 0
        made = Request.objects.create(
            place=resident.place, number=number + 1, kind=kind, resident=resident, asked_by=asked_by, asker=asker,
            asker_name=asker_name, relation=relation, text=text, channel=channel,
            paper_number=paper_number.strip()[:30], entered_by=by, due_on=due(today()),
            lookup_code=short_code(uuid7(), 12),
        )  # fmt: skip
        record(
            "privacy.ask", by=by, place=made.place, target=made, kind=kind, channel=channel, asked_by=asked_by,
            resident=str(resident.pk),
        )  # fmt: skip
    return made


def due(start: date, days: int = ANSWER_WORKDAYS) -> date:
    """The last day to answer: `days` working days after `start`, by the county's own calendar."""
    return add_workdays(start, days, holidays())


def answer(*, by: User, request: Request, text: str) -> Request:
    """办好了: what was done, in words the person can read. A deletion goes through prepare_erasure and approve."""
    row, text = _open(by, request), _words(text)
    if row.kind == Kind.DELETE:
        raise PrivacyError("删除要另一个人批准", hint="请用“同意删除，请人批准”。")
    if len(text) < 2:
        raise PrivacyError("请写明办了什么", field="text", hint="例如：已改正，出生日期现在是 1960 年 1 月。")
    return _close(by, row, Status.DONE, text, "privacy.answer")


def refuse(*, by: User, request: Request, reason: str) -> Request:
    """Not granted: the reason and the way to appeal are told (50)."""
    row, reason = _open(by, request, either=True), _words(reason)
    if len(reason) < 5:
        raise PrivacyError(
            "不同意要写明理由", field="text", hint="写给本人看的一两句话，例如法律要求保存的是哪一项。"
        )
    return _close(by, row, Status.REFUSED, reason, "privacy.refuse")


def extend(*, by: User, request: Request, reason: str) -> Request:
    """Once, for a reason: 15 working days more from the due day, never after it has passed."""
    row, reason = _open(by, request), _words(reason, 200)
    if row.longer_because:
        raise PrivacyError("已经延过一次，不能再延", hint="请在期限内答复。")
    if today() > row.due_on:
        raise PrivacyError("已经过了期限，不能再延", hint="请马上答复。")
    if len(reason) < 5:
        raise PrivacyError("请写明为什么要延期", field="text", hint="本人会看到这句话。")
    with transaction.atomic():
        row.longer_because, row.due_on = reason, due(row.due_on, LONGER_WORKDAYS)
        row.save(update_fields=["longer_because", "due_on"])
        record("privacy.extend", by=by, place=row.place, target=row, due_on=row.due_on.isoformat())
    return row


def cancel(*, by: User, request: Request) -> Request:
    """Whoever asked takes it back."""
    with transaction.atomic():
        row = _locked(request)
        if not (asks_as(by, row.resident) or may(by, "privacy.handle", row.place)):
            raise NotAllowed("您不能撤回这个请求")
        row.status, row.handled_by, row.handled_at = Status.CANCELLED, by, now()
        row.save(update_fields=["status", "handled_by", "handled_at"])
        record("privacy.cancel", by=by, place=row.place, target=row)
    return row


def prepare_erasure(*, by: User, request: Request, text: str = "") -> Request:
    """The first hand: nothing stands in the way; a second person must look before anybody is removed (T-07)."""
    row = _open(by, request)
    if row.kind != Kind.DELETE:
        raise PrivacyError("这不是删除请求")
    refuse_unless_erasable(row.resident)
    with transaction.atomic():
        row.status, row.handled_by, row.handled_at = Status.SECOND, by, now()
        row.answer = _words(text)
        row.save(update_fields=["status", "handled_by", "handled_at", "answer"])
        record("privacy.prepare_erasure", by=by, place=row.place, target=row, resident=str(row.resident_id))
    return row


def approve_erasure(*, by: User, request: Request) -> Request:
    """The second hand: the person is removed in this transaction; what stays has no name on it."""
    with transaction.atomic():
        row = _locked(request)
        if row.status != Status.SECOND:
            raise PrivacyError("这个请求现在不等批准", hint="请刷新页面看现在的状态。")
        must(by, "privacy.approve", row, "批准删除")
        done = erase(resident=row.resident, by=row.handled_by, approved_by=by, basis="request", request=row)
        row = _locked(request)  # the erasure has emptied its words
        row.status, row.approved_by, row.approved_at = Status.DONE, by, now()
        row.answer = "已删除。分数和日期留在账上，不再指向任何人。"
        row.save(update_fields=["status", "approved_by", "approved_at", "answer"])
        record(
            "privacy.approve_erasure", by=by, place=row.place, target=row, resident=str(row.resident_id),
            counts=done.counts,
        )  # fmt: skip
    return row


def send_back(*, by: User, request: Request, reason: str) -> Request:
    """The second hand does not agree: back to the first, with a reason."""
    reason = _words(reason, 200)
    with transaction.atomic():
        row = _locked(request)
        if row.status != Status.SECOND:
            raise PrivacyError("这个请求现在不等批准", hint="请刷新页面看现在的状态。")
        must(by, "privacy.approve", row, "批准删除")
        if len(reason) < 5:
            raise PrivacyError("请写明为什么退回", field="text")
        row.status, row.answer, row.handled_by, row.handled_at = Status.RECEIVED, reason, None, None
        row.save(update_fields=["status", "answer", "handled_by", "handled_at"])
        record("privacy.send_back", by=by, place=row.place, target=row)
    return row


def _check(
    resident: Resident, kind: str, channel: str, text: str, asked_by: str, asker: Resident | None,
    asker_name: str, relation: str, paper_number: str,
) -> None:  # fmt: skip
    dead = resident.status == Resident.Status.DEAD
    if asked_by not in AskedBy.values:
        raise PrivacyError("请选是谁提的", field="asked_by")
    if dead != (asked_by == AskedBy.RELATIVE):
        raise PrivacyError(
            "已去世的人由近亲属提" if dead else "近亲属只能替已去世的人提",
            field="asked_by",
            hint="请重新选是谁提的。",
        )
    if dead and kind not in FOR_THE_DEAD:
        raise PrivacyError("替已去世的人只能查阅、复制、更正、删除", field="kind")
    if asked_by == AskedBy.GUARDIAN and not resident.is_minor():
        raise PrivacyError("监护人只能替未满 14 岁的孩子提", field="asked_by")
    if asked_by != AskedBy.PERSON and asker is None and not (asker_name and relation):
        raise PrivacyError("请写代提人的姓名和与本人的关系", field="asker_name")
    if kind in NEEDS_TEXT and len(text) < 2:
        raise PrivacyError(f"请{NEEDS_TEXT[Kind(kind)]}", field="text", hint="一句话就可以。")
    if channel == Channel.PAPER and not paper_number:
        raise PrivacyError("请填申请表的编号", field="paper_number", hint="编号写在表的右上角。")
    if len(paper_number) > 30:
        raise PrivacyError("编号太长，最多 30 个字", field="paper_number")
    if erased(resident):
        raise PrivacyError("这个人的信息已经删除，没有可以办的了")


def _refuse_again(resident: Resident, kind: str) -> None:
    open_ones = list(Request.objects.filter(resident=resident, status__in=Request.OPEN))
    same = next((one for one in open_ones if one.kind == kind and kind in (Kind.COPY, Kind.DELETE)), None)
    if same is not None:
        raise PrivacyError(f"同样的请求 {same} 还在办", hint=f"{same.due_on:%-m月%-d日}前答复，请等一等。")
    if len(open_ones) >= OPEN_PER_PERSON:
        raise PrivacyError(f"已有 {OPEN_PER_PERSON} 个请求在办", hint="请等前面的办好再提。")


def _words(text: str, most: int = TEXT_MAX) -> str:
    """What was typed. Numbers of a person do not belong into free text: they could not be found again to erase."""
    text = text.replace("\x00", "").strip()
    if len(text) > most:
        raise PrivacyError(f"最多 {most} 个字", field="text", hint="请写要点。")
    if any(leak.blocks for leak in scan_public(text)):
        raise PrivacyError("请不要把证件号、电话、卡号写在这里", field="text", hint="号码当面给村文书看。")
    return text


def _locked(request: Request) -> Request:
    row = (
        Request.objects.select_for_update(of=("self",))
        .select_related("resident__household")
        .get(pk=request.pk)
    )
    if not row.is_open:
        raise PrivacyError(f"这个请求{row.get_status_display()}，不能再办", hint="请刷新页面看结果。")
    return row


def _open(by: User, request: Request, *, either: bool = False) -> Request:
    """The row as it stands, for somebody who handles requests and is not the person concerned."""
    row = Request.objects.select_related("resident__household").get(pk=request.pk)
    if not row.is_open:
        raise PrivacyError(f"这个请求{row.get_status_display()}，不能再办", hint="请刷新页面看结果。")
    if row.status == Status.SECOND and not either:
        raise PrivacyError("这个请求正等另一人批准", hint="要改，请先由批准的人退回。")
    must(by, "privacy.handle", row.place, "办理个人信息请求")
    if by.resident_id is not None and by.resident_id in (row.resident_id, row.asker_id):
        raise NotAllowed("自己的请求要由别人办理", hint="请另一位文书或乡镇经办人办。")
    return row


def _close(by: User, row: Request, status: str, text: str, action: str) -> Request:
    with transaction.atomic():
        row = _locked(row)
        row.status, row.answer, row.handled_by, row.handled_at = status, text, by, now()
        if status == Status.REFUSED and row.approved_by_id == by.pk:
            row.approved_by = None
        row.save(update_fields=["status", "answer", "handled_by", "handled_at", "approved_by"])
        record(action, by=by, place=row.place, target=row, days_late=max((today() - row.due_on).days, 0))
    return row


def record_export(*, by: User, place: str, count: int) -> None:
    """The list of requests left as Excel."""
    record("privacy.export_requests", by=by, place=place, count=count)
