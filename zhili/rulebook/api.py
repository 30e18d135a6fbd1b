"""积分细则 for machines: the book in force, its versions and items, and the red-line check of a draft."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from zhili.common.api import Day, Digest, Page, PagingQuery, PlaceCode, Points, answers, caller, page_of
from zhili.common.errors import NotFound
from zhili.common.periods import today
from zhili.common.points import format_points
from zhili.common.policy import may
from zhili.people.models import User
from zhili.rulebook import book as format_1
from zhili.rulebook.book_yaml import load_yaml
from zhili.rulebook.calculator import read_events, result_json, score
from zhili.rulebook.models import RuleBook
from zhili.rulebook.queries import in_force, parsed
from zhili.rulebook.redlines import check_book, report_json

router = Router(tags=["积分细则"])
PUBLISHED: Final = (RuleBook.Status.IN_FORCE, RuleBook.Status.SUPERSEDED)
TEXT_MAX: Final = 500_000
EVENTS_TEXT_MAX: Final = 200_000


class BookRow(Schema):
    """One version. from_day, to_day: the first day it binds and the last (null: open). digest: of its text."""

    id: UUID
    place: str
    title: str
    version: int
    status: str
    status_title: str
    unit: str
    settlement: str
    from_day: date
    to_day: date | None
    digest: Digest


class ItemRow(Schema):
    """One item. least, most: what one event can bring, decimal text. claim_by: self, neighbour, clerk."""

    code: str
    category: str
    category_title: str
    title: str
    note: str
    shape: str
    least: Points
    most: Points
    unit: str | None
    grades: list[str]
    evidence: str
    review: str
    claim_by: list[str]
    purses: list[str]


class BookWhole(BookRow):
    """A version with its whole text, zhili-rulebook/1 YAML, and its items."""

    text: str
    items: list[ItemRow]


def _row(row: RuleBook) -> dict[str, Any]:
    last = (
        parsed(row).effective_to if row.valid_to is None else date.fromordinal(row.valid_to.toordinal() - 1)
    )
    return {
        "id": row.pk,
        "place": row.place,
        "title": row.title,
        "version": row.version,
        "status": row.status,
        "status_title": row.get_status_display(),
        "unit": row.unit,
        "settlement": row.settlement,
        "from_day": row.valid_from,
        "to_day": last,
        "digest": row.digest,
    }


def _whole(row: RuleBook) -> BookWhole:
    return BookWhole(
        **_row(row), text=row.text, items=[item_row(parsed(row), item) for item in parsed(row).items]
    )


def item_row(book: format_1.RuleBook, item: format_1.Item) -> ItemRow:
    """An item as the API shows it."""
    shape = item.points
    measured = isinstance(shape, format_1.PerUnit | format_1.Tiers)
    return ItemRow(
        code=item.code,
        category=item.category,
        category_title=book.category(item.category).title,
        title=item.title,
        note=item.note,
        shape=type(shape).__name__,
        least=format_points(item.least),
        most=format_points(item.most),
        unit=shape.of if measured else None,  # type: ignore[union-attr]
        grades=list(shape.grades) if isinstance(shape, format_1.Grades) else [],
        evidence=item.effective_evidence,
        review=str(item.effective_review),
        claim_by=list(item.effective_claim_by),
        purses=list(book.purses_of(item)),
    )


def access_book(by: User, book_id: UUID) -> RuleBook:
    """What binds or bound is for everyone in the village; drafts for those who work on them (A-04)."""
    found = RuleBook.objects.filter(pk=book_id).first()
    if found is None or not (found.status in PUBLISHED or may(by, "rulebook.see", found)):
        raise NotFound("没有这份细则。")
    return found


def _binding(place: str, on: date | None) -> BookWhole:
    row = in_force(place, on or today())
    if row is None:
        raise NotFound("那天没有施行中的细则。")
    return _whole(row)


OnDay = Annotated[Day | None, Query(description="哪一天施行的，不写就是今天")]


@router.get(
    "/open/{place}/rulebook",
    auth=None,
    response=answers(BookWhole, public=True),
    summary="施行中的细则（公开）",
)
def open_book(request: HttpRequest, place: PlaceCode, on: OnDay = None) -> Any:
    """The book that binds the village on a day, for everybody."""
    return _binding(place, on)


@router.get("/villages/{place}/rulebook", auth=caller(), response=answers(BookWhole), summary="施行中的细则")
def book_in_force(request: HttpRequest, place: PlaceCode, on: OnDay = None) -> Any:
    """The book that binds the village on a day."""
    return _binding(place, on)


@router.get("/villages/{place}/rulebooks", auth=caller(), response=answers(Page[BookRow]), summary="细则各版")
def list_books(request: HttpRequest, place: PlaceCode, paging: PagingQuery) -> Any:
    """All versions, newest first; without drafts for those who do not work on them."""
    by: Any = request.user
    rows = RuleBook.objects.filter(place=place).order_by("-version")
    if not may(by, "rulebook.see", place):
        rows = rows.filter(status__in=PUBLISHED)
    return page_of(rows, paging, lambda cut: [BookRow(**_row(row)) for row in cut])


@router.get("/rulebooks/{book_id}", auth=caller(), response=answers(BookWhole), summary="一版细则")
def one_book(request: HttpRequest, book_id: UUID) -> Any:
    """One version with its text."""
    return _whole(access_book(request.user, book_id))  # type: ignore[arg-type]


@router.get(
    "/rulebooks/{book_id}/items", auth=caller(), response=answers(Page[ItemRow]), summary="一版细则的项目"
)
def list_items(request: HttpRequest, book_id: UUID, paging: PagingQuery) -> Any:
    """The items of one version in the book's order."""
    book = parsed(access_book(request.user, book_id))  # type: ignore[arg-type]
    return page_of(book.items, paging, lambda cut: [item_row(book, item) for item in cut])


class DraftText(Schema):
    """A rule book to look over: the whole zhili-rulebook/1 document."""

    text: str = Field(min_length=1, max_length=TEXT_MAX)


class Found(Schema):
    """One finding. level: block, legal_review or warn; quote: the words it is about."""

    id: str
    level: str
    basis: str
    suggestion: str
    quote: str


class ItemVerdict(Schema):
    """verdict: block, legal_review, warn or ok."""

    code: str
    verdict: str
    lines: list[Found]


class BookVerdict(Schema):
    """What concerns the book as a whole; coverage: group of people → items within their reach."""

    verdict: str
    lines: list[Found]
    coverage: dict[str, list[str]]


class CheckAnswer(Schema):
    """The check's document (DESIGN.md §6). blocked: how many findings forbid it to come into force."""

    blocked: int
    items: list[ItemVerdict]
    book: BookVerdict


@router.post("/rulebook-check", auth=caller(), response=answers(CheckAnswer), summary="红线检查")
def check_text(request: HttpRequest, body: DraftText) -> Any:
    """Red lines of a draft. Stores nothing."""
    return report_json(check_book(load_yaml(body.text, "细则")))


class Trial(Schema):
    """A rule book and events: CSV text with the columns event, account, resident, item, occurred_on, quantity,
    grade, points (DESIGN.md §6)."""

    text: str = Field(min_length=1, max_length=TEXT_MAX)
    events: str = Field(min_length=1, max_length=EVENTS_TEXT_MAX)


class ScoredRow(Schema):
    """One event: before and after caps, and the steps in words."""

    event: str
    raw: Points
    awarded: Points
    why: list[str]


class TotalRow(Schema):
    """One account in one settlement period and purse, opening points included."""

    account: str
    period: str
    purse: str
    points: Points


class ScoreAnswer(Schema):
    """The calculator's document."""

    events: list[ScoredRow]
    totals: list[TotalRow]


@router.post(
    "/rulebook-score",
    auth=caller("rulebook.whatif"),
    response=answers(ScoreAnswer),
    summary="用细则给事件试算",
)
def score_events(request: HttpRequest, body: Trial) -> Any:
    """What these events would bring under this book. Stores nothing; the same calculator as everywhere."""
    return result_json(score(load_yaml(body.text, "细则"), read_events(body.events, "事件")))
