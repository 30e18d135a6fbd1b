"""Keys at rest: rotation that survives kill -9, a dump that tells nothing, ciphers tried before anything starts."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.db import models

from zhili.common.cipher import Keyring
from zhili.common.idnumber import check_character
from zhili.config import embedded
from zhili.people.rotation import COLUMNS
from zhili.people.tests.keys_worker import PEOPLE, numbers

ROOT = Path(__file__).resolve().parents[3]
WORKER = "zhili.people.tests.keys_worker"


@pytest.fixture
def worker(own_database, tmp_path):
    """run("look") → the worker's answer, on a database and with a key file of its own."""
    keys = tmp_path / "keys" / "people.json"

    def run(*words: str, profile: str = "intl", killed: bool = False, module: str = WORKER):
        done = subprocess.run(
            [sys.executable, "-m", module, *words], cwd=ROOT, capture_output=True, text=True, timeout=180,
            env={**os.environ, "ZHILI_DATABASE": own_database, "ZHILI_PEOPLE_KEYS": str(keys), "ZHILI_CIPHER": profile},
        )  # fmt: skip
        if killed:
            assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
            return None
        return done if module != WORKER else json.loads(_ok(done).stdout)

    run.keys, run.database = keys, own_database
    return run


def _ok(done):
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def test_a_rotation_killed_half_way_goes_on_and_everything_is_found_throughout(worker):
    """K-01, K-02, K-04: intl to 国密 with kill -9 after two batches; read and found before, in the middle and after."""
    assert worker("fill") == {"households": PEOPLE}
    whole = {"read": 3 * PEOPLE, "found": 3 * PEOPLE, "refused": 2}
    before = worker("look")
    assert before == {
        **whole,
        "current": "k1",
        "turning": False,
        "tokens": ["v1:aesgcm:k1"],
        "index": ["0101"],
    }

    worker("killed", "gm", killed=True)
    middle = worker("look")
    assert middle["current"] == "k2" and middle["turning"]
    assert {key: middle[key] for key in whole} == whole
    status = json.loads(_ok(worker("keys", "status", "--json", module="zhili.config.command")).stdout)
    assert 0 < sum(status["left"].values()) < 3 * PEOPLE, "some rows are new, some are not"

    retired = worker("keys", "retire", module="zhili.config.command")
    assert retired.returncode == 1 and "还有数据用着旧密钥" in retired.stderr
    changed = json.loads(_ok(worker("keys", "rotate", "--json", module="zhili.config.command")).stdout)
    assert changed["current"] == "k2", "the second run goes on with the same key"
    assert sum(changed["changed"].values()) == sum(status["left"].values())
    json.loads(_ok(worker("keys", "retire", "--json", module="zhili.config.command")).stdout)
    after = worker("look")
    assert after == {
        **whole,
        "current": "k2",
        "turning": False,
        "tokens": ["v1:sm4gcm:k2"],
        "index": ["0202"],
    }
    archive = worker.keys.with_name("people-retired-before-k2.json")
    assert set(Keyring.load(archive).keys) == {"k1", "k2"}
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600


def dump(database: str) -> bytes:
    """Everything pg_dump can tell, by the superuser: no row security stands in its way."""
    found = embedded.superuser()
    return subprocess.run(
        [embedded.program("pg_dump"), "-w", "-h", found.host, "-p", str(found.port or 5432), "-U", found.user, database],
        env={**os.environ, "PGPASSWORD": found.password}, capture_output=True, check=True, timeout=120,
    ).stdout  # fmt: skip


def spellings(number: str) -> set[str]:
    """How a number may stand somewhere without looking like itself."""
    digits = number.lower()
    cuts = {(3, 7), (6, 14), (4, 8, 12, 16)}
    found = {number, digits, digits.encode().hex(), number.encode().hex()}
    for at in cuts:
        pieces = [number[a:b] for a, b in zip((0, *at), (*at, len(number)), strict=True) if number[a:b]]
        found |= {" ".join(pieces), "-".join(pieces)}
    for form in (hashlib.md5, hashlib.sha1, hashlib.sha256):
        found.add(form(number.encode()).hexdigest())
    found.add(
        hashlib.new("sm3", number.encode()).hexdigest() if "sm3" in hashlib.algorithms_available else number
    )
    return found


@pytest.mark.parametrize("profile", ["intl", "gm"])
def test_a_dump_holds_no_number_in_any_spelling_and_no_key(worker, profile):
    """K-06, K-07, K-05: numbers in clear, cut, in hex, as plain digests of five kinds; and the keys themselves."""
    worker("fill", profile=profile)
    text = dump(worker.database).decode("utf-8", "replace").lower()
    assert text.count("v1:aesgcm:k1:" if profile == "intl" else "v1:sm4gcm:k1:") == 3 * PEOPLE
    for n in range(PEOPLE):
        for number in numbers(n).values():
            hits = [form for form in spellings(number) if form.lower() in text]
            assert hits == [], f"person {n}: {hits[0][:4]}…"
    ring = Keyring.load(worker.keys)
    for key in (*ring.keys.values(), ring.index):
        assert key.hex() not in text
    stored = json.loads(worker.keys.read_text())
    for secret in (stored["keys"]["k1"], stored["indexes"]["i1"]["key"]):
        assert secret.lower() not in text


def test_brute_force_on_the_dump_alone_finds_nothing(worker):
    """K-05: the attack of 1.3. County code known, every birth day of ten years tried: plain digests and HMACs under
    guessed keys against the index column. The same attack with the real key finds its man, so it is a real one."""
    worker("fill")
    text = dump(worker.database).decode()
    copy = re.search(r"COPY public\.people_resident \((.*?)\) FROM stdin;\n(.*?)\n\\\.", text, re.S)
    column = copy[1].split(", ").index("id_number_index")
    stored = {line.split("\t")[column].removeprefix("\\\\x")[4:] for line in copy[2].split("\n")}
    assert len(stored) == PEOPLE
    guesses = []
    for year in range(1950, 1960):
        for day in ("0305", "0304"):
            for order in range(PEOPLE):
                first = f"511799{year}{day}{order:03d}"
                guesses.append(first + check_character(first))
    import hmac

    for guess in guesses:
        data = guess.encode()
        for digest in ("sha256", "sm3") if "sm3" in hashlib.algorithms_available else ("sha256",):
            assert hashlib.new(digest, data).hexdigest() not in stored
        for key in (b"", b"zhili", b"people.resident.id_number", b"secret"):
            assert hmac.digest(key, data, "sha256").hex() not in stored
    from zhili.common.cipher import blind_index

    ring = Keyring.load(worker.keys)
    hits = [
        guess
        for guess in guesses
        if blind_index(ring, "people.resident.id_number", guess)[2:].hex() in stored
    ]
    assert len(hits) >= 10, "with the key the same guesses hit"


# What no rotation brings over, and why.
SHORT_LIVED = {
    (
        "people_phonecode",
        "phone_index",
    ): "valid for ten minutes, under both keys while they turn; gone after a day",
}


def test_every_sealed_column_is_one_the_rotation_knows():
    """K-04: a sealed column that nobody turns would be lost with the old key."""
    known = {(one.table, one.column) for one in COLUMNS} | {
        (one.table, one.index) for one in COLUMNS if one.index
    }
    sealed = {
        (model._meta.db_table, field.column)
        for model in apps.get_models()
        if model.__module__.startswith(
            "zhili."
        )  # of the log-in library's tables none is used (no tokens are stored)
        for field in model._meta.get_fields()
        if isinstance(field, (models.TextField, models.BinaryField))
        and (
            field.name.endswith(("_secret", "_index"))
            or field.name == "sealed"
            or "加密" in str(field.verbose_name)
        )
    }
    assert sealed == known | set(SHORT_LIVED)
    assert not settings.SOCIALACCOUNT_STORE_TOKENS


@pytest.mark.parametrize("name", ["SM3", "AES-256-GCM"])
def test_nothing_starts_where_a_cipher_fails_its_published_vector(name):
    """K-03: the command and the web server's entry refuse, in words, before a row is read."""
    broken = f"import zhili.common.cipher as c; c._VECTORS[{name!r}] = lambda: False; "
    for entry in (
        "import sys, zhili.config.command as m; sys.exit(m.main(['keys', 'status']))",
        "import zhili.config.wsgi",
    ):
        done = subprocess.run(
            [sys.executable, "-c", broken + entry], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True,
            timeout=60,
        )  # fmt: skip
        assert done.returncode != 0
        assert f"密码算法 {name} 自检不通过" in done.stderr
        assert done.stdout == ""


def test_the_keys_are_not_in_the_repository():
    """K-06: no key file, and nothing that looks like one, is under version control."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(listed) > 100
    assert [name for name in listed if name.endswith(("people.json", "secrets.json", ".pem", ".key"))] == []
    done = subprocess.run(
        ["git", "grep", "-lE", '"(k|i)?[0-9]*(key)?": *"[A-Za-z0-9+/]{43}="'],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.stdout == ""
