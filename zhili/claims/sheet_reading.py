"""What a person keys in from a sheet of paper, line by line, and what is wrong with it in words (U-34).

Quick to type: a row code without regard to capitals, a day as 5, 6-5, 0605 or 2026-06-05, an empty day for "as above".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Final
from uuid import UUID, uuid5

from zhili.claims.checking import Desk, Draft
from zhili.claims.entering import points_words
from zhili.claims.errors import ClaimError
from zhili.claims.models import Claim, Sheet
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.periods import Period, parse_code
from zhili.common.points import format_points, format_signed
from zhili.people.models import Household, Resident, User
from zhili.people.queries import LIVE, tidy_code
from zhili.places.queries import get_place
from zhili.rulebook import book as format_1
from zhili.rulebook.models import RuleBook
from zhili.rulebook.queries import parsed

ROWS_MAX: Final = 160
_LIMITS: Final = {
    "household": 20,
    "who": 60,
    "item": 32,
    "day": 20,
    "amount": 20,
    "witness": 60,
    "document": 80,
}
_FIELD: Final = {"occurred_on": "day", "quantity": "amount", "grade": "amount", "photos": "document",
                 "document": "document", "witness": "witness", "resident": "who", "household": "household"}  # fmt: skip


@dataclass(slots=True)
class Typed:
    """One line as it was typed. household: on a scoring sheet; who: where the book is by person."""

    household: str = ""
    who: str = ""
    item: str = ""
    day: str = ""
    amount: str = ""
    witness: str = ""
    document: str = ""

    @property
    def blank(self) -> bool:
        return not (
            self.item
            or self.amount
            or self.witness
            or self.document
            or self.household
            or self.who
            or self.day
        )


@dataclass(slots=True)
class Read:
    """A line with what was understood. errors: field → words; points: what it would bring before caps, in words."""

    position: int
    typed: Typed
    home: Household | None = None
    person: Resident | None = None
    code: str = ""
    title: str = ""
    on: date | None = None
    points: str = ""
    draft: Draft | None = None
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Checked:
    """The whole sheet, read. rows: lines with something in them, in the order of the paper."""

    rows: list[Read]

    @property
    def errors(self) -> list[tuple[int, str, str]]:
        return [(row.position, key, text) for row in self.rows for key, text in row.errors.items()]

    @property
    def total(self) -> Decimal:
        """The sum of the column 多少, numbers only: what the second person adds up on the paper."""
        return total_of(row.typed.amount for row in self.rows)


def total_of(amounts: object) -> Decimal:
    found = Decimal(0)
    for text in amounts:  # type: ignore[attr-defined]
        number = number_of(text)
        found += number if number is not None else 0
    return found


def number_of(text: str) -> Decimal | None:
    """A number as people write it, full-width too; None for a word."""
    try:
        value = Decimal(unicodedata.normalize("NFKC", text).replace(",", "").strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value) < 10**9 else None


def day_of(text: str, period: Period, today: date) -> date | None:
    """5, 6-5, 6.5, 6月5日, 0605, 2026-06-05, 20260605 → a day; the year follows from the sheet's period."""
    plain = unicodedata.normalize("NFKC", text).strip()
    parts = [int(part) for part in re.findall(r"\d+", plain)][:4]
    if re.fullmatch(r"\d{4}", plain):
        parts = [int(plain[:2]), int(plain[2:])]
    elif re.fullmatch(r"\d{8}", plain):
        parts = [int(plain[:4]), int(plain[4:6]), int(plain[6:])]
    if re.fullmatch(r"[\d\s./\-年月日号]+", plain) is None:
        return None
    months = sorted({(period.start.year, period.start.month), (period.end.year, period.end.month)})
    try:
        if len(parts) == 3:
            return date(*parts)
        if len(parts) == 2:
            days = [
                date(year, *parts)
                for year in sorted({period.start.year - 1, period.start.year, period.end.year})
            ]
            inside = [day for day in days if period.start <= day <= period.end]
            return (inside or [day for day in days if day <= today] or days)[-1]
        if len(parts) == 1 and len(months) == 1:
            return date(*months[0], parts[0])
    except (ValueError, TypeError):
        return None
    return None


def read_sheet(by: User, sheet: Sheet, lines: Sequence[Typed], home: Household | None) -> Checked:
    """Check every line as a claim is checked, nothing is written. Statements do not grow with the lines.

    home: the household of a sheet that is one household's. Raises ClaimError for what concerns the whole sheet.
    """
    kept = [(n, line) for n, line in enumerate(lines, start=1) if not line.blank]
    if not kept:
        raise ClaimError("一行都没有填", hint="请照纸表上填了的行，写行号和日期。")
    if len(kept) > ROWS_MAX:
        raise ClaimError(f"一张表最多录 {ROWS_MAX} 行", hint="请分成两张表录。")
    scoring = sheet.kind == Sheet.Kind.SCORING
    codes = {tidy_code(line.household) for _, line in kept} if scoring else set()
    homes = {one.code: one for one in Household.objects.filter(place=sheet.place, code__in=codes)}
    if home is not None:
        homes[home.code] = home
    people: dict[UUID, list[Resident]] = {}
    if any(line.who for _, line in kept):
        for one in Resident.objects.filter(household__in=list(homes.values()), status__in=LIVE):
            people.setdefault(one.household_id, []).append(one)
    reader = _Reader(sheet, Desk(by, sheet.place, homes.values()), homes, people, home)
    return Checked([reader.read(position, line) for position, line in kept])


@dataclass(slots=True)
class _Reader:
    sheet: Sheet
    desk: Desk
    homes: dict[str, Household]
    people: dict[UUID, list[Resident]]
    home: Household | None
    above: Typed = field(default_factory=Typed)
    seen: dict[tuple[object, ...], int] = field(default_factory=dict)

    def read(self, position: int, typed: Typed) -> Read:
        row = Read(position, typed)
        for key, most in _LIMITS.items():
            if len(getattr(typed, key)) > most:
                row.errors[key] = f"太长，最多 {most} 个字。"
        self._whose(row)
        self._when(row)
        self.above = Typed(household=typed.household or self.above.household, day=typed.day or self.above.day)
        if not row.errors:
            self._what(row)
        return row

    def _whose(self, row: Read) -> None:
        typed = row.typed
        if self.sheet.kind == Sheet.Kind.SCORING:
            code = tidy_code(typed.household or self.above.household)
            row.home = self.homes.get(code)
            if row.home is None and code:
                row.errors["household"] = f"本村没有户编号 {code[:20]}。请看评分表最左边一列。"
            elif row.home is None:
                row.errors["household"] = "没有写户编号。"
        else:
            row.home = self.home
        if row.home is not None and typed.who:
            found = [one for one in self.people.get(row.home.pk, []) if one.name == typed.who.strip()]
            if len(found) == 1:
                row.person = found[0]
            else:
                row.errors["who"] = f"{row.home.code} 户里没有这个名字，或有两个。请核对。"

    def _when(self, row: Read) -> None:
        text = row.typed.day or self.above.day
        if not text:
            row.errors["day"] = "没有写哪一天。和上一行同一天的可以空着，第一行要写。"
            return
        row.on = day_of(text, parse_code(self.sheet.period), self.desk.today)
        if row.on is None:
            row.errors["day"] = "看不懂这个日期。请写成 6-5 或 0605。"

    def _what(self, row: Read) -> None:
        assert row.on is not None and row.home is not None
        try:
            book = self.desk.book_on(row.on)
        except ClaimError as error:
            row.errors["day"] = str(error)
            return
        rule = _item(book, row.typed.item)
        if rule is None:
            row.errors["item"] = (
                "没有写行号。" if not row.typed.item.strip() else "表上没有这个行号。请照纸表最左边一列写。"
            )
            return
        row.code, row.title = rule.code, rule.title
        if rule.is_deduction:
            row.errors["item"] = "扣分要先提醒、听本户怎么说，不能从纸表录。请到“申报”页“记一条”。"
            return
        said = (row.home.pk, row.person, rule.code, row.on, row.typed.amount)
        if said in self.seen:
            row.errors["item"] = (
                f"和第 {self.seen[said]} 行一样：同一户、同一天、同一项。"
                "写重了就删掉一行；真做了两次的，另记一条申报。"
            )
        self.seen[said] = row.position
        draft = self._draft(row, rule, book)
        if draft is None:
            return
        try:
            raw = self.desk.check(draft).raw
        except ZhiliError as error:
            row.errors.setdefault(_FIELD.get(error.field or "", "item"), str(error))
            return
        row.draft = draft
        row.points = f"{format_signed(raw)} 分" if raw is not None else f"{points_words(rule)}，由评议定"

    def _draft(self, row: Read, rule: format_1.Item, book: RuleBook) -> Draft | None:
        """The amount means what the item's shape says: a number, a grade, times (one), or the reviewers' score."""
        assert row.on is not None and row.home is not None
        amount, quantity, grade, text = row.typed.amount.strip(), None, "", f"纸表 {self.sheet}"
        number = number_of(amount) if amount else None
        if isinstance(rule.points, format_1.PerUnit | format_1.Tiers):
            if number is None:
                row.errors["amount"] = f"要写多少{rule.points.of}，写数字。"
                return None
            quantity = number
        elif isinstance(rule.points, format_1.Grades):
            grade = unicodedata.normalize("NFKC", amount)
            if grade not in rule.points.grades:
                row.errors["amount"] = f"要写等次：{'、'.join(rule.points.grades)}。"
                return None
        elif isinstance(rule.points, format_1.Range):
            least, most = rule.points.min, rule.points.max
            if amount and (number is None or not least <= number * 100 <= most):
                row.errors["amount"] = f"可评 {format_points(least)} 至 {format_points(most)} 分。"
                return None
            text += f"，纸上评 {number} 分" if amount else ""
        elif amount and number != 1:
            row.errors["amount"] = "这一项一次记一行。做了几次就写几行，各写各的日期。"
            return None
        return Draft(
            id=uuid5(self.sheet.pk, str(row.position)),
            household=row.home,
            item=rule.code,
            occurred_on=row.on,
            channel=Claim.Channel.PAPER,
            resident=row.person,
            quantity=quantity,
            grade=grade,
            text=text,
            witness=row.typed.witness.strip(),
            document=row.typed.document.strip(),
        )


def _item(book: RuleBook, text: str) -> format_1.Item | None:
    wanted = "".join(unicodedata.normalize("NFKC", text).split()).casefold()
    return next((item for item in parsed(book).items if item.code.casefold() == wanted), None)


def find_sheet(place: str, text: str) -> Sheet:
    """The sheet by what was scanned or typed: the QR's whole address, B-12 or 12. Raises ClaimError, NotFound in words."""
    typed = unicodedata.normalize("NFKC", text.replace("\x00", "")).strip()[:300]
    scanned = re.search(r"/desk/(\d{12})/sheets/(\d{1,8})/?", typed)
    if scanned and scanned.group(1) != place:
        try:
            village = get_place(scanned.group(1)).short_name
        except ZhiliError:
            village = "别的村"
        raise ClaimError(f"这张表是{village}的，不是本村的", field="number", hint="请还给那里的村文书。")
    number = scanned.group(2) if scanned else re.sub(r"^[Bb][-－—\s]*", "", typed)
    if not re.fullmatch(r"[0-9]{1,8}", number):
        raise ClaimError("编号看不懂", field="number", hint="编号印在表的右上角，例如 B-12。")
    found = Sheet.objects.select_related("household", "keyed_by", "confirmed_by").filter(
        place=place, number=int(number)
    )
    sheet = found.first()
    if sheet is None:
        raise NotFound(f"本村没有编号 B-{int(number)} 的纸表。请核对编号，看看是不是别的村的表。")
    return sheet
