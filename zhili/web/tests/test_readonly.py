"""Read-only mode: looking goes on, nothing changes, nothing typed is lost, and the trail misses nothing (O-09)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import pytest
from django.db import DatabaseError, connection
from django.test import Client

from tests.books import make_book
from zhili.audit.actions import record
from zhili.audit.deferred import take_in
from zhili.audit.models import Entry
from zhili.claims.models import Claim
from zhili.common import readonly
from zhili.common.readonly import ReadOnlyError

WHY = "磁盘快满了，正在加盘"


@pytest.fixture
def switch(settings, tmp_path):
    settings.READONLY_FILE = tmp_path / "readonly.json"
    readonly.prepare()
    return settings.READONLY_FILE


@pytest.fixture
def village(cast, switch):
    make_book(cast)
    return cast


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def digest() -> tuple:
    """Everything the village's tables hold, as counts and digests.

    Without the token buckets: they count who asks how often, in a table of keyed digests that is lost with every
    crash, and must go on counting while the mode is on, or it would be the moment to try codes and walk the register.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            " AND relname <> 'common_bucket'"
        )
        tables = sorted(row[0] for row in cursor.fetchall())
        found = []
        for table in tables:
            cursor.execute(
                f"SELECT count(*), coalesce(md5(string_agg(t::text, chr(10) ORDER BY t::text)), '') FROM \"{table}\" t"
            )
            found.append((table, *cursor.fetchone()))
    return tuple(found)


@pytest.mark.django_db
def test_looking_goes_on_and_changes_nothing(village):
    """O-09: villager, clerk and public pages answer as always, with the reason on top; the database is untouched."""
    people = {"villager": village.villager, "clerk": village.clerk, "none": None}
    clients = {name: signed_in(user) if user else Client() for name, user in people.items()}
    readonly.switch(on=True, reason=WHY)
    before = digest()
    pages = [
        ("villager", "/m/"), ("villager", "/m/me/"), ("clerk", f"/desk/{village.place}/"),
        ("clerk", f"/desk/{village.place}/ledger/"), ("clerk", f"/desk/{village.place}/households/"),
        ("none", f"/open/{village.place}/"), ("none", f"/open/{village.place}/ledger/"), ("none", "/login/"),
    ]  # fmt: skip
    for who, path in pages:
        answer = clients[who].get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        assert WHY in answer.content.decode()
    assert digest() == before


@pytest.mark.django_db
def test_looking_is_still_counted(village, settings):
    """O-09, W-07: the mode is no moment to walk the register: too many pages are refused as always."""
    settings.RATE_SCALE = 0.05  # six pages at once, then one every twenty seconds
    client = signed_in(village.villager)
    readonly.switch(on=True, reason=WHY)
    codes = [client.get("/m/me/").status_code for _ in range(12)]
    assert codes[:6] == [200] * 6 and 429 in codes


@pytest.mark.django_db
def test_every_change_is_refused_and_what_was_typed_comes_back(village):
    """O-09: 503 in plain Chinese with a number; text, choices and the address to send it to are on the page."""
    client = signed_in(village.villager)
    readonly.switch(on=True, reason=WHY)
    before = digest()
    typed = {
        "text": "扫了村口到水井的路",
        "item": "HJ01",
        "password": "secret-word",
        "csrfmiddlewaretoken": "x",
    }
    answer = client.post("/m/claims/new/", typed, HTTP_ORIGIN="http://testserver")
    page = answer.content.decode()
    assert answer.status_code == 503 and answer["Retry-After"]
    assert "扫了村口到水井的路" in page and 'name="item" value="HJ01"' in page and WHY in page
    assert 'action="/m/claims/new/"' in page and "secret-word" not in page and "没有丢" in page
    assert digest() == before and Claim.objects.count() == 0


@pytest.mark.django_db
def test_a_strange_page_gets_nothing_back(village):
    """O-09, W-04: what a foreign site posts is not shown; what is shown is escaped."""
    readonly.switch(on=True, reason=WHY)
    answer = signed_in(village.villager).post(
        "/m/claims/new/", {"text": "planted"}, HTTP_ORIGIN="http://evil.example"
    )
    assert answer.status_code == 503 and "planted" not in answer.content.decode()
    answer = signed_in(village.villager).post(
        "/m/claims/new/", {"text": "<script>x</script>"}, HTTP_ORIGIN="http://testserver"
    )
    assert "<script>x" not in answer.content.decode()


@pytest.mark.django_db
def test_nobody_can_log_in_meanwhile_and_is_told_so(village):
    """O-09: a log-in would have to be written; the password is not sent back."""
    readonly.switch(on=True, reason=WHY)
    answer = Client().post(
        "/login/", {"login": "clerk", "password": "zhili-demo-2026"}, HTTP_ORIGIN="http://testserver"
    )
    page = answer.content.decode()
    assert answer.status_code == 503 and "不能新登录" in page and "zhili-demo-2026" not in page


@pytest.mark.django_db
def test_machines_are_told_in_their_own_way(village):
    """O-09: JSON with a number, for every changing method."""
    readonly.switch(on=True, reason=WHY)
    for method in ("post", "put", "patch", "delete"):
        answer = getattr(Client(), method)("/api/v1/claims", data="{}", content_type="application/json")
        said = json.loads(answer.content)
        assert answer.status_code == 503 and WHY in said["message"] and said["receipt"]


@pytest.mark.django_db
def test_the_database_refuses_a_change_hidden_in_a_look(switch, rf, settings):
    """O-09: a view that writes on GET meets the database's own lock, and the words are the same."""
    from zhili.web.middleware import one_transaction
    from zhili.web.readonly import read_only

    def writes(request):
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO common_holiday VALUES ('2030-01-01', false, 'planted')")
        raise AssertionError("the database let it through")

    readonly.switch(on=True, reason=WHY)
    guard = read_only(writes)
    with pytest.raises(DatabaseError) as caught:
        one_transaction(guard)(rf.get("/m/"))
    answer = guard.process_exception(rf.get("/m/"), caught.value)
    assert answer.status_code == 503 and WHY in answer.content.decode()
    assert guard.process_exception(rf.get("/m/"), ValueError("other")) is None


@pytest.mark.django_db
def test_what_is_traced_while_looking_joins_the_chain_afterwards(village):
    """O-09, C-13: the rows wait in a file, once each, with their own moment; taking them in twice adds none."""
    readonly.switch(on=True, reason=WHY)
    before = Entry.objects.count()
    kept = [
        record("ledger.export", by=village.clerk, place=village.place, note=f"第 {n} 份") for n in range(3)
    ]
    assert Entry.objects.count() == before
    readonly.switch(on=False, reason="")
    file = switch_file().read_text()
    assert take_in() == 3 and Entry.objects.count() == before + 3
    switch_file().write_text(file + '{"id": "broken')
    assert take_in() == 0 and take_in() == 0
    found = Entry.objects.get(id=kept[0].id)
    assert (
        found.at == kept[0].at and found.detail == {"note": "第 0 份"} and found.actor_id == village.clerk.pk
    )


def switch_file():
    from django.conf import settings

    return settings.READONLY_FILE.with_suffix(".audit.jsonl")


@pytest.mark.django_db
def test_no_trace_no_look(village, settings):
    """C-13, O-09: where the file cannot be written either, the deed is refused."""
    readonly.switch(on=True, reason=WHY)
    switch_file().mkdir()
    with pytest.raises(ReadOnlyError, match="留痕"):
        record("ledger.export", by=village.clerk, place=village.place)


def test_the_switch_turns_on_a_full_disk(switch):
    """O-09: its bytes are on the disk already; turning it neither grows nor replaces the file, and frees the ballast."""
    before = switch.stat()
    ballast = switch.with_suffix(".ballast")
    assert ballast.stat().st_size == readonly.BALLAST_BYTES
    readonly.switch(on=True, reason="满" * readonly.REASON_MAX)
    after = switch.stat()
    assert (after.st_ino, after.st_size, after.st_blocks) == (before.st_ino, before.st_size, before.st_blocks)
    assert not ballast.exists() and readonly.state().on
    readonly.switch(on=False, reason="")
    assert ballast.exists() and not readonly.state().on


@pytest.mark.parametrize(
    "reason, words", [("", "写明为什么"), ("  ", "写明为什么"), ("长" * 201, "最多 200 个字")]
)
def test_no_reason_no_switch(switch, reason, words):
    """O-09: whoever opens a page reads why."""
    with pytest.raises(ReadOnlyError, match=words):
        readonly.switch(on=True, reason=reason)
    assert not readonly.state().on


@pytest.mark.parametrize("text", ["", "{", '{"on": 1}', "[]", '{"on": true, "since": "x", "reason": ""}'])
def test_a_broken_switch_stands_on_the_safe_side(switch, text):
    """O-09: and says which command puts it right."""
    switch.write_text(text)
    assert readonly.state().on and "zhili readonly off" in readonly.state().words
    readonly.switch(on=False, reason="")
    assert not readonly.state().on


def test_another_process_sees_the_switch_at_its_next_look(switch):
    """O-09: no restart: the file is looked at with every request."""
    seen = []
    thread = threading.Thread(target=lambda: seen.append(readonly.switch(on=True, reason=WHY)))
    thread.start()
    thread.join()
    assert seen[0].on and readonly.state().reason == WHY


COMMAND = """
import os, django
django.setup()
from django.db import DatabaseError, connection, transaction
from zhili.config.setup import follow_readonly, ready
ready()
def write():
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("INSERT INTO common_holiday VALUES ('2030-01-01', false, 'x')")
    except DatabaseError as error:
        return error.__cause__.sqlstate
    return "written"
first = write()
del os.environ["ZHILI_READONLY"]
print(first, follow_readonly(), write())
"""


@pytest.mark.processes
def test_commands_and_worker_meet_the_same_lock(own_database):
    """O-09: their connection is read-only until the switch goes back, without a restart."""
    env = {**os.environ, "ZHILI_DATABASE": own_database, "ZHILI_READONLY": WHY}
    done = subprocess.run(
        [sys.executable, "-c", COMMAND], env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["25006", "False", "written"], done.stdout + done.stderr
