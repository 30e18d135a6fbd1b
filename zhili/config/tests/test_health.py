"""/health, /metrics, clocks and the start-up probe: what they say when things are well, and when they are not."""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import psycopg
import pytest
from django.test import Client

from zhili.common import readonly, status
from zhili.config import embedded, health, metrics, probe, timecheck

SERIES = re.compile(r"^(zhili_[a-z_]+?)(?:_bucket|_sum|_count|_created)?(?:\{(.*)\})? ")


@pytest.fixture
def alone(settings, tmp_path):
    """An instance folder of this test's own; the database stays the common one."""
    settings.VAR = tmp_path
    settings.READONLY_FILE = tmp_path / "readonly.json"
    return tmp_path


def scrape(var) -> list[str]:
    answer = Client().get("/metrics", headers={"Authorization": f"Bearer {metrics.key(var)}"})
    assert answer.status_code == 200
    return [line for line in answer.content.decode().splitlines() if not line.startswith("#")]


@pytest.mark.django_db
def test_health_says_up_and_nothing_else(alone):
    """O-08, G-03: four words, no village, no person, no version."""
    answer = Client().get("/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "database": "ok", "disk": "ok", "read_only": False}
    readonly.switch(on=True, reason="演练")
    assert Client().get("/health").json()["read_only"] is True
    assert Client().post("/health").status_code == 405


@pytest.mark.processes
def test_health_says_down_where_the_database_is_away(own_database):
    """503 and the word, not an error page: the middleware answers before anything else needs the database."""
    script = (
        "import django; django.setup()\n"
        "from django.db import connection; connection.settings_dict.update(HOST='127.0.0.1', PORT='1')\n"
        "from django.test import Client; answer = Client().get('/health')\n"
        "print(answer.status_code, answer.json()['database'], answer.json()['status'])"
    )
    env = {**os.environ, "ZHILI_DATABASE": own_database}
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["503", "down", "down"], done.stdout + done.stderr


@pytest.mark.parametrize(
    "free, total, ok",
    [
        (10**10, 10**11, True),
        (10**8, 10**11, False),
        (10**9, 10**11, False),
        (3 * 10**8, 10**9, True),
        (0, 1, False),
    ],
)
def test_a_disk_about_to_be_full_is_no_health(free, total, ok):
    """O-09: by bytes and by share."""
    assert health.Disk(free, total).ok is ok


@pytest.mark.django_db
@pytest.mark.parametrize(
    "header", [None, "", "Bearer ", "Bearer x", "Basic eDp4", "bearer {key}x", "Bearer {key} "]
)
def test_metrics_are_not_there_without_the_key(alone, header):
    """G-03, W-08: the same page as any that does not exist."""
    given = {} if header is None else {"Authorization": header.format(key=metrics.key(alone))}
    answer = Client().get("/metrics", headers=given)
    assert answer.status_code == 404 and "zhili_" not in answer.content.decode()
    assert "找不到这一页" in answer.content.decode()


@pytest.mark.django_db
def test_metrics_are_those_of_the_list_and_no_others(alone, cast):
    """G-03, U-61: every series and label stands in ALLOWED; no log-in, name, place or path among the values."""
    client = Client()
    client.force_login(cast.clerk)
    for path in ("/", f"/open/{cast.place}/", "/m/", f"/desk/{cast.place}/", "/nothing/here/"):
        client.get(path)
    status.note(alone, "backup", stamp="x")
    status.note(alone, "verify", ok=True)
    seen = set()
    for line in scrape(alone):
        found = SERIES.match(line)
        assert found, line
        name = found[1] if found[1] in metrics.ALLOWED else f"{found[1]}_total"
        labels = set(re.findall(r'([a-z_]+)="', found[2] or ""))
        assert name in metrics.ALLOWED and labels <= set(metrics.ALLOWED[name]), line
        assert cast.place not in line and cast.clerk.username not in line and "/" not in line.split(" ")[0]
        seen.add(name)
    assert {
        "zhili_requests_total",
        "zhili_backup_age_seconds",
        "zhili_verify_ok",
        "zhili_outbox_waiting",
    } <= seen


@pytest.mark.django_db
def test_requests_are_counted_by_face_and_answer(alone, cast):
    """One more request is one more in its face, and in no other."""

    def count(face: str, kind: str) -> float:
        start = f'zhili_requests_total{{face="{face}",status="{kind}"}} '
        return next((float(line[len(start) :]) for line in scrape(alone) if line.startswith(start)), 0.0)

    before = count("open", "2xx"), count("desk", "2xx"), count("other", "4xx")
    Client().get(f"/open/{cast.place}/")
    Client().get("/nothing/here/")
    assert (count("open", "2xx"), count("desk", "2xx"), count("other", "4xx")) == (
        before[0] + 1,
        before[1],
        before[2] + 1,
    )


def test_the_key_is_made_once_and_read_by_its_owner_alone(tmp_path):
    key = metrics.key(tmp_path)
    path = tmp_path / "keys" / "metrics.key"
    assert metrics.key(tmp_path) == key and len(key) >= 40 and path.stat().st_mode & 0o077 == 0


@pytest.fixture
def time_server():
    """A real time server on this machine, as far ahead as the test says."""
    made = []

    def serve(ahead: float, *, answer: bytes | None = None) -> str:
        line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        line.bind(("127.0.0.1", 0))
        made.append(line)

        def once() -> None:
            question, who = line.recvfrom(512)
            at = time.time() + ahead + 2_208_988_800
            stamp = struct.pack("!II", int(at), int(at % 1 * 2**32))
            line.sendto(answer if answer is not None else b"\x24\x02" + bytes(30) + stamp + stamp, who)
            assert len(question) == 48

        threading.Thread(target=once, daemon=True).start()
        return f"ntp://127.0.0.1:{line.getsockname()[1]}"

    yield serve
    for line in made:
        line.close()


@pytest.mark.parametrize("ahead, ok", [(0, True), (4.5, True), (-4.5, True), (5.5, False), (-60, False)])
def test_the_clock_is_held_against_the_countys_own(time_server, ahead, ok):
    """O-08: five seconds, in both directions."""
    found = timecheck.source_clock(time_server(ahead))
    assert found.ok is ok and abs(found.offset - ahead) < 0.4


@pytest.mark.parametrize("answer", [b"", b"x" * 20, bytes(48), b"\x24\x00" + bytes(46)])
def test_an_answer_that_is_none_is_no_time(time_server, answer):
    """O-08: a clock that cannot be read does not pass."""
    found = timecheck.source_clock(time_server(0, answer=answer))
    assert not found.ok and found.offset is None and found.error


@pytest.mark.parametrize("url", ["http://127.0.0.1", "ntp://", "127.0.0.1", "ntp:///x"])
def test_a_time_source_is_named_in_one_way(url):
    assert not timecheck.source_clock(url).ok


@pytest.mark.django_db
def test_the_databases_clock_is_ours_here(monkeypatch, time_server):
    """O-08: the database runs on this machine; the county's source comes second where it is named."""
    monkeypatch.delenv("ZHILI_TIME_SOURCE", raising=False)
    (only,) = timecheck.check()
    assert only.ok and abs(only.offset) < 1
    monkeypatch.setenv("ZHILI_TIME_SOURCE", time_server(-30))
    assert [clock.ok for clock in timecheck.check()] == [True, False]


def test_this_database_has_what_the_promises_need(db):
    """X-01: every feature is tried on the real thing."""
    assert probe.missing() == [] and probe.role_problems() == []
    probe.refuse_unfit()


def test_a_database_that_lacks_a_feature_is_found_out(db):
    """X-01: too old; constraints switched off; policies that do not hold for this role."""
    by_name = {feature.name: feature for feature in probe.FEATURES}
    assert not by_name["version"].holds(SimpleNamespace(info=SimpleNamespace(server_version=140011)))
    with embedded.superuser().connect(embedded.DATABASE) as strong:
        assert not by_name["row_security"].holds(strong)
        strong.execute("SET session_replication_role = replica")
        assert not by_name["deferred"].holds(strong)
        assert by_name["advisory"].holds is not None
    with embedded.logins()["owner"].connect() as tied:
        tied.execute("SET default_transaction_read_only = on")
        with pytest.raises(psycopg.Error):
            by_name["partial_unique"].holds(tied)


def test_every_feature_has_words_of_refusal():
    """X-01: a county reads why it cannot start here."""
    for feature in probe.FEATURES:
        assert re.search(r"[\u4e00-\u9fff]{4}", feature.title + feature.refusal) and feature.refusal
