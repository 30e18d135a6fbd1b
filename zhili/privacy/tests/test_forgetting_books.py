"""What books that are only added to say after a person was removed: donors' names go, pieces, money and digests stay;
a notice can still be held against its digest, and the answer says in words what happened (T-07)."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, connection, transaction
from django.test import Client

from tests.books import make_book
from tests.month import approved, home
from zhili.common.ids import uuid7
from zhili.ledger.verify import verify as verify_ledger
from zhili.notices.actions import answer_objection, close_notice, object_to, open_notice
from zhili.notices.digest import check_notice, content_digest
from zhili.notices.models import Line, Notice
from zhili.people.actions import add_resident
from zhili.people.models import Resident
from zhili.privacy.erasing import GONE, erase
from zhili.privacy.models import Erasure
from zhili.privacy.tests.test_erasing import everything
from zhili.shop import actions as shop_actions
from zhili.shop.models import FundAccount, FundEntry, Good, StockMove
from zhili.shop.tests.stage import open_for

NAME = "慕容演示春"


def remove(cast: SimpleNamespace, one: Resident) -> Erasure:
    return erase(resident=one, by=cast.clerk, approved_by=cast.supervisor, basis="request")


# ---------------------------------------------------------------------------------------------------- donors


@pytest.fixture
def given(cast: SimpleNamespace) -> SimpleNamespace:
    """Somebody of household 1001 gave rice and money to the shop, and is named for it."""
    one = add_resident(by=cast.clerk, household=cast.household, name=NAME)
    shop = open_for(cast)
    shop_actions.deposit(by=cast.clerk, fund=shop.fund, fen=8_800, source=f"{NAME}捐赠", paper="收-2")
    shop_actions.stock_in(
        by=cast.shopkeeper,
        good=shop.rice,
        quantity=3,
        fen=9_000,
        fund=shop.fund,
        donated_by=NAME,
        paper="进-2",
    )
    return SimpleNamespace(one=one, **vars(shop))


def books() -> tuple[Any, ...]:
    """Everything the shop's books say but their words."""
    return (
        list(StockMove.objects.order_by("pk").values_list("pk", "kind", "quantity", "fen", "at")),
        list(FundEntry.objects.order_by("pk").values_list("pk", "debit", "credit", "fen", "code", "ledger_points")),
        list(FundAccount.objects.order_by("pk").values_list("kind", "credits", "debits")),
        list(Good.objects.order_by("pk").values_list("stock", "value_fen")),
    )  # fmt: skip


def test_a_donor_is_forgotten_and_no_sum_changes(cast: SimpleNamespace, given: SimpleNamespace) -> None:
    """T-07, L-03: the name goes from goods and money, whole cell by whole cell; pieces, fen and the ledger stay."""
    before = books()
    assert everything().count(NAME) >= 3, "the delivery, the money line it made, the deposit"
    done = remove(cast, given.one)
    assert NAME not in everything()
    assert books() == before
    assert StockMove.objects.get(paper="进-2").donated_by == GONE
    assert FundEntry.objects.get(paper="收-2").source == f"{GONE}捐赠", "that it was a gift is still said"
    assert (done.counts["shop.StockMove.donated_by"], done.counts["shop.FundEntry.source"]) == (1, 2)
    assert verify_ledger([cast.place]).ok


def test_other_donors_keep_their_names(cast: SimpleNamespace, given: SimpleNamespace) -> None:
    """T-07: a company, the village's own money and another giver are not touched."""
    shop_actions.deposit(by=cast.clerk, fund=given.fund, fen=100, source="演示米业公司", paper="收-3")
    before = list(
        FundEntry.objects.exclude(source__contains=NAME).order_by("pk").values_list("source", flat=True)
    )
    remove(cast, given.one)
    after = FundEntry.objects.exclude(source__contains=GONE).order_by("pk").values_list("source", flat=True)
    assert list(after) == before and "演示米业公司" in before


def test_a_namesake_among_the_donors_is_looked_at_by_a_person(
    cast: SimpleNamespace, given: SimpleNamespace
) -> None:
    """T-07: two people of one name in the village: nothing is rewritten, the rows are listed."""
    Resident.objects.create(place=cast.place, household=home(cast, "3002"), name=NAME)
    done = remove(cast, given.one)
    move = StockMove.objects.get(donated_by=NAME)
    assert f"shop.StockMove.donated_by:{move.pk}" in done.to_check
    with connection.cursor() as cursor:  # the function itself refuses too
        cursor.execute("SELECT moves, entries FROM privacy_forget_donor(%s)", [given.one.pk])
        assert cursor.fetchone() == (0, 0)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE shop_stockmove SET donated_by = '已删除'",
        "UPDATE shop_stockmove SET quantity = quantity + 1",
        "DELETE FROM shop_stockmove",
        "UPDATE shop_fundentry SET source = '已删除'",
        "UPDATE shop_fundentry SET fen = 1",
        "DELETE FROM shop_fundentry",
    ],
)
def test_the_application_still_cannot_change_the_books(
    cast: SimpleNamespace, given: SimpleNamespace, statement: str
) -> None:
    """L-03, T-07: the only door is the owner's function, and it takes a person's key, not words."""
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


# ------------------------------------------------------------------------------------------- a notice's digest


@pytest.fixture
def closed(cast: SimpleNamespace) -> SimpleNamespace:
    """A notice of two households, one line corrected after an objection, closed and posted."""
    with time_machine.travel(date(2026, 10, 20), tick=True):
        make_book(cast)
        one = add_resident(by=cast.clerk, household=cast.household, name=NAME)
        mine = approved(cast, by=cast.villager, resident=one)
        other = approved(cast, by=cast.clerk, household=home(cast, "3001"), channel="counter")
    with time_machine.travel(date(2026, 11, 2), tick=True):
        notice = open_notice(by=cast.clerk, place=cast.place, period="2026-10")
        objection = object_to(
            line=Line.objects.get(claim=other), text="没有扫那么多", by=cast.villager, channel="phone"
        )
        answer_objection(
            by=cast.supervisor, objection=objection, outcome="upheld", answer="核实后改为一分。", points=100
        )
    with time_machine.travel(date(2026, 11, 12), tick=True):
        close_notice(by=cast.clerk, notice=notice)
    return SimpleNamespace(one=one, mine=mine, notice=Notice.objects.get())


def test_a_notice_checks_whole_after_a_correction(cast: SimpleNamespace, closed: SimpleNamespace) -> None:
    """G-19, T-01: a line corrected by an answer still hangs as it hung: the digest is of the first day."""
    assert Line.objects.exclude(points_before=None).count() == 1
    found = check_notice(closed.notice)
    assert (found.state, found.ok) == ("whole", True)


def test_after_a_removal_the_check_says_so(cast: SimpleNamespace, closed: SimpleNamespace) -> None:
    """T-07: name and salt are gone, the digest fits, and the sentence names the line."""
    line = Line.objects.get(claim=closed.mine)
    digest, seal = closed.notice.digest, line.name_seal
    remove(cast, closed.one)
    line.refresh_from_db()
    assert (line.name_masked, line.name_salt, line.name_seal) == (GONE, "", seal)
    found = check_notice(Notice.objects.get())
    assert (found.state, found.ok, found.removed) == ("removed", True, (line.position,))
    assert found.words == f"第 {line.position} 条的姓名已按本人的要求删除，其余和公布那天一样。"
    assert Notice.objects.get().digest == digest


@pytest.mark.parametrize(
    "change",
    [
        {"points": 900}, {"item_title": "别的事"}, {"household_code": "3009"}, {"name_masked": "赵*"},
        {"occurred_on": date(2026, 10, 1)}, {"name_salt": "00" * 16}, {"name_seal": "00" * 32}, {"position": 9},
    ],
)  # fmt: skip
def test_a_changed_line_is_found_before_and_after_a_removal(
    cast: SimpleNamespace, closed: SimpleNamespace, change: dict[str, Any]
) -> None:
    """T-02, T-07: a removal of somebody else's name hides no change."""
    remove(cast, closed.one)
    other = Line.objects.exclude(claim=closed.mine)
    if "points" in change:
        change = {"points_before": 900}
    other.update(**change)
    found = check_notice(closed.notice)
    assert (found.state, found.ok) == ("changed", False) and "不一样" in found.words


def test_lines_and_digest_changed_together_are_found(cast: SimpleNamespace, closed: SimpleNamespace) -> None:
    """T-02: the digest of the first day stands in the trail too."""
    Line.objects.filter(claim=closed.mine).update(item_title="别的事")
    notice = Notice.objects.get()
    Notice.objects.update(digest=content_digest(notice, notice.lines.order_by("position")))
    assert check_notice(Notice.objects.get()).state == "changed"


def test_a_notice_of_the_older_form(cast: SimpleNamespace, closed: SimpleNamespace) -> None:
    """T-07: without seals it is checked as it was made; after a removal the check says that it cannot tell."""
    old = Notice.objects.get()
    old.pk, old.number = uuid7(), 2  # one that this trail has no row of
    old.save(force_insert=True)
    Line.objects.update(notice=old, name_salt="", name_seal="")
    old.digest = content_digest(old, old.lines.order_by("position"))
    old.save(update_fields=["digest"])
    assert check_notice(old).state == "whole"
    remove(cast, closed.one)
    found = check_notice(old)
    assert (found.state, found.ok) == ("unknown", False) and "早先的格式" in found.words


def test_the_desk_reads_the_answer(cast: SimpleNamespace, closed: SimpleNamespace) -> None:
    """T-07: the notice's page at the desk says what the check found; a villager has no such page."""
    client = Client()
    client.force_login(cast.supervisor)
    url = f"/desk/{cast.place}/notices/{closed.notice.number}/"
    assert "和公布那天一样，一个字也没有改" in client.get(url).content.decode()
    remove(cast, closed.one)
    assert "的姓名已按本人的要求删除，其余和公布那天一样" in client.get(url).content.decode()
    client.force_login(cast.villager)
    assert client.get(url).status_code == 404
