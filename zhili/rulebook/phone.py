"""The rule book on the phone: what brings how many points, in plain words and large type."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from zhili.common.errors import NotFound
from zhili.common.periods import today
from zhili.common.policy import signed_in
from zhili.people.access import village_of
from zhili.rulebook.queries import in_force, parsed, public_versions
from zhili.rulebook.shown import state
from zhili.rulebook.words import CategoryWords, book_words, how_to_claim, item_words

SEARCH_MAX = 20


@signed_in
def rules(request: HttpRequest) -> HttpResponse:
    """The book in force by category; ?q= looks for a word."""
    place = village_of(request)
    row = in_force(place, today())
    text = request.GET.get("q", "").replace("\x00", "").strip()[:SEARCH_MAX]
    context: dict[str, Any] = {"book": row, "q": text, "village": place}
    asked = [version for version in public_versions(place) if version.status == "consultation"]
    context["asked"] = [(version, state(version)) for version in asked]
    if row is None:
        return render(request, "rulebook/phone_rules.html", context)
    words = book_words(parsed(row))
    found = [
        CategoryWords(c.code, c.title, c.note, [i for i in c.items if text.casefold() in i.search])
        for c in words.categories
    ]
    categories = [category for category in found if category.items]
    count = sum(len(category.items) for category in categories)
    return render(
        request,
        "rulebook/phone_rules.html",
        context | {"words": words, "categories": categories, "count": count},
    )


@signed_in
def rule(request: HttpRequest, code: str) -> HttpResponse:
    """One item: how many points, how often, an example, and how to claim."""
    place = village_of(request)
    row = in_force(place, today())
    book = parsed(row) if row else None
    item = next((item for item in book.items if item.code == code), None) if book else None
    if row is None or book is None or item is None:
        raise NotFound("施行中的细则没有这个项目。")
    context = {"book": row, "item": item_words(item, book), "category": book.category(item.category),
               "how": how_to_claim(item), "village": place}  # fmt: skip
    return render(request, "rulebook/phone_rule.html", context)


urlpatterns = [path("rules/", rules, name="m_rules"), path("rules/<str:code>/", rule, name="m_rule")]
