"""Random lives of a village's book against a model in ten lines of Python (L-01, L-05, L-06, C-03, C-04, C-06)."""

from __future__ import annotations

from collections import defaultdict
from uuid import UUID, uuid5

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from zhili.common.scope import set_scope
from zhili.ledger import actions, entries, queries
from zhili.ledger.actions import AccountKey, post
from zhili.ledger.errors import LedgerError
from zhili.ledger.models import Account, Batch, Transfer
from zhili.ledger.tests.stories import DAY, PERIOD, PLACE, cause
from zhili.ledger.verify import verify

ROOM = UUID("0b1d2c3e-0000-4000-8000-000000000000")
HOMES = [uuid5(ROOM, str(n)) for n in range(3)]
homes = st.sampled_from(HOMES)
amounts = st.integers(1, 500)


class Book(RuleBasedStateMachine):
    """One village with three households. `spend` and `merit` are the model's balances."""

    def __init__(self) -> None:
        super().__init__()
        self.sid = transaction.savepoint()
        set_scope([PLACE])
        self.spend: dict[UUID, int] = defaultdict(int)
        self.merit: dict[UUID, int] = defaultdict(int)
        self.held: dict[UUID, tuple[UUID, int]] = {}
        self.posted: list[tuple[list, int]] = []
        self.reversible: list[tuple[UUID, UUID, int]] = []
        self.count = 0

    def teardown(self) -> None:
        transaction.savepoint_rollback(self.sid)

    def key(self) -> UUID:
        self.count += 1
        return uuid5(ROOM, f"key {self.count}")

    def free(self, home: UUID) -> int:
        return self.spend[home] - sum(amount for owner, amount in self.held.values() if owner == home)

    def post(self, news: list) -> actions.Posted:
        posted = post(news, place=PLACE, by=None, period=PERIOD)
        self.posted.append((news, posted.seq))
        return posted

    @rule(deeds=st.lists(st.tuples(homes, amounts), min_size=1, max_size=5))
    def award(self, deeds: list) -> None:
        news = []
        for home, points in deeds:
            lines = entries.award(self.key(), home, points, ["merit", "spend"], DAY, cause())
            news += lines
            self.reversible.append((lines[1].id, home, points))
            self.spend[home] += points
            self.merit[home] += points
        self.post(news)

    @rule(home=homes, points=amounts)
    def deduct(self, home: UUID, points: int) -> None:
        taken = min(points, self.free(home))
        posted = self.post(
            entries.award(self.key(), home, -points, ["merit", "spend"], DAY, cause(), False, ["merit"])
        )
        assert sum(posted.clipped.values()) == points - taken
        self.spend[home] -= taken
        self.merit[home] -= points

    @rule(home=homes, points=amounts)
    def reserve(self, home: UUID, points: int) -> None:
        key = self.key()
        ask = dict(place=PLACE, owner=home, amount=points, by=None, period=PERIOD, occurred_on=DAY, cause={})
        if points <= self.free(home):
            actions.reserve(key, **ask)
            self.held[key] = (home, points)
        else:
            with pytest.raises(LedgerError):
                actions.reserve(key, **ask)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), settled=st.booleans())
    def resolve(self, data, settled: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.held)))
        home, points = self.held.pop(key)
        done = dict(place=PLACE, by=None, period=PERIOD, occurred_on=DAY)
        (actions.settle if settled else actions.void)([key], **done)
        with pytest.raises(LedgerError):
            (actions.void if settled else actions.settle)([key], **done)
        if settled:
            self.spend[home] -= points

    @precondition(lambda self: self.posted)
    @rule(data=st.data())
    def replay(self, data) -> None:
        news, seq = data.draw(st.sampled_from(self.posted))
        again = post(news, place=PLACE, by=None, period=PERIOD)
        assert again.replayed and again.seq == seq

    @precondition(lambda self: self.reversible)
    @rule(data=st.data())
    def reverse(self, data) -> None:
        id, home, points = data.draw(st.sampled_from(self.reversible))
        self.reversible.remove((id, home, points))
        keys = {a.id: AccountKey(a.kind, a.owner, a.purse, a.may_go_negative) for a in Account.objects.all()}
        original = Transfer.objects.get(id=id)
        taken = min(points, self.free(home))
        self.post([entries.reversal(original, keys, by=1, approved_by=2, reason="错")])
        self.spend[home] -= taken
        other = entries.reversal(original, keys, by=1, approved_by=2, reason="再错")
        with pytest.raises(LedgerError):
            post([other], place=PLACE, by=None, period=PERIOD)

    @invariant()
    def agrees(self) -> None:
        found = queries.balances(PLACE, HOMES)
        for home in HOMES:
            assert found[home, "spend"].balance == self.spend[home] >= 0
            assert found[home, "spend"].available == self.free(home) >= 0
            assert found[home, "merit"].balance == self.merit[home]
            page = queries.statement(PLACE, home, purse="spend")
            assert page.closing == self.spend[home] == sum(e.points for e in page.entries)
        with connection.cursor() as cursor:
            cursor.execute("SELECT coalesce(sum(credits), 0) - coalesce(sum(debits), 0) FROM ledger_account")
            assert cursor.fetchone()[0] == 0
        seqs = list(Batch.objects.order_by("seq").values_list("seq", flat=True))
        assert seqs == list(range(1, len(seqs) + 1))
        assert verify([PLACE]).problems == []


@pytest.mark.django_db
def test_random_lives() -> None:
    """L-05, L-06, C-03, C-06: whatever happens, book, model and check agree; every key posts once."""
    run_state_machine_as_test(
        Book,
        settings=settings(
            max_examples=15, stateful_step_count=15, deadline=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
