"""From approved to posted: claims go onto a notice, and when it closes into the ledger, in one batch.

Called by the room of notices; nothing here decides, it only carries out and keeps the claim's state true.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID, uuid5

from django.db import connection, transaction
from django.db.models import F

from zhili.audit.actions import record
from zhili.claims.errors import ClaimError, Conflict
from zhili.claims.funded import SPEND, cause_of, grouped, queue_unfunded
from zhili.claims.models import Claim, Evidence, Review
from zhili.claims.models import Opening as OpeningRow
from zhili.claims.scoring import no_book, owner_of
from zhili.claims.submitting import lock_village
from zhili.common.errors import NotAllowed
from zhili.common.periods import period_of, today
from zhili.common.policy import may
from zhili.ledger import actions as ledger
from zhili.ledger import entries
from zhili.ledger.actions import Posted
from zhili.ledger.funding import refuse_unfunded
from zhili.people.models import Household, Resident, User
from zhili.places.models import VillageSettings
from zhili.places.queries import village_settings
from zhili.rulebook import book as format_1
from zhili.rulebook.openings import Opening, openings_for
from zhili.rulebook.queries import in_force, parsed

OPENINGS: Final = UUID("6c1b1c0e-2f55-5e0c-9a57-0a5c1f3b7d10")
"""Name space of the keys of opening points: the same opening of the same account posts once, for ever."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """What hangs on the wall for one claim. points in hundredths."""

    claim_id: UUID
    points: int
    why: list[str]
    late: bool


def put_on_notice(place: str, rows: Sequence[Frozen]) -> None:
    """Approved claims hang out with the points and steps as frozen. One statement. Raises Conflict."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE claims_claim AS claim
               SET status = 'on_notice', points_awarded = line.points, why = line.why, late = line.late
              FROM unnest(%s::uuid[], %s::int[], %s::jsonb[], %s::bool[]) AS line (id, points, why, late)
             WHERE claim.id = line.id AND claim.place = %s AND claim.status = 'approved'
            """,
            [
                [row.claim_id for row in rows],
                [row.points for row in rows],
                [_json(row.why) for row in rows],
                [row.late for row in rows],
                place,
            ],
        )
        if cursor.rowcount != len(rows):
            raise Conflict("有申报刚刚变动，公示没有开出", hint="请再试一次。")


def hold(claim_id: UUID) -> None:
    """An objection keeps this claim out of the books."""
    Claim.objects.filter(pk=claim_id, status=Claim.Status.ON_NOTICE).update(status=Claim.Status.HELD)


def release(claim_id: UUID) -> None:
    Claim.objects.filter(pk=claim_id, status=Claim.Status.HELD).update(status=Claim.Status.ON_NOTICE)


def drop(claim_ids: Iterable[UUID]) -> None:
    """Taken off the notice for good: nothing will be posted."""
    Claim.objects.filter(
        pk__in=list(claim_ids), status__in=[Claim.Status.ON_NOTICE, Claim.Status.HELD]
    ).update(status=Claim.Status.DROPPED, points_awarded=0)


def correct(claim_id: UUID, points: int) -> None:
    Claim.objects.filter(pk=claim_id, status__in=[Claim.Status.ON_NOTICE, Claim.Status.HELD]).update(
        points_awarded=points
    )


def award(
    *,
    by: User,
    place: str,
    period: str,
    points: Mapping[UUID, int],
    notice: UUID | None,
    note: str = "",
    owners: Mapping[UUID, UUID] | None = None,
    late: bool = False,
) -> Posted | None:
    """Post claims that hung out undisputed, all in one batch, and mark them posted. None if all are worth 0.

    points: claim id → hundredths as shown. owners: claim id → account owner where it is not the claim's own
    (a household that was merged since). Where the village ties issuing to money (G-11), what is not funded is refused
    or its spendable part waits (claims.funded). Statements do not grow with the number of claims. Claims that are not
    on notice or held make the whole batch fail: Conflict.
    """
    with transaction.atomic():
        claims = _loaded(points)
        policy = village_settings(place).issue_policy
        evidence = grouped(Evidence.objects.filter(claim__in=list(points)).values_list("claim_id", "pk"))
        reviewers = grouped(Review.objects.filter(claim__in=list(points)).values_list("claim_id", "by_id"))
        transfers = []
        for claim in claims:
            amount = points[claim.pk]
            if amount == 0:
                continue
            book = parsed(claim.book)
            own = owner_of(claim.book.unit, claim.household_id, claim.resident, claim.occurred_on)
            transfers += entries.award(
                id=claim.pk,
                owner=(owners or {}).get(claim.pk, own),
                points=amount,
                purses=book.purses_of(book.item(claim.item.code)),
                occurred_on=claim.occurred_on,
                cause=cause_of(claim, evidence.get(claim.pk, []), reviewers.get(claim.pk, []), notice),
                late=claim.late or late,
                negative=[purse.code for purse in book.purses if purse.may_go_negative],
            )
        if policy == VillageSettings.IssuePolicy.QUEUE:
            transfers = queue_unfunded(place, transfers, claims, notice)
        posted = ledger.post(transfers, place=place, by=by, period=period, note=note) if transfers else None
        if policy != VillageSettings.IssuePolicy.FREE:
            refuse_unfunded(place, SPEND)
        done = Claim.objects.filter(
            pk__in=list(points), status__in=[Claim.Status.ON_NOTICE, Claim.Status.HELD]
        ).update(status=Claim.Status.POSTED)
        if done != len(points):
            raise Conflict("有条目刚刚变动，没有入账", hint="请再试一次。")
    return posted


def _loaded(points: Mapping[UUID, int]) -> list[Claim]:
    rows = Claim.objects.filter(pk__in=list(points)).select_related("book", "item", "household", "resident")
    claims = list(rows.order_by("occurred_on", "pk"))
    if len(claims) != len(points):
        raise ClaimError("有申报找不到了，没有入账", hint="请告诉系统管理员。")
    return claims


def post_openings(*, place: str, on: date | None = None, by: User) -> Posted | None:
    """Credit the base and the starts of blocks that opened up to `on`, and hold in its settlement period, to
    every open household (or resident). Safe to run again: each opening of each account posts once, also one
    that an earlier period left out because it had no notice. None: nothing to post.
    """
    if not may(by, "claims.clerk", place):
        raise NotAllowed("只有村文书可以记期初分")
    day = on or today()
    row = in_force(place, day)
    if row is None:
        raise no_book(day)
    book = parsed(row)
    period = period_of(day, book.settlement)
    due = [opening for opening in openings_for(book, period) if opening.day <= day]
    with transaction.atomic():
        lock_village(place)
        news = [
            _opening(place, owner, book, opening)
            for owner in _account_owners(place, book.unit)
            for opening in due
        ]
        keys = [new.pk for new, _ in news]
        known = set(OpeningRow.objects.filter(pk__in=keys).values_list("pk", flat=True))
        fresh = [(new, day) for new, day in news if new.pk not in known]
        if not fresh:
            return None
        transfers = []
        for new, opened_on in fresh:
            cause = {"rule": str(row.pk), "rule_version": row.version, "item": new.source, "actor": by.pk}
            transfers += entries.opening(new.pk, new.owner, new.points, [new.purse], opened_on, cause)
        posted = ledger.post(transfers, place=place, by=by, period=period.code, note="期初")
        if village_settings(place).issue_policy != VillageSettings.IssuePolicy.FREE:
            refuse_unfunded(place, SPEND)
        for new, _ in fresh:
            new.batch_id = posted.batch_id
        OpeningRow.objects.bulk_create(new for new, _ in fresh)
        record("claims.openings", by=by, place=place, period=period.code, count=len(fresh))
    return posted


def _opening(place: str, owner: UUID, book: format_1.RuleBook, opening: Opening) -> tuple[OpeningRow, date]:
    source, opens = _source(book, opening)
    key = uuid5(OPENINGS, f"{place}:{owner}:{source}:{opens}:{opening.purse}")
    row = OpeningRow(
        id=key,
        place=place,
        owner=owner,
        source=source,
        opens=opens,
        purse=opening.purse,
        points=opening.points,
    )
    return row, opening.day


def _account_owners(place: str, unit: str) -> list[UUID]:
    if unit == "household":
        rows = Household.objects.filter(place=place, status__in=Household.OPEN).order_by("code")
        return list(rows.values_list("pk", flat=True))
    people = Resident.objects.filter(
        place=place, status__in=["present", "away"], household__status__in=Household.OPEN
    )
    # A child's points go to the household, which has an opening of its own only in a book by household (P-07).
    grown = [person for person in people.order_by(F("household__code"), "pk") if not person.is_minor()]
    return [person.pk for person in grown]


def _source(book: format_1.RuleBook, opening: Opening) -> tuple[str, str]:
    """Which opening this is, for its key: base or category code, and the period it opens."""
    for category in book.categories:
        if category.every and opening.why.startswith(f"“{category.title}”"):
            return category.code, period_of(opening.day, category.every).code
    assert book.base is not None
    return "base", period_of(opening.day, book.base.every).code


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
