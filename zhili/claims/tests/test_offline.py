"""Records a phone noted without signal: twice, out of order, half failing, with a wrong clock."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.db import transaction

from tests.books import PLAIN_BOOK, make_book
from tests.month import home
from zhili.audit.models import Entry
from zhili.claims.errors import ClaimError
from zhili.claims.models import Claim, OfflineRecord
from zhili.claims.offline import Answer, Record, receive
from zhili.claims.scoring import score_claims
from zhili.common.errors import NotAllowed
from zhili.common.ids import uuid7
from zhili.common.periods import SHANGHAI

NOW = datetime(2026, 10, 20, 18, 0, tzinfo=SHANGHAI)
CODES = ("1001", "1002", "2001", "3001", "3004")


@pytest.fixture
def village(cast: SimpleNamespace) -> SimpleNamespace:
    with time_machine.travel(NOW - timedelta(days=20), tick=False):
        cast.book = make_book(cast, PLAIN_BOOK)
    with time_machine.travel(NOW, tick=False):
        yield cast


def note(n: int, rng: random.Random, **changes: Any) -> Record:
    moment = NOW - timedelta(hours=30 - n)
    facts: dict[str, Any] = {
        "id": uuid7(moment, rng.randbytes), "household": rng.choice(CODES),
        "item": rng.choice(["HJ01", "HJ01", "GY06", "GY05"]),
        "occurred_on": moment.date(), "noted_at": moment,
    }  # fmt: skip
    return Record(**(facts | changes))


def thirty(rng: random.Random) -> list[Record]:
    """Thirty notes of a day and a half; some the server must refuse: no such household, item or day."""
    rows = [note(n, rng) for n in range(30)]
    rows[7] = note(7, rng, household="9999")
    rows[13] = note(13, rng, item="XX99")
    rows[21] = note(21, rng, occurred_on=NOW.date() + timedelta(days=2))
    rows[25] = note(25, rng, occurred_on=date(2025, 1, 1))
    return rows


def send(village: SimpleNamespace, records: list[Record], at: datetime = NOW) -> list[Answer]:
    return receive(by=village.clerk, place=village.place, records=records, sent_at=at)


def outcome(village: SimpleNamespace) -> dict[str, Any]:
    """What the books will make of it: every claim, every refusal, and the points of a notice."""
    claims = list(Claim.objects.select_related("household", "resident", "item", "book").order_by("pk"))
    for claim in claims:
        claim.points_decided = 100 if claim.item.code == "GY05" else None
    return {
        "claims": [
            (c.pk, c.household.code, c.item.code, c.occurred_on, c.text, c.channel, c.status, c.body_digest)
            for c in claims
        ],
        "refused": sorted(OfflineRecord.objects.filter(claim=None).values_list("pk", "refusal")),
        "points": {pk: one.awarded for pk, one in score_claims(claims).items()},
    }


def test_thirty_records_two_hundred_schedules(village: SimpleNamespace) -> None:
    """C-10: sent twice, out of order, half of the sendings failing before or after the server wrote: each time the
    same as once in order; every record has its answer, none is dropped silently."""
    records = thirty(random.Random(0))
    with transaction.atomic():
        in_order = {one.id: one for record in records for one in send(village, [record])}
        wanted = outcome(village)
        transaction.set_rollback(True)
    assert len(wanted["claims"]) == 26 and len(wanted["refused"]) == 4
    lost = repeated = 0
    for seed in range(200):
        rng = random.Random(seed)
        with transaction.atomic():
            waiting = {record.id: record for record in records}
            heard: dict[Any, Answer] = {}
            while waiting:
                batch = rng.sample(list(waiting.values()), min(len(waiting), rng.randint(1, 20)))
                if heard and rng.random() < 0.4:
                    batch.append(next(one for one in records if one.id in heard))
                    repeated += 1
                fate = rng.random()
                if fate < 0.25:
                    continue  # never arrived
                answers = send(village, batch)
                if fate < 0.5:
                    lost += 1
                    continue  # arrived; the answer did not
                for answer in answers:
                    assert heard.setdefault(answer.id, answer) == answer
                    waiting.pop(answer.id, None)
            assert outcome(village) == wanted, f"schedule {seed}"
            assert {pk: (one.taken, one.message) for pk, one in heard.items()} == {
                pk: (one.taken, one.message) for pk, one in in_order.items()
            }, f"schedule {seed}"
            transaction.set_rollback(True)
    assert lost > 200 and repeated > 200


@pytest.mark.parametrize(("wrong", "said"), [(timedelta(days=-365), "-365"), (timedelta(days=3), "+3")])
def test_a_phone_with_a_wrong_clock(village: SimpleNamespace, wrong: timedelta, said: str) -> None:
    """C-11: the phone is a year behind or three days ahead: the server's time rules, and the claim says so."""
    moment = NOW - timedelta(hours=5) + wrong
    record = note(1, random.Random(1), noted_at=moment, occurred_on=moment.date(), item="HJ01")
    (answer,) = send(village, [record], NOW + wrong)
    assert answer.taken
    claim = Claim.objects.get(pk=record.id)
    assert claim.occurred_on == NOW.date() and f"{said} 天" in claim.text and "服务器时间" in claim.text
    row = OfflineRecord.objects.get(pk=record.id)
    assert row.occurred_on == moment.date() and row.skew_seconds == int(-wrong.total_seconds())
    assert send(village, [record], NOW + wrong + timedelta(days=1)) == [answer]
    assert Claim.objects.count() == 1


def test_a_right_clock_is_not_flagged(village: SimpleNamespace) -> None:
    """C-11: some minutes are no wrong clock."""
    record = note(2, random.Random(2))
    assert send(village, [record], NOW - timedelta(minutes=9))[0].taken
    assert Claim.objects.get().text == "" and OfflineRecord.objects.get().skew_seconds == 0


def test_a_moved_day_is_still_bounded(village: SimpleNamespace) -> None:
    """C-11: the server's window holds after the clock was put right."""
    record = note(3, random.Random(3), occurred_on=NOW.date() + timedelta(days=1))
    (answer,) = send(village, [record])
    assert not answer.taken and "还没有到" in answer.message and not Claim.objects.exists()


def test_the_same_key_with_another_body(village: SimpleNamespace) -> None:
    """C-03: refused, and nothing changes."""
    record = note(4, random.Random(4), household="1001")
    send(village, [record])
    other = note(4, random.Random(4), household="1002")
    (answer,) = send(village, [other])
    assert not answer.taken and "另一条" in answer.message
    assert Claim.objects.get().household == home(village, "1001") and OfflineRecord.objects.count() == 1


def test_one_bad_record_stops_no_other(village: SimpleNamespace) -> None:
    """C-10: a household that is not there, between two that are."""
    rng = random.Random(5)
    rows = [note(1, rng), note(2, rng, household="9999"), note(3, rng)]
    assert [one.taken for one in send(village, rows)] == [True, False, True]
    refused = OfflineRecord.objects.get(claim=None)
    assert "9999" in refused.refusal and Entry.objects.get(action="claims.offline").detail["refused"] == 1


@pytest.mark.parametrize("who", ["villager", "reviewer", "supervisor", "stranger_clerk", "township"])
def test_not_for_everybody(village: SimpleNamespace, who: str) -> None:
    """A-02: only the village's clerk and group leaders send records."""
    with pytest.raises(NotAllowed):
        receive(
            by=getattr(village, who), place=village.place, records=[note(1, random.Random(1))], sent_at=NOW
        )
    assert not OfflineRecord.objects.exists()


def test_a_leader_notes_only_for_the_own_group(village: SimpleNamespace) -> None:
    """A-02, U-41: a household of another group is refused and kept as refused."""
    rng = random.Random(6)
    rows = [note(1, rng, household="1001"), note(2, rng, household="3001")]
    answers = receive(by=village.group_leader, place=village.place, records=rows, sent_at=NOW)
    taken = {row.household: one.taken for row, one in zip(rows, answers, strict=True)}
    assert taken["1001"]
    assert OfflineRecord.objects.count() == 2 and OfflineRecord.objects.filter(claim=None).count() == (
        not taken["3001"]
    )


@pytest.mark.parametrize("count", [0, 101])
def test_too_many_or_none(village: SimpleNamespace, count: int) -> None:
    """C-14: sendings are bounded."""
    rng = random.Random(7)
    with pytest.raises(ClaimError):
        send(village, [note(n % 20, rng) for n in range(count)])
    assert not OfflineRecord.objects.exists()
