"""Real processes, real database: retries, races and kill -9 (C-03, C-05, C-08)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zhili.notices import models

ROOT = Path(models.__file__).resolve().parents[2]
pytestmark = pytest.mark.processes


def run(name: str, database: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "tests.race", name],
        cwd=ROOT,
        env={**os.environ, "ZHILI_DATABASE": database},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_ten_processes_hand_in_the_same_claim(own_database):
    """C-03: 10× parallel replay gives one claim each time; different claims get different numbers."""
    found = run("submit", own_database)
    for answers in found["rounds"]:
        assert len(set(map(str, answers))) == 1 and isinstance(answers[0], int), answers
    assert sorted(found["others"]) == list(range(4, 14))
    assert found["claims"] == 13


def test_two_reviewers_at_once(own_database):
    """C-08: one outcome, one review row, and the loser is told how it stands now."""
    found = run("review", own_database)
    assert len(found["rounds"]) == 40
    for one in found["rounds"]:
        won = [answer for answer in one["answers"] if isinstance(answer, str)]
        lost = [answer for answer in one["answers"] if not isinstance(answer, str)]
        assert won == [one["status"]] and one["reviews"] == 1, one
        title = "已通过" if one["status"] == "approved" else "未通过"
        assert [answer["error"] for answer in lost] == ["Conflict"] and title in lost[0]["text"], one


def test_killed_while_closing(own_database):
    """C-05: kill -9 between posting and closing the period, and after both: nothing is there; then run again."""
    found = run("kill", own_database)
    assert found["exits"] == [-9, -9]
    assert found["between"] == found["before"] and found["between"]["batches"] == []
    assert found["after"]["claims"] == ["posted"] * 5 and found["after"]["lines"] == ["posted"] * 5
    assert found["after"]["notice"] == "closed" and found["after"]["ok"]
    assert len(set(found["twice"])) == 1
    assert [batch for batch in found["after"]["batches"] if batch[0]] == [[10, 2000]]


def test_objections_against_closing(own_database):
    """Invariant 6: whoever is first, a line under objection is not posted."""
    found = run("objections", own_database)
    assert sorted(found["last_day"][:8]) == list(range(1, 9))
    assert found["last_day"][8]["error"] == "NoticeError"
    assert all(answer["error"] == "NoticeError" for answer in found["day_after"][:8])
    assert found["day_after"][8] == "closed" and found["objections"] == 8
    assert found["books"]["lines"] == ["held", "posted"] and found["books"]["ok"]
