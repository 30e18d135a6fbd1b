"""After handing in: taken back, handed in again, the household heard, the fact looked at on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from django.db import transaction

from zhili.audit.actions import record
from zhili.claims.access import of_household
from zhili.claims.checking import Checked, Desk, Draft
from zhili.claims.errors import ClaimError, Conflict
from zhili.claims.models import Claim, Evidence
from zhili.claims.photos import store_photos
from zhili.claims.submitting import amount, evidence_rows
from zhili.common.errors import NotAllowed
from zhili.common.periods import today
from zhili.common.policy import may
from zhili.people.models import User


def withdraw_claim(*, by: User, claim: Claim, reason: str = "") -> Claim:
    """Take a claim back before anybody has decided on it: whoever handed it in, or the household."""
    if claim.submitted_by_id != by.pk and not of_household(by, claim.household_id):
        raise NotAllowed("只有申报人和本户的人可以撤回")
    with transaction.atomic():
        done = Claim.objects.filter(
            pk=claim.pk, status__in=[Claim.Status.SUBMITTED, Claim.Status.RETURNED]
        ).update(status=Claim.Status.WITHDRAWN)
        claim.refresh_from_db(fields=["status"])
        if not done:
            raise Conflict(
                f"{claim} 现在是“{claim.get_status_display()}”，不能撤回", hint="公示期间可以提异议。"
            )
        record("claims.withdraw", by=by, place=claim.place, target=claim, reason=reason[:200])
    return claim


def resubmit_claim(
    *,
    by: User,
    claim: Claim,
    quantity: Decimal | int | None = None,
    grade: str | None = None,
    text: str | None = None,
    photos: Sequence[bytes] = (),
    witness: str = "",
    document: str = "",
    reminded_on: date | None = None,
    heard: str | None = None,
) -> Claim:
    """Hand in again what was returned for more: what is not given stays as it was; evidence is added to."""
    if claim.submitted_by_id != by.pk and not of_household(by, claim.household_id):
        raise NotAllowed("只有申报人和本户的人可以补充")
    draft = _draft_of(claim, photos)
    changes: dict[str, object] = {
        "quantity": amount(quantity), "grade": grade, "text": text, "witness": witness or None,
        "document": document or None, "reminded_on": reminded_on, "heard": heard,
    }  # fmt: skip
    draft = replace(draft, **{key: value for key, value in changes.items() if value is not None})  # type: ignore[arg-type]
    with transaction.atomic():
        desk = Desk(by, claim.place, [claim.household])
        if claim.submitted_by_id != by.pk:
            draft = replace(draft, on_behalf_of=None)
        one = _check_again(desk, draft, claim)
        one.photos = store_photos(claim.place, photos)
        done = Claim.objects.filter(pk=claim.pk, status=Claim.Status.RETURNED).update(
            status=Claim.Status.SUBMITTED,
            quantity=draft.quantity,
            grade=draft.grade,
            text=draft.text,
            reminded_on=draft.reminded_on,
            heard=draft.heard,
            review_needed=one.review,
            points_decided=None,
        )
        if not done:
            claim.refresh_from_db(fields=["status"])
            raise Conflict(f"{claim} 现在是“{claim.get_status_display()}”，不用补充")
        one.draft = replace(draft, witness=witness.strip(), document=document.strip())
        Evidence.objects.bulk_create(evidence_rows(by, claim.place, [one]))
        record("claims.resubmit", by=by, place=claim.place, target=claim, photos=len(photos))
        claim.refresh_from_db()
    return claim


def _draft_of(claim: Claim, photos: Sequence[bytes]) -> Draft:
    return Draft(
        id=claim.pk,
        household=claim.household,
        item=claim.item.code,
        occurred_on=claim.occurred_on,
        channel=claim.channel,
        resident=claim.resident,
        quantity=claim.quantity,
        grade=claim.grade,
        text=claim.text,
        photos=tuple(photos),
        on_behalf_of=claim.on_behalf_of,
        activity=claim.activity,
        reminded_on=claim.reminded_on,
        heard=claim.heard,
    )


def _check_again(desk: Desk, draft: Draft, claim: Claim) -> Checked:
    """Evidence handed in the first time still stands."""
    kinds = set(claim.evidence.values_list("kind", flat=True))
    shown = bool(kinds & {Evidence.Kind.PHOTO, Evidence.Kind.DOCUMENT})
    witness = draft.witness or ("已有证明人" if Evidence.Kind.WITNESS in kinds else "")
    return desk.check(replace(draft, witness=witness, photos=draft.photos or ((b"",) if shown else ())))


def record_hearing(*, by: User, claim: Claim, text: str) -> Claim:
    """What the household said about a deduction before it is decided (G-20); the clerk may write it down."""
    if not (of_household(by, claim.household_id) or may(by, "claims.clerk", claim.place)):
        raise NotAllowed("只有本户的人和村文书可以写本户陈述")
    if not text.strip() or len(text) > 300:
        raise ClaimError(
            "请写下本户怎么说，最多 300 字", field="heard", hint="本户不愿说的，写“已告知，未作陈述”。"
        )
    with transaction.atomic():
        done = Claim.objects.filter(pk=claim.pk, status__in=[*Claim.OPEN, Claim.Status.RETURNED]).update(
            heard=text.strip()
        )
        if not done:
            claim.refresh_from_db(fields=["status"])
            raise Conflict(f"{claim} 现在是“{claim.get_status_display()}”，不能再补写陈述")
        record("claims.hear", by=by, place=claim.place, target=claim)
        claim.refresh_from_db()
    return claim


def record_visit(*, by: User, claim: Claim, note: str, on: date | None = None) -> Claim:
    """What a re-check on the spot or by telephone found (G-04), by someone who has no part in the claim."""
    if not may(by, "claims.see_village", claim.place):
        raise NotAllowed("您的身份不能登记抽查")
    if claim.submitted_by_id == by.pk or of_household(by, claim.household_id):
        raise NotAllowed("抽查要由别人来做")
    if not note.strip() or len(note) > 200:
        raise ClaimError("请写抽查看到的情况，最多 200 字", field="note")
    with transaction.atomic():
        Claim.objects.filter(pk=claim.pk).update(visited_on=on or today(), visit_note=note.strip())
        record("claims.visit", by=by, place=claim.place, target=claim)
        claim.refresh_from_db()
    return claim
