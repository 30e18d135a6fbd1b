"""物品 at the desk: adding, changing, hostile pictures, the public picture, slow movers, suppliers, the workbook."""

from __future__ import annotations

import io
import os
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import openpyxl
import pytest
import time_machine
from django.conf import settings as live
from django.test import Client
from PIL import Image

from zhili.audit.models import Entry
from zhili.claims.tests.test_phone import browser
from zhili.common.errors import NotAllowed
from zhili.common.ids import uuid7
from zhili.common.periods import today
from zhili.common.photos import PhotoError, metadata_segments
from zhili.shop import actions
from zhili.shop.errors import Conflict, ShopError
from zhili.shop.models import Good, Supplier
from zhili.shop.tests.stage import bought, open_for


@pytest.fixture(autouse=True)
def _now():
    with time_machine.travel("2026-11-25 10:00:00+08:00", tick=True) as clock:
        yield clock


@pytest.fixture(autouse=True)
def _photo_root(settings, tmp_path):
    settings.PHOTO_ROOT = tmp_path / "photos"


@pytest.fixture
def shop(cast: SimpleNamespace) -> SimpleNamespace:
    found = open_for(cast)
    found.desk = f"/desk/{cast.place}/shop"
    return found


def text_of(answer) -> str:
    return answer.content.decode()


def picture(kind: str = "JPEG", size: tuple[int, int] = (400, 300), **more) -> io.BytesIO:
    data = io.BytesIO()
    Image.new("RGB", size, (30, 120, 60)).save(data, kind, **more)
    data.seek(0)
    data.name = f"../../etc/{kind}.jpg"
    return data


def body(**changes) -> dict:
    return {
        "code": "C01",
        "title": "洗衣粉 1 公斤",
        "category": "日用",
        "unit": "袋",
        "limit_count": "2",
        "limit_period": "month",
        "supplier": "",
    } | changes


def files() -> list[Path]:
    return sorted(p for p in Path(live.PHOTO_ROOT).rglob("*") if p.is_file())


def test_a_good_is_added_with_its_limit_and_an_empty_shelf(shop: SimpleNamespace):
    answer = browser(shop.cast.shopkeeper).post(f"{shop.desk}/{shop.shop.pk}/goods/add/", body(), follow=True)
    good = Good.objects.get(code="C01")
    assert "添加好了" in text_of(answer) and "洗衣粉" in text_of(answer) and "每月 2袋" in text_of(answer)
    assert (good.stock, good.value_fen, good.limit_count, good.limit_period) == (0, 0, 2, "month")


@pytest.mark.parametrize(
    "change, words",
    [
        ({"code": ""}, "货号"),
        ({"code": "A01"}, "货号 A01 已经有了"),
        ({"code": "长" * 13}, "货号"),
        ({"title": ""}, "名称"),
        ({"title": "长" * 41}, "名称"),
        ({"unit": ""}, "单位"),
        ({"unit": "一大长条的袋子"}, "单位"),
        ({"limit_count": "-1"}, "每户最多"),
        ({"limit_count": "1000"}, "每户最多"),
        ({"limit_count": "两件"}, "每户最多"),
        ({"limit_period": "fortnight"}, "多久算一次"),
        ({"supplier": str(uuid7())}, "常用供货方"),
        ({"category": "长" * 21}, "类别"),
    ],
)
def test_a_good_that_cannot_be_is_refused_in_words(shop: SimpleNamespace, change: dict, words: str):
    """W-05: what was typed stays, nothing is written."""
    answer = browser(shop.cast.clerk).post(f"{shop.desk}/{shop.shop.pk}/goods/add/", body(**change))
    assert answer.status_code == 422 and words in text_of(answer) and "没有保存" in text_of(answer)
    assert "日用" in text_of(answer) or "category" in change
    assert Good.objects.count() == 2


def test_stock_price_and_code_are_no_fields_of_the_form(shop: SimpleNamespace):
    """C-18: extra fields have no effect on what only moves and lists may change."""
    url = f"{shop.desk}/goods/{shop.soap.pk}/edit/"
    browser(shop.cast.clerk).post(
        url,
        body(
            title="香皂大",
            stock="999",
            value_fen="0",
            reserved="3",
            code="ZZ",
            place="1",
            active="on",
            points="1",
        ),
    )
    good = Good.objects.get(pk=shop.soap.pk)
    assert (good.title, good.stock, good.value_fen, good.reserved, good.code) == (
        "香皂大",
        20,
        4_000,
        0,
        "A01",
    )
    assert good.place == shop.place


def test_a_good_off_the_shelf_is_not_offered(shop: SimpleNamespace):
    browser(shop.cast.clerk).post(f"{shop.desk}/goods/{shop.soap.pk}/edit/", body())
    with pytest.raises(ShopError, match="下架"):
        bought(shop)
    assert "香皂" not in text_of(Client().get(f"/open/{shop.place}/shop/"))


def test_a_picture_is_encoded_anew_and_says_nothing_of_the_phone(shop: SimpleNamespace):
    """F-01, F-02: no EXIF, no name of the file, a folder apart from evidence; the one before is gone."""
    exif = Image.Exif()
    exif[0x010F] = "PHONE-OF-A-PERSON"
    client, url = browser(shop.cast.shopkeeper), f"{shop.desk}/goods/{shop.soap.pk}/edit/"
    sent = picture(exif=exif)
    assert b"PHONE-OF-A-PERSON" in sent.getvalue()
    assert client.post(url, body(active="on", picture=sent)).status_code == 302
    good = Good.objects.get(pk=shop.soap.pk)
    shown = client.get(f"{shop.desk}/goods/{good.pk}/picture/")
    assert shown["Content-Type"] == "image/jpeg" and shown["X-Content-Type-Options"] == "nosniff"
    assert metadata_segments(shown.content) == [] and b"PHONE" not in shown.content
    assert len(client.get(f"{shop.desk}/goods/{good.pk}/picture/?small=1").content) < len(shown.content) + 1
    assert {p.parent.name for p in files()} == {shop.place} and {p.parent.parent.name for p in files()} == {
        "goods"
    }


def test_a_replaced_picture_leaves_no_file(shop: SimpleNamespace, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        actions.set_picture(by=shop.cast.clerk, good=shop.soap, data=picture().getvalue())
        actions.set_picture(by=shop.cast.clerk, good=shop.soap, data=picture(size=(80, 60)).getvalue())
    assert len(files()) == 2
    with django_capture_on_commit_callbacks(execute=True):
        actions.drop_picture(by=shop.cast.clerk, good=shop.soap)
    assert files() == [] and Good.objects.get(pk=shop.soap.pk).picture == ""


HOSTILE = {
    "page": b"<html><script>alert(1)</script></html>",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "polyglot": None,
    "bomb": None,
    "gif": b"GIF89a" + b"\0" * 40,
    "noise": os.urandom(200),
    "cut": None,
    "tiny": None,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_picture_changes_nothing(shop: SimpleNamespace, kind: str):
    """F-11, W-05: refused in words, the good and its words unchanged, no file left."""
    data = HOSTILE[kind]
    if kind == "polyglot":
        data = picture().getvalue() + b"<script>alert(1)</script>"
    if kind == "bomb":
        data = picture("PNG", (9000, 9000)).getvalue()
    if kind == "cut":
        data = picture().getvalue()[:300]
    if kind == "tiny":
        data = picture(size=(4, 4)).getvalue()
    file = io.BytesIO(data or b"")
    file.name = "a.jpg"
    answer = browser(shop.cast.clerk).post(
        f"{shop.desk}/goods/{shop.soap.pk}/edit/", body(title="改了名", active="on", picture=file)
    )
    assert answer.status_code == 422 and "没有保存" in text_of(answer) and "改了名" in text_of(answer)
    good = Good.objects.get(pk=shop.soap.pk)
    assert (good.title, good.picture, files()) == ("香皂", "", [])


def test_a_picture_is_public_only_while_the_good_stands_on_a_list(shop: SimpleNamespace):
    """What the open page shows may be fetched by anybody; nothing else of the folder may."""
    for good in (shop.soap, shop.rice):
        actions.set_picture(by=shop.cast.clerk, good=good, data=picture().getvalue())
    other = actions.add_good(by=shop.cast.clerk, shop=shop.shop, code="D01", title="没上价目的")
    actions.set_picture(by=shop.cast.clerk, good=other, data=picture().getvalue())

    def fetch(good: Good, place: str = shop.place) -> int:
        return Client().get(f"/open/{place}/shop/goods/{good.pk}.jpg").status_code

    assert fetch(shop.soap) == 200 and fetch(other) == 404
    assert fetch(shop.soap, shop.cast.next_place) == 404
    assert Client().get(f"/open/{shop.place}/shop/goods/{uuid7()}.jpg").status_code == 404
    actions.edit_good(by=shop.cast.clerk, good=shop.rice, active=False)
    assert fetch(shop.rice) == 404
    assert f"/open/{shop.place}/shop/goods/{shop.soap.pk}.jpg" in text_of(
        Client().get(f"/open/{shop.place}/shop/")
    )
    assert browser(shop.cast.villager).get(f"{shop.desk}/goods/{shop.soap.pk}/picture/").status_code == 403


@pytest.mark.parametrize("name", ["../../../etc/passwd", "..jpg", "/etc/passwd", "a.jpg", "x" * 80])
def test_a_picture_s_name_leads_nowhere_else(shop: SimpleNamespace, name: str):
    """Were the column ever written by other means, no other file of the machine is read."""
    Good.objects.filter(pk=shop.soap.pk).update(picture=name)
    assert Client().get(f"/open/{shop.place}/shop/goods/{shop.soap.pk}.jpg").status_code == 404


@pytest.mark.parametrize("who", ["villager", "supervisor", "stranger_clerk", "elder"])
def test_only_the_shop_s_people_change_goods(shop: SimpleNamespace, who: str):
    """A-01: the action itself refuses, whatever page asked."""
    by = getattr(shop.cast, who)
    for act in (
        lambda: actions.add_good(by=by, shop=shop.shop, code="X", title="X"),
        lambda: actions.edit_good(by=by, good=shop.soap, title="X"),
        lambda: actions.set_picture(by=by, good=shop.soap, data=b""),
        lambda: actions.drop_picture(by=by, good=shop.soap),
        lambda: actions.add_supplier(by=by, place=shop.place, title="店"),
    ):
        with pytest.raises(NotAllowed):
            act()


@pytest.mark.parametrize(
    "facts",
    [{"title": " "}, {"unit": ""}, {"limit_count": -1}, {"limit_period": "day"}, {"category": "长" * 21}],
)
def test_the_action_checks_what_a_form_would(shop: SimpleNamespace, facts: dict):
    with pytest.raises(ShopError):
        actions.edit_good(by=shop.cast.clerk, good=shop.soap, **facts)
    with pytest.raises(PhotoError):
        actions.set_picture(by=shop.cast.clerk, good=shop.soap, data=b"")


def test_the_table_sorts_filters_and_goes_to_excel(shop: SimpleNamespace):
    """U-52: the workbook holds what the screen shows, money as numbers; who took it stands in the log."""
    client = browser(shop.cast.clerk)
    page = text_of(client.get(f"{shop.desk}/goods/?sort=-value"))
    assert page.index("大米10斤") < page.index("香皂")
    page = text_of(client.get(f"{shop.desk}/goods/?category=日用"))
    assert "香皂" in page and "大米10斤" not in page
    assert "没有符合条件的" in text_of(client.get(f"{shop.desk}/goods/?q=酱油"))
    book = openpyxl.load_workbook(io.BytesIO(client.get(f"{shop.desk}/goods/?export=xlsx&sort=code").content))
    cells = [[cell for cell in row if cell is not None] for row in book.active.iter_rows(values_only=True)]
    soap = next(row for row in cells if "A01" in row)
    assert "香皂" in soap and 2 in soap and 40 in soap
    assert Entry.objects.filter(action="shop.export").count() == 1


def test_one_good_shows_every_move(shop: SimpleNamespace):
    bought(shop, 3)
    page = text_of(browser(shop.cast.supervisor).get(f"{shop.desk}/goods/{shop.soap.pk}/"))
    assert "+20" in page and "-3" in page and "兑换单 D-1" in page and "进-1" in page and "修改" not in page


def test_slow_movers_with_days_and_money(shop: SimpleNamespace, _now):
    """G-15: what nobody took, since when, how much money lies there."""
    bought(shop, 1)
    client = browser(shop.cast.shopkeeper)
    assert "没有滞销的" in text_of(client.get(f"{shop.desk}/slow/"))
    _now.move_to("2027-01-29 10:00:00+08:00")
    bought_again = today() - timedelta(days=65)
    client = browser(shop.cast.shopkeeper)
    page = text_of(client.get(f"{shop.desk}/slow/"))
    assert (
        "大米10斤" in page
        and "香皂" in page
        and '<td class="kind-number" data-label="多少天没人换">65</td>' in page
    )
    assert f"{bought_again:%Y-%m-%d}" in page and "压着 213.00 元" in page
    assert "没有滞销的" in text_of(client.get(f"{shop.desk}/slow/?days=90")) or "没有符合条件的" in text_of(
        client.get(f"{shop.desk}/slow/?days=90")
    )
    assert client.get(f"{shop.desk}/slow/?days=1%27").status_code == 200


def test_a_tie_of_a_supplier_is_declared_and_seen_by_the_supervisor(shop: SimpleNamespace):
    """G-15: supplier ≠ relative, or it is said; the log knows that, not whose."""
    client = browser(shop.cast.shopkeeper)
    client.post(
        f"{shop.desk}/suppliers/add/", {"title": "兴旺批发（演示）", "related_to": "店员的亲戚开的店"}
    )
    page = text_of(browser(shop.cast.supervisor).get(f"{shop.desk}/suppliers/"))
    assert "兴旺批发" in page and "提醒：店员的亲戚开的店" in page
    made = Supplier.objects.get()
    page = text_of(client.get(f"{shop.desk}/{shop.shop.pk}/in/"))
    assert "兴旺批发（演示）（有申报的关系）" in page
    client.post(f"{shop.desk}/suppliers/{made.pk}/", {"title": "兴旺批发（演示）", "related_to": ""})
    assert Supplier.objects.get().related_to == ""
    told = list(
        Entry.objects.filter(action__in=["shop.supplier", "shop.edit_supplier"])
        .order_by("id")
        .values_list("detail", flat=True)
    )
    assert [one["related"] for one in told] == [True, False] and "亲戚" not in str(told)


def test_two_suppliers_are_not_called_the_same(shop: SimpleNamespace):
    actions.add_supplier(by=shop.cast.clerk, place=shop.place, title="甲店")
    other = actions.add_supplier(by=shop.cast.clerk, place=shop.place, title="乙店")
    with pytest.raises(Conflict, match="已经有"):
        actions.edit_supplier(by=shop.cast.clerk, supplier=other, title="甲店", related_to="")
    answer = browser(shop.cast.clerk).post(
        f"{shop.desk}/suppliers/{other.pk}/", {"title": "", "related_to": "长" * 61}
    )
    assert answer.status_code == 422 and "没有保存" in text_of(answer)
