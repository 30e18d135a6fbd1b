"""Household cards: ten a sheet, the QR is the token, printing again kills the old card (U-30, U-22, N-07, M-01)."""

from __future__ import annotations

import io
import re

import pytest
import time_machine
import zxingcpp
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from PIL import Image

from tests.month import home
from zhili.audit.models import Entry
from zhili.claims.tests.test_phone import browser
from zhili.common.errors import NotAllowed
from zhili.common.masking import scan_public
from zhili.people.actions import print_cards, reissue_card
from zhili.people.cards import old_card, without_card
from zhili.people.errors import PeopleError
from zhili.people.models import CardPrint, Household, HouseholdChange
from zhili.people.queries import card_url, find_by_card
from zhili.places.models import VillageSettings
from zhili.web.print import PrintError
from zhili.web.print.cards import Card, CardSheet, cards_pdf
from zhili.web.print.render import compile_png, plain, qr_svg

from .test_print import DAY, PHONE, _reader, _squeezed, _text


@pytest.fixture(autouse=True)
def _now():
    with time_machine.travel("2026-10-20 10:00:00+08:00", tick=True):
        yield


def _cards(count: int, **changes) -> CardSheet:
    cards = [
        Card(f"{1001 + n}", "演示乙", "1组", f"https://zhili.example/m/card/{'a' * 18}{n:04d}/", 1)
        for n in range(count)
    ]
    return CardSheet("谭家沟村", DAY, cards, phone=PHONE, **changes)


def _embedded(pdf: bytes) -> bool:
    """Every font of every page lies in the file."""
    fonts = [
        font.get_object()
        for page in _reader(pdf).pages
        for font in page["/Resources"]["/Font"].values()  # type: ignore[index]
    ]
    inner = [one["/DescendantFonts"][0].get_object() if "/DescendantFonts" in one else one for one in fonts]
    return bool(inner) and all({"/FontFile2", "/FontFile3"} & set(one["/FontDescriptor"]) for one in inner)


@pytest.mark.parametrize(
    ("count", "backs", "pages"), [(1, True, 2), (10, True, 2), (11, True, 4), (23, False, 3)]
)
def test_ten_cards_a_sheet(count, backs, pages):
    """U-30: page counts, selectable text, embedded fonts, no digits of a person."""
    pdf = cards_pdf(_cards(count, backs=backs))
    reader = _reader(pdf)
    assert len(reader.pages) == pages and _embedded(pdf)
    front = _squeezed(reader.pages[0].extract_text())
    assert (
        front.count("户编号") == 2 * min(count, 10)
        and "演示乙" in front
        and "1组" in front
        and "谭家沟村" in front
    )
    if backs:
        back = _squeezed(reader.pages[1].extract_text())
        assert back.count("卡只认户，不是钱") == min(count, 10) and "旧卡当场作废" in back and PHONE in back
    text = "\n".join(page.extract_text() for page in reader.pages).replace(PHONE, "")
    assert not [leak for leak in scan_public(text) if leak.blocks]


def test_the_code_on_the_card_is_read_by_a_scanner():
    """U-22: zxing reads each of ten codes from the sheet as it is printed."""
    sheet = _cards(10, backs=False)
    data = plain(sheet) | {
        "cards": [plain(one) | {"qr_svg": qr_svg(one.url), "size": 36} for one in sheet.cards]
    }
    page = compile_png("cards.typ", data, title="x", printed_on=DAY, ppi=150)[0]
    found = {code.text for code in zxingcpp.read_barcodes(Image.open(io.BytesIO(page)))}
    assert found == {card.url for card in sheet.cards}


def test_names_and_numbers_of_any_length_stay_on_their_card():
    """U-30, M-04: long names and numbers are printed, hostile text is only text."""
    cards = [
        Card("XB-2026-0001", "阿依古丽·买买提明", "第十二村民小组", "https://a.b/x"),
        Card("7", "#panic()", "", ""),
    ]
    text = _text(cards_pdf(CardSheet("谭家沟村", DAY, cards)))
    assert "阿依古丽·买买提明" in text and "XB-2026-0001" in text and "#panic()" in text
    with pytest.raises(PrintError):
        cards_pdf(CardSheet("谭家沟村", DAY, [Card("1", "甲", "1组", "tel:13800138000")]))


# ---- printing and revoking


def test_a_card_printed_again_is_a_new_card(cast):
    """U-30, N-07: the old token finds nothing from then on; the trail has it without a token."""
    old = cast.household.card_token
    first = print_cards(by=cast.clerk, place=cast.place, households=[cast.household])
    assert first.renewed == 0 and first.households[0].card_token == old
    with pytest.raises(PeopleError, match="旧卡就作废"):
        print_cards(by=cast.clerk, place=cast.place, households=[cast.household], reason=" ")
    again = print_cards(by=cast.clerk, place=cast.place, households=[cast.household], reason="遗失")
    new = again.households[0].card_token
    assert again.renewed == 1 and new != old
    assert find_by_card(cast.place, old) is None and find_by_card(cast.place, new) == cast.household
    assert HouseholdChange.objects.filter(kind="card", basis="遗失").count() == 1
    rows = Entry.objects.filter(action="people.print_cards").order_by("at", "id")
    assert [row.detail for row in rows] == [{"count": 1, "renewed": 0}, {"count": 1, "renewed": 1}]


def test_an_old_card_is_told_in_words_to_staff_alone(cast):
    """U-30: who holds it under a scanner learns what to do; a stranger learns nothing."""
    print_cards(by=cast.clerk, place=cast.place, households=[cast.household])
    cast.household.refresh_from_db()
    address, token = card_url(cast.household), cast.household.card_token
    assert old_card(cast.place, address) == ""
    print_cards(by=cast.clerk, place=cast.place, households=[cast.household], reason="遗失")
    words = old_card(cast.place, address)
    assert "1001 户的旧卡" in words and "已作废" in words and token not in words
    assert (
        old_card(cast.next_place, address)
        == old_card(cast.place, "x" * 22)
        == old_card(cast.place, "1001")
        == ""
    )
    page = browser(cast.clerk).get(reverse("m_card", args=[token]))
    assert page.status_code == 400 and "旧卡已作废" in page.content.decode()
    for person in (cast.villager, cast.stranger_clerk, cast.bank):
        page = browser(person).get(reverse("m_card", args=[token]))
        assert page.status_code == 404 and "旧卡" not in page.content.decode()
    assert "旧卡已作废" in browser(cast.clerk).get("/m/field/", {"q": address}).content.decode()


def test_who_may_print_and_what(cast):
    """U-30, A-07: the clerk of this village, households of this village that are open; all or none."""
    foreign = cast.stranger.resident.household
    for person in (cast.group_leader, cast.supervisor, cast.villager, cast.stranger_clerk, cast.township):
        with pytest.raises(NotAllowed):
            print_cards(by=person, place=cast.place, households=[cast.household])
    with pytest.raises(PeopleError, match="不是本村的户"):
        print_cards(by=cast.clerk, place=cast.place, households=[cast.household, foreign])
    with pytest.raises(PeopleError, match="没有要打印的户"):
        print_cards(by=cast.clerk, place=cast.place, households=[])
    Household.objects.filter(code="3001", place=cast.place).update(status="closed", closed_on="2026-10-01")
    with pytest.raises(PeopleError, match="3001 户已经不在册"):
        print_cards(by=cast.clerk, place=cast.place, households=[cast.household, home(cast, "3001")])
    assert not CardPrint.objects.exists()


def test_a_reissued_card_counts_as_not_printed(cast):
    """U-30: after 换积分卡 on the household's page the new card waits to be printed, without a second revocation."""
    print_cards(by=cast.clerk, place=cast.place, households=[cast.household])
    assert cast.household not in without_card(cast.place)
    made = reissue_card(by=cast.clerk, household=cast.household, reason="磨损")
    assert cast.household in without_card(cast.place)
    assert (
        print_cards(by=cast.clerk, place=cast.place, households=[made]).households[0].card_token
        == made.card_token
    )


def test_statements_do_not_grow_with_the_cards(cast):
    """U-30: ten households cost what one does."""
    homes = list(Household.objects.filter(place=cast.place))
    print_cards(by=cast.clerk, place=cast.place, households=homes)
    counts = []
    for some in (homes[:1], homes[:1], homes):
        with CaptureQueriesContext(connection) as caught:
            print_cards(by=cast.clerk, place=cast.place, households=some, reason="重打")
        counts.append(len(caught))
    assert counts[1] == counts[2] < 20


def test_the_page_prints_lists_and_checks(cast):
    """U-30 through HTTP: the new ones, one that was lost, a group; the list says what is in use."""
    VillageSettings.objects.filter(place=cast.place).update(demo=False)
    client, path = browser(cast.clerk), f"/desk/{cast.place}/cards/"
    page = client.get(path).content.decode()
    assert "<strong>11</strong>" not in page and "户没有打印过卡" in page
    made = client.post(path, {"what": "new", "group": "1组", "backs": "on"})
    assert made["Content-Type"] == "application/pdf" and len(_reader(made.content).pages) == 2
    text = _squeezed("".join(one.extract_text() for one in _reader(made.content).pages))
    assert "1001" in text and "演示乙" in text and "2001" not in text
    lost = client.post(path, {"what": "household", "household": "1001", "reason": ""})
    assert (
        lost.status_code == 422
        and "旧卡就作废" in lost.content.decode()
        and 'value="1001"' in lost.content.decode()
    )
    old = Household.objects.get(pk=cast.household.pk).card_token
    assert (
        client.post(path, {"what": "household", "household": "1001", "reason": "遗失"})["Content-Type"]
        == "application/pdf"
    )
    for data, words in (
        ({"what": "household", "household": old, "reason": "遗失"}, "旧卡"),
        ({"what": "household", "household": "9999"}, "没有找到这一户"),
        ({"what": "group"}, "没有选组"),
        ({"what": "new", "group": "1组"}, "没有还没打印过的户"),
        ({"what": "all"}, "打印哪些"),
    ):
        answer = client.post(path, data)
        assert answer.status_code == 422 and words in answer.content.decode(), data
    page = client.get(path, {"q": "1001"}).content.decode()
    assert "在用" in page and "已作废" in page and str(cast.clerk) in page
    assert "已作废" in client.get(path, {"card": old}).content.decode()
    assert "现在的卡（第 2 张）" in client.get(path, {"card": "1001"}).content.decode()
    assert "没有这张卡" in client.get(path, {"card": "x" * 22}).content.decode()
    for person in (cast.group_leader, cast.supervisor, cast.stranger_clerk, cast.villager):
        assert browser(person).get(path).status_code in (403, 404)


def test_where_no_paper_comes_out_no_card_is_dead(cast, monkeypatch):
    """U-30: a failed print rolls the new token back."""
    print_cards(by=cast.clerk, place=cast.place, households=[cast.household])
    before = Household.objects.get(pk=cast.household.pk).card_token
    monkeypatch.setenv("ZHILI_URL", "x")
    from django.conf import settings

    monkeypatch.setattr(settings, "PUBLIC_URL", "https://13800138000.example")
    answer = browser(cast.clerk).post(
        f"/desk/{cast.place}/cards/", {"what": "household", "household": "1001", "reason": "遗失"}
    )
    assert answer.status_code == 422 and re.search("二维码里有", answer.content.decode())
    assert Household.objects.get(pk=cast.household.pk).card_token == before
