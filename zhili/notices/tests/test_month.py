"""The points month: approved claims hang out masked, are objected to, close, and stand in the ledger."""

from __future__ import annotations

from datetime import date

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.books import PLAIN_BOOK, make_book
from tests.month import approved, claim_for, deduction, home
from zhili.claims.actions import review_many, submit_group
from zhili.claims.models import Claim
from zhili.claims.queries import claim_story
from zhili.claims.submitting import Entry
from zhili.common.errors import NotAllowed, NotFound
from zhili.common.ids import uuid7
from zhili.common.models import Holiday
from zhili.common.points import CENTI
from zhili.ledger.actions import close_period
from zhili.ledger.queries import balances, is_closed, statement
from zhili.ledger.verify import verify
from zhili.notices.actions import (
    acknowledge,
    answer_objection,
    close_notice,
    correct_line,
    object_to,
    open_notice,
)
from zhili.notices.desk import public_words
from zhili.notices.errors import Conflict, NoticeError
from zhili.notices.models import Line, Notice
from zhili.notices.queries import (
    current_notice,
    due_today,
    find_objection,
    household_lines,
    objection_numbers,
    poster_data,
    public_lines,
    public_notice,
)
from zhili.people.consent_actions import answer_consents
from zhili.people.models import Household, Resident

OPENING_DAY = "2026-11-02 09:00:00+08:00"  # a Monday; 5 working days run through Monday the 9th
CLOSING_DAY = "2026-11-10 09:00:00+08:00"


@pytest.fixture
def village(cast):
    with time_machine.travel("2026-10-25 10:00:00+08:00", tick=False):
        cast.book = make_book(cast, PLAIN_BOOK)
        yield cast


def travel(moment: str):
    return time_machine.travel(moment, tick=False)


def open_it(village, **changes) -> Notice:
    with travel(changes.pop("at", OPENING_DAY)):
        return open_notice(**({"by": village.clerk, "place": village.place, "period": "2026-10"} | changes))


def close_it(village, notice: Notice, at: str = CLOSING_DAY) -> Notice:
    with travel(at):
        return close_notice(by=village.clerk, notice=notice)


def line_of(claim: Claim) -> Line:
    return Line.objects.select_related("notice").get(claim=claim)


def merit(village, code: str) -> int:
    owner = home(village, code).pk
    return balances(village.place, [owner])[owner, "merit"].balance


def test_a_month_from_claim_to_passbook(village):
    """Issue 2: claims of every shape, an objection upheld and one refused, a deduction, closing, the passbook."""
    sweeping = approved(village)
    hours = approved(village, item="GY02", quantity=12)
    donated = approved(village, by=village.clerk, household=home(village, "3001"), item="GY01", quantity=350,
                       document="收据 17 号")  # fmt: skip
    tidy = approved(village, by=village.clerk, household=home(village, "3002"), item="HJ02", grade="整洁")
    great = approved(village, points=8 * CENTI, by=village.group_leader, item="GY04")
    taken = deduction(village)
    refused = claim_for(village, text="不成立的")
    notice = open_it(village)
    assert (notice.opens_on, notice.closes_on) == (date(2026, 11, 2), date(2026, 11, 9))
    assert notice.title == "谭家沟村2026年10月积分公示（第1期）"
    lines = public_lines(notice)
    assert [(line.household_code, line.points) for line in lines] == [
        ("1001", 200), ("1001", 200), ("1001", 800), ("1002", -500), ("3001", 300), ("3002", 300),
    ]  # fmt: skip
    assert {line.name for line in lines if line.points > 0} == {"演**"}
    assert not any(line.name for line in lines if line.points < 0)
    with travel("2026-11-04 09:00:00+08:00"):
        first = object_to(line=line_of(great), text="评得太高", by=village.shopkeeper, channel="phone")
        second = object_to(line=line_of(tidy), text="那天没有评比", channel="open")
        third = object_to(line=line_of(donated), text="收据不是本人的", by=village.clerk, channel="paper",
                          resident=village.shopkeeper.resident, paper_number="纸-1")  # fmt: skip
        acknowledge(by=village.supervisor, objection=first)
        answer_objection(by=village.supervisor, objection=first, outcome="upheld", answer="核实后改为 6 分。",
                         points=6 * CENTI)  # fmt: skip
    notice = close_it(village, notice)
    assert notice.status == "closed" and notice.batch_id and is_closed(village.place, "2026-10")
    assert merit(village, "1001") == 200 + 200 + 600
    assert merit(village, "3001") == merit(village, "3002") == 0
    assert statement(village.place, home(village, "1001").pk).entries[0].cause["notice"] == str(notice.pk)
    with travel("2026-11-12 09:00:00+08:00"):
        answer_objection(by=village.elder, objection=second, outcome="refused", answer="有现场评比表。")
        answer_objection(by=village.supervisor, objection=third, outcome="upheld", answer="收据属于邻村。")
    tidy.refresh_from_db()
    donated.refresh_from_db()
    refused.refresh_from_db()
    assert (tidy.status, donated.status, refused.status) == ("posted", "dropped", "submitted")
    entry = statement(village.place, home(village, "3002").pk).entries[0]
    assert (entry.points, entry.late, entry.period) == (300, True, "2026-11")
    assert entry.cause["notice"] == str(notice.pk) and entry.cause["number"] == str(tidy)
    assert merit(village, "3001") == 0
    assert {
        claim.status for claim in (Claim.objects.get(pk=c.pk) for c in (sweeping, hours, great, taken))
    } == {"posted"}
    assert [step.kind for step in claim_story(Claim.objects.get(pk=great.pk))] == [
        "rule", "submitted", "evidence", "review", "review", "score", "notice", "posted",
    ]  # fmt: skip
    assert verify([village.place]).ok


def test_the_cause_says_everything(village):
    """L-07: rule version, claim, evidence, reviewers, actor, channel, notice; ids only."""
    claim = approved(village)
    notice = close_it(village, open_it(village))
    cause = statement(village.place, village.household.pk).entries[0].cause
    assert cause == {
        "rule": str(village.book.pk), "rule_version": 1, "item": "HJ01", "claim": str(claim.pk),
        "evidence": [str(claim.evidence.get().pk)], "reviewers": [village.reviewer2.pk],
        "actor": village.villager.pk, "delegate": None, "channel": "phone", "notice": str(notice.pk),
        "number": str(claim),
    }  # fmt: skip


def test_an_item_goes_to_the_purses_it_names(village):
    """GY06 counts for honour only."""
    approved(village, item="GY06")
    close_it(village, open_it(village))
    owner = village.household.pk
    found = balances(village.place, [owner])
    assert (found[owner, "merit"].balance, found[owner, "spend"].balance) == (100, 0)


def test_caps_are_settled_in_the_order_of_the_days(village):
    """The fifth sweeping of the month is shown with 0 and the reason; the next month starts anew."""
    days = [date(2026, 10, day) for day in (5, 9, 7, 6, 8)]
    claims = [approved(village, occurred_on=day) for day in days]
    notice = open_it(village)
    shown = {line.occurred_on.day: line for line in public_lines(notice)}
    assert [shown[day].points for day in (5, 6, 7, 8, 9)] == [200, 200, 200, 200, 0]
    assert "达到上限 4 次" in " ".join(shown[9].why) and not shown[5].why
    close_it(village, notice)
    assert merit(village, "1001") == 800
    assert Claim.objects.get(pk=claims[1].pk).status == "posted"


def test_tiers_over_months_post_the_difference(village):
    """A claim posts the difference to what stands in the books, over two notices."""
    approved(village, item="GY02", quantity=12)
    close_it(village, open_it(village))
    with travel("2026-11-20 09:00:00+08:00"):
        approved(village, item="GY02", quantity=9, occurred_on=date(2026, 11, 15))
    second = open_it(village, period="2026-11", at="2026-12-01 09:00:00+08:00")
    assert [line.points for line in public_lines(second)] == [300]
    close_it(village, second, "2026-12-09 09:00:00+08:00")
    assert merit(village, "1001") == 500


def test_late_facts_go_to_the_next_notice_with_a_flag(village):
    """L-08: a fact of a closed month is taken, flagged, shown 补记 and posted into the open month."""
    approved(village)
    close_it(village, open_it(village))
    with travel("2026-11-20 09:00:00+08:00"):
        late = approved(village, by=village.clerk, household=home(village, "3001"))
        assert late.late
    notice = open_it(village, period="2026-11", at="2026-12-01 09:00:00+08:00")
    assert [(line.mark, line.occurred_on) for line in public_lines(notice)] == [("补记", date(2026, 10, 20))]
    close_it(village, notice, "2026-12-09 09:00:00+08:00")
    entry = statement(village.place, home(village, "3001").pk).entries[0]
    assert (entry.late, entry.period) == (True, "2026-11")


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"period": "2026-11"}, "没有过完"), ({"period": "ever"}, "没有过完"), ({"period": "2026-Q3"}, "2026-09"),
        ({"period": "2026"}, "没有过完"), ({"period": "2025-10"}, "没有施行中"), ({"period": "2026-08"}, "没有通过"),
        ({"at": "2026-11-01 09:00:00+08:00"}, "11月2日"), ({"on": date(2026, 11, 3)}, "倒填"),
    ],
)  # fmt: skip
def test_when_a_notice_does_not_open(village, changes, words):
    """Opens on a working day, today, for a period that is over and of the book's kind."""
    approved(village)
    with pytest.raises(NoticeError, match=words) as error:
        open_it(village, **changes)
    assert error.value.message and not Notice.objects.exists()


def test_a_nonsense_period(village):
    """Bad input in words."""
    with pytest.raises(Exception, match="没有“2026-13”"):
        open_it(village, period="2026-13")


@pytest.mark.parametrize("who", ["villager", "group_leader", "reviewer2", "elder", "supervisor", "township",
                                 "county", "stranger_clerk", "system_admin", "audit_admin", "bank"])  # fmt: skip
def test_who_may_not_open_correct_or_close(village, who):
    """A-02, A-07: the clerk of the village and nobody else."""
    claim = approved(village)
    person = getattr(village, who)
    with pytest.raises(NotAllowed):
        open_it(village, by=person)
    notice = open_it(village)
    with travel(CLOSING_DAY), pytest.raises(NotAllowed):
        close_notice(by=person, notice=notice)
    with travel(OPENING_DAY), pytest.raises(NotAllowed):
        correct_line(by=person, line=line_of(claim), points=100, reason="记错了")


def test_one_open_notice_per_village(village):
    """A second notice waits for the first."""
    approved(village)
    open_it(village)
    approved(village, by=village.clerk, household=home(village, "3001"))
    with pytest.raises(Conflict, match="还在公示"):
        open_it(village)


def test_a_county_holiday_moves_opening_and_end(village):
    """Working days by the editable table over the public one."""
    Holiday.objects.create(day=date(2026, 11, 2), is_workday=False, title="村庆")
    Holiday.objects.create(day=date(2026, 11, 7), is_workday=True, title="调休")
    approved(village)
    with pytest.raises(NoticeError, match="11月3日"):
        open_it(village)
    notice = open_it(village, at="2026-11-03 09:00:00+08:00")
    assert notice.closes_on == date(2026, 11, 9)


@pytest.mark.parametrize("at", [OPENING_DAY, "2026-11-09 23:59:00+08:00"])
def test_not_closed_before_its_days_are_over(village, at):
    """The day of closing belongs to those who object."""
    claim = approved(village)
    notice = open_it(village)
    with pytest.raises(NoticeError, match="11月9日"):
        close_it(village, notice, at)
    with travel(at), pytest.raises(NoticeError):
        close_notice(by=village.clerk, notice=notice, on=date(2026, 12, 1))
    assert Claim.objects.get(pk=claim.pk).status == "on_notice"


def test_closing_twice_is_closing_once(village):
    """C-03 for the whole notice: a double tap posts nothing new."""
    approved(village)
    notice = open_it(village)
    first = close_it(village, notice)
    second = close_it(village, notice, "2026-11-11 09:00:00+08:00")
    assert (first.batch_id, first.closed_at) == (second.batch_id, second.closed_at)
    assert merit(village, "1001") == 200


def test_an_unpublished_household_earns_through_a_whole_month_without_a_name(village):
    """P-04: the head says no on the phone; claim, review, notice, ledger go on as for everybody. Only the number hangs
    out; who works on the notice reads 本户不公开; the household's own page says everything."""
    say_no(village)
    mine, other = approved(village), approved(village, household=home(village, "2001"), by=village.reviewer)
    notice = open_it(village)
    shown = {line.household_code: (line.name, line.points) for line in public_lines(notice)}
    assert shown == {"1001": ("", 200), "2001": ("演**", 200)}
    assert {line["household_code"]: line["name_masked"] for line in poster_data(notice)["lines"]}[
        "1001"
    ] == ""
    assert public_words(line_of(mine)) == "（本户不公开）" and public_words(line_of(other)) == "演**"
    assert [line.claim_id for line in household_lines(village.household)] == [mine.pk]
    close_it(village, notice)
    assert merit(village, "1001") == 200
    assert balances(village.place, [village.household.pk])[village.household.pk, "spend"].available == 200
    assert verify([village.place]).ok


def test_a_no_said_while_the_notice_hangs_counts_at_once(village):
    """P-04, P-05: the name goes from the page and the next printed poster; the line and its points stay."""
    approved(village)
    notice = open_it(village)
    assert public_lines(notice)[0].name != ""
    say_no(village)
    assert public_lines(notice)[0].name == "" and poster_data(notice)["lines"][0]["name_masked"] == ""
    close_it(village, notice)
    assert merit(village, "1001") == 200


def say_no(village) -> None:
    """The head does not want the household's name published."""
    answer_consents(
        by=village.head, resident=village.head.resident, answers={"publish_household": False}, channel="phone"
    )


def test_a_child_is_never_named(village):
    """P-07: the household's line, under the head's masked name."""
    child = Resident.objects.create(place=village.place, household=village.household, name="钱小宝",
                                    relation="grandchild", birth_date=date(2016, 5, 1))  # fmt: skip
    approved(village, resident=child)
    grown = approved(village, resident=village.villager.resident)
    notice = open_it(village)
    assert {line.name_masked for line in notice.lines.all()} == {"演**"}
    assert "钱" not in str(poster_data(notice))
    assert line_of(grown).name_masked == "演**"


@pytest.mark.parametrize("code", ["13800138000", "11010519491231002X"])
def test_no_private_number_hangs_out(village, code):
    """M-01, M-08: a household number that is a phone or an ID number stops the whole notice."""
    Household.objects.filter(pk=village.household.pk).update(code=code)
    approved(village)
    with pytest.raises(NoticeError, match="不能公开"):
        open_it(village)
    assert not Notice.objects.exists() and Claim.objects.get().status == "approved"


def test_correcting_leaves_a_mark(village):
    """Correct during the notice with a visible mark; within the rule; never one's own; never digits."""
    claim = approved(village)
    own = approved(village, by=village.clerk, household=village.clerk.resident.household)
    notice = open_it(village)
    with travel("2026-11-04 09:00:00+08:00"):
        fixed = correct_line(by=village.clerk, line=line_of(claim), points=100, reason="只扫了一半")
        assert (fixed.points, fixed.points_before) == (100, 200)
        shown = next(line for line in public_lines(notice) if line.id == fixed.pk)
        assert shown.mark == "更正" and shown.correction == "+2 分改为 +1 分：只扫了一半"
        for points, reason in (
            (300, "多给点"),
            (-100, "扣"),
            (100, "没变"),
            (50, ""),
            (50, "打 13800138000 问"),
        ):
            with pytest.raises(NoticeError):
                correct_line(by=village.clerk, line=fixed, points=points, reason=reason)
        with pytest.raises(NotAllowed):
            correct_line(by=village.clerk, line=line_of(own), points=100, reason="自己家")
    close_it(village, notice)
    assert merit(village, "1001") == 100
    with travel(CLOSING_DAY), pytest.raises(Conflict, match="已入账"):
        correct_line(by=village.clerk, line=line_of(claim), points=50, reason="太晚了")


def test_taking_a_line_down(village):
    """points None: it stays visible as taken down and posts nothing."""
    claim = approved(village)
    approved(village, by=village.clerk, household=home(village, "3001"))
    notice = open_it(village)
    with travel("2026-11-04 09:00:00+08:00"):
        correct_line(by=village.clerk, line=line_of(claim), points=None, reason="重复申报")
    data = poster_data(notice)
    assert len(data["lines"]) == 1 and "重复申报" in data["corrections"][0]
    close_it(village, notice)
    assert merit(village, "1001") == 0 and Claim.objects.get(pk=claim.pk).status == "dropped"


def test_a_household_that_merged_or_moved_while_its_line_hung(village):
    """L-12: points follow to the household that took over; of one that moved away nothing is posted."""
    for code in ("1001", "3001"):
        approved(
            village,
            by=village.group_leader if code == "1001" else village.clerk,
            household=home(village, code),
        )
    notice = open_it(village)
    heir = home(village, "1002")
    Household.objects.filter(code="1001", place=village.place).update(
        status="merged", closed_on=date(2026, 11, 5), successor=heir
    )
    Household.objects.filter(code="3001", place=village.place).update(
        status="moved", closed_on=date(2026, 11, 5)
    )
    close_it(village, notice)
    assert merit(village, "1002") == 200 and merit(village, "1001") == merit(village, "3001") == 0
    assert Claim.objects.get(household__code="3001").status == "dropped"


def test_a_deduction_stops_at_zero_in_spend(village):
    """L-06: merit and spend; the rest is recorded, spend never below 0."""
    deduction(village)
    close_it(village, open_it(village))
    owner = home(village, "1002").pk
    found = balances(village.place, [owner])
    assert found[owner, "spend"].balance == 0
    assert statement(village.place, owner, purse="spend").entries[0].short == 500


def test_statements_do_not_grow_with_lines(village):
    """DESIGN §4: set-based opening and closing; 3 lines and 90 lines cost the same number of statements."""
    costs = []
    for month, size in ((10, 3), (11, 90)):
        with travel(f"2026-{month}-28 09:00:00+08:00"):
            homes = [Household.objects.create(place=village.place, code=f"{month}{n:03d}", group="9组")
                     for n in range(size)]  # fmt: skip
            claims = submit_group(by=village.clerk, id=uuid7(), place=village.place, item="HJ01",
                                  occurred_on=date(2026, month, 20), activity="清河",
                                  entries=[Entry(one) for one in homes])  # fmt: skip
            with CaptureQueriesContext(connection) as reviewing:
                done = review_many(
                    by=village.reviewer2, place=village.place, claims=claims, decision="approve"
                )
            assert all(one.error is None for one in done)
        at = f"2026-{month + 1:02d}-02 09:00:00+08:00" if month == 10 else "2026-12-01 09:00:00+08:00"
        with CaptureQueriesContext(connection) as opening:
            notice = open_it(village, period=f"2026-{month}", at=at)
        end = CLOSING_DAY if month == 10 else "2026-12-09 09:00:00+08:00"
        with CaptureQueriesContext(connection) as closing:
            close_it(village, notice, end)
        costs.append((len(reviewing), len(opening), len(closing)))
    assert costs[1] <= costs[0], costs
    assert Line.objects.filter(status="posted").count() == 93


def test_a_period_closed_by_hand_before_its_notice_ends(village):
    """L-08: the lines go to the open period, flagged."""
    approved(village)
    notice = open_it(village)
    with travel("2026-11-05 09:00:00+08:00"):
        close_period(village.place, "2026-10", by=village.clerk)
    close_it(village, notice)
    entry = statement(village.place, village.household.pk).entries[0]
    assert (entry.period, entry.late) == ("2026-11", True)


def test_the_poster(village):
    """U-32, G-21, T-04: deadline, phone, how to object, where to complain, ledger head; nothing private."""
    approved(village)
    close_it(village, open_it(village))
    with travel("2026-11-20 09:00:00+08:00"):
        approved(village, occurred_on=date(2026, 11, 15))
    second = open_it(village, period="2026-11", at="2026-12-01 09:00:00+08:00")
    data = poster_data(second)
    assert data["closes_on"] == "2026年12月8日（星期二）" and data["phone"] == "0818-0000000"
    assert "监督委员会" in data["escalation"] and "人民法院" in data["escalation"]
    assert len(data["head_code"]) >= 8 and second.ledger_head and data["demo"] is True
    assert data["lines"] == [{"group": "1组", "household_code": "1001", "name_masked": "演**",
                              "item": "清扫一段公共道路", "occurred_on": "2026-11-15", "points": "+2",
                              "mark": ""}]  # fmt: skip


def test_the_open_page_of_a_notice_dies(village):
    """M-07: taken down on its date; the link dies."""
    approved(village)
    notice = close_it(village, open_it(village))
    with travel("2026-12-10 09:00:00+08:00"):
        assert public_notice(village.place, 1) == notice
    with travel("2026-12-11 09:00:00+08:00"), pytest.raises(NotFound):
        public_notice(village.place, 1)
    with pytest.raises(NotFound):
        public_notice(village.next_place, 1)


def test_what_is_due(village):
    """The desk's first page: what, by whom, by when, overdue first."""
    approved(village)
    claim_for(village)
    with travel("2026-11-15 09:00:00+08:00"):
        duties = {duty.kind: duty for duty in due_today(village.place)}
    assert duties["open"].overdue and duties["open"].target == "2026-10"
    assert duties["review"].count == 1 and "close" not in duties
    notice = open_it(village)
    with travel("2026-11-04 09:00:00+08:00"):
        object_to(line=notice.lines.get(), text="那天没看见", channel="open")
    with travel("2026-11-08 09:00:00+08:00"):
        found = due_today(village.place)
    assert found[0].kind == "acknowledge" and found[0].overdue
    assert {duty.kind for duty in found} == {"acknowledge", "answer", "notice", "review"}
    with travel("2026-11-30 09:00:00+08:00"):
        assert {duty.kind for duty in due_today(village.place) if duty.overdue} == {
            "acknowledge",
            "answer",
            "close",
        }
        assert objection_numbers(village.place, date(2026, 11, 1), date(2026, 11, 30)) == {
            "received": 1, "open": 1, "upheld": 0, "refused": 0, "late": 1}  # fmt: skip


def test_another_village_sees_nothing(village):
    """A-02, A-03, invariant 7."""
    from zhili.common.scope import set_scope

    approved(village)
    notice = open_it(village)
    with travel(OPENING_DAY):
        objection = object_to(line=notice.lines.get(), text="不对吧", channel="open")
    assert find_objection(village.place, objection.lookup_code.lower()) == objection
    set_scope([village.next_place])
    assert current_notice(village.place) is None and public_lines(notice) == [] and not Line.objects.exists()
    with pytest.raises(NotFound):
        find_objection(village.next_place, objection.lookup_code)
