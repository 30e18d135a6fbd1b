"""How claims feed the calculator: the same one that a rule book file is tried on.

What was posted or hangs on the wall counts first, with the points that stand there; then what is approved and
waits, in the order of the day; then the event that is asked about. Amounts are hundredths of a point.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from zhili.claims.errors import ClaimError
from zhili.claims.models import Claim
from zhili.common.points import format_points
from zhili.people.models import Household, Resident
from zhili.rulebook import book as format_1
from zhili.rulebook.calculator import Calculator, Event, Scored
from zhili.rulebook.errors import ScoreError
from zhili.rulebook.models import RuleBook
from zhili.rulebook.queries import in_force, parsed
from zhili.rulebook.shapes import compile_shape

COUNTED = (Claim.Status.POSTED, Claim.Status.ON_NOTICE, Claim.Status.HELD)
_FIELDS: dict[type, str] = {
    format_1.PerUnit: "quantity",
    format_1.Tiers: "quantity",
    format_1.Grades: "grade",
    format_1.Range: "points",
}


@dataclass(frozen=True, slots=True)
class Preview:
    """What a claim would bring. points, raw: hundredths, None where people set them (then `span` says the
    range). why: steps in words. review: "1", "2" or "council". evidence: none | witness | photo | document."""

    points: int | None
    raw: int | None
    why: list[str] = field(default_factory=list)
    review: str = "1"
    evidence: str = "none"
    span: str = ""


def owner_of(unit: str, household: UUID, resident: Resident | None, on: date) -> UUID:
    """Whose account: the household; in a book by person the resident, for a child the household (P-07)."""
    if unit == "household" or resident is None or resident.is_minor(on):
        return household
    return resident.pk


def event_of(claim: Claim, points: int | None = None) -> Event:
    """A claim (with household, resident, item and book loaded) as the calculator wants it."""
    owner = owner_of(claim.book.unit, claim.household_id, claim.resident, claim.occurred_on)
    return Event(
        event=str(claim.pk),
        account=str(owner),
        resident=str(claim.resident_id) if claim.resident_id else None,
        item=claim.item.code,
        occurred_on=claim.occurred_on,
        quantity=claim.quantity,
        grade=claim.grade or None,
        points=claim.points_decided if points is None else points,
    )


def measure(item: format_1.Item, event: Event) -> int:
    """What the event alone is worth, before caps, in hundredths; checks that what the item asks for is there.

    Raises ClaimError.
    """
    try:
        return compile_shape(item)(event)[0]
    except ScoreError as error:
        raise claim_error(error, item) from error


def claim_error(error: ScoreError, item: format_1.Item) -> ClaimError:
    """The calculator's refusal as a form knows it: beside the field, without names of columns."""
    shape = item.points
    where = _FIELDS.get(type(shape))
    problem = error.problems[0]
    if isinstance(shape, format_1.PerUnit | format_1.Tiers):
        return ClaimError(problem.what, field=where, hint=f"请填写数量，单位是{shape.of}。")
    if isinstance(shape, format_1.Range):
        return ClaimError(problem.what, field=where, hint=f"可评 {span_of(item)}。")
    hint = f"{problem.suggestion.rstrip('。')}。" if problem.suggestion else ""
    return ClaimError(problem.what, field=where, hint=hint)


def span_of(item: format_1.Item) -> str:
    """The range reviewers may set, in words; "" for other shapes."""
    shape = item.points
    if not isinstance(shape, format_1.Range):
        return ""
    return f"{format_points(shape.min)} 至 {format_points(shape.max)} 分"


def allowed_points(item: format_1.Item) -> tuple[int, int]:
    """The least and the most that one line of this item may be corrected to; 0 always lies between."""
    shape = item.points
    if isinstance(shape, format_1.PerUnit) and shape.max is None:
        most = format_1.POINTS_MAX
        return (0, most) if shape.each > 0 else (-most, 0)
    return min(item.least, 0), max(item.most, 0)


def with_history(
    row: RuleBook, households: Iterable[UUID], since: date, *, leave_out: Iterable[UUID] = ()
) -> Calculator:
    """A calculator that remembers what counted for these households under this book. One query.

    since: the earliest day about to be scored; what lies before every period that holds it is not read.
    """
    book = parsed(row)
    calculator = Calculator(book)
    rows = Claim.objects.filter(book=row, household__in=list(set(households)), status__in=COUNTED)
    if not _remembers_for_ever(book):
        # The year holds every shorter period but the week, which may begin in December.
        rows = rows.filter(occurred_on__gte=date(since.year, 1, 1) - timedelta(days=6))
    left_out = set(leave_out)
    for claim in rows.select_related("household", "resident", "item").order_by("occurred_on", "pk"):
        if claim.pk not in left_out:
            claim.book = row
            calculator.count(event_of(claim), claim.points_awarded or 0)
    return calculator


def score_claims(claims: Sequence[Claim]) -> dict[UUID, Scored]:
    """Score approved claims (household, resident, item, book loaded) after what already counted.

    They count in the order (occurred_on, id). Queries: one per rule book. Raises ClaimError naming the claim.
    """
    by_book: dict[UUID, list[Claim]] = {}
    for claim in sorted(claims, key=lambda claim: (claim.occurred_on, str(claim.pk))):
        by_book.setdefault(claim.book_id, []).append(claim)
    found: dict[UUID, Scored] = {}
    for rows in by_book.values():
        row = rows[0].book
        calculator = with_history(
            row,
            [claim.household_id for claim in rows],
            rows[0].occurred_on,
            leave_out=[claim.pk for claim in rows],
        )
        for claim in rows:
            try:
                found[claim.pk] = calculator.feed(event_of(claim))
            except ScoreError as error:
                item = parsed(row).item(claim.item.code)
                problem = claim_error(error, item)
                raise ClaimError(f"{claim}：{problem.message}", hint=problem.hint) from error
    return found


def preview(
    place: str,
    household: Household,
    resident: Resident | None,
    item: str,
    occurred_on: date,
    quantity: Decimal | int | None,
    grade: str,
    points: int | None = None,
) -> Preview:
    """What this event would bring on top of what already counts, and why. item: its code. 3 queries.

    Raises ClaimError where no book binds that day or the item's facts are missing.
    """
    row = in_force(place, occurred_on)
    if row is None:
        raise no_book(occurred_on)
    wanted = find_item(row, item)
    if isinstance(wanted.points, format_1.Range) and points is None:
        span = span_of(wanted)
        return Preview(
            None,
            None,
            [f"{wanted.title}：由评议定分，可评 {span}"],
            str(wanted.effective_review),
            wanted.effective_evidence,
            span,
        )
    claim = Claim(
        place=place,
        household=household,
        resident=resident,
        book=row,
        occurred_on=occurred_on,
        quantity=None if quantity is None else Decimal(quantity),
        grade=grade,
    )
    event = event_of_item(claim, wanted.code, points)
    raw = measure(wanted, event)
    calculator = with_history(row, [household.pk], occurred_on)
    waiting = Claim.objects.filter(book=row, household=household, status=Claim.Status.APPROVED)
    for other in waiting.select_related("household", "resident", "item").order_by("occurred_on", "pk"):
        other.book = row
        calculator.feed(event_of(other))
    scored = calculator.feed(event)
    return Preview(
        scored.awarded,
        raw,
        scored.why,
        str(wanted.review_for(raw)),
        wanted.evidence_for(raw),
        span_of(wanted),
    )


def event_of_item(claim: Claim, code: str, points: int | None) -> Event:
    """As event_of, for a claim that is not stored and has no item row yet."""
    owner = owner_of(claim.book.unit, claim.household_id, claim.resident, claim.occurred_on)
    resident = str(claim.resident_id) if claim.resident_id else None
    return Event(
        str(claim.pk),
        str(owner),
        resident,
        code,
        claim.occurred_on,
        claim.quantity,
        claim.grade or None,
        points,
    )


def find_item(row: RuleBook, code: str) -> format_1.Item:
    """The item of the book in force. Raises ClaimError."""
    for item in parsed(row).items:
        if item.code == code:
            return item
    raise ClaimError(
        f"施行中的细则没有“{code[:32]}”这个项目", field="item", hint="细则可能换了新版，请重新选择项目。"
    )


def no_book(day: date) -> ClaimError:
    return ClaimError(
        f"{day:%Y年%-m月%-d日}没有施行中的积分细则",
        field="occurred_on",
        hint="请核对日期；细则还没有施行的，请先施行。",
    )


def _remembers_for_ever(book: format_1.RuleBook) -> bool:
    capped: tuple[format_1.Item | format_1.Category, ...] = (*book.items, *book.categories)
    kinds: set[str | None] = {cap.every for row in capped for cap in row.caps}
    kinds |= {item.points.over for item in book.items if isinstance(item.points, format_1.Tiers)}
    kinds |= {category.every for category in book.categories if category.every}
    return "ever" in kinds
