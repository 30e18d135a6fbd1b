"""The demo year: the same head on every run, books that verify, and a changed byte that is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import copy_database, drop_database
from zhili.config import embedded

pytestmark = pytest.mark.xdist_group("demo")
ROOT = Path(__file__).resolve().parents[1]
# What the fixed year ends with. A change of any action that moves a posted line changes it: then look at why.
HEAD = "61f83f370bdb3c96cbcc6a0cb758a72d7e4c15ad320d7cc7cac5f1766111fcf7"
KINDS = [
    "claims_activity", "claims_council", "claims_counter", "claims_deduction", "claims_excel", "claims_offline",
    "claims_paper", "claims_phone", "claims_resubmitted", "claims_withdrawn", "reviews_refuse", "reviews_return",
    "reviews_council", "recusals_declared", "objections_upheld", "objections_refused", "lines_corrected",
    "lines_posted_late", "reversals", "household_splits", "expiry_entries", "notices",
]  # fmt: skip


def zhili(database: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The real command on `database`."""
    return subprocess.run(
        [sys.executable, "-m", "zhili.config.command", *words],
        cwd=ROOT, env={**os.environ, "ZHILI_DATABASE": database}, capture_output=True, text=True, timeout=400,
    )  # fmt: skip


@pytest.fixture(scope="module")
def demo(django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """A database with the demo in it, and what the command printed."""
    name = f"{os.environ['ZHILI_DATABASE']}_demo"
    copy_database(name)
    (embedded.var_dir() / "demo.json").unlink(missing_ok=True)
    ran = zhili(name, "demo", "--no-serve", "--json")
    assert ran.returncode == 0, ran.stderr[-3000:]
    yield name, json.loads(ran.stdout)
    drop_database(name)


def test_the_year_ends_with_the_same_head_on_every_machine(demo):
    """L-13: a fixed seed and the real actions give the same books to the byte."""
    _, summary = demo
    assert summary["head"] == HEAD
    assert summary["places"] == 230


def test_the_year_has_everything_in_it(demo):
    _, summary = demo
    assert summary["counts"]["households"] == 300
    assert [kind for kind in KINDS if not summary["counts"].get(kind)] == []


def test_the_second_run_builds_nothing(demo):
    name, summary = demo
    again = zhili(name, "demo", "--no-serve", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == summary


def test_the_books_verify(demo):
    """L-05, T-01: every chain, balance and total is recomputed."""
    name, _ = demo
    ran = zhili(name, "ledger", "verify", "--json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(ran.stdout)["ok"] is True


def test_one_changed_point_is_found_and_named(demo):
    """T-02: changed behind the application's back, by the owner of the tables."""
    name, _ = demo
    with embedded.logins()["owner"].connect(name) as db:
        db.execute("SELECT set_config('zhili.scope', '*', false)")
        db.execute("ALTER TABLE ledger_transfer DISABLE TRIGGER USER")
        row = db.execute(
            "UPDATE ledger_transfer SET amount = amount + 1 WHERE id ="
            " (SELECT id FROM ledger_transfer ORDER BY id LIMIT 1) RETURNING id"
        ).fetchone()
    try:
        ran = zhili(name, "ledger", "verify")
        assert ran.returncode == 1
        assert row is not None
        assert str(row[0]) in ran.stdout + ran.stderr
    finally:
        with embedded.logins()["owner"].connect(name) as db:
            db.execute("SELECT set_config('zhili.scope', '*', false)")
            db.execute("UPDATE ledger_transfer SET amount = amount - 1 WHERE id = %s", [row[0]])
            db.execute("ALTER TABLE ledger_transfer ENABLE TRIGGER USER")
