"""The matrix: every role × every address and method × own village, next village, other township or county.

Foreign ids stand in the path, beside the own village's code, in the query, in the body, in file addresses, exports
and searches. What comes back (pages, JSON, Excel unzipped, PDF text, headers) is searched for the marks of the
villages that role must not see. Everything a request does is taken back, so the order of requests means nothing.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client

from tests.machine import key_of
from tests.matrix.asking import (
    absent,
    address,
    asked_names,
    parameters,
    routes,
    said,
    shape,
    value_or_nowhere,
    values_for,
    without_sample,
)  # fmt: skip
from tests.matrix.scene import EVERYWHERE, REACH, Marks, build, foreign_in, without_photos
from zhili.common.scope import set_scope

pytestmark = [pytest.mark.django_db]
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
ROUTES = routes()
ROLES = list(REACH)
HALVES = [ROLES[0::2], ROLES[1::2]]
ENDS_THE_SESSION = ("logout/",)
ASKS_OPEN_PAGES = ("anonymous", "villager", "clerk", "township", "bank")
SCOPE_OF_BANK = "511702"
REFUSED = (301, 302, 400, 401, 403, 404, 405, 413, 415, 422, 429)


class Asker:
    """One role: its client, its key, what it must not see, and the count."""

    def __init__(self, role: str, scene: SimpleNamespace, marks: list[Marks]) -> None:
        self.role, self.reach = role, REACH[role]
        self.user = getattr(scene.own, role, None)
        self.client = Client(raise_request_exception=False)
        self.key = {}
        if self.user is not None:
            self.client.force_login(self.user, BACKEND)
            self.key = {"Authorization": f"Bearer {key_of(self.user)}"}
        self.foreign = [one for one in marks if not one.place.startswith(self.reach)]
        if role == "bank":  # its county's rule books it may read, of persons nothing without their consent
            self.foreign = [
                one.of_persons() if one.place.startswith("511702") else one for one in self.foreign
            ]
        self.tried = 0
        self.bytes_seen = 0
        self.leaks: list[str] = []

    def ask(self, method: str, path: str, data: dict[str, str] | None = None, where: str = "") -> Any:
        """One request, undone afterwards; its answer is searched."""
        cache.clear()  # how fast one may ask is not what is tested here
        headers = self.key if path.startswith("/api/") else {}
        with transaction.atomic():
            if method == "GET":
                answer = self.client.get(path, data or {}, headers=headers)
            elif path.startswith("/api/") and not path.endswith(("/import", "/with-photos", "/resubmit")):
                answer = self.client.post(path, data or {}, content_type="application/json", headers=headers)
            else:
                answer = self.client.post(path, data or {}, headers=headers)
            text = said(answer)
            transaction.set_rollback(True)
        self.tried += 1
        public = path.split("/open/")[1].split("/")[0] if "/open/" in path else ""
        sent = path + " ".join((data or {}).values())
        found = foreign_in(text, sent, self.foreign, public)
        told = f"{self.role} {method} {path} {where} → {answer.status_code}"
        if found:
            self.bytes_seen += sum(len(one.encode()) for one in found)
            self.leaks.append(f"{told}: {found[:4]}")
        if answer.status_code >= 500 and answer.status_code != 503:
            self.leaks.append(f"{told}: our own mistake")
        return answer


@pytest.fixture(scope="module")
def _photos():
    yield
    without_photos()


@pytest.fixture
def scene(db, _photos, monkeypatch):
    # Every request is taken back, also its "seen just now"; without this each one would note it again.
    monkeypatch.setattr("zhili.web.doorkeeper.SEEN_EVERY", 20 * 60)
    return build()


@pytest.mark.parametrize("half", [0, 1])
def test_every_role_by_every_address_by_every_village(scene, half, record_property):
    """A-02, A-03, A-07: 0 bytes of a foreign village; own ids, foreign ids in path, query, body, exports and searches."""
    marks = [Marks(village) for village in scene.all]
    tried = seen = 0
    leaks: list[str] = []
    for role in HALVES[half]:
        asker = Asker(role, scene, marks)
        walk(asker, scene)
        tried, seen, leaks = tried + asker.tried, seen + asker.bytes_seen, leaks + asker.leaks
    record_property("matrix_pairs", tried)
    record_property("matrix_foreign_bytes", seen)
    assert not leaks, f"{len(leaks)} answers of {tried} showed what they must not:\n" + "\n".join(leaks[:40])
    assert tried > 5_000


def foreign_villages(asker: Asker, scene: SimpleNamespace) -> list[SimpleNamespace]:
    """Two villages beyond this role's reach: the next one and one of another township, or those of another county."""
    beyond = [v for v in scene.all[1:] if not v.place.startswith(asker.reach)]
    return [scene.next, scene.other_county] if asker.reach == "none" else beyond[:2]


def walk(asker: Asker, scene: SimpleNamespace) -> None:
    """All addresses for one role."""
    own = scene.own.ids
    names = asked_names()
    beyond = foreign_villages(asker, scene)
    other = beyond[0].ids
    for method, route in ROUTES:
        known = parameters(route)
        path = address(route, own)
        if route in ENDS_THE_SESSION:
            continue
        if route.startswith("open/") and asker.role not in ASKS_OPEN_PAGES:
            # The same page for everybody: its scope is its address, whoever asks. One look each is enough.
            asker.ask(method, path, where="own")
            continue
        refused = asker.ask(method, path, where="own").status_code in (401, 403)
        for village in (beyond[:1] if refused else beyond) if known else []:
            answer = asker.ask(method, address(route, village.ids), where="foreign path")
            outside = not village.place.startswith(SCOPE_OF_BANK if asker.role == "bank" else asker.reach)
            closed = "place" in known and "open/" not in route and asker.user is not None
            if closed and outside and answer.status_code not in REFUSED:
                asker.leaks.append(
                    f"{asker.role} {method} {route}: a foreign village gave {answer.status_code}"
                )
        body = values_for(names[method], other)
        if method == "GET" and not refused:
            asker.ask(method, path, body | {"export": ""}, where="foreign query")
            if route.startswith("desk/") and not route.endswith((".pdf", ".xlsx", ".yaml")):
                asker.ask(method, path, {"export": "xlsx"}, where="export")
        elif method != "GET" and not refused:
            asker.ask(method, path, body, where="foreign body")
        moved = moved_ids(route, other, own)
        if "place" in known and moved and not refused:
            asker.ask(method, address(route, own, moved), where="foreign id in the own village")


def moved_ids(route: str, other: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a route that differ between two villages, without the village itself unless it is all."""
    moved = {
        name: v
        for name in parameters(route)
        if (v := value_or_nowhere(name, other, route)) != value_or_nowhere(name, own, route)
    }
    return (
        moved
        if set(moved) <= {"place"}
        else {name: value for name, value in moved.items() if name != "place"}
    )


@pytest.mark.parametrize("role", ["clerk", "villager", "township", "shopkeeper"])
def test_foreign_and_absent_look_the_same(scene, role):
    """A-04: status, body (but for the receipt number) and headers of a foreign thing are those of one that is nowhere."""
    asker = Asker(role, scene, [])
    other = foreign_villages(asker, scene)[0].ids
    compared, different = 0, []
    for method, route in ROUTES:
        if method != "GET" and not route.startswith("api/"):
            continue
        moved = moved_ids(route, other, scene.own.ids)
        if not moved or route.startswith(("open/", "api/v1/open/")):
            continue
        nowhere = {name: absent(value) for name, value in moved.items()}
        answers = [asker.ask(method, address(route, scene.own.ids, ids)) for ids in (moved, nowhere)]
        first, second = (
            shape(answer, *ids.values()) for answer, ids in zip(answers, (moved, nowhere), strict=True)
        )
        compared += 1
        if first != second:
            different.append(f"{method} {route}: {first[0]} {second[0]}")
    assert not different, different
    assert compared > 60


def test_the_search_would_see_a_leak(scene):
    """A-02: the marks are found where they do stand: in the foreign village's own pages, sheets and papers."""
    marks = [one for one in map(Marks, scene.all) if one.place == scene.next.place]
    client = Client()
    client.force_login(scene.next.clerk, BACKEND)
    place = scene.next.place
    for path, export in ((f"/desk/{place}/households/", {}), (f"/desk/{place}/claims/", {"export": "xlsx"})):
        assert foreign_in(said(client.get(path, export)), "", marks), path
    assert foreign_in(said(client.get("/m/passbook/passbook.pdf")), "", marks)
    assert foreign_in(said(Client().get(f"/open/{place}/notices/{scene.next.notice.number}/")), "", marks)
    machine = Client().get(
        f"/api/v1/villages/{place}/households",
        headers={"Authorization": f"Bearer {key_of(scene.next.clerk)}"},
    )
    assert foreign_in(said(machine), "", marks)


def test_every_url_parameter_has_a_sample(scene):
    """A-02: a new kind of address does not slip through unasked."""
    assert not (found := without_sample(scene.own.ids)), "\n".join(found)


def test_every_table_of_a_village_holds_foreign_rows(scene):
    """A-02: no table with a place is empty in the villages beyond, so nothing is "not seen" because it is not there."""
    from tests.matrix.scene import UNWRITABLE, village_models

    set_scope(EVERYWHERE)
    assert not scene.next.unmade, "\n".join(scene.next.unmade)
    bare = [
        f"{model._meta.db_table} in {village.place}"
        for village in scene.all[1:]
        for model in village_models()
        if model._meta.db_table not in UNWRITABLE
        and not model._default_manager.filter(place=village.place).exists()
    ]
    assert not bare
