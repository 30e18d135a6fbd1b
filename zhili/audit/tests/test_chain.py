"""The audit chain: nobody can skip it, and whoever rewrites it is found (T-08, C-13, O-04)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from zhili.audit import chain
from zhili.audit.actions import record
from zhili.audit.models import Entry
from zhili.audit.queries import heads
from zhili.audit.tests.conftest import link_now, take_down_guards
from zhili.audit.verify import Anchor, AnchorError, read_anchors, verify
from zhili.common.hashing import digest
from zhili.common.origin import coming_from

VILLAGE, NEXT, COUNTY = "511702109200", "511702109201", "511702"
GOLDEN = {
    "place": VILLAGE, "seq": 2, "previous": bytes(range(32)), "algorithm": "sha256",
    "id": UUID("019aafe0-0000-7000-8000-000000000001"), "at": datetime(2026, 1, 2, 3, 4, 5, 67, tzinfo=UTC),
    "utc_offset": 480, "actor_id": None, "on_behalf_of": None, "role": "", "action": "claims.review",
    "target": "claims.claim:1|2", "outcome": "ok", "source": "10.0.0.0/24", "receipt": "A1B2-C3D4",
    "detail": '{"理由": "a|b"}',
}  # fmt: skip


def deeds() -> None:
    """Three villages' worth of deeds in one transaction, with every column filled at least once."""
    with coming_from("10.0.0.0/24", "A1B2-C3D4"):
        for n in range(3):
            record("claims.review", by=None, place=VILLAGE, target=f"claims.claim:{n}", role="reviewer",
                   on_behalf_of=UUID(int=n), count=n, why="好|不好")  # fmt: skip
            record("accounts.login", by=None, place=COUNTY, outcome="failed")
            record("notices.close", by=None, place=NEXT)
    link_now()


def sql(text: str, *values: object) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(text, list(values))
        return cursor.fetchall() if cursor.description else []


def test_golden_line() -> None:
    """T-01, T-08: the canonical line and its digest do not change from one version to the next."""
    line = chain.line(**GOLDEN)
    assert line == (
        "zhili-audit/1|511702109200|2|000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f|sha256|"
        "019aafe0-0000-7000-8000-000000000001|2026-01-02T03:04:05.000067Z|480|||0:,13:claims.review,"
        '16:claims.claim:1|2,2:ok,11:10.0.0.0/24,9:A1B2-C3D4,17:{"理由": "a|b"},'
    )
    assert chain.link("sha256", line).hex() == GOLDEN_SHA256
    assert chain.link("sm3", line).hex() == GOLDEN_SM3


GOLDEN_SHA256 = "deb8b0761053390c1921bf510b2e6b5266781a5d7a1639f38b10142e9e0c374c"
GOLDEN_SM3 = "d1edfeb9519096d89b5019b902a9d549fa1ecf44284ea7043b72339f35ee8f2c"


def test_sql_and_python_write_the_same_line(trail_of_owner: str, profile: str) -> None:
    """T-01: the database's line and Python's are one and the same for every row."""
    deeds()
    for row in Entry.objects.all():
        text = sql("SELECT audit_line(e), detail::text FROM audit_entry e WHERE id = %s", row.pk)[0]
        facts = {name: getattr(row, name) for name in GOLDEN if name not in ("detail", "previous")}
        assert text[0] == chain.line(**facts, previous=bytes(row.previous), detail=text[1])
        assert chain.link(row.algorithm, text[0]) == bytes(row.digest)


def test_each_place_has_its_own_chain_without_gaps(trail_of_owner: str, profile: str) -> None:
    """T-08: numbers without a gap per place, and what was written is whole."""
    before = {head.place: head.seq for head in heads()}
    deeds()
    after = {head.place: head.seq for head in heads()}
    assert {place: after[place] - before.get(place, 0) for place in after if after[place] != before.get(place)} == {
        VILLAGE: 3, NEXT: 3, COUNTY: 3,
    }  # fmt: skip
    report = verify()
    assert report.problems == [] and report.rows == Entry.objects.count()
    assert {place: seq for place, (seq, _) in report.heads.items()} == after


def test_every_byte_of_every_column(trail_of_owner: str) -> None:
    """T-02, T-08: as the owner with all guards down, any change of any column of any row is found by its number."""
    deeds()
    columns = dict(
        sql("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'audit_entry'")
    )
    take_down_guards()
    other = {
        "uuid": "gen_random_uuid()", "bigint": "coalesce({0}, 0) + 1",
        "smallint": "{0} + 1", "timestamp with time zone": "{0} + interval '1 microsecond'",
        "jsonb": "{0} || '{{\"x\": 1}}'",
        "bytea": "set_byte({0}, 31, get_byte({0}, 31) # 1)", "character varying": "{0} || 'x'",
    }  # fmt: skip
    missed = []
    for column, kind in columns.items():
        for id, place, seq in sql(
            "SELECT id, place, seq FROM audit_entry WHERE place IN (%s, %s)", VILLAGE, COUNTY
        ):
            sid = transaction.savepoint()
            value = "'511702109299'" if column == "place" else other[kind].format(column)
            sql(f"UPDATE audit_entry SET {column} = {value} WHERE id = %s", id)
            problems = verify().problems
            if not any(p.seq == seq and p.place in (place, "511702109299") for p in problems):
                missed.append((column, place, seq, [str(p) for p in problems]))
            transaction.savepoint_rollback(sid)
    assert missed == []
    assert len(columns) == 18, "a new column must be part of the line, then change this number"


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["role", "action", "target", "outcome", "source", "receipt", "detail"]), st.integers(0, 60),
       st.characters(exclude_categories=["Cs"]), st.data())  # fmt: skip
def test_any_changed_letter_changes_the_digest(
    column: str, where: int, letter: str, data: st.DataObject
) -> None:
    """T-02: one letter put in, taken out or moved across a border between columns gives another line."""
    text = str(GOLDEN[column])
    cut = where % (len(text) + 1)
    changed = text[:cut] + letter + text[cut:]
    assert chain.line(**{**GOLDEN, column: changed}) != chain.line(**GOLDEN)
    names = ["role", "action", "target", "outcome", "source", "receipt"]
    left = data.draw(st.sampled_from(range(len(names) - 1)))
    one, two = str(GOLDEN[names[left]]), str(GOLDEN[names[left + 1]])
    moved = {**GOLDEN, names[left]: one + two[:1], names[left + 1]: two[1:]}
    assert (moved == GOLDEN) == (chain.line(**moved) == chain.line(**GOLDEN))


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        ("DELETE FROM audit_entry WHERE place = %s AND seq = 2", "不见了"),
        ("DELETE FROM audit_entry WHERE place = %s AND seq = 1", "不见了"),
        ("UPDATE audit_entry SET seq = 5 - seq WHERE place = %s AND seq IN (2, 3)", "接不上"),
        ("UPDATE audit_entry SET seq = NULL WHERE place = %s AND seq = 3", "没有接到链上"),
        ("INSERT INTO audit_entry (id, at, place, role, action, target, outcome, detail, utc_offset, source, receipt,"
         " algorithm) SELECT gen_random_uuid(), at, place, role, action, target, outcome, detail, utc_offset, source,"
         " receipt, '' FROM audit_entry WHERE place = %s AND seq = 1", "没有接到链上"),
        ("UPDATE audit_entry SET algorithm = 'md5' WHERE place = %s AND seq = 2", "摘要算法"),
    ],
)  # fmt: skip
def test_attacks_on_rows(trail_of_owner: str, attack: str, words: str) -> None:
    """T-02, T-08: rows taken out, swapped, unlinked or put in are found."""
    deeds()
    take_down_guards()
    sql(attack, VILLAGE)
    found = verify([VILLAGE])
    assert not found.ok and words in " ".join(map(str, found.problems))
    assert verify([NEXT]).ok


def test_cut_tail_and_complete_rebuild(trail_of_owner: str, profile: str) -> None:
    """T-03, T-04, T-08: without anchors the check is silent and says it cannot tell; with one it finds both."""
    deeds()
    kept = next(head for head in heads() if head.place == VILLAGE)
    anchor = Anchor(VILLAGE, kept.seq, kept.head[:12])
    assert verify([VILLAGE], anchors=[anchor]).ok
    take_down_guards()
    sid = transaction.savepoint()
    sql("DELETE FROM audit_entry WHERE place = %s AND seq = 3", VILLAGE)
    assert verify([VILLAGE]).ok and not verify([VILLAGE]).anchored
    assert "截掉" in str(verify([VILLAGE], anchors=[anchor]).problems[0])
    transaction.savepoint_rollback(sid)
    # The whole chain worked out again over a changed past, by the database's own function.
    sql("UPDATE audit_entry SET detail = '{}', seq = NULL, tx = -7 WHERE place = %s", VILLAGE)
    sql("SELECT audit_link(-7)")
    assert verify([VILLAGE]).ok
    assert "改写" in str(verify([VILLAGE], anchors=[anchor]).problems[0])


def test_one_chain_of_both_digests(trail_of_owner: str, settings) -> None:
    """K-01, K-02, T-01: SHA-256, SM3 under the profile gm, SHA-256 again: one chain, and a changed row of it is found."""
    for name in ("intl", "gm", "intl"):
        settings.CIPHER_PROFILE = name
        deeds()
    rows = list(Entry.objects.filter(place=VILLAGE).order_by("seq"))
    assert [row.algorithm for row in rows] == ["sha256"] * 3 + ["sm3"] * 3 + ["sha256"] * 3
    assert all(two.previous == one.digest for one, two in pairwise(rows))
    assert verify([VILLAGE]).problems == []
    anchor = Anchor(VILLAGE, 5, bytes(rows[4].digest).hex())
    take_down_guards()
    for change in ("outcome = 'no'", "algorithm = 'sha256'", "digest = sha256('x')"):
        sid = transaction.savepoint()
        sql(f"UPDATE audit_entry SET {change} WHERE id = %s", rows[4].pk)
        assert verify([VILLAGE], anchors=[anchor]).problems[0].seq == 5, change
        transaction.savepoint_rollback(sid)
    assert verify([VILLAGE], anchors=[anchor]).ok


def test_the_database_works_out_sm3(trail_of_owner: str) -> None:
    """K-02, K-03: GB/T 32905-2016, annex A, both published examples; and the same as the library's at every border."""
    published = {
        b"abc": "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
        b"abcd" * 16: "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732",
    }
    for data, wanted in published.items():
        assert bytes(sql("SELECT zhili_sm3(%s)", data)[0][0]).hex() == wanted
    for length in (*range(0, 3), *range(53, 67), 118, 119, 120, 127, 128, 129, 500):
        data = bytes((7 * n + length) % 256 for n in range(length))
        assert bytes(sql("SELECT zhili_sm3(%s)", data)[0][0]) == digest("sm3", data), length


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET outcome = 'ok'",
        "UPDATE audit_entry SET seq = 1, tx = NULL",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
        "ALTER TABLE audit_entry DISABLE TRIGGER ALL",
        "INSERT INTO audit_round (tx) VALUES (1)",
        "SELECT audit_link(0)",
        "DROP TABLE audit_round",
    ],
)
def test_the_application_cannot_touch_it(db: None, statement: str) -> None:
    """O-04, T-08: the application's role may add rows and read them, nothing else."""
    record("claims.review", by=None, place=VILLAGE)
    with pytest.raises(DatabaseError), transaction.atomic():
        sql(statement)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_entry SET outcome = 'x'", "DELETE FROM audit_entry", "TRUNCATE audit_entry",
     "UPDATE audit_entry SET seq = seq + 100"],
)  # fmt: skip
def test_even_the_owner_meets_the_guards(trail_of_owner: str, statement: str) -> None:
    """O-04: while the triggers stand, the database's owner is refused too."""
    deeds()
    with pytest.raises(IntegrityError, match="只能追加"), transaction.atomic():
        sql(statement)


def test_a_row_cannot_choose_its_place_in_the_chain(real_database) -> None:
    """T-08: whatever number, digest or mark the application sends along, the database gives its own."""
    with real_database():
        row = Entry.objects.create(
            place=VILLAGE, action="x.y", seq=77, digest=b"x", previous=b"y", algorithm="none"
        )
    with real_database():
        row.refresh_from_db()
        assert (row.seq, row.algorithm, len(row.digest)) == (1, "sha256", 32)
    assert verify([VILLAGE]).ok


def test_no_row_no_deed(real_database, own_database: str) -> None:
    """C-13: where the audit row cannot be written, or cannot be linked, the deed is undone."""
    from zhili.config import embedded
    from zhili.places.actions import set_village_settings
    from zhili.places.models import VillageSettings

    owner = embedded.logins()["owner"]
    for broken, mended in (
        ("REVOKE INSERT ON audit_entry FROM {}", "GRANT INSERT ON audit_entry TO {}"),
        ("ALTER FUNCTION audit_link(bigint) RENAME TO audit_gone", "ALTER FUNCTION audit_gone(bigint) RENAME TO audit_link"),
    ):  # fmt: skip
        with owner.connect(own_database) as db:
            db.execute(broken.format(embedded.logins()["app"].user))
        with pytest.raises(DatabaseError), real_database():
            set_village_settings(by=None, place=VILLAGE, notice_days=9)
        with real_database():
            assert not VillageSettings.objects.filter(place=VILLAGE, notice_days=9).exists()
            assert not Entry.objects.filter(action="places.settings").exists()
        with owner.connect(own_database) as db:
            db.execute(mended.format(embedded.logins()["app"].user))
    with real_database():
        set_village_settings(by=None, place=VILLAGE, notice_days=9)
    with real_database():
        assert Entry.objects.get(action="places.settings").seq == 1


def test_villages_do_not_wait_for_each_other(real_database, own_database: str) -> None:
    """T-08: one village's transaction stays open after its audit row; others, and its own neighbours, still finish."""
    from zhili.config import embedded

    with embedded.logins()["app"].connect(own_database) as other:
        other.execute("BEGIN")
        other.execute("SELECT set_config('zhili.scope', '*', true)")
        other.execute(
            "INSERT INTO audit_entry (id, at, place, role, action, target, outcome, detail, utc_offset, source, receipt,"
            " algorithm) VALUES (gen_random_uuid(), now(), %s, '', 'a.b', '', 'ok', '{}', 480, '', '', '')",
            [VILLAGE],
        )
        with real_database():
            sql("SET LOCAL statement_timeout = '5s'")
            record("claims.review", by=None, place=VILLAGE)
            record("claims.review", by=None, place=NEXT)
        other.execute("COMMIT")
    report = verify()
    assert report.ok and report.heads[VILLAGE][0] == 2 and report.heads[NEXT][0] == 1


def test_twenty_writers_at_once_leave_no_gap(own_database: str) -> None:
    """T-08: processes that write into the same two chains in opposite order neither clash nor leave a gap."""
    done = subprocess.run(
        [sys.executable, "-m", "zhili.audit.tests.writers"], capture_output=True, text=True, timeout=120,
        env={**os.environ, "ZHILI_DATABASE": own_database},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found == {"errors": [], "ok": True, "rows": {VILLAGE: 4 * 25, NEXT: 4 * 25}}


@pytest.mark.parametrize("text", ["x", "{}", "[]", '{"place": "1", "seq": "a", "head": "0"}',
                                  '{"place": "511702", "seq": 1, "head": "0123"}'])  # fmt: skip
def test_bad_anchor_files_are_refused(text: str) -> None:
    """T-03: an anchors file that cannot be read is refused with the line's number, never passed over."""
    with pytest.raises(AnchorError, match="第 1 行"):
        read_anchors([text])


def test_anchor_files_of_both_books() -> None:
    """T-05: the ledger's lines in a common file are passed over, the trail's are read."""
    lines = ['{"book": "ledger", "place": "1", "seq": 1, "head": "00"}', "",
             '{"book": "audit", "place": "511702", "seq": 3, "head": "AABBCCDDEE"}']  # fmt: skip
    assert read_anchors(lines) == [Anchor("511702", 3, "aabbccddee")]
