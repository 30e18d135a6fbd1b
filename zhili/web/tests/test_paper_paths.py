"""U-38: docs/paper.md read as a list, against the addresses that exist: nothing is available only online."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from django.urls import URLPattern, URLResolver, get_resolver

FILE = Path(__file__).resolve().parents[3] / "docs" / "paper.md"
STAFF = ("m_field", "m_review", "m_counter", "m_pick_up", "m_card")
# Pages of the desk that answer with a PDF when asked by POST.
PRINTS = {"desk_cards", "desk_sheets_print"}


def _routes() -> dict[str, str]:
    def walk(patterns: list[URLPattern | URLResolver], before: str = "") -> Iterator[tuple[str, str]]:
        for one in patterns:
            if isinstance(one, URLResolver):
                yield from walk(one.url_patterns, before + str(one.pattern))
            elif one.name:
                yield one.name, before + str(one.pattern)

    return dict(walk(get_resolver().url_patterns))


def _table() -> list[tuple[str, list[list[str]]]]:
    """What → names in its three cells: phone, paper, taken in at."""
    lines = FILE.read_text(encoding="utf-8").split("## Numbers")[0].splitlines()
    rows = [line.strip("|").split("|") for line in lines if line.startswith("|")][2:]
    return [(row[0].strip(), [re.findall(r"`(\w+)`", cell) for cell in row[1:]]) for row in rows]


def test_every_name_in_the_table_is_an_address():
    """U-38: no line promises a paper that is not there."""
    routes = _routes()
    wrong = [
        f"{what}: {name}" for what, cells in _table() for cell in cells for name in cell if name not in routes
    ]
    assert len(_table()) >= 15 and wrong == []


def test_every_line_has_a_phone_page_a_paper_and_a_way_in():
    """U-38, U-35: each paper is a file to print."""
    routes = _routes()
    for what, (phone, paper, taken) in _table():
        assert phone and paper and taken, what
        assert all(routes[name].startswith("m/") for name in phone), what
        assert all(routes[name].endswith(".pdf") or name in PRINTS for name in paper), what


def test_every_phone_page_of_a_villager_has_its_paper():
    """U-38: a new page on the phone fails here until its paper exists."""
    named = {name for _, cells in _table() for name in cells[0]}
    pages = {
        name for name, route in _routes().items() if route.startswith("m/") and not name.startswith(STAFF)
    }
    assert pages - named == set()
