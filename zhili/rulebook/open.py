"""The rule book for everybody, without log-in: the text in force, the vote that made it, legal opinions, older versions."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from zhili.common.errors import NotFound
from zhili.common.periods import today
from zhili.common.policy import open_to_all
from zhili.places.queries import get_place
from zhili.rulebook.desk import xlsx_file, yaml_file
from zhili.rulebook.models import RuleBook
from zhili.rulebook.queries import in_force, parsed, public_version, public_versions
from zhili.rulebook.shown import adoption_facts, consultation_facts, filing_facts, overrides, state
from zhili.rulebook.words import book_words


@open_to_all
def rules(request: HttpRequest, place: str) -> HttpResponse:
    """The book in force, and what is being asked about."""
    get_place(place)
    row = in_force(place, today())
    context = _page(row) if row else {}
    return render(request, "rulebook/open_rules.html", context | _around(place, row))


@open_to_all
def rules_version(request: HttpRequest, place: str, version: int) -> HttpResponse:
    """One version: a draft that asks for opinions, or a book that once held."""
    get_place(place)
    row = public_version(place, version)
    return render(request, "rulebook/open_rules.html", _page(row) | _around(place, row) | {"one": True})


@open_to_all
def rules_yaml(request: HttpRequest, place: str, version: int) -> HttpResponse:
    """The version as YAML, byte for byte the text that was voted on."""
    return yaml_file(public_version(place, version))


@open_to_all
def rules_xlsx(request: HttpRequest, place: str, version: int) -> HttpResponse:
    """The version as an Excel workbook."""
    return xlsx_file(public_version(place, version))


@open_to_all
def rules_json(request: HttpRequest, place: str) -> HttpResponse:
    """The words of the book in force for other programs: categories and items as on the page."""
    from dataclasses import asdict

    from django.http import JsonResponse

    get_place(place)
    row = in_force(place, today())
    if row is None:
        raise NotFound("本村现在没有施行中的积分细则。")
    words = book_words(parsed(row))
    facts: list[Any] = [list(pair) for pair in words.facts]
    document = {
        "place": place, "version": row.version, "title": words.title, "digest": row.digest, "facts": facts,
        "valid_from": row.valid_from, "valid_to": row.valid_to, "categories": [asdict(c) for c in words.categories],
    }  # fmt: skip
    return JsonResponse(document, json_dumps_params={"ensure_ascii": False})


def _page(row: RuleBook) -> dict[str, Any]:
    return {
        "book": row, "state": state(row), "words": book_words(parsed(row)), "adoption": adoption_facts(row),
        "filing": filing_facts(row), "consultation": consultation_facts(row), "overrides": overrides(row),
        "short_digest": row.digest[:16],
    }  # fmt: skip


def _around(place: str, row: RuleBook | None) -> dict[str, Any]:
    others = [other for other in public_versions(place) if row is None or other.pk != row.pk]
    listed = [(other, state(other)) for other in others]
    return {
        "village": place,
        "asked": [pair for pair in listed if pair[0].status == "consultation"],
        "others": [pair for pair in listed if pair[0].status != "consultation"],
    }


urlpatterns = [
    path("<str:place>/rules/", rules, name="open_rulebook"),
    path("<str:place>/rules.json", rules_json, name="open_rulebook_json"),
    path("<str:place>/rules/<int:version>/", rules_version, name="open_rulebook_version"),
    path("<str:place>/rules/<int:version>/book.yaml", rules_yaml, name="open_rulebook_yaml"),
    path("<str:place>/rules/<int:version>/book.xlsx", rules_xlsx, name="open_rulebook_xlsx"),
]
