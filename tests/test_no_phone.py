"""王奶奶 has no phone (U-36): registered by the clerk, claims on paper, is told by a slip brought to the door, objects on
paper, redeems with her card, gets a slip; every step through the pages the village office has.

The vote of U-36 belongs to the council's meetings.
"""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pypdf
import pytest
import time_machine
from django.db import transaction
from django.test import Client

from tests.books import PLAIN_BOOK, make_book
from tests.month import approve
from zhili.claims.models import Claim, Sheet
from zhili.claims.tests.test_phone import browser, picture
from zhili.common.ids import uuid7
from zhili.ledger.verify import verify
from zhili.notices.actions import close_notice, open_notice
from zhili.notices.models import Line, Objection
from zhili.people.models import Household, User
from zhili.people.queries import card_url
from zhili.shop.models import Order
from zhili.shop.tests.stage import open_for

NAME, NUMBER = "演示王奶奶", "2088"


@pytest.fixture
def clock():
    with time_machine.travel("2026-10-08 10:00:00+08:00", tick=True) as traveller:
        yield traveller


@pytest.fixture
def village(cast, clock):
    make_book(cast, PLAIN_BOOK)
    cast.desk = f"/desk/{cast.place}"
    cast.clock = clock
    return cast


def on(village: SimpleNamespace, moment: str) -> None:
    village.clock.move_to(f"{moment}+08:00")


def text_of(pdf: bytes) -> str:
    """The PDF's own text without spaces."""
    pages = pypdf.PdfReader(io.BytesIO(pdf)).pages
    return "".join("".join(page.extract_text().split()) for page in pages).replace("\u200b", "")


def sent(user: User, address: str, **data: Any) -> Any:
    """A form sent as a browser sends it; what comes back is followed. A refusal fails here with its words."""
    done = browser(user).post(address, data, follow=True)
    body = done.content.decode() if done["Content-Type"].startswith("text/html") else ""
    assert done.status_code == 200, body[body.find("<main") :][:3000]
    return done


def test_a_person_without_a_phone_does_everything(village):
    """U-36, U-30, U-33, U-34, U-35, U-24, U-31, N-07, G-19, A-09: no log-in of hers anywhere, the same rights."""
    card = register(village)
    claim_on_paper(village)
    told_at_the_door(village)
    answered(village)
    posted(village)
    redeemed(village, card)
    assert not User.objects.filter(resident__household__code=NUMBER).exists()
    assert verify().ok


def register(village: SimpleNamespace) -> str:
    """The clerk writes the household down and prints its card. → what a scanner reads from the card."""
    sent(village.clerk, f"{village.desk}/households/new/", code=NUMBER, head_name=NAME, group="2组",
         birth_date="1944-03-02", opened_on="2026-10-08")  # fmt: skip
    pdf = sent(
        village.clerk, f"{village.desk}/cards/", what="household", household=NUMBER, backs="on"
    ).content
    assert NUMBER in text_of(pdf)
    assert NAME in text_of(pdf)
    return card_url(Household.objects.get(place=village.place, code=NUMBER))


def claim_on_paper(village: SimpleNamespace) -> None:
    """Her own sheet, printed with her number; keyed in with its photo by one, counted again by another."""
    pdf = sent(village.clerk, f"{village.desk}/sheets/print/", what="household", household=NUMBER, period="2026-10",
               count="20").content  # fmt: skip
    sheet = Sheet.objects.get(place=village.place, household__code=NUMBER)
    assert str(sheet) in text_of(pdf)
    address = f"{village.desk}/sheets/{sheet.number}/"
    lines = {"item-1": "HJ01", "day-1": "5", "witness-1": "演示己", "item-2": "HJ01", "day-2": "6",
             "witness-2": "演示己", "count": "12"}  # fmt: skip
    sent(village.clerk, address, do="save", photo=picture(), **lines)
    assert not Claim.objects.filter(
        household__code=NUMBER
    ).exists()  # nothing counts before the second person
    wrong = browser(village.group_leader).post(address, {"do": "confirm", "rows": "3", "total": "0"})
    assert wrong.status_code in (404, 422)
    second = village.supervisor
    page = sent(second, address, do="confirm", rows="2", total="0")
    assert "已提交" in page.content.decode()
    claims = list(Claim.objects.filter(household__code=NUMBER))
    assert [claim.channel for claim in claims] == ["paper", "paper"]
    for claim in claims:
        approve(village, claim)


def told_at_the_door(village: SimpleNamespace) -> None:
    """The slip names her lines; she says on paper that one is wrong, and gets a slip with a code at once."""
    on(village, "2026-11-02T10:00")
    notice = open_notice(by=village.clerk, place=village.place, period="2026-10")
    address = f"{village.desk}/notices/{notice.number}/"
    assert NUMBER in browser(village.clerk).get(f"{address}tell/").content.decode()
    slip = text_of(browser(village.clerk).get(f"{address}slips.pdf").content)
    assert f"{NUMBER}户" in slip
    assert NAME in slip
    assert slip.count("清扫一段公共道路") == 2
    form = (
        browser(village.clerk)
        .get(f"/open/{village.place}/notices/{notice.number}/objection.pdf?line=1")
        .content
    )
    assert "异议书" in text_of(form)
    line = Line.objects.filter(notice=notice, household__code=NUMBER).order_by("position").first()
    page = sent(village.clerk, f"{village.desk}/notices/lines/{line.pk}/", do="object", id=str(uuid7()),
                text="那天落雨，我只扫了一半。", household=NUMBER, paper_number="异-7")  # fmt: skip
    found = Objection.objects.get(line=line)
    assert found.channel == "paper"
    assert found.lookup_code in page.content.decode()
    taken = text_of(
        Client().get(f"/open/{village.place}/objections/slip.pdf?code={found.lookup_code}").content
    )
    assert "先不入账" in taken


def answered(village: SimpleNamespace) -> None:
    """In writing, in time, by somebody who had no part in it."""
    found = Objection.objects.get(line__household__code=NUMBER)
    on(village, "2026-11-05T10:00")
    sent(village.supervisor, f"{village.desk}/objections/{found.pk}/", do="answer", outcome="upheld", points="1",
         answer="问过证明人，那天只扫了一半，改为 1 分。")  # fmt: skip
    found.refresh_from_db()
    assert found.status == "upheld"
    assert found.answered_at.date() <= found.due_on


def posted(village: SimpleNamespace) -> None:
    """After the days the lines are in the book; her passbook prints, and its lines add up."""
    on(village, "2026-11-13T10:00")
    notice = Line.objects.filter(household__code=NUMBER).first().notice
    close_notice(by=village.clerk, notice=notice)
    home = Household.objects.get(place=village.place, code=NUMBER)
    pdf = browser(village.clerk).get(f"{village.desk}/ledger/households/{home.pk}/passbook.pdf").content
    text = text_of(pdf)
    assert "清扫一段公共道路" in text
    assert "+1" in text
    assert "+2" in text


def redeemed(village: SimpleNamespace, card: str) -> None:
    """The shopkeeper scans the card, hands over soap for 2.5 points and the printed slip."""
    with transaction.atomic():
        shop = open_for(village, points=0)
    counter = f"{village.desk}/shop/counter/"
    keeper = browser(village.shopkeeper)
    found = keeper.get(counter, {"q": card}, follow=True)
    page = found.content.decode()
    assert f"{NUMBER} 户" in page
    assert NAME not in page  # masked at the counter
    address = found.redirect_chain[-1][0] if found.redirect_chain else found.request["PATH_INFO"]
    goods = {"id": str(uuid7()), "fair": "", f"n-{shop.soap.pk}": "1", f"seen-{shop.soap.pk}": "250"}
    looked = keeper.post(address, goods | {"step": "look"})
    assert "2.5 分" in looked.content.decode()
    done = keeper.post(address, goods | {"step": "confirm"}, follow=True)
    assert "还剩" in done.content.decode()
    again = keeper.post(
        address, goods | {"step": "confirm"}, follow=True
    )  # the answer was lost, the button again
    assert again.status_code == 200
    order = Order.objects.get(household__code=NUMBER)
    assert order.status == Order.Status.HANDED_OVER
    assert order.points == 250
    slip = text_of(keeper.get(f"{village.desk}/shop/orders/{order.pk}/slip.pdf").content)
    assert "香皂" in slip
    assert "2.5" in slip
    assert NAME not in slip


def test_her_card_reads_as_her_household_and_dies_with_the_next_one(village):
    """U-30, N-07: what the printed code says leads to her; after a reprint the old card leads nowhere, in words."""
    card = register(village)
    open_for(village, points=0)
    sent(village.clerk, f"{village.desk}/cards/", what="household", household=NUMBER, reason="遗失")
    page = browser(village.shopkeeper).get(f"{village.desk}/shop/counter/", {"q": card})
    said = page.content.decode()
    assert f"{NUMBER} 户的旧卡" in said
    assert "新卡" in said
    assert NAME not in said
