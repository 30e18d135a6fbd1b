"""zhili init: an empty instance becomes a county, without a default account, password or secret (N-02, A-07, W-03)."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from zhili.audit.models import Entry
from zhili.common.errors import ZhiliError
from zhili.common.scope import set_scope
from zhili.config.initial import InitError, check_mode, check_secrets, set_up
from zhili.people.models import Membership, User
from zhili.privacy.golive import template
from zhili.privacy.tests.filled import filled_in

NAMES = {"admin": "xitong", "security": "anquan", "audit": "shenji"}
GOOD = {name: name[0] * 40 for name in ("superuser", "owner", "app", "django")}
HTTPS = {
    "ZHILI_MODE": "production", "ZHILI_HOSTS": "jifen.example.gov.cn", "ZHILI_URL": "https://jifen.example.gov.cn",
}  # fmt: skip


def test_three_administrators_with_three_passwords(db):
    made = set_up(county="511702", names=NAMES, places=None)
    set_scope(["*"])
    assert made["places"] == 230 and made["title"] == "通川区"
    passwords = [one["password"] for one in made["accounts"]]
    assert len(set(passwords)) == 3 and min(len(one) for one in passwords) >= 16
    held = set(Membership.objects.values_list("user__username", "role", "place"))
    assert held == {("xitong", "system_admin", "511702"), ("anquan", "security_admin", "511702"),
                    ("shenji", "audit_admin", "511702")}  # fmt: skip
    for one in made["accounts"]:
        user = User.objects.get(username=one["username"])
        assert user.check_password(one["password"]) and not user.is_superuser and not user.is_staff
    trail = json.dumps(list(Entry.objects.values_list("detail", flat=True)))
    assert Entry.objects.filter(action="config.init").count() == 1
    assert not any(one in trail for one in passwords)


def test_the_second_time_is_refused(db):
    set_up(county="511702", names=NAMES, places=None)
    with pytest.raises(InitError, match="已经有账号"):
        set_up(county="511702", names={"admin": "a11", "security": "b11", "audit": "c11"}, places=None)
    assert User.objects.count() == 3


def test_any_account_at_all_refuses(cast):
    before = User.objects.count()
    with pytest.raises(InitError, match="已经有账号"):
        set_up(county="511702", names=NAMES, places=None)
    assert User.objects.count() == before


@pytest.mark.parametrize("county", ["", "51170", "5117021", "abcdef", "５１１７０２", "999999"])
def test_a_county_that_is_none(db, county):
    with pytest.raises(InitError):
        set_up(county=county, names=NAMES, places=None)
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "names",
    [
        NAMES | {"audit": "xitong"},
        NAMES | {"audit": "XITONG"},
        NAMES | {"audit": "x"},
        NAMES | {"audit": "审计"},
    ],
)
def test_bad_names_leave_nothing_behind(db, names):
    with pytest.raises(ZhiliError):
        set_up(county="511702", names=names, places=None)
    set_scope(["*"])
    assert not User.objects.exists() and not Entry.objects.exists()


def test_a_places_file_without_the_county(db, tmp_path):
    file = tmp_path / "places.csv"
    file.write_text("code,name,level,parent\n52,贵州省,province,\n", encoding="utf-8")
    with pytest.raises(ZhiliError):
        set_up(county="520102", names=NAMES, places=file)
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "mode, hosts, url",
    [
        ("demo", "a.gov.cn", "https://a.gov.cn"),
        ("", "a.gov.cn", "https://a.gov.cn"),
        ("production", "", "https://a.gov.cn"),
        ("production", "*", "https://a.gov.cn"),
        ("production", "a.gov.cn,*", "https://a.gov.cn"),
        ("production", "localhost,127.0.0.1", "https://localhost"),
        ("production", "a.gov.cn", ""),
        ("production", "a.gov.cn", "http://a.gov.cn"),
        ("production", "a.gov.cn", "https://b.gov.cn"),
        ("production", "a.gov.cn,localhost", "https://localhost"),
    ],
)
def test_not_in_demo_and_not_without_https(mode, hosts, url):
    with pytest.raises(InitError):
        check_mode(mode, hosts, url)


def test_production_by_https_may():
    assert check_mode("production", "a.gov.cn,localhost", "https://a.gov.cn") is None
    assert check_secrets(GOOD) is None


@pytest.mark.parametrize("changes", [{"django": "django"}, {"owner": ""}, {"app": "o" * 40}])
def test_a_short_or_shared_secret_is_refused(changes):
    with pytest.raises(InitError, match="密钥"):
        check_secrets(GOOD | changes)


@pytest.mark.processes
def test_the_real_command(own_database, tmp_path):
    """P-09: without a signed impact assessment no county. Prints each password once; without https, without names or
    again it says why not and makes nothing."""

    def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "zhili.config.command", "init", *words], capture_output=True, text=True,
            env={**os.environ, "ZHILI_DATABASE": own_database, **env}, timeout=120, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    names = ["--county", "511702", "--admin", "xitong", "--security", "anquan", "--audit", "shenji"]
    paper = tmp_path / "评估.json"
    bare = run(*names, **HTTPS)
    assert bare.returncode == 1 and "影响评估" in bare.stderr
    paper.write_text(json.dumps(template(), ensure_ascii=False), encoding="utf-8")
    words = [*names, "--assessment", str(paper)]
    unfilled = run(*words, **HTTPS)
    assert unfilled.returncode == 1 and "还没有写清楚" in unfilled.stderr
    paper.write_text(json.dumps(filled_in(), ensure_ascii=False), encoding="utf-8")
    refused = [run(*words), run(*words, **HTTPS | {"ZHILI_URL": "http://jifen.example.gov.cn"}), run(**HTTPS)]
    assert [one.returncode for one in refused] == [1, 1, 1] and not any(
        one.stdout.count("密码") for one in refused
    )
    done = run(*words, "--json", **HTTPS)
    assert done.returncode == 0, done.stderr
    assert [len(one["password"]) >= 16 for one in json.loads(done.stdout)["accounts"]] == [True] * 3
    again = run(*words, **HTTPS)
    assert again.returncode == 1 and "已经有账号" in again.stderr
