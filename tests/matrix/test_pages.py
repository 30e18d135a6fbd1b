"""Every page of every role: looking changes nothing, hostile text stays text, extra fields have no effect."""

from __future__ import annotations

import io
import re
import zipfile
from types import SimpleNamespace
from typing import Any

import openpyxl
import pytest
from django.apps import apps
from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError, InternalError, connection, models, transaction
from django.test import Client

from tests.matrix.asking import address, asked_names, routes, said
from tests.matrix.scene import (
    EVERYWHERE,
    KEPT,
    NEXT,
    REACH,
    UNWRITABLE,
    build,
    village_models,
    without_photos,
)
from zhili.common.scope import set_scope

pytestmark = pytest.mark.django_db
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
# What may be written while somebody only looks: who looked, from where, how often.
NOTES = re.compile(r"^(audit_|django_session$|common_limit|common_bucket|people_user$|people_unmasking)")


@pytest.fixture
def scene(db):
    yield build()
    without_photos()


def client_of(user: Any) -> Client:
    client = Client(raise_request_exception=False)
    if user is not None:
        client.force_login(user, BACKEND)
    return client


def pages(scene: SimpleNamespace) -> list[str]:
    found = [
        address(route, scene.own.ids) for method, route in routes() if method == "GET" and "api/" not in route
    ]
    return [url for url in found if url != "/logout/"]


def written() -> dict[str, int]:
    """Rows inserted, changed and deleted so far in this transaction, by table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables"
            " WHERE n_tup_ins + n_tup_upd + n_tup_del > 0"
        )
        return {name: int(count) for name, count in cursor.fetchall() if not NOTES.match(name)}


def test_looking_changes_nothing(scene, record_property):
    """W-03: every GET as every role leaves every table as it was, but for who looked (audit, session, limits)."""
    wrong, asked = [], 0
    for role in REACH:
        client = client_of(getattr(scene.own, role, None))
        before = written()
        for url in pages(scene):
            cache.clear()
            client.get(url)
            asked += 1
            after = written()
            if after != before:
                changed = {
                    name: n - before.get(name, 0) for name, n in after.items() if n != before.get(name, 0)
                }
                wrong.append(f"{role} GET {url}: {changed}")
                before = after
    record_property("get_crawled", asked)
    assert wrong == []
    assert asked > 1_000


def test_the_count_of_changes_sees_one(scene):
    """W-03: the figure used above does move."""
    before = written()
    set_scope(EVERYWHERE)
    type(scene.own.household).objects.filter(pk=scene.own.household.pk).update(address="y")
    assert written() != before


HOSTILE = [
    "<script>alert(1)</script>", '"><img src=x onerror=1>', "{{7*7}}{% debug %}", "=HYPERLINK(1)", "@SUM(A1)#eval(1)$x$]]>",
    "\t%0d%0aX-Evil: 1 \u202e倒😀𠮷'; --",
]  # fmt: skip


def poison(scene: SimpleNamespace, text: str) -> None:
    """One hostile text in every free text column of the village."""
    set_scope(EVERYWHERE)
    for model in village_models():
        if model._meta.db_table in UNWRITABLE:
            continue
        wanted = {
            field.name: text[: field.max_length or 99]
            for field in model._meta.concrete_fields
            if isinstance(field, models.CharField | models.TextField)
            and (field.name not in KEPT - {"name", "name_masked", "item_title", "group"})
            and not (field.choices or field.unique or field.is_relation)
            and f"{model._meta.db_table}.{field.name}" != "rulebook_rulebook.text"
        }
        for name, value in wanted.items():
            try:
                with transaction.atomic():
                    model._default_manager.filter(place=scene.own.place).update(**{name: value})
            except (
                IntegrityError,
                InternalError,
            ):  # only ever added to, or frozen: nobody can put it there either
                continue


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(scene, text):
    """W-04: in every column, through pages, papers, tables and headers; nothing runs, nothing breaks."""
    poison(scene, text)
    wrong = []
    for role in ("clerk", "villager"):
        client = client_of(getattr(scene.own, role))
        for url in pages(scene):
            if role == "villager" and not url.startswith("/m/"):
                continue
            for query in (
                ({}, {"export": "xlsx"}) if url.startswith("/desk/") and url.endswith("/") else ({},)
            ):
                cache.clear()
                with transaction.atomic():
                    answer = client.get(url, query)
                    transaction.set_rollback(True)
                wrong += [f"{role} {url} {query}: {fault}" for fault in faults(answer, text)]
    assert not wrong, "\n".join(wrong[:20])


def faults(answer: Any, text: str) -> list[str]:
    """What of a hostile text got through as more than text."""
    found = [] if answer.status_code < 500 else [f"status {answer.status_code}"]
    if "X-Evil" in answer or any("\n" in str(value) for _, value in answer.items()):
        found.append("header")
    kind = answer.get("Content-Type", "")
    if kind.startswith("text/html"):
        body = answer.content.decode()
        marks = ("<script>alert", "<img src=x", "<svg/onload", 'href="javascript:', 'src="javascript:')
        found += [mark for mark in marks if mark in body]
        if text.startswith("{{") and "49{" in body:
            found.append("a template ran")
    if answer.status_code == 200 and answer.content.startswith(b"PK") and "sheet" in kind:
        found += formulas(answer.content)
    return found


def formulas(data: bytes) -> list[str]:
    """Cells of a workbook that a spreadsheet program would run."""
    with zipfile.ZipFile(io.BytesIO(data)) as pack:
        found = [
            name
            for name in pack.namelist()
            if name.startswith("xl/worksheets/") and b"<f>" in pack.read(name)
        ]
    for sheet in openpyxl.load_workbook(io.BytesIO(data)).worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                if (
                    isinstance(cell.value, str)
                    and cell.value[:1] in ("=", "+", "-", "@", "\t", "\r")
                    and not number(cell.value)
                ):
                    found.append(f"{cell.coordinate} {cell.value[:20]!r}")
    return found


def number(text: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9.]+", text) is not None


def test_exports_hold_no_hidden_thing_and_say_nothing_of_this_machine(scene):
    """F-08: sheets and columns of an export are visible, its properties clean, its name safe; papers likewise (F-09)."""
    client = client_of(scene.own.clerk)
    seen = 0
    for url in pages(scene):
        cache.clear()
        answer = client.get(url, {"export": "xlsx"} if url.endswith("/") else {})
        if answer.status_code != 200 or not answer.get("Content-Type", "").endswith(("sheet", "pdf")):
            continue
        seen += 1
        name = answer.get("Content-Disposition", "")
        assert "\n" not in name
        assert "/" not in name.split("filename", 1)[-1].replace("filename*=utf-8''", "")
        text = said(answer)
        for secret in (str(settings.ROOT), "xlsxwriter", "/tmp/", "/root/"):
            assert secret not in text, f"{url} says {secret}"
        if answer.content.startswith(b"PK"):
            book = openpyxl.load_workbook(io.BytesIO(answer.content))
            shown = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
            assert len(shown) >= len(book.worksheets) - 1, url  # the lists of drop-downs of a template
            for sheet in shown:
                assert not any(dimension.hidden for dimension in sheet.column_dimensions.values()), url
    assert seen > 10


def test_extra_fields_of_a_form_have_no_effect(scene):
    """A-11: every form of every role posted with every column name of every table besides: no row of another village,
    and no column that decides (place, status, points, who) of any row that was there, is changed by its name."""
    names = sorted({field.name for model in apps.get_models() for field in model._meta.concrete_fields})
    evil = dict.fromkeys(names, "99999") | {
        "place": NEXT, "status": "posted", "home_place": NEXT, "is_superuser": "on", "is_staff": "on", "role": "county",
        "points_awarded": "99999", "points_decided": "99999", "review_needed": "1", "submitted_by": str(scene.own.head.pk),
    }  # fmt: skip
    asked = dict.fromkeys(asked_names()["POST"])
    extra = {
        name: value
        for name, value in evil.items()
        if name not in asked or name in ("place", "status", "is_superuser")
    }
    wrong = []
    set_scope(EVERYWHERE)
    for role in ("villager", "clerk", "reviewer", "group_leader", "shopkeeper"):
        client = client_of(getattr(scene.own, role))
        for method, route in routes():
            if method != "POST" or "api/" in route or route == "logout/":
                continue
            url = address(route, scene.own.ids)
            cache.clear()
            with transaction.atomic():
                held = decided()
                answer = client.post(url, extra)
                set_scope(EVERYWHERE)
                now = decided()
                if answer.status_code >= 500:
                    wrong.append(f"{role} {url}: {answer.status_code}")
                wrong += [
                    f"{role} POST {url}: {key} {held[key]} → {now[key]}"
                    for key in held
                    if key in now and evil_in(held[key], now[key])
                ]
                transaction.set_rollback(True)
            set_scope(EVERYWHERE)
    assert not wrong, "\n".join(wrong[:20])


def decided() -> dict[str, str]:
    """The columns that decide, of everything that could be promoted by a field name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 'claim ' || id, concat_ws('|', place, status, points_decided, points_awarded, submitted_by_id)"
            " FROM claims_claim UNION ALL"
            " SELECT 'user ' || id, concat_ws('|', home_place, is_superuser, is_staff) FROM people_user UNION ALL"
            " SELECT 'household ' || id, place FROM people_household UNION ALL"
            " SELECT 'line ' || id, concat_ws('|', place, points) FROM notices_line UNION ALL"
            " SELECT 'role ' || id, concat_ws('|', user_id, role, place) FROM people_membership"
        )
        return dict(cursor.fetchall())


def evil_in(before: str, after: str) -> bool:
    """Whether a value that only the extra fields carried has arrived."""
    return before != after and any(word in after for word in ("99999", NEXT, "posted", "|t"))
