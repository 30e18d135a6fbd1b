"""W-06, N-05: a code goes to the county's SMS platform by the one way out. Against a real local server."""

from __future__ import annotations

import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from zhili.common.outgoing import read_origins
from zhili.integrations.sms.http import SmsError, send

PHONE, CODE = "13800138000", "481516"


class Platform(BaseHTTPRequestHandler):
    got: list[tuple[dict[str, str], bytes]] = []
    answer: tuple[int, bytes] = (200, b'{"code": "OK"}')

    def do_POST(self) -> None:
        self.got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
        status, body = self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def platform(settings):
    Platform.got, Platform.answer = [], (200, b'{"code": "OK"}')
    server = HTTPServer(("127.0.0.1", 0), Platform)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    settings.OUTGOING_ORIGINS = read_origins(url)
    settings.SMS = {"url": f"{url}/send", "key": "k", "secret": "s3cret", "template": "T1", "sign": "同川"}
    yield Platform
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_the_platform_gets_number_and_code_signed(platform):
    """The body is signed with the secret, which itself does not travel."""
    send(PHONE, CODE)
    ((headers, body),) = platform.got
    told = json.loads(body)
    assert (told["phone"], told["params"], told["template"]) == (PHONE, {"code": CODE}, "T1")
    signed = hmac.digest(b"s3cret", headers["X-Time"].encode() + b"\n" + body, "sha256").hex()
    assert headers["X-Signature"] == signed and "s3cret" not in f"{headers}{body!r}"


@pytest.mark.parametrize(
    "answer",
    [
        (200, b'{"code": "LIMIT"}'), (200, b"<html>"), (200, b"[]"), (500, b""), (403, b"{}"), (302, b""),
    ],
)  # fmt: skip
def test_what_was_not_taken_is_an_error_without_number_and_code(platform, answer):
    platform.answer = answer
    with pytest.raises(SmsError) as caught:
        send(PHONE, CODE)
    assert PHONE not in str(caught.value) and CODE not in str(caught.value) and len(platform.got) == 1


def test_a_platform_nobody_allowed_is_not_asked(platform, settings):
    """W-06: what is not in ZHILI_OUTGOING is not reached, even where ZHILI_SMS_URL names it."""
    settings.OUTGOING_ORIGINS = ()
    with pytest.raises(SmsError):
        send(PHONE, CODE)
    assert platform.got == []


def test_without_an_address_it_says_which_setting_is_missing(settings):
    settings.SMS = {}
    with pytest.raises(SmsError, match="ZHILI_SMS_URL"):
        send(PHONE, CODE)
