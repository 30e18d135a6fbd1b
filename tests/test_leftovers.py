"""W-09: after a day's work in a real browser nothing of a person is left in it, nor in the server's log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.conf import settings

from tests.logged import mark, text_since
from zhili.people import actions
from zhili.people.models import Resident
from zhili.people.tests.keys_worker import numbers

pytestmark = pytest.mark.browser
KEPT = """async () => {
  const seen = {local: {...localStorage}, session: {...sessionStorage}, cookie: document.cookie, caches: [], bases: []};
  for (const name of await caches.keys()) {
    for (const request of await (await caches.open(name)).keys()) {
      const held = await (await caches.open(name)).match(request);
      seen.caches.push(request.url + ' ' + await held.text());
    }
  }
  for (const base of await indexedDB.databases()) {
    const open = await new Promise((done, fail) => {
      const asked = indexedDB.open(base.name); asked.onsuccess = () => done(asked.result); asked.onerror = fail; });
    for (const store of open.objectStoreNames) {
      const rows = await new Promise(done => {
        const asked = open.transaction(store).objectStore(store).getAll(); asked.onsuccess = () => done(asked.result); });
      seen.bases.push(JSON.stringify(rows));
    }
    open.close();
  }
  return JSON.stringify(seen);
}"""


def test_nothing_of_a_person_stays_in_the_browser_or_the_log(stage, open_page):
    """W-09: local and session storage, script-readable cookies, caches, indexed databases, addresses, the log."""
    known = numbers(7)
    with stage.inside():
        one = Resident.objects.get(pk=stage.cast.villager.resident_id)
        actions.edit_resident(by=None, resident=one, id_number=known["id_number"], phone=known["phone"])
        name, place, home = one.name, one.place, one.household_id
    since = mark()
    needles = [known["id_number"], known["phone"], known["id_number"][6:14]]

    page = open_page(f"/desk/{place}/households/{home}/", as_="clerk", size="1280")
    assert name in page.content()
    kept, addresses = [page.evaluate(KEPT)], [page.url]
    page.goto(f"/desk/{place}/residents/{one.pk}/")
    page.fill("input[name=phone]", known["phone"])
    kept.append(page.evaluate(KEPT))
    page.get_by_role("button", name="保存").click()
    page.wait_for_load_state()
    kept.append(page.evaluate(KEPT))
    addresses.append(page.url)
    phone = open_page("/m/", as_="villager")
    for path in ("/m/household/", "/m/consents/", "/m/me/"):
        phone.goto(path)
        kept.append(phone.evaluate(KEPT))
        addresses.append(phone.url)
    assert all(json.loads(one).keys() >= {"local", "caches", "bases"} for one in kept)
    written = text_since(since)
    assert "m/consents/" in written, "the log has lines of these very requests"
    server = Path(settings.ROOT) / ".cache" / f"server-{stage.url.rpartition(':')[2]}.log"
    written += server.read_text(encoding="utf-8", errors="replace")
    for needle in [*needles, name]:
        assert all(needle not in one for one in [*kept, *addresses]), needle[:2]
    for needle in needles:
        assert needle not in written, needle[:2]
    assert name not in written
