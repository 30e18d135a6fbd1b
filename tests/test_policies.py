"""Every view declares who may open it, and no view lets in someone its policy does not name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
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
    parts = []
    for piece in route.split("/"):
        if piece.startswith("<"):
            kind, _, name = piece.strip("<>").rpartition(":")
            piece = PLACEHOLDERS.get(name) or PLACEHOLDERS[kind or "str"]
        parts.append(piece)
    return "/" + "/".join(parts)


ROUTES = sorted(patterns(), key=lambda pair: pair[0])


@pytest.mark.parametrize("route, pattern", ROUTES, ids=[route for route, _ in ROUTES])
def test_every_view_declares_a_policy(route: str, pattern: URLPattern):
    """A-01: an undeclared view fails the build."""
    assert getattr(pattern.callback, "policy", None), f"{route} declares no policy (common/policy.py)"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "route, pattern",
    [(r, p) for r, p in ROUTES if getattr(getattr(p.callback, "policy", None), "name", "open") != "open"],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nobody_without_log_in_gets_past_a_closed_view(route: str, pattern: URLPattern, cast):
    """A-01, A-02: anonymous is sent to the log-in page, by GET and by POST, and sees nothing."""
    for method in ("get", "post"):
        answer = getattr(Client(), method)(example(route))
        assert answer.status_code in (302, 403, 404, 405), f"{method} {route}: {answer.status_code}"
        if answer.status_code == 302:
            assert answer["Location"].startswith("/login/")
