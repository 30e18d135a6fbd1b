"""Posting as a village lives it, and everything the book refuses (L-01 to L-13, C-03, C-04, C-06)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from zhili.common.clock import replay
from zhili.common.errors import NotAllowed, NotFound
from zhili.common.ids import uuid7
from zhili.common.scope import set_scope
from zhili.ledger import actions, entries, queries
from zhili.ledger.actions import AccountKey, NewTransfer, post
from zhili.ledger.errors import LedgerError
from zhili.ledger.models import Account, Batch, PeriodTotal, Transfer
from zhili.ledger.posting import canonical
from zhili.ledger.tests.stories import DAY, PERIOD, PLACE, cause, give
from zhili.ledger.verify import verify

# K-02: all of it under both profiles.
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("profile")]
NEXT = "511702109201"


def refused(word: str, call, *args, **kwargs) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        call(*args, **kwargs)
    assert caught.value.word == word
    return caught.value


def story(owner, purse="spend") -> list[tuple[str, int, int]]:
    return [(e.code, e.points, e.balance_after) for e in queries.statement(PLACE, owner, purse=purse).entries]


def test_a_household_sweeps_earns_and_is_marked_down() -> None:
    """L-05, L-06, U-31: an award goes to both purses; a deduction larger than the balance stops at 0 and says so."""
    home = uuid4()
    give(home, 250)
    posted = give(home, -400)
    assert sorted(posted.clipped.values()) == [150, 150]
    assert story(home) == [("award", 250, 250), ("deduct", -250, 0)]
    last = queries.statement(PLACE, home, purse="merit").entries[-1]
    assert (last.short, last.code_title, last.cause["channel"], last.late) == (150, "扣分", "counter", False)
    assert queries.balances(PLACE, [home])[home, "spend"].available == 0
    assert verify([PLACE]).ok


def test_a_purse_may_go_below_zero_only_where_the_book_says_so() -> None:
    """L-06: merit below zero by the rule book; spend never, whoever asks."""
    home = uuid4()
    give(home, -300, purses=["merit"], negative=["merit"])
    assert queries.balances(PLACE, [home])[home, "merit"].balance == -300
    refused("account", give, home, -300, purses=["spend"], negative=["spend"])
    assert queries.balances(PLACE, [home])[home, "spend"].balance == 0


def test_an_empty_purse_records_the_whole_deduction() -> None:
    """L-06: nothing to take is still a line."""
    home = uuid4()
    posted = give(home, -100, purses=["spend"])
    assert story(home) == [("deduct", 0, 0)]
    assert list(posted.clipped.values()) == [100]


def test_clips_in_one_batch_share_what_is_there() -> None:
    """L-06: credits of the batch first, then deductions in order."""
    home = uuid4()
    news = [
        t
        for points in (-200, 300, -200)
        for t in entries.award(uuid7(), home, points, ["spend"], DAY, cause())
    ]
    posted = post(news, place=PLACE, by=None, period=PERIOD)
    assert posted.clipped == {news[2].id: 100}
    assert queries.balances(PLACE, [home])[home, "spend"].balance == 0
    assert verify([PLACE]).ok


def test_same_key_same_body_is_one_posting() -> None:
    """C-03, C-04: the earlier batch comes back, also after 400 days and when the points are spent."""
    home, key = uuid4(), uuid7()
    news = entries.award(key, home, 250, ["merit", "spend"], DAY, cause())
    first = post(news, place=PLACE, by=None, period=PERIOD)
    give(home, -250)
    with replay(datetime.now(tz=UTC) + timedelta(days=400), 1):
        again = post(news, place=PLACE, by=None, period=PERIOD)
    assert again.replayed and not first.replayed
    assert (again.seq, again.head, again.batch_id) == (first.seq, first.head, first.batch_id)
    assert Batch.objects.filter(place=PLACE).count() == 2


def test_a_replayed_redemption_hears_its_answer_though_the_purse_is_empty() -> None:
    """C-03: a retry must not be told that there are no points: its own first attempt took them."""
    home, key = uuid4(), uuid4()
    give(home, 100)
    order = dict(
        place=PLACE, owner=home, amount=100, by=None, period=PERIOD, occurred_on=DAY, cause={"order": "1"}
    )
    actions.reserve(key, **order)
    assert actions.reserve(key, **order).replayed
    assert actions.settle([key], place=PLACE, by=None, period=PERIOD, occurred_on=DAY).replayed is False
    assert actions.settle([key], place=PLACE, by=None, period=PERIOD, occurred_on=DAY).replayed


@pytest.mark.parametrize("change", [{"amount": 999}, {"occurred_on": date(2022, 7, 6)}, {"cause": cause()},
                                    {"code": "opening"}, {"credit": AccountKey("holder", uuid4(), "spend")}])  # fmt: skip
def test_same_key_other_body_is_refused(change: dict) -> None:
    """C-03: the same key with another body posts nothing and says where the first went."""
    (one,) = entries.award(uuid7(), uuid4(), 250, ["spend"], DAY, cause())
    first = post([one], place=PLACE, by=None, period=PERIOD)
    error = refused("key_used", post, [replace(one, **change)], place=PLACE, by=None, period=PERIOD)
    assert f"第 {first.seq} 批" in str(error)
    assert Transfer.objects.count() == 1


def test_half_known_keys_are_refused_whole() -> None:
    """C-09: some keys known, some new: nothing is posted."""
    home = uuid4()
    old = entries.award(uuid7(), home, 100, ["spend"], DAY, cause())
    new = entries.award(uuid7(), home, 100, ["spend"], DAY, cause())
    post(old, place=PLACE, by=None, period=PERIOD)
    refused("key_used", post, old + new, place=PLACE, by=None, period=PERIOD)
    assert queries.balances(PLACE, [home])[home, "spend"].balance == 100


def test_points_of_two_purses_never_mix() -> None:
    """L-17: merit cannot become goods."""
    home = uuid4()
    give(home, 100)
    mixed = NewTransfer(uuid4(), AccountKey("holder", home, "merit"), AccountKey("redeemed", None, "spend"), 10, "redeem",
                        DAY, {})  # fmt: skip
    refused("purses_mixed", post, [mixed], place=PLACE, by=None, period=PERIOD)


@pytest.mark.parametrize("debit, credit", [
    ("pool", "redeemed"), ("issued", "deducted"), ("redeemed", "issued"), ("expired", "pool"), ("reversed", "moved"),
])  # fmt: skip
def test_points_flow_only_along_the_chart(debit: str, credit: str) -> None:
    """L-17: pool → issued → holder → deducted | redeemed | expired | moved, nothing else without a named reversal."""
    one = NewTransfer(uuid4(), AccountKey(debit, None, "spend"), AccountKey(credit, None, "spend"), 10, "award", DAY,
                      cause())  # fmt: skip
    refused("flow_unknown", post, [one], place=PLACE, by=None, period=PERIOD)


@pytest.mark.parametrize("key", ["rule", "rule_version", "item", "claim", "evidence", "reviewers", "actor", "channel",
                                 "number"])  # fmt: skip
@pytest.mark.parametrize("points", [100, -100])
def test_every_posting_says_why(key: str, points: int) -> None:
    """L-07: each missing or empty part of the cause is refused by the database."""
    home = uuid4()
    give(home, 500)
    assert refused("transfer_cause_complete", give, home, points, **{key: None}).hint
    assert queries.balances(PLACE, [home])[home, "merit"].balance == 500


def test_null_inside_a_ready_text_is_refused_too() -> None:
    """L-07: a canonical text made elsewhere cannot smuggle a null past the check."""
    text = canonical(cause()).replace('"actor":903', '"actor":null')
    one = entries.award(uuid7(), uuid4(), 100, ["spend"], DAY, cause())[0]
    refused("transfer_cause_complete", post, [replace(one, cause=text)], place=PLACE, by=None, period=PERIOD)


@pytest.mark.parametrize("amount", [0, -5, 10**13])
def test_amounts_are_positive_and_bounded(amount: int) -> None:
    """L-02: zero, negative and absurd amounts are no transfers."""
    one = entries.award(uuid7(), uuid4(), 100, ["spend"], DAY, cause())[0]
    refused("amount", post, [replace(one, amount=amount)], place=PLACE, by=None, period=PERIOD)


def test_nothing_twice_nothing_empty_nothing_unknown() -> None:
    """Bad calls are sentences, not crashes."""
    one = entries.award(uuid7(), uuid4(), 100, ["spend"], DAY, cause())[0]
    where = dict(place=PLACE, by=None, period=PERIOD)
    refused("twice", post, [one, one], **where)
    refused("empty", post, [], **where)
    refused("code", post, [replace(one, code="Gift!")], **where)
    refused("account", post, [replace(one, credit=AccountKey("friend", uuid4(), "spend"))], **where)
    refused("account", post, [replace(one, credit=AccountKey("holder", uuid4(), "sp|end"))], **where)
    refused("place", post, [one], place="511702", by=None, period=PERIOD)
    refused("note", post, [one], **where, note="x" * 201)
    with pytest.raises(ValueError):
        entries.award(uuid7(), uuid4(), 0, ["spend"], DAY, cause())


def test_another_village_does_not_exist() -> None:
    """A-02: with this village's scope, the next village's book is not there."""
    set_scope([PLACE])
    with pytest.raises(NotFound), transaction.atomic():
        give(uuid4(), 100, place=NEXT)
    give(uuid4(), 100)
    set_scope([NEXT])
    assert not Account.objects.exists() and not Transfer.objects.exists() and not Batch.objects.exists()
    assert queries.heads(PLACE) == [] and queries.latest_head(PLACE) is None


def test_a_refusal_leaves_the_transaction_usable() -> None:
    """C-07: after a refusal nothing is half written and the action may go on."""
    home = uuid4()
    give(home, 100)
    refused("short", actions.reserve, uuid4(), place=PLACE, owner=home, amount=101, by=None, period=PERIOD,
            occurred_on=DAY, cause={})  # fmt: skip
    error = refused("short", actions.reserve, uuid4(), place=PLACE, owner=home, amount=250, by=None, period=PERIOD,
                    occurred_on=DAY, cause={})  # fmt: skip
    assert "可用 1 分" in error.message and "2.5 分" in error.message
    give(home, 100)
    assert Batch.objects.filter(place=PLACE).count() == 2 and verify([PLACE]).ok


def test_reserve_then_settle_or_void_once() -> None:
    """C-06: reserved points cannot be spent again; an order is settled or voided, once."""
    home, one, two = uuid4(), uuid4(), uuid4()
    give(home, 300)
    order = dict(place=PLACE, owner=home, by=None, period=PERIOD, occurred_on=DAY, cause={"order": "1"})
    actions.reserve(one, amount=200, **order)
    assert queries.balances(PLACE, [home])[home, "spend"] == queries.Balance(300, 200)
    refused("short", actions.reserve, two, amount=101, **order)
    actions.reserve(two, amount=100, **order)
    done = dict(place=PLACE, by=None, period=PERIOD, occurred_on=DAY)
    actions.settle([one], **done)
    actions.void([two], **done)
    refused("transfer_resolved_once", actions.void, [one], **done)
    refused("transfer_resolved_once", actions.settle, [two], **done)
    with pytest.raises(NotFound):
        actions.settle([uuid4()], **done)
    assert queries.balances(PLACE, [home])[home, "spend"] == queries.Balance(100, 0)
    assert queries.period_totals(PLACE, [PERIOD])[home, PERIOD, "spend"] == queries.Total(
        earned=300, spent=200
    )
    assert verify([PLACE]).ok


def test_settling_something_else_is_refused() -> None:
    """C-06: a settlement must be of that pending transfer, to the hundredth."""
    home, key = uuid4(), uuid4()
    give(home, 300)
    actions.reserve(
        key, place=PLACE, owner=home, amount=100, by=None, period=PERIOD, occurred_on=DAY, cause={}
    )
    one = NewTransfer(uuid4(), AccountKey("holder", home, "spend"), AccountKey("redeemed", None, "spend"), 99, "redeem",
                      DAY, {}, pending_of=key, phase="settled")  # fmt: skip
    refused("pending_unknown", post, [one], place=PLACE, by=None, period=PERIOD)


def test_period_close(cast) -> None:
    """L-08, L-10: a closed period takes nothing; a late fact goes to the open one, flagged; by the clerk only."""
    home = uuid4()
    give(home, 200)
    with pytest.raises(NotAllowed):
        actions.close_period(PLACE, PERIOD, by=cast.villager)
    closed = actions.close_period(PLACE, PERIOD, by=cast.clerk)
    assert closed.seq == 2 and queries.is_closed(PLACE, PERIOD) and queries.closed_periods(PLACE) == [PERIOD]
    refused("period_closed", give, home, 100)
    refused("period_closed", actions.close_period, PLACE, PERIOD, by=cast.clerk)
    give(home, 100, period="2022-Q4", day=date(2022, 9, 30))
    give(home, 100, period="2022-Q4", day=date(2022, 10, 2))
    assert [e.late for e in queries.statement(PLACE, home).entries] == [False, True, False]
    assert verify([PLACE]).ok
    refused("too_early", actions.close_period, PLACE, "2999", by=cast.clerk)


def test_a_replay_into_a_period_closed_since_still_hears_its_answer(cast) -> None:
    """C-04: what was posted stays posted; the retry is not told that it is too late."""
    news = entries.award(uuid7(), uuid4(), 100, ["spend"], DAY, cause())
    post(news, place=PLACE, by=None, period=PERIOD)
    actions.close_period(PLACE, PERIOD, by=cast.clerk)
    assert post(news, place=PLACE, by=None, period=PERIOD).replayed


def test_reversal(cast) -> None:
    """L-04: once, by one person, agreed by another who had no part; a reversal may be reversed; spent points stop at 0."""
    home = uuid4()
    give(home, 200, purses=["spend"], reviewers=[cast.elder.pk])
    (line,) = queries.statement(PLACE, home, purse="spend").entries
    ask = dict(place=PLACE, by=cast.clerk, reason="日期记错", period=PERIOD)
    with pytest.raises(NotAllowed, match="评议人"):
        actions.reverse([line.transfer_id], approved_by=cast.elder, **ask)
    for nobody in (cast.clerk, cast.villager, cast.township):
        with pytest.raises(NotAllowed):
            actions.reverse([line.transfer_id], approved_by=nobody, **ask)
    with pytest.raises(NotAllowed):
        actions.reverse([line.transfer_id], approved_by=cast.supervisor, **(ask | {"by": cast.reviewer}))
    refused(
        "reason", actions.reverse, [line.transfer_id], approved_by=cast.supervisor, **(ask | {"reason": " "})
    )
    with pytest.raises(NotFound):
        actions.reverse([uuid4()], approved_by=cast.supervisor, **ask)
    actions.reverse([line.transfer_id], approved_by=cast.supervisor, **ask)
    first, back = queries.statement(PLACE, home, purse="spend").entries
    assert first.reversed and back.reverses == first.transfer_id and back.balance_after == 0
    actions.reverse([back.transfer_id], approved_by=cast.elder, **ask)
    assert queries.balances(PLACE, [home])[home, "spend"].balance == 200
    assert queries.period_totals(PLACE, [PERIOD])[home, PERIOD, "spend"].net == 200
    assert verify([PLACE]).ok


def test_second_reversal_is_refused(cast) -> None:
    """L-04: one line, one reversal."""
    home = uuid4()
    give(home, 200, purses=["spend"])
    (line,) = queries.statement(PLACE, home, purse="spend").entries
    ask = dict(place=PLACE, by=cast.clerk, approved_by=cast.supervisor, period=PERIOD)
    actions.reverse([line.transfer_id], reason="一", **ask)
    other = replace(
        entries.reversal(Transfer.objects.get(id=line.transfer_id), {a.id: AccountKey(a.kind, a.owner, a.purse)
                         for a in Account.objects.all()}, by=1, approved_by=2, reason="二"), id=uuid4())  # fmt: skip
    give(home, 200, purses=["spend"])
    refused("transfer_reversed_once", post, [other], place=PLACE, by=None, period=PERIOD)


def test_reversing_spent_points_stops_at_zero(cast) -> None:
    """L-04, L-06: what was already redeemed cannot be taken back; the rest is recorded."""
    home, key = uuid4(), uuid4()
    give(home, 200, purses=["spend"])
    (line,) = queries.statement(PLACE, home, purse="spend").entries
    actions.reserve(
        key, place=PLACE, owner=home, amount=150, by=None, period=PERIOD, occurred_on=DAY, cause={}
    )
    actions.settle([key], place=PLACE, by=None, period=PERIOD, occurred_on=DAY)
    posted = actions.reverse([line.transfer_id], place=PLACE, by=cast.clerk, approved_by=cast.supervisor, reason="重复",
                             period=PERIOD)  # fmt: skip
    assert list(posted.clipped.values()) == [150] and posted.total == 50
    assert verify([PLACE]).ok


def test_any_day(cast) -> None:
    """L-13: the balance of an old day stays what it was; by 发生日 it takes later corrections in."""
    home = uuid4()
    with replay(datetime(2022, 7, 10, tzinfo=UTC), 1):
        give(home, 200, day=date(2022, 7, 5))
    with replay(datetime(2022, 9, 10, tzinfo=UTC), 2):
        give(home, 300, day=date(2022, 7, 6))
    day = date(2022, 8, 1)
    assert queries.balances_on(PLACE, [home], day)[home, "merit"].balance == 200
    assert queries.balances_on(PLACE, [home], day, by="occurred")[home, "merit"].balance == 500
    assert queries.balances_on(PLACE, [home], date(2022, 7, 1))[home, "merit"].balance == 0


def test_statement_pages_add_up() -> None:
    """U-31: opening + entries = closing for every limit and range; a purse never used reads as zero."""
    home = uuid4()
    for month in (7, 8, 9):
        with replay(datetime(2022, month, 10, tzinfo=UTC), month):
            give(home, month * 100)
            give(home, -50)
    for limit in (1, 2, 3, 5, 100):
        page = queries.statement(PLACE, home, limit=limit)
        assert len(page.entries) == min(limit, 6)
        assert page.opening + sum(e.points for e in page.entries) == page.closing == 2250
    august = queries.statement(PLACE, home, start=date(2022, 8, 1), end=date(2022, 8, 31))
    assert (august.opening, august.closing, len(august.entries)) == (650, 1400, 2)
    assert queries.statement(PLACE, uuid4()).closing == 0
    assert set(queries.statements(PLACE, home)) == {"merit", "spend"}


def test_totals_agree(cast) -> None:
    """L-14: household totals, village totals and passbooks are the same figures."""
    homes = [uuid4() for _ in range(4)]
    for n, home in enumerate(homes):
        give(home, 100 * (n + 1))
        give(home, -30)
    totals = queries.period_totals(PLACE, [PERIOD])
    village = queries.village_totals(PLACE, [PERIOD])
    for purse in ("merit", "spend"):
        mine = [totals[home, PERIOD, purse] for home in homes]
        assert village[PERIOD, purse].earned == sum(t.earned for t in mine) == 1000
        assert village[PERIOD, purse].deducted == sum(t.deducted for t in mine) == 120
        assert [t.net for t in mine] == [queries.statement(PLACE, h, purse=purse).closing for h in homes]
    assert set(queries.period_totals(PLACE, [PERIOD], [homes[0]])) == {
        (homes[0], PERIOD, "merit"), (homes[0], PERIOD, "spend")}  # fmt: skip


def test_receipts() -> None:
    """T-06: the slip finds its line and proves it; another village's book, or a mistyped slip, finds nothing."""
    home = uuid4()
    news = [t for _ in range(5) for t in entries.award(uuid7(), home, 100, ["merit", "spend"], DAY, cause())]
    posted = post(news, place=PLACE, by=None, period=PERIOD)
    for one in news:
        receipt = queries.find_receipt(PLACE, queries.receipt_code(one.id).lower().replace("-", " "))
        assert receipt is not None and receipt.proven
        assert (receipt.transfer_id, receipt.points, receipt.head) == (one.id, 100, posted.head.hex())
        assert receipt.path and str(home) not in receipt.line
    assert queries.find_receipt(NEXT, queries.receipt_code(news[0].id)) is None
    assert queries.find_receipt(PLACE, queries.receipt_code(uuid4())) is None


def test_statements_do_not_grow_with_the_batch(profile: str) -> None:
    """One round trip (two under SM3) for 1, 100 and 5,000 transfers: psycopg's wire trace counts the executes."""
    homes = [uuid4() for _ in range(50)]
    sent = []
    for size in (1, 100, 5_000):
        news = [
            t
            for n in range(size)
            for t in entries.award(uuid7(), homes[n % 50], 100, ["spend"], DAY, cause())
        ]
        with CaptureQueriesContext(connection) as through_django:
            sent.append(
                (
                    wire_executes(lambda n=news: post(n, place=PLACE, by=None, period=PERIOD)),
                    len(through_django),
                )
            )
    assert sent == [({"intl": 1, "gm": 2}[profile], 0)] * 3
    assert post(news, place=PLACE, by=None, period=PERIOD).replayed
    assert verify([PLACE]).ok


def wire_executes(work) -> int:
    import os
    import tempfile

    with tempfile.TemporaryFile() as file:
        connection.connection.pgconn.trace(file.fileno())
        work()
        connection.connection.pgconn.untrace()
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        lines = file.read().decode(errors="replace").splitlines()
    return sum(1 for line in lines if "\tF\t" in line and ("\tExecute\t" in line or "\tQuery\t" in line))


def test_app_role_cannot_touch_the_tables() -> None:
    """L-01, L-03: save, bulk_update, delete, raw SQL, TRUNCATE, switching triggers off: every way is refused."""
    home = uuid4()
    give(home, 100)
    row, account, batch = Transfer.objects.first(), Account.objects.first(), Batch.objects.first()

    def raw(text: str):
        return lambda: connection.cursor().execute(text)

    row.amount += 1
    attempts = [
        row.save, row.delete, account.save, batch.delete,
        lambda: Transfer.objects.bulk_update([row], ["amount"]),
        lambda: Transfer.objects.all().delete(),
        lambda: Transfer.objects.create(id=uuid4(), place=PLACE, seq=9, index=1, debit=row.debit, credit=row.credit,
                                        amount=5, code="award", phase="posted", occurred_on=DAY, posted_at=row.posted_at,
                                        period=PERIOD, late=False, salt=b"0" * 16, cause="{}", commitment=b"", leaf=b""),
        lambda: PeriodTotal.objects.update(earned=0),
        raw("INSERT INTO ledger_transfer SELECT * FROM ledger_transfer"),
        raw("UPDATE ledger_account SET credits = credits + 1"), raw("DELETE FROM ledger_batch"),
        raw("TRUNCATE ledger_transfer"), raw("ALTER TABLE ledger_transfer DISABLE TRIGGER ALL"),
        raw("DROP TABLE ledger_periodtotal"), raw("SET session_replication_role = replica"),
        raw("CREATE OR REPLACE FUNCTION ledger_root(p_leaves bytea) RETURNS bytea LANGUAGE sql AS 'SELECT p_leaves'"),
        raw("SELECT ledger_link('511702109200', 9, '', '', 0, 0, now(), '2022', NULL, '', 'sha256', NULL, NULL, NULL)"),
    ]  # fmt: skip
    for attempt in attempts:
        with pytest.raises(DatabaseError), transaction.atomic():
            attempt()
    assert verify([PLACE]).ok and Transfer.objects.count() == 2


def test_lapsing(cast) -> None:
    """L-11: announced 30 days ahead, oldest first, spent points never lapse, twice is once."""
    old, busy, new = uuid4(), uuid4(), uuid4()
    for home in (old, busy):
        give(home, 500, day=date(2021, 5, 1))
    give(busy, 200, day=date(2022, 6, 1))
    give(new, 100, day=date(2022, 6, 1))
    key = uuid4()
    actions.reserve(
        key, place=PLACE, owner=busy, amount=300, by=None, period=PERIOD, occurred_on=DAY, cause={}
    )
    ask = dict(by=cast.clerk, earned_until=date(2021, 12, 31), period=PERIOD)
    refused(
        "notice_too_short", actions.expire_due, PLACE, date(2022, 7, 20), noticed_on=date(2022, 7, 1), **ask
    )
    with pytest.raises(NotAllowed):
        actions.expire_due(
            PLACE, date(2022, 7, 31), noticed_on=date(2022, 7, 1), **(ask | {"by": cast.villager})
        )
    posted = actions.expire_due(PLACE, date(2022, 7, 31), noticed_on=date(2022, 7, 1), **ask)
    assert posted is not None and (posted.count, posted.total) == (2, 700)
    left = queries.balances(PLACE, [old, busy, new])
    assert [left[h, "spend"].available for h in (old, busy, new)] == [0, 200, 100]
    assert left[old, "merit"].balance == 500
    assert actions.expire_due(PLACE, date(2022, 7, 31), noticed_on=date(2022, 7, 1), **ask) is None
    assert queries.period_totals(PLACE, [PERIOD])[old, PERIOD, "spend"].expired == 500
    assert verify([PLACE]).ok


def test_carry_over(cast) -> None:
    """L-11: a stated share comes back as points of the day; the share has bounds."""
    home = uuid4()
    give(home, 333, day=date(2021, 5, 1))
    ask = dict(
        by=None, purse="spend", earned_until=date(2021, 12, 31), noticed_on=date(2022, 6, 1), period=PERIOD
    )
    with pytest.raises(LedgerError):
        actions.carry_over(PLACE, date(2022, 7, 31), keep_percent=100, **ask)
    actions.carry_over(PLACE, date(2022, 7, 31), keep_percent=50, **ask)
    assert story(home) == [("award", 333, 333), ("expire", -333, 0), ("carry", 166, 166)]
    assert verify([PLACE]).ok


def test_open_and_close_accounts() -> None:
    """L-12: a new household shows a zero; a closed purse takes nothing; a full one does not close."""
    home, other = uuid4(), uuid4()
    assert actions.open_accounts(PLACE, [home, other], purses=["merit", "spend"], on=DAY) == 4
    assert queries.balances(PLACE, [home]) == {(home, p): queries.Balance() for p in ("merit", "spend")}
    give(home, 100)
    refused("not_empty", actions.close_accounts, PLACE, home, on=DAY)
    assert actions.close_accounts(PLACE, other, on=DAY) == 2
    refused("account_closed", give, other, 100)
    assert verify([PLACE]).ok
