"""W-06: the one way out. Against a real local server."""

from __future__ import annotations

import ast
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from zhili.common.outgoing import BODY_MAX, OutgoingError, read_origins, send

ROOT = Path(__file__).resolve().parents[2]


class Stand(BaseHTTPRequestHandler):
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/secret")
            self.end_headers()
            return
        size = BODY_MAX + 10 if self.path == "/large" else 2
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.write(b"o" * size)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def stand(settings):
    Stand.asked = []
    server = HTTPServer(("127.0.0.1", 0), Stand)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    settings.OUTGOING_ORIGINS = read_origins(url)
    yield url
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_an_origin_written_down_is_reached(stand):
    """W-06"""
    answer = send(f"{stand}/ok?x=1", method="POST", body=b"{}")
    assert (answer.status, answer.body) == (200, b"oo")
    assert Stand.asked == ["/ok?x=1"]


def test_nothing_else_is_reached(stand, settings, monkeypatch):
    """W-06: another port, another name for the same machine, another scheme, credentials in the address."""
    port = stand.rsplit(":", 1)[1]
    for url in (
        f"http://localhost:{port}/ok", f"http://127.0.0.2:{port}/ok", f"https://127.0.0.1:{port}/ok",
        "http://127.0.0.1:1/ok", f"http://u:p@127.0.0.1:{port}/ok", "file:///etc/passwd", f"http://[::1]:{port}/",
        f"http://2130706433:{port}/ok", "ftp://127.0.0.1/", "//127.0.0.1/", "",
    ):  # fmt: skip
        with pytest.raises(OutgoingError):
            send(url)
    assert Stand.asked == []


def test_a_redirect_is_not_followed(stand):
    """W-06"""
    with pytest.raises(OutgoingError, match="转到别的地址"):
        send(f"{stand}/away")
    assert Stand.asked == ["/away"]


def test_an_answer_too_large_is_dropped(stand):
    """W-06"""
    with pytest.raises(OutgoingError, match="太大"):
        send(f"{stand}/large")


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.8", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
     "::1", "fe80::1", "fc00::1", "::ffff:10.0.0.1", "224.0.0.1"],
)  # fmt: skip
def test_a_name_that_points_inside_is_refused(settings, monkeypatch, address):
    """W-06: also where only one of several addresses is an inner one; the name server is the one thing replaced."""
    settings.OUTGOING_ORIGINS = read_origins("https://gateway.example")
    kind = socket.AF_INET6 if ":" in address else socket.AF_INET
    answers = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("1.1.1.1", 443)), (kind, socket.SOCK_STREAM, 6, "", (address, 443)),
    ]  # fmt: skip
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: answers)
    with pytest.raises(OutgoingError, match="内部网络"):
        send("https://gateway.example/send")


def test_proxies_of_the_environment_are_not_used(stand, monkeypatch):
    """W-06"""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert send(f"{stand}/ok").status == 200


def test_a_server_that_is_down_is_said_in_words(settings):
    """W-06: the query, which may hold a key, is in no message."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        settings.OUTGOING_ORIGINS = read_origins(url)
        with pytest.raises(OutgoingError) as caught:
            send(f"{url}/x?secret=abc", seconds=1)
    assert "abc" not in str(caught.value)
    with pytest.raises(OutgoingError, match="GET 和 POST"):
        send(url, method="DELETE")


@pytest.mark.parametrize(
    "text",
    [
        "gateway.example",
        "http://gateway.example",
        "https://a.b/path",
        "ftp://1.2.3.4",
        "https://u:p@a.b",
        "*",
    ],
)
def test_what_is_no_origin_stops_the_start(text):
    """W-06: plain http only to a number, never to a name."""
    with pytest.raises(ValueError, match="ZHILI_OUTGOING"):
        read_origins(text)


def test_nobody_goes_out_another_way():
    """W-06: no module but common/outgoing.py opens a connection to the outside."""
    ways = {"urllib.request", "http.client", "requests", "httpx", "aiohttp", "urllib3", "ftplib", "telnetlib"}
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        if "tests" in path.parts or path.name == "outgoing.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
            found += [f"{path.relative_to(ROOT)}: {name}" for name in names if name in ways]
    assert found == []
