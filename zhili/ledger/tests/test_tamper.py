"""verify finds what somebody with the database's own password changed (T-02 to T-05, L-05, L-10)."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, connection, transaction

from zhili.ledger import actions, chain, entries, queries
from zhili.ledger.models import Account, Assertion, Batch, PeriodClose, PeriodTotal, Transfer
from zhili.ledger.tests.conftest import take_down_guards
from zhili.ledger.tests.stories import DAY, PERIOD, PLACE, cause, give
from zhili.ledger.verify import Anchor, AnchorError, read_anchors, verify

TABLES = (Transfer, Batch, Account, PeriodTotal, PeriodClose, Assertion)
OTHER_VALUE = {
    "UUIDField": "'{0}'", "BigIntegerField": "coalesce({1}, 0) + 1", "IntegerField": "{1} + 1", "BooleanField": "NOT {1}",
    "DateField": "coalesce({1}, '2030-01-01'::date) + 1", "DateTimeField": "{1} + interval '1 microsecond'",
    "BinaryField": "set_byte({1}, 31 % length({1}), get_byte({1}, 31 % length({1})) # 1)",
}  # fmt: skip


def make_book() -> dict[str, UUID]:
    """Awards, a deduction, a reservation settled and one voided, a reversal, a closed period."""
    one, two = uuid4(), uuid4()
    for owner in (one, two, one):
        give(owner, 300)
    give(one, -50)
    kept = []
    for n, resolve in enumerate((actions.settle, actions.void)):
        key = uuid4()
        actions.reserve(key, place=PLACE, owner=one, amount=100 + n, by=None, period=PERIOD, occurred_on=DAY,
                        cause={"order": str(key)})  # fmt: skip
        resolve([key], place=PLACE, by=None, period=PERIOD, occurred_on=DAY)
        kept.append(key)
    original = Transfer.objects.filter(code="award").order_by("seq").first()
    keys = {a.id: actions.AccountKey(a.kind, a.owner, a.purse) for a in Account.objects.all()}
    back = entries.reversal(original, keys, by=1, approved_by=2, reason="记错日期")
    actions.post([back], place=PLACE, by=None, period=PERIOD)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT error FROM ledger_close_period(%s, '2022-Q3', '2022-07-01', '2022-09-30', 7, '结账', now())",
            [PLACE],
        )
        assert cursor.fetchone()[0] is None
    give(two, 500, period="2022-Q4")
    return {"one": one, "two": two}


def columns() -> list[tuple[type, str]]:
    return [
        (model, field.column) for model in TABLES for field in model._meta.concrete_fields if field.column
    ]


def tamper(model: type, column: str, where: str) -> int:
    field = next(f for f in model._meta.concrete_fields if f.column == column)
    kind = field.get_internal_type()
    value = OTHER_VALUE.get(kind, "{1} || 'x'").format(uuid4(), column)
    if column == "place":
        value = "'511702109999'"
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {model._meta.db_table} SET {column} = {value} WHERE {where}")
        return cursor.rowcount


def ctids(model: type) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT ctid::text FROM {model._meta.db_table} ORDER BY ctid")
        return [row[0] for row in cursor.fetchall()]


def test_a_whole_book_is_whole(as_owner_of_book: str) -> None:
    """L-05: the check has nothing to say about an untouched book, and counts what it saw."""
    make_book()
    report = verify()
    assert report.problems == []
    assert report.counts["villages"] == 1
    assert report.counts["transfers"] == Transfer.objects.count()
    assert report.counts["batches"] == Batch.objects.count()
    assert report.heads[PLACE][1] == queries.latest_head(PLACE).head


def test_every_column_of_every_row(as_owner_of_book: str) -> None:
    """T-02: one changed value in any column of any row of any table is found; lines and batches by their batch."""
    make_book()
    take_down_guards()
    missed = []
    for model, column in columns():
        for ctid in ctids(model):
            sid = transaction.savepoint()
            seq = None
            if model in (Transfer, Batch):
                with connection.cursor() as cursor:
                    cursor.execute(f"SELECT seq FROM {model._meta.db_table} WHERE ctid = %s", [ctid])
                    seq = cursor.fetchone()[0]
            assert tamper(model, column, f"ctid = '{ctid}'") == 1
            report = verify()
            if report.ok or (seq is not None and not any(p.seq == seq for p in report.problems)):
                missed.append((model.__name__, column, ctid, [str(p) for p in report.problems]))
            transaction.savepoint_rollback(sid)
    assert missed == []


@pytest.mark.parametrize("column", ["cause", "salt", "commitment", "leaf", "posted_at", "period"])
def test_the_column_is_named(as_owner_of_book: str, column: str) -> None:
    """T-02: the first problem names table, row and, where it can be told, the column."""
    make_book()
    take_down_guards()
    row = Transfer.objects.filter(seq=2, index=1).get()
    tamper(Transfer, column, f"id = '{row.id}'")
    first = verify().problems[0]
    assert (first.table, first.id, first.seq) == ("ledger_transfer", str(row.id), 2)
    assert first.column == {"salt": "cause"}.get(column, column)


def test_a_corrupted_balance_names_the_account(as_owner_of_book: str) -> None:
    """L-05: a cached balance that is not the sum of its lines is named."""
    people = make_book()
    take_down_guards()
    account = Account.objects.get(owner=people["one"], purse="merit")
    tamper(Account, "credits", f"id = '{account.id}'")
    first = verify().problems[0]
    assert (first.table, first.id, first.column) == ("ledger_account", str(account.id), "credits")


def test_a_removed_line_and_a_removed_batch(as_owner_of_book: str) -> None:
    """T-01: the sequence has no gaps; a line cannot be dropped from a batch."""
    make_book()
    take_down_guards()
    for table, where in (("ledger_transfer", "seq = 2 AND index = 2"), ("ledger_batch", "seq = 2"),
                         ("ledger_assertion", "index = 1"), ("ledger_periodclose", "true"),
                         ("ledger_periodtotal", "period = '2022-Q4'"), ("ledger_account", "kind = 'issued'")):  # fmt: skip
        sid = transaction.savepoint()
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table} WHERE {where}")
            assert cursor.rowcount
        assert not verify().ok, table
        transaction.savepoint_rollback(sid)


def rewrite_chain() -> None:
    """The attacker's script: recompute every digest after a change."""
    head, hash_ = chain.ZERO_HEAD, chain.hasher("sha256")
    for batch in Batch.objects.order_by("seq"):
        leaves = []
        for row in Transfer.objects.filter(seq=batch.seq).order_by("index"):
            row.commitment = chain.commitment(hash_, bytes(row.salt), row.cause)
            row.leaf = chain.leaf(hash_, queries_line(row))
            row.save()
            leaves.append(bytes(row.leaf))
        batch.previous_head = head
        if leaves:
            batch.root = chain.merkle_root(hash_, leaves)
        batch.head = head = chain.head(hash_, batch_line(batch))
        batch.save()


def queries_line(row: Transfer) -> str:
    from zhili.ledger.receipts import line_of

    return line_of(row)


def batch_line(row: Batch) -> str:
    from zhili.ledger.receipts import head_line

    return head_line(row)


def test_a_rewritten_past_is_found_by_an_anchor(as_owner_of_book: str) -> None:
    """T-04: everything recomputed, plain verify cannot tell; any old poster can."""
    people = make_book()
    kept = [Anchor(PLACE, head.seq, head.head) for head in queries.heads(PLACE)]
    take_down_guards()
    row = Transfer.objects.filter(seq=2).order_by("index").first()
    text = row.cause.replace("HJ01", "HJ02")
    assert text != row.cause
    Transfer.objects.filter(id=row.id).update(cause=text)
    rewrite_chain()
    assert people and verify().ok
    assert verify(anchors=[a for a in kept if a.seq == 1]).ok
    for anchor in kept:
        if anchor.seq >= 2:
            report = verify(anchors=[anchor])
            assert [p.column for p in report.problems] == ["head"]
            assert report.problems[0].seq == anchor.seq


def test_a_cut_tail_is_found_by_an_anchor_only(as_owner_of_book: str) -> None:
    """T-03: delete the last batch with its traces: plain verify honestly cannot tell, the anchor can."""
    make_book()
    latest = queries.latest_head(PLACE)
    take_down_guards()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM ledger_batch WHERE seq = %s", [latest.seq])
        cursor.execute("DELETE FROM ledger_transfer WHERE seq = %s", [latest.seq])
        cursor.execute("DELETE FROM ledger_periodtotal WHERE period = '2022-Q4'")
        cursor.execute(
            "UPDATE ledger_account SET credits = credits - 500 WHERE kind = 'holder' AND credits >= 800"
        )
        cursor.execute("UPDATE ledger_account SET debits = debits - 500 WHERE kind = 'issued'")
    report = verify()
    assert report.ok and not report.anchored
    report = verify(anchors=[Anchor(PLACE, latest.seq, latest.head)])
    assert not report.ok and report.anchored
    assert "截掉" in report.problems[0].what


def test_anchors_file() -> None:
    """T-05: one JSON a line; the first ten digits of a head are enough, fewer are not."""
    good = '{"place": "511702109200", "seq": 3, "head": "ABCDEF0123"}'
    assert read_anchors([good, ""]) == [Anchor(PLACE, 3, "abcdef0123")]
    for bad in ("{", '{"place": "1", "seq": 3}', '{"place": "1", "seq": "x", "head": "abcdef0123"}',
                '{"place": "1", "seq": 3, "head": "abc"}', "[]"):  # fmt: skip
        with pytest.raises(AnchorError, match="第 1 行"):
            read_anchors([bad])


def test_only_the_villages_asked_for(as_owner_of_book: str) -> None:
    """verify of one village does not speak of another."""
    make_book()
    give(uuid4(), 100, place="511702109201", period="2022-Q4")
    take_down_guards()
    tamper(Batch, "total", "place = '511702109201'")
    assert verify([PLACE]).ok
    assert not verify().ok


def test_a_second_reservation_is_in_the_book(as_owner_of_book: str) -> None:
    """C-06: a reservation still open is part of the sums that are checked."""
    people = make_book()
    actions.post(
        [entries.fund(uuid4(), 1000, "spend", DAY, {"basis": "村民代表会议"})],
        place=PLACE,
        by=None,
        period="2022-Q4",
    )
    actions.reserve(uuid4(), place=PLACE, owner=people["two"], amount=30, by=None, period="2022-Q4", occurred_on=DAY,
                    cause=cause())  # fmt: skip
    assert verify().ok
    take_down_guards()
    tamper(Account, "reserved", "reserved > 0")
    assert verify().problems[0].column == "reserved"


def test_even_the_owner_meets_the_trigger(as_owner_of_book: str) -> None:
    """L-03: a maintenance script run as the owner stumbles over the trigger before it can do harm."""
    give(uuid4(), 100)
    for text in ("UPDATE ledger_transfer SET amount = 1", "DELETE FROM ledger_batch", "TRUNCATE ledger_transfer",
                 "DELETE FROM ledger_account", "UPDATE ledger_account SET owner = gen_random_uuid()",
                 "TRUNCATE ledger_assertion", "DELETE FROM ledger_periodtotal"):  # fmt: skip
        with pytest.raises(DatabaseError), transaction.atomic():
            connection.cursor().execute(text)
