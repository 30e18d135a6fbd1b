"""The whole drill on real servers: write, back up, write more, lose the machine, bring it back, verify it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from zhili.common.periods import SHANGHAI
from zhili.config.tests.county import ID_NUMBER, PHONE, PLACE

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("drill")]
ROOT = Path(__file__).resolve().parents[3]


def run(var: Path, *arguments: str, module: str = "zhili.config.command", fails: bool = False):
    """One process of the product on the instance at `var`."""
    apart = ("ZHILI_DATABASE", "DATABASE_URL", "PROMETHEUS_MULTIPROC_DIR")
    env = {name: value for name, value in os.environ.items() if name not in apart}
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={**env, "ZHILI_VAR": str(var)}, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done


def county(var: Path, *arguments: str) -> tuple[int, str]:
    seq, head = run(var, *arguments, module="zhili.config.tests.county").stdout.split()[-2:]
    return int(seq), head


def asked(var: Path, *arguments: str):
    return json.loads(run(var, *arguments, "--json").stdout)


@pytest.fixture(scope="module")
def story():
    """One county's story: a copy after the first deed, a second deed, a moment, a third deed; then the fire."""
    home = Path(tempfile.mkdtemp(prefix="zhili-drill-"))
    home.chmod(0o755)
    told = SimpleNamespace(home=home, var=home / "county", bank=home / "bank", safe=home / "safe")
    told.bank.mkdir()
    told.first = county(told.var, "begin")
    told.copied = asked(told.var, "backup", "--to", str(told.bank))
    told.second = county(told.var, "post", "4")
    time.sleep(1.1)
    told.between = datetime.now(SHANGHAI)
    time.sleep(1.1)
    told.third = county(told.var, "post", "5")
    (told.var / "photos" / PLACE / "second.jpg").write_bytes(b"second photo")
    asked(told.var, "backup", "--light")
    told.export = home / "export"
    told.exported = asked(told.var, "export-all", "--out", str(told.export))
    told.safe.mkdir()
    shutil.copy(told.var / "archive" / "key.json", told.safe)
    shutil.copytree(told.var / "keys", told.safe / "keys")
    told.photo = (told.var / "photos" / PLACE / "first.jpg").read_bytes()
    yield told
    shutil.rmtree(home, ignore_errors=True)


def restore(story, name: str, *more: str, fails: bool = False):
    to = story.home / name
    shutil.rmtree(to, ignore_errors=True)
    arguments = ["restore", str(story.bank), "--to", str(to), "--keys", str(story.safe), *more, "--json"]
    done = run(story.home / "elsewhere", *arguments, fails=fails)
    return done if fails else json.loads(done.stdout)


def test_a_burnt_county_comes_back_whole(story, capsys):
    """C-16, O-05: backup → new machine → verify → the head is the last one published; the time is printed."""
    shutil.move(story.var, story.home / "ashes")
    try:
        anchors = story.home / "poster.jsonl"
        anchors.write_text(json.dumps({"place": PLACE, "seq": story.third[0], "head": story.third[1]}))
        done = restore(story, "new", "--anchors", str(anchors))
    finally:
        shutil.move(story.home / "ashes", story.var)
    assert done["ok"] and done["problems"] == [] and done["ledger_heads"][PLACE] == story.third[1]
    assert (story.home / "new/photos" / PLACE / "first.jpg").read_bytes() == story.photo
    assert (story.home / "new/photos" / PLACE / "second.jpg").read_bytes() == b"second photo"
    with capsys.disabled():
        print(f"\nrestore drill: {done['counts']['transfers']} transfers, seconds {done['seconds']}")
    # It goes on where it stopped, with log-ins of its own; the old machine's archive is not written to.
    assert county(story.home / "new", "post", "1")[0] == story.third[0] + 1
    conf = (story.home / "new/pg/postgresql.auto.conf").read_text()
    assert str(story.bank) not in conf and str(story.var) not in conf and "recovery" not in conf
    # A poster that this past does not hold is named.
    anchors.write_text(json.dumps({"place": PLACE, "seq": story.third[0], "head": "0" * 64}))
    other = restore(story, "new", "--anchors", str(anchors), fails=True)
    assert json.loads(other.stdout)["ok"] is False


def test_back_to_the_minute_between_two_deeds(story):
    """C-16, O-05: point in time: the second deed is there, the third is not."""
    done = restore(story, "minute", "--at", story.between.strftime("%Y-%m-%d %H:%M:%S"))
    assert done["ok"] and done["ledger_heads"][PLACE] == story.second[1]


@pytest.mark.parametrize(
    "at, words",
    [
        ("2020-01-01 08:00", "到不了更早的时刻"),
        ("昨天", "看不懂时刻"),
        ((datetime.now(SHANGHAI) + timedelta(days=1)).strftime("%Y-%m-%d %H:%M"), "备份里的日志到不了"),
    ],
)
def test_a_moment_the_backup_does_not_reach_is_said(story, at, words):
    """O-05: never a neighbouring moment instead, and nothing is left standing."""
    assert words in restore(story, "never", "--at", at, fails=True).stderr
    assert not (story.home / "never").exists()


def test_the_wrong_key_and_a_missing_key_are_said(story):
    """K-06: the backup alone opens nothing."""
    from zhili.common.cipher import Keyring

    wrong = story.home / "wrong"
    wrong.mkdir()
    to = ["--to", str(story.home / "never"), "--keys", str(wrong)]
    assert "没有 key.json" in run(story.home / "e", "restore", str(story.bank), *to, fails=True).stderr
    Keyring.create(wrong / "key.json")
    assert "备份密钥对不上" in run(story.home / "e", "restore", str(story.bank), *to, fails=True).stderr
    shutil.copy(story.safe / "key.json", wrong / "key.json")
    assert "people.json" in run(story.home / "e", "restore", str(story.bank), *to, fails=True).stderr
    assert not (story.home / "never" / "pg").exists()


def test_a_changed_byte_is_refused_by_name(story):
    """O-05, T-02: in the copy, in its manifest, in the log and in a photo."""
    stamp = story.copied["stamp"]
    log = sorted(p for p in (story.bank / "wal").iterdir())[-1]
    photo = sorted((story.bank / "files").glob("??/*"), key=lambda p: p.stat().st_size)[-1]
    places = {
        story.bank / "base" / stamp / "base.tar.gz.zhi": "base.tar.gz.zhi 被改动过",
        story.bank / "base" / stamp / "manifest.json": "备份清单",
        log: f"wal/{log.name.removesuffix('.zhi')} 不可信",
        photo: f"files/{photo.name.removesuffix('.zhi')} 不可信",
    }
    for path, words in places.items():
        whole = path.read_bytes()
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        try:
            said = restore(story, "never", fails=True).stderr
        finally:
            path.write_bytes(whole)
        assert words in said, said
        assert not (story.home / "never").exists()


def long_texts(said) -> list[str]:
    """Every text of 40 characters and more in a key file: its keys, whatever its layout."""
    if isinstance(said, str):
        return [said] if len(said) >= 40 else []
    return [text for one in (said.values() if isinstance(said, dict) else said if isinstance(said, list) else ())
            for text in long_texts(one)]  # fmt: skip


def test_the_backup_holds_no_key_and_no_number_in_clear(story):
    """K-06, K-07, O-05: neither the sealed files nor the opened ones hold a key; a number not even opened."""
    import gzip

    from zhili.common.cipher import Keyring
    from zhili.common.sealing import open_sealed

    secrets = [value.encode() for value in json.loads((story.var / "keys/secrets.json").read_text()).values()]
    people = json.loads((story.var / "keys/people.json").read_text())
    ours = json.loads((story.var / "archive/key.json").read_text())
    secrets += [key.encode() for key in [*long_texts(people), *long_texts(ours)]]
    assert len(secrets) >= 8
    needles = [*secrets, ID_NUMBER.encode(), PHONE.encode()]
    count = 0
    for path in (p for p in story.bank.rglob("*") if p.is_file()):
        count += 1
        found = [needle for needle in needles if needle in path.read_bytes()]
        assert not found, path
    assert count > 5
    ring = Keyring.load(story.safe / "key.json")
    path = story.bank / "base" / story.copied["stamp"] / "base.tar.gz.zhi"
    with path.open("rb") as file:
        name = f"{story.copied['stamp']}/base.tar.gz"
        opened = gzip.GzipFile(fileobj=open_sealed(file, ring, name)).read()
    assert len(opened) > 10_000_000 and not [needle for needle in needles if needle in opened]


def test_killed_in_the_middle_the_old_copy_stays_good(story):
    """C-05, O-05: kill -9 while a copy is being written: what is unfinished is never taken for a copy."""
    before = sorted(p.name for p in (story.bank / "base").iterdir())
    env = {
        name: value for name, value in os.environ.items() if name not in ("ZHILI_DATABASE", "DATABASE_URL")
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "zhili.config.command", "backup"],
        env={**env, "ZHILI_VAR": str(story.var)}, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not list((story.bank / "base").glob(".part-*/base.tar.gz.zhi")):
        assert process.poll() is None, "the copy was finished before it could be killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list((story.bank / "base").glob(".part-*"))
    from zhili.config.backup_store import copies

    assert [p.name for p in copies(story.bank)] == before
    done = asked(story.var, "backup")
    assert not list((story.bank / "base").glob(".part-*"))
    assert [p.name for p in copies(story.bank)] == [*before, done["stamp"]]
    shutil.rmtree(story.bank / "base" / done["stamp"])


def test_a_drill_leaves_nothing_but_its_note(story):
    """C-16: restore --drill verifies the newest copy in a place of its own and clears it away."""
    before = sorted(p.name for p in story.home.iterdir())
    said = run(story.var, "restore", "--drill", "--keys", str(story.safe)).stdout
    assert "演练通过" in said and "共" in said
    assert sorted(p.name for p in story.home.iterdir()) == before
    note = json.loads((story.var / "status/drill.json").read_text())
    assert note["ok"] and note["seconds"]["total"] > 0


def test_restore_never_overwrites(story):
    """O-05: a place that holds a database is refused."""
    to = ["--to", str(story.var), "--keys", str(story.safe)]
    said = run(story.home / "e", "restore", str(story.bank), *to, fails=True).stderr
    assert "不会覆盖" in said


def test_two_counties_do_not_share_a_place(story):
    """O-05: another instance's folder, a folder with something else in it, and the data's own are refused."""
    other = story.home / "minute"
    if not (other / "pg").exists():
        restore(story, "minute")
    busy = story.home / "busy"
    busy.mkdir(exist_ok=True)
    (busy / "letter.txt").write_text("x")
    marker = story.bank / "zhili-backup.json"
    kept = marker.read_text()
    marker.write_text(kept.replace('"instance": "', '"instance": "9'))
    try:
        assert "属于另一个系统" in run(story.var, "backup", "--to", str(story.bank), fails=True).stderr
    finally:
        marker.write_text(kept)
    assert "已有别的东西" in run(story.var, "backup", "--to", str(busy), fails=True).stderr
    inside = story.var / "bank"
    inside.mkdir(exist_ok=True)
    assert "不能和数据放在一起" in run(story.var, "backup", "--to", str(inside), fails=True).stderr
    inside.rmdir()


RIGHTS = """
import json
from zhili.config import embedded
with embedded.start()["app"].connect() as db:
    ask = lambda text: db.execute(text).fetchone()[0]
    closed = ("SELECT coalesce(json_agg(p.oid::regprocedure::text ORDER BY p.oid::regprocedure::text), '[]') FROM pg_proc p"
              " WHERE pronamespace = 'public'::regnamespace AND proacl IS NOT NULL"
              " AND NOT EXISTS (SELECT FROM aclexplode(proacl) a WHERE a.grantee = 0)")
    print(json.dumps([ask("SELECT count(*) FROM people_resident"),
                      ask("SELECT has_table_privilege('ledger_transfer', 'INSERT')"),
                      ask("SELECT has_table_privilege('audit_entry', 'UPDATE')"), ask(closed)]))
"""


def test_a_county_can_leave_with_everything_and_come_back(story):
    """O-13: complete export, import into a fresh instance: the same heads, the same photos, the walls still up."""
    assert story.exported["villages"] == 2
    fresh = story.home / "fresh"
    done = asked(fresh, "import-all", str(story.export))
    assert done["ok"] and done["problems"] == []
    heads = asked(fresh, "ledger", "verify")["heads"]
    assert heads[PLACE]["head"] == story.third[1] and len(heads) == 2
    assert (fresh / "photos" / PLACE / "first.jpg").read_bytes() == story.photo
    for name in ("schema.sql", "anchors.jsonl", f"ledger/{PLACE}/transfers.csv", "说明.txt"):
        assert (story.export / name).stat().st_size > 0
    assert not [p for p in story.export.rglob("*") if p.name in ("people.json", "secrets.json", "key.json")]
    env = {
        name: value for name, value in os.environ.items() if name not in ("ZHILI_DATABASE", "DATABASE_URL")
    }
    seen = subprocess.run(
        [sys.executable, "-c", RIGHTS], env={**env, "ZHILI_VAR": str(fresh)}, cwd=ROOT, capture_output=True, text=True
    )  # fmt: skip
    closed = json.loads((story.export / "manifest.json").read_text())["closed_functions"]
    assert json.loads(seen.stdout or "null") == [0, False, False, closed], seen.stdout + seen.stderr
    assert len(closed) >= 5
    assert "不是空的" in run(fresh, "import-all", str(story.export), fails=True).stderr
