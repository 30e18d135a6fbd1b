"""Every view declares who may open it, and no view lets in someone its policy does not name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

PLACEHOLDERS = {
    "place": "511702109200",
    "str": "x1",
    "int": "1",
    "uuid": "019b0000-0000-7000-8000-000000000000",
    "slug": "x",
}


def patterns(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every URL pattern of the product with its whole route; the API's operations are checked in its own test."""
    for entry in (resolver or get_resolver()).url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            if not route.startswith("api/"):
                yield from patterns(entry, route)
        else:
            yield route, entry


def example(route: str) -> str:
    """A concrete path for a route, with ids that exist nowhere and the cast's village."""

    def put(hit: re.Match[str]) -> str:
        return PLACEHOLDERS.get(hit["name"]) or PLACEHOLDERS[hit["kind"] or "str"]

    return "/" + re.sub(r"<(?:(?P<kind>\w+):)?(?P<name>\w+)>", put, route)


ROUTES = sorted(patterns(), key=lambda pair: pair[0])
FILE = re.compile(r"\.[a-z]{2,5}$")


def policy_of(pattern: URLPattern) -> str:
    return getattr(getattr(pattern.callback, "policy", None), "name", "")


def test_every_view_declares_a_policy() -> None:
    """A-01: an undeclared view fails the build."""
    assert len(ROUTES) > 150
    found = [route for route, pattern in ROUTES if not policy_of(pattern)]
    assert found == [], f"no policy declared (common/policy.py): {found}"


def test_nobody_without_log_in_gets_past_a_closed_view(cast) -> None:
    """A-01, A-02: anonymous is sent to the log-in page, by GET and by POST, and sees nothing."""
    wrong = []
    closed = [route for route, pattern in ROUTES if policy_of(pattern) != "open"]
    for route in closed:
        for method in ("get", "post"):
            answer = getattr(Client(), method)(example(route))
            sent = answer.status_code == 302 and answer["Location"].startswith("/login/")
            if not sent and answer.status_code not in (403, 404, 405):
                wrong.append(f"{method} {route}: {answer.status_code} {answer.get('Location', '')}")
    assert len(closed) > 100 and wrong == []


def test_a_file_is_only_fetched(cast) -> None:
    """W-03, A-01: nothing is ever sent to the address of a paper, a sheet or a picture, by anybody."""
    wrong = []
    files = [route for route, _ in ROUTES if FILE.search(route)]
    for user in (None, cast.clerk, cast.villager):
        client = Client()
        if user:
            client.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
        for route in files:
            answer = client.post(example(route))
            sent = answer.status_code == 302 and answer["Location"].startswith("/login/")
            if answer.status_code not in (403, 405) and not sent:
                wrong.append(f"{route}: {answer.status_code}")
            if answer.status_code == 405:
                assert "POST" not in answer["Allow"] and "请退回上一页" in answer.content.decode()
    assert len(files) > 30 and wrong == []
