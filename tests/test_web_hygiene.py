"""Web hygiene: headers, refusals in words, deployment settings, no dangerous code, nothing personal in addresses."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.test import Client, override_settings
from django.urls import include, path

from tests.logged import mark, text_since
from tests.machine import Machine
from tests.matrix.asking import Unknown, address, routes, value_of
from tests.matrix.scene import build, without_photos
from tests.test_policies import patterns
from zhili.common.policy import open_to_all

ROOT = Path(__file__).resolve().parents[1]
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
TRACES = (
    "Traceback",
    "django",
    "Django",
    "psycopg",
    "granian",
    "Python",
    ".py",
    "Exception",
    "ninja",
    "SELECT ",
)


# -- W-01 ---------------------------------------------------------------------------------------------------


def production(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
    # A browser test of the same worker sets DJANGO_ALLOW_ASYNC_UNSAFE for itself; a server has no such thing.
    own = {name: value for name, value in os.environ.items() if name != "DJANGO_ALLOW_ASYNC_UNSAFE"}
    environment = {
        **own, "ZHILI_MODE": "production", "ZHILI_HOSTS": "jifen.example.gov.cn",
        "ZHILI_URL": "https://jifen.example.gov.cn", **more,
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_deployment_check_is_clean():
    """W-01: `check --deploy --fail-level WARNING` on production settings, nothing silenced."""
    code = (
        "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'zhili.config.settings'; import django; django.setup();"
        "from django.core.management import call_command; from django.conf import settings;"
        "assert settings.SILENCED_SYSTEM_CHECKS == [] and not settings.DEBUG;"
        "call_command('check', deploy=True, fail_level='WARNING')"
    )
    ran = production("-c", code)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert "no issues (0 silenced)" in ran.stdout + ran.stderr


def test_production_serves_under_its_own_names_only():
    """W-01, W-02: secure __Host- cookies, https and HSTS in production mode, whatever else is set."""
    code = (
        "import os, json; os.environ['DJANGO_SETTINGS_MODULE'] = 'zhili.config.settings';"
        "from django.conf import settings as s; print(json.dumps([s.ALLOWED_HOSTS, s.SESSION_COOKIE_NAME,"
        "s.CSRF_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SESSION_COOKIE_HTTPONLY,"
        "s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS >= 31536000, s.SESSION_COOKIE_PATH, s.SESSION_COOKIE_DOMAIN]))"
    )
    ran = production("-c", code)
    assert ran.returncode == 0, ran.stderr[-1000:]
    assert ran.stdout.strip() == (
        '[["jifen.example.gov.cn"], "__Host-session", "__Host-csrf", true, true, true, true, true, "/", null]'
    )


# -- W-02, W-09: headers of every page ----------------------------------------------------------------------


@pytest.fixture
def scene(db):
    yield build()
    without_photos()


def client_of(user: object | None) -> Client:
    client = Client(raise_request_exception=False)
    if user is not None:
        client.force_login(user, BACKEND)  # type: ignore[arg-type]
    return client


def pages(scene: SimpleNamespace) -> list[str]:
    return [address(route, scene.own.ids) for method, route in routes() if method == "GET"]


@override_settings(
    SECURE_SSL_REDIRECT=False, SECURE_HSTS_SECONDS=31_536_000, SECURE_HSTS_INCLUDE_SUBDOMAINS=True
)
@pytest.mark.parametrize("who", ["clerk", None])
def test_headers_of_every_page(scene, who):
    """W-02, W-09: CSP without unsafe-inline, nosniff, referrer, frame-ancestors, HSTS; personal pages are never stored."""
    client = client_of(getattr(scene.own, who) if who else None)
    wrong = []
    for url in pages(scene):
        if url.startswith("/api/") or url == "/logout/":
            continue
        answer = client.get(url, secure=True)
        policy = answer.get("Content-Security-Policy", "")
        good = (
            "unsafe" not in policy
            and ("default-src 'self'" in policy or "default-src 'none'" in policy)
            and ("frame-ancestors 'none'" in policy or "sandbox" in policy)
            and ("base-uri 'none'" in policy or "sandbox" in policy)
            and "http:" not in policy
            and "https:" not in policy
            and answer.get("X-Content-Type-Options") == "nosniff"
            and answer.get("Referrer-Policy") == "same-origin"
            and answer.get("X-Frame-Options") == "DENY"
            and "max-age=31536000" in answer.get("Strict-Transport-Security", "")
            and "Server" not in answer
            and "X-Powered-By" not in answer
        )
        if not url.startswith("/open/"):
            good = good and "no-store" in answer.get("Cache-Control", "")
        else:
            good = good and "noindex" in answer.get("X-Robots-Tag", "")
        if not good:
            wrong.append(f"{url}: {dict(answer.items())}")
    assert wrong == []


def test_pages_hold_no_inline_script_style_or_foreign_address(scene):
    """W-02, W-10: what the policy would block is not there in the first place."""
    client = client_of(scene.own.clerk)
    bad = re.compile(
        r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>|\sstyle=\"|\son[a-z]+=\"|(?:src|href)=\"(?:https?:)?//"
    )
    wrong = []
    for url in pages(scene):
        if url.startswith("/api/") or url == "/logout/" or url.endswith((".pdf", ".png", ".jpg", ".xlsx")):
            continue
        answer = client.get(url)
        if answer.get("Content-Type", "").startswith("text/html") and (
            hit := bad.search(answer.content.decode())
        ):
            wrong.append(f"{url}: {hit[0]}")
    assert wrong == []


def test_no_address_carries_a_persons_data():
    """W-09: routes hold ids, codes and short words; never a name, a phone or an ID number."""
    suspicious = {"name", "phone", "id_number", "idcard", "mobile", "bank", "birth", "username", "email", "q"}
    found = [route for route, _ in patterns() if set(re.findall(r"<(?:\w+:)?(\w+)>", route)) & suspicious]
    assert found == []


def test_forms_that_carry_personal_data_are_posted(scene):
    """W-09: a form with a password, a phone, an ID number or free text never lands in an address."""
    client = client_of(scene.own.clerk)
    form = re.compile(r"<form(?![^>]*method=\"post\")[^>]*>.*?</form>", re.S | re.I)
    secret = re.compile(
        r"name=\"(password|phone|id_number|bank_account|text|reason|login)\"|<textarea|type=\"(password|file)\""
    )
    wrong = []
    for url in pages(scene):
        if url.startswith("/api/") or url == "/logout/":
            continue
        answer = client.get(url)
        if answer.get("Content-Type", "").startswith("text/html"):
            wrong += [url for one in form.findall(answer.content.decode()) if secret.search(one)]
    assert wrong == []


# -- W-08: refusals -----------------------------------------------------------------------------------------


@open_to_all
def fails(request):
    raise RuntimeError("SELECT secret FROM people_resident WHERE name = '演示甲'")


@open_to_all
def reads(request):
    from django.http import HttpResponse

    return HttpResponse(str(len(request.POST)) + str(len(request.FILES)))


urlpatterns = [
    path("fails/", fails),
    path("reads/", reads),
    path("api/fails/", fails),
    path("", include("zhili.config.urls")),
]
handler400, handler403, handler404, handler500 = (
    "zhili.web.home.bad_request", "zhili.web.home.forbidden", "zhili.web.home.not_found", "zhili.web.home.server_error",
)  # fmt: skip


def in_words(answer: object, status: int) -> str:
    """The checks every refusal must pass; returns its receipt number."""
    text = answer.content.decode()  # type: ignore[attr-defined]
    if answer["Content-Type"].startswith("application/json"):  # type: ignore[index]
        text = json.dumps(answer.json(), ensure_ascii=False)  # type: ignore[attr-defined]
    assert answer.status_code == status, text[:300]  # type: ignore[attr-defined]
    for trace in TRACES:
        assert trace not in text, f"{trace} in {text[:400]}"
    assert re.search(r"[\u4e00-\u9fff]{4}", text), text[:200]
    if answer["Content-Type"].startswith("application/json"):  # type: ignore[index]
        return str(answer.json()["receipt"])  # type: ignore[attr-defined]
    found = re.search(r"<strong>([0-9A-Z-]{8,})</strong>", text)
    assert found, text[-600:]
    return found[1]


def refusals(scene: SimpleNamespace) -> list[tuple[str, object, int]]:
    clerk, villager = client_of(scene.own.clerk), client_of(scene.own.villager)
    place = scene.own.place
    strict = Client(raise_request_exception=False, enforce_csrf_checks=True)
    strict.force_login(scene.own.clerk, BACKEND)
    many = {f"f{n}": "1" for n in range(settings.DATA_UPLOAD_MAX_NUMBER_FIELDS + 5)}
    broken, no_boundary = "multipart/form-data; boundary=xyz", "multipart/form-data"
    machine = Machine(scene.own.clerk)
    return [
        ("404 address", clerk.get("/nothing-here/"), 404),
        ("404 stranger", Client().get("/nothing-here/"), 404),
        ("404 thing", clerk.get(f"/desk/{place}/claims/{scene.next.claim.pk}/"), 404),
        ("403 role", villager.get(f"/desk/{place}/households/"), 403),
        ("403 csrf", strict.post(f"/desk/{place}/households/new/", {"code": "1"}), 403),
        ("405 page", clerk.get("/elder/"), 405),
        ("405 unknown method", clerk.generic("PROPFIND", "/elder/"), 405),
        ("400 too many fields", clerk.post("/reads/", many), 400),
        ("400 broken multipart", clerk.generic("POST", "/reads/", b"--x\r\nrubbish", content_type=no_boundary), 400),
        ("400 bad host", Client(raise_request_exception=False).get("/", headers={"Host": "evil.example"}), 400),
        ("413 too large", clerk.post("/reads/", {"a": "x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 10)}), 413),
        ("500 page", clerk.get("/fails/"), 500),
        ("api 401", Machine(None).get("/claims/" + str(scene.own.claim.pk)), 401),
        ("api 404", machine.get("/claims/" + str(scene.next.claim.pk)), 404),
        ("api 404 address", Client().get("/api/v1/nothing/"), 404),
        ("api 405", machine.client.delete("/api/v1/places"), 405),
        ("api 422", machine.post(f"/villages/{place}/claims", {"id": "x"}), 422),
        ("api 422 no json", machine.client.post(f"/api/v1/villages/{place}/claims", "{", content_type="application/json",
                                                headers=machine.headers), 422),
        ("api 422 multipart", machine.client.generic("POST", f"/api/v1/villages/{place}/claims/with-photos", b"--x",
                                                     content_type=broken, headers=machine.headers), 422),
        ("api 413", machine.post(f"/villages/{place}/claims", {"text": "x" * (2 * 1024 * 1024 + 10)}), 413),
    ]  # fmt: skip


def test_every_refusal_is_in_words_with_a_receipt_that_stands_in_the_log(scene):
    """W-08: 400, 401, 403, 404, 405, 413, 422, 500, CSRF, bad host, too many fields, broken uploads; page and API."""
    start = mark()
    with override_settings(ROOT_URLCONF=__name__):
        answers = refusals(scene)
    wrong = []
    logged = text_since(start)
    for title, answer, status in answers:
        try:
            receipt = in_words(answer, status)
        except AssertionError as error:
            wrong.append(f"{title}: {error}")
            continue
        if receipt not in logged:
            wrong.append(f"{title}: receipt {receipt} is not in the log")
    assert not wrong, "\n".join(wrong)


def test_too_many_requests_are_refused_in_words(scene):
    """W-07, W-08: 429 with a receipt; nobody walks the register by machine."""
    machine = Machine(scene.own.villager)
    url = f"/api/v1/households/{scene.own.household.pk}"
    with override_settings(RATE_SCALE=1):
        for _ in range(90):
            answer = machine.client.get(url, headers=machine.headers)
            if answer.status_code == 429:
                break
    in_words(answer, 429)


# -- W-05: code that must not be there ----------------------------------------------------------------------

# File → why SQL is put together there from names of our own (tables, columns), never from what a person sent.
BUILT_SQL = {
    "zhili/ledger/queries.py": "one of two conditions written there, chosen by a word that is checked",
    "zhili/shop/writing.py": "tables and columns are those of our own models; every value is a parameter",
    "zhili/people/rotation.py": "tables and columns come from the list of encrypted fields in that file",
}
_SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|ALTER|CREATE|DROP|TRUNCATE)\b")


def dangers(tree: ast.AST) -> list[tuple[int, str]]:
    """(line, what) of eval, exec, pickle, mark_safe, |safe, shell, unsafe yaml, and SQL built from strings."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            owner = getattr(getattr(node.func, "value", None), "id", "")
            if isinstance(node.func, ast.Name) and name in (
                "eval",
                "exec",
                "compile",
                "__import__",
                "mark_safe",
            ):
                found.append((node.lineno, name))
            if owner in ("pickle", "marshal", "shelve") or (owner == "os" and name in ("system", "popen")):
                found.append((node.lineno, f"{owner}.{name}"))
            if owner == "yaml" and name in ("load", "unsafe_load", "full_load"):
                loader = next((k.value for k in node.keywords if k.arg == "Loader"), None)
                if "Safe" not in ast.dump(loader or ast.Constant(None)) and "_" not in ast.dump(
                    loader or ast.Constant(None)
                ):
                    found.append((node.lineno, f"yaml.{name}"))
            if any(k.arg == "shell" and getattr(k.value, "value", False) for k in node.keywords):
                found.append((node.lineno, "shell=True"))
            if (
                name in ("execute", "executemany", "raw", "RawSQL", "extra")
                and node.args
                and built(node.args[0])
            ):
                found.append((node.lineno, f"SQL built for {name}()"))
    return found


def built(node: ast.AST) -> bool:
    """A string put together at run time from something that is no constant in capitals."""
    if isinstance(node, ast.JoinedStr):
        values = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
        return any(not (isinstance(value, ast.Name) and value.id.isupper()) for value in values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
        return built(node.left) or built(node.right) or not _constant(node.left) or not _constant(node.right)
    return (
        isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") == "format"
        and "sql" not in ast.dump(node.func).lower()
    )


def _constant(node: ast.AST) -> bool:
    if isinstance(node, ast.IfExp):  # one of two texts that both stand there
        return _constant(node.body) and _constant(node.orelse)
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id.strip("_").isupper())


# (file, what) → why it is no danger.
REVIEWED = {
    ("zhili/web/templatetags/zhili.py", "mark_safe"): "icons of our own set, looked up by name",
}


def test_no_dangerous_code():
    """W-05: no SQL built from strings, no eval, no pickle, no shell, no mark_safe, in any module of ours."""
    found = []
    for file in sorted((ROOT / "zhili").rglob("*.py")):
        name = str(file.relative_to(ROOT))
        if "/tests/" in name or "/migrations/" in name:
            continue
        for line, what in dangers(ast.parse(file.read_text(encoding="utf-8"))):
            if (name, what) not in REVIEWED and not (what.startswith("SQL") and name in BUILT_SQL):
                found.append(f"{name}:{line} {what}")
    assert found == []


def test_no_template_switches_escaping_off():
    """W-05: no |safe, no autoescape off."""
    found = [
        str(file.relative_to(ROOT))
        for file in (ROOT / "zhili").rglob("*.html")
        if re.search(r"\|\s*safe\b|autoescape\s+off|\|\s*safeseq", file.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "cursor.execute('SELECT ' + (x if y else ''))",
        "eval(x)", "mark_safe(x)", "cursor.execute(f'SELECT {x}')", "cursor.execute('SELECT ' + x)",
        "cursor.execute('SELECT %s' % x)", "cursor.execute('SELECT {}'.format(x))", "pickle.loads(x)", "os.system(x)",
        "subprocess.run(x, shell=True)", "yaml.load(x)", "Model.objects.raw(f'SELECT {x}')",
    ],
)  # fmt: skip
def test_the_rule_itself_finds_what_it_should(code):
    """W-05"""
    assert dangers(ast.parse(code))


def test_the_rule_lets_parameters_pass():
    """W-05"""
    assert (
        dangers(ast.parse("cursor.execute('SELECT %s', [x]); cursor.execute(f'SELECT 1 FROM {TABLE}', [x])"))
        == []
    )


def test_unknown_parameters_fail_the_matrix():
    """A-02: a new kind of URL parameter does not slip through unasked."""
    with pytest.raises(Unknown, match=r"samples\.py"):
        value_of("gadget_id", {"place": "511702109200"}, "desk/<str:place>/novelty/<uuid:gadget_id>/")
