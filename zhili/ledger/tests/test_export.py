"""The open form, checked by programs that are not ours (L-16, T-10), and the two commands."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from zhili.common.clock import replay
from zhili.common.scope import scoped
from zhili.ledger import actions, queries
from zhili.ledger.errors import LedgerError
from zhili.ledger.export import export
from zhili.ledger.taking_in import take_in
from zhili.ledger.tests.stories import DAY, PERIOD, PLACE, cause, give
from zhili.ledger.verify import verify


def year(clerk) -> None:
    """Two periods with a close between, deductions that clip, an order, a half point."""
    homes = [uuid4() for _ in range(3)]
    with replay(datetime(2022, 8, 1, tzinfo=UTC), 1):
        for n, home in enumerate(homes):
            give(home, 50 + 100 * n)
            give(home, -75)
        key = uuid4()
        actions.reserve(key, place=PLACE, owner=homes[2], amount=25, by=None, period=PERIOD, occurred_on=DAY,
                        cause=cause())  # fmt: skip
        actions.settle([key], place=PLACE, by=None, period=PERIOD, occurred_on=DAY)
    with replay(datetime(2022, 10, 9, tzinfo=UTC), 2):
        actions.close_period(PLACE, PERIOD, by=clerk)
    with replay(datetime(2022, 10, 20, tzinfo=UTC), 3):
        give(homes[0], 333, period="2022-Q4")


def test_beancount_finds_no_error(cast, tmp_path: Path) -> None:
    """L-16: the beancount program loads the book, balance assertions included, without one error; and minds a change."""
    from beancount import loader

    year(cast.clerk)
    counts = export(PLACE, tmp_path / "out")
    assert counts["batches"] == len(queries.heads(PLACE)) and counts["transfers"] > 10
    book = (tmp_path / "out" / "ledger.beancount").read_text()
    found, errors, _ = loader.load_string(book)
    assert errors == [] and sum(type(e).__name__ == "Balance" for e in found) > 12
    _, errors, _ = loader.load_string(
        book.replace("  3.33 ", "  3.34 ", 1).replace("  -3.33 ", "  -3.34 ", 1)
    )
    assert any("Balance failed" in error.message for error in errors)


def test_a_stranger_can_check_the_csv(cast, tmp_path: Path) -> None:
    """T-10: by SCHEMA.md alone: every leaf and head again from the files, with nothing but hashlib and csv."""
    year(cast.clerk)
    export(PLACE, tmp_path / "out")

    def rows(name: str) -> list[dict[str, str]]:
        with (tmp_path / "out" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def day(text: str) -> int:
        return (datetime.fromisoformat(text) - datetime(2000, 1, 1)).days

    def moment(text: str) -> str:
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def h(first: int, rest: bytes) -> bytes:
        return hashlib.sha256(bytes([first]) + rest).digest()

    for t in rows("transfers"):
        assert h(3, bytes.fromhex(t["salt"]) + t["cause"].encode()).hex() == t["commitment"]
        line = "|".join(["zhili-transfer/1", *(t[k] for k in ("place", "seq", "index", "id", "debit", "credit", "amount",
                         "short", "code", "phase", "pending_of", "reverses")), str(day(t["occurred_on"])),
                         moment(t["posted_at"]), t["period"], t["late"], t["commitment"]])  # fmt: skip
        assert h(0, line.encode()).hex() == t["leaf"]
    previous = "0" * 64
    for b in rows("batches"):
        assert b["previous_head"] == previous
        line = "|".join(["zhili-batch/1", *(b[k] for k in ("place", "seq", "previous_head", "root", "algorithm", "count",
                         "total")), moment(b["posted_at"]), b["period"], b["by_id"],
                         hashlib.sha256(b["note"].encode()).hexdigest()])  # fmt: skip
        previous = h(2, line.encode()).hex()
        assert previous == b["head"]
    assert previous == queries.latest_head(PLACE).head
    text = " ".join(path.read_text() for path in (tmp_path / "out").iterdir())
    assert "演示" not in text  # T-07, M-01: no name leaves with the book


def test_export_refuses(cast, tmp_path: Path) -> None:
    """A village without a book, a folder that is not empty: said, nothing written."""
    with pytest.raises(LedgerError, match="还没有台账"):
        export(PLACE, tmp_path / "none")
    give(uuid4(), 100)
    (tmp_path / "old.csv").write_text("x")
    with pytest.raises(LedgerError, match="不是空的"):
        export(PLACE, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.csv"]


def test_erasing_people_leaves_the_book_whole(cast) -> None:
    """T-07: no personal data is under the digests: residents and users renamed, the book is whole."""
    give(cast.household.pk, 100, actor=cast.clerk.pk)
    for resident in cast.household.residents.all():
        resident.name = "（已删除）"
        resident.save()
    assert verify([PLACE]).ok


def zhili(database: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "zhili.config.command", "ledger", *arguments],
        env=os.environ | {"ZHILI_DATABASE": database}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.processes
def test_the_commands(django_db_setup: None, own_database: str, django_db_blocker, tmp_path: Path) -> None:
    """DESIGN §7: verify exits 0, 1 with the first bad row, 2 for a bad anchors file; --json prints one document."""
    from django.db import connection

    from zhili.common.scope import scoped
    from zhili.config import embedded

    with django_db_blocker.unblock():
        connection.close()
        before = connection.settings_dict["NAME"]
        connection.settings_dict["NAME"] = own_database
        try:
            with scoped(PLACE):
                give(uuid4(), 100)
                head = queries.latest_head(PLACE)
        finally:
            connection.close()
            connection.settings_dict["NAME"] = before
    anchors = tmp_path / "anchors.jsonl"
    anchors.write_text(json.dumps({"place": PLACE, "seq": head.seq, "head": head.head}) + "\n")
    good = zhili(own_database, "verify", "--anchors", str(anchors), "--json")
    assert good.returncode == 0, good.stderr
    report = json.loads(good.stdout)
    assert report["ok"] and report["anchored"] and report["heads"][PLACE]["head"] == head.head
    anchors.write_text(json.dumps({"place": PLACE, "seq": 2, "head": head.head}) + "\n")
    cut = zhili(own_database, "verify", "--anchors", str(anchors))
    assert cut.returncode == 1 and "截掉" in cut.stdout
    anchors.write_text("not json\n")
    assert zhili(own_database, "verify", "--anchors", str(anchors)).returncode == 2
    assert zhili(own_database, "verify", "--anchors", str(tmp_path / "none")).returncode == 2
    out = zhili(own_database, "export", "--place", PLACE, "--out", str(tmp_path / "out"), "--json")
    assert json.loads(out.stdout)["rows"]["transfers"] == 2
    assert (
        zhili(own_database, "export", "--place", "511702109201", "--out", str(tmp_path / "no")).returncode
        == 1
    )
    with embedded.logins()["owner"].connect(own_database) as db:
        db.execute("SELECT set_config('zhili.scope', '*', false)")
        db.execute(
            "UPDATE ledger_account SET credits = credits + 1, debits = debits + 1 WHERE kind = 'holder'"
        )
    bad = zhili(own_database, "verify")
    assert bad.returncode == 1 and "ledger_account" in bad.stdout and "credits" in bad.stdout


@contextmanager
def as_owner_there(database: str) -> Iterator[None]:
    """In another thread's stead: another connection to the other database, this test's transaction left alone."""
    from django.db import connections

    from zhili.config import embedded

    mine = connections["default"]
    other = mine.copy()
    other.settings_dict = {**mine.settings_dict, **embedded.logins()["owner"].as_django(), "NAME": database}
    connections["default"] = other
    try:
        yield
    finally:
        other.close()
        connections["default"] = mine


@pytest.mark.processes
def test_a_fresh_instance_takes_the_book_in(
    cast, django_db_setup: None, own_database: str, tmp_path: Path, settings
) -> None:
    """O-13: export → import into an empty instance: the same head, whole, the posting goes on; not twice, not damaged."""
    year(cast.clerk)
    settings.CIPHER_PROFILE = "gm"
    give(uuid4(), 50, period="2022-Q4")
    out = tmp_path / "out"
    export(PLACE, out)
    head = queries.latest_head(PLACE)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in out.iterdir():
        text = path.read_text(encoding="utf-8")
        (damaged / path.name).write_text(text.replace(",333,0,award", ",334,0,award", 1), encoding="utf-8")
    anchors = tmp_path / "anchors.jsonl"
    anchors.write_text(json.dumps({"place": PLACE, "seq": 1, "head": "0" * 64}), encoding="utf-8")
    for folder, kept, words in (
        (damaged, None, "不完整"),
        (out, anchors, "改写"),
        (tmp_path / "none", None, "读不懂"),
    ):
        with pytest.raises(LedgerError, match=words), as_owner_there(own_database):
            take_in(folder, anchors=kept)
    taken = zhili(own_database, "import", str(out), "--json")
    assert taken.returncode == 0, taken.stderr
    assert json.loads(taken.stdout)["head"] == head.head
    with as_owner_there(own_database), scoped(PLACE):
        assert verify([PLACE]).heads == {PLACE: (head.seq, head.head)}
        export(PLACE, tmp_path / "again")
        give(uuid4(), 50, period="2022-Q4")
        assert verify([PLACE]).ok
    for path in out.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name
    with pytest.raises(LedgerError, match="已经有台账"), as_owner_there(own_database):
        take_in(out)
