"""Acting-for form and the poll on paper, with their way back (U-35, U-38, A-09)."""

from __future__ import annotations

import pytest
import time_machine

from zhili.claims.tests.test_phone import browser
from zhili.common.ids import uuid7
from zhili.shop.actions import open_poll
from zhili.shop.models import PollAnswer
from zhili.shop.tests.stage import later, open_for

from .test_paper_cards import _embedded
from .test_print import _reader, _text


@pytest.fixture(autouse=True)
def _now():
    with time_machine.travel("2026-10-20 10:00:00+08:00", tick=True):
        yield


def test_the_acting_for_form_has_a_number_a_slip_and_the_scopes(cast):
    """U-35: printed at the desk with its own number, blank for whoever has a printer; one page."""
    desk, opened = f"/desk/{cast.place}/delegations/form.pdf", f"/open/{cast.place}/delegation.pdf"
    first, second = (_text(browser(cast.clerk).get(desk).content) for _ in range(2))
    assert "编号W-" in first and first.count(first.split("编号")[1][:11]) == 2 and first != second
    for part in ("申报", "提异议", "兑换", "全部", "委托回执", "最长一年", "委托人签字或手印"):
        assert part in first
    blank = browser(cast.villager).get(opened).content
    assert "W-" not in _text(blank) and len(_reader(blank).pages) == 1 and _embedded(blank)
    for person in (cast.group_leader, cast.villager, cast.stranger_clerk):
        assert browser(person).get(desk).status_code in (403, 404)
    assert "打印委托书" in browser(cast.clerk).get(f"/desk/{cast.place}/delegations/").content.decode()


@pytest.fixture
def poll(cast):
    shop = open_for(cast, points=0)
    cast.poll = open_poll(
        by=cast.clerk,
        shop=shop.shop,
        title="想换什么（演示）",
        options=["洗衣液", "食用油", "雨伞"],
        closes_on=later(7),
        most=2,
    )
    cast.path = f"/desk/{cast.place}/shop/polls/{cast.poll.pk}/"
    return cast


def test_a_poll_goes_from_door_to_door(poll):
    """U-38: the list to tick; what comes back counts as on the phone, a second line replaces the first."""
    client = browser(poll.shopkeeper)
    text = _text(client.get(f"{poll.path}form.pdf").content)
    assert "1洗衣液；2食用油；3雨伞" in text and "最多选2种" in text and "1001" not in text
    page = client.post(
        f"{poll.path}paper/", {"household": "1001", "chosen": "１、3"}, follow=True
    ).content.decode()
    assert "已记：1001 户，洗衣液、雨伞" in page and "已有 1 户答复" in page
    client.post(f"{poll.path}paper/", {"household": "1001", "chosen": "2"})
    assert PollAnswer.objects.get().chosen == ["2"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"household": "9999", "chosen": "1"}, "没有找到这一户"), ({"household": "", "chosen": "1"}, "没有找到这一户"),
        ({"household": "1001", "chosen": ""}, "请选 1 到 2 种"),
        ({"household": "1001", "chosen": "1 2 3"}, "请选 1 到 2 种"),
        ({"household": "1001", "chosen": "7"}, "请选 1 到 2 种"),
    ],
)  # fmt: skip
def test_a_wrong_line_of_the_poll_is_told_and_kept(poll, data, words):
    """U-38: nothing typed is lost, nothing is written."""
    answer = browser(poll.clerk).post(f"{poll.path}paper/", data)
    page = answer.content.decode()
    assert answer.status_code == 422 and words in page and f'value="{data["chosen"]}"' in page
    assert not PollAnswer.objects.exists()


def test_foreign_and_absent_polls_look_the_same(poll):
    """A-07."""
    for person in (poll.villager, poll.stranger_clerk, poll.supervisor):
        for name in ("form.pdf", "paper/"):
            assert browser(person).get(f"{poll.path}{name}").status_code in (403, 404)
    absent = f"/desk/{poll.place}/shop/polls/{uuid7()}/paper/"
    assert browser(poll.clerk).get(absent).status_code == 404


def test_the_pages_of_the_shop_lead_to_their_paper(poll):
    """U-38: who looks for the paper finds the button."""
    client = browser(poll.clerk)
    for page, wanted in (
        ("shop/prices/", "shop/price-list.pdf"), ("shop/counts/", "shop/count-sheet.pdf"),
        ("shop/fairs/", "shop/redeem-list.pdf"), (f"shop/polls/{poll.poll.pk}/", "/paper/"),
    ):  # fmt: skip
        assert wanted in client.get(f"/desk/{poll.place}/{page}").content.decode(), page
    assert "shop/price-list.pdf" in browser(poll.villager).get(f"/open/{poll.place}/shop/").content.decode()
