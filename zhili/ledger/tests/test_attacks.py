"""What somebody with the database's own password can try, and who notices: `verify`, the stand-alone verifier, an old poster.

T-02, T-03, T-04, T-10: every attack runs as the owner with all guards down; both checkers look at the same book.
"""
# ruff: noqa: E501 - an attack's SQL stays in one piece

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection, transaction

from zhili.ledger import queries, verify_ledger
from zhili.ledger.export import VERIFIER_NAME, export, verifier
from zhili.ledger.models import Account, Transfer
from zhili.ledger.tests.conftest import take_down_guards
from zhili.ledger.tests.stories import PLACE
from zhili.ledger.tests.test_tamper import make_book, rewrite_chain
from zhili.ledger.verify import Anchor, verify

# name → (SQL, first bad batch; 0: no batch is to blame). The book of make_book has 11 batches, a close in the 10th.
ATTACKS = {
    "an old award made larger": ("UPDATE ledger_transfer SET amount = amount + 100 WHERE seq = 2 AND index = 1", 2),
    "moved to another household": (
        "UPDATE ledger_transfer SET credit = (SELECT id FROM ledger_account WHERE kind = 'holder' AND id <> credit LIMIT 1)"
        " WHERE seq = 3 AND index = 1", 3),
    "the reason rewritten": ("UPDATE ledger_transfer SET cause = replace(cause, 'HJ01', 'HJ02') WHERE seq = 1 AND index = 1", 1),
    "two lines swapped": (
        "UPDATE ledger_transfer SET index = 3 - index WHERE seq = 2", 2),
    "a line moved to a later batch": ("UPDATE ledger_transfer SET seq = 3, index = 3 WHERE seq = 2 AND index = 2", 2),
    "a line put in": (
        "INSERT INTO ledger_transfer (id, place, seq, index, debit, credit, amount, short, code, phase, occurred_on, posted_at,"
        " period, late, salt, cause, commitment, leaf) SELECT gen_random_uuid(), place, seq, 3, debit, credit, amount, short,"
        " code, phase, occurred_on, posted_at, period, late, salt, cause, commitment, leaf FROM ledger_transfer"
        " WHERE seq = 2 AND index = 1", 2),
    "a line put in and counted": (
        "INSERT INTO ledger_transfer (id, place, seq, index, debit, credit, amount, short, code, phase, occurred_on, posted_at,"
        " period, late, salt, cause, commitment, leaf) SELECT gen_random_uuid(), place, seq, 3, debit, credit, amount, short,"
        " code, phase, occurred_on, posted_at, period, late, salt, cause, commitment, leaf FROM ledger_transfer"
        " WHERE seq = 2 AND index = 1; UPDATE ledger_batch SET count = count + 1, total = total + 300 WHERE seq = 2", 2),
    "a line taken out": ("DELETE FROM ledger_transfer WHERE seq = 2 AND index = 2", 2),
    "a batch taken out": ("DELETE FROM ledger_batch WHERE seq = 4; DELETE FROM ledger_transfer WHERE seq = 4", 4),
    "a batch before the first": (
        "INSERT INTO ledger_batch SELECT gen_random_uuid(), place, 0, previous_head, root, head, algorithm, count, total,"
        " posted_at, period, by_id, note FROM ledger_batch WHERE seq = 1", 0),
    "a batch far behind the last": (
        "INSERT INTO ledger_batch SELECT gen_random_uuid(), place, 900000000000, previous_head, root, head, algorithm, count,"
        " total, posted_at, period, by_id, note FROM ledger_batch WHERE seq = 1", 12),
    "lines without a batch": ("UPDATE ledger_transfer SET seq = 77 WHERE seq = 2", 2),
    "an account made richer": ("UPDATE ledger_account SET credits = credits + 500 WHERE kind = 'holder'", 0),
    "an account reopened": ("UPDATE ledger_account SET opened_on = opened_on - 400 WHERE kind = 'holder'", 0),
    "an account given away": ("UPDATE ledger_account SET owner = gen_random_uuid() WHERE kind = 'holder'", 0),
    "a reservation forgotten": ("UPDATE ledger_account SET reserved = reserved + 1 WHERE kind = 'holder'", 0),
    "a period's total made larger": ("UPDATE ledger_periodtotal SET earned = earned + 1", 0),
    "a period's total taken out": ("DELETE FROM ledger_periodtotal WHERE period = '2022-Q4'", 0),
    "a closed balance rewritten": ("UPDATE ledger_assertion SET credits = credits + 1 WHERE index = 1", 10),
    "a closed balance put in": (
        "INSERT INTO ledger_assertion SELECT place, 5, 1, account, credits, debits, reserved FROM ledger_assertion LIMIT 1", 5),
    "a close undone": ("DELETE FROM ledger_periodclose", 10),
    "the closer changed": ("UPDATE ledger_batch SET by_id = 8 WHERE seq = 10", 10),
    "the note changed": ("UPDATE ledger_batch SET note = note || '！' WHERE seq = 2", 2),
    "the algorithm changed": ("UPDATE ledger_batch SET algorithm = 'sm3' WHERE seq = 2", 2),
}  # fmt: skip


@pytest.fixture
def book(as_owner_of_book: str) -> str:
    make_book()
    assert queries.latest_head(PLACE).seq == 11
    take_down_guards()
    return as_owner_of_book


def alone(folder: Path) -> verify_ledger.Check:
    check = verify_ledger.Check(folder)
    check.run()
    return check


def test_both_checkers_find_every_attack(book: str, tmp_path: Path) -> None:
    """T-02, T-10: each attack is found by `verify` and from the export alone, with the first bad batch where one is to blame."""
    missed = []
    for number, (name, (text, first)) in enumerate(ATTACKS.items()):
        sid = transaction.savepoint()
        with connection.cursor() as cursor:
            cursor.execute(text)
        found = [p.seq or 0 for p in verify().problems]
        export(PLACE, tmp_path / str(number))
        check = alone(tmp_path / str(number))
        there = [seq for seq, _ in check.problems]
        if not found or not there or (first and (min(s for s in found if s) != first or first not in there)):
            missed.append((name, first, found, check.problems[:3]))
        transaction.savepoint_rollback(sid)
    assert missed == []
    assert verify().ok


def test_a_complete_rewrite(book: str, tmp_path: Path) -> None:
    """T-04, T-10: all digests recomputed, nothing looks wrong by itself; any older fingerprint shows it, also from the export."""
    kept = {head.seq: head for head in queries.heads(PLACE)}
    row = Transfer.objects.filter(seq=2).order_by("index").first()
    Transfer.objects.filter(id=row.id).update(cause=row.cause.replace("HJ01", "HJ02"))
    rewrite_chain()
    export(PLACE, tmp_path / "out")
    assert verify().ok and alone(tmp_path / "out").problems == []
    for seq in (2, 7, 11):
        assert [p.seq for p in verify(anchors=[Anchor(PLACE, seq, kept[seq].head)]).problems] == [seq]
        check = alone(tmp_path / "out")
        assert check.anchors([(PLACE, seq, kept[seq].head[:10])]) == 1
        assert [s for s, text in check.problems] == [seq] and "改写" in check.problems[0][1]


def cut_tail() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM ledger_batch WHERE seq = 11")
        cursor.execute("DELETE FROM ledger_transfer WHERE seq = 11")
        cursor.execute("DELETE FROM ledger_periodtotal WHERE period = '2022-Q4'")
        cursor.execute(
            "UPDATE ledger_account SET credits = credits - 500 WHERE kind = 'holder' AND credits >= 800"
        )
        cursor.execute("UPDATE ledger_account SET debits = debits - 500 WHERE kind = 'issued'")


def run_alone(
    folder: Path, *arguments: str, python: str = sys.executable
) -> subprocess.CompletedProcess[str]:
    """As a villager's nephew runs it: a bare interpreter, an empty environment, a home of its own, none of our code."""
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    (home / VERIFIER_NAME).write_text(verifier(), encoding="utf-8")
    return subprocess.run(
        [python, "-I", "-S", str(home / VERIFIER_NAME), str(folder), *arguments],
        env={"HOME": str(home)}, cwd=home, capture_output=True, text=True, encoding="utf-8", timeout=60,
    )  # fmt: skip


def test_a_cut_tail_and_a_bare_interpreter(book: str, tmp_path: Path) -> None:
    """T-03, T-10: alone it honestly cannot tell; with last month's fingerprint, or the poster's eight characters, it can."""
    kept = queries.latest_head(PLACE)
    export(PLACE, tmp_path / "whole")
    done = run_alone(tmp_path / "whole", "--code", "11", kept.short)
    assert done.returncode == 0 and "账本完整，和以前公布的 1 个指纹一致。" in done.stdout, (
        done.stdout + done.stderr
    )
    cut_tail()
    export(PLACE, tmp_path / "cut")
    done = run_alone(tmp_path / "cut")
    assert done.returncode == 0 and "看不出末尾是否被截掉" in done.stdout
    anchors = tmp_path / "指纹.jsonl"
    anchors.write_text(json.dumps({"place": PLACE, "seq": 11, "head": kept.head}), encoding="utf-8")
    done = run_alone(tmp_path / "cut", str(anchors))
    assert done.returncode == 1 and "末尾被截掉了" in done.stdout
    done = run_alone(tmp_path / "cut", "--code", "11", kept.short)
    assert done.returncode == 1 and "末尾被截掉了" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("change", [
    ("batches.csv", "id,place", "id,plaace"), ("transfers.csv", ",award,", ",award"), ("accounts.csv", None, None),
])  # fmt: skip
def test_a_broken_folder_is_said(
    book: str, tmp_path: Path, change: tuple[str, str | None, str | None]
) -> None:
    """T-10: a missing file, a missing column: one sentence in Chinese, no trace of the program."""
    export(PLACE, tmp_path / "out")
    path = tmp_path / "out" / change[0]
    if change[1] is None:
        path.unlink()
    else:
        path.write_text(
            path.read_text(encoding="utf-8").replace(change[1], change[2] or "", 1), encoding="utf-8"
        )
    done = run_alone(tmp_path / "out")
    assert done.returncode == 2 and "没有核对成" in done.stdout and "Traceback" not in done.stderr


def test_nonsense_in_the_files_is_said(book: str, tmp_path: Path) -> None:
    """T-10: letters where a number belongs, a date that does not exist, a poster's code of seven letters."""
    export(PLACE, tmp_path / "out")
    path = tmp_path / "out" / "transfers.csv"
    good = path.read_text(encoding="utf-8")
    for old, new in ((",300,0,award", ",三百,0,award"), ("2022-07-05", "2022-07-35")):
        path.write_text(good.replace(old, new, 1), encoding="utf-8")
        done = run_alone(tmp_path / "out")
        assert done.returncode == 1 and "读不懂" in done.stdout and "Traceback" not in done.stderr
    path.write_text(good, encoding="utf-8")
    done = run_alone(tmp_path / "out", "--code", "11", "A1B2-C3D")
    assert done.returncode == 2 and "八个字符" in done.stdout


def test_its_own_sm3_is_the_standard() -> None:
    """K-02, K-03: GB/T 32905-2016, annex A: both published examples; and the same as the library's at every length."""
    from zhili.common.hashing import digest

    assert (
        verify_ledger.sm3(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    )
    assert (
        verify_ledger.sm3(b"abcd" * 16).hex()
        == "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
    )
    for length in (0, 1, 55, 56, 63, 64, 65, 119, 120, 1000):
        data = os.urandom(length)
        assert verify_ledger.sm3(data) == digest("sm3", data)


def test_a_village_changes_to_sm3_and_back(
    as_owner_of_book: str, settings, tmp_path: Path, monkeypatch
) -> None:
    """K-01, K-02, T-10: SHA-256, SM3 with a close in it, SHA-256 again: one chain; both checkers read it, with and without hashlib's SM3."""
    from uuid import uuid4

    from zhili.ledger.models import Batch
    from zhili.ledger.tests.stories import give

    make_book()
    settings.CIPHER_PROFILE = "gm"
    home = uuid4()
    give(home, 100, period="2022-Q4")
    give(home, -250, period="2022-Q4")
    settings.CIPHER_PROFILE = "intl"
    give(home, 100, period="2022-Q4")
    assert list(Batch.objects.order_by("seq").values_list("algorithm", flat=True)[10:]) == [
        "sha256",
        "sm3",
        "sm3",
        "sha256",
    ]
    assert verify().problems == []
    export(PLACE, tmp_path / "out")
    assert alone(tmp_path / "out").problems == []

    def without(name: str, data: bytes = b"") -> None:
        raise ValueError("unsupported hash type")

    monkeypatch.setattr(verify_ledger.hashlib, "new", without)
    assert alone(tmp_path / "out").problems == []
    monkeypatch.undo()
    settings.CIPHER_PROFILE = "intl"
    take_down_guards()
    Transfer.objects.filter(seq=12, index=1).update(amount=101)
    assert verify().problems[0].seq == 12


def test_sm3_cannot_seal_another_line(db: None, settings) -> None:
    """K-02: the database takes foreign digests only over the very lines it writes; otherwise nothing is posted."""
    from uuid import uuid4

    from zhili.ledger import posting
    from zhili.ledger.errors import LedgerError
    from zhili.ledger.tests.stories import give

    settings.CIPHER_PROFILE = "gm"
    give(uuid4(), 100)
    real = posting.sealed_transfers

    def lying(algorithm, transfers, values, facts, call):
        values = list(values)
        values[13] = values[13].replace("300", "200")
        return real(algorithm, transfers, values, facts, call)

    posting.sealed_transfers = lying
    try:
        with pytest.raises(LedgerError) as refused:
            give(uuid4(), 300)
    finally:
        posting.sealed_transfers = real
    assert refused.value.word == "digest_mismatch"
    assert Transfer.objects.count() == 2 and verify([PLACE]).ok
    assert Account.objects.filter(credits=300).count() == 0
