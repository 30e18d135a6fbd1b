"""What a log line holds and what it never holds; refusals and log-ins in the trail (O-01, O-03, W-09, P-19)."""

from __future__ import annotations

import ast
import io
import json
import logging
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, connection, transaction
from django.test import Client, RequestFactory

import zhili
from tests.logged import Mark, lines_since, mark, text_since
from zhili.audit.models import Entry
from zhili.common import logs
from zhili.common.origin import coming_from, shorten
from zhili.common.scope import set_scope
from zhili.people.models import Household
from zhili.web.request_log import address_of

ID_NUMBER, PHONE, BANK, NAME = "11010519491231002X", "13800138000", "6222021234567890128", "演示乙"
SECRETS = (ID_NUMBER, PHONE, BANK, NAME, "张三丰", "zhangsanfeng-geheim")


@pytest.fixture
def start() -> Mark:
    return mark()


def render(record_args: tuple, **more) -> dict:
    record = logging.getLogger("zhili.t").makeRecord("zhili.t", logging.INFO, "f", 1, *record_args, **more)
    text = logs.JsonFormatter().format(record)
    assert "\n" not in text and "\r" not in text and text.isascii()
    return json.loads(text)


def test_requests_with_personal_data_leave_none_in_the_log(cast: SimpleNamespace, start: Mark) -> None:
    """W-09, O-03: ids, phones, names in query, body, path, headers and unknown pages: not one of them in any line."""
    client = Client(raise_request_exception=False, headers={"user-agent": f"x {PHONE}"})
    client.force_login(cast.clerk)
    word = f"{NAME} {PHONE} {ID_NUMBER} {BANK} 张三丰 zhangsanfeng-geheim"
    for path in (f"/desk/{cast.place}/households/", "/m/", f"/open/{cast.place}/receipt/", f"/没有/{NAME}/{PHONE}/",
                 f"/desk/{PHONE}/households/", f"/m/c/{cast.household.card_token}/", "/login/"):  # fmt: skip
        assert client.get(path, {"q": word, "code": PHONE}).status_code < 500
        client.post(path, {"q": word, "login": NAME, "password": PHONE, "name\nx": word})
    client.get(f"/desk/{cast.place}/", headers={"host": f"{PHONE}.example"})
    client.post("/login/", f"login={NAME}".encode() + b"\xff\n{}", content_type="text/plain; x=\r\n")
    text = text_since(start)
    assert text.isascii()
    assert all(secret not in text and json.dumps(secret)[1:-1] not in text for secret in SECRETS)
    assert cast.household.card_token not in text and str(cast.household.pk) not in text
    lines = [line for line in lines_since(start) if line["logger"] == "zhili.access"]
    assert len(lines) >= 15 and all(line["message"] == "request" for line in lines)
    seen = next(line for line in lines if line["route"].endswith("households/") and line["status"] == 200)
    assert seen["user"] == cast.clerk.pk and seen["place"] == cast.place and seen["method"] == "GET"
    assert seen["outcome"] == "ok" and seen["source"] == "127.0.0.0/24" and seen["at"].endswith("+08:00")
    assert isinstance(seen["ms"], int) and len(seen["receipt"]) == 9


def test_an_exception_is_told_without_its_words(cast: SimpleNamespace, start: Mark, monkeypatch) -> None:
    """O-03, W-08: a failure with personal data in its message is found by its receipt, and says kind and place only."""

    def breaks(*args: object, **kwargs: object) -> None:
        raise RuntimeError(f"{NAME} {PHONE} {ID_NUMBER}\n{{'level': 'forged'}}")

    monkeypatch.setattr("zhili.ledger.open.heads", breaks)
    response = Client(raise_request_exception=False).get(f"/open/{cast.place}/ledger/")
    assert response.status_code == 500
    line = next(line for line in lines_since(start) if line.get("error"))
    assert line["receipt"] in response.content.decode()
    assert line["error"]["kind"] == "builtins.RuntimeError"
    assert any("ledger/open.py" in frame for frame in line["error"]["where"])
    assert PHONE not in json.dumps(line) and "forged" not in json.dumps(line)


def test_a_database_error_names_the_rule_and_not_the_row(cast: SimpleNamespace) -> None:
    """O-03: PostgreSQL quotes the refused row in its message; the line keeps SQLSTATE and constraint."""
    try:
        with transaction.atomic():
            Household.objects.create(place=cast.place, code=cast.household.code, group=NAME)
    except IntegrityError as error:
        line = render(("failed", (), (type(error), error, error.__traceback__)))
    assert line["error"]["sqlstate"] == "23505" and line["error"]["constraint"] == "household_code_unique"
    assert cast.household.code not in json.dumps(line["error"]["where"][-1])


@pytest.mark.parametrize(
    ("message", "args"),
    [
        ("hello %s", (NAME,)), ("hello %s", (PHONE,)), ("hello %d", (int(PHONE),)), ("hello " + PHONE, ()),
        ("hello %(who)s", ({"who": ID_NUMBER},)), (f"hello {NAME}", ()), ("a %s", (f"/m/c/{'x' * 22}/",)),
        ("a %s", ("Qk2vX9wLr3sT8yUoPb1nZd",)), ("a %s", ({"name": NAME},)), ("a %s", ([PHONE],)),
        ("a %s", ("x\nlevel: forged",)), ("a %s", ("x\u2028y",)), ("a\r\nb %s", (BANK,)), ("%s %s", (1,)),
        ("a %s", (" 6222 0212 3456 7890 128",)), ("%s", (Path("/root/x"),)),
    ],
)  # fmt: skip
def test_values_that_never_pass(message: str, args: tuple) -> None:
    """O-03: names, numbers in any spelling, paths, tokens and line breaks never get into a line."""
    line = json.dumps(render((message, args, None)))
    for secret in (*SECRETS, "forged", "Qk2vX9", "xxxxxxxxxx", "/root", "1380013", "6222"):
        assert secret not in line and json.dumps(secret)[1:-1] not in line


@pytest.mark.parametrize(
    "value",
    [0, 17, 3.5, True, None, UUID(int=5), "claims.submit", "2026-10-01", "ok", "A1B2-C3D4", date(2026, 1, 2)],
)
def test_values_that_pass(value: object) -> None:
    """O-03: numbers, ids and words of code stay readable, or the log would be of no use."""
    assert logs.harmless(value) != logs.WITHHELD


def test_extra_fields_are_sifted_too() -> None:
    """O-03: what comes in by extra= is sifted like everything else; only the access log may hold an address's pattern."""
    record = logging.makeLogRecord(
        {"msg": "x", "name": "zhili.t", "route": "desk/<str:place>/", "who": NAME, "n": 3}
    )
    line = json.loads(logs.JsonFormatter().format(record))
    assert (line["route"], line["who"], line["n"]) == ("…", "…", 3)


@pytest.mark.parametrize("days", ["179", "0", "-1", "abc", "1e9", " "])
def test_retention_cannot_go_below_half_a_year(days: str) -> None:
    """P-19: fewer than 180 days, or what is no number, stops the start with a Chinese sentence."""
    with pytest.raises(ImproperlyConfigured, match="六个月"):
        logs.read_log_days(days)


def test_a_file_that_was_cleared_away_is_begun_again(tmp_path: Path) -> None:
    """O-03: what is said after somebody removed the day's file is not written into nothing."""
    handler = logs.DailyFile(tmp_path)
    for said in ("one", "two"):
        handler.emit(logging.LogRecord("zhili", logging.INFO, "", 1, said, (), None))
        (file,) = tmp_path.iterdir()
        assert file.read_text().strip() == said
        file.unlink()
    handler.close()


def test_only_old_logs_go(tmp_path: Path) -> None:
    """P-19: files older than the setting go, never younger than 180 days whoever asks; other files stay."""
    for name in ("zhili-2026-01-01.jsonl", "zhili-2026-05-07.jsonl", "zhili-2026-11-01.jsonl", "other-2020-01-01.jsonl",
                 "zhili-notes.jsonl"):  # fmt: skip
        (tmp_path / name).write_text("x")
    assert logs.read_log_days("180") == 180 and logs.read_log_days("") >= 180
    assert logs.clear_out(tmp_path, 1, date(2026, 11, 2)) == 1
    assert not (tmp_path / "zhili-2026-01-01.jsonl").exists() and len(list(tmp_path.iterdir())) == 4


def test_every_log_call_has_a_constant_sentence() -> None:
    """O-03: no line of our code builds a log message from values."""
    wrong = []
    for path in Path(zhili.__file__).parent.rglob("*.py"):
        if "tests" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("debug", "info", "warning", "error", "exception", "critical")
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id in ("log", "logger", "logging", "access")
                and not (
                    node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value.isascii()
                )
            ):
                wrong.append(f"{path}:{node.lineno}")
    assert wrong == []


def rows(action: str) -> list[Entry]:
    set_scope(["*"])
    found = list(Entry.objects.filter(action=action).order_by("at"))
    set_scope(["511702"])
    return found


def test_log_in_failure_and_log_out_are_written_down(cast: SimpleNamespace) -> None:
    """O-01, T-08: who, when, from where, what, with what outcome and offset; of an unknown name nothing is kept."""
    cast.clerk.set_password("zhili-demo-2026")
    cast.clerk.save()
    client = Client(REMOTE_ADDR="2001:db8:aa:bb::7")
    client.post("/login/", {"login": "clerk", "password": f"wrong{PHONE}"})
    client.post("/login/", {"login": f"{NAME}{PHONE}", "password": "x"})
    client.post("/login/", {"login": "clerk", "password": "zhili-demo-2026"})
    client.post("/logout/")
    failed = rows("accounts.login_failed")
    assert [(row.target, row.outcome, row.detail["known"]) for row in failed] == [
        (f"people.user:{cast.clerk.pk}", "failed", True), ("", "failed", False),
    ]  # fmt: skip
    (came,), (went,) = rows("accounts.login"), rows("accounts.logout")
    assert came.actor_id == went.actor_id == cast.clerk.pk and came.place == "511702"
    assert came.source == "2001:db8:aa::/48" and came.utc_offset == 480 and len(came.receipt) == 9
    assert "password" not in json.dumps([row.detail for row in (*failed, came, went)])


def test_refusals_of_signed_in_people_are_written_down(cast: SimpleNamespace) -> None:
    """O-01, A-04: 403 and 404 behind a real page leave a row although the request was undone; strangers' do not."""
    client = Client()
    client.force_login(cast.villager)
    before = len(rows("access.denied"))
    assert client.get(f"/desk/{cast.place}/households/").status_code == 403
    assert client.get(f"/desk/{cast.next_place}/").status_code == 404
    assert client.get("/nothing/here/").status_code == 404
    assert Client().get(f"/open/{cast.next_place}/nothing/").status_code == 404
    found = rows("access.denied")[before:]
    assert [(row.detail["status"], row.detail["asked_place"]) for row in found] == [
        (403, cast.place), (404, cast.next_place),
    ]  # fmt: skip
    assert {row.actor_id for row in found} == {cast.villager.pk} and {row.outcome for row in found} == {
        "denied"
    }
    assert (
        found[0].detail["route"] == "desk/<str:place>/households/" and cast.next_place not in found[1].place
    )


@pytest.mark.parametrize(
    ("address", "short"),
    [("10.1.2.3", "10.1.2.0/24"), ("::ffff:10.1.2.3", "10.1.2.0/24"), ("2001:db8:1:2::3", "2001:db8:1::/48"),
     ("", ""), ("x", ""), ("1.2.3.4, 5.6.7.8", ""), ("1.2.3.4\nx", "")],
)  # fmt: skip
def test_addresses_are_shortened(address: str, short: str) -> None:
    """W-09: only the network is kept; what is no address is not kept at all."""
    assert shorten(address) == short


@pytest.mark.parametrize(
    ("proxies", "forwarded", "found"),
    [(0, "6.6.6.6", "10.0.0.1"), (1, "6.6.6.6, 7.7.7.7", "7.7.7.7"), (2, "1.1.1.1, 6.6.6.6, 7.7.7.7", "6.6.6.6"),
     (1, "", "10.0.0.1"), (3, "6.6.6.6", "10.0.0.1")],
)  # fmt: skip
def test_only_own_proxies_are_believed(settings, proxies: int, forwarded: str, found: str) -> None:
    """N-03, O-01: a caller cannot write an address of his choice into the trail."""
    settings.PROXIES = proxies
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=forwarded)
    assert address_of(request) == found


def test_a_trail_that_cannot_be_written_does_not_hide_the_refusal(
    cast: SimpleNamespace, start: Mark, monkeypatch
) -> None:
    """C-13: a refusal did nothing, so it stays a refusal; that it could not be written down is shouted into the log."""

    def breaks(*args: object, **kwargs: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    client = Client()
    client.force_login(cast.villager)
    monkeypatch.setattr("zhili.web.trail.record", breaks)
    assert client.get(f"/desk/{cast.next_place}/").status_code == 404
    assert any(line["level"] == "ERROR" and "trail" in line["message"] for line in lines_since(start))


def test_the_file_handler_starts_a_new_file_each_day(tmp_path: Path, monkeypatch) -> None:
    """O-03: a line is written in one piece into its day's file, and errors of the disk do not stop the request."""
    handler = logs.DailyFile(tmp_path / "logs")
    handler.setFormatter(logs.JsonFormatter())
    with coming_from("10.0.0.0/24", "A1B2-C3D4"):
        handler.emit(logging.makeLogRecord({"msg": "one", "name": "zhili.t"}))
    (path,) = (tmp_path / "logs").iterdir()
    assert json.loads(path.read_text())["receipt"] == "A1B2-C3D4" and path.stat().st_mode & 0o007 == 0
    monkeypatch.setattr(handler, "_open", lambda day: (_ for _ in ()).throw(OSError("disk full")))
    handler.day = "2000-01-01"
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    handler.emit(logging.makeLogRecord({"msg": "two", "name": "zhili.t"}))
    handler.close()
    assert handler.fd == -1
