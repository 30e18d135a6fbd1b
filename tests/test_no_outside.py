"""Nothing at run time asks anybody outside: not a page, not a style sheet, not the server (W-10, P-18)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLACE = "511702109200"
# Who looks at what: the main pages of every face.
PAGES = {
    None: ["/", "/login/", "/places/", "/health", f"/open/{PLACE}/", f"/open/{PLACE}/ledger/", f"/open/{PLACE}/receipt/",
           f"/open/{PLACE}/rules/", f"/open/{PLACE}/notices/", f"/open/{PLACE}/privacy/", f"/open/{PLACE}/promises/",
           "/nothing/here/"],
    "villager": ["/m/", "/m/claims/", "/m/claims/new/", "/m/notice/", "/m/me/"],
    "group_leader": ["/m/", "/m/field/"],
    "clerk": [f"/desk/{PLACE}/", f"/desk/{PLACE}/claims/", f"/desk/{PLACE}/reviews/", f"/desk/{PLACE}/notices/",
              f"/desk/{PLACE}/ledger/", f"/desk/{PLACE}/households/", f"/desk/{PLACE}/rulebooks/"],
    "supervisor": [f"/desk/{PLACE}/objections/", f"/desk/{PLACE}/privacy/"],
    "township": [f"/desk/{PLACE}/"],
}  # fmt: skip
# What a page would load by itself; a link somebody may follow and the name of an XML language are neither.
LOADS = re.compile(
    r"""(?:<(?:script|img|iframe|source|video|audio|embed|object|input)\b[^>]*?\b(?:src|srcset|data|poster)"""
    r"""|<link\b[^>]*?\bhref|<use\b[^>]*?\bhref|<form\b[^>]*?\baction)\s*=\s*["']?\s*(?:https?:)?//(?!127\.0\.0\.1)""",
    re.I,
)
STYLE_LOADS = re.compile(r"""(?:url\(|@import)\s*["']?\s*(?:https?:)?//""", re.I)
SCRIPT_LOADS = re.compile(
    r"""(?:fetch|importScripts|import|sendBeacon|WebSocket|EventSource|Worker)\s*\(\s*["'`](?:https?:|wss?:)?//"""
    r"""|\.src\s*=\s*["'`](?:https?:)?//""",
    re.I,
)


@pytest.mark.browser
def test_the_main_pages_ask_nobody_outside(open_page):
    """W-10, P-18: the network is cut at 127.0.0.1; no page even tries to leave it."""
    seen = 0
    for who, paths in PAGES.items():
        for path in paths:
            page = open_page(path, as_=who, size="1280" if path.startswith("/desk/") else "360")
            page.wait_for_load_state("networkidle")
            outside = page.context.outside
            assert outside == [], f"{path}: {outside}"
            assert page.locator(".refused").count() == (path == "/nothing/here/"), f"{who} cannot open {path}"
            page.context.close()
            seen += 1
    assert seen == sum(map(len, PAGES.values()))


def shipped(*endings: str) -> list[Path]:
    return [
        p
        for p in (ROOT / "zhili").rglob("*")
        if p.suffix in endings and ("templates" in p.parts or "static" in p.parts)
    ]


def test_no_template_loads_from_outside():
    """W-10: no address of another host where a page would fetch it."""
    found = [
        f"{p.relative_to(ROOT)}: {m[0][-60:]}"
        for p in shipped(".html", ".svg")
        for m in LOADS.finditer(p.read_text(encoding="utf-8"))
    ]
    assert found == [] and len(shipped(".html")) > 100


def test_no_style_or_script_loads_from_outside():
    """W-10: ours and the vendors', as they are served."""
    styles, scripts = shipped(".css"), shipped(".js")
    found = [f"{p.name}: {m[0]}" for p in styles for m in STYLE_LOADS.finditer(p.read_text(encoding="utf-8"))]
    found += [
        f"{p.name}: {m[0]}" for p in scripts for m in SCRIPT_LOADS.finditer(p.read_text(encoding="utf-8"))
    ]
    assert found == []
    assert {"weui.css", "tabler.css", "echarts.js"} <= {p.name for p in styles + scripts}


@pytest.mark.parametrize(
    "pattern, text",
    [
        (LOADS, '<script defer src="https://cdn.example/x.js">'), (LOADS, '<link rel=preload href=//fonts.example/a>'),
        (LOADS, '<img alt="" src = "http://example/x.png">'), (LOADS, '<form method=post action="https://example/">'),
        (STYLE_LOADS, '@import "//fonts.example/css"'), (STYLE_LOADS, "background:url( 'https://e.example/a.png')"),
        (SCRIPT_LOADS, "fetch('https://e.example/x')"), (SCRIPT_LOADS, 'new WebSocket("wss://e.example")'),
        (SCRIPT_LOADS, 'i.src = "//e.example/x.gif"'),
    ],
)  # fmt: skip
def test_the_scan_would_see_it(pattern, text):
    """W-10: a check that cannot fail is none."""
    assert pattern.search(text)


CRAWL = """
import sys
asked = []
def watch(event, arguments):
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            asked.append(str(address))
            raise OSError("no way out")
    elif event == "socket.getaddrinfo" and arguments[0] not in (None, "127.0.0.1", "::1", "localhost"):
        asked.append(str(arguments[0]))
        raise OSError("no way out")
sys.addaudithook(watch)
import django
django.setup()
import socket
try:
    socket.create_connection(("outside.example", 80), 1)
except OSError:
    pass
assert asked == ["outside.example"], asked
asked.clear()
from zhili.config.setup import ready
ready(migrate=False)
from django.conf import settings
settings.SECOND_FACTOR = "optional"
from django.test import Client
from django.urls import get_resolver
from zhili.common.scope import scoped
from zhili.people.models import User
from tests.test_policies import ROUTES, example
count = good = 0
for name in (None, "clerk"):
    client = Client(raise_request_exception=False)
    if name:
        with scoped("*"):
            client.force_login(User.objects.get(username=name))
    for route, pattern in ROUTES:
        answer = client.get(example(route))
        b"".join(answer.streaming_content) if answer.streaming else answer.content
        count += 1
        good += answer.status_code == 200
from zhili.config.worker import turn
turn(daily_too=True)
print(count, good, asked)
"""


@pytest.mark.processes
def test_the_server_asks_nobody_outside(own_database, django_db_blocker):
    """W-10, P-18: every page of every face without log-in and as the clerk, a round of the worker, the way out barred."""
    from django.db import connection, transaction

    from tests.cast import make_cast
    from zhili.common.scope import set_scope

    with django_db_blocker.unblock():
        kept = connection.settings_dict["NAME"]
        connection.close()
        connection.settings_dict["NAME"] = own_database
        try:
            with transaction.atomic():
                set_scope(["511702"])
                make_cast()
        finally:
            connection.close()
            connection.settings_dict["NAME"] = kept
    done = subprocess.run(
        [sys.executable, "-c", CRAWL], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "ZHILI_DATABASE": own_database, "DJANGO_SETTINGS_MODULE": "zhili.config.settings"},
    )  # fmt: skip
    said = done.stdout.split(maxsplit=2)
    assert done.returncode == 0 and said[2].strip() == "[]", done.stdout + done.stderr[-2000:]
    assert int(said[0]) > 300 and int(said[1]) > 60, done.stdout
