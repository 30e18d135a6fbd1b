"""留痕 at the desk: who sees what, in which words (O-01, O-04, A-09)."""

from __future__ import annotations

import io
from types import SimpleNamespace

import openpyxl
import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.cast import COUNTY, NEXT_VILLAGE, TOWNSHIP, VILLAGE
from zhili.audit.actions import record
from zhili.audit.models import Entry
from zhili.audit.tests.conftest import link_now
from zhili.common.scope import scoped
from zhili.people.models import Membership

READERS = {
    VILLAGE: {"supervisor", "audit_admin", "security_admin"},
    TOWNSHIP: {"audit_admin", "security_admin"},
    COUNTY: {"audit_admin", "security_admin"},
}
EVERYBODY = ("villager", "head", "group_leader", "clerk", "reviewer", "elder", "supervisor", "shopkeeper", "stranger",
             "stranger_clerk", "township", "county", "bank", "system_admin", "security_admin", "audit_admin")  # fmt: skip


def page(user: object, place: str = VILLAGE, **query: str):
    client = Client()
    client.force_login(user)
    return client.get(f"/desk/{place}/trail/", query)


@pytest.fixture
def trail(cast: SimpleNamespace) -> SimpleNamespace:
    with scoped("511702"):
        record(
            "claims.review",
            by=cast.reviewer2,
            place=VILLAGE,
            target=cast.household,
            reason="看过现场",
            count=3,
        )
        record(
            "people.unmask", by=cast.clerk, place=VILLAGE, target=cast.villager.resident, reason="核对补贴"
        )
        record("claims.submit", by=cast.clerk, place=VILLAGE, on_behalf_of=cast.villager.resident.pk)
        record("notices.close", by=None, place=NEXT_VILLAGE, outcome="failed", reason="邻村的事")
    return cast


@pytest.mark.parametrize("place", [VILLAGE, TOWNSHIP, COUNTY])
def test_who_may_read(trail: SimpleNamespace, place: str) -> None:
    """O-04, A-02: sixteen people on three levels; whoever is not listed gets the same refusal as for nothing at all."""
    for name in EVERYBODY:
        status = page(getattr(trail, name), place).status_code
        assert (status == 200) == (name in READERS[place]), (name, place, status)
        assert status in (200, 403, 404)
    assert Client().get(f"/desk/{place}/trail/").status_code == 302


def test_a_supervisor_of_another_village(trail: SimpleNamespace) -> None:
    """A-02: a supervisor next door reads nothing of this village, and this village's nothing of next door."""
    Membership.objects.create(
        user=trail.stranger, role="supervisor", place=NEXT_VILLAGE, valid_from="2020-01-01"
    )
    assert page(trail.stranger, VILLAGE).status_code == 404
    text = page(trail.supervisor).content.decode().split("<tbody>")[1]
    assert "看过现场" in text and "邻村的事" not in text


def test_words_not_codes(trail: SimpleNamespace) -> None:
    """O-01, A-09: who, what, on what, how it ended, from where, in Chinese; 乙 代 甲 where one acted for another."""
    text = page(trail.supervisor).content.decode()
    for word in ("评议", "看过现场", "查看完整号码", "核对补贴", "办成", "演示丁 代 演示甲", "演示己", "户"):
        assert word in text
    for code in ("claims.review", "people.unmask", "people.household", "denied", "failed"):
        assert f">{code}" not in text
    assert "登录" not in text.split("<tbody>")[1], "log-ins are not a village's business"
    county = page(trail.audit_admin, COUNTY).content.decode().split("<tbody>")[1]
    assert "登录" in county and "邻村的事" in county


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ({"kind": "unmask"}, "核对补贴", "看过现场"),
        ({"kind": "acting"}, "代 演示甲", "看过现场"),
        ({"action": "claims.review"}, "看过现场", "核对补贴"),
        ({"who": "演示丁"}, "核对补贴", "看过现场"),
        ({"who": "CLERK"}, "核对补贴", "看过现场"),
        ({"outcome": "failed"}, "没有符合条件的", "看过现场"),
        ({"until": "2020-01-01"}, "没有符合条件的", "看过现场"),
        ({"since": "2020-01-01"}, "看过现场", "没有符合条件的"),
        ({"since": "不是日子"}, "看不懂", "没有符合条件的"),
        ({"kind": "'; DROP TABLE"}, "看不懂", "没有符合条件的"),
    ],
)
def test_filters(trail: SimpleNamespace, query: dict[str, str], shown: str, hidden: str) -> None:
    """O-01: by day, person, kind, action and outcome; nonsense is said and not obeyed."""
    text = page(trail.supervisor, **query).content.decode()
    assert shown in text and hidden not in text


def test_export_is_words_and_is_written_down(trail: SimpleNamespace) -> None:
    """O-01: the workbook shows what the page shows, and taking it away is itself a row."""
    book = openpyxl.load_workbook(io.BytesIO(page(trail.audit_admin, VILLAGE, export="xlsx").content))
    cells = [str(cell.value) for row in book.active.iter_rows() for cell in row if cell.value is not None]
    assert "查看完整号码" in cells and "UTC+08:00" in cells and "claims.review" not in cells
    assert Entry.objects.get(action="audit.export").detail["count"] >= 3
    assert page(trail.clerk, VILLAGE, export="xlsx").status_code in (403, 404)


def test_checking_the_chain_from_the_page(trail: SimpleNamespace) -> None:
    """T-08: the page says whether the trail is whole; a POST by somebody else is refused."""
    link_now()
    client = Client()
    client.force_login(trail.audit_admin)
    link_now()
    assert "留痕完整" in client.post(f"/desk/{VILLAGE}/trail/").content.decode()
    client.force_login(trail.clerk)
    assert client.post(f"/desk/{VILLAGE}/trail/").status_code == 403


def test_the_list_costs_the_same_for_any_length(
    trail: SimpleNamespace, django_assert_max_num_queries
) -> None:
    """U-52: the number of statements does not grow with the rows."""
    client = Client()
    client.force_login(trail.supervisor)
    with django_assert_max_num_queries(40) as few:
        client.get(f"/desk/{VILLAGE}/trail/")
    with scoped("511702"):
        for _ in range(30):
            record("claims.review", by=trail.clerk, place=VILLAGE)
    with django_assert_max_num_queries(40) as many:
        client.get(f"/desk/{VILLAGE}/trail/")
    assert len(many) == len(few)


def names(patterns: list[URLPattern | URLResolver]) -> list[str]:
    found = []
    for one in patterns:
        found += names(one.url_patterns) if isinstance(one, URLResolver) else [f"{one.pattern} {one.name}"]
    return found


def test_nothing_in_the_product_switches_it_off() -> None:
    """O-04: no address of the product is about changing, clearing or stopping the trail: one page reads it."""
    about = [name for name in names(get_resolver().url_patterns) if "trail" in name or "audit" in name]
    assert sorted(about) == [
        "<str:place>/audit/anchors.jsonl open_audit_anchors",
        "<str:place>/trail/ desk_trail",
    ]
