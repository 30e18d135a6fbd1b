"""安全自查: every check passes where things are right and fails where they are not; the page is for three roles."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from tests.cast import COUNTY, make_staff
from zhili.audit.actions import record
from zhili.common import readonly, status
from zhili.common.cipher import Keyring
from zhili.common.clock import now
from zhili.config import backup_store, embedded, probe, selfcheck, selfcheck_page
from zhili.config.backup_store import Settings
from zhili.config.setup import as_owner
from zhili.people.models import Membership, Resident, User

ALL = [check for _, _, _, checks in selfcheck_page.TABLE for check in checks]


@pytest.fixture
def county(cast, settings, tmp_path):
    """The cast and its three administrators, in an instance folder of this test's own, as production would have it."""
    var = tmp_path / "var"
    (var / "keys").mkdir(parents=True)
    settings.VAR = var
    settings.READONLY_FILE = var / "readonly.json"
    settings.PEOPLE_KEYS = var / "keys" / "people.json"
    settings.MODE = "production"
    settings.PUBLIC_URL = "https://jifen.example.gov.cn"
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True
    cast.var = var
    cast.admins = {role: make_staff(f"keeper-{role}", "管理", role, COUNTY) for role in selfcheck.ADMIN_ROLES
                   if not Membership.objects.filter(role=role).exists()}  # fmt: skip
    User.objects.update(last_login=now())
    return cast


def ok(look) -> bool:
    found = look()
    assert found.evidence
    return found.ok


def by_title(title: str):
    return next(check.look for check in ALL if check.title == title)


def test_every_line_of_the_table_is_looked_at(county):
    """O-06: ten controls, each with evidence and a requirement number; none breaks."""
    lines = selfcheck_page.lines()
    assert len(lines) == 10 and all(line.found for line in lines)
    for line in lines:
        for check, found in line.found:
            assert check.numbers and found.evidence and "没有查成" not in found.evidence, (check.title, found)


def test_names(county):
    """O-06, N-02: one name in two spellings is found."""
    assert ok(selfcheck.unique_names)
    User.objects.create(username=county.clerk.username.upper())
    assert not ok(selfcheck.unique_names)


def test_second_factors(county):
    """O-06, N-02: everybody with a role, or it is not passed; printed recovery codes are no factor."""
    from allauth.mfa.models import Authenticator

    assert not ok(selfcheck.second_factor)
    staff = set(Membership.objects.values_list("user_id", flat=True))
    for user in staff:
        Authenticator.objects.create(user_id=user, type="totp", data={})
    assert ok(selfcheck.second_factor)
    last = Authenticator.objects.get(user_id=county.clerk.pk)
    last.type = "recovery_codes"
    last.save()
    assert not ok(selfcheck.second_factor)


def test_passwords(county):
    """O-06, N-04: a password that was stored as typed is found."""
    county.clerk.set_password("a long enough one 7")
    county.clerk.save()
    assert ok(selfcheck.passwords_hashed)
    User.objects.filter(pk=county.villager.pk).update(password="123456")
    assert not ok(selfcheck.passwords_hashed)


def test_sessions(county, settings):
    """O-06, N-06, W-02: cookies only over https in production; those that ran out are gone."""
    assert ok(selfcheck.session_limits) and ok(selfcheck.old_sessions)
    settings.SESSION_COOKIE_SECURE = False
    assert not ok(selfcheck.session_limits)
    settings.SESSION_COOKIE_SECURE, settings.SESSION_COOKIE_HTTPONLY = True, False
    assert not ok(selfcheck.session_limits)
    Session.objects.create(session_key="x", session_data="", expire_date=now() - timedelta(days=3))
    assert not ok(selfcheck.old_sessions)


def test_the_applications_role(county):
    """O-06, A-03: the superuser and the owner could go round the walls; the application cannot."""
    assert ok(selfcheck.app_role)
    assert "是超级用户" in probe.role_problems(embedded.superuser())
    assert "等于数据库属主" in probe.role_problems(embedded.logins()["owner"])


@pytest.mark.processes
def test_walls_and_trail_as_the_catalogue_has_them(own_database, django_db_blocker):
    """O-06, A-03, O-04: one table without its wall is named; a role that may change the trail does not pass."""
    with django_db_blocker.unblock(), as_owner(own_database):
        assert ok(selfcheck.walls)
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE claims_claim NO FORCE ROW LEVEL SECURITY")
        found = selfcheck.walls()
        assert not found.ok and "claims_claim" in found.evidence
        assert not ok(selfcheck.trail_closed)


def test_roles(county):
    """O-06, A-07: two roles that exclude each other in one hand, and an administrator who is two of the three."""
    assert ok(selfcheck.roles_apart) and ok(selfcheck.three_apart)
    extra = Membership.objects.create(user=county.clerk, role="supervisor", place=county.place)
    assert not ok(selfcheck.roles_apart)
    extra.delete()
    keeper = Membership.objects.get(role="system_admin").user
    Membership.objects.create(user=keeper, role="audit_admin", place=COUNTY)
    assert not ok(selfcheck.three_apart)


def test_three_administrators_must_be_there(county):
    """O-06, A-07: without a security administrator the line fails."""
    Membership.objects.filter(role="security_admin").delete()
    found = selfcheck.three_apart()
    assert not found.ok and "安全 0 人" in found.evidence


def test_accounts_nobody_uses(county):
    """O-06, A-06: half a year without a log-in."""
    assert ok(selfcheck.stale_accounts)
    User.objects.filter(pk=county.clerk.pk).update(last_login=now() - timedelta(days=181))
    assert not ok(selfcheck.stale_accounts)


def test_demo_accounts(county, settings):
    """O-06, N-10: a demo is no county."""
    assert ok(selfcheck.no_demo)
    settings.MODE = "demo"
    assert not ok(selfcheck.no_demo)


def test_the_trail_is_written(county, django_db_blocker):
    """O-06, T-08: nothing for thirty days is not passed."""
    assert ok(selfcheck.trail_closed)
    record("ledger.export", by=None, place=county.place)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert ok(selfcheck.trail_alive)


def test_a_silent_trail_does_not_pass(db):
    """O-06, T-08."""
    assert not ok(selfcheck.trail_alive)


def test_logs(county, settings):
    """O-06, P-19: half a year at least."""
    assert ok(selfcheck.log_kept)
    settings.LOG_DAYS = 179
    assert not ok(selfcheck.log_kept)


def test_the_frameworks_own_check(county, settings):
    """O-06, W-01: a warning is named by its number."""
    assert ok(selfcheck.deploy_check), selfcheck.deploy_check()
    settings.SECURE_HSTS_SECONDS = 0
    found = selfcheck.deploy_check()
    assert not found.ok and "W004" in found.evidence


def test_features_and_alarms(county):
    """O-06, X-01, L-15: an open alarm is one until a named person has lifted it."""
    from zhili.people.models import Alarm

    assert ok(selfcheck.features) and ok(selfcheck.alarms)
    Alarm.objects.create(place=county.place, kind="unmask", user=county.clerk, count=11)
    assert not ok(selfcheck.alarms)
    Alarm.objects.update(seen_by=county.clerk, seen_at=now())
    assert ok(selfcheck.alarms)


def test_clocks(county, monkeypatch):
    """O-06, O-08: a named time source that does not answer is not passed."""
    monkeypatch.delenv("ZHILI_TIME_SOURCE", raising=False)
    assert ok(selfcheck.clocks)
    monkeypatch.setenv("ZHILI_TIME_SOURCE", "http://127.0.0.1")
    assert not ok(selfcheck.clocks)


@pytest.mark.parametrize(
    "title, name, good, bad, hours",
    [
        ("台账每晚核对，完整", "verify", {"ok": True, "counts": {}}, {"ok": False}, 49),
        ("每晚有加密备份", "backup", {"bytes": 10}, None, 27),
        ("恢复演练", "drill", {"ok": True, "seconds": {"total": 5}}, {"ok": False}, 24 * 93),
    ],
)
def test_what_must_be_done_regularly(county, title, name, good, bad, hours):
    """O-06, O-05, C-16: never done, done badly, done too long ago: none of them passes."""
    look = by_title(title)
    assert not ok(look)
    status.note(county.var, name, **good)
    assert ok(look)
    with time_machine.travel(now() + timedelta(hours=hours), tick=False):
        assert not ok(look)
    if bad is not None:
        status.note(county.var, name, **bad)
        assert not ok(look)


def test_https(county, settings):
    """O-06, W-02."""
    assert ok(selfcheck.https_only)
    settings.SECURE_SSL_REDIRECT = False
    assert not ok(selfcheck.https_only)
    settings.SECURE_SSL_REDIRECT, settings.PUBLIC_URL = True, "http://jifen.example.gov.cn"
    assert not ok(selfcheck.https_only)


def test_numbers_in_clear(county):
    """O-06, K-07: one value that was not sealed is found, and its digits are not in the evidence."""
    assert ok(selfcheck.sealed_fields)
    Resident.objects.filter(pk=county.villager.resident_id).update(phone_secret="13800138123")
    found = selfcheck.sealed_fields()
    assert not found.ok and "138" not in found.evidence


def test_ciphers_and_keys(county):
    """O-06, K-03, K-06: a key file others can read, or one inside the backup, does not pass."""
    assert ok(selfcheck.ciphers)
    path = county.var / "keys" / "people.json"
    Keyring.create(path)
    assert ok(selfcheck.keys_apart)
    path.chmod(0o644)
    assert not ok(selfcheck.keys_apart)
    path.chmod(0o600)
    (county.var / "archive").mkdir()
    backup_store.write_settings(county.var / "archive", Settings(county.var))
    assert not ok(selfcheck.keys_apart)


def test_where_the_backup_lies(county, tmp_path):
    """O-06, O-05: no place, the same disk, a place that is gone: not passed; a command that carries it on is."""
    assert not ok(selfcheck.backup_elsewhere)
    folder = county.var / "archive"
    folder.mkdir()
    for chosen, good in (
        (Settings(tmp_path), False),
        (Settings(tmp_path / "gone"), False),
        (Settings(tmp_path, hook="rsync -a"), True),
    ):
        backup_store.write_settings(folder, chosen)
        assert ok(selfcheck.backup_elsewhere) is good
    elsewhere = next(
        (p for p in map(Path, ("/dev/shm", "/run")) if p.stat().st_dev != tmp_path.stat().st_dev), None
    )
    assert elsewhere is not None, "this machine has one file system only"
    backup_store.write_settings(folder, Settings(elsewhere))
    assert ok(selfcheck.backup_elsewhere)


def test_log_that_does_not_leave(county):
    """O-06, O-05: a piece that waits longer than a quarter of an hour."""
    spool = county.var / "pg-spool"
    spool.mkdir()
    piece = spool / "000000010000000000000001"
    piece.write_bytes(b"log")
    assert ok(selfcheck.log_leaves)
    old = now().timestamp() - 3600
    os.utime(piece, (old, old))
    assert not ok(selfcheck.log_leaves)


def test_the_disk(county):
    """O-06, O-09: the share that must stay free is asked of the disk the data lies on."""
    assert ok(selfcheck.disk_room)


def test_read_only(county):
    """O-06, O-09: said on the table, with the reason."""
    assert ok(selfcheck.writing)
    readonly.switch(on=True, reason="演练")
    found = selfcheck.writing()
    assert not found.ok and "演练" in found.evidence


def test_the_register_of_personal_fields(county):
    """O-06, P-01: a table that nobody registered is found."""
    from dataclasses import replace

    from zhili.privacy.register import register

    whole = register()
    assert ok(selfcheck.register_complete), selfcheck.register_complete()
    less = {label: entry for label, entry in whole.models.items() if label != "people.Resident"}
    assert not selfcheck.register_complete(replace(whole, models=less)).ok


def test_a_check_that_breaks_does_not_pass_and_stops_nothing(county):
    """O-06: an error is said by its kind; the database goes on answering."""
    from zhili.config.selfcheck import Check

    found = selfcheck_page.run(Check("坏的", "X-01", lambda: selfcheck.number("SELECT nothing")))
    assert not found.ok and "没有查成" in found.evidence and selfcheck.number("SELECT 7") == 7


@pytest.mark.parametrize("role", selfcheck.ADMIN_ROLES)
def test_the_three_administrators_open_the_page(county, settings, role):
    """O-06, A-07: each of them, with the figures and the moment."""
    settings.SECURE_SSL_REDIRECT = False
    settings.SECOND_FACTOR = "optional"
    client = Client()
    client.force_login(Membership.objects.filter(role=role).first().user)
    page = client.get(f"/desk/{county.place}/selfcheck/")
    assert page.status_code == 200, page.content.decode()[-600:]
    text = page.content.decode()
    assert "项中通过" in text and "GB/T 22239-2019" in text and "三员分立" in text


@pytest.mark.parametrize("name", ["villager", "clerk", "supervisor", "township", "county", "stranger", None])
def test_nobody_else_opens_it(county, settings, name):
    """O-06, A-02: not the clerk, not the county office, not without log-in."""
    settings.SECURE_SSL_REDIRECT = False
    settings.SECOND_FACTOR = "optional"
    client = Client()
    if name:
        client.force_login(getattr(county, name))
    answer = client.get(f"/desk/{county.place}/selfcheck/")
    assert answer.status_code in (302, 403, 404) and "项中通过" not in answer.content.decode()
