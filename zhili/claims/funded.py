"""Spendable points that wait for money (G-11): merit is posted with its notice, the spendable part queues.

The village chose it: honour does not depend on the till. What waits keeps its key, so it is posted once, whenever the
money comes, oldest deed first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from zhili.audit.actions import record
from zhili.claims.models import Claim, Evidence, Review, Waiting
from zhili.common.errors import NotAllowed
from zhili.common.policy import may
from zhili.ledger import actions as ledger
from zhili.ledger import entries
from zhili.ledger.actions import NewTransfer, Posted
from zhili.ledger.funding import refuse_unfunded, unissued
from zhili.people.models import Household, User

SPEND: Final = "spend"


def queue_unfunded(
    place: str, transfers: Sequence[NewTransfer], claims: Sequence[Claim], notice: UUID | None
) -> list[NewTransfer]:
    """What may be posted now; the rest is written down as waiting. Claims in the order given (the day it happened).

    Once one has to wait, everybody behind it waits too: nobody jumps the queue.
    """
    left = unissued(place, SPEND)
    by_key = {entries.derived(claim.pk, SPEND): claim for claim in claims}
    first_come = not Waiting.objects.filter(place=place, batch_id=None).exists()
    kept, waiting = [], []
    for transfer in transfers:
        owner = transfer.credit.owner
        if owner is None or transfer.code != "award" or transfer.credit.purse != SPEND:
            kept.append(transfer)
        elif first_come and transfer.amount <= left:
            left -= transfer.amount
            kept.append(transfer)
        else:
            first_come = False
            waiting.append(
                Waiting(claim=by_key[transfer.id], place=place, owner=owner,
                        points=transfer.amount, notice_id=notice)
            )  # fmt: skip
    Waiting.objects.bulk_create(waiting)
    return kept


def award_waiting(*, by: User, place: str, period: str) -> Posted | None:
    """Money came in: post what waited, oldest deed first, as far as the money reaches. None: nothing to post.

    Statements do not grow with the number of claims. Raises NotAllowed and what the ledger refuses.
    """
    if not may(by, "claims.clerk", place):
        raise NotAllowed("只有村文书可以给排队的积分入账")
    with transaction.atomic():
        rows = Waiting.objects.select_for_update(of=("self",)).filter(place=place, batch_id=None)
        queue = list(rows.select_related("claim__book", "claim__item").order_by("claim__occurred_on", "pk"))
        heirs = _heirs(queue)
        gone = [row.pk for row in queue if heirs.get(row.owner, row.owner) is None]
        Waiting.objects.filter(pk__in=gone).delete()
        queue = [row for row in queue if row.pk not in set(gone)]
        left = unissued(place, SPEND)
        fits = []
        for row in queue:
            if row.points > left:
                break
            left -= row.points
            fits.append(row)
        if not fits:
            return None
        keys = [row.pk for row in fits]
        evidence = grouped(Evidence.objects.filter(claim__in=keys).values_list("claim_id", "pk"))
        reviewers = grouped(Review.objects.filter(claim__in=keys).values_list("claim_id", "by_id"))
        transfers = []
        for row in fits:
            transfers += entries.award(
                id=row.pk,
                owner=heirs.get(row.owner) or row.owner,
                points=row.points,
                purses=[SPEND],
                occurred_on=row.claim.occurred_on,
                cause=cause_of(row.claim, evidence.get(row.pk, []), reviewers.get(row.pk, []), row.notice_id),
                late=True,
            )
        posted = ledger.post(transfers, place=place, by=by, period=period, note="资金到位，兑换积分入账")
        refuse_unfunded(place, SPEND)
        Waiting.objects.filter(pk__in=keys).update(batch_id=posted.batch_id)
        record(
            "claims.award_waiting", by=by, place=place, count=len(fits), points=posted.total, gone=len(gone)
        )
    return posted


def _heirs(rows: Sequence[Waiting]) -> dict[UUID, UUID | None]:
    """Households that closed while they waited → the one that took over; None: left for good, nothing to post."""
    closed = Household.objects.filter(pk__in={row.owner for row in rows}).exclude(status__in=Household.OPEN)
    found: dict[UUID, UUID | None] = {}
    for household in closed.select_related("successor__successor__successor"):
        heir = household.successor
        while heir is not None and not heir.is_open:
            heir = heir.successor
        found[household.pk] = heir.pk if heir is not None else None
    return found


def grouped(pairs: Iterable[tuple[UUID, Any]]) -> dict[UUID, list[Any]]:
    """Pairs → key → its values, in order."""
    found: dict[UUID, list[Any]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def cause_of(claim: Claim, evidence: list[UUID], reviewers: list[int], notice: UUID | None) -> dict[str, Any]:
    """L-07: where these points come from; ids only, never a name."""
    return {
        "rule": str(claim.book_id),
        "rule_version": claim.book.version,
        "item": claim.item.code,
        "claim": str(claim.pk),
        "evidence": sorted(str(one) for one in evidence),
        "reviewers": sorted(set(reviewers)),
        "actor": claim.submitted_by_id,
        "delegate": claim.submitted_by_id if claim.on_behalf_of_id else None,
        "channel": claim.channel,
        "notice": str(notice) if notice else None,
        "number": str(claim),
    }
