"""Looking in for support (A-10): a banner, a reason, a row for every page, half an hour; and nothing can be done there."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import rules
import time_machine
from django.test import Client
from django.urls import get_resolver, reverse

from tests.books import make_book
from tests.month import approve, claim_for
from zhili.audit.models import Entry
from zhili.claims.models import Claim, Review
from zhili.common.errors import NotAllowed, ZhiliError
from zhili.common.ids import uuid7
from zhili.common.policy import SUPPORT_SEES, may
from zhili.people.consent_actions import answer_consents
from zhili.people.models import Consent, User
from zhili.shop import actions as shop_actions
from zhili.shop.models import Order
from zhili.shop.tests.stage import SOAP, open_for
from zhili.web import support

pytestmark = pytest.mark.django_db
DAY = datetime(2026, 10, 20, 2, 0, tzinfo=UTC)


def looking_in(cast: SimpleNamespace, whom: User, reason: str = "电话求助，看不到申报按钮") -> Client:
    client = Client()
    client.force_login(cast.system_admin)
    client.post(reverse("support"), {"username": whom.username, "reason": reason})
    return client


def supported(cast: SimpleNamespace, whom: User) -> User:
    """The person as the views get it while somebody looks in."""
    found = User.objects.get(pk=whom.pk)
    found.supported_by = cast.system_admin
    return found


def test_a_banner_on_every_page_and_both_persons_on_record(cast: SimpleNamespace) -> None:
    """A-10: the villager's own pages, with a strip that says so; who looked, as whom, why and at what, in the trail."""
    client = looking_in(cast, cast.villager)
    for path in ("/m/", "/m/me/", "/m/help/"):
        page = client.get(path, follow=True).content.decode()
        assert "查看方式：您看到的是" in page and "只能看，不能办事" in page, path
    start = Entry.objects.get(action="accounts.support_start")
    assert (start.actor_id, start.target) == (cast.system_admin.pk, f"people.user:{cast.villager.pk}")
    assert start.detail["reason"] == "电话求助，看不到申报按钮"
    views = Entry.objects.filter(action="accounts.support_view")
    assert views.count() >= 3
    assert {(one.actor_id, one.target) for one in views} == {
        (cast.system_admin.pk, f"people.user:{cast.villager.pk}")
    }


def test_every_form_of_every_page_is_refused(cast: SimpleNamespace) -> None:
    """A-10: walked from the URLconf: whatever is sent, of any page that needs no key and of a sample that does."""
    open_for(cast)
    client = looking_in(cast, cast.villager)
    paths = {f"/{route}" for route in _routes(get_resolver()) if "<" not in route and "(" not in route}
    paths |= {
        reverse("m_mydata_ask", args=[cast.villager.resident_id, "delete"]),
        reverse("m_consents_of", args=[cast.villager.resident_id]),
        f"/desk/{cast.place}/notices/open/", f"/desk/{cast.place}/claims/review/",
    }  # fmt: skip
    spared = {reverse("support_end"), reverse("account_logout")}
    tried = 0
    for path in sorted(paths - spared):
        if path.startswith(("/api/", "/open/", "/static/")):
            continue
        answer = client.post(path, {"x": "1"})
        assert answer.status_code in (403, 404, 405) or path == "/support/", (path, answer.status_code)
        tried += answer.status_code == 403
    assert tried > 25
    assert "查看方式下不能办事" in client.post("/m/consents/", {"x": "1"}).content.decode()


def _routes(resolver: Any, before: str = "") -> list[str]:
    found = []
    for one in resolver.url_patterns:
        here = before + str(one.pattern)
        found += _routes(one, here) if hasattr(one, "url_patterns") else [here]
    return found


def test_no_deed_is_open_to_who_looks_in(cast: SimpleNamespace) -> None:
    """A-10: of all permissions of all rooms only those to look hold, whoever is looked at."""
    for name in ("villager", "clerk", "reviewer", "elder", "supervisor", "shopkeeper", "township", "county"):
        whom = supported(cast, getattr(cast, name))
        for permission in set(rules.permissions.permissions) - SUPPORT_SEES:
            for place in (None, cast.place):
                assert not may(whom, permission, place), (name, permission)
    assert not [
        one
        for one in SUPPORT_SEES
        if not one.rsplit(".", 1)[1].startswith(("see", "read", "desk", "objections"))
    ]


def test_the_actions_themselves_refuse(cast: SimpleNamespace) -> None:
    """A-10: claiming, reviewing, consenting and redeeming as somebody else, called directly: refused, nothing written."""
    with time_machine.travel(date(2026, 10, 20), tick=True):
        make_book(cast)
        claim = claim_for(cast)
        shop = open_for(cast)
        claims, reviews, consents = Claim.objects.count(), Review.objects.count(), Consent.objects.count()
        with pytest.raises(ZhiliError):
            claim_for(cast, by=supported(cast, cast.villager))
        with pytest.raises(ZhiliError):
            approve(SimpleNamespace(**{**vars(cast), "reviewer2": supported(cast, cast.reviewer2),
                                       "reviewer3": supported(cast, cast.reviewer3)}), claim)  # fmt: skip
        with pytest.raises(ZhiliError):
            answer_consents(by=supported(cast, cast.clerk), resident=cast.villager.resident,
                            answers={"phone_sms": True}, channel="paper", paper_number="S-1")  # fmt: skip
        with pytest.raises(ZhiliError):
            shop_actions.redeem(
                by=supported(cast, cast.shopkeeper), id=uuid7(), shop=shop.shop, household=cast.household,
                wanted=[shop_actions.Wanted(shop.soap.pk, 1, SOAP)],
            )  # fmt: skip
    assert (Claim.objects.count(), Review.objects.count(), Consent.objects.count()) == (
        claims,
        reviews,
        consents,
    )
    assert not Order.objects.exists()


@pytest.mark.parametrize("name", ["m_mydata_xlsx", "m_mydata_pdf"])
def test_no_file_of_a_person_leaves(cast: SimpleNamespace, name: str) -> None:
    """A-10: neither copies nor exports nor pictures."""
    client = looking_in(cast, cast.villager)
    answer = client.get(reverse(name, args=[cast.villager.resident_id]))
    assert answer.status_code == 403
    assert client.get(reverse("m_mydata_copy", args=[cast.villager.resident_id])).status_code == 403
    assert client.get(reverse("m_passbook_pdf")).status_code == 403
    assert client.get("/m/?export=xlsx").status_code == 403
    assert not Entry.objects.filter(action="privacy.copy").exists()


@pytest.mark.parametrize(
    "who", ["villager", "clerk", "supervisor", "county", "security_admin", "audit_admin"]
)
def test_only_the_system_administrator_may(cast: SimpleNamespace, who: str) -> None:
    """A-10, A-07: nobody else, and not silently: the page itself is refused."""
    client = Client()
    client.force_login(getattr(cast, who))
    assert (
        client.post(reverse("support"), {"username": "villager", "reason": "看看他家的分"}).status_code == 403
    )
    assert support.KEY not in client.session


def test_not_without_a_reason_not_an_administrator_not_oneself(cast: SimpleNamespace) -> None:
    """A-10: three administrators watch each other; a reason is a sentence."""
    for whom in (cast.security_admin, cast.audit_admin, cast.system_admin):
        with pytest.raises(NotAllowed):
            support.start(by=cast.system_admin, user=whom, reason="电话求助，看不到按钮")
    assert support.KEY not in looking_in(cast, cast.villager, reason=" 看 ").session


def test_it_ends_after_half_an_hour_and_by_the_button(cast: SimpleNamespace) -> None:
    """A-10: then the page is the administrator's own again, and the end is on record too."""
    with time_machine.travel(DAY, tick=True):
        client = looking_in(cast, cast.villager)
        assert "查看方式" in client.get("/m/").content.decode()
    with time_machine.travel(DAY + timedelta(minutes=29), tick=True):
        assert "查看方式" in client.get("/m/").content.decode()
    with time_machine.travel(DAY + timedelta(minutes=31), tick=True):
        assert "查看方式" not in client.get("/m/", follow=True).content.decode()
        assert support.KEY not in client.session
    again = looking_in(cast, cast.villager)
    again.post(reverse("support_end"))
    assert support.KEY not in again.session
    assert Entry.objects.filter(action="accounts.support_end").count() == 2
