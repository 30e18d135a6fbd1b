"""What a reviewer sees of the queue: each claim with its photos, its flags and what it would bring; and, apart,
what they must stay out of, with the reason. Queries do not grow with the number of claims, but for photos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from zhili.claims.access import LEVEL_ROLES, LEVELS, kept_out
from zhili.claims.models import Claim, Evidence, Review
from zhili.claims.photos import SimilarPhoto, is_swapped, similar_photos
from zhili.claims.queries import QueueRow, review_queue
from zhili.claims.scoring import score_claims
from zhili.common.errors import ZhiliError
from zhili.people.models import User
from zhili.people.queries import head_names
from zhili.rulebook import book as format_1
from zhili.rulebook.calculator import Scored
from zhili.rulebook.queries import parsed

OUT_MAX: Final = 100


@dataclass(slots=True)
class Seen:
    """One claim of the queue as a reviewer reads it. scored: None where people set the points."""

    row: QueueRow
    head: str
    rule: format_1.Item
    scored: Scored | None = None
    photos: list[Evidence] = field(default_factory=list)
    papers: list[Evidence] = field(default_factory=list)
    similar: list[SimilarPhoto] = field(default_factory=list)
    swapped: bool = False

    @property
    def claim(self) -> Claim:
        return self.row.claim


def queue(by: User, place: str, start: int = 0, count: int = 500) -> tuple[list[Seen], int]:
    """The stretch of the queue that a page shows, and how long the whole is."""
    rows = review_queue(by, place)
    return seen(place, rows[start : start + count]), len(rows)


def seen(place: str, rows: Sequence[QueueRow]) -> list[Seen]:
    """Queue rows with everything a reviewer looks at."""
    heads = head_names(place, {row.claim.household_id for row in rows})
    found = {
        row.claim.pk: Seen(
            row, heads.get(row.claim.household_id, ""), parsed(row.claim.book).item(row.claim.item.code)
        )
        for row in rows
    }
    scores = _scores(place, [row.claim for row in rows if not row.span])
    for evidence in Evidence.objects.filter(claim__in=list(found)).order_by("pk"):
        one = found[evidence.claim_id]
        (one.photos if evidence.file_name else one.papers).append(evidence)
    for pk, one in found.items():
        one.scored = scores.get(pk)
        if one.photos:
            one.swapped = any(is_swapped(photo) for photo in one.photos)
            one.similar = [match for matches in similar_photos(pk).values() for match in matches]
    return list(found.values())


def _scores(place: str, claims: Sequence[Claim]) -> dict[UUID, Scored]:
    """What each would bring on top of what counts, hangs out, or is approved and waits."""
    ids = {claim.pk for claim in claims}
    households = {claim.household_id for claim in claims}
    waiting = Claim.objects.filter(place=place, household__in=households, status=Claim.Status.APPROVED)
    rows = [*waiting.select_related("item", "household", "resident", "book")[:2_000], *claims]
    try:
        return {pk: scored for pk, scored in score_claims(rows).items() if pk in ids} if rows else {}
    except ZhiliError:
        return {}


def stays_out(by: User, place: str) -> list[tuple[Claim, str]]:
    """Claims at this person's level that others must decide, and why (G-08); oldest first, at most 100."""
    statuses = [status for status, level in LEVELS.items() if by.has_role(LEVEL_ROLES[level], place=place)]
    rows = Claim.objects.filter(place=place, status__in=statuses).select_related(
        "item", "household", "resident"
    )
    claims = list(rows.order_by("submitted_at", "pk")[:1_000])
    out = kept_out(by, place, [claim.household_id for claim in claims])
    before = set(Review.objects.filter(claim__in=claims, by=by).values_list("claim_id", "level"))
    found = []
    for claim in claims:
        decided = any(pk == claim.pk and level != LEVELS[claim.status] for pk, level in before)
        if claim.household_id in out:
            found.append((claim, f"您需要回避：{out[claim.household_id]}"))
        elif claim.submitted_by_id == by.pk:
            found.append((claim, "这条是您提交的，要由别人评议"))
        elif decided:
            found.append((claim, "您已评议过一次，这一环节要由别人来定"))
    return found[:OUT_MAX]
