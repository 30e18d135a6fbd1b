"""A county's SMS platform that takes JSON over https, signed (HMAC-SHA256 by default).

The request: POST {"phone", "template", "sign", "params": {"code"}, "request_id"}, headers X-Key, X-Time (seconds),
X-Signature = hex HMAC-SHA256(secret, "<time>\\n<body>"). Success is a 2xx whose JSON has no "code", or "code" 0, "0",
"OK" or 200. A platform that signs otherwise gets a function of its own by settings.SMS["signer"]. The request takes
the one way out (common/outgoing.py), so ZHILI_OUTGOING must name the platform too.
"""

from __future__ import annotations

import hmac
import json
from typing import Any, Final

from django.conf import settings
from django.utils.module_loading import import_string

from zhili.common.clock import now
from zhili.common.ids import uuid7
from zhili.common.outgoing import OutgoingError
from zhili.common.outgoing import send as go_out

GOOD: Final = (None, 0, "0", "OK", 200, "200")
TIMEOUT: Final = 10


class SmsError(Exception):
    """The platform did not take it; the text holds no number and no code."""


def send(number: str, code: str) -> None:
    """Hand one code over. Raises SmsError; settings.SMS: url, key, secret, template, sign, optional signer."""
    told: dict[str, Any] = settings.SMS
    if not told.get("url"):
        raise SmsError("settings.SMS has no url (ZHILI_SMS_URL)")
    body = json.dumps(
        {
            "phone": number, "template": told.get("template", ""), "sign": told.get("sign", ""),
            "params": {"code": code}, "request_id": str(uuid7()),
        },
        ensure_ascii=False,
    ).encode()  # fmt: skip
    signer = import_string(told["signer"]) if told.get("signer") else sign
    try:
        answer = go_out(
            told["url"], method="POST", body=body, seconds=TIMEOUT,
            headers={"Content-Type": "application/json", **signer(told, body)},
        )  # fmt: skip
        found = json.loads(answer.body) if answer.body else {}
    except (OutgoingError, ValueError) as error:
        raise SmsError(type(error).__name__) from None
    said = found.get("code") if isinstance(found, dict) else "unreadable"
    if not 200 <= answer.status < 300 or said not in GOOD:
        raise SmsError(f"refused: {answer.status} {str(said)[:40]}")


def sign(told: dict[str, Any], body: bytes) -> dict[str, str]:
    """Headers that prove who sends this body now."""
    at = str(int(now().timestamp()))
    mac = hmac.digest(str(told.get("secret", "")).encode(), at.encode() + b"\n" + body, "sha256")
    return {"X-Key": str(told.get("key", "")), "X-Time": at, "X-Signature": mac.hex()}
