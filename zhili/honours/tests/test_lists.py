"""A list from computing to the wall (G-14, M-09, P-04): frozen, decided by others, struck off, never rewritten."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.cast import make_cast, make_person
from zhili.audit.models import Entry
from zhili.common.errors import NotAllowed
from zhili.common.periods import parse_code, today
from zhili.common.scope import set_scope
from zhili.honours import actions
from zhili.honours.errors import Conflict, HonourError
from zhili.honours.lists import digest_of
from zhili.honours.merit import codes_within, merit_of
from zhili.honours.models import HonourEntry, HonourList
from zhili.honours.queries import hanging, points_now, shown_list
from zhili.honours.tests.stage import (
    PERIOD,
    award,
    decided,
    drafted,
    half_year,
    on_list,
    published,
    stars,
    top,
)
from zhili.ledger.actions import reverse
from zhili.notices.scopes import Scope
from zhili.people.models import Household

pytestmark = [pytest.mark.django_db]


@pytest.fixture
def cast(db: None) -> Any:
    set_scope(["511702"])
    found = make_cast()
    half_year(found)
    return found


def test_stars_from_the_book(cast):
    """G-14: merit of the half-year, less deductions; the others stand nowhere."""
    found = drafted(cast)
    assert on_list(found) == {"1001": "三星", "3001": "三星", "1002": "二星", "1003": "一星", "2001": "一星"}
    assert found.households == 10
    assert found.digest == digest_of(found, found.entries.all())
    assert Entry.objects.filter(action="honours.draft", target__contains=str(found.pk)).count() == 1


def test_only_what_was_earned(cast):
    """G-14: where the resolution counts only what was earned, a deduction does not matter."""
    assert on_list(drafted(cast, stars(cast, counts="earned")))["2001"] == "二星"


def test_the_first_three(cast):
    assert on_list(drafted(cast, top(cast))) == {"1001": "第 1 名", "3001": "第 2 名", "1002": "第 3 名"}


def test_points_of_other_periods_do_not_count(cast):
    """G-14: only settlement periods that end in the period."""
    award(cast, "2003", 9000, "2026-08")
    award(cast, "2003", 9000, "2025-12")
    assert "2003" not in on_list(drafted(cast))
    assert {"2026-01", "2026-06", "2026-Q2", "2026-H1", "2026-W26"} <= set(codes_within(parse_code(PERIOD)))
    assert not {"2026-07", "2026-Q3", "2026", "2025-12", "ever"} & set(codes_within(parse_code(PERIOD)))


def test_taken_back_before_computing(cast):
    """L-08: a reversal stands in a later month, and counts for the half-year whose line it takes back."""
    keys = award(cast, "2003", 9000)
    assert merit_of(cast.place, parse_code(PERIOD))[home(cast, "2003").pk].earned == 9500
    take_back(cast, keys)
    assert merit_of(cast.place, parse_code(PERIOD))[home(cast, "2003").pk].earned == 500
    assert "2003" not in on_list(drafted(cast))


def test_a_reversal_that_is_itself_taken_back(cast):
    keys = award(cast, "2003", 9000)
    posted = take_back(cast, keys)
    undo = list(reversed_ids(cast, posted))
    reverse(
        undo,
        place=cast.place,
        by=cast.clerk,
        approved_by=cast.supervisor,
        reason="原来没有错",
        period="2026-10",
    )
    assert merit_of(cast.place, parse_code(PERIOD))[home(cast, "2003").pk].earned == 9500


def test_corrected_since_is_said_and_never_rewritten(cast):
    """A later reversal shows beside the figure; entry, digest and list stay as they were decided."""
    keys = award(cast, "1003", 3000)
    found = published(cast)
    entry = found.entries.get(household_code="1003")
    assert (entry.points, entry.word) == (5000, "二星")
    take_back(cast, keys)
    entry.refresh_from_db()
    assert (entry.points, entry.word) == (5000, "二星")
    assert found.digest == digest_of(found, found.entries.all())
    assert points_now(found, list(found.entries.all())) == {entry.pk: 2000}
    marked = {row.household_code for row in shown_list(found, Scope.INTERNET).rows if row.corrected}
    assert marked == {"1003"}


@pytest.mark.parametrize(
    "change", [{"points": 1}, {"stars": 5}, {"rank": 1, "stars": 0}, {"household_code": "9"}]
)
def test_figures_cannot_be_changed(cast, change):
    """The database refuses, whoever asks."""
    found = drafted(cast)
    with pytest.raises(IntegrityError), transaction.atomic():
        HonourEntry.objects.filter(list=found).update(**change)


def test_an_entry_cannot_be_removed(cast):
    found = drafted(cast)
    with pytest.raises(IntegrityError), transaction.atomic():
        found.entries.first().delete()


# Who may do what: role → the verbs that go through.
MAY = {
    "clerk": {"draft", "publish", "drop", "strike"}, "elder": {"decide", "strike"}, "supervisor": {"decide", "strike"},
    "villager": set(), "group_leader": set(), "reviewer2": set(), "shopkeeper": set(), "township": set(),
    "county": set(), "stranger_clerk": set(), "bank": set(),
}  # fmt: skip


@pytest.mark.parametrize("role", MAY)
def test_roles_by_stages(cast, role):
    """A-07: the clerk prepares, others decide, nobody else does anything."""
    by, scheme = getattr(cast, role), stars(cast)
    deeds = {
        "draft": lambda: actions.draft_list(by=by, scheme=scheme, period=PERIOD),
        "decide": lambda: decide(by, drafted(cast, scheme)),
        "publish": lambda: actions.publish(by=by, found=decided(cast, scheme)),
        "drop": lambda: actions.drop(by=by, found=drafted(cast, scheme), because="要重新算"),
        "strike": lambda: actions.strike_off(
            by=by, entry=decided(cast, scheme).entries.get(household_code="1002"), because="已经搬走"
        ),
    }
    for verb, deed in deeds.items():
        with transaction.atomic():
            if verb in MAY[role]:
                deed()
            else:
                with pytest.raises(NotAllowed):
                    deed()
            transaction.set_rollback(True)


def decide(by, found, **changes):
    facts = {"decided_by": "村民代表会议", "decided_on": date(2026, 7, 18), "digest": found.digest}
    return actions.record_resolution(by=by, found=found, **(facts | changes))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"decided_on": date(2026, 6, 30)}, "决定的日期不对"),
        ({"decided_on": date(2099, 1, 1)}, "决定的日期不对"),
        ({"in_favour": 20, "present": 40}, "没有过半"),
        ({"in_favour": 41, "present": 40}, "到会人数之间"),
        ({"present": 40}, "一起填"),
        ({"decided_by": "电话 13812345678"}, "这里要公开"),
        ({"digest": "0" * 64}, "不是同一份"),
    ],
)
def test_a_decision_that_cannot_be(cast, changes, says):
    with pytest.raises(HonourError, match=says):
        decide(cast.elder, drafted(cast), **changes)


def test_two_hands(cast):
    """A-07: who computed it does not record the decision, whatever roles that person holds."""
    from zhili.people.models import Membership

    Membership.objects.create(user=cast.clerk, role="council", place=cast.place, valid_from=date(2020, 1, 1))
    cast.clerk.__dict__.pop("memberships_today", None)
    with pytest.raises(NotAllowed, match="算榜的人"):
        decide(cast.clerk, drafted(cast))


def test_stages_in_order(cast):
    """Nothing is published before it is decided, decided twice, dropped once public."""
    found = drafted(cast)
    with pytest.raises(Conflict, match="草稿"):
        actions.publish(by=cast.clerk, found=found)
    decide(cast.elder, found)
    with pytest.raises(Conflict):
        decide(cast.supervisor, found)
    actions.publish(by=cast.clerk, found=found)
    with pytest.raises(Conflict):
        actions.publish(by=cast.clerk, found=found)
    with pytest.raises(Conflict):
        actions.drop(by=cast.clerk, found=found, because="想重新算")


def test_a_draft_goes_to_the_meeting_whole(cast):
    """A-07: nobody is taken off before the meeting has seen the list."""
    with pytest.raises(Conflict, match="草稿"):
        actions.strike_off(
            by=cast.clerk, entry=drafted(cast).entries.get(household_code="1002"), because="不合适"
        )


def test_one_list_a_period_and_again_after_dropping(cast):
    scheme = stars(cast)
    first = drafted(cast, scheme)
    with pytest.raises(Conflict, match="已经算过"):
        drafted(cast, scheme)
    actions.drop(by=cast.clerk, found=first, because="公示还没有入完账")
    assert drafted(cast, scheme).number == first.number + 1


@pytest.mark.parametrize(
    ("period", "says"),
    [
        ("2026-H2", "还没有结束"),
        ("2026-Q1", "每半年"),
        ("2024-H1", "倒着评"),
        ("x", "没有"),
        ("2025-H1", "倒着评"),
    ],
)
def test_periods_that_cannot_be_computed(cast, period, says):
    with pytest.raises(HonourError, match=says):
        actions.draft_list(by=cast.clerk, scheme=stars(cast), period=period)


def test_nobody_reaches_it(cast):
    with pytest.raises(HonourError, match="没有一户达到"):
        drafted(cast, stars(cast, levels=[900_000]))
    assert not HonourList.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"levels": []}, "levels"),
        ({"levels": [4000, 2000]}, "levels"),
        ({"levels": [0, 2000]}, "levels"),
        ({"levels": list(range(100, 1300, 100))}, "levels"),
        ({"kind": "top", "levels": []}, "top_count"),
        ({"kind": "top", "levels": [], "top_count": 3, "top_share": 10}, "top_count"),
        ({"kind": "top", "levels": [], "top_share": 31}, "top_share"),
        ({"kind": "top", "levels": [], "top_count": 500}, "top_count"),
        ({"minimum": -1}, "minimum"),
        ({"period_kind": "day"}, "period_kind"),
        ({"resolved_on": date(2099, 1, 1)}, "resolved_on"),
        ({"title": " "}, "title"),
        ({"basis": "电话 13812345678 决定"}, "basis"),
        ({"shows_points": True}, "shows_points"),
    ],
)
def test_schemes_that_cannot_be(cast, changes, field):
    """M-09: points that a deduction could be read from are not shown; bottoms are not ranked."""
    with pytest.raises(HonourError) as refused:
        stars(cast, **changes)
    assert refused.value.field == field


def test_struck_off_stays_off_and_nobody_moves_up(cast):
    found = published(cast, top(cast))
    actions.strike_off(
        by=cast.supervisor, entry=found.entries.get(household_code="3001"), because="查实多记了"
    )
    assert on_list(found) == {"1001": "第 1 名", "1002": "第 3 名"}
    assert "3001" not in {row.household_code for row in shown_list(found, Scope.PAPER).rows}
    with pytest.raises(Conflict):
        actions.strike_off(by=cast.clerk, entry=found.entries.get(household_code="3001"), because="再来一次")
    with pytest.raises(NotAllowed, match="自己家"):
        actions.strike_off(
            by=cast.clerk, entry=drafted(cast).entries.get(household_code="1003"), because="不要了"
        )


def test_who_asked_not_to_be_published(cast):
    """P-04: honoured, with a certificate number; on no public list, which says how many those are."""
    Household.objects.filter(place=cast.place, code="1001").update(published=False)
    found = published(cast)
    assert on_list(found)["1001"] == "三星"
    for scope in Scope:
        shown = shown_list(found, scope)
        assert "1001" not in {row.household_code for row in shown.rows}
        assert (shown.unnamed, shown.count) == (1, 5)


def test_a_child_is_not_named(cast):
    """P-07: a household whose head is under 14 has its number there and no name."""
    cast.elder.resident.birth_date = today() - timedelta(days=365 * 12)
    cast.elder.resident.save()
    rows = {row.household_code: row.name for row in shown_list(published(cast), Scope.PAPER).rows}
    assert rows["3001"] == ""
    assert rows["1002"] == "演**"


def test_names_by_scope(cast):
    """M-03: masked everywhere; behind the village's log-in of the own group only."""
    found = published(cast)
    open_names = {row.household_code: row.name for row in shown_list(found, Scope.INTERNET).rows}
    assert set(open_names.values()) == {"演**"}
    own = {row.household_code: row.name for row in shown_list(found, Scope.VILLAGE, group="1组").rows}
    assert (own["1001"], own["3001"]) == ("演**", "")


def test_it_comes_down_on_its_day(cast, time_machine):
    """M-07: the last day included, the day after nothing."""
    found = published(cast)
    assert [one.pk for one in hanging(cast.place, public=True)] == [found.pk]
    time_machine.move_to(f"{found.shown_to + timedelta(days=1)}T01:00:00+08:00")
    assert hanging(cast.place, public=True) == []


def test_merged_households_bring_their_points(cast):
    """L-12: what a merged household earned counts for the one that goes on, once: the points moved over do not."""
    from zhili.ledger.household_changes import merge_households

    merge_households(
        by=cast.clerk, household=home(cast, "2002"), into=home(cast, "2003"), period="2026-06", basis="并户"
    )
    merits = merit_of(cast.place, parse_code(PERIOD))
    assert merits[home(cast, "2003").pk].earned == 2499
    assert home(cast, "2002").pk not in merits


def test_statements_do_not_grow(cast):
    """The same number of statements for 10 households and for 50."""
    scheme = stars(cast)
    few = count(lambda: actions.draft_list(by=cast.clerk, scheme=scheme, period=PERIOD))
    seen = HonourList.objects.get()
    few_shown = count(lambda: shown_list(seen, Scope.INTERNET))
    actions.drop(by=cast.clerk, found=seen, because="测语句数")
    for n in range(40):
        make_person(f"more{n}", "演示多", cast.place, f"9{n:03}", "9组", "head")
        award(cast, f"9{n:03}", 4000)
    assert count(lambda: actions.draft_list(by=cast.clerk, scheme=scheme, period=PERIOD)) == few
    more = HonourList.objects.get(status="draft")
    assert more.entries.count() == 45
    assert count(lambda: shown_list(more, Scope.INTERNET)) == few_shown


def count(deed) -> int:
    with CaptureQueriesContext(
        connection,
    ) as seen:
        deed()
    return len(seen)


def home(cast, code: str) -> Household:
    return Household.objects.get(place=cast.place, code=code)


def take_back(cast, keys):
    return reverse(
        keys, place=cast.place, by=cast.clerk, approved_by=cast.elder, reason="记错了", period="2026-09"
    )


def reversed_ids(cast, posted):
    from zhili.ledger.models import Transfer

    return Transfer.objects.filter(place=cast.place, seq=posted.seq).values_list("id", flat=True)
