"""到期清理 (个人信息保护法 19, 47): what has served its purpose goes, by rule, after a dry run that says what and why.

The ledger and the trail are never touched: they hold numbers and keys. Each batch is a transaction of its own and
finds only what is still there, so a run that is killed is simply run again. Periods may be lengthened or shortened by
the county (ZHILI_RETENTION="photos=365,left=730"), never below what the law sets as the least.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q, QuerySet

from zhili.audit.actions import record
from zhili.claims.models import Claim, Evidence, Sheet, SheetPhoto
from zhili.claims.photos import THUMB
from zhili.common.clock import now
from zhili.common.faults import fault
from zhili.common.models import Message
from zhili.common.periods import SHANGHAI, today
from zhili.common.scope import EVERYWHERE, scoped
from zhili.people.models import Consent, ConsentSheet, Household, ImportFile, Resident, User
from zhili.privacy.erasing import GONE, erase, left_before, refuse_unless_erasable
from zhili.privacy.errors import PrivacyError
from zhili.privacy.models import Assessment, Request, RetentionRun, Sharing

BATCH: Final = 200
YEAR: Final = 365
LOG_DAYS_LEAST: Final = 180  # 网络安全法 21: six months at least (P-19)
SETTLED: Final = (Claim.Status.POSTED, Claim.Status.REFUSED, Claim.Status.DROPPED, Claim.Status.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. days: default period; least: the floor; find: (place, before) → rows; run: one batch of them → count.

    find None: nothing is removed here (kept for ever, or by somebody else, as `why` says).
    """

    code: str
    title: str
    why: str
    days: int = 0
    least: int = 0
    find: Callable[[str, date], QuerySet[Any]] | None = None
    run: Callable[[list[Any]], int] | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """What one rule would remove now."""

    rule: Rule
    days: int
    before: date
    count: int


def _moment(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=SHANGHAI)


def _left(place: str, before: date) -> QuerySet[Any]:
    return left_before(place, before)


def _erase(rows: list[Resident]) -> int:
    """Whoever still has something running is left for the next time."""
    done = 0
    for resident in rows:
        try:
            refuse_unless_erasable(resident)
        except PrivacyError:
            continue
        erase(resident=resident, by=None, approved_by=None, basis="retention")
        done += 1
    return done


def _numbers(place: str, before: date) -> QuerySet[Any]:
    return left_before(place, before).exclude(phone_secret="", id_number_secret="", bank_secret="")


def _empty_numbers(rows: list[Resident]) -> int:
    return Resident.objects.filter(pk__in=[row.pk for row in rows]).update(
        phone_secret="", phone_index=None, id_number_secret="", id_number_index=None, bank_secret="", bank_index=None
    )  # fmt: skip


def _bank(place: str, before: date) -> QuerySet[Any]:
    """Bank accounts without a standing consent."""
    agreed = Consent.objects.filter(purpose=Consent.Purpose.BANK, agreed=True, ended_at=None).values(
        "resident"
    )
    rows = Resident.objects.filter(place__startswith=place).exclude(bank_secret="").exclude(pk__in=agreed)
    recent = Consent.objects.filter(purpose=Consent.Purpose.BANK, ended_at__gte=_moment(before)).values(
        "resident"
    )
    return rows.exclude(pk__in=recent).order_by("pk")


def _empty_bank(rows: list[Resident]) -> int:
    return Resident.objects.filter(pk__in=[row.pk for row in rows]).update(bank_secret="", bank_index=None)


def _photos(place: str, before: date) -> QuerySet[Any]:
    rows = Evidence.objects.filter(
        place__startswith=place, added_at__lt=_moment(before), claim__status__in=SETTLED
    )
    return rows.exclude(file_name="").order_by("pk")


def _sheet_photos(place: str, before: date) -> QuerySet[Any]:
    rows = SheetPhoto.objects.filter(place__startswith=place, added_at__lt=_moment(before))
    done = (Sheet.Status.CONFIRMED, Sheet.Status.VOID)
    return rows.filter(sheet__status__in=done).exclude(file_name="").order_by("pk")


def _drop_photos(rows: list[Any]) -> int:
    """The file goes, its fingerprint stays: the claim, or the sheet, still says that there was a photo."""
    if not rows:
        return 0
    names = [(row.place, row.file_name) for row in rows]
    count = type(rows[0])._base_manager.filter(pk__in=[row.pk for row in rows]).update(file_name="")

    def unlink() -> None:
        for place, name in names:
            for one in (name, name + THUMB):
                (Path(settings.PHOTO_ROOT) / place / one).unlink(missing_ok=True)

    transaction.on_commit(unlink)
    return count


def _words(place: str, before: date) -> QuerySet[Any]:
    rows = Claim.objects.filter(place__startswith=place, occurred_on__lt=before, status__in=SETTLED)
    return rows.exclude(
        Q(text__in=["", GONE]), Q(heard__in=["", GONE]), Q(visit_note__in=["", GONE])
    ).order_by("pk")


def _drop_words(rows: list[Claim]) -> int:
    """What happened and what was decided stays; what somebody wrote about it goes."""
    keys = [row.pk for row in rows]
    for column in ("text", "heard", "visit_note"):
        Claim.objects.filter(pk__in=keys).exclude(**{f"{column}__in": ["", GONE]}).update(**{column: GONE})
    return len(keys)


def _sheets(place: str, before: date) -> QuerySet[Any]:
    """Photographed papers of answers that ended so long ago."""
    standing = Consent.objects.filter(Q(ended_at=None) | Q(ended_at__gte=_moment(before))).exclude(sheet=None)
    rows = ConsentSheet.objects.filter(place__startswith=place, at__lt=_moment(before))
    return rows.exclude(pk__in=standing.values("sheet")).order_by("pk")


def _drop_sheets(rows: list[ConsentSheet]) -> int:
    keys = [row.pk for row in rows]
    Consent.objects.filter(sheet__in=keys).update(sheet=None)
    return ConsentSheet.objects.filter(pk__in=keys).delete()[0]


def _requests(place: str, before: date) -> QuerySet[Any]:
    rows = Request.objects.filter(place__startswith=place, handled_at__lt=_moment(before))
    return (
        rows.exclude(status__in=Request.OPEN)
        .exclude(text__in=["", GONE], asker_name__in=["", GONE])
        .order_by("pk")
    )


def _drop_requests(rows: list[Request]) -> int:
    """That it was asked and answered stays; the words and the relative's name go."""
    keys = [row.pk for row in rows]
    for column in ("text", "asker_name", "relation"):
        Request.objects.filter(pk__in=keys).exclude(**{f"{column}__in": ["", GONE]}).update(**{column: GONE})
    return len(keys)


def _uploads(place: str, before: date) -> QuerySet[Any]:
    return ImportFile.objects.filter(place__startswith=place, at__lt=_moment(before)).order_by("pk")


def _sessions(place: str, before: date) -> QuerySet[Any]:
    # The table has no place: whoever runs the whole county clears it.
    if len(place) > 6:
        return Session.objects.none()
    return Session.objects.filter(expire_date__lt=_moment(before + timedelta(days=1))).order_by("pk")


def _messages(place: str, before: date) -> QuerySet[Any]:
    rows = Message.objects.filter(place__startswith=place, created_at__lt=_moment(before))
    return rows.exclude(state=Message.State.WAITING).order_by("pk")


def _sharing(place: str, before: date) -> QuerySet[Any]:
    return Sharing.objects.filter(place__startswith=place, at__lt=_moment(before)).order_by("pk")


def _assessments(place: str, before: date) -> QuerySet[Any]:
    rows = Assessment.objects.filter(place__startswith=place, made_at__lt=_moment(before))
    return rows.filter(Q(valid_until=None) | Q(valid_until__lt=before)).order_by("pk")


def _delete(rows: list[Any]) -> int:
    if not rows:
        return 0
    type(rows[0])._base_manager.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


RULES: Final = (
    Rule("sessions", "过期的登录状态", "登录已经过期", 0, 0, _sessions, _delete),
    Rule("uploads", "没有用完的导入文件", "试导入后没有正式导入", 1, 0, _uploads, _delete),
    Rule("messages", "发出去的通知", "早已发出", 90, 0, _messages, _delete),
    Rule("bank", "没有同意支撑的银行卡号", "同意已经撤回", 0, 0, _bank, _empty_bank),
    Rule("numbers", "迁出、去世的人的号码", "不再需要联系和分辨", YEAR, 0, _numbers, _empty_numbers),
    Rule("left", "迁出、去世的人的身份", "已离开，账上只留数字", 3 * YEAR, 0, _left, _erase),
    Rule("photos", "佐证照片", "事情早已办结入账", 2 * YEAR, 0, _photos, _drop_photos),
    Rule("sheets", "纸表照片", "早已核对提交，或已作废", 2 * YEAR, 0, _sheet_photos, _drop_photos),
    Rule("words", "申报里手写的话", "事情早已办结入账", 5 * YEAR, YEAR, _words, _drop_words),
    Rule("consents", "授权书照片", "同意早已结束；答复本身留下作证明", 3 * YEAR, 3 * YEAR, _sheets, _drop_sheets),
    Rule("requests", "请求里写的话", "早已答复；答复过这件事留下", 3 * YEAR, 3 * YEAR, _requests, _drop_requests),
    Rule("sharing", "对外提供的记录", "满三年（网络数据安全管理条例第十二条）", 3 * YEAR, 3 * YEAR, _sharing, _delete),
    Rule("assessments", "影响评估报告", "满三年（个人信息保护法第五十六条）", 3 * YEAR, 3 * YEAR, _assessments, _delete),
    Rule("trail", "留痕和日志", "留痕不删；日志轮换，不少于 180 天（网络安全法第二十一条）", YEAR, LOG_DAYS_LEAST),
    Rule("ledger", "账本和户编号", "长期保存：只有编号和数字，是村里的账"),
)  # fmt: skip
BY_CODE: Final = {rule.code: rule for rule in RULES}


def periods(text: str | None = None) -> dict[str, int]:
    """Rule → days. text: the county's own setting, "photos=365,left=730". Raises PrivacyError below a floor."""
    found = {rule.code: rule.days for rule in RULES}
    raw = os.environ.get("ZHILI_RETENTION", "") if text is None else text
    for part in filter(None, (piece.strip() for piece in raw.split(","))):
        code, _, number = part.partition("=")
        rule = BY_CODE.get(code.strip())
        if rule is None or not number.strip().isdigit() or len(number.strip()) > 5:
            raise PrivacyError(f"保存期限“{part[:40]}”看不懂", hint="写成 photos=365,left=730 这样。")
        days = int(number)
        if days < rule.least:
            raise PrivacyError(
                f"{rule.title}最少保存 {rule.least} 天，不能设成 {days} 天", hint="请改 ZHILI_RETENTION。"
            )
        found[rule.code] = days
    return found


_STARTS: Final = {
    "left": "离开或去世后", "numbers": "离开或去世后", "consents": "结束后", "requests": "办结后", "uploads": "上传后",
    "photos": "办结后", "sheets": "录入后", "words": "办结后", "messages": "发出后",
}  # fmt: skip


def words(code: str) -> str:
    """How long, as people read it."""
    days = periods()[code]
    if code == "ledger":
        return "长期（只有编号和数字）"
    if code == "trail":
        return f"留痕长期；日志 {days} 天"
    if code == "sessions":
        return "到期即清"
    if code == "bank":
        return "撤回同意即清"
    span = f"{days // YEAR} 年" if days % YEAR == 0 and days else f"{days} 天"
    start = _STARTS.get(code, "")
    return f"{start}{span}"


def due(place: str, *, on: date | None = None) -> list[Due]:
    """The dry run: what each rule would remove today, with the day before which things count as old."""
    day, days = on or today(), periods()
    found = []
    for rule in RULES:
        if rule.find is not None:
            before = day - timedelta(days=days[rule.code])
            found.append(Due(rule, days[rule.code], before, rule.find(place, before).count()))
    return found


def apply(
    place: str, *, by: User | None = None, on: date | None = None, only: str = "", batch: int = BATCH
) -> list[RetentionRun]:
    """Remove what is due, batch by batch, each its own transaction. Killed in the middle: run it again.

    place: any prefix, "" for the whole instance. Called outside a transaction (a command, the daily job); each
    batch enters the scope of `place` itself.
    """
    runs = []
    with _inside(place):
        wanted = due(place, on=on)
    for one in wanted:
        if one.count and (not only or one.rule.code == only):
            runs.append(_apply(place, one, by, batch))
    return runs


def _apply(place: str, one: Due, by: User | None, batch: int) -> RetentionRun:
    find, run = one.rule.find, one.rule.run
    assert find is not None and run is not None
    with _inside(place):
        note = RetentionRun.objects.create(
            place=place or _county(), rule=one.rule.code, before=one.before, by=by
        )
    skipped: set[Any] = set()
    while True:
        fault("privacy.retention.batch")
        with _inside(place):
            # Rows a rule leaves alone (somebody with a claim still running) must not come again and again.
            rows = list(find(place, one.before).exclude(pk__in=skipped)[:batch])
            if not rows:
                break
            keys = {row.pk for row in rows}
            count = run(rows)
            skipped |= keys & set(find(place, one.before).filter(pk__in=keys).values_list("pk", flat=True))
            note.count += count
            note.save(update_fields=["count"])
            fault("privacy.retention.inside")
    with _inside(place):
        note.finished_at = now()
        note.save(update_fields=["finished_at"])
        record(
            "privacy.retention",
            by=by,
            place=note.place,
            target=note,
            rule=one.rule.code,
            before=str(one.before),
            count=note.count,
        )
    return note


def _inside(place: str) -> AbstractContextManager[None]:
    """One transaction that sees `place`."""
    return scoped(place or EVERYWHERE)


def _county() -> str:
    """The place a run over the whole instance is written under: its county, where there is one."""
    first = Household.objects.order_by("place").values_list("place", flat=True).first()
    return (first or "00")[:6]


def daily(day: date) -> int:
    """The daily job, for the whole instance. Returns how many rows were handled."""
    return sum(run.count for run in apply("", on=day))
