"""How a message leaves: by SMTP, as a file for another machine to fetch, or on the operator's terminal."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from zhili.common.models import Message
from zhili.common.outbox import Refused

_FOLDER = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,60}")


def mail(message: Message) -> None:
    """One mail through settings.OUTBOX_SMTP; its Message-ID is the message's own, whichever try it is."""
    server = settings.OUTBOX_SMTP
    if not server:
        raise Refused("no mail server is set (ZHILI_SMTP)")
    connection = get_connection("django.core.mail.backends.smtp.EmailBackend", timeout=20, **server)
    letter = EmailMessage(
        subject=message.subject,
        body=message.body,
        from_email=settings.OUTBOX_FROM,
        to=[message.to],
        headers={"Message-ID": f"<{message.pk}@zhili>", "Auto-Submitted": "auto-generated"},
        connection=connection,
    )
    for one in message.files:
        letter.attach(one["name"], one["text"], "text/plain")
    letter.send()


def file_drop(message: Message) -> None:
    """Files in settings.OUTBOX_DROP/<to>/, written whole or not at all; a second try writes the same again.

    The folder is one another machine fetches from, or a mounted share outside the database administrator's reach.
    """
    if not _FOLDER.fullmatch(message.to):
        raise Refused("not a folder name")
    folder = Path(settings.OUTBOX_DROP) / message.to
    folder.mkdir(parents=True, exist_ok=True)
    files = message.files or [{"name": f"{message.pk}.txt", "text": f"{message.subject}\n\n{message.body}\n"}]
    for one in files:
        target = folder / one["name"]
        temporary = target.with_name(f".{one['name']}.{message.pk}")
        with temporary.open("w", encoding="utf-8") as out:
            out.write(one["text"])
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(target)
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def console(message: Message) -> None:
    """One line for whoever watches the terminal; never the text."""
    print(f"outbox: {message.kind} {message.pk} {message.subject}", file=sys.stderr)
