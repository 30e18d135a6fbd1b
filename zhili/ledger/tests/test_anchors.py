"""Fingerprints go out every day to the page, to a file, by mail and onto the poster, all the same (T-05)."""

from __future__ import annotations

import email
import email.policy
import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import time_machine
from django.db import DatabaseError, connection, transaction
from django.test import Client

from tests.books import PLAIN_BOOK, make_book
from tests.cast import OTHER_TOWN_VILLAGE, TOWNSHIP, VILLAGE
from tests.month import approved
from zhili.audit import verify as trail_verify
from zhili.audit.models import Entry, Mailbox, PublishedHead
from zhili.audit.tests.conftest import link_now
from zhili.common.models import Message
from zhili.common.outbox import deliver_due
from zhili.common.periods import today
from zhili.common.scope import scoped
from zhili.config.smtp import read_smtp
from zhili.ledger.anchors import add_mailbox, mailboxes, offices, publish_heads, published, remove_mailbox
from zhili.ledger.errors import LedgerError
from zhili.ledger.queries import latest_head
from zhili.ledger.verify import read_anchors, verify
from zhili.notices.actions import close_notice, open_notice
from zhili.notices.queries import poster_data

MAILBOX = "zhen@example.org"


class MailServer(socketserver.ThreadingTCPServer):
    """A mail server of the township: speaks SMTP on a real port and keeps what it gets."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, answer: bytes = b"250 accepted\r\n") -> None:
        super().__init__(("127.0.0.1", 0), Session)
        self.letters: list[email.message.EmailMessage] = []
        self.answer = answer

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.server_address[1]}"


class Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            verb = line.strip().upper()
            if verb.startswith(b"DATA"):
                self.wfile.write(b"354 go on\r\n")
                lines = []
                while (text := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(text[1:] if text.startswith(b"..") else text)
                if self.server.answer.startswith(b"250"):
                    letter = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
                    self.server.letters.append(letter)
                self.wfile.write(self.server.answer)
            elif verb.startswith(b"QUIT"):
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


@pytest.fixture
def mail(settings) -> Iterator[MailServer]:
    with MailServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.OUTBOX_SMTP = read_smtp(server.url)
        settings.OUTBOX_FROM = "zhili@example.org"
        yield server
        server.shutdown()


@pytest.fixture
def month(cast: SimpleNamespace) -> SimpleNamespace:
    """A closed month, posted; and the next notice, whose poster carries the code."""
    with time_machine.travel("2026-10-25 10:00:00+08:00", tick=False):
        make_book(cast, PLAIN_BOOK)
        approved(cast, by=cast.clerk, household=cast.clerk.resident.household)
    with time_machine.travel("2026-11-02 09:00:00+08:00", tick=False):
        notice = open_notice(by=cast.clerk, place=VILLAGE, period="2026-10")
        approved(cast, by=cast.clerk, household=cast.clerk.resident.household, occurred_on=date(2026, 11, 1))
    with time_machine.travel("2026-11-12 09:00:00+08:00", tick=False):
        close_notice(by=cast.clerk, notice=notice)
    link_now()
    return cast


def publish(office: str = TOWNSHIP, day: date | None = None) -> int:
    with scoped(office):
        return publish_heads(office, day or today())


def drop(settings, tmp_path: Path) -> Path:
    settings.OUTBOX_DROP = tmp_path
    return tmp_path / TOWNSHIP


def test_page_file_mail_and_poster_say_the_same(month, mail: MailServer, settings, tmp_path: Path) -> None:
    """T-05: anchor file, mail, open page and the next poster carry the same code; both verify commands read the files."""
    folder = drop(settings, tmp_path)
    with scoped(TOWNSHIP):
        add_mailbox(TOWNSHIP, MAILBOX)
    assert publish() >= 2
    assert deliver_due() == {"sent": 2, "again": 0, "failed": 0}
    code = latest_head(VILLAGE).short
    ledger_file = (folder / f"zhili-ledger-{TOWNSHIP}-{today()}.jsonl").read_text(encoding="utf-8")
    trail_file = (folder / f"zhili-audit-{TOWNSHIP}-{today()}.jsonl").read_text(encoding="utf-8")
    assert code in ledger_file
    (letter,) = mail.letters
    assert code in letter.get_body().get_content() and letter["To"] == MAILBOX
    attached = {part.get_filename(): part.get_content() for part in letter.iter_attachments()}
    assert [text.replace("\r\n", "\n") for text in attached.values()] == [ledger_file, trail_file]
    page = Client().get(f"/open/{VILLAGE}/ledger/").content.decode()
    assert page.count(code) >= 2 and "每天公布的指纹" in page
    lines = Client().get(f"/open/{VILLAGE}/ledger/anchors.jsonl").content.decode()
    assert lines.strip() in ledger_file
    with time_machine.travel("2026-12-01 09:00:00+08:00", tick=False):
        poster = poster_data(open_notice(by=month.clerk, place=VILLAGE, period="2026-11"))
    assert poster["head_code"] == code == json.loads(lines)["code"]
    link_now()
    with scoped("*"):
        found = verify(anchors=read_anchors(ledger_file.splitlines()))
        assert found.ok and found.anchored
        trail = trail_verify.verify(anchors=trail_verify.read_anchors(trail_file.splitlines()))
        assert trail.ok and trail.anchored
        wrong = [line.replace(json.loads(line)["head"][:8], "00000000") for line in trail_file.splitlines()]
        assert not trail_verify.verify(anchors=trail_verify.read_anchors(wrong)).ok


def test_once_a_day_whoever_publishes(month, mail: MailServer, settings, tmp_path: Path) -> None:
    """T-05, C-12: a second run says nothing new and sends nothing; the first word of the day stands."""
    drop(settings, tmp_path)
    with scoped(TOWNSHIP):
        add_mailbox(TOWNSHIP, MAILBOX)
    publish()
    first = list(PublishedHead.objects.order_by("id").values_list("head", flat=True))
    deliver_due()
    publish()
    assert list(PublishedHead.objects.order_by("id").values_list("head", flat=True))[: len(first)] == first
    assert deliver_due() == {"sent": 0, "again": 0, "failed": 0} and len(mail.letters) == 1
    publish(day=today() + timedelta(days=1))
    assert deliver_due()["sent"] == 2 and len(published(VILLAGE, "ledger")) == 2


def test_the_trail_of_county_and_township_goes_out_too(month) -> None:
    """T-05, T-08: log-ins stand in the county's chain; the county publishes it, the township its own."""
    client = Client()
    client.force_login(month.clerk)
    link_now()
    found = offices()
    assert TOWNSHIP in found and "511702" in found
    with scoped("511702"):
        publish_heads("511702", today())
        rows = PublishedHead.objects.filter(place="511702")
        assert [row.book for row in rows] == ["audit"]
    text = Client().get("/open/511702/audit/anchors.jsonl").content.decode()
    assert json.loads(text)["place"] == "511702"


def test_nobody_elses_fingerprints_on_a_villages_page(month) -> None:
    """A-03: a village's open file holds its own lines, the next village's none of them, and no name anywhere."""
    publish()
    other = Client().get(f"/open/{OTHER_TOWN_VILLAGE}/ledger/anchors.jsonl")
    assert other.status_code == 200 and other.content == b""
    own = Client().get(f"/open/{VILLAGE}/audit/anchors.jsonl").content.decode()
    assert {json.loads(line)["place"] for line in own.splitlines()} == {VILLAGE}
    assert Client().get("/open/511702999999/ledger/anchors.jsonl").status_code == 404
    assert "演示" not in own


@pytest.mark.parametrize("answer", [b"550 no such mailbox\r\n", b"451 later\r\n"])
def test_a_mail_server_that_refuses(month, settings, answer: bytes, tmp_path: Path) -> None:
    """T-05: a refused letter waits and is tried again; the file went out all the same."""
    folder = drop(settings, tmp_path)
    with MailServer(answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.OUTBOX_SMTP = read_smtp(server.url)
        with scoped(TOWNSHIP):
            add_mailbox(TOWNSHIP, MAILBOX)
        publish()
        assert deliver_due() == {"sent": 1, "again": 1, "failed": 0}
        server.shutdown()
    assert len(list(folder.iterdir())) == 2
    assert Message.objects.get(kind="mail").state == "waiting"


def test_a_mail_server_that_is_gone(month, settings, tmp_path: Path) -> None:
    """T-05: with the mail server away nothing is lost: the same letter with the same Message-ID goes out later."""
    drop(settings, tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        settings.OUTBOX_SMTP = read_smtp(f"smtp://127.0.0.1:{probe.getsockname()[1]}")
    with scoped(TOWNSHIP):
        add_mailbox(TOWNSHIP, MAILBOX)
    publish()
    assert deliver_due()["again"] == 1
    message = Message.objects.get(kind="mail")
    with MailServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.OUTBOX_SMTP = read_smtp(server.url)
        with time_machine.travel(message.due + timedelta(seconds=1)):
            assert deliver_due()["sent"] == 1
        server.shutdown()
        assert server.letters[0]["Message-ID"] == f"<{message.pk}@zhili>"


@pytest.mark.parametrize(
    ("place", "address"),
    [
        (VILLAGE, MAILBOX),
        ("511702999", MAILBOX),
        (TOWNSHIP, "no address"),
        (TOWNSHIP, "a@b\nBcc: c@d.org"),
        (TOWNSHIP, ""),
    ],
)
def test_bad_mailboxes_are_refused(db: None, place: str, address: str) -> None:
    """T-05: only a township or county has mailboxes, and only real addresses."""
    with pytest.raises(LedgerError), scoped("511702"):
        add_mailbox(place, address)
    assert not Mailbox.objects.exists()


def test_mailboxes_are_counted_written_down_and_taken_off(db: None) -> None:
    """O-01: adding and removing leave rows in the trail; the county's mailbox hears of every township."""
    with scoped("511702"):
        add_mailbox(TOWNSHIP, MAILBOX)
        add_mailbox(TOWNSHIP, MAILBOX)
        add_mailbox("511702", "xian@example.org")
        assert mailboxes(TOWNSHIP) == ["xian@example.org", MAILBOX] and mailboxes("511702103") == [
            "xian@example.org"
        ]
        remove_mailbox(TOWNSHIP, MAILBOX)
        with pytest.raises(LedgerError):
            remove_mailbox(TOWNSHIP, MAILBOX)
        done = (
            Entry.objects.filter(action__contains="mailbox")
            .order_by("at", "id")
            .values_list("action", flat=True)
        )
        assert list(done) == ["ledger.add_mailbox", "ledger.add_mailbox", "ledger.remove_mailbox"]
        for n in range(20):
            add_mailbox("511702103", f"z{n}@example.org")
        with pytest.raises(LedgerError, match="最多"):
            add_mailbox("511702103", "z20@example.org")


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_publishedhead SET seq = 1", "DELETE FROM audit_publishedhead"]
)
def test_what_was_published_stays_published(month, statement: str) -> None:
    """T-05: the application cannot change or remove what the page said on a day."""
    publish()
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        connection.cursor().execute(statement)
    assert PublishedHead.objects.exists()


def test_nothing_to_say_sends_nothing(db: None) -> None:
    """T-05: a township without any chain publishes nothing and writes no letter."""
    with scoped("511702103"):
        assert publish_heads("511702103", today()) == 0
    assert not Message.objects.exists()
