"""对外提供登记 (个人信息保护法 21, 23; 网络数据安全管理条例 12): no data leaves without a contract written here first, and
each time it does, a line. `record_sharing` is what credit, insurers' offers and later rooms call."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from django.db import transaction

from zhili.audit.actions import record
from zhili.common.clock import now
from zhili.common.masking import scan_public
from zhili.common.periods import today
from zhili.people.models import Resident, User
from zhili.privacy.access import must
from zhili.privacy.errors import PrivacyError
from zhili.privacy.models import Recipient, Sharing

_TEXTS: Final = {
    "name": "接收方名称", "contact": "联系方式", "purpose": "目的", "data_kinds": "信息种类", "method": "方式",
    "contract": "合同或协议编号", "basis": "依据",
}  # fmt: skip


@transaction.atomic
def add_recipient(
    *,
    by: User | None,
    place: str,
    kind: str,
    starts_on: date,
    ends_on: date,
    no_onward: bool = False,
    **texts: str,
) -> Recipient:
    """Write a recipient down: who, for what, which kinds, how, by which contract, from when to when.

    kind: processor (a contract that forbids passing the work on is compulsory) | handler. Raises PrivacyError.
    """
    must(by, "privacy.share", place, "登记对外提供")
    unknown = set(texts) - set(_TEXTS)
    if unknown:
        raise ValueError(f"not a field of a recipient: {sorted(unknown)}")
    if kind not in Recipient.Kind.values:
        raise PrivacyError("请选接收方的身份", field="kind")
    for name, title in _TEXTS.items():
        text = texts.get(name, "").strip()
        most = int(Recipient._meta.get_field(name).max_length or 0)  # type: ignore[union-attr]
        if not 2 <= len(text) <= most:
            raise PrivacyError(f"请写{title}，不超过 {most} 个字", field=name)
        if name != "contact" and any(leak.blocks for leak in scan_public(text)):
            raise PrivacyError(f"{title}里有像号码的数字", field=name, hint="这里不写个人号码。")
        texts[name] = text
    if kind == Recipient.Kind.PROCESSOR and not no_onward:
        raise PrivacyError(
            "委托合同必须写明不得转委托",
            field="no_onward",
            hint="先补合同条款再登记（个人信息保护法第二十一条）。",
        )
    if not starts_on <= ends_on or (ends_on - starts_on).days > 366 * 10:
        raise PrivacyError("起止日期不对", field="ends_on", hint="结束日期要在开始日期之后，最长十年。")
    made = Recipient.objects.create(
        place=place,
        kind=kind,
        starts_on=starts_on,
        ends_on=ends_on,
        no_onward=no_onward,
        added_by=by,
        **texts,
    )
    record("privacy.add_recipient", by=by, place=place, target=made, kind=kind, until=str(ends_on))
    return made


@transaction.atomic
def end_recipient(*, by: User | None, recipient: Recipient) -> Recipient:
    """From now on nothing goes there; the line stays."""
    must(by, "privacy.share", recipient.place, "停止对外提供")
    row = Recipient.objects.select_for_update(of=("self",)).get(pk=recipient.pk)
    if row.ended_at is not None:
        raise PrivacyError("已经停止")
    row.ended_at = now()
    row.save(update_fields=["ended_at"])
    record("privacy.end_recipient", by=by, place=row.place, target=row)
    return row


@transaction.atomic
def record_sharing(
    *, by: Any, place: str, recipient: Recipient, what: str, resident: Resident | None = None, people: int = 1
) -> Sharing:
    """One time data went out, in the transaction in which it goes. Raises PrivacyError where no contract runs today.

    resident: of one person; else people: how many. what: the kinds, in words, no values. The caller has checked its
    own permission and, where the law wants it, the person's consent.
    """
    row = Recipient.objects.select_for_update(of=("self",)).filter(pk=recipient.pk).first()
    if row is None or not place.startswith(row.place) or not row.runs(today()):
        raise PrivacyError(
            "没有对这个接收方有效的登记，不能提供", hint="请先在“个人信息 → 对外提供”里登记合同和期限。"
        )
    if people < 1 or (resident is not None and people != 1):
        raise ValueError("people counts those whose data went out")
    made = Sharing.objects.create(
        place=place, recipient=row, resident=resident, people=people, what=what.strip()[:200], by=by
    )
    record(
        "privacy.share", by=by, place=place, target=made, recipient=str(row.pk), people=people,
        resident=str(resident.pk) if resident else None,
    )  # fmt: skip
    return made
