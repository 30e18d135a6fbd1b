"""Papers a household keeps or fills in: passbook, receipt slip, objection form, claim sheet, rule book.

The village practice: a person without a phone gets the same points, the same notice and the same right to
object (U-30 to U-38). Every form can be printed blank and filled in with a pen; every form has a number and
something to take home.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from .poster import private_digits, short_date
from .render import PrintError, compile_pdf, plain, qr_svg

ROW_LIMIT = 2_000


@dataclass(frozen=True)
class PassbookEntry:
    """One posted transfer. ``points`` signed decimal text, ``balance`` the balance after it."""

    occurred_on: str
    reason: str
    points: str
    balance: str
    reviewers: str = ""
    receipt: str = ""


@dataclass(frozen=True)
class Passbook:
    """One purse of one household between two dates; opening + entries = closing, or nothing is printed."""

    village: str
    household_code: str
    head_name: str
    group: str
    purse_title: str
    from_on: str
    to_on: str
    opening: str
    entries: list[PassbookEntry]
    closing: str
    printed_on: date
    phone: str = ""
    head_code: str = ""
    check_url: str = ""
    issuer: str = ""
    demo: bool = False


@dataclass(frozen=True)
class Slip:
    """A receipt on 80 mm paper. ``rows`` are label and text; ``statement`` is the sentence that counts."""

    village: str
    title: str
    number: str
    statement: str
    rows: list[tuple[str, str]]
    printed_on: date
    qr_url: str = ""
    qr_caption: str = "扫码查办理情况"
    phone: str = ""
    demo: bool = False


@dataclass(frozen=True)
class ObjectionForm:
    """异议书. Where a text is empty there is room to write; an empty ``number`` is written in by hand."""

    village: str
    printed_on: date
    period_title: str = ""
    objection_deadline: str = ""
    phone: str = ""
    number: str = ""
    group: str = ""
    household_code: str = ""
    item: str = ""
    occurred_on: str = ""
    points: str = ""
    text: str = ""
    objector: str = ""
    anonymous: bool = False
    acknowledge_days: int = 3
    answer_days: int = 15
    escalation: str = ""
    page_url: str = ""
    demo: bool = False


@dataclass(frozen=True)
class SheetItem:
    """A row of the claim sheet. ``row_code`` is what the clerk keys in when the sheet comes back (U-34)."""

    row_code: str
    title: str
    points: str
    unit: str = "次"
    evidence: str = ""
    category: str = ""


@dataclass(frozen=True)
class ClaimSheet:
    """一户一表. With ``household_code`` empty it is the blank version, filled in with a pen (U-33)."""

    village: str
    period_title: str
    items: list[SheetItem]
    printed_on: date
    number: str = ""
    household_code: str = ""
    head_name: str = ""
    group: str = ""
    hand_in: str = ""
    phone: str = ""
    rulebook_title: str = ""
    free_rows: int = 3
    form_url: str = ""
    demo: bool = False


@dataclass(frozen=True)
class RuleItem:
    """One rule as people read it; all parts in words."""

    code: str
    title: str
    points: str
    cap: str = ""
    evidence: str = ""
    review: str = ""


@dataclass(frozen=True)
class RuleCategory:
    """A category with its own cap or starting points in ``note``."""

    title: str
    items: list[RuleItem]
    note: str = ""


@dataclass(frozen=True)
class RuleBookSheet:
    """The rule book for the wall."""

    village: str
    title: str
    adopted: str
    effective: str
    categories: list[RuleCategory]
    printed_on: date
    how_to_object: list[str] = field(default_factory=list)
    escalation: str = ""
    notes: list[str] = field(default_factory=list)
    phone: str = ""
    page_url: str = ""
    issuer: str = ""
    demo: bool = False


def passbook_pdf(passbook: Passbook, paper: Literal["a5", "a4"] = "a5") -> bytes:
    """The passbook of one household (U-31), A5 to keep in the drawer or A4 in larger type."""
    _check_paper(paper, ("a5", "a4"))
    _check_rows(len(passbook.entries), "存折流水")
    _check_sums(passbook)
    data = plain(passbook) | {
        "look": paper,
        "long": _long(entry.reason + entry.reviewers for entry in passbook.entries),
        "issuer": passbook.issuer or f"{passbook.village}村民委员会",
        "check_svg": qr_svg(passbook.check_url),
        "entries": [
            plain(entry) | {"points": _minus(entry.points), "balance": _minus(entry.balance)}
            for entry in passbook.entries
        ],
        "opening": _minus(passbook.opening),
        "closing": _minus(passbook.closing),
    }
    title = f"{passbook.village}{passbook.household_code}户{passbook.purse_title}存折"
    return compile_pdf("passbook.typ", data, title=title, printed_on=passbook.printed_on)


def slip_pdf(slip: Slip) -> bytes:
    """A receipt slip 80 mm wide, as long as it needs to be; fits a till printer or a strip of A4."""
    _check_rows(len(slip.rows), "回执")
    for _label, text in (*slip.rows, ("", slip.statement)):
        _no_private(text, slip.phone, "回执")
    data = plain(slip) | {"qr_svg": qr_svg(slip.qr_url)}
    title = f"{slip.village}{slip.title}{slip.number}"
    return compile_pdf("slip.typ", data, title=title, printed_on=slip.printed_on)


def objection_form_pdf(form: ObjectionForm) -> bytes:
    """The objection form with its tear-off slip (U-35), A4, one page; blank where a text is empty."""
    data = plain(form) | {
        "occurred_on": short_date(form.occurred_on),
        "points": _minus(form.points),
        "page_svg": qr_svg(form.page_url),
    }
    title = f"{form.village}异议书{form.number}"
    return compile_pdf("objection.typ", data, title=title, printed_on=form.printed_on)


def claim_sheet_pdf(sheet: ClaimSheet) -> bytes:
    """一户一表 for a period (U-33), A4: items with row codes, boxes to write in, witness and head sign."""
    return claim_sheets_pdf([sheet])


def claim_sheets_pdf(sheets: list[ClaimSheet]) -> bytes:
    """Many sheets in one file, each starting on a new page; the first sheet dates the file."""
    if not sheets:
        raise PrintError("没有要打印的户。请先选户，再打印一户一表。")
    _check_rows(len(sheets), "一户一表")
    for sheet in sheets:
        _check_rows(len(sheet.items), "一户一表")
        if not 0 <= sheet.free_rows <= 20:
            raise PrintError("一户一表的空白行应在 0 到 20 行之间。请重新填写。")
    first = sheets[0]
    data: dict[str, Any] = {
        "sheets": [
            plain(sheet)
            | {
                "long": _long(item.title + item.evidence + item.points for item in sheet.items),
                "form_svg": qr_svg(sheet.form_url),
            }
            for sheet in sheets
        ],
        "demo": any(sheet.demo for sheet in sheets),
    }
    title = f"{first.village}{first.period_title}积分申报表"
    return compile_pdf("claim_sheet.typ", data, title=title, printed_on=first.printed_on)


def rulebook_pdf(book: RuleBookSheet, paper: Literal["a3", "a4"] = "a3") -> bytes:
    """The rule book for the wall, A3, or the same pages at A4."""
    _check_paper(paper, ("a3", "a4"))
    _check_rows(sum(len(category.items) for category in book.categories), "积分细则")
    for text in (*book.how_to_object, *book.notes, book.escalation):
        _no_private(text, book.phone, "积分细则")
    data = plain(book) | {
        "look": paper,
        "long": _long(
            item.title + item.points + item.cap + item.evidence
            for category in book.categories
            for item in category.items
        ),
        "issuer": book.issuer or f"{book.village}村民委员会",
        "page_svg": qr_svg(book.page_url),
    }
    return compile_pdf("rulebook.typ", data, title=f"{book.village}{book.title}", printed_on=book.printed_on)


def _long(texts: Iterable[str]) -> bool:
    """Whether a row may be taller than a page, so that rows must be allowed to break."""
    return any(len(text) > 160 for text in texts)


def _minus(text: str) -> str:
    """A real minus sign, which is as wide as the plus."""
    return text.replace("-", "−") if text.startswith("-") else text


def _number(text: str, where: str) -> Decimal:
    try:
        value = Decimal(text.replace("−", "-").replace("＋", "+"))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise PrintError(f"{where}的分数“{text[:20]}”不是数字，存折没有打印。请管理员核对账目。")
    return value


def _check_sums(passbook: Passbook) -> None:
    """Opening + entries = every running balance = closing: paper that does not add up is never handed out."""
    household = f"{passbook.household_code} 户存折"
    balance = _number(passbook.opening, f"{household}期初")
    for row, entry in enumerate(passbook.entries, start=1):
        balance += _number(entry.points, f"{household}第 {row} 行")
        if _number(entry.balance, f"{household}第 {row} 行结余") != balance:
            raise PrintError(
                f"{household}第 {row} 行对不上：应结余 {balance}，账上是 {entry.balance}。"
                "存折没有打印，请管理员运行 zhili ledger verify 核对。"
            )
    if _number(passbook.closing, f"{household}期末") != balance:
        raise PrintError(
            f"{household}期末对不上：应为 {balance}，账上是 {passbook.closing}。"
            "存折没有打印，请管理员运行 zhili ledger verify 核对。"
        )


def _check_rows(count: int, what: str) -> None:
    if count > ROW_LIMIT:
        raise PrintError(f"{what}最多印 {ROW_LIMIT} 行，这里有 {count} 行。请缩短时间或分开打印。")


def _check_paper(paper: str, allowed: tuple[str, ...]) -> None:
    if paper not in allowed:
        raise PrintError(f"只能印成 {' 或 '.join(allowed).upper()}。请重新选择纸张。")


def _no_private(text: str, phone: str, what: str) -> None:
    if found := private_digits(text.replace(phone, "") if phone else text):
        raise PrintError(
            f"{what}里有像身份证号、银行卡号或手机号的数字（开头 {found[:3]}），不能印。请改掉后再打印。"
        )
