"""积分存折: a household's book, line by line, on the phone, at the desk and on paper (U-31, U-63).

It joins the ledger's lines with the rule book's titles and the reviewers' names, which the ledger itself does not
know; the paper says exactly what the page says, and does not print at all where the sums do not meet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from zhili.audit.actions import record
from zhili.claims.entering import label_of
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.masking import mask_name
from zhili.common.periods import Period, parse_code, period_of, previous_period, today
from zhili.common.points import format_points, format_signed
from zhili.common.policy import may, requires, signed_in
from zhili.ledger import queries as ledger
from zhili.ledger.queries import Entry, Statement
from zhili.people.access import access_household, person_of
from zhili.people.models import Household, Resident, User
from zhili.people.queries import head_names
from zhili.places.queries import get_place, village_settings
from zhili.rulebook.models import Item
from zhili.rulebook.queries import in_force, parsed
from zhili.web.notice_paper import answer
from zhili.web.print import Passbook, PassbookEntry, PrintError, passbook_pdf
from zhili.web.print.book import Book, book_pdf
from zhili.web.standing import owner_of, standing

MONTHS = 13
LINES = 500


@dataclass(frozen=True, slots=True)
class Row:
    """One line as people read it."""

    entry: Entry
    title: str
    reviewers: str
    claim: str


def rows_of(place: str, page: Statement) -> list[Row]:
    """Lines with the titles of their items and the names of their reviewers, newest first. Two queries."""
    causes = [entry.cause for entry in page.entries]
    wanted = {str(cause.get("item", "")) for cause in causes}
    books = [UUID(str(cause["rule"])) for cause in causes if cause.get("rule")]
    items = {
        (str(book), code): title
        for book, code, title in Item.objects.filter(
            place=place, book__in=books, code__in=wanted
        ).values_list("book_id", "code", "title")
    }
    ids = {user for cause in causes for user in cause.get("reviewers") or []}
    names = {user.pk: str(user) for user in User.objects.filter(pk__in=ids)}
    rows = []
    for entry in page.entries:
        cause = entry.cause
        title = items.get((str(cause.get("rule", "")), str(cause.get("item", ""))), "")
        said = str(cause.get("reason", "") or "")
        whole = (
            title
            if title and entry.code in ("award", "deduct")
            else f"{entry.code_title}{'：' + (title or said) if title or said else ''}"
        )
        reviewers = "、".join(names[user] for user in cause.get("reviewers") or [] if user in names)
        rows.append(Row(entry, whole, reviewers, str(cause.get("claim") or "")))
    return rows[::-1]


def _month(text: str) -> Period | None:
    try:
        found = parse_code(text) if text else None
    except ZhiliError:
        return None
    return found if found is not None and found.kind == "month" else None


def months() -> list[Period]:
    """The running month and those before, newest first."""
    found = [period_of(today(), "month")]
    while len(found) < MONTHS:
        found.append(previous_period(found[-1]))
    return found


def _book(request: HttpRequest, household: Household, resident: Resident | None) -> dict[str, object]:
    """What a passbook page shows: purses, the chosen one's lines of the chosen month or all."""
    here = standing(household, resident)
    owner = owner_of(household, resident, here.book)
    purse = request.GET.get("purse", "")
    codes = [one.code for one in here.purses]
    purse = purse if purse in codes else (here.main.code if here.main else "merit")
    month = _month(request.GET.get("month", ""))
    page = _page(household.place, owner, purse, month)
    totals = ledger.period_totals(household.place, [here.period.code], [owner]) if here.period else {}
    return {
        "own": here,
        "household": household,
        "purse": purse,
        "month": month,
        "months": months(),
        "page": page,
        "title": next((one.title for one in here.purses if one.code == purse), purse),
        "rows": rows_of(household.place, page),
        "total": totals.get((owner, here.period.code if here.period else "", purse)),
    }


def _page(place: str, owner: UUID, purse: str, month: Period | None) -> Statement:
    if month is None:
        return ledger.statement(place, owner, purse=purse, limit=LINES)
    return ledger.statement(place, owner, purse=purse, start=month.start, end=month.end, limit=LINES)


def _own(request: HttpRequest) -> tuple[Household, Resident]:
    user = request.user
    assert isinstance(user, User)
    if user.resident is None:
        raise NotFound("您的账号没有连到村里的一户。")
    return user.resident.household, user.resident


@signed_in
def passbook(request: HttpRequest) -> HttpResponse:
    """/m/passbook/: balances in big figures, then every line, each leading to why."""
    household, resident = _own(request)
    return render(request, "ledger/phone_passbook.html", _book(request, household, resident))


@signed_in
def passbook_print(request: HttpRequest) -> HttpResponse:
    """/m/passbook/passbook.pdf: the same on paper."""
    household, resident = _own(request)
    return _pdf(request, household, resident)


@signed_in
def entry(request: HttpRequest, transfer: UUID) -> HttpResponse:
    """/m/passbook/<line>/: a line that has no claim behind it: opening, expiry, reversal, redemption."""
    household, resident = _own(request)
    owner = owner_of(household, resident, in_force(household.place, today()))
    for page in ledger.statements(household.place, owner, limit=5_000).values():
        for row in rows_of(household.place, page):
            if row.entry.transfer_id == transfer:
                return render(request, "ledger/phone_entry.html", {"row": row, "household": household})
    raise NotFound("没有这一笔。")


def _office(request: HttpRequest, place: str, household: UUID) -> Household:
    user = request.user
    assert isinstance(user, User)
    if not user.has_perm("ledger.read", place):
        raise NotFound("没有这一页。")
    if user.has_role("reviewer", "council", "audit_admin", place=place):
        found = Household.objects.filter(pk=household, place=place).first()
    else:
        found = access_household(user, household)
    if found is None or found.place != place:
        raise NotFound("没有这一户。")
    return found


def _person(request: HttpRequest, household: Household) -> Resident | None:
    """In a book by person: whose page is asked for (?who=), the head's by default."""
    people = list(household.residents.order_by("relation", "pk"))
    wanted = request.GET.get("who", "")
    chosen = next((one for one in people if str(one.pk) == wanted), None)
    return chosen or next((one for one in people if one.is_head), people[0] if people else None)


@requires("ledger.read")
def statement(request: HttpRequest, place: str, household: UUID) -> HttpResponse:
    """/desk/<place>/ledger/households/<id>/: one household's passbook at the desk."""
    home = _office(request, place, household)
    book = in_force(place, today())
    by_person = book is not None and parsed(book).unit == "resident"
    person = _person(request, home) if by_person else None
    user = request.user
    assert isinstance(user, User)
    context = _book(request, home, person) | {
        "place": place,
        "label": label_of(user, home),
        "person": person,
        "people": list(home.residents.all()) if by_person and may(user, "people.see_household", home) else [],
    }
    return render(request, "ledger/desk_statement.html", context)


@requires("ledger.read")
def statement_print(request: HttpRequest, place: str, household: UUID) -> HttpResponse:
    """The desk's print buttons: ?paper=a4, a5 (a statement), book (the printed book, ?after= the lines that stand in it,
    ?line= where on the open page to go on)."""
    home = _office(request, place, household)
    book = in_force(place, today())
    by_person = book is not None and parsed(book).unit == "resident"
    resident = _person(request, home) if by_person else None
    paper = request.GET.get("paper", "")
    made = _book_pdf(request, home, resident) if paper == "book" else _pdf(request, home, resident)
    record("ledger.print_passbook", by=person_of(request), place=place, target=home, paper=paper or "a5")
    return made


def _number(request: HttpRequest, key: str, title: str) -> int:
    text = request.GET.get(key, "").strip()
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise ZhiliError(f"{title}要写数字", hint="请回到上一页，照存折上印的写。")
    return int(text)


def _book_pdf(request: HttpRequest, household: Household, resident: Resident | None) -> HttpResponse:
    """The book, or what is new in it: line n of the book is the n-th line of this purse, so the book itself says where
    it stopped."""
    place, settings = household.place, village_settings(household.place)
    after, line = _number(request, "after", "最后一行的序号"), _number(request, "line", "第几行")
    here = standing(household, resident)
    codes = {one.code: one.title for one in here.purses}
    purse = request.GET.get("purse", "")
    purse = purse if purse in codes else (here.main.code if here.main else "merit")
    page = ledger.statement(
        place, owner_of(household, resident, here.book), purse=purse, limit=ledger.STATEMENT_MAX
    )
    if page.opening:
        raise ZhiliError(f"这一户的流水超过 {ledger.STATEMENT_MAX} 行，打不成一本", hint="请按月份打印存折。")
    if after > len(page.entries):
        raise ZhiliError(
            f"账上只有 {len(page.entries)} 行，存折上的最后序号不会是 {after}",
            hint="请回到上一页，照存折最后一行的序号写。",
        )
    entries = _printed(rows_of(place, page)[::-1])
    name = head_names(place, [household.pk]).get(household.pk, "")
    made = Book(
        village=get_place(place).short_name,
        household_code=household.code,
        head_name=name if may(person_of(request), "people.see_household", household) else mask_name(name),
        group=household.group,
        purse_title=codes.get(purse, purse),
        opening=entries[after - 1].balance if after else format_points(page.opening),
        entries=entries[after:],
        closing=format_points(page.closing),
        printed_on=today(),
        after=after,
        line=line,
        phone=settings.office_phone,
        check_url=request.build_absolute_uri(f"/open/{place}/receipt/"),
        demo=settings.demo,
    )
    try:
        return answer(book_pdf(made), f"passbook-{place}-{household.code}-{after + 1}.pdf")
    except PrintError as error:
        raise ZhiliError(str(error)) from error


def _printed(rows: Iterable[Row]) -> list[PassbookEntry]:
    return [
        PassbookEntry(
            occurred_on=row.entry.occurred_on.isoformat(),
            reason=row.title,
            points=format_signed(row.entry.points),
            balance=format_points(row.entry.balance_after),
            reviewers=row.reviewers,
            receipt=row.entry.receipt,
        )
        for row in rows
    ]


def _pdf(request: HttpRequest, household: Household, resident: Resident | None) -> HttpResponse:
    found = _book(request, household, resident)
    page, month = found["page"], found["month"]
    assert isinstance(page, Statement)
    place, settings = household.place, village_settings(household.place)
    head = ledger.latest_head(place)
    user = request.user
    assert isinstance(user, User)
    name = head_names(place, [household.pk]).get(household.pk, "")
    rows = found["rows"]
    assert isinstance(rows, list)
    made = Passbook(
        village=get_place(place).short_name,
        household_code=household.code,
        head_name=name if may(user, "people.see_household", household) else mask_name(name),
        group=household.group,
        purse_title=str(found["title"]),
        from_on=_day(
            month.start
            if isinstance(month, Period)
            else (page.entries[0].posted_at.date() if page.entries else household.opened_on)
        ),
        to_on=_day(min(month.end, today()) if isinstance(month, Period) else today()),
        opening=format_points(page.opening),
        entries=_printed(rows[::-1]),
        closing=format_points(page.closing),
        printed_on=today(),
        phone=settings.office_phone,
        head_code=head.short if head else "",
        check_url=request.build_absolute_uri(f"/open/{place}/receipt/"),
        demo=settings.demo,
    )
    try:
        return answer(
            passbook_pdf(made, "a4" if request.GET.get("paper") == "a4" else "a5"),
            f"passbook-{place}-{household.code}.pdf",
        )
    except PrintError as error:
        raise ZhiliError(str(error)) from error


def _day(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


phone_urlpatterns = [
    path("passbook/", passbook, name="m_passbook"),
    path("passbook/passbook.pdf", passbook_print, name="m_passbook_pdf"),
    path("passbook/<uuid:transfer>/", entry, name="m_entry"),
]
desk_urlpatterns = [
    path("<str:place>/ledger/households/<uuid:household>/", statement, name="desk_statement"),
    path(
        "<str:place>/ledger/households/<uuid:household>/passbook.pdf",
        statement_print,
        name="desk_passbook_pdf",
    ),
]
