"""Reading claims: what waits for whom, what became of one, how many of what. Bounded, constant queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import TruncMonth

from zhili.claims.access import LEVEL_ROLES, LEVELS, kept_out, of_household
from zhili.claims.models import Claim, Evidence, Review
from zhili.claims.photos import SimilarPhoto, similar_photos
from zhili.claims.scoring import Preview, preview, span_of
from zhili.common.points import format_signed
from zhili.ledger.entries import derived
from zhili.ledger.queries import receipt_code
from zhili.people.access import leads_group
from zhili.people.models import Household, Membership, User
from zhili.rulebook import book as format_1
from zhili.rulebook.models import Item
from zhili.rulebook.queries import in_force, parsed

__all__ = [
    "Preview",
    "QueueRow",
    "Step",
    "claim_story",
    "claimable_items",
    "claims_of",
    "evidence_of",
    "overview",
    "preview",
    "recheck_list",
    "review_queue",
    "village_claims",
    "waiting_counts",
]

QUEUE_MAX: Final = 500
LIST_MAX: Final = 500
Status = Claim.Status


def _rows() -> QuerySet[Claim]:
    return Claim.objects.select_related("item", "household", "resident", "book", "submitted_by")


def village_claims(place: str) -> QuerySet[Claim]:
    """All claims of a village with what a list shows, newest first; the list itself cuts pages."""
    return _rows().filter(place=place)


def claims_of(household: Household, limit: int = LIST_MAX) -> list[Claim]:
    """A household's claims, newest first."""
    return list(_rows().filter(household=household)[:limit])


@dataclass(slots=True)
class QueueRow:
    """One claim that waits for this person. level: "1", "2", "council". span: the range people set, "" if the
    book sets the points. kinds: evidence there is. same_day: other claims of the household for the same item
    and day that are not refused. The first score is not in here: the second review is blind (G-10)."""

    claim: Claim
    level: str
    span: str
    kinds: list[str] = field(default_factory=list)
    same_day: int = 0
    hearing_missing: bool = False


def review_queue(by: User, place: str, limit: int = QUEUE_MAX) -> list[QueueRow]:
    """Claims this person may decide on now, oldest first: no own entries, no recusals, nobody twice. 5 queries."""
    statuses = [status for status, level in LEVELS.items() if by.has_role(LEVEL_ROLES[level], place=place)]
    mine = Review.objects.filter(claim=OuterRef("pk"), by=by)
    rows = list(
        _rows()
        .filter(place=place, status__in=statuses)
        .exclude(submitted_by=by)
        .annotate(reviewed_before=Exists(mine))
        .order_by("submitted_at", "pk")[: limit * 2]
    )
    out = kept_out(by, place, [claim.household_id for claim in rows])
    rows = [claim for claim in rows if claim.household_id not in out]
    # Someone whose first decision was to return it may look at it again at the same level.
    again = {claim.pk for claim in rows if claim.reviewed_before}
    levels = Review.objects.filter(claim__in=again, by=by).values_list("claim_id", "level") if again else []
    elsewhere = {(pk, level) for pk, level in levels}
    rows = [
        claim
        for claim in rows
        if not any(pk == claim.pk and level != LEVELS[claim.status] for pk, level in elsewhere)
    ][:limit]
    return _queue_rows(place, rows)


def _queue_rows(place: str, rows: Sequence[Claim]) -> list[QueueRow]:
    kinds: dict[Any, list[str]] = {}
    for pk, kind in Evidence.objects.filter(claim__in=rows).values_list("claim_id", "kind"):
        kinds.setdefault(pk, []).append(kind)
    same = {
        (household, item, day): count
        for household, item, day, count in Claim.objects.filter(
            place=place, household__in={claim.household_id for claim in rows}
        )
        .filter(occurred_on__in={claim.occurred_on for claim in rows})
        .exclude(status__in=[Status.REFUSED, Status.WITHDRAWN, Status.DROPPED])
        .values_list("household", "item", "occurred_on")
        .annotate(count=Count("pk"))
        .order_by()
    }
    return [
        QueueRow(
            claim,
            LEVELS[claim.status],
            span_of(parsed(claim.book).item(claim.item.code)),
            sorted(kinds.get(claim.pk, [])),
            same.get((claim.household_id, claim.item_id, claim.occurred_on), 1) - 1,
            claim.reminded_on is not None and not claim.heard,
        )
        for claim in rows
    ]


def evidence_of(claim: Claim) -> list[tuple[Evidence, list[SimilarPhoto]]]:
    """The claim's evidence, each photo with near-same photos of other claims (F-11). 2 queries."""
    similar = similar_photos(claim.pk)
    rows = Evidence.objects.filter(claim=claim).select_related("added_by").order_by("pk")
    return [(row, similar.get(row.pk, [])) for row in rows]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a claim's story. kind: rule | submitted | evidence | review | visit | score | notice | posted.
    at: the moment, None where it has none. lines: plain sentences."""

    kind: str
    title: str
    at: datetime | None = None
    lines: tuple[str, ...] = ()


def claim_story(claim: Claim, by: User | None = None) -> list[Step]:
    """Why this score: rule → submission → evidence → reviews → score → notice → posting, in words (U-63, P-08).

    by: who looks; a person who may still give the second review does not see the first score.
    """
    item = parsed(claim.book).item(claim.item.code)
    steps = [
        Step(
            "rule",
            f"{claim.book.title} 第{claim.book.version}版",
            None,
            (
                f"{claim.item.category_title}　{claim.item.title}（{claim.item.code}）",
                *filter(None, [item.note]),
            ),
        ),
        _submitted(claim),
    ]
    for row in claim.evidence.order_by("pk"):
        steps.append(Step("evidence", row.get_kind_display(), row.added_at, (row.note,) if row.note else ()))
    blind = (
        by is not None and claim.status == Status.SECOND_REVIEW and by.has_role("reviewer", place=claim.place)
    )
    for review in claim.reviews.order_by("pk"):
        score = "" if review.points is None or blind else f"评 {format_signed(review.points)} 分"
        lines = tuple(filter(None, [score, review.reason]))
        steps.append(
            Step("review", f"{review.get_level_display()}：{review.get_decision_display()}", review.at, lines)
        )
    if claim.visited_on:
        steps.append(Step("visit", f"{claim.visited_on:%Y年%-m月%-d日}抽查", None, (claim.visit_note,)))
    if claim.points_awarded is not None:
        steps.append(Step("score", f"{format_signed(claim.points_awarded)} 分", None, tuple(claim.why)))
    return steps + _after_notice(claim)


def _submitted(claim: Claim) -> Step:
    who = str(claim.submitted_by)
    if claim.on_behalf_of:
        who = f"{who} 代 {claim.on_behalf_of.name}"
    lines = [f"{claim.occurred_on:%Y年%-m月%-d日}的事，{claim.get_channel_display()}，{who}"]
    if claim.text:
        lines.append(claim.text)
    if claim.late:
        lines.append("补记：那一期已经入账，记到现在这一期")
    if claim.reminded_on:
        lines.append(f"{claim.reminded_on:%Y年%-m月%-d日}提醒过")
    if claim.heard:
        lines.append(f"本户陈述：{claim.heard}")
    return Step("submitted", f"{claim} 申报", claim.submitted_at, tuple(lines))


def _after_notice(claim: Claim) -> list[Step]:
    """The line that shows the claim, reached by the relation the room above declares."""
    try:
        line = claim.line
    except ObjectDoesNotExist:
        return []
    lines = [f"第 {line.position} 条，{line.get_status_display()}"]
    if line.correction:
        lines.append(f"更正：{line.correction}")
    steps = [Step("notice", line.notice.title, line.notice.opened_at, tuple(lines))]
    if line.batch_id and line.points:
        book = parsed(claim.book)
        purses = book.purses_of(book.item(claim.item.code))
        receipts = tuple(
            f"{book.purse(purse).title}，回执 {receipt_code(derived(claim.pk, purse))}" for purse in purses
        )
        steps.append(Step("posted", f"入账 {format_signed(line.points)} 分", line.notice.closed_at, receipts))
    return steps


def claimable_items(by: User, household: Household, on: date) -> list[tuple[Item, format_1.Item]]:
    """Items `by` may claim for this household on that day, in the book's order; empty where no book binds."""
    row = in_force(household.place, on)
    if row is None:
        return []
    book = parsed(row)
    roles = set()
    if of_household(by, household):
        roles.add("self")
    elif by.home_place == household.place:
        roles.add("neighbour")
    if by.has_role(Membership.Role.CLERK, place=household.place) or leads_group(by, household):
        roles.add("clerk")
    wanted = {item.code: item for item in book.items if roles & set(item.effective_claim_by)}
    return [(item, wanted[item.code]) for item in row.items.order_by("position") if item.code in wanted]


def recheck_list(place: str) -> list[Claim]:
    """Claims drawn for a visit or a call that nobody has looked at yet, oldest first (G-04)."""
    rows = _rows().filter(place=place, recheck=True, visited_on=None)
    alive = rows.exclude(status__in=[Status.REFUSED, Status.WITHDRAWN, Status.DROPPED, Status.RETURNED])
    return list(alive.order_by("occurred_on", "pk")[:LIST_MAX])


def waiting_counts(place: str) -> dict[str, int]:
    """Status → number of claims, for what is not finished. One query."""
    rows = Claim.objects.filter(place=place).exclude(
        status__in=[Status.POSTED, Status.REFUSED, Status.DROPPED, Status.WITHDRAWN]
    )
    return dict(rows.values_list("status").annotate(count=Count("pk")).order_by())


def overview(place: str, start: date, end: date) -> dict[str, list[dict[str, Any]]]:
    """Numbers of a village for facts between two days (inclusive), for charts and tables; 4 queries.

    by_status, by_month, by_category, by_group: lists of {key, title, claims, posted, points}; points are
    hundredths posted, by the day of the fact. No person and no household is in it.
    """
    rows = Claim.objects.filter(place=place, occurred_on__range=(start, end)).exclude(status=Status.WITHDRAWN)
    posted = Q(status=Status.POSTED)
    numbers = {
        "claims": Count("pk"),
        "posted": Count("pk", filter=posted),
        "points": Sum("points_awarded", filter=posted, default=0),
    }
    titles = dict(Status.choices)
    status = rows.values("status").annotate(**numbers).order_by("status")
    month = (
        rows.annotate(month=TruncMonth("occurred_on")).values("month").annotate(**numbers).order_by("month")
    )
    category = (
        rows.values("item__category_code", "item__category_title")
        .annotate(**numbers)
        .order_by("item__category_code")
    )
    group = rows.values("household__group").annotate(**numbers).order_by("household__group")
    return {
        "by_status": _table(status, lambda row: (row["status"], titles[row["status"]])),
        "by_month": _table(month, lambda row: (f"{row['month']:%Y-%m}", f"{row['month']:%Y年%-m月}")),
        "by_category": _table(
            category, lambda row: (row["item__category_code"], row["item__category_title"])
        ),
        "by_group": _table(group, lambda row: (row["household__group"], row["household__group"] or "未分组")),
    }


def _table(rows: Iterable[Mapping[str, Any]], name: Any) -> list[dict[str, Any]]:
    found = []
    for row in rows:
        key, title = name(row)
        found.append(
            {
                "key": key,
                "title": title,
                "claims": row["claims"],
                "posted": row["posted"],
                "points": row["points"],
            }
        )
    return found
