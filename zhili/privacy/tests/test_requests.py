"""Requests about one's own data: by whom, until when, refused only with a reason."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction

from zhili.audit.models import Entry
from zhili.common.errors import NotAllowed, NotFound
from zhili.common.models import Holiday
from zhili.common.periods import today
from zhili.people.actions import delegate, record_death
from zhili.people.models import Resident
from zhili.privacy import actions
from zhili.privacy.access import access_request
from zhili.privacy.errors import PrivacyError
from zhili.privacy.models import Request
from zhili.privacy.queries import duties, find_request, may_ask_for
from zhili.privacy.requests import due


def ask(cast: SimpleNamespace, **changes: Any) -> Request:
    facts: dict[str, Any] = {
        "by": cast.villager, "resident": cast.villager.resident, "kind": "correct", "channel": "phone",
        "text": "出生日期应当是 1961 年",
    }  # fmt: skip
    return actions.ask(**(facts | changes))


def test_a_person_asks_and_is_answered(cast: SimpleNamespace) -> None:
    """P-06: number, slip code and last day at once; the answer in words; each step in the trail without a name."""
    made = ask(cast)
    assert str(made) == "G-1" and made.due_on == due(today()) and made.status == "received"
    assert find_request(cast.place, made.lookup_code.lower().replace("-", " ")).pk == made.pk
    done = actions.answer(by=cast.clerk, request=made, text="已改正。")
    assert (done.status, done.handled_by) == ("done", cast.clerk)
    trail = Entry.objects.filter(action__startswith="privacy.")
    assert [one.action for one in trail.order_by("id")] == ["privacy.ask", "privacy.answer"]
    assert "演示" not in str([one.detail for one in trail]) and "1961" not in str(
        [one.detail for one in trail]
    )


def test_fifteen_working_days_by_the_countys_calendar(cast: SimpleNamespace) -> None:
    """P-06: the day itself does not count, weekends and the county's own holidays do not either."""
    monday = date(2026, 11, 2)
    assert due(monday) == date(2026, 11, 23)
    Holiday.objects.create(day=date(2026, 11, 5), is_workday=False, title="演示节")
    assert due(monday) == date(2026, 11, 24)


def test_once_longer_for_a_reason_and_never_after_the_day(cast: SimpleNamespace) -> None:
    """P-06: an extension is told and happens once."""
    made = ask(cast)
    with pytest.raises(PrivacyError, match="为什么要延期"):
        actions.extend(by=cast.clerk, request=made, reason="忙")
    longer = actions.extend(by=cast.clerk, request=made, reason="要到派出所核对登记。")
    assert longer.due_on == due(made.due_on)
    with pytest.raises(PrivacyError, match="延过一次"):
        actions.extend(by=cast.clerk, request=longer, reason="还要再等几天才行。")
    other = ask(cast, kind="explain", text="为什么扣分")
    with (
        time_machine.travel(other.due_on + timedelta(days=2)),
        pytest.raises(PrivacyError, match="过了期限"),
    ):
        actions.extend(by=cast.clerk, request=other, reason="现在才想起来要延。")


def test_a_refusal_says_why_and_where_to_appeal(cast: SimpleNamespace) -> None:
    """P-06 (50): no reason, no refusal, neither in code nor in the database."""
    made = ask(cast)
    with pytest.raises(PrivacyError, match="理由"):
        actions.refuse(by=cast.clerk, request=made, reason="不行")
    with pytest.raises(IntegrityError), transaction.atomic():
        Request.objects.filter(pk=made.pk).update(status="refused", answer="")
    done = actions.refuse(by=cast.clerk, request=made, reason="出生日期和身份证一致，不用改。")
    assert done.status == "refused"
    with pytest.raises(PrivacyError, match="不能再办"):
        actions.answer(by=cast.clerk, request=made, text="又改了")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"text": " "}, "写哪里错了"), ({"kind": "sell"}, "没有这种要求"), ({"channel": "fax"}, "没有这种要求"),
        ({"text": "我的电话 13912345678 错了"}, "不要把证件号"), ({"text": "错" * 501}, "最多 500"),
        ({"kind": "explain", "text": ""}, "想问什么"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked(cast: SimpleNamespace, changes: dict[str, Any], words: str) -> None:
    """P-06: refused in words; nothing is written."""
    with pytest.raises(PrivacyError, match=words):
        ask(cast, **changes)
    assert not Request.objects.exists()


def test_the_same_copy_or_deletion_is_not_asked_twice(cast: SimpleNamespace) -> None:
    """P-06: a second tap does not make a second request; corrections of different things may."""
    ask(cast, kind="delete", text="")
    with pytest.raises(PrivacyError, match="还在办"):
        ask(cast, kind="delete", text="")
    ask(cast)
    ask(cast, text="还有名字写错了一个字")
    assert Request.objects.count() == 3


@pytest.mark.parametrize("who", ["stranger", "reviewer2", "bank", "head"])
def test_nobody_asks_for_somebody_else_on_the_phone(cast: SimpleNamespace, who: str) -> None:
    """P-06, A-02: not a neighbour, not a stranger, not even the head for a grown-up of the household."""
    with pytest.raises(NotAllowed):
        ask(cast, by=getattr(cast, who))


@pytest.mark.parametrize(
    "who", ["villager", "reviewer", "supervisor", "stranger_clerk", "county", "audit_admin"]
)
def test_only_the_village_desk_takes_in_and_answers(cast: SimpleNamespace, who: str) -> None:
    """P-06, A-07: who watches does not answer, who is of another village does not see it."""
    made = ask(cast)
    with pytest.raises(NotAllowed):
        ask(cast, by=getattr(cast, who), channel="desk", asked_by="person")
    with pytest.raises(NotAllowed):
        actions.answer(by=getattr(cast, who), request=made, text="已改正。")


def test_nobody_answers_their_own_request(cast: SimpleNamespace) -> None:
    """P-06: the clerk is a villager too, and another answers."""
    made = ask(cast, by=cast.clerk, resident=cast.clerk.resident)
    with pytest.raises(NotAllowed, match="自己的请求"):
        actions.answer(by=cast.clerk, request=made, text="已改正。")
    assert actions.answer(by=cast.township, request=made, text="已改正。").status == "done"


def test_a_parent_for_a_child_and_a_delegate_for_the_principal(cast: SimpleNamespace) -> None:
    """P-06, A-09: recorded as what they are."""
    child = Resident.objects.create(
        place=cast.place, household=cast.household, name="演示小", birth_date=today() - timedelta(days=3000)
    )
    assert ask(cast, by=cast.head, resident=child).asked_by == "guardian"
    with pytest.raises(NotAllowed):
        ask(cast, by=cast.reviewer2, resident=child)
    old = cast.elder.resident
    given = delegate(
        by=cast.clerk, principal=old, delegate=cast.villager, scope="claim", valid_to=today() + timedelta(days=30),
        paper_number="D-1",
    )  # fmt: skip
    with pytest.raises(NotAllowed):
        ask(cast, resident=old)  # acting for claims is not acting for data
    given.scope = "all"
    given.save()
    assert ask(cast, resident=old).asked_by == "delegate"
    assert {one.pk for one, _ in may_ask_for(cast.villager)} == {cast.villager.resident_id, child.pk, old.pk}


def test_relatives_of_the_dead(cast: SimpleNamespace) -> None:
    """P-06 (49): the household on the phone, others at the desk with name and relation; no withdrawal, no completion."""
    dead = cast.villager.resident
    record_death(by=cast.clerk, resident=dead, on=today(), basis="死亡证明")
    made = ask(cast, by=cast.head, resident=dead, kind="copy", text="")
    assert made.asked_by == "relative" and made.asker == cast.head.resident
    facts = {
        "by": cast.clerk,
        "resident": dead,
        "channel": "paper",
        "paper_number": "S-7",
        "kind": "delete",
        "text": "",
    }
    with pytest.raises(PrivacyError, match="近亲属"):
        ask(cast, **facts, asked_by="person")
    with pytest.raises(PrivacyError, match="代提人的姓名"):
        ask(cast, **facts, asked_by="relative")
    with pytest.raises(PrivacyError, match="只能查阅"):
        ask(cast, **facts | {"kind": "withdraw"}, asked_by="relative", asker_name="演示女儿", relation="女儿")
    assert ask(cast, **facts, asked_by="relative", asker_name="演示女儿", relation="女儿").relation == "女儿"
    with pytest.raises(PrivacyError, match="近亲属只能替已去世"):
        ask(cast, by=cast.clerk, resident=cast.head.resident, channel="desk", asked_by="relative",
            asker_name="演示", relation="子")  # fmt: skip


def test_paper_counts_the_same_and_needs_its_number(cast: SimpleNamespace) -> None:
    """P-06, U-35: keyed in by the clerk with the number of the sheet."""
    facts = {"by": cast.clerk, "resident": cast.head.resident, "channel": "paper", "asked_by": "person"}
    with pytest.raises(PrivacyError, match="编号"):
        ask(cast, **facts)
    assert ask(cast, **facts, paper_number="S-12").channel == "paper"


def test_overdue_stands_on_the_today_page(cast: SimpleNamespace) -> None:
    """P-06: what is owed, by whom, by when; overdue first."""
    made = ask(cast)
    (duty,) = duties(cast.place)
    assert (duty.due, duty.overdue, duty.who) == (made.due_on, False, "村文书")
    with time_machine.travel(made.due_on + timedelta(days=1)):
        assert duties(cast.place)[0].overdue
    actions.answer(by=cast.clerk, request=made, text="已改正。")
    assert duties(cast.place) == []


def test_a_foreign_request_and_an_absent_one_look_alike(cast: SimpleNamespace) -> None:
    """P-06, A-04: also by the slip's code."""
    made = ask(cast)
    for who in (cast.stranger, cast.stranger_clerk, cast.reviewer, cast.bank):
        with pytest.raises(NotFound) as foreign:
            access_request(who, made.pk)
        with pytest.raises(NotFound) as absent:
            access_request(who, "00000000-0000-7000-8000-000000000000")
        assert foreign.value.message == absent.value.message
    for code in ("0000-0000-0000", "", "xxxx", made.lookup_code[:-1]):
        with pytest.raises(NotFound, match="没有这个查询码"):
            find_request(cast.place, code)
    with pytest.raises(NotFound):
        find_request(cast.next_place, made.lookup_code)


def test_whoever_asked_takes_it_back(cast: SimpleNamespace) -> None:
    """P-06: by the person; not by a neighbour."""
    made = ask(cast)
    with pytest.raises(NotAllowed):
        actions.cancel(by=cast.reviewer2, request=made)
    assert actions.cancel(by=cast.villager, request=made).status == "cancelled"
    with pytest.raises(PrivacyError, match="不能再办"):
        actions.cancel(by=cast.villager, request=made)
