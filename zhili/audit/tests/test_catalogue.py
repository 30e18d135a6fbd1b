"""The catalogue of events is the code's, and no row of the trail names a person (O-01, O-03)."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import rules.permissions
from django.test import Client
from django.urls import get_resolver

import zhili
from tests.stage import fill
from zhili.audit.actions import record, without_numbers
from zhili.audit.catalogue import EVENTS, KINDS, LEVELS, title_of
from zhili.audit.models import Entry
from zhili.common.leaks import scan_public
from zhili.common.scope import set_scope
from zhili.people.models import Household, Resident, User

ROOT = Path(zhili.__file__).parent
NAME = re.compile(r"[a-z]+\.[a-z_]+")
# Where the name is put together: what can come out.
PUT_TOGETHER = {"shop/money.py": {"shop.settle", "shop.payout"}}


def sources() -> dict[str, ast.Module]:
    return {
        str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8"))
        for path in ROOT.rglob("*.py")
        if "tests" not in path.parts and path.name != "catalogue.py"
    }


def used() -> tuple[set[str], set[str]]:
    """(names that code certainly writes, names it may write): the second holds those passed through a variable."""
    assert get_resolver().url_patterns, "faces that register permissions of their own are read now"
    certain: set[str] = set()
    possible: set[str] = set()
    for path, tree in sources().items():
        calls = [
            node for node in ast.walk(tree)
            if isinstance(node, ast.Call) and node.args and not path.startswith("audit/")
            and (getattr(node.func, "id", "") or getattr(node.func, "attr", "")) == "record"
        ]  # fmt: skip
        named = {
            n.args[0].value
            for n in calls
            if isinstance(n.args[0], ast.Constant) and isinstance(n.args[0].value, str)
        }
        certain |= {name for name in named if NAME.fullmatch(name)}
        certain |= PUT_TOGETHER.get(path, set())
        if any(not isinstance(node.args[0], ast.Constant) for node in calls):
            texts = {
                n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)
            }
            rooms = {name.split(".")[0] for name in EVENTS}
            found = {text for text in texts if NAME.fullmatch(text) and text.split(".")[0] in rooms}
            possible |= found
            # A permission, an app's module or a table is spelled like an action; what is neither must be one.
            certain |= {
                text for text in found
                if text not in rules.permissions.permissions
                and not (ROOT / text.replace(".", "/")).with_suffix(".py").exists()
            }  # fmt: skip
    return certain, possible


def test_every_action_in_the_code_is_in_the_catalogue(django_db_setup: None) -> None:
    """O-01: whoever adds a deed adds its line: title, kind, level (zhili/audit/catalogue.py)."""
    certain, _ = used()
    assert sorted(certain - set(EVENTS)) == []


def test_every_line_of_the_catalogue_is_in_the_code(django_db_setup: None) -> None:
    """O-01: no line for a deed nobody can do."""
    certain, possible = used()
    assert sorted(set(EVENTS) - certain - possible) == []


def test_the_kinds_the_law_asks_for_are_there() -> None:
    """O-01: log-in, failure, denied access, views of sensitive data, exports, unmasking, acting for, roles, rules,
    publication, backup: each has at least one event."""
    kinds = {event.kind for event in EVENTS.values()}
    assert kinds == set(KINDS)
    for name in ("accounts.login", "accounts.login_failed", "access.denied", "people.unmask", "people.delegate",
                 "people.grant_role", "rulebook.put_in_force", "notices.open", "config.backup"):  # fmt: skip
        assert name in EVENTS


def test_titles_are_plain_words() -> None:
    """O-01: a title is Chinese, short, and not used twice; an unknown action is 其他, not its code."""
    titles = [event.title for event in EVENTS.values()]
    assert len(set(titles)) == len(titles)
    assert all(re.fullmatch(r"[\u4e00-\u9fff，]{2,14}", title) for title in titles)
    assert all(event.level in LEVELS for event in EVENTS.values()) and title_of("x.y") == "其他"


@pytest.mark.parametrize(
    "text",
    [
        "电话 13800138000",
        "身份证１１０１０５１９４９１２３１００２Ｘ",
        "卡号 6222 0212 3456 7890 128",
        "尾号5678",
    ],
)
def test_numbers_typed_into_a_reason_are_hidden(text: str) -> None:
    """O-03: whatever somebody types into a reason, no digit of a person is stored; everything else is kept."""
    found = without_numbers(
        {"reason": f"村里说{text}，已核", "list": [text, {"x": text}], "n": 3, "id": "A1B2-C3D4"}
    )
    told = json.dumps(found, ensure_ascii=False)
    assert not [leak for leak in scan_public(told) if leak.blocks]
    assert found["n"] == 3 and found["id"] == "A1B2-C3D4" and "村里说" in found["reason"] and "已隐去" in told


def test_hidden_when_stored(db: None) -> None:
    """O-03: the row in the database holds the hidden form."""
    row = record("people.unmask", by=None, place="511702109200", reason="打 13800138000 核对")
    row.refresh_from_db()
    assert row.detail == {"reason": "打 〔已隐去〕 核对"}


def test_no_row_of_two_months_names_a_person(cast: SimpleNamespace) -> None:
    """O-03, T-07: two months of a village's work, and every row holds ids only: no name, no number, no card."""
    fill(cast)
    client = Client()
    client.force_login(cast.clerk)
    for path in (
        "households/?export=xlsx",
        "claims/?export=xlsx",
        "ledger/?export=xlsx",
        "households/?q=演示乙",
    ):
        client.get(f"/desk/{cast.place}/{path}")
    set_scope(["*"])
    rows = list(Entry.objects.values_list("action", "target", "detail", "source", "role"))
    assert len(rows) > 40 and {row[0] for row in rows} - {"books.make"} <= set(EVENTS)
    text = json.dumps(rows, ensure_ascii=False)
    names = {
        *Resident.objects.values_list("name", flat=True),
        *User.objects.values_list("display_name", flat=True),
    }
    tokens = set(Household.objects.values_list("card_token", flat=True))
    assert not [name for name in names | tokens if name and name in text]
    assert not [leak for leak in scan_public(text) if leak.blocks]
