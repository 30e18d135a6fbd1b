"""Looking: the pages and the API a person has, through the whole product (middleware, permission, row security)."""

from __future__ import annotations

from typing import Any

from django.test import Client

from tests.simulator.perform import performs

ROOT = "/api/v1"


def bodies(client: Client, paths: list[str], **more: Any) -> list[tuple[str, int, str]]:
    """(path, status, text) of each."""
    from django.core.cache import cache

    found = []
    for path in paths:
        cache.clear()  # the rate is not what is looked at
        response = client.get(path, **more)
        content = b"".join(response.streaming_content) if response.streaming else response.content  # type: ignore[attr-defined]
        found.append((path, response.status_code, content.decode("utf-8", "replace")))
    return found


def key_for(username: str) -> str:
    """The key to the API that world.py gave this person: it follows from the name."""
    from base64 import urlsafe_b64encode
    from hashlib import sha256

    from zhili.people.tokens import PREFIX

    return PREFIX + urlsafe_b64encode(sha256(username.encode()).digest()).rstrip(b"=").decode()


@performs
def look(by: str, paths: list[str]) -> list[tuple[str, int, str]]:
    """Somebody signed in, over the API."""
    return bodies(
        Client(raise_request_exception=True), paths, headers={"Authorization": f"Bearer {key_for(by)}"}
    )


@performs
def look_open(paths: list[str]) -> list[tuple[str, int, str]]:
    """Anybody, at the open pages."""
    return bodies(Client(raise_request_exception=True), paths)


@performs
def poster_text(place: str, period: str) -> str:
    """The text of the A3 poster as it is printed."""
    from tests.simulator.perform import nobody, the_notice
    from zhili.notices.queries import poster_data

    with nobody(place):
        return str(poster_data(the_notice(place, period)))


@performs
def agree_everywhere(by: str, place: str, period: str, house: str) -> dict[str, Any]:
    """The same month as the books, the API, the passbook and the totals tell it (L-14)."""
    import json

    from tests.simulator.perform import home, person
    from zhili.ledger.queries import balances, balances_of_village, period_totals, statement, village_totals
    from zhili.people.models import Household

    key = key_for(by)
    with person(by):
        one = home(place, house)
        passbook = {purse: statement(place, one.pk, purse=purse) for purse in ("merit", "spend")}
        now = balances(place, [one.pk])
        every = balances_of_village(place)
        months = period_totals(place, [period])
        whole = village_totals(place, [period])
        houses = list(Household.objects.filter(place=place))
    paths = [f"{ROOT}/households/{one.pk}/balances", f"{ROOT}/villages/{place}/totals?period={period}"]
    answers = bodies(Client(), paths, headers={"Authorization": f"Bearer {key}"})
    rows, totals = (json.loads(text) for _, _, text in answers)
    totals = totals["items"] if isinstance(totals, dict) else totals
    purses = ("merit", "spend")
    return {
        "passbook": {purse: page.closing for purse, page in passbook.items()},
        "lines": {
            purse: page.opening + sum(one.points for one in page.entries) for purse, page in passbook.items()
        },
        "balances": {purse: now[one.pk, purse].balance for purse in purses},
        "api": {
            purse: hundredths(next((row["balance"] for row in rows if row["purse"] == purse), "0"))
            for purse in purses
        },
        "households": {
            purse: sum(total.net for (who, _, held), total in months.items() if held == purse and who)
            for purse in purses
        },
        "whole": {purse: whole[period, purse].net if (period, purse) in whole else 0 for purse in purses},
        "api_totals": {
            purse: sum(hundredths(row["net"]) for row in totals if row["purse"] == purse) for purse in purses
        },
        "shown": {house.code: every[house.pk, "spend"].balance for house in houses},
    }


def hundredths(text: str) -> int:
    from decimal import Decimal

    return int(Decimal(text) * 100)
