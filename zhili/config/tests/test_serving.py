"""zhili serve: the address it listens on, said plainly when wrong; what the real server answers (W-02, W-08, U-14)."""

from __future__ import annotations

import os
import re
import urllib.error
import urllib.request

import pytest

from conftest import copy_database, drop_database
from tests.browser import serving
from zhili.config.serving import ServeError, parse_bind


@pytest.mark.parametrize(
    "text, expected",
    [("127.0.0.1:8000", ("127.0.0.1", 8000)), ("0.0.0.0:80", ("0.0.0.0", 80)), ("[::1]:9", ("::1", 9))],
)
def test_an_address_is_read(text, expected):
    assert parse_bind(text) == expected


@pytest.mark.parametrize(
    "text", ["", "8000", ":8000", "localhost", "localhost:", "a:0", "a:65536", "a:８０", "a:-1", "a:x"]
)
def test_a_wrong_address_is_refused_with_an_example(text):
    with pytest.raises(ServeError, match=r"127\.0\.0\.1:8000"):
        parse_bind(text)


@pytest.fixture(scope="module")
def server(django_db_blocker):
    name = f"{os.environ['ZHILI_DATABASE']}_serve"
    with django_db_blocker.unblock():
        copy_database(name)
    with serving(name) as url:
        yield url
    with django_db_blocker.unblock():
        drop_database(name)


def fetch(url: str, **headers: str):
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10)
    except urllib.error.HTTPError as error:
        return error


@pytest.mark.processes
def test_the_real_server_serves_pages_and_pressed_static_files(server):
    """U-14: what every phone page loads is compressed, named by its content and kept for a year."""
    page = fetch(f"{server}/login/")
    sheets = re.findall(r'href="(/static/[^"]+\.css)"', page.read().decode())
    assert page.status == 200 and len(sheets) == 3
    for sheet in sheets:
        answer = fetch(server + sheet, **{"Accept-Encoding": "gzip"})
        assert answer.headers["Content-Encoding"] == "gzip" and "immutable" in answer.headers["Cache-Control"]
        assert len(answer.read()) < 30_000


@pytest.mark.processes
def test_the_real_server_tells_nothing_about_itself(server):
    """W-08: no banner with a version; absent files and pages are plain 404."""
    for path in ("/login/", "/nothing/", "/static/nothing.css", "/static/../zhili/config/settings.py"):
        answer = fetch(server + path)
        assert not re.search(r"\d", answer.headers.get("Server") or ""), answer.headers["Server"]
        assert "Traceback" not in answer.read().decode(errors="replace")
    assert fetch(f"{server}/static/nothing.css").status == 404
