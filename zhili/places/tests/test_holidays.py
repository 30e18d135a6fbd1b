"""节假日: the county's own table over the published calendar; deadlines run by it (G-16)."""

from __future__ import annotations

from datetime import date

import pytest
from django.test import Client
from django.urls import reverse

from zhili.audit.models import Entry
from zhili.common.errors import NotAllowed, NotFound
from zhili.common.models import Holiday
from zhili.common.periods import today
from zhili.common.scope import set_scope
from zhili.notices.opening import holidays as calendar
from zhili.places.errors import PlaceError
from zhili.places.holidays import remove_holiday, set_holiday

YEAR = today().year + 1
DAY = date(YEAR, 10, 1)


def page_of(cast, person) -> tuple[Client, str]:
    client = Client()
    client.force_login(person)
    return client, reverse("desk_holidays", args=[cast.place])


def test_the_county_adds_and_removes_a_day(cast):
    client, address = page_of(cast, cast.county)
    assert "还没有填" in client.get(address).content.decode()
    form = {"day": DAY.isoformat(), "is_workday": "rest", "title": "国庆节"}
    assert client.post(address, form).status_code == 302
    assert calendar() == {DAY: False} and "国庆节" in client.get(address).content.decode()
    again = client.post(address, {**form, "is_workday": "work", "title": "改主意"})
    assert again.status_code == 422 and "已经填过" in again.content.decode() and calendar() == {DAY: False}
    assert client.post(address, {"remove": DAY.isoformat()}).status_code == 302
    assert calendar() == {}
    set_scope(["511702"])
    rows = Entry.objects.filter(target=f"holiday:{DAY}").order_by("at")
    assert [(row.action, row.place, row.actor_id) for row in rows] == [
        ("places.set_holiday", "511702", cast.county.pk),
        ("places.remove_holiday", "511702", cast.county.pk),
    ]


@pytest.mark.parametrize(
    "who", ["villager", "clerk", "township", "supervisor", "system_admin", "stranger_clerk", "bank"]
)
def test_nobody_else_touches_it(cast, who):
    person = getattr(cast, who)
    client, address = page_of(cast, person)
    for answer in (client.get(address), client.post(address, {"remove": DAY.isoformat()})):
        assert answer.status_code in (403, 404)
    with pytest.raises(NotAllowed, match="节假日"):
        set_holiday(by=person, place=cast.place, day=DAY, is_workday=False, title="x")
    with pytest.raises(NotAllowed):
        remove_holiday(by=person, place=cast.place, day=DAY)
    assert calendar() == {}


@pytest.mark.parametrize(
    "field, changes",
    [
        ("title", {"title": " "}), ("title", {"title": "长" * 41}),
        ("day", {"day": date(YEAR + 9, 1, 1)}), ("day", {"day": date(2001, 1, 1)}),
    ],
)  # fmt: skip
def test_nonsense_is_refused(cast, field, changes):
    facts = {"day": DAY, "is_workday": False, "title": "国庆节"} | changes
    with pytest.raises(PlaceError) as refused:
        set_holiday(by=cast.county, place=cast.place, **facts)
    assert refused.value.field == field and not Holiday.objects.exists()


@pytest.mark.parametrize(
    "form", [{}, {"day": "x"}, {"day": DAY.isoformat(), "title": "国庆", "is_workday": "?"}]
)
def test_a_bad_form_keeps_what_was_typed(cast, form):
    client, address = page_of(cast, cast.county)
    answer = client.post(address, form)
    assert answer.status_code == 422 and form.get("title", "") in answer.content.decode()
    assert calendar() == {}


def test_what_is_not_there_cannot_be_removed(cast):
    client, address = page_of(cast, cast.county)
    for text in (DAY.isoformat(), "x", "2026-13-01"):
        assert client.post(address, {"remove": text}).status_code == 404
    with pytest.raises(NotFound):
        remove_holiday(by=cast.county, place=cast.place, day=DAY)
    assert client.get(reverse("desk_holidays", args=["511703101200"])).status_code == 404
