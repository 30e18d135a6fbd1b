"""申报: a claim is handed in, taken back, or handed in again; singly, for a whole group, or as a sheet."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Final
from uuid import UUID, uuid5

from django.db import IntegrityError, connection, transaction
from django.db.models import Max

from zhili.audit.actions import record
from zhili.claims.checking import Checked, Desk, Draft
from zhili.claims.errors import ClaimError, Conflict
from zhili.claims.models import Claim, Evidence
from zhili.claims.photos import discard, refuse_over_quota, store_photos
from zhili.common.errors import ZhiliError
from zhili.common.faults import fault
from zhili.common.periods import SHANGHAI
from zhili.people.models import Household, Resident, User
from zhili.rulebook.actions import freeze
from zhili.rulebook.models import Item

GROUP_MAX: Final = 2_000
CLAIMS_A_DAY: Final = 50
"""What one villager may hand in a day; staff are not limited."""
RECHECK_ONE_IN: Final = 20


def submit_claim(
    *,
    by: User,
    id: UUID,
    household: Household,
    item: Item | str,
    occurred_on: date,
    channel: str,
    resident: Resident | None = None,
    quantity: Decimal | int | None = None,
    grade: str = "",
    text: str = "",
    photos: Sequence[bytes] = (),
    witness: str = "",
    document: str = "",
    on_behalf_of: Resident | None = None,
    activity: str = "",
    reminded_on: date | None = None,
    heard: str = "",
) -> Claim:
    """Hand in one claim. The same id with the same body gives the claim that is there (C-03, C-15).

    item: an item or its code in the book in force that day. Raises ClaimError (with the form field),
    Conflict (the id was used for something else), NotAllowed.
    """
    draft = Draft(
        id=id,
        household=household,
        item=item if isinstance(item, str) else item.code,
        occurred_on=occurred_on,
        channel=channel,
        resident=resident,
        quantity=amount(quantity),
        grade=grade.strip(),
        text=text.strip(),
        photos=tuple(photos),
        witness=witness.strip(),
        document=document.strip(),
        on_behalf_of=on_behalf_of,
        activity=activity.strip(),
        reminded_on=reminded_on,
        heard=heard.strip(),
    )
    return submit_many(by=by, place=household.place, drafts=[draft])[0]


def amount(quantity: Decimal | int | None) -> Decimal | None:
    return None if quantity is None else Decimal(quantity)


@dataclass(frozen=True, slots=True)
class Entry:
    """One tick on a group's list."""

    household: Household
    resident: Resident | None = None
    quantity: Decimal | int | None = None
    grade: str = ""


def submit_group(
    *,
    by: User,
    id: UUID,
    place: str,
    item: Item | str,
    occurred_on: date,
    entries: Sequence[Entry],
    activity: str,
    channel: str = "activity",
    text: str = "",
    document: str = "",
) -> list[Claim]:
    """Hand in one claim for everybody on a list, all or nothing; the list is the evidence (G-04).

    id: one key for the whole list; each claim's own id follows from it and from the person.
    """
    if not activity.strip():
        raise ClaimError("没有写活动名称", field="activity", hint="请写是哪次活动。")
    seen: set[tuple[UUID, UUID | None]] = set()
    drafts = []
    for entry in entries:
        who = (entry.household.pk, entry.resident.pk if entry.resident else None)
        if who in seen:
            raise ClaimError(f"{entry.household.code} 户勾选了两次", field="entries", hint="请去掉一次。")
        seen.add(who)
        drafts.append(
            Draft(
                id=uuid5(id, f"{who[0]}:{who[1] or ''}"),
                household=entry.household,
                item=item if isinstance(item, str) else item.code,
                occurred_on=occurred_on,
                channel=channel,
                resident=entry.resident,
                quantity=amount(entry.quantity),
                grade=entry.grade,
                text=text.strip(),
                document=document.strip(),
                activity=activity.strip(),
            )
        )
    return submit_many(by=by, place=place, drafts=drafts)


def submit_many(
    *, by: User, place: str, drafts: Sequence[Draft], desk: Desk | None = None, quiet: bool = False
) -> list[Claim]:
    """Hand in many claims of one village, all or nothing, in the order given; queries do not grow with them.

    A draft whose id is there with the same body gives the stored claim. quiet: the caller writes the audit
    row.
    """
    if not drafts:
        raise ClaimError("名单是空的", field="entries", hint="请至少选一户。")
    if len(drafts) > GROUP_MAX:
        raise ClaimError(f"一次最多 {GROUP_MAX} 条", field="entries", hint="请分几次提交。")
    with transaction.atomic():
        digests = {draft.id: draft.digest(by) for draft in drafts}
        known = _known(digests, by)
        fresh = [draft for draft in drafts if draft.id not in known]
        if fresh:
            desk = desk or Desk(by, place, [draft.household for draft in fresh])
            checked = _check_all(desk, fresh)
            known |= _write(by, place, desk, checked, digests, quiet=quiet)
    return [known[draft.id] for draft in drafts]


def _known(digests: dict[UUID, str], by: User) -> dict[UUID, Claim]:
    """Claims that are there already under these ids. Raises Conflict where one says something else."""
    rows = Claim.objects.select_related("item", "household", "resident").filter(pk__in=list(digests))
    found = {claim.pk: claim for claim in rows}
    for claim in found.values():
        if claim.body_digest != digests[claim.pk]:
            seen = f"（{claim}）" if claim.submitted_by_id == by.pk else ""
            raise Conflict(
                f"这个提交编号已用于另一条申报{seen}，内容不同", field="id", hint="请刷新页面后重新填写。"
            )
    return found


def _check_all(desk: Desk, drafts: Sequence[Draft]) -> list[Checked]:
    checked = []
    for draft in drafts:
        try:
            checked.append(desk.check(draft))
        except ClaimError as error:
            if len(drafts) > 1:
                error.message = f"{draft.household.code} 户：{error.message}"
            raise
    return checked


def _write(
    by: User, place: str, desk: Desk, checked: Sequence[Checked], digests: dict[UUID, str], *, quiet: bool
) -> dict[UUID, Claim]:
    """Photos first (slow, outside the lock), then one short stretch per village: number and insert."""
    day_start = datetime.combine(desk.today, time(), tzinfo=SHANGHAI)
    photos = sum(len(one.draft.photos) for one in checked)
    if photos:
        refuse_over_quota(by, place, photos, day_start, staff=desk.is_staff)
    _refuse_too_many(by, place, len(checked), day_start, staff=desk.is_staff)
    try:
        for one in checked:
            one.photos = store_photos(place, one.draft.photos)
    except ZhiliError:
        for one in checked:
            discard(place, one.photos)
        raise
    fault("claims.submit.photos")
    lock_village(place)
    known = _known({one.draft.id: digests[one.draft.id] for one in checked}, by)
    for one in checked:
        if one.draft.id in known:
            discard(place, one.photos)
    fresh = [one for one in checked if one.draft.id not in known]
    if not fresh:
        return known
    number = Claim.objects.filter(place=place).aggregate(last=Max("number"))["last"] or 0
    claims = [_claim(by, place, one, number + n, digests) for n, one in enumerate(fresh, start=1)]
    try:
        with transaction.atomic():
            Claim.objects.bulk_create(claims)
            fault("claims.submit.inserted")
    except IntegrityError as error:
        raise Conflict(
            "这个提交编号已被使用，或这一户刚刚变动", field="id", hint="请刷新页面后重新填写。"
        ) from error
    Evidence.objects.bulk_create(evidence_rows(by, place, fresh))
    fault("claims.submit.evidence")
    for book in {one.book.pk: one.book for one in fresh}.values():
        freeze(book)
    if not quiet:
        _record(by, place, claims)
    return known | {claim.pk: claim for claim in claims}


def _claim(by: User, place: str, one: Checked, number: int, digests: dict[UUID, str]) -> Claim:
    draft = one.draft
    return Claim(
        id=draft.id,
        place=place,
        number=number,
        household=draft.household,
        resident=draft.resident,
        book=one.book,
        item=one.item,
        text=draft.text,
        quantity=draft.quantity,
        grade=draft.grade,
        occurred_on=draft.occurred_on,
        channel=draft.channel,
        submitted_by=by,
        on_behalf_of=draft.on_behalf_of,
        activity=draft.activity,
        late=one.late,
        review_needed=one.review,
        reminded_on=draft.reminded_on,
        heard=draft.heard,
        recheck=chosen_for_recheck(place, number),
        body_digest=digests[draft.id],
    )


def evidence_rows(by: User, place: str, fresh: Iterable[Checked]) -> list[Evidence]:
    rows = []
    for one in fresh:
        claim, draft = one.draft.id, one.draft
        for photo in one.photos:
            rows.append(
                Evidence(
                    place=place,
                    claim_id=claim,
                    kind=Evidence.Kind.PHOTO,
                    file_name=photo.name,
                    sha256=photo.sha256,
                    similar=photo.similar,
                    added_by=by,
                )
            )
        for kind, note in ((Evidence.Kind.WITNESS, draft.witness), (Evidence.Kind.DOCUMENT, draft.document)):
            if note:
                rows.append(Evidence(place=place, claim_id=claim, kind=kind, note=note, added_by=by))
    return rows


def _record(by: User, place: str, claims: Sequence[Claim]) -> None:
    first = claims[0]
    record(
        "claims.submit",
        by=by,
        place=place,
        target=first if len(claims) == 1 else f"claims.activity:{first.activity}",
        on_behalf_of=first.on_behalf_of_id,
        count=len(claims),
        numbers=[claims[0].number, claims[-1].number],
        channel=first.channel,
    )


def _refuse_too_many(by: User, place: str, count: int, day_start: datetime, *, staff: bool) -> None:
    if staff:
        return
    today_so_far = Claim.objects.filter(place=place, submitted_by=by, submitted_at__gte=day_start).count()
    if today_so_far + count > CLAIMS_A_DAY:
        raise ClaimError(f"您今天已申报 {today_so_far} 条，到了上限", hint="请明天再报，或请村文书代录。")


def lock_village(place: str) -> None:
    """Claims of a village are numbered one after another; held to the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"claims:{place}"])


def chosen_for_recheck(place: str, number: int) -> bool:
    """One claim in twenty, by a hash nobody can steer (the server gives the number): to be visited (G-04)."""
    digest = hashlib.sha256(f"{place}:{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % RECHECK_ONE_IN == 0
