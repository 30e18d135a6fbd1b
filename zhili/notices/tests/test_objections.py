"""异议: by anyone, in time, held, answered in writing by people who did not decide; one line and not the notice."""

from __future__ import annotations

from datetime import date

import pytest
import time_machine
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.books import PLAIN_BOOK, make_book
from tests.cast import make_cast
from tests.month import approved, deduction, home
from zhili.audit.models import Entry as AuditEntry
from zhili.claims.models import Claim
from zhili.common.errors import NotAllowed, NotFound, ZhiliError
from zhili.common.ids import uuid7
from zhili.common.policy import may
from zhili.ledger.queries import balances, statement
from zhili.notices.access import access_objection
from zhili.notices.actions import (
    acknowledge,
    answer_objection,
    close_notice,
    correct_line,
    object_to,
    open_notice,
    post_held,
    withdraw_objection,
)
from zhili.notices.errors import Conflict, NoticeError
from zhili.notices.models import Line, Notice, Objection
from zhili.notices.queries import find_objection, open_objections, public_lines
from zhili.people.models import Delegation
from zhili.places.models import VillageSettings

IN_TIME = "2026-11-04 09:00:00+08:00"


@pytest.fixture
def hanging(cast):
    """A notice that hangs, with one line of household 1001 (范围 GY04, 8 points) and one of 3001; on Nov 4."""
    with time_machine.travel("2026-10-25 10:00:00+08:00", tick=False):
        cast.book = make_book(cast, PLAIN_BOOK)
        cast.claim = approved(cast, points=800, by=cast.group_leader, item="GY04")
        cast.other = approved(cast, by=cast.clerk, household=home(cast, "3001"))
    with time_machine.travel("2026-11-02 09:00:00+08:00", tick=False):
        cast.notice = open_notice(by=cast.clerk, place=cast.place, period="2026-10")
    cast.line = Line.objects.get(claim=cast.claim)
    with time_machine.travel(IN_TIME, tick=False):
        yield cast


def objection_to(cast, **changes) -> Objection:
    return object_to(**({"line": cast.line, "text": "那天他不在村里", "channel": "open"} | changes))


def test_an_anonymous_objection_holds_its_line_only(hanging):
    """G-19, invariant 6: no name, a slip with a code, due days by the village's settings, one line held."""
    VillageSettings.objects.filter(place=hanging.place).update(acknowledge_days=2, answer_days=7)
    objection = objection_to(hanging)
    assert (objection.acknowledge_due, objection.due_on) == (date(2026, 11, 6), date(2026, 11, 11))
    assert objection.by_resident is None and objection.entered_by is None and str(objection) == "Y-1"
    assert [line.mark for line in public_lines(hanging.notice)] == ["异议中", ""]
    assert Claim.objects.get(pk=hanging.claim.pk).status == "held"
    assert AuditEntry.objects.get(action="notices.object").actor_id is None
    assert (
        len(objection.lookup_code) == 14 and find_objection(hanging.place, objection.lookup_code) == objection
    )


@pytest.mark.parametrize("code", ["", "XXXX", "0000-0000-0000", "；；；", "A" * 200])
def test_a_wrong_slip_code(hanging, code):
    """The same words for wrong, foreign and nonsense."""
    objection_to(hanging)
    with pytest.raises(NotFound, match="没有找到这张回执"):
        find_objection(hanging.place, code)


def test_named_on_paper_and_for_somebody_else(hanging):
    """U-30: a villager with a name; the clerk for a person from paper; a delegate with the scope, nobody without."""
    assert objection_to(hanging, by=hanging.villager).by_resident == hanging.villager.resident
    paper = objection_to(
        hanging, by=hanging.clerk, resident=hanging.elder.resident, channel="paper", paper_number="7"
    )
    assert (paper.by_resident, paper.entered_by) == (hanging.elder.resident, hanging.clerk)
    assert objection_to(hanging, by=hanging.clerk, channel="paper").by_resident is None
    with pytest.raises(NotAllowed, match="代办"):
        objection_to(hanging, by=hanging.shopkeeper, resident=hanging.head.resident)
    Delegation.objects.create(place=hanging.place, principal=hanging.head.resident, delegate=hanging.shopkeeper,
                              scope="object", valid_to=date(2026, 12, 31))  # fmt: skip
    assert objection_to(hanging, by=hanging.shopkeeper, resident=hanging.head.resident).number == 4
    with pytest.raises(NotAllowed):
        objection_to(hanging, resident=hanging.head.resident)
    for who in (hanging.stranger, hanging.stranger_clerk, hanging.bank, hanging.system_admin):
        with pytest.raises(NotAllowed):
            objection_to(hanging, by=who)
    with pytest.raises(NotAllowed):
        objection_to(hanging, by=hanging.clerk, resident=hanging.stranger.resident)


@pytest.mark.parametrize(
    "changes, field",
    [({"text": ""}, "text"), ({"text": " 啊 "}, "text"), ({"text": "长" * 501}, "text"), ({"text": "a\x00b"}, "text"),
     ({"channel": "fax"}, "channel"), ({"paper_number": "9" * 31}, "paper_number")],
)  # fmt: skip
def test_bad_objections(hanging, changes, field):
    """Bad input: named by field, nothing held."""
    with pytest.raises(NoticeError) as error:
        objection_to(hanging, **changes)
    assert error.value.field == field
    assert Line.objects.get(pk=hanging.line.pk).status == "shown"


def test_the_same_objection_twice_is_once(hanging):
    """C-03: a double tap; the same key for something else is refused."""
    key = uuid7()
    assert objection_to(hanging, id=key) == objection_to(hanging, id=key)
    with pytest.raises(Conflict):
        objection_to(hanging, id=key, text="别的理由")
    assert Objection.objects.count() == 1


def test_a_flood_on_one_line_stops_at_twenty(hanging):
    """Limits on everything: a line takes 20, the others go on."""
    for n in range(20):
        objection_to(hanging, text=f"第 {n} 次")
    with pytest.raises(NoticeError, match="很多异议"):
        objection_to(hanging)
    assert objection_to(hanging, line=Line.objects.get(claim=hanging.other)).number == 21


@pytest.mark.parametrize("at", ["2026-11-10 00:00:01+08:00", "2027-01-01 09:00:00+08:00"])
def test_too_late(hanging, at):
    """The last day counts to midnight; then another way is named."""
    with time_machine.travel("2026-11-09 23:59:59+08:00", tick=False):
        objection_to(hanging)
    with time_machine.travel(at, tick=False), pytest.raises(NoticeError, match="监督委员会"):
        objection_to(hanging, line=Line.objects.get(claim=hanging.other))


EVERYBODY = ["villager", "head", "group_leader", "clerk", "reviewer", "reviewer2", "reviewer3", "elder", "elder2",
             "supervisor", "shopkeeper", "stranger", "stranger_clerk", "township", "county", "bank",
             "system_admin", "security_admin", "audit_admin"]  # fmt: skip


@pytest.mark.parametrize("who", EVERYBODY)
def test_who_answers(hanging, who):
    """G-19, A-07: not those who entered (group_leader), reviewed (reviewer2, elder) or published it (clerk)."""
    objection = objection_to(hanging)
    person = getattr(hanging, who)
    allowed = who in {"elder2", "supervisor", "township"}
    assert may(person, "notices.answer", objection) == allowed
    if allowed:
        assert (
            answer_objection(by=person, objection=objection, outcome="refused", answer="核对属实").status
            == "refused"
        )
        assert Line.objects.get(pk=hanging.line.pk).status == "shown"
    else:
        with pytest.raises(NotAllowed):
            answer_objection(by=person, objection=objection, outcome="refused", answer="核对属实")
        assert Objection.objects.get().status == "received"


def test_nobody_answers_the_own_objection_or_the_own_household(hanging):
    """A-08 for answers: the objector and the line's household stay out."""
    mine = objection_to(hanging, by=hanging.supervisor)
    with pytest.raises(NotAllowed, match="您提出的"):
        answer_objection(by=hanging.supervisor, objection=mine, outcome="refused", answer="不成立")
    hanging.elder2.resident.household, hanging.elder2.resident.relation = hanging.household, "sibling"
    hanging.elder2.resident.save()
    with pytest.raises(NotAllowed, match="自己家"):
        answer_objection(by=hanging.elder2, objection=mine, outcome="refused", answer="不成立")


@pytest.mark.parametrize("who", EVERYBODY)
def test_who_reads_an_objection(hanging, who):
    """Who objected is for those who answer, not for the neighbours: others get "not found" (A-04)."""
    objection = objection_to(hanging, by=hanging.shopkeeper)
    person = getattr(hanging, who)
    if who in {"clerk", "elder", "elder2", "supervisor", "township", "county", "shopkeeper"}:
        assert access_objection(person, objection.pk) == objection
    else:
        with pytest.raises(NotFound):
            access_objection(person, objection.pk)


@pytest.mark.parametrize("who", EVERYBODY)
def test_who_acknowledges(hanging, who):
    """Received in time by the office or those who answer; once."""
    objection = objection_to(hanging)
    if who in {"clerk", "elder", "elder2", "supervisor", "township"}:
        assert acknowledge(by=getattr(hanging, who), objection=objection).status == "acknowledged"
        with pytest.raises(Conflict):
            acknowledge(by=getattr(hanging, who), objection=objection)
    else:
        with pytest.raises(NotAllowed):
            acknowledge(by=getattr(hanging, who), objection=objection)


@pytest.mark.parametrize(
    "changes, field",
    [({"outcome": "maybe"}, "outcome"), ({"answer": ""}, "answer"), ({"answer": "长" * 501}, "answer"),
     ({"outcome": "refused", "points": 100}, "points"), ({"points": 2001}, "points"), ({"points": -100}, "points"),
     ({"points": 800}, "points")],
)  # fmt: skip
def test_bad_answers(hanging, changes, field):
    """A written answer, within the rule (GY04: 1 to 20), or nothing happens."""
    objection = objection_to(hanging)
    with pytest.raises(NoticeError) as error:
        answer_objection(**({"by": hanging.supervisor, "objection": objection, "outcome": "upheld",
                             "answer": "查实"} | changes))  # fmt: skip
    assert error.value.field == field
    assert (
        Line.objects.get(pk=hanging.line.pk).status == "held" and Objection.objects.get().status == "received"
    )


def test_upheld_corrects_with_a_mark_or_takes_down(hanging):
    """Upheld → corrected or dropped; a second open objection keeps the line held."""
    first, second = objection_to(hanging), objection_to(hanging, text="还有一点")
    answer_objection(by=hanging.supervisor, objection=first, outcome="upheld", answer="改为 5 分", points=500)
    line = Line.objects.get(pk=hanging.line.pk)
    assert (line.status, line.points, line.points_before) == ("held", 500, 800)
    assert line.correction == "+8 分改为 +5 分：Y-1 异议成立"
    with pytest.raises(Conflict, match="成立"):
        answer_objection(by=hanging.supervisor, objection=first, outcome="refused", answer="反悔")
    answer_objection(by=hanging.supervisor, objection=second, outcome="upheld", answer="查无此事")
    line.refresh_from_db()
    assert line.status == "dropped" and Claim.objects.get(pk=hanging.claim.pk).status == "dropped"
    with pytest.raises(NoticeError, match="撤下"):
        objection_to(hanging)
    assert open_objections(hanging.place) == []


def test_an_answer_never_touches_a_posted_line(hanging):
    """A posted line changes only by a reversal: there is no objection that reaches it."""
    with time_machine.travel("2026-11-10 09:00:00+08:00", tick=False):
        close_notice(by=hanging.clerk, notice=hanging.notice)
        with pytest.raises(Conflict):
            post_held(by=hanging.clerk, line=hanging.line)
        with pytest.raises(NoticeError):
            objection_to(hanging)
        with pytest.raises(Conflict, match="冲正"):
            correct_line(by=hanging.clerk, line=hanging.line, points=100, reason="改一改")
    assert Line.objects.get(pk=hanging.line.pk).points == 800


def test_withdrawing(hanging):
    """The named person, or whoever holds the slip; then the line goes on."""
    named = objection_to(hanging, by=hanging.villager)
    with pytest.raises(NotAllowed):
        withdraw_objection(objection=named, by=hanging.shopkeeper)
    with pytest.raises(NotAllowed):
        withdraw_objection(objection=named, lookup_code="0000-0000-0000")
    slip = objection_to(hanging)
    assert withdraw_objection(objection=named, by=hanging.villager).status == "withdrawn"
    assert Line.objects.get(pk=hanging.line.pk).status == "held"
    withdraw_objection(objection=slip, lookup_code=slip.lookup_code)
    assert Line.objects.get(pk=hanging.line.pk).status == "shown"
    with pytest.raises(Conflict):
        withdraw_objection(objection=slip, lookup_code=slip.lookup_code)


def test_a_deduction_under_objection_takes_nothing(hanging):
    """G-20: points held, not taken, while an objection is open."""
    with time_machine.travel("2026-11-20 09:00:00+08:00", tick=False):
        close_notice(by=hanging.clerk, notice=hanging.notice)
        taken = deduction(hanging, code="3001", occurred_on=date(2026, 11, 10), reminded_on=date(2026, 11, 1))
    owner = home(hanging, "3001").pk
    with time_machine.travel("2026-12-01 09:00:00+08:00", tick=False):
        notice = open_notice(by=hanging.clerk, place=hanging.place, period="2026-11")
        objection = object_to(line=Line.objects.get(claim=taken), text="没有人提醒过", channel="open")
    with time_machine.travel("2026-12-09 09:00:00+08:00", tick=False):
        close_notice(by=hanging.clerk, notice=notice)
        assert balances(hanging.place, [owner])[owner, "merit"].balance == 200
        answer_objection(by=hanging.supervisor, objection=objection, outcome="refused", answer="有提醒记录")
    assert balances(hanging.place, [owner])[owner, "merit"].balance == 0
    assert statement(hanging.place, owner).entries[-1].short == 300


class Month(RuleBasedStateMachine):
    """Any order of objecting, answering, withdrawing, correcting and closing keeps the promises of a notice."""

    def __init__(self) -> None:
        super().__init__()
        from django.db import transaction

        from zhili.common.scope import set_scope

        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        set_scope(["511702"])
        self.clock = time_machine.travel("2026-10-25 10:00:00+08:00", tick=False)
        self.clock.start()

    def teardown(self) -> None:
        from django.db import transaction

        self.clock.stop()
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    @initialize()
    def open(self) -> None:
        self.cast = make_cast()
        self.cast.book = make_book(self.cast, PLAIN_BOOK)
        for code in ("1002", "2003", "3004"):
            approved(self.cast, by=self.cast.clerk, household=home(self.cast, code))
        self.clock.stop()
        self.clock = time_machine.travel(IN_TIME, tick=False)
        self.clock.start()
        self.notice = open_notice(by=self.cast.clerk, place=self.cast.place, period="2026-10")
        self.changed: dict[object, int] = {}

    def lines(self) -> list[Line]:
        return list(Line.objects.select_related("notice").order_by("position"))

    @rule(n=st.integers(0, 2))
    def object(self, n: int) -> None:
        line = self.lines()[n]
        can = self.notice.status == "open" and line.status in ("shown", "held")
        try:
            object_to(line=line, text="不对吧", channel="open")
            assert can
        except ZhiliError:
            assert not can

    @precondition(lambda self: open_objections(self.cast.place))
    @rule(pick=st.integers(0, 5), upheld=st.booleans(), points=st.sampled_from([None, 50, 100]))
    def answer(self, pick: int, upheld: bool, points: int | None) -> None:
        waiting = open_objections(self.cast.place)
        objection = waiting[pick % len(waiting)]
        before = objection.line.points
        if not upheld or points == before:
            points = None
        answer_objection(by=self.cast.supervisor, objection=objection, answer="查过了", points=points,
                         outcome="upheld" if upheld else "refused")  # fmt: skip

    @precondition(lambda self: open_objections(self.cast.place))
    @rule()
    def withdraw(self) -> None:
        objection = open_objections(self.cast.place)[-1]
        withdraw_objection(objection=objection, lookup_code=objection.lookup_code)

    @rule(n=st.integers(0, 2), points=st.sampled_from([None, 150]))
    def correct(self, n: int, points: int | None) -> None:
        line = self.lines()[n]
        can = self.notice.status == "open" and line.status in ("shown", "held") and line.points != points
        try:
            correct_line(by=self.cast.clerk, line=line, points=points, reason="记错了")
            assert can
        except ZhiliError:
            assert not can

    @rule()
    def close(self) -> None:
        self.clock.stop()
        self.clock = time_machine.travel("2026-11-16 09:00:00+08:00", tick=False)
        self.clock.start()
        self.notice = close_notice(by=self.cast.clerk, notice=self.notice)

    @invariant()
    def promises(self) -> None:
        """Held ⇔ an open objection on a line that stands; posted = in the books; nothing else is."""
        if not hasattr(self, "notice"):
            return
        waiting = {objection.line_id for objection in open_objections(self.cast.place)}
        owners = {line.household_id: line for line in self.lines()}
        books = balances(self.cast.place, list(owners))
        states = {"shown": "on_notice", "held": "held", "posted": "posted", "dropped": "dropped"}
        for owner, line in owners.items():
            assert (line.status == "held") == (line.pk in waiting and line.status != "dropped")
            assert not (line.status == "shown" and self.notice.status == "closed")
            expected = line.points if line.status == "posted" else 0
            assert books[owner, "merit"].balance == books[owner, "spend"].balance == expected
            assert Claim.objects.get(pk=line.claim_id).status == states[line.status]
            assert (line.points_before is not None) == bool(line.correction)


def test_any_order_of_steps(db):
    """Issue 2: notice/objection state machine."""
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        Month,
        settings=settings(max_examples=12, stateful_step_count=10, deadline=None,
                          suppress_health_check=list(HealthCheck)),
    )  # fmt: skip
    assert not Notice.objects.exists()
