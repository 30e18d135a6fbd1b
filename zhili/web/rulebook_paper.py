"""The rule book on paper: the sheet for the village hall wall, and the blank claim sheet 一户一表."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse

from zhili.common.errors import NotFound, ZhiliError
from zhili.common.periods import period_of, today
from zhili.common.policy import open_to_all, requires
from zhili.common.spreadsheets import safe_filename
from zhili.places.queries import get_place, village_settings
from zhili.rulebook.access import access_book, access_village
from zhili.rulebook.book import Grades, PerUnit, Tiers
from zhili.rulebook.book import Item as BookItem
from zhili.rulebook.models import RuleBook
from zhili.rulebook.queries import in_force, parsed
from zhili.rulebook.shown import state
from zhili.rulebook.words import book_words, item_words
from zhili.web.print import (
    ClaimSheet,
    PrintError,
    RuleBookSheet,
    RuleCategory,
    RuleItem,
    SheetItem,
    claim_sheet_pdf,
    rulebook_pdf,
)

HOW_TO_OBJECT = [
    "每一条积分都先公示，公示期内谁都可以提异议，不用写姓名也可以。",
    "到村委会当面说、打公开电话、写在异议书上、在手机上提，都算数。",
    "提了异议的那一条先不入账，村里查清后书面答复；不满意可以找村务监督委员会，再找乡镇。",
]


def rulebook_sheet(row: RuleBook) -> RuleBookSheet:
    """A stored version as the wall sheet wants it, all in words."""
    place, own = get_place(row.place), village_settings(row.place)
    words = book_words(parsed(row))
    vote = row.adoption
    adopted = "尚未表决，正在征求意见" if row.status == "consultation" else "草稿，尚未表决"
    if vote:
        numbers = (
            f"，到会 {vote['present']} 人，赞成 {vote['in_favour']} 人"
            if "in_favour" in vote and "present" in vote
            else ""
        )
        adopted = f"{vote.get('on', '')}{vote.get('meeting', '')}通过{numbers}"
    categories = [
        RuleCategory(
            category.title,
            [
                RuleItem(
                    item.code, item.title, item.points, "，".join(filter(None, [item.rounding, item.caps])),
                    item.evidence, item.review,
                )
                for item in category.items
            ],
            category.note,
        )
        for category in words.categories
    ]  # fmt: skip
    return RuleBookSheet(
        village=place.short_name,
        title=words.title,
        adopted=adopted,
        effective=state(row).sentence,
        categories=categories,
        printed_on=today(),
        how_to_object=HOW_TO_OBJECT,
        escalation=f"村务监督委员会电话：{own.supervisor_phone}" if own.supervisor_phone else "",
        notes=[f"{label}：{text}。" for label, text in words.facts] + ([words.note] if words.note else []),
        phone=own.office_phone,
        page_url=f"{settings.PUBLIC_URL}{reverse('open_rulebook', args=[row.place])}",
        demo=own.demo,
    )


def blank_claim_sheet(row: RuleBook) -> ClaimSheet:
    """一户一表 without a name: every item a household may write itself, with its row code."""
    place, own, book = get_place(row.place), village_settings(row.place), parsed(row)
    items = []
    for item in book.items:
        if item.is_deduction or "self" not in item.effective_claim_by:
            continue
        words = item_words(item, book)
        items.append(
            SheetItem(
                item.code,
                item.title,
                words.points,
                _unit(item),
                words.evidence,
                book.category(item.category).title,
            )
        )
    return ClaimSheet(
        village=place.short_name,
        period_title=period_of(today(), book.settlement).title,
        items=items,
        printed_on=today(),
        phone=own.office_phone,
        rulebook_title=f"{row.title}（第 {row.version} 版）",
        demo=own.demo,
    )


def _unit(item: BookItem) -> str:
    if isinstance(item.points, PerUnit | Tiers):
        return item.points.of
    return "等级" if isinstance(item.points, Grades) else "次"


@requires("rulebook.see")
def poster(request: HttpRequest, place: str, book_id: UUID) -> HttpResponse:
    """A version for the wall, A3 or with ?paper=a4."""
    row = access_book(request.user, place, book_id)
    return _wall(row, request)


@requires("rulebook.see")
def claim_sheet(request: HttpRequest, place: str) -> HttpResponse:
    """The blank claim sheet by the book in force."""
    access_village(request.user, place)
    row = _binding(place)
    return _pdf(claim_sheet_pdf, blank_claim_sheet(row), f"{row.title}-一户一表.pdf")


@open_to_all
def open_poster(request: HttpRequest, place: str) -> HttpResponse:
    """The book in force for whoever wants to print it."""
    get_place(place)
    return _wall(_binding(place), request)


@open_to_all
def open_claim_sheet(request: HttpRequest, place: str) -> HttpResponse:
    """The blank claim sheet for whoever has a printer."""
    get_place(place)
    row = _binding(place)
    return _pdf(claim_sheet_pdf, blank_claim_sheet(row), f"{row.title}-一户一表.pdf")


def _binding(place: str) -> RuleBook:
    row = in_force(place, today())
    if row is None:
        raise NotFound("本村现在没有施行中的积分细则。")
    return row


def _wall(row: RuleBook, request: HttpRequest) -> HttpResponse:
    def draw(sheet: RuleBookSheet) -> bytes:
        return rulebook_pdf(sheet, "a4" if request.GET.get("paper") == "a4" else "a3")

    return _pdf(draw, rulebook_sheet(row), f"{row.title}-第{row.version}版.pdf")


def _pdf(draw: Any, sheet: RuleBookSheet | ClaimSheet, name: str) -> HttpResponse:
    try:
        body = draw(sheet)
    except PrintError as error:
        raise ZhiliError(str(error)) from error
    _, disposition = safe_filename(name)
    inline = disposition.replace("attachment", "inline", 1)
    return HttpResponse(body, content_type="application/pdf", headers={"Content-Disposition": inline})


desk_pages = [
    path("<str:place>/rulebooks/claim-sheet.pdf", claim_sheet, name="desk_rulebook_claim_sheet"),
    path("<str:place>/rulebooks/<uuid:book_id>/poster.pdf", poster, name="desk_rulebook_poster"),
]
open_pages = [
    path("<str:place>/rules.pdf", open_poster, name="open_rulebook_pdf"),
    path("<str:place>/claim-sheet.pdf", open_claim_sheet, name="open_claim_sheet"),
]
