"""Journeys through several days: the real server on each of them, a browser for each person, nothing from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from playwright.sync_api import Page

from tests import browser as tools

ROOT = Path(__file__).resolve().parents[1]
PLACE = "511702109200"
PASSWORD = "journey-2026-pass"


@contextmanager
def day(village: SimpleNamespace, moment: str) -> Iterator[Callable[..., Page]]:
    """The product served on that day; the function opens a page for one person (None: nobody in particular)."""
    port = tools.free_port()
    url = f"http://127.0.0.1:{port}"
    env = {**os.environ, "ZHILI_DATABASE": village.database}
    log = (ROOT / ".cache" / f"journey-{port}.log").open("w+")
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.serve_at", f"{moment}+08:00", str(port)],
        cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT,
    )  # fmt: skip
    contexts = []
    try:
        tools._wait(url, server, log)

        def as_person(username: str | None, size: str = "1280") -> Page:
            context = tools.context_of(village.chromium, url, size)
            contexts.append(context)
            page = tools.watched(context)
            if username:
                page.goto("/login/")
                page.fill("input[name=login]", username)
                page.fill("input[name=password]", PASSWORD)
                page.get_by_role("button", name="登录", exact=True).click()
                page.wait_for_load_state()
            return page

        yield as_person
    finally:
        for context in contexts:
            assert context.outside == []  # type: ignore[attr-defined]
            context.close()
        server.terminate()
        server.wait(10)
        log.close()


def fill(page: Page, **values: str) -> None:
    """Fill named fields."""
    for name, value in values.items():
        page.fill(f"main [name={name}]", value)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).first.click()
    page.wait_for_load_state()
