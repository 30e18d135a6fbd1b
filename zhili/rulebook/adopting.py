"""How a draft comes to bind a village: opinions asked, voted by the assembly, filed with the township, in force from a day.

Every step is put on record by somebody who did not write the text (A-07). Red lines stop it whoever asks; what
needs a legal opinion needs one on record, and that record is public.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction

from zhili.audit.actions import record
from zhili.common.clock import now
from zhili.common.periods import today
from zhili.people.models import User
from zhili.rulebook.access import must
from zhili.rulebook.drafting import BEFORE_FORCE, REASON_MAX, lock, one_at_a_time, stamp, words
from zhili.rulebook.errors import RuleBookError
from zhili.rulebook.models import RuleBook
from zhili.rulebook.queries import checked, parsed, waiting_for_review
from zhili.rulebook.redlines import Report

Status = RuleBook.Status
CONSULTATION_DAYS_MIN: Final = 3
CONSULTATION_DAYS_MAX: Final = 60
PEOPLE_MAX: Final = 20_000
# Meeting → its name, and the share of those entitled that must be there for it to decide.
MEETINGS: Final[dict[str, tuple[str, int, int]]] = {
    "assembly": ("村民会议（十八周岁以上村民）", 1, 2),
    "households": ("村民会议（每户一名代表）", 2, 3),
    "representatives": ("村民代表会议", 2, 3),
}


def open_consultation(
    *, by: User, book: RuleBook, on: date, until: date, note: str = "", seen_digest: str | None = None
) -> RuleBook:
    """Hang the draft out for opinions from `on` to `until`; from now on everybody can read it. Raises RuleBookError."""
    must(by, "rulebook.consult", book)
    note = words(note, "说明", REASON_MAX, field="note", required=False)
    days = (until - on).days
    if on > today():
        raise _wrong("on", f"开始日期 {on} 还没有到", "请填今天，或已经张贴出来的那一天")
    if not CONSULTATION_DAYS_MIN <= days <= CONSULTATION_DAYS_MAX:
        raise _wrong(
            "until", f"征求意见要 {CONSULTATION_DAYS_MIN} 至 {CONSULTATION_DAYS_MAX} 天", "请改结束日期"
        )
    with transaction.atomic():
        row = lock(book, (Status.DRAFT,), "征求意见", seen_digest)
        _refuse_blocked(checked(row), "征求意见")
        row.status = Status.CONSULTATION
        row.consultation = {
            "on": on.isoformat(), "until": until.isoformat(), "note": note, **stamp(by, row.place),
        }  # fmt: skip
        row.save(update_fields=["status", "consultation"])
        record("rulebook.consult", by=by, place=row.place, target=row, until=until.isoformat())
    return row


def record_adoption(
    *,
    by: User,
    book: RuleBook,
    meeting: str,
    on: date,
    entitled: int,
    present: int,
    in_favour: int,
    against: int,
    women_present: int,
    minutes_ref: str,
    seen_digest: str | None = None,
) -> RuleBook:
    """Put on record how the village voted. meeting: a key of MEETINGS; the numbers: people.

    Raises RuleBookError where the meeting could not decide, the draft did not get its majority, or opinions
    were still being asked; NotAllowed for an author of the text.
    """
    must(by, "rulebook.adopt", book)
    minutes_ref = words(minutes_ref, "会议记录编号", 80, field="minutes_ref")
    _refuse_vote(meeting, entitled, present, in_favour, against, women_present)
    with transaction.atomic():
        row = lock(book, (Status.CONSULTATION,), "登记表决", seen_digest)
        until = date.fromisoformat(row.consultation["until"])
        if on < until:
            raise _wrong("on", f"征求意见到 {until} 才结束，会议不能早于这一天", "请核对会议日期")
        if on > today():
            raise _wrong("on", f"会议日期 {on} 还没有到", "请在开过会以后登记")
        _refuse_blocked(checked(row), "通过")
        row.status = Status.ADOPTED
        row.adoption = {
            "meeting": MEETINGS[meeting][0], "on": on.isoformat(), "entitled": entitled, "present": present,
            "in_favour": in_favour, "against": against, "abstained": present - in_favour - against,
            "women_present": women_present, "minutes_ref": minutes_ref, "digest": row.digest, **stamp(by, row.place),
        }  # fmt: skip
        row.save(update_fields=["status", "adoption"])
        record("rulebook.adopt", by=by, place=row.place, target=row, in_favour=in_favour, present=present)
    return row


def record_filing(
    *, by: User, book: RuleBook, on: date, receipt: str, note: str = "", seen_digest: str | None = None
) -> RuleBook:
    """The township has received the adopted text (备案). Until then it cannot come into force (V-10)."""
    must(by, "rulebook.file", book)
    receipt = words(receipt, "备案编号", 80, field="receipt")
    note = words(note, "备注", REASON_MAX, field="note", required=False)
    with transaction.atomic():
        row = lock(book, (Status.ADOPTED,), "备案", seen_digest)
        voted = date.fromisoformat(row.adoption["on"])
        if not voted <= on <= today():
            raise _wrong("on", f"备案日期要在表决（{voted}）之后，不晚于今天", "请核对日期")
        row.status = Status.FILED
        row.filing = {"on": on.isoformat(), "receipt": receipt, "note": note, **stamp(by, row.place)}
        row.save(update_fields=["status", "filing"])
        record("rulebook.file", by=by, place=row.place, target=row, receipt=receipt)
    return row


def override(
    *,
    by: User,
    book: RuleBook,
    items: list[str],
    reason: str,
    opinion_ref: str = "",
    seen_digest: str | None = None,
) -> RuleBook:
    """Record a legal opinion that lets items marked 需法审 stand. items: codes, "" for the book as a whole.

    Only for what the check asks an opinion on; a blocked item has no way round. The record is public.
    """
    must(by, "rulebook.override", book)
    reason = words(reason, "审核意见", REASON_MAX, field="reason")
    opinion_ref = words(opinion_ref, "文书编号", 80, field="opinion_ref", required=False)
    with transaction.atomic():
        row = lock(book, BEFORE_FORCE, "登记法审意见", seen_digest)
        waiting = waiting_for_review(row)
        unknown = [code for code in items if code not in waiting]
        if unknown or not items:
            named = "、".join(unknown[:5])
            raise _wrong(
                "items",
                f"{named}不需要法审，或者已经审过" if unknown else "没有选要审的项目",
                "请在检查结果标明“需法审”的项目里选",
            )
        entry = {"items": list(dict.fromkeys(items)), "reason": reason, "ref": opinion_ref,
                 "digest": row.digest, **stamp(by, row.place)}  # fmt: skip
        row.override = {"entries": [*row.override.get("entries", []), entry]}
        row.save(update_fields=["override"])
        record("rulebook.override", by=by, place=row.place, target=row, items=entry["items"], reason=reason)
    return row


def put_in_force(
    *,
    by: User,
    book: RuleBook,
    on: date,
    adoption: Mapping[str, Any] | None = None,
    override: Mapping[str, Any] | None = None,
    seen_digest: str | None = None,
) -> RuleBook:
    """Make a filed version bind its village from `on`; the one in force until then ends the day before.

    adoption: for a book that the village adopted on paper before it came to Zhili: the township or county enters
    vote and filing in this one step ({"meeting", "on" or "held_on", …}); override: the legal opinion that came
    with it. Otherwise both stand on record already. Raises RuleBookError, NotAllowed.
    """
    must(by, "rulebook.put_in_force", book)
    with transaction.atomic():
        row = lock(book, BEFORE_FORCE, "宣布施行", seen_digest)
        if row.status != Status.FILED:
            _take_over(by, row, adoption, override)
        wanted = parsed(row)
        if not wanted.in_force_on(on):
            raise _wrong(
                "on", f"施行日期 {on} 不在细则写明的有效期内（{wanted.effective_from} 起）", "请改施行日期"
            )
        _refuse_blocked(checked(row), "施行")
        waiting = waiting_for_review(row)
        if waiting:
            named = "、".join(code or "细则整体" for code in waiting[:10])
            raise RuleBookError(f"有 {len(waiting)} 处要先经法制审核：{named}", hint="请先登记法审意见再施行")
        _refuse_backwards(row, on)
        _replace_by(row, on)
        record("rulebook.put_in_force", by=by, place=row.place, target=row, on=on.isoformat())
    _refresh(book)
    return book


def freeze(book: RuleBook) -> None:
    """Mark the version as used for the first time: nothing of it may change from now on (L-09)."""
    if book.frozen_at is None:
        moment = now()
        RuleBook.objects.filter(pk=book.pk, frozen_at=None).update(frozen_at=moment)
        book.frozen_at = moment


def _take_over(
    by: User, row: RuleBook, adoption: Mapping[str, Any] | None, override: Mapping[str, Any] | None
) -> None:
    """Vote, filing and legal opinion of a book that was adopted on paper, entered by the township or county."""
    if row.status == Status.ADOPTED:
        raise RuleBookError("这一版还没有备案，不能施行", hint="请乡镇先登记备案")
    if not adoption:
        raise RuleBookError("没有写表决通过的记录，不能施行", hint="请先征求意见、登记会议表决和备案")
    must(by, "rulebook.take_over", row)
    voted = str(adoption.get("on") or adoption.get("held_on") or today().isoformat())
    marks = stamp(by, row.place)
    row.adoption = {**adoption, "on": voted, "digest": row.digest, "taken_over": True, **marks}
    row.filing = {"on": voted, "receipt": str(adoption.get("receipt", "")), "taken_over": True, **marks}
    waiting = waiting_for_review(row)
    if override and waiting:
        entry = {"items": waiting, "reason": str(override.get("opinion") or override.get("reason") or "经法制审核"),
                 "ref": str(override.get("ref") or override.get("by") or ""), "digest": row.digest, **marks}  # fmt: skip
        row.override = {"entries": [*row.override.get("entries", []), entry]}


def _refuse_backwards(row: RuleBook, on: date) -> None:
    """RL-11: never from a day before the vote and the filing, nor under claims that were already scored."""
    voted, filed = date.fromisoformat(row.adoption["on"]), date.fromisoformat(row.filing["on"])
    taken_over = bool(row.filing.get("taken_over"))
    earliest = voted if taken_over else max(filed, voted + timedelta(days=1))
    if on < earliest:
        raise _wrong(
            "on", f"施行日期不能早于 {earliest}：表决、备案之前的事不能按新细则算（RL-11）", "请改施行日期"
        )
    used = RuleBook.objects.filter(
        place=row.place, status__in=["in_force", "superseded"], frozen_at__isnull=False
    ).exclude(pk=row.pk)
    if on <= today() and used.exclude(valid_to__lte=on).exists():
        raise _wrong(
            "on",
            "现行的细则已经用来记过分，新的一版最早从明天起施行（RL-11）",
            "请改施行日期；已经记的分不重算",
        )


def _replace_by(row: RuleBook, on: date) -> None:
    before = RuleBook.objects.filter(place=row.place, status=Status.IN_FORCE, valid_from__lt=on)
    before.exclude(valid_to__lte=on).exclude(pk=row.pk).update(status=Status.SUPERSEDED, valid_to=on)
    row.status, row.valid_from = Status.IN_FORCE, on
    try:
        with transaction.atomic():
            row.save(update_fields=["status", "valid_from", "adoption", "filing", "override"])
    except IntegrityError as error:
        if "rulebook_one_in_force" not in str(error):
            raise
        raise _wrong(
            "on", f"{on} 起已有别的细则施行，时间重叠", "请改施行日期，或先撤回那一份"
        ) from error  # fmt: skip


def _refuse_blocked(report: Report, verb: str) -> None:
    if not report.blocked:
        return
    named = [f"“{item.code}”（{item.findings[0].id}）" for item in report.items if item.verdict == "block"]
    named += [f"细则整体（{found.id}）" for found in report.book if found.level == "block"]
    raise RuleBookError(
        f"有 {report.blocked} 处越过红线，不能{verb}：{'、'.join(named[:10])}", hint="请先按检查结果修改"
    )


def _refuse_vote(
    meeting: str, entitled: int, present: int, in_favour: int, against: int, women_present: int
) -> None:
    """村民委员会组织法: enough people there, and more than half of them for it."""
    if meeting not in MEETINGS:
        raise _wrong(
            "meeting", "会议类型不对", f"可以选：{'、'.join(name for name, _, _ in MEETINGS.values())}"
        )
    counts = {"entitled": entitled, "present": present, "in_favour": in_favour, "against": against,
              "women_present": women_present}  # fmt: skip
    for field, count in counts.items():
        if not 0 <= count <= PEOPLE_MAX:
            raise _wrong(field, f"人数 {count} 不对", f"请填 0 至 {PEOPLE_MAX} 的整数")
    if not 0 < present <= entitled:
        raise _wrong("present", f"到会 {present} 人，应到 {entitled} 人，对不上", "请核对签到表")
    if in_favour + against > present:
        raise _wrong("in_favour", f"赞成 {in_favour} 加反对 {against}，超过到会的 {present} 人", "请核对票数")
    if women_present > present:
        raise _wrong("women_present", f"到会妇女 {women_present} 人，超过到会的 {present} 人", "请核对签到表")
    title, share, of = MEETINGS[meeting]
    enough = present * of > entitled * share if meeting == "assembly" else present * of >= entitled * share
    if not enough:
        least = "过半数" if meeting == "assembly" else "三分之二以上"
        raise _wrong(
            "present",
            f"{title}要有{least}的人到会才能表决，应到 {entitled} 人，只到 {present} 人",
            "请补开会议再登记",
        )
    if in_favour * 2 <= present:
        raise _wrong(
            "in_favour",
            f"到会 {present} 人，赞成 {in_favour} 人，没有过半数，没有通过",
            "请修改草稿，重新表决",
        )


def _wrong(field: str, what: str, hint: str) -> RuleBookError:
    error = RuleBookError(what, hint=hint)
    error.field = field
    return error


def _refresh(book: RuleBook) -> None:
    book.refresh_from_db()


__all__ = [
    "MEETINGS", "freeze", "one_at_a_time", "open_consultation", "override", "put_in_force", "record_adoption",
    "record_filing",
]  # fmt: skip
