"""kill -9 at every statement and named point of every kind of deed; the audit that cannot be written; a big import."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from zhili.common import faults

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("simulator")]


def program(module: str, *asked: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", module, *asked], cwd=ROOT, capture_output=True, text=True, timeout=900,
        env={**os.environ},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-5000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def killed() -> dict[str, Any]:
    return program("tests.simulator.kills", "12", "330")


def test_killed_at_every_point(killed: dict[str, Any]) -> None:
    """C-05: review, batch review, import, opening and closing a notice (settlement, period close), expiry, reversal,
    an answer, households: killed before and after each statement nothing is there; done again, all tables equal to
    the byte those of a life in peace."""
    assert killed["different"] == [] and killed["tables"] > 25 and killed["same_steps"]
    points = killed["killed"]
    assert set(points) >= {
        "review", "review_batch", "import_sheet", "open_notice", "close_notice", "reverse_award", "claim", "merge", "split"
    }  # fmt: skip
    assert all(n >= 12 for n in points.values()), points
    assert points["close_notice"] >= 40


def test_no_deed_without_its_row_in_the_audit(killed: dict[str, Any]) -> None:
    """C-13: the audit insert fails and the whole action is undone, for every kind of deed."""
    assert set(killed["no_audit"]) == set(killed["killed"])
    assert all(said == "no ink" for said in killed["no_audit"].values()), killed["no_audit"]


def test_a_sheet_of_two_thousand_rows() -> None:
    """C-09: killed half-way there are 0 rows; uploaded again all 2,000; once more it is recognised."""
    found = program("tests.simulator.big_import")
    assert found["killed"] == ["claims.submit.inserted", "import.claims.written", "import.claims.run"]
    assert found["rows_after_kills"] == [0, 0, 0]
    assert found["first"] == {"errors": 0, "known": 0, "repeated": False, "ids": 2000}
    assert found["again"] == {"errors": 0, "known": 2000, "repeated": True, "ids": 0}
    assert found["other_file_same_rows"] == {"errors": 0, "known": 2000, "repeated": True, "ids": 0}
    assert found["rows"] == 2000


def test_fault_points_do_nothing_unless_armed() -> None:
    """C-05: in production no setting and no environment arms a fault point; it is one comparison."""
    assert faults._hook is None
    faults.fault("notice.close.posted")
    tree = ast.parse(Path(faults.__file__).read_text())
    brought = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = {getattr(node, "module", None) or node.names[0].name for node in brought}
    assert modules == {"__future__", "collections.abc"}, "neither environment nor settings are within reach"
    users = subprocess.run(
        ["git", "grep", "-l", "faults.arm\\|import arm"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    assert users and all("/tests/" in f"/{name}" for name in users), users
    seen: list[str] = []
    faults.arm(seen.append)
    try:
        faults.fault("a")
    finally:
        faults.arm(None)
    faults.fault("b")
    assert seen == ["a"]
