"""The last piece, the same points, the same order: many processes at once, one outcome (C-01, C-02, C-06, C-07)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from zhili.shop import models
from zhili.shop.models import FundAccount
from zhili.shop.tests.stage import bought, open_for, shelf

ROOT = Path(models.__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def race(django_db_setup: None, django_db_blocker: Any) -> Iterator[dict[str, Any]]:
    """Everything happens once, in processes of their own; the tests look at what came of it."""
    from conftest import copy_database, drop_database

    name = f"{os.environ['ZHILI_DATABASE']}_race"
    with django_db_blocker.unblock():
        copy_database(name)
    done = subprocess.run(
        [sys.executable, "-m", "zhili.shop.tests.race"], cwd=ROOT, env={**os.environ, "ZHILI_DATABASE": name},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    yield json.loads(done.stdout)
    with django_db_blocker.unblock():
        drop_database(name)


pytestmark = pytest.mark.xdist_group("shop_race")


@pytest.mark.processes
def test_fifty_want_the_last_piece(race: dict[str, Any]) -> None:
    """C-01: 50 parallel requests from five processes, 20 rounds: one gets it, 49 hear 已兑完, nobody else pays."""
    found = race["last_item"]
    assert len(found["rounds"]) == 20
    for one in found["rounds"]:
        assert one["errors"] == [] and one["done"] == 1, one
        assert sum(one["refused"].values()) == 49
        assert all("已兑完" in text and "积分没有动" in text for text in one["refused"]), one
    assert found["left"] == [[0, 0]] * 20
    assert found["charged"] == 20 * 100


@pytest.mark.processes
def test_the_same_points_in_two_shops_at_once(race: dict[str, Any]) -> None:
    """C-02: two counters, one purse, 20 rounds: one success each, never below zero."""
    found = race["two_shops"]
    assert len(found["rounds"]) == 20
    for one in found["rounds"]:
        assert (one["done"], one["errors"]) == (1, []), one
        assert all("兑换积分不够" in text for text in one["refused"]), one
    assert all(0 <= balance < 40_000 for balance, _ in found["purses"])


@pytest.mark.processes
def test_one_request_from_eight_processes(race: dict[str, Any]) -> None:
    """C-03: delivered eight times at the same moment it is one order, and all eight hear its number."""
    for answers in race["same_key"]:
        assert len(set(map(str, answers))) == 1 and isinstance(answers[0], int), answers


@pytest.mark.processes
def test_handed_over_cancelled_or_expired_but_once(race: dict[str, Any]) -> None:
    """C-06, C-08: whoever is first; the others are told, points and goods move once."""
    for one in race["one_outcome"]:
        handed = one["status"] == "handed_over"
        assert one["status"] in ("handed_over", "cancelled", "expired")
        assert (one["moves"], one["paid"], one["held"]) == (int(handed), 100 * handed, 0), one
        for answer in one["answers"]:
            told = isinstance(answer, dict) and answer.get("refused") == "Conflict"
            assert told or answer == one["status"] or isinstance(answer, int), one


@pytest.mark.processes
def test_the_expiry_job_in_six_processes(race: dict[str, Any]) -> None:
    """C-06: run twice and by six at once, every order ends once; points and goods come back once."""
    found = race["expiry"]
    assert sum(found["first"]) == 30 and found["again"] == [0] * 6
    assert found["shelf"] == [30, 0] and found["same_purses"]


@pytest.mark.processes
def test_one_deposit_one_payment_one_job(race: dict[str, Any]) -> None:
    """C-03, C-12: the same deposit by ten is one entry; ten payments of one debt pay it once; six schedulers run once."""
    found = race["money"]
    assert len(set(found["booked"])) == 1 and found["entries"] == 1
    assert (
        [one for one in found["paid"] if one == 2_000] == [2_000]
        and found["payments"] == 1
        and found["open"] == [0]
    )
    refused = [one for one in found["paid"] if one != 2_000]
    assert len(refused) == 9 and all("只应付 0.00 元" in one["text"] for one in refused)
    assert found["job"].count("done") == 1 and set(found["job"]) <= {"done", "busy", "before"}


@pytest.mark.processes
def test_a_thousand_opposed_requests(race: dict[str, Any]) -> None:
    """C-07: goods taken in opposite orders by everybody: no deadlock, no error but words, and the books hold."""
    found = race["opposed"]
    assert found["asked"] == 1_000 and found["errors"] == []
    assert race["books"] == {"wrong": [], "deadlocks": 0, "verified": True}
    kinds = found["answers"]
    assert kinds.keys() >= {
        "reserved",
        "handed_over",
        "cancelled",
        "in",
        "waiting",
        "expire",
        "back",
        "deposit",
        "gift",
    }, kinds
    assert kinds.keys() & {"signed", "refused"}, kinds
    assert found["done"] >= 700, found["refused"]


@pytest.mark.processes
def test_who_waits_three_seconds_is_told(race: dict[str, Any]) -> None:
    """C-07: somebody holds the shelf; after three seconds 忙，请再点一次, nothing is posted, the next click goes through."""
    found = race["waited"]
    assert found["refused"] == "Conflict" and found["text"].startswith("忙，请再点一次")
    assert found["left_behind"] == 0 and 2.5 < found["seconds"] < 15
    assert isinstance(found["then"], int)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE shop_good SET stock = stock + 1",
        "UPDATE shop_good SET value_fen = 0",
        "UPDATE shop_good SET reserved = stock + 1",
        "UPDATE shop_stockmove SET quantity = quantity + 1",
        "DELETE FROM shop_stockmove",
        "UPDATE shop_fundaccount SET credits = credits + 1",
        "DELETE FROM shop_fundaccount",
        "UPDATE shop_fundentry SET fen = fen + 1",
        "DELETE FROM shop_fundentry",
        "UPDATE ledger_account SET credits = credits + 1",
    ],
)
def test_nobody_writes_the_shelf_past_the_moves(cast: SimpleNamespace, statement: str) -> None:
    """C-18, L-11: as the application's own role, stock and money change by moves and entries alone."""
    made = open_for(cast)
    bought(made)
    before = shelf(made.soap), FundAccount.objects.count()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert (shelf(made.soap), FundAccount.objects.count()) == before


def test_busy_is_a_page_in_words(
    cast: SimpleNamespace, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C-07, W-08: a lock that nobody translated, on any page or at the API: no trace, all undone, a receipt number."""
    from zhili.web import home

    def waits(*_: Any, **__: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$")

    monkeypatch.setattr(home, "render", waits)
    client.force_login(cast.clerk, "django.contrib.auth.backends.ModelBackend")
    answer = client.get("/")
    assert answer.status_code == 409, answer.content.decode()[:300]
    assert "忙，请再点一次" in answer.content.decode()
