"""Canonical bytes and digests: golden vectors, and the same values from the database (T-01, T-07, T-11)."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from django.db import connection

from zhili.common.hashing import HashError
from zhili.ledger import chain

SHA = chain.hasher("sha256")
SM3 = chain.hasher("sm3")
OWNER = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
LINE = dict(
    place="511702109200", seq=7, index=2, id=OWNER, debit=UUID(int=1), credit=UUID(int=2), amount=250, short=0,
    code="award", phase="posted", pending_of=None, reverses=None, occurred_on=date(2022, 7, 5),
    posted_at=datetime(2022, 7, 8, 1, 2, 3, 45, tzinfo=UTC), period="2022-Q3", late=False, commitment=bytes(32),
)  # fmt: skip
GOLDEN_LINE = (
    "zhili-transfer/1|511702109200|7|2|01890a5d-ac96-774b-bcce-b302099a8057|00000000-0000-0000-0000-000000000001|"
    "00000000-0000-0000-0000-000000000002|250|0|award|posted|||8221|2022-07-08T01:02:03.000045Z|2022-Q3|0|"
    + "0"
    * 64
)


def test_the_line_is_golden() -> None:
    """T-01: the canonical form never changes; if this fails, every stored digest breaks."""
    assert chain.transfer_line(**LINE) == GOLDEN_LINE
    assert chain.leaf(SHA, GOLDEN_LINE).hex() == hashlib.sha256(b"\0" + GOLDEN_LINE.encode()).hexdigest()
    assert (
        chain.leaf(SHA, GOLDEN_LINE).hex()
        == "7574e285860a69897d37c974172fe82ba62297f042c488fdd760faa843a281d7"
    )
    assert (
        chain.leaf(SM3, GOLDEN_LINE).hex()
        == "28c25b5334fb0b505ee37ba67131814ded058272b73844b25da039ef83859a8a"
    )


def test_head_is_golden() -> None:
    """T-01: the batch line and its head."""
    line = chain.batch_line(place="511702109200", seq=1, previous_head=chain.ZERO_HEAD, root=bytes(32),
                            algorithm="sha256", count=2, total=400, posted_at=LINE["posted_at"], period="2022-Q3",
                            by_id=None, note="公示入账")  # fmt: skip
    assert chain.head(SHA, line).hex() == "b5b1f9216fdf143bb8c6370ed5838de05a8b93b7b4097f2acd9405d02b6e5b3d"


@pytest.mark.parametrize("change", [
    {"place": "511702109201"}, {"seq": 8}, {"index": 3}, {"id": UUID(int=9)}, {"debit": UUID(int=9)},
    {"credit": UUID(int=9)}, {"amount": 251}, {"short": 1}, {"code": "deduct"}, {"phase": "pending"},
    {"pending_of": UUID(int=9)}, {"reverses": UUID(int=9)}, {"occurred_on": date(2022, 7, 6)},
    {"posted_at": datetime(2022, 7, 8, 1, 2, 3, 46, tzinfo=UTC)}, {"period": "2022-Q4"}, {"late": True},
    {"commitment": bytes([1]) + bytes(31)},
])  # fmt: skip
def test_every_column_is_in_the_line(change: dict[str, object]) -> None:
    """T-02: no column can change without changing the leaf."""
    assert chain.transfer_line(**(LINE | change)) != GOLDEN_LINE


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 33])
def test_merkle_is_rfc_6962(count: int) -> None:
    """T-11: the same tree as the recursive definition, and every leaf's path leads to the root."""
    leaves = [SHA(bytes([n])) for n in range(count)]

    def tree(part: list[bytes]) -> bytes:
        if len(part) <= 1:
            return part[0] if part else SHA(b"")
        half = 1 << (len(part) - 1).bit_length() - 1
        return SHA(b"\x01" + tree(part[:half]) + tree(part[half:]))

    root = chain.merkle_root(SHA, leaves)
    assert root == tree(leaves)
    for n, leaf in enumerate(leaves):
        path = chain.merkle_path(SHA, leaves, n)
        assert chain.climb(SHA, leaf, path) == root
        assert chain.climb(SHA, SHA(b"other"), path) != root


def test_merkle_path_outside() -> None:
    """T-11: there is no proof for a leaf that is not there."""
    with pytest.raises(IndexError):
        chain.merkle_path(SHA, [SHA(b"a")], 1)


def test_unknown_algorithm() -> None:
    """K: a digest by a name we do not know is refused, not skipped."""
    with pytest.raises(HashError):
        chain.hasher("md5")


@pytest.mark.parametrize("count", [0, 1, 2, 3, 6, 13, 64, 100])
def test_database_builds_the_same_tree(db: None, count: int) -> None:
    """T-01: sql/ and chain.py agree."""
    leaves = [SHA(bytes([n])) for n in range(count)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_root(%s)", [b"".join(leaves)])
        assert bytes(cursor.fetchone()[0]) == chain.merkle_root(SHA, leaves)


def test_database_makes_the_same_ids(db: None) -> None:
    """T-01: account and batch ids and the seal agree between sql/ and chain.py."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ledger_account_id('511702109200', 'holder', %s, 'merit'), ledger_account_id('511702109200', 'pool',"
            " NULL, 'spend'), ledger_batch_id('511702109200', 12), ledger_account_seal(%s, true, %s, NULL)",
            [OWNER, OWNER, date(1999, 12, 31)],
        )
        holder, pool, batch, seal = cursor.fetchone()
    assert holder == chain.account_id("511702109200", "holder", OWNER, "merit")
    assert pool == chain.account_id("511702109200", "pool", None, "spend")
    assert batch == chain.batch_id("511702109200", 12)
    assert bytes(seal) == chain.account_seal(OWNER, True, date(1999, 12, 31), None)
