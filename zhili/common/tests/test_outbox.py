"""What leaves the house leaves once, keeps trying within limits, and carries no digit of a person."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import timedelta

import pytest
import time_machine
from django.db import transaction

from zhili.common import outbox
from zhili.common.clock import now
from zhili.common.models import Message
from zhili.common.outbox import OutboxError, Refused, backlog, deliver_due, send
from zhili.common.outbox_adapters import file_drop

PLACE = "511702109200"
SENT: list[str] = []


def takes(message: Message) -> None:
    SENT.append(str(message.pk))


def breaks(message: Message) -> None:
    SENT.append(str(message.pk))
    raise ConnectionResetError("13800138000 gone")


def refuses(message: Message) -> None:
    raise Refused("no such mailbox")


@pytest.fixture(autouse=True)
def _adapters(settings) -> None:
    SENT.clear()
    here = "zhili.common.tests.test_outbox"
    settings.OUTBOX = {
        **settings.OUTBOX, "takes": f"{here}.takes", "breaks": f"{here}.breaks", "refuses": f"{here}.refuses",
    }  # fmt: skip


def put(kind: str = "takes", **more: object) -> Message:
    return send(**{"place": PLACE, "kind": kind, "to": "x", "subject": "指纹", "body": "正文", **more})


@pytest.mark.parametrize(
    "bad",
    [
        {"kind": "nobody"},
        {"to": ""},
        {"to": "a@b\nBcc: c@d"},
        {"subject": "一\r\nBcc: c@d"},
        {"to": "x" * 201},
        {"body": "长" * 200_001},
        {"body": "他的电话是 13800138000"},
        {"subject": "身份证 11010519491231002X"},
        {"files": [("a.txt", "13800138000")]},
        {"files": [("../a.txt", "x")]},
        {"files": [("a b.txt", "x")]},
        {"files": [(".a", "x")]},
        {"files": [("a.txt", "x")] * 5},
    ],
)
def test_bad_messages_are_refused_when_written(db: None, bad: dict) -> None:
    """O-03: header injection, paths, too much and digits of a person never get into the outbox."""
    with pytest.raises(OutboxError):
        put(**bad)
    assert not Message.objects.exists()


def test_sent_once_and_only_when_due(db: None) -> None:
    """T-05: a due message goes out once; one for tomorrow waits."""
    one = put()
    put(due=now() + timedelta(days=1))
    assert deliver_due() == {"sent": 1, "again": 0, "failed": 0}
    assert deliver_due() == {"sent": 0, "again": 0, "failed": 0}
    assert [str(one.pk)] == SENT
    assert backlog() == {"waiting": 1, "late": 0, "failed": 0}


def test_the_same_key_is_one_message(db: None) -> None:
    """C-12: whoever writes the same message twice writes it once, with its first text."""
    assert put(key="a").pk == put(key="a", body="别的").pk
    assert Message.objects.count() == 1 and Message.objects.get().body == "正文"


def test_growing_pauses_then_given_up(db: None) -> None:
    """O-03: tried TRIES_MAX times with growing pauses; the stored reason is a kind of error, never its words."""
    message = put("breaks")
    waits = []
    with time_machine.travel(now(), tick=False) as clock:
        for _ in range(outbox.TRIES_MAX):
            deliver_due()
            message.refresh_from_db()
            waits.append(message.due - now())
            assert deliver_due() == {"sent": 0, "again": 0, "failed": 0}, "not before its pause is over"
            clock.shift(message.due - now())
    assert message.state == "failed" and message.tries == outbox.TRIES_MAX and len(SENT) == outbox.TRIES_MAX
    assert waits[:-1] == sorted(set(waits[:-1])) and message.error == "ConnectionResetError"
    assert deliver_due()["failed"] == 0 and backlog()["failed"] == 1


def test_a_refusal_is_final_and_others_go_on(db: None) -> None:
    """T-05: one message nobody will ever take does not hold up the rest."""
    put("refuses")
    put("breaks")
    put()
    assert deliver_due() == {"sent": 1, "again": 1, "failed": 1}


def test_undone_deed_leaves_no_message(db: None) -> None:
    """C-13: the message belongs to its deed's transaction."""
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        put()
        1 / 0  # noqa: B018
    assert deliver_due()["sent"] == 0


def test_mail_without_a_server_is_said_not_hidden(db: None, settings) -> None:
    """T-05: with no mail server set, the message is marked as not sent, not as sent."""
    settings.OUTBOX_SMTP = {}
    message = put("mail", to="zhen@example.org")
    assert deliver_due() == {"sent": 0, "again": 0, "failed": 1}
    message.refresh_from_db()
    assert message.get_state_display() == "没有发出" and message.sent_at is None


@pytest.mark.parametrize("folder", ["..", "../x", "/tmp", "a/b", "", ".x", "好"])
def test_file_drop_stays_in_its_folder(db: None, settings, tmp_path, folder: str) -> None:
    """O-03: the folder is a plain name below the drop, whatever the message says."""
    settings.OUTBOX_DROP = tmp_path / "drop"
    with pytest.raises(Refused):
        file_drop(Message(place=PLACE, kind="file", to=folder, files=[{"name": "a", "text": "x"}]))
    assert not (tmp_path / "drop").exists()


def test_file_drop_writes_whole_files_and_the_same_again(db: None, settings, tmp_path) -> None:
    """T-05: a second try leaves the same file, no half one beside it."""
    settings.OUTBOX_DROP = tmp_path
    message = Message(place=PLACE, kind="file", to="511702109", files=[{"name": "a.jsonl", "text": "一\n"}])
    file_drop(message)
    file_drop(message)
    assert [p.name for p in (tmp_path / "511702109").iterdir()] == ["a.jsonl"]
    assert (tmp_path / "511702109" / "a.jsonl").read_text(encoding="utf-8") == "一\n"


def run(name: str, database: str, tmp_path) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "zhili.common.tests.twice", name, str(tmp_path)], capture_output=True, text=True,
        timeout=120, env={**os.environ, "ZHILI_DATABASE": database},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.processes
def test_two_workers_at_once_send_each_message_once(own_database: str, tmp_path) -> None:
    """C-12, T-05: three real workers over sixty messages; every message goes out once, and all share the work."""
    found = run("outbox", own_database, tmp_path)
    times = Counter(found["sent"])
    assert len(times) == 60 and set(times.values()) == {1}
    assert found["states"] == {"sent": 60} and len(set(found["workers"])) > 1
