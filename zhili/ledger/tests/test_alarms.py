"""A book that is not as it was written stops its own village and no other, until a named person has looked (L-15)."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.db import connection, transaction

from zhili.common.errors import NotAllowed, NotFound
from zhili.common.scope import scoped
from zhili.ledger import actions, alarms
from zhili.ledger.errors import LedgerError
from zhili.ledger.models import Alarm, Batch, Transfer
from zhili.ledger.tests.stories import DAY, PLACE, give
from zhili.ledger.verify import verify

NEXT = "511702109201"


@pytest.fixture
def village(own_database: str, django_db_blocker: object) -> Iterator[SimpleNamespace]:
    """A database of the test's own, committed: the alarm is raised in a transaction beside the one that fails."""
    from tests.cast import make_cast
    from zhili.config.setup import as_owner

    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        connection.close()
        was = connection.settings_dict["NAME"]
        connection.settings_dict["NAME"] = own_database
        home = uuid4()
        try:
            with scoped("511702"):
                cast = make_cast()
                give(home, 300)
                give(home, 300, place=NEXT)

            def break_it(text: str) -> None:
                with as_owner(own_database), scoped("*"):
                    for table in ("account", "transfer", "batch", "periodtotal"):
                        connection.cursor().execute(f"ALTER TABLE ledger_{table} DISABLE TRIGGER USER")
                    connection.cursor().execute(text)

            yield SimpleNamespace(home=home, cast=cast, break_it=break_it)
        finally:
            connection.close()
            connection.settings_dict["NAME"] = was


BREAKS = {
    "a balance": "UPDATE ledger_account SET credits = credits + 5 WHERE kind = 'holder' AND place = '511702109200'",
    "a total": "UPDATE ledger_periodtotal SET earned = earned + 5 WHERE place = '511702109200'",
    "a setting": "UPDATE ledger_account SET may_go_negative = true WHERE purse = 'merit' AND place = '511702109200'",
    "the last batch": "UPDATE ledger_batch SET total = total + 1 WHERE place = '511702109200'",
}  # fmt: skip


def test_a_broken_book_stops_its_village(village: SimpleNamespace) -> None:
    """L-15: the posting is refused, the alarm outlives the rollback, the village is read-only, the next village goes on."""
    village.break_it(BREAKS["a balance"])
    with pytest.raises(LedgerError, match="停止记账") as refused, scoped(PLACE):
        give(village.home, 100)
    assert refused.value.word == "broken"
    with scoped("511702"):
        (alarm,) = alarms.open_alarms()
        assert (alarm.place, alarm.found_by) == (PLACE, "post") and alarm.what.startswith("账户 ")
        assert alarms.is_stopped(PLACE) and not alarms.is_stopped(NEXT)
        assert Transfer.objects.filter(place=PLACE).count() == 2
        give(village.home, 100, place=NEXT)
    for attempt in (
        lambda: give(village.home, 100),
        lambda: give(uuid4(), 100),
        lambda: actions.open_accounts(PLACE, [uuid4()], purses=["merit"], on=DAY),
        lambda: actions.close_accounts(PLACE, uuid4(), on=DAY),
        lambda: actions.close_period(PLACE, "2022-Q3", by=village.cast.clerk),
    ):
        with pytest.raises(LedgerError) as stopped, scoped(PLACE):
            attempt()
        assert stopped.value.word == "read_only" and "警报" in stopped.value.message
    with scoped("511702"):
        assert Alarm.objects.count() == 1 and Batch.objects.filter(place=PLACE).count() == 1


@pytest.mark.parametrize("what", list(BREAKS)[1:])
def test_what_a_posting_notices(village: SimpleNamespace, what: str) -> None:
    """L-15: a total, an account's setting, the last fingerprint: whatever the posting touches is looked at first."""
    village.break_it(BREAKS[what])
    with pytest.raises(LedgerError) as refused, scoped(PLACE):
        give(village.home, 100)
    assert refused.value.word == "broken"
    with scoped("511702"):
        assert [a.place for a in alarms.open_alarms()] == [PLACE]


def test_lifting_takes_a_name_and_a_reason(village: SimpleNamespace) -> None:
    """L-15: the township lifts it and says why; the clerk cannot, nobody can twice, and a book still broken stops again."""
    village.break_it(BREAKS["a balance"])
    with pytest.raises(LedgerError), scoped(PLACE):
        give(village.home, 100)
    with scoped("511702"):
        (alarm,) = alarms.open_alarms([PLACE])
        cast, reason = village.cast, "硬盘故障，已按导出恢复"
        for who in (cast.clerk, cast.villager, cast.stranger, cast.elder):
            with pytest.raises(NotAllowed):
                alarms.lift_alarm(alarm.pk, place=PLACE, by=who, reason=reason)
        with pytest.raises(LedgerError, match="理由"):
            alarms.lift_alarm(alarm.pk, place=PLACE, by=cast.township, reason="好")
        with pytest.raises(NotFound):
            alarms.lift_alarm(uuid4(), place=PLACE, by=cast.township, reason=reason)
        assert alarms.is_stopped(PLACE)
        lifted = alarms.lift_alarm(alarm.pk, place=PLACE, by=cast.township, reason=reason)
        assert (lifted.lifted_by, lifted.reason) == (cast.township, reason)
        with pytest.raises(NotFound):
            alarms.lift_alarm(alarm.pk, place=PLACE, by=cast.township, reason=reason)
    with pytest.raises(LedgerError) as again, scoped(PLACE):
        give(village.home, 100)
    assert again.value.word == "broken"
    village.break_it(
        "UPDATE ledger_account SET credits = credits - 5 WHERE kind = 'holder' AND place = '511702109200'"
    )
    with scoped("511702"):
        (second,) = alarms.open_alarms()
        alarms.lift_alarm(second.pk, place=PLACE, by=village.cast.township, reason=reason)
    with scoped(PLACE):
        give(village.home, 100)
    assert verify().ok


def test_a_check_that_finds_something_stops_the_village(village: SimpleNamespace) -> None:
    """L-15, L-10: what only the whole check can see (an old line) stops that village too; once, however often it is run."""
    village.break_it(
        "UPDATE ledger_transfer SET amount = amount + 1 WHERE place = '511702109201' AND index = 1"
    )
    report = verify(jobs=2)
    assert {p.place for p in report.problems} == {NEXT}
    assert alarms.raise_from(report) == [NEXT]
    assert alarms.raise_from(report) == []
    with scoped(PLACE):
        give(village.home, 100)
    with pytest.raises(LedgerError) as stopped, scoped(NEXT):
        give(village.home, 100, place=NEXT)
    assert stopped.value.word == "read_only"


def test_several_processes_see_the_same_book(village: SimpleNamespace) -> None:
    """T-01: --jobs shares the villages out and finds the same; inside an open transaction it refuses."""
    one, two = verify(), verify(jobs=2)
    assert one.ok and two.ok and one.heads == two.heads and one.counts == two.counts and len(one.heads) == 2
    with pytest.raises(RuntimeError), transaction.atomic():
        verify(jobs=2)
