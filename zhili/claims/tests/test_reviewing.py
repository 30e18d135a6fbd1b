"""评议: levels, scores, recusal, nobody twice, blind second scores, bulk decisions, hearings, visits."""

from __future__ import annotations

from datetime import date

import pytest
import time_machine
from django.db import connection, transaction
from django.db.utils import Error as DatabaseError
from django.test.utils import CaptureQueriesContext

from tests.books import make_book
from tests.month import approved, claim_for, deduction, home
from zhili.audit.models import Entry as AuditEntry
from zhili.claims.actions import (
    declare_recusal,
    end_recusal,
    record_hearing,
    record_visit,
    review_claim,
    review_many,
    submit_group,
)
from zhili.claims.errors import ClaimError, Conflict
from zhili.claims.models import Claim, Review
from zhili.claims.queries import claim_story, overview, recheck_list, review_queue, waiting_counts
from zhili.claims.submitting import Entry
from zhili.common.errors import NotAllowed
from zhili.common.ids import uuid7
from zhili.common.policy import may
from zhili.people.models import Delegation, Household, Membership


@pytest.fixture
def village(cast):
    with time_machine.travel("2026-10-25 10:00:00+08:00", tick=False):
        cast.book = make_book(cast)
        yield cast


def decide(claim: Claim, by, decision="approve", **more) -> Claim:
    return review_claim(by=by, claim=claim, decision=decision, **more)


EVERYBODY = ["villager", "head", "group_leader", "clerk", "reviewer", "reviewer2", "reviewer3", "elder", "elder2",
             "supervisor", "shopkeeper", "stranger", "stranger_clerk", "township", "county", "bank",
             "system_admin", "security_admin", "audit_admin"]  # fmt: skip
# Household 1001's claim, entered by the group leader; `reviewer` has declared to be a relative of 1001.
ALLOWED = {
    "submitted": {"reviewer2", "reviewer3"},
    "second_review": {"reviewer3"},
    "council": {"elder", "elder2"},
}


def at_stage(village, stage: str) -> Claim:
    """Household 1001's claim at a stage; level 1 was decided by reviewer2."""
    item = {"submitted": "HJ01", "second_review": "GY05", "council": "GY04"}[stage]
    claim = claim_for(village, by=village.group_leader, item=item)
    if stage == "second_review":
        claim = decide(claim, village.reviewer2, points=300)
    if stage == "council":
        claim = decide(claim, village.reviewer2)
    assert claim.status == stage
    return claim


@pytest.mark.parametrize("stage", list(ALLOWED))
@pytest.mark.parametrize("who", EVERYBODY)
def test_role_by_stage(village, who, stage):
    """A-07, A-08: the whole cast at every stage; the predicate and the action agree."""
    claim = at_stage(village, stage)
    person = getattr(village, who)
    points = 300 if stage == "second_review" else 500 if stage == "council" else None
    assert may(person, "claims.review", claim) == (who in ALLOWED[stage])
    assert (claim in [row.claim for row in review_queue(person, village.place)]) == (who in ALLOWED[stage])
    if who in ALLOWED[stage]:
        assert decide(claim, person, points=points).status == "approved"
    else:
        with pytest.raises(NotAllowed):
            decide(claim, person, points=points)
        assert Claim.objects.get(pk=claim.pk).status == stage
    assert claim not in [row.claim for row in review_queue(person, village.place)]


@pytest.mark.parametrize("status", [s for s in Claim.Status.values if s not in ALLOWED])
def test_nothing_else_is_decided(village, status):
    """Any other state: the reviewer sees how it stands now."""
    claim = claim_for(village)
    Claim.objects.filter(pk=claim.pk).update(status=status)
    for decision, reason in (("approve", ""), ("refuse", "没有做"), ("return", "补照片")):
        with pytest.raises(Conflict, match="过时"):
            decide(claim, village.reviewer2, decision, reason=reason)
    assert Claim.objects.get(pk=claim.pk).status == status and not Review.objects.exists()


def test_a_reviewer_stays_out_of_the_own_entry_and_household(village):
    """A-07: submitter ≠ reviewer, also when the reviewer's neighbour benefits; never the own household."""
    own_entry = claim_for(village, by=village.reviewer2)
    with pytest.raises(NotAllowed, match="自己提交"):
        decide(own_entry, village.reviewer2)
    own_home = claim_for(village, by=village.clerk, household=village.reviewer2.resident.household)
    with pytest.raises(NotAllowed, match="自己家"):
        decide(own_home, village.reviewer2)
    assert decide(own_home, village.reviewer3).status == "approved"


@pytest.mark.parametrize("kind", ["relative", "business", "dispute"])
def test_declared_ties_keep_out_until_ended_by_somebody_else(village, kind):
    """G-08: the register; ended only by clerk or supervisor, never by the person it binds."""
    tie = declare_recusal(
        by=village.reviewer2, user=village.reviewer2, household=village.household, kind=kind
    )
    assert (
        declare_recusal(by=village.clerk, user=village.reviewer2, household=village.household, kind=kind)
        == tie
    )
    claim = claim_for(village)
    with pytest.raises(NotAllowed, match="回避"):
        decide(claim, village.reviewer2)
    with pytest.raises(NotAllowed):
        end_recusal(by=village.reviewer2, recusal=tie)
    end_recusal(by=village.supervisor, recusal=tie)
    assert decide(claim, village.reviewer2).status == "approved"


def test_who_declares_a_tie(village):
    """Oneself, or clerk and supervisor for others; only known kinds; only people of the village."""
    facts = {"household": village.household, "kind": "relative"}
    with pytest.raises(NotAllowed):
        declare_recusal(by=village.villager, user=village.reviewer2, **facts)
    with pytest.raises(NotAllowed):
        declare_recusal(by=village.clerk, user=village.stranger, **facts)
    with pytest.raises(ClaimError):
        declare_recusal(
            by=village.reviewer2, user=village.reviewer2, household=village.household, kind="surname"
        )


def test_surnames_are_not_kin(village):
    """G-08: everybody here is called 演示; that keeps nobody out."""
    assert decide(claim_for(village), village.reviewer2).status == "approved"


def test_a_delegate_does_not_decide_on_the_principal(village):
    """A-08: acting for somebody of the household is a tie, while it lasts."""
    paper = Delegation.objects.create(place=village.place, principal=village.head.resident,
                                      delegate=village.reviewer2, scope="redeem", valid_to=date(2026, 12, 31))  # fmt: skip
    claim = claim_for(village)
    with pytest.raises(NotAllowed, match="代办"):
        decide(claim, village.reviewer2)
    Delegation.objects.filter(pk=paper.pk).update(revoked_on=date(2026, 10, 25))
    assert decide(claim, village.reviewer2).status == "approved"


def test_two_levels_need_two_people_and_equal_scores(village):
    """G-10: the second is blind to the first; equal scores pass."""
    claim = decide(claim_for(village, item="GY05"), village.reviewer2, points=300)
    assert claim.status == "second_review" and claim.points_decided is None
    row = next(row for row in review_queue(village.reviewer3, village.place) if row.claim == claim)
    assert row.level == "2" and not hasattr(row, "points")
    told = str(claim_story(claim, by=village.reviewer3))
    assert "+3" not in told and "+3" in str(claim_story(claim))
    claim = decide(claim, village.reviewer3, points=300)
    assert (claim.status, claim.points_decided) == ("approved", 300)


def test_different_scores_go_to_the_council(village):
    """G-10: where two blind scores differ, neither counts; the council decides."""
    claim = decide(at_stage(village, "second_review"), village.reviewer3, points=500)
    assert (claim.status, claim.points_decided) == ("council", None)
    claim = decide(claim, village.elder, points=400)
    assert (claim.status, claim.points_decided) == ("approved", 400)


def test_one_person_with_both_roles_decides_once(village):
    """A-07 through membership: reviewer and council in one person."""
    Membership.objects.create(
        user=village.reviewer2, role="council", place=village.place, valid_from=date(2020, 1, 1)
    )
    village.reviewer2.__dict__.pop("memberships_today", None)
    claim = at_stage(village, "council")
    with pytest.raises(NotAllowed, match="评议过一次"):
        decide(claim, village.reviewer2, points=500)
    assert claim not in [row.claim for row in review_queue(village.reviewer2, village.place)]


@pytest.mark.parametrize(
    "stage, decision, points, reason, field",
    [
        ("submitted", "approve", 200, "", "points"), ("submitted", "change", 100, "少做", "points"),
        ("submitted", "refuse", None, "", "reason"), ("submitted", "return", None, " ", "reason"),
        ("submitted", "maybe", None, "x", "decision"), ("submitted", "refuse", None, "长" * 201, "reason"),
        ("second_review", "approve", None, "", "points"), ("second_review", "approve", 501, "", "points"),
        ("second_review", "change", 99, "少", "points"), ("second_review", "change", 200, "", "reason"),
        ("council", "approve", None, "", "points"), ("council", "approve", 2001, "", "points"),
        ("council", "approve", -100, "", "points"), ("council", "approve", 0, "", "points"),
    ],
)  # fmt: skip
def test_scores_only_within_the_range_and_with_reasons(village, stage, decision, points, reason, field):
    """Approve, change within the range with a reason, return, refuse: anything else says what is wrong."""
    claim = at_stage(village, stage)
    by = {"submitted": village.reviewer2, "second_review": village.reviewer3, "council": village.elder}[stage]
    with pytest.raises(ClaimError) as error:
        decide(claim, by, decision, points=points, reason=reason)
    assert error.value.field == field
    assert Claim.objects.get(pk=claim.pk).status == stage


def test_a_stale_page(village):
    """C-08: what the person saw is no longer so."""
    claim = claim_for(village, item="GY05")
    stale = Claim.objects.get(pk=claim.pk)
    decide(claim, village.reviewer2, points=300)
    with pytest.raises(Conflict, match="等待复核"):
        decide(stale, village.reviewer3, points=300)
    with pytest.raises(Conflict):
        review_claim(by=village.reviewer3, claim=Claim.objects.get(pk=claim.pk), decision="approve", points=300,
                     seen_status="submitted")  # fmt: skip


def test_reviews_are_never_changed(village):
    """A decision stays as it was taken: the database refuses."""
    claim = approved(village)
    for sql in ("UPDATE claims_review SET reason = 'x'", "DELETE FROM claims_review"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
    assert claim.reviews.get().reason == ""


def test_a_deduction_is_decided_only_after_hearing(village):
    """G-20: reminder → chance to mend → hearing → decision."""
    claim = claim_for(village, by=village.clerk, household=home(village, "1002"), item="ZX01",
                      reminded_on=date(2026, 10, 1))  # fmt: skip
    with pytest.raises(ClaimError, match="还没有听本户") as error:
        decide(claim, village.reviewer2)
    assert error.value.field == "heard"
    for who in (village.shopkeeper, village.reviewer2, village.stranger_clerk):
        with pytest.raises(NotAllowed):
            record_hearing(by=who, claim=claim, text="替他们说")
    with pytest.raises(ClaimError):
        record_hearing(by=village.clerk, claim=claim, text=" ")
    claim = record_hearing(by=village.group_leader, claim=claim, text="已经在清，天黑没清完")
    claim = decide(decide(claim, village.reviewer2), village.reviewer3)
    assert claim.status == "approved"
    with pytest.raises(Conflict):
        record_hearing(by=village.clerk, claim=claim, text="补一句")


def test_bulk_review_each_for_itself(village):
    """Bulk review: per-claim results; the own, the kin's and the decided ones are refused, the rest pass."""
    good = [claim_for(village, by=village.clerk, household=home(village, code)) for code in ("3001", "3002")]
    kin = claim_for(village)
    own = claim_for(village, by=village.reviewer)
    done = approved(village)
    ranged = claim_for(village, by=village.clerk, household=home(village, "3003"), item="GY05")
    found = review_many(by=village.reviewer, place=village.place, claims=[*good, kin, own, done, ranged],
                        decision="approve")  # fmt: skip
    assert [one.error is None for one in found] == [True, True, False, False, False, False]
    assert [type(one.error).__name__ for one in found[2:]] == [
        "NotAllowed",
        "NotAllowed",
        "Conflict",
        "ClaimError",
    ]
    assert [Claim.objects.get(pk=claim.pk).status for claim in good] == ["approved", "approved"]
    assert AuditEntry.objects.filter(action="claims.review", detail__count=2).count() == 1


def test_bulk_review_all_or_nothing(village):
    """One refusal undoes the whole."""
    good, kin = claim_for(village, by=village.clerk, household=home(village, "3001")), claim_for(village)
    with pytest.raises(NotAllowed):
        review_many(by=village.reviewer, place=village.place, claims=[good, kin], decision="approve",
                    all_or_nothing=True)  # fmt: skip
    assert Claim.objects.get(pk=good.pk).status == "submitted" and not Review.objects.exists()


@pytest.mark.parametrize("claims", [[], [uuid7()] * 501])
def test_bulk_review_limits(village, claims):
    """Limits on everything."""
    with pytest.raises(ClaimError):
        review_many(by=village.reviewer2, place=village.place, claims=claims, decision="approve")


def test_bulk_review_of_another_village(village):
    """A-02: ids of elsewhere are answered as unknown; a stranger may not even ask."""
    claim = claim_for(village)
    found = review_many(by=village.reviewer2, place=village.next_place, claims=[claim.pk], decision="approve")
    assert "没有这条申报" in str(found[0].error)
    with pytest.raises(NotAllowed):
        review_many(by=village.stranger_clerk, place=village.place, claims=[claim], decision="approve")


def test_the_queue_costs_the_same_for_many(village):
    """review_queue: constant queries, oldest first, with what helps to decide."""
    first = claim_for(village)
    with CaptureQueriesContext(connection) as few:
        review_queue(village.reviewer2, village.place)
    homes = [Household.objects.create(place=village.place, code=f"9{n:03d}") for n in range(30)]
    submit_group(by=village.clerk, id=uuid7(), place=village.place, item="HJ01", occurred_on=date(2026, 10, 20),
                 activity="清河", entries=[Entry(one) for one in homes])  # fmt: skip
    twin = claim_for(village)
    with CaptureQueriesContext(connection) as many:
        rows = review_queue(village.reviewer2, village.place)
    assert len(many) <= len(few) and len(rows) == 32
    twins = {row.claim: row for row in rows if row.claim in (first, twin)}
    assert twins[first].same_day == 1 and twins[first].kinds == ["witness"]


def test_who_looks_again_on_the_spot(village):
    """G-04: the drawn claims are listed until somebody without a part in them has looked."""
    claim = claim_for(village)
    Claim.objects.filter(pk=claim.pk).update(recheck=True)
    assert recheck_list(village.place) == [claim]
    for who in (village.villager, village.shopkeeper, village.stranger_clerk):
        with pytest.raises(NotAllowed):
            record_visit(by=who, claim=claim, note="看过")
    with pytest.raises(ClaimError):
        record_visit(by=village.supervisor, claim=claim, note="")
    record_visit(by=village.supervisor, claim=claim, note="路面干净，邻居也说扫过")
    assert recheck_list(village.place) == []
    assert "visit" in [step.kind for step in claim_story(Claim.objects.get(pk=claim.pk))]


def test_numbers_of_the_village(village):
    """Overview: counts by status, month, category and group; no person in it."""
    approved(village)
    claim_for(village, item="GY02", quantity=12, occurred_on=date(2026, 9, 3))
    deduction(village)
    with CaptureQueriesContext(connection) as asked:
        found = overview(village.place, date(2026, 1, 1), date(2026, 12, 31))
    assert len(asked) == 4
    assert {row["key"]: row["claims"] for row in found["by_status"]} == {"approved": 2, "submitted": 1}
    assert [(row["title"], row["claims"]) for row in found["by_month"]] == [
        ("2026年9月", 1),
        ("2026年10月", 2),
    ]
    assert {row["title"] for row in found["by_category"]} == {"环境卫生", "公益事业", "聚居点秩序"}
    assert "演示" not in str(found)
    assert waiting_counts(village.place) == {"approved": 2, "submitted": 1}
