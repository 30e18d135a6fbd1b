"""Budget first (G-11): no spendable point is issued beyond the funded pool, refused or queued as the village chose."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import time_machine
from django.test import Client

from tests.books import PLAIN_BOOK, make_book
from tests.month import approved, home
from zhili.claims.funded import award_waiting
from zhili.claims.models import Waiting
from zhili.common.errors import NotAllowed
from zhili.common.scope import set_scope
from zhili.ledger.errors import LedgerError
from zhili.ledger.funding import unissued
from zhili.ledger.queries import balances, is_closed
from zhili.ledger.verify import verify
from zhili.notices.actions import close_notice, open_notice
from zhili.notices.models import Notice
from zhili.places.actions import set_village_settings
from zhili.shop import actions

HOMES = ("1001", "1002", "2001")


@pytest.fixture
def village(cast: SimpleNamespace) -> SimpleNamespace:
    """Three households with 2 points each on a notice that may close; a fund of the asked size."""
    with time_machine.travel("2026-10-25 10:00:00+08:00", tick=False):
        make_book(cast, PLAIN_BOOK)
        for code in HOMES:
            approved(cast, household=home(cast, code), by=cast.clerk, channel="counter")
        cast.fund = actions.open_fund(by=cast.clerk, place=cast.place, title="积分资金（演示）", basis="会-1")
    with time_machine.travel("2026-11-02 09:00:00+08:00", tick=False):
        cast.notice = open_notice(by=cast.clerk, place=cast.place, period="2026-10")
    with time_machine.travel("2026-11-10 09:00:00+08:00", tick=False):
        yield cast


def choose(village: SimpleNamespace, policy: str, fen: int) -> None:
    set_village_settings(by=village.township, place=village.place, issue_policy=policy)
    if fen:
        actions.deposit(by=village.clerk, fund=village.fund, fen=fen, source="集体收益", paper="收-1")


def held(village: SimpleNamespace, purse: str) -> list[int]:
    found = balances(village.place, [home(village, code).pk for code in HOMES])
    return [found[home(village, code).pk, purse].balance for code in HOMES]


def test_without_a_shop_points_need_no_money(village: SimpleNamespace):
    close_notice(by=village.clerk, notice=village.notice)
    assert held(village, "spend") == [200, 200, 200]


def test_more_than_is_funded_is_refused_whole(village: SimpleNamespace):
    """G-11: said in words, nothing posted, the notice stays open and can be closed once money came in."""
    choose(village, "refuse", 500)
    with pytest.raises(LedgerError, match="多出 1 分，没有入账"):
        close_notice(by=village.clerk, notice=village.notice)
    assert held(village, "merit") == [0, 0, 0]
    assert Notice.objects.get(pk=village.notice.pk).status == "open"
    actions.deposit(by=village.clerk, fund=village.fund, fen=100, source="捐赠", paper="收-2")
    close_notice(by=village.clerk, notice=Notice.objects.get(pk=village.notice.pk))
    assert held(village, "spend") == [200, 200, 200]
    assert unissued(village.place, "spend") == 0


def test_what_is_not_funded_waits_in_its_order(village: SimpleNamespace):
    """G-11: honour at once, goods when the money is there; nobody jumps the queue; posted once."""
    choose(village, "queue", 300)
    close_notice(by=village.clerk, notice=village.notice)
    assert held(village, "merit") == [200, 200, 200]
    assert sorted(held(village, "spend")) == [0, 0, 200]
    assert Waiting.objects.filter(batch_id=None).count() == 2
    assert award_waiting(by=village.clerk, place=village.place, period="2026-11") is None
    actions.deposit(by=village.clerk, fund=village.fund, fen=100, source="捐赠", paper="收-2")
    posted = award_waiting(by=village.clerk, place=village.place, period="2026-11")
    assert posted is not None
    assert posted.total == 200
    actions.deposit(by=village.clerk, fund=village.fund, fen=1_000, source="捐赠", paper="收-3")
    award_waiting(by=village.clerk, place=village.place, period="2026-11")
    assert award_waiting(by=village.clerk, place=village.place, period="2026-11") is None
    assert held(village, "spend") == [200, 200, 200]
    assert is_closed(village.place, "2026-10")
    assert verify([village.place]).ok


@pytest.mark.parametrize("who", ["villager", "shopkeeper", "supervisor", "stranger_clerk"])
def test_only_the_clerk_lets_the_queue_go(village: SimpleNamespace, who: str):
    with pytest.raises(NotAllowed):
        award_waiting(by=getattr(village, who), place=village.place, period="2026-11")


def test_the_queue_has_its_page_and_its_button(village: SimpleNamespace):
    """G-11: what waits, oldest deed first, how far the money reaches, and the award when it came; refusals in words."""
    choose(village, "queue", 300)
    close_notice(by=village.clerk, notice=village.notice)
    path = f"/desk/{village.place}/shop/funds/queue/"
    clerk, supervisor = Client(), Client()
    clerk.force_login(village.clerk)
    supervisor.force_login(village.supervisor)
    page = clerk.get(path).content.decode()
    assert "4</strong> 分，2 条" in page and "1 分" in page and "资金到了，入账" in page
    assert "资金到了，入账" not in supervisor.get(path).content.decode()
    assert supervisor.post(path).status_code in (403, 404)
    short = clerk.post(path)
    assert short.status_code == 422 and "资金还不够" in short.content.decode()
    set_scope(["511702"])
    actions.deposit(by=village.clerk, fund=village.fund, fen=300, source="捐赠", paper="收-2")
    assert clerk.post(path).status_code == 302
    set_scope(["511702"])
    assert held(village, "spend") == [200, 200, 200]
    assert "没有在等的积分" in clerk.get(path).content.decode()
    assert clerk.get(path.replace(village.place, village.next_place)).status_code == 404
