"""Fixtures of the journeys: one server and one browser for the whole run, on a database of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests import browser as tools


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All browser tests share one worker: one server, one Chromium."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One Chromium for the run."""
    # Playwright's sync interface runs a loop in this thread; Django would refuse its own ORM beside it.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = tools.launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def stage(django_db_blocker: Any) -> Iterator[SimpleNamespace]:
    """A database with the fixed cast and the real server on it.

    .url, .database, .cast, .session (username → session key), .inside() (a context in which the ORM works there).
    """
    from contextlib import contextmanager

    from django.db import connection, transaction

    from conftest import copy_database, drop_database
    from tests.cast import make_cast
    from tests.stage import fill
    from zhili.common.scope import set_scope

    name = f"{os.environ['ZHILI_DATABASE']}_stage"
    with django_db_blocker.unblock():
        copy_database(name)

    @contextmanager
    def inside(*prefixes: str) -> Iterator[None]:
        with django_db_blocker.unblock():
            was = connection.settings_dict["NAME"]
            connection.close()
            connection.settings_dict["NAME"] = name
            try:
                with transaction.atomic():
                    set_scope(prefixes or ("511702",))
                    yield
            finally:
                connection.close()
                connection.settings_dict["NAME"] = was

    with inside():
        cast = make_cast()
        fill(cast)
        people = {key: user for key, user in vars(cast).items() if hasattr(user, "username")}
        for user in people.values():
            user.set_password("zhili-demo-2026")
            user.save(update_fields=["password"])
        session = {key: tools.session_of(user) for key, user in people.items()}
    with tools.serving(name) as url:
        yield SimpleNamespace(url=url, database=name, cast=cast, session=session, inside=inside)
    with django_db_blocker.unblock():
        drop_database(name)


@pytest.fixture
def open_page(chromium: Browser, stage: SimpleNamespace) -> Iterator[Callable[..., Page]]:
    """open_page(path, as_="clerk", size="360", elder=False, javascript=True) → the page; all are closed at the end."""
    contexts: list[BrowserContext] = []

    def open_(
        path: str,
        *,
        as_: str | None = None,
        size: str = "360",
        elder: bool = False,
        javascript: bool = True,
        **more: Any,
    ) -> Page:
        context = tools.context_of(chromium, stage.url, size, javascript=javascript, **more)
        contexts.append(context)
        page = tools.watched(context)
        if as_:
            tools.log_in(page, stage.session[as_], stage.url)
        if elder:
            context.add_cookies([{"name": "elder", "value": "1", "url": stage.url}])
        page.goto(path)
        return page

    yield open_
    outside = [address for context in contexts for address in context.outside]  # type: ignore[attr-defined]
    for context in contexts:
        context.close()
    assert not outside, f"pages asked for addresses outside: {outside}"


@pytest.fixture(scope="session")
def demo(django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """A database with the demo in it, and what the command printed. Its tests share the xdist group "demo"."""
    from conftest import copy_database, drop_database
    from tests.demo import zhili

    name = f"{os.environ['ZHILI_DATABASE']}_demo"
    with django_db_blocker.unblock():
        copy_database(name)
    ran = zhili(name, "demo", "--no-serve", "--json")
    assert ran.returncode == 0, ran.stderr[-3000:]
    yield name, json.loads(ran.stdout)
    with django_db_blocker.unblock():
        drop_database(name)


@pytest.fixture(scope="session")
def site(demo: tuple[str, dict[str, Any]]) -> Iterator[str]:
    """The demo, served."""
    with tools.serving(demo[0]) as url:
        yield url
