"""Any balance as of any date, an old report again, and the passbook's short way against the long one (L-13, L-14, L-10)."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import yaml

from zhili.common.clock import replay
from zhili.ledger import actions, entries, queries
from zhili.ledger.models import Account, Transfer
from zhili.ledger.tests.stories import PLACE, cause, give

pytestmark = pytest.mark.django_db
HOMES = [UUID(int=n << 64 | 1 << 63) for n in (1, 2, 3)]
GOLDEN = Path(__file__).parent / "month_3.yaml"


def month(number: int) -> None:
    """What happens in one month of the simulated year; from the sixth on also to days and lines of the first three."""
    pick = random.Random(number)
    with replay(datetime(2022, number, 25, 3, tzinfo=UTC), number):
        for home in HOMES:
            give(
                home,
                100 * pick.randint(1, 5),
                day=date(2022, number, pick.randint(1, 24)),
                period=f"2022-{number:02}",
            )
        give(pick.choice(HOMES), -50, day=date(2022, number, 20), period=f"2022-{number:02}")
        if number >= 6:
            give(HOMES[0], 25, day=date(2022, 2, number), period=f"2022-{number:02}", late=True)
            rows = Transfer.objects.filter(code="award", period=f"2022-{number - 5:02}").order_by(
                "seq", "index"
            )
            original = rows[number - 6]
            keys = {a.id: actions.AccountKey(a.kind, a.owner, a.purse) for a in Account.objects.all()}
            back = entries.reversal(original, keys, by=1, approved_by=2, reason="记错")
            actions.post([back], place=PLACE, by=None, period=f"2022-{number:02}")


def report(day: date) -> dict[str, dict[str, str]]:
    found = queries.as_of(PLACE, HOMES, day).balances
    return {
        str(HOMES.index(home) + 1): {
            purse: f"{found[home, purse].balance / 100:.2f}" for purse in ("merit", "spend")
        }
        for home in HOMES
    }


def test_the_report_of_month_3_in_month_9() -> None:
    """L-13: the golden file of the third month equals the one asked for in the ninth; what came later is listed apart."""
    third = date(2022, 3, 31)
    golden = yaml.safe_load(GOLDEN.read_text(encoding="utf-8"))
    for number in (1, 2, 3):
        month(number)
    assert report(third) == golden
    now = {home: queries.balances(PLACE, [home])[home, "merit"].balance for home in HOMES}
    assert queries.as_of(PLACE, HOMES, third).corrections == []
    for number in range(4, 10):
        month(number)
    assert report(third) == golden
    later = queries.as_of(PLACE, HOMES, third)
    assert len(later.corrections) >= 8
    assert {c.reverses is not None for c in later.corrections} == {True, False}
    for one in later.corrections:
        assert one.posted_at > datetime(2022, 4, 1, tzinfo=UTC)
        row = Transfer.objects.get(id=one.transfer_id)
        old = row.reverses and Transfer.objects.get(id=row.reverses)
        assert row.occurred_on <= third or old.posted_at < datetime(2022, 4, 1, tzinfo=UTC)
    for home in HOMES:
        corrected = sum(
            c.points
            for c in later.corrections
            if c.owner == home and c.purse == "merit" and c.occurred_on <= third
        )
        known = queries.balances_on(PLACE, [home], third, by="occurred")[home, "merit"].balance
        assert now[home] + corrected == known


def test_every_line_posted_later_for_those_days_is_a_correction() -> None:
    """L-13: differential, any day: by 发生日 as known today = what the report showed + corrections of its days."""
    for number in range(1, 10):
        month(number)
    for day in (
        date(2021, 12, 31),
        date(2022, 1, 31),
        date(2022, 5, 10),
        date(2022, 6, 25),
        date(2022, 12, 31),
    ):
        found = queries.as_of(PLACE, HOMES, day)
        known = queries.balances_on(PLACE, HOMES, day, by="occurred")
        ahead = sum(
            (1 if t.credit == a.id else -1) * t.amount
            for a in Account.objects.filter(kind="holder", purse="merit")
            for t in Transfer.objects.filter(posted_at__lt=datetime.combine(day + timedelta(1), datetime.min.time(), UTC)
                                             - timedelta(hours=8), occurred_on__gt=day)
            if a.id in (t.debit, t.credit)
        )  # fmt: skip
        for purse in ("merit",):
            shown = sum(found.balances[home, purse].balance for home in HOMES)
            added = sum(c.points for c in found.corrections if c.purse == purse and c.occurred_on <= day)
            assert shown - ahead + added == sum(known[home, purse].balance for home in HOMES), day


def long_way(
    home: UUID, purse: str, start: date | None, end: date | None, limit: int
) -> tuple[int, list[UUID], int]:
    """The passbook by reading every line of the account in Python."""
    account = Account.objects.get(owner=home, purse=purse)
    running, before, lines = 0, [], []
    for t in Transfer.objects.order_by("seq", "index"):
        if t.phase in ("posted", "settled") and account.id in (t.debit, t.credit):
            day = (t.posted_at + timedelta(hours=8)).date()
            if end and day > end:
                continue
            points = t.amount if t.credit == account.id else -t.amount
            before.append(running)
            running += points
            if not start or day >= start:
                lines.append((t.id, running - points))
    shown = lines[-limit:]
    return (shown[0][1] if shown else running), [id for id, _ in shown], running


def test_the_short_way_is_the_long_way() -> None:
    """L-14, U-31: differential over purses, ranges and limits, with reservations settled, voided and open."""
    for number in range(1, 10):
        month(number)
    with replay(datetime(2022, 9, 26, tzinfo=UTC), 99):
        for n, resolve in enumerate((actions.settle, actions.void, None)):
            key = UUID(int=77 + n)
            actions.reserve(key, place=PLACE, owner=HOMES[1], amount=30 + n, by=None, period="2022-09",
                            occurred_on=date(2022, 9, 26), cause=cause())  # fmt: skip
            if resolve:
                resolve([key], place=PLACE, by=None, period="2022-09", occurred_on=date(2022, 9, 26))
    pick = random.Random(5)
    days = [None, date(2021, 1, 1), date(2022, 3, 25), date(2022, 6, 25), date(2022, 9, 26), date(2023, 1, 1)]
    for _ in range(60):
        home, purse = pick.choice(HOMES), pick.choice(["merit", "spend"])
        start, end, limit = pick.choice(days), pick.choice(days), pick.choice([1, 2, 7, 500])
        page = queries.statement(PLACE, home, purse=purse, start=start, end=end, limit=limit)
        assert (page.opening, [e.transfer_id for e in page.entries], page.closing) == long_way(
            home, purse, start, end, limit
        ), (purse, start, end, limit)
