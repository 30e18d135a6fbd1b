"""What leaves the house: a letter to the township's mailbox, a file for another machine, a line for the operator.

The message is written in the transaction of the deed it tells of (`send`), so neither exists without the other. The
worker sends it afterwards (`deliver_due`): each message is taken by one worker only (SKIP LOCKED), tried again with
growing pauses, and given up after TRIES_MAX. If the machine dies between the mail server's "250 accepted" and our
commit, the message goes out a second time with the same Message-ID: at least once, and recognisable.

How each kind is sent is a function by dotted path (settings.OUTBOX), `deliver(message) -> None`. It raises Refused
where trying again is useless, anything else where it may help.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from zhili.common.clock import now
from zhili.common.errors import ZhiliError
from zhili.common.leaks import scan_public
from zhili.common.models import Message
from zhili.common.scope import EVERYWHERE, scoped

TRIES_MAX: Final = 8
PAUSES: Final = tuple(timedelta(minutes=m) for m in (1, 5, 30, 120, 360, 720, 1440))
TEXT_MAX: Final = 200_000
FILES_MAX: Final = 4
_FILE_NAME: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,79}")
log = logging.getLogger(__name__)


class OutboxError(ZhiliError):
    """The message cannot be sent like this."""


class Refused(Exception):
    """The other side will never take this message."""


def send(
    *,
    place: str,
    kind: str,
    to: str,
    subject: str = "",
    body: str = "",
    files: Iterable[tuple[str, str]] = (),
    key: str | None = None,
    due: datetime | None = None,
) -> Message:
    """Put one message into the outbox, in the caller's transaction. The same `key` is the same message, once.

    files: (plain ASCII name, text). Raises OutboxError for an unknown kind, a line break in an address or a
    subject, too much text, and for digits of a person: nothing in the outbox is encrypted.
    """
    attached = [{"name": name, "text": text} for name, text in files]
    if kind not in settings.OUTBOX:
        raise OutboxError(f"没有“{kind[:20]}”这种外发方式")
    if not to or len(to) > 200 or re.search(r"[\r\n\0]", to + subject):
        raise OutboxError("收件地址或标题不能用", hint="地址不能空着，也不能换行。")
    if sum(len(one["text"]) for one in attached) + len(body) > TEXT_MAX or len(attached) > FILES_MAX:
        raise OutboxError(f"外发内容太长，最多 {TEXT_MAX} 个字、{FILES_MAX} 个附件")
    if any(not _FILE_NAME.fullmatch(one["name"]) for one in attached):
        raise OutboxError("附件的名字只能用字母、数字、点和横线")
    if any(
        leak.blocks
        for text in (subject, body, *(one["text"] for one in attached))
        for leak in scan_public(text)
    ):
        raise OutboxError("外发内容里有证件号、电话或银行卡号", hint="请删掉这些号码再发。")
    row = {
        "place": place, "kind": kind, "to": to, "subject": subject[:200], "body": body, "files": attached,
        "due": due or now(),
    }  # fmt: skip
    if key is None:
        return Message.objects.create(**row)
    # ON CONFLICT, so that two writers of the same key do not break each other's transaction.
    Message.objects.bulk_create([Message(**row, key=key)], ignore_conflicts=True)
    return Message.objects.get(key=key)


def deliver_due(limit: int = 50) -> dict[str, int]:
    """Send what is due, up to `limit` messages. Returns {"sent": n, "again": n, "failed": n}."""
    counts = {"sent": 0, "again": 0, "failed": 0}
    for _ in range(limit):
        outcome = _deliver_one()
        if outcome is None:
            break
        counts[outcome] += 1
    return counts


def _deliver_one() -> str | None:
    """Take one due message that no other worker holds, and send it while holding it."""
    with scoped(EVERYWHERE):
        message = (
            Message.objects.select_for_update(skip_locked=True)
            .filter(state=Message.State.WAITING, due__lte=now())
            .order_by("due", "id")
            .first()
        )
        if message is None:
            return None
        message.tries += 1
        try:
            with scoped(message.place):
                import_string(settings.OUTBOX[message.kind])(message)
        except Exception as error:
            # An adapter talks to strangers: whatever it raises must not stop the others.
            final = isinstance(error, Refused) or message.tries >= TRIES_MAX
            message.error = type(error).__name__[:120]
            log.warning(
                "message not sent",
                extra={"message_id": message.pk, "kind": message.kind, "tries": message.tries},
            )
            if final:
                message.state = Message.State.FAILED
            else:
                message.due = now() + PAUSES[min(message.tries, len(PAUSES)) - 1]
            message.save()
            return "failed" if final else "again"
        message.state, message.sent_at, message.error = Message.State.SENT, now(), ""
        message.save()
        return "sent"


def backlog() -> Mapping[str, int]:
    """How many messages wait, are late by an hour, or were given up; over all places. For the health page."""
    with scoped(EVERYWHERE), transaction.atomic():
        waiting = Message.objects.filter(state=Message.State.WAITING)
        return {
            "waiting": waiting.count(),
            "late": waiting.filter(due__lt=now() - timedelta(hours=1)).count(),
            "failed": Message.objects.filter(state=Message.State.FAILED).count(),
        }
