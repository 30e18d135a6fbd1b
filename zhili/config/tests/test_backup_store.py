"""The folder of backups: what is kept, what is a whole copy, and errors of the disk in words."""

from __future__ import annotations

import json
import resource
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhili.common.cipher import Keyring
from zhili.config import backup_store as store
from zhili.config.backup_files import copy_files, file_path, own_files, prune_files, read_list
from zhili.config.backup_store import BackupError, Copy, Settings
from zhili.config.wal import open_piece, put_piece, ship

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def ring(tmp_path):
    return Keyring.create(tmp_path / "key.json")


@pytest.fixture
def target(tmp_path):
    for name in ("base", "wal", "files"):
        (tmp_path / "bank" / name).mkdir(parents=True)
    (tmp_path / "bank" / "zhili-backup.json").write_text("{}")
    return tmp_path / "bank"


def whole_copy(
    target: Path, ring, moment=NOON, first="000000010000000000000002", last="000000010000000000000003"
):
    folder = target / "base" / store.stamp_of(moment)
    folder.mkdir()
    copy = Copy(folder, folder.name, "base", moment, first, last, {"511702109200": (3, "ab")}, {}, {"a": "b"})
    store.write_manifest(folder, ring, copy)
    return copy


@given(st.lists(st.integers(0, 24 * 800), min_size=1, max_size=60, unique=True))
def test_the_newest_stays_and_old_ones_thin_out(hours):
    """O-05: the last two days whole; of the rest never more than days + weeks + months; one of each of the last days."""
    moments = [NOON - timedelta(hours=n) for n in hours]
    kept = store.to_keep(moments, Settings(Path("/nowhere")))
    recent = {m for m in moments if m > max(moments) - timedelta(days=2)}
    assert recent <= kept <= set(moments) and len(kept - recent) <= 7 + 4 + 12
    days = sorted({m.strftime("%Y%m%d") for m in moments}, reverse=True)[:7]
    assert {m.strftime("%Y%m%d") for m in kept} >= set(days)


def test_a_copy_without_its_manifest_is_none(target, ring):
    """O-05: unfinished and half removed copies are never offered."""
    copy = whole_copy(target, ring)
    (target / "base" / ".part-20261123T130000Z").mkdir()
    (target / "base" / "20261123T140000Z").mkdir()
    assert store.copies(target) == [copy.folder]


def test_a_manifest_is_read_back_and_a_changed_one_refused(target, ring):
    """O-05: every value of it is under the keyed digest."""
    copy = whole_copy(target, ring)
    assert store.read_manifest(copy.folder, ring) == copy
    path = copy.folder / "manifest.json"
    said = json.loads(path.read_text())
    for name in [key for key in said if key != "mac"]:
        changed = dict(said)
        changed[name] = {"x": [1, "y"]} if isinstance(said[name], (dict, list)) else f"{said[name]}0"
        path.write_text(json.dumps(changed))
        with pytest.raises(BackupError):
            store.read_manifest(copy.folder, ring)
    path.unlink()
    with pytest.raises(BackupError, match="读不出来"):
        store.read_manifest(copy.folder, ring)


def test_the_log_that_kept_copies_need_stays(target, ring):
    """O-05: pruning removes what no rule keeps, and never a piece of log a kept copy is made of."""
    for n in range(30):
        first = f"00000001000000000000{2 * n:04X}"
        whole_copy(target, ring, NOON - timedelta(days=29 - n), first, store.next_segment(first))
    for n in range(64):
        name = f"00000001000000000000{n:04X}"
        put_piece(target / "wal", ring, name, b"log %d" % n)
    put_piece(target / "wal", ring, "00000002.history", b"history")
    gone = store.prune(Settings(target, keep_days=3, keep_weeks=2, keep_months=1), ring)
    left = [store.read_manifest(folder, ring) for folder in store.copies(target)]
    have = store.stored_log(target)
    assert len(gone) == 30 - len(left) and 3 <= len(left) <= 6
    assert all({copy.wal_first, copy.wal_last} <= have for copy in left) and "00000002.history" in have
    # From the oldest of the last three days on there is no gap; before it only what the older copies need.
    recent = min(copy.wal_first for copy in left if copy.ended >= left[-1].ended - timedelta(days=3))
    assert {f"00000001000000000000{n:04X}" for n in range(64)} - have == {
        name for name in (f"00000001000000000000{n:04X}" for n in range(64))
        if name < recent and not any(c.wal_first <= name <= c.wal_last for c in left)
    }  # fmt: skip


@pytest.mark.parametrize(
    "lsn, name", [("0/2000028", "000000010000000000000002"), ("1/FF000000", "0000000100000001000000FF")]
)
def test_addresses_and_segments(lsn, name):
    assert store.segment_name(1, lsn) == name


def test_segments_run_on_over_the_border():
    """The last byte of one segment and the first of the next; 00FF is followed by the next high part."""
    assert store.segment_name(1, "0/3000000", before=True) == "000000010000000000000002"
    assert store.next_segment("0000000100000001000000FF") == "000000010000000200000000"


def test_a_full_disk_is_said_in_words(target):
    """O-05: a real ENOSPC, from the device that has none to give."""
    full = Path("/dev/full")
    with pytest.raises(BackupError, match=r"满了，请腾出空间.*以前的备份没有动"), store.words(target):
        full.write_bytes(b"x")
    with pytest.raises(BackupError, match="不在了"), store.words(target):
        (target / "gone" / "x").write_bytes(b"x")


def test_a_file_that_does_not_fit_leaves_nothing_half(target, ring, tmp_path):
    """O-05: the system itself stops the writing in the middle; list and store stay as they were."""
    var = tmp_path / "var"
    (var / "photos" / "511702109200").mkdir(parents=True)
    (var / "photos" / "511702109200" / "a.jpg").write_bytes(b"a" * 1000)
    copy_files(var, target, ring)
    before = {p: p.read_bytes() for p in target.rglob("*") if p.is_file()}
    (var / "photos" / "511702109200" / "b.jpg").write_bytes(b"b" * 500_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(BackupError, match="以前的备份没有动"), store.words(target):
            copy_files(var, target, ring)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    whole = {p: p.read_bytes() for p in target.rglob("*") if p.is_file() and p.name[0] != "."}
    assert whole == before
    assert len(copy_files(var, target, ring)) == 2


def test_files_are_stored_once_and_erased_ones_leave(target, ring, tmp_path):
    """O-05, K-06, P-11: keys, the database and the switch are no files to copy; a photo gone from all lists goes."""
    var = tmp_path / "var"
    apart = [
        "keys/people.json",
        "pg/base",
        "pg-spool/x",
        "archive/key.json",
        "status/backup.json",
        "readonly.json",
    ]
    for name in [*apart, "readonly.audit.jsonl", "photos/1/a.jpg", "photos/1/.b.part", "photos/2/a.jpg"]:
        (var / name).parent.mkdir(parents=True, exist_ok=True)
        (var / name).write_bytes(b"same")
    assert list(own_files(var)) == ["photos/1/a.jpg", "photos/2/a.jpg", "readonly.audit.jsonl"]
    listed = copy_files(var, target, ring)
    assert len(listed) == 3 and len(list((target / "files").glob("??/*"))) == 1
    assert read_list(target / "files.latest.zhi", ring, "files.latest") == listed
    for name in own_files(var):
        (var / name).write_bytes(b"other " + name.encode())
    copy_files(var, target, ring)
    assert prune_files(Settings(target), ring) == 1
    assert not file_path(target, listed[0]["sha256"]).exists()


def test_a_piece_of_log_is_never_replaced_by_another(target, ring):
    """O-05: the same piece twice is fine; two systems in one place are not."""
    name = "000000010000000000000001"
    put_piece(target / "wal", ring, name, b"one")
    put_piece(target / "wal", ring, name, b"one")
    with pytest.raises(BackupError, match="两个系统不能用同一个备份位置"):
        put_piece(target / "wal", ring, name, b"two")
    assert open_piece(target / "wal" / f"{name}.zhi", ring, name) == b"one"


def test_the_spool_waits_while_the_target_is_away(target, tmp_path):
    """O-05: nothing leaves the spool that has not arrived."""
    var = tmp_path / "var"
    (var / "archive").mkdir(parents=True)
    (var / "pg-spool").mkdir()
    Keyring.create(store.key_path(var))
    store.write_settings(store.archive_dir(var), Settings(target))
    for n in (1, 2):
        (var / "pg-spool" / f"00000001000000000000000{n}").write_bytes(b"log")
    marker = target / "zhili-backup.json"
    marker.rename(target.parent / "away")
    with pytest.raises(BackupError, match="盘没有挂上"):
        ship(var)
    assert len(list((var / "pg-spool").iterdir())) == 2 and not store.stored_log(target)
    (target.parent / "away").rename(marker)
    assert ship(var) == 2 and ship(var) == 0
    assert len(store.stored_log(target)) == 2 and not list((var / "pg-spool").iterdir())
