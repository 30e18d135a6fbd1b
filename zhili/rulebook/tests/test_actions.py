"""From draft to in force, and everything that must not happen on the way (L-09, RL-11, V-10, A-02, A-04, A-07)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import IntegrityError, transaction

from tests.books import SMALL_BOOK, make_book
from zhili.audit.models import Entry
from zhili.common.errors import NotAllowed, NotFound
from zhili.common.periods import today
from zhili.rulebook import actions
from zhili.rulebook.access import access_book, access_village
from zhili.rulebook.book_yaml import load_yaml
from zhili.rulebook.errors import RuleBookError
from zhili.rulebook.models import Item, RuleBook
from zhili.rulebook.queries import in_force, item_for, items_of, parsed, public_versions, waiting_for_review
from zhili.rulebook.tests.procedure import BLOCKED, NEEDS_REVIEW, ORDER, VOTE, clean_book, make
from zhili.rulebook.workbook import dump_workbook, load_workbook

DAY = timedelta(days=1)
STAFF = ("villager", "group_leader", "clerk", "reviewer", "elder", "supervisor", "shopkeeper", "township", "county",
         "bank", "system_admin", "security_admin", "audit_admin", "stranger", "stranger_clerk")  # fmt: skip

# step → (state it needs, who may; the clerk drafted, so the clerk is out of adoption and force)
STEPS = {
    "open_consultation": ("draft", {"clerk", "township"}),
    "record_adoption": ("consultation", {"elder", "township"}),
    "record_filing": ("adopted", {"township"}),
    "put_in_force": ("filed", {"elder", "township", "county"}),
    "withdraw": ("draft", {"clerk", "township"}),
    "edit_draft": ("draft", {"clerk", "township"}),
}


def take(step: str, by: object, row: RuleBook) -> RuleBook:
    """Try one step with facts that are right."""
    day = today()
    facts = {
        "open_consultation": {"on": day - 10 * DAY, "until": day - 3 * DAY},
        "record_adoption": {"on": day - 2 * DAY, **VOTE},
        "record_filing": {"on": day - DAY, "receipt": "备-7"},
        "put_in_force": {"on": day + DAY},
        "withdraw": {"reason": "写错了"},
        "edit_draft": {"text": SMALL_BOOK},
    }[step]
    return getattr(actions, step)(by=by, book=row, **facts)


@pytest.mark.parametrize("step", STEPS)
def test_who_may_take_which_step(cast, step):
    """A-02, A-07: the whole matrix of roles; authors, admins, villagers and strangers are refused."""
    state, allowed = STEPS[step]
    row = make(cast, state)
    for name in STAFF:
        if name not in allowed:
            with pytest.raises(NotAllowed):
                take(step, getattr(cast, name), row)
    row.refresh_from_db()
    assert row.status == state
    for name in sorted(allowed):
        with transaction.atomic():
            savepoint = transaction.savepoint()
            assert take(step, getattr(cast, name), row).pk == row.pk
            transaction.savepoint_rollback(savepoint)


@pytest.mark.parametrize("step", [step for step in STEPS if step not in ("withdraw", "edit_draft")])
@pytest.mark.parametrize("state", ORDER)
def test_no_step_from_a_wrong_state(cast, step, state):
    """Each step has exactly one state it starts from; a stage cannot be jumped or repeated."""
    if STEPS[step][0] == state:
        return
    row = make(cast, state)
    with pytest.raises((RuleBookError, NotAllowed)):
        take(step, cast.township, row)
    row.refresh_from_db()
    assert row.status == state


def test_the_whole_way_and_who_did_what(cast):
    """V-10: each step leaves its record and an audit row; the record names roles, not persons."""
    row = make(cast, "in_force")
    assert in_force(cast.place, today()) == row
    assert row.adoption["abstained"] == 3 and row.adoption["digest"] == row.digest
    assert row.filing["by_role"] == "乡镇干部" and "演示" not in str(row.filing)
    wanted = [
        "rulebook.draft",
        "rulebook.consult",
        "rulebook.adopt",
        "rulebook.file",
        "rulebook.put_in_force",
    ]
    assert (
        list(
            Entry.objects.filter(action__startswith="rulebook.")
            .order_by("id")
            .values_list("action", flat=True)
        )
        == wanted
    )


def test_drafts_from_text_workbook_and_object_are_the_same(cast):
    """Both forms come to the same canonical text, items in the book's order."""
    book = clean_book(cast.place)
    first = actions.save_draft(by=cast.clerk, place=cast.place, book=book)
    second = actions.save_draft(
        by=cast.clerk, place=cast.place, workbook=dump_workbook(book), source="细则.xlsx"
    )
    third = actions.save_draft(by=cast.clerk, place=cast.place, text=first.text)
    assert first.digest == second.digest == third.digest
    assert [one.version for one in (first, second, third)] == [1, 2, 3]
    assert [item.code for item in items_of(first)] == [item.code for item in book.items]
    assert item_for(first, "HJ01").title == book.items[0].title and item_for(first, "XX99") is None
    assert load_yaml(first.text) == load_workbook(dump_workbook(book)) == parsed(first)


@pytest.mark.parametrize(
    "place", ["511702109", "5117021092001", "51170210920x", "", "*", "５１１７０２１０９２００"]
)
def test_a_rule_book_belongs_to_a_village(cast, place):
    """Not to a township, a prefix or nonsense."""
    with pytest.raises((RuleBookError, NotAllowed)):
        actions.save_draft(by=cast.county, place=place, text=SMALL_BOOK)
    with pytest.raises((RuleBookError, NotAllowed)):
        actions.save_draft(by=cast.township, place=place, text=SMALL_BOOK)
    assert not RuleBook.objects.exists()


@pytest.mark.parametrize(
    "text", ["", "format: zhili-rulebook/9", "a: &a [*a]", "\x00", "title: 只有名称", b"\xff\xfe\x00"]
)
def test_a_bad_file_leaves_nothing_behind(cast, text):
    """Nothing half-written."""
    with pytest.raises(RuleBookError):
        actions.save_draft(by=cast.clerk, place=cast.place, text=text)
    with pytest.raises(RuleBookError):
        actions.save_draft(
            by=cast.clerk, place=cast.place, workbook=b"PK\x03\x04 not a workbook", source="x.xlsx"
        )
    assert not RuleBook.objects.exists() and not Item.objects.exists()


def test_editing_makes_an_author_and_voids_the_legal_opinion(cast):
    """A-07: whoever changed the text cannot adopt it; an opinion holds for the text it was given on."""
    row = make(cast, "consultation", text=NEEDS_REVIEW)
    actions.override(by=cast.county, book=row, items=waiting_for_review(row), reason="只看门前")
    row.refresh_from_db()
    assert waiting_for_review(row) == []
    changed = NEEDS_REVIEW.replace("points: 15}", "points: 14}")
    row = actions.edit_draft(by=cast.township, book=row, text=changed)
    assert waiting_for_review(row) and row.override == {}
    with pytest.raises(NotAllowed, match="起草人"):
        take("record_adoption", cast.township, row)
    assert row.authors == [cast.clerk.pk, cast.township.pk]


def test_two_people_at_one_draft(cast):
    """A stale form does not overwrite what somebody else changed."""
    row = make(cast)
    seen = row.digest
    actions.edit_draft(by=cast.township, book=row, text=SMALL_BOOK, seen_digest=seen)
    with pytest.raises(RuleBookError, match="别人改过"):
        actions.edit_draft(by=cast.clerk, book=row, text=BLOCKED, seen_digest=seen)
    with pytest.raises(RuleBookError, match="没有改动"):
        actions.edit_draft(by=cast.clerk, book=row, text=SMALL_BOOK)
    with pytest.raises(RuleBookError, match="别人改过"):
        actions.open_consultation(
            by=cast.clerk, book=row, on=today(), until=today() + 7 * DAY, seen_digest=seen
        )


@pytest.mark.parametrize(
    "change, field",
    [
        ({"present": 29, "in_favour": 25}, "present"),  # below two thirds
        ({"present": 46}, "present"),
        ({"present": 0, "in_favour": 0, "against": 0, "women_present": 0}, "present"),
        ({"in_favour": 20, "against": 20}, "in_favour"),  # half is not more than half
        ({"in_favour": 39}, "in_favour"),  # 39 + 2 > 40
        ({"women_present": 41}, "women_present"),
        ({"entitled": -1}, "entitled"),
        ({"entitled": 10**9}, "entitled"),
        ({"meeting": "wechat_group"}, "meeting"),
        ({"meeting": "assembly", "entitled": 80}, "present"),  # exactly half
        ({"minutes_ref": " \x00 "}, "minutes_ref"),
        ({"minutes_ref": "长" * 81}, "minutes_ref"),
        ({"on": date(2020, 1, 1)}, "on"),  # before the consultation ended
        ({"on": date(2099, 1, 1)}, "on"),
    ],
)
def test_a_vote_that_does_not_count(cast, change, field):
    """V-10: quorum, majority, sums and dates are checked, and the message stands at the field."""
    row = make(cast, "consultation")
    with pytest.raises(RuleBookError) as caught:
        actions.record_adoption(by=cast.elder, book=row, **{"on": today() - 2 * DAY, **VOTE, **change})
    assert caught.value.field == field
    row.refresh_from_db()
    assert row.status == "consultation" and row.adoption == {}


@pytest.mark.parametrize("days", [-1, 0, 2, 61])
def test_a_consultation_is_neither_a_moment_nor_for_ever(cast, days):
    """Three to sixty days, not in the future."""
    row = make(cast)
    with pytest.raises(RuleBookError):
        actions.open_consultation(by=cast.clerk, book=row, on=today(), until=today() + days * DAY)
    with pytest.raises(RuleBookError):
        actions.open_consultation(by=cast.clerk, book=row, on=today() + DAY, until=today() + 9 * DAY)


def test_a_red_line_stops_every_step(cast):
    """Invariant 9: not even asked about, adopted or taken over from paper."""
    row = make(cast, text=BLOCKED)
    with pytest.raises(RuleBookError, match="RL-01"):
        take("open_consultation", cast.clerk, row)
    vote = {"meeting": "村民会议", "on": "2025-12-20"}
    with pytest.raises(RuleBookError, match="红线"):
        actions.put_in_force(
            by=cast.township, book=row, on=today(), adoption=vote, override={"opinion": "同意"}
        )
    with pytest.raises(RuleBookError, match="不需要法审"):
        actions.override(by=cast.county, book=row, items=["ZX01"], reason="同意")
    row.refresh_from_db()
    assert row.status == "draft" and row.override == {}


def test_a_legal_opinion_is_for_named_items_and_public(cast):
    """Invariant 9: recorded per item; the book comes into force only when none is left."""
    row = make(cast, "filed", text=NEEDS_REVIEW)
    waiting = waiting_for_review(row)
    assert waiting
    with pytest.raises(RuleBookError, match="法制审核"):
        take("put_in_force", cast.elder, row)
    for wrong in ([], ["HJ01"], [*waiting, "XX99"]):
        with pytest.raises(RuleBookError):
            actions.override(by=cast.township, book=row, items=wrong, reason="同意")
    for name in ("clerk", "elder", "supervisor", "villager", "stranger_clerk"):
        with pytest.raises(NotAllowed):
            actions.override(by=getattr(cast, name), book=row, items=waiting, reason="同意")
    with pytest.raises(RuleBookError, match="审核意见"):
        actions.override(by=cast.township, book=row, items=waiting, reason="  ")
    row = actions.override(
        by=cast.township, book=row, items=waiting, reason="只在本人邀请时进门", opinion_ref="司-3"
    )
    assert take("put_in_force", cast.elder, row).status == "in_force"


@pytest.mark.parametrize("days", [-400, -3, -2])
def test_never_backwards(cast, days):
    """RL-11: not before vote and filing."""
    row = make(cast, "filed")
    with pytest.raises(RuleBookError) as caught:
        actions.put_in_force(by=cast.elder, book=row, on=today() + days * DAY)
    assert caught.value.field == "on"


def test_a_used_book_is_replaced_from_tomorrow_at_the_earliest(cast):
    """RL-11, L-09: points already worked out are not worked out again."""
    first = make(cast, "in_force", on=today() - DAY)
    actions.freeze(first)
    second = make(cast, "filed")
    with pytest.raises(RuleBookError, match="明天"):
        actions.put_in_force(by=cast.elder, book=second, on=today())
    actions.put_in_force(by=cast.elder, book=second, on=today() + DAY)
    first.refresh_from_db()
    assert (first.status, first.valid_to) == ("superseded", today() + DAY)
    assert in_force(cast.place, today()) == first and in_force(cast.place, today() + DAY) == second


def test_one_in_force_even_when_two_press_at_once(cast):
    """The exclusion constraint speaks Chinese: an earlier start under a later book is refused."""
    make(cast, "in_force", on=today() + 5 * DAY)
    other = make(cast, "filed")
    with pytest.raises(RuleBookError, match="重叠"):
        actions.put_in_force(by=cast.elder, book=other, on=today())
    other.refresh_from_db()
    assert other.status == "filed"


def test_taking_over_a_book_from_paper(cast):
    """Only township or county, only with a vote; never round a missing filing."""
    row = make(cast)
    with pytest.raises(NotAllowed):
        actions.put_in_force(by=cast.elder, book=row, on=today(), adoption={"meeting": "x"})
    with pytest.raises(RuleBookError, match="表决"):
        actions.put_in_force(by=cast.county, book=row, on=today())
    adopted = make(cast, "adopted")
    with pytest.raises(RuleBookError, match="备案"):
        actions.put_in_force(by=cast.county, book=adopted, on=today(), adoption={"meeting": "x"})
    with pytest.raises(RuleBookError, match="RL-11"):
        actions.put_in_force(by=cast.county, book=row, on=date(2026, 2, 1), adoption={"meeting": "x"})
    taken = actions.put_in_force(by=cast.county, book=row, on=today(), adoption={"meeting": "x"})
    assert taken.filing["taken_over"] is True


def test_withdrawing(cast):
    """Nothing is deleted; what already binds cannot be taken back."""
    row = actions.withdraw(by=cast.clerk, book=make(cast, "adopted"), reason="有一处写错")
    assert row.status == "withdrawn" and row.withdrawal["reason"] == "有一处写错"
    assert row not in public_versions(cast.place)
    with pytest.raises(RuleBookError, match="不能再撤回"):
        actions.withdraw(by=cast.clerk, book=row, reason="再来")
    with pytest.raises(RuleBookError, match="撤回原因"):
        actions.withdraw(by=cast.clerk, book=make(cast), reason=" ")
    bound = make(cast, "in_force")
    with pytest.raises(RuleBookError, match="已经施行"):
        actions.withdraw(by=cast.township, book=bound, reason="不要了")


def test_withdrawing_what_has_not_begun_gives_the_old_one_back(cast):
    """The village is never left without a book."""
    first = make(cast, "in_force", on=today() - DAY)
    second = make(cast, "in_force", on=today() + 20 * DAY)
    actions.withdraw(by=cast.township, book=second, reason="数字抄错")
    first.refresh_from_db()
    assert (first.status, first.valid_to) == ("in_force", None)
    assert in_force(cast.place, today() + 30 * DAY) == first


GUARDED = {
    "text": {"text": "别的"}, "digest": {"digest": "0" * 64}, "title": {"title": "别的"},
    "settlement": {"settlement": "year"}, "place": {"place": "511702109201"}, "version": {"version": 99},
    "valid_from": {"valid_from": date(2020, 1, 1)}, "frozen": {"frozen_at": None}, "status": {"status": "draft"},
    "adoption": {"adoption": {}},
}  # fmt: skip


@pytest.mark.parametrize("name", GUARDED)
def test_the_database_refuses_to_change_a_used_book(cast, name):
    """L-09: even a direct UPDATE."""
    row = make(cast, "in_force")
    actions.freeze(row)
    with pytest.raises(IntegrityError), transaction.atomic():
        RuleBook.objects.filter(pk=row.pk).update(**GUARDED[name])


def test_the_database_refuses_to_change_items_or_delete_versions(cast):
    """L-09: adopted text and its items stand; a version is withdrawn, never deleted."""
    row = make(cast, "adopted")
    for attempt in (
        lambda: RuleBook.objects.filter(pk=row.pk).update(text="别的"),
        lambda: row.items.update(title="别的"),
        lambda: row.items.filter(code="HJ01").delete(),
        lambda: Item.objects.create(place=row.place, book=row, code="ZZ", category_code="HJ", category_title="x",
                                    title="x", position=999),
        lambda: RuleBook.objects.filter(pk=row.pk).delete(),
        lambda: RuleBook.objects.filter(pk=make(cast).pk).delete(),
    ):  # fmt: skip
        with pytest.raises(IntegrityError), transaction.atomic():
            attempt()


def test_last_years_points_come_out_the_same(cast):
    """L-09: the text of a frozen version scores as it did, whatever came after."""
    from zhili.rulebook.calculator import Event, score

    first = make_book(cast)
    actions.freeze(first)
    events = [Event(f"e{n}", "1001", None, "HJ01", date(2026, 3, n), None, None, None) for n in range(1, 7)]
    before = score(parsed(first), events)
    make(cast, "in_force", on=today() + DAY)
    again = RuleBook.objects.get(pk=first.pk)
    assert score(load_yaml(again.text), events) == before and sum(e.awarded for e in before.events) == 800


@pytest.mark.parametrize(
    "who", ["villager", "stranger", "stranger_clerk", "shopkeeper", "bank", "system_admin"]
)
def test_foreign_and_absent_look_the_same(cast, who):
    """A-04."""
    row = make(cast)
    user = getattr(cast, who)
    with pytest.raises(NotFound) as foreign:
        access_book(user, cast.place, row.pk)
    with pytest.raises(NotFound) as absent:
        access_book(cast.clerk, cast.place, "019b0000-0000-7000-8000-000000000000")
    with pytest.raises(NotFound):
        access_book(cast.stranger_clerk, cast.next_place, row.pk)
    with pytest.raises(NotFound):
        access_village(user, cast.place)
    assert foreign.value.message == absent.value.message
