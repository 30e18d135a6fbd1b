"""Every public byte of the demo village, and a dump of its database, held against every person in it."""

from __future__ import annotations

import io
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import urljoin

import pytest
import zxingcpp
from PIL import Image

from zhili.common.masking import scan_public
from zhili.common.publication import texts_of
from zhili.people.tests.keys_worker import numbers
from zhili.people.tests.test_keys import dump, spellings

pytestmark = pytest.mark.xdist_group("demo")
PLACE = "511702109200"
PAGES_MAX = 900
WHOLE_NOTICES = (11, 12)
"""Every file of these notices is fetched, of the others the page: ten more posters would say no more."""
OTHER_VILLAGES = ("511702109201", "511702103200")
"""The other 207 are empty in the demo and the same pages again."""


@dataclass
class Person:
    """What may not be seen of one resident."""

    name: str
    numbers: list[str]
    born: Any
    minor: bool


@dataclass
class Seen:
    """What a crawl has fetched."""

    pages: int = 0
    files: int = 0
    size: int = 0
    codes: int = 0
    kinds: set[str] = field(default_factory=set)
    found: list[str] = field(default_factory=list)


@contextmanager
def inside(database: str, blocker: Any) -> Iterator[None]:
    """The ORM on another database of the same server, everywhere."""
    from django.db import connection

    from zhili.common.scope import scoped

    with blocker.unblock():
        was = connection.settings_dict["NAME"]
        connection.close()
        connection.settings_dict["NAME"] = database
        try:
            with scoped("*"):
                yield
        finally:
            connection.close()
            connection.settings_dict["NAME"] = was


@pytest.fixture(scope="module")
def people(demo, django_db_blocker) -> list[Person]:
    """Everybody in the demo, each given a phone and a bank account where they had none; two households have said no,
    one by paper; five children are there by their own invented names."""
    from zhili.people import actions
    from zhili.people.models import Household, Resident
    from zhili.people.secrets import open_bank, open_id_number, open_phone, seal_bank, seal_phone

    with inside(demo[0], django_db_blocker):
        rows = list(Resident.objects.filter(place=PLACE).select_related("household").order_by("pk"))
        for n, one in enumerate(rows[:999]):
            known = numbers(n)
            if not one.phone_secret:
                one.phone_secret, one.phone_index = seal_phone(known["phone"])
            one.bank_secret, one.bank_index = seal_bank(known["bank"])
        Resident.objects.bulk_update(
            rows, ["phone_secret", "phone_index", "bank_secret", "bank_index"], batch_size=500
        )
        heads = [one for one in rows if one.is_head and one.household.is_open][:2]
        for head, channel, paper in zip(heads, ("desk", "paper"), ("", "S-0001"), strict=True):
            actions.answer_consents(
                by=None,
                resident=head,
                answers={"publish_household": False},
                channel=channel,
                paper_number=paper,
            )
        assert Household.objects.filter(place=PLACE, published=False).count() >= 2
        return [
            Person(
                one.name,
                [n for n in (open_id_number(one.id_number_secret), open_phone(one.phone_secret),
                             open_bank(one.bank_secret)) if n],
                one.birth_date, one.is_minor(),
            )
            for one in rows
        ]  # fmt: skip


def fetch(url: str) -> tuple[bytes, Message]:
    """The bytes and the headers; what a refusal says is public too."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.read(), answer.headers
    except urllib.error.HTTPError as refused:
        return refused.read(), refused.headers


def wanted(path: str) -> bool:
    """Whether a link belongs to the crawl; of a long year each kind of file, not each file."""
    if not path.startswith(("/open/", "/login/", "/api/v1/")) or path.startswith("/login/?"):
        return False  # whatever needs a log-in answers with the log-in page, which is fetched once
    village = re.match(r"/open/([0-9]{12})/", path)
    if village and village[1] not in (PLACE, *OTHER_VILLAGES):
        return False
    number = re.search(r"/notices/([0-9]+)/(poster|objection|[0-9]+/)", path)
    if number and int(number[1]) not in WHOLE_NOTICES:
        return False
    line = re.search(r"/notices/[0-9]+/([0-9]+)/|line=([0-9]+)", path)
    return not line or int(line[1] or line[2]) <= 60


def find_any(text: str, forms: set[str]) -> set[str]:
    """Those of `forms` (8 letters or more each) that stand in the text: one pass, whatever their number."""
    heads: dict[str, list[str]] = {}
    for form in forms:
        heads.setdefault(form[:8], []).append(form)
    return {
        form
        for n in range(len(text) - 7)
        if (known := heads.get(text[n : n + 8])) is not None
        for form in known
        if text.startswith(form, n)
    }


def open_endpoints(description: dict[str, Any]) -> list[str]:
    """Addresses of the API that ask for no key, in the demo village."""
    found = []
    for path, methods in description["paths"].items():
        get = methods.get("get")
        if get is not None and not get.get("security"):
            for name, value in (("place", PLACE), ("number", "12"), ("version", "1"), ("period", "2026-10")):
                path = path.replace("{" + name + "}", value)
            found += [path] if "{" not in path else []
    return found


@pytest.fixture(scope="module")
def receipts(demo, django_db_blocker) -> list[str]:
    """Receipt pages of thirty posted lines, and the slips of ten objections: what their holders can open."""
    from zhili.ledger.models import Transfer
    from zhili.ledger.queries import receipt_code
    from zhili.notices.models import Objection

    with inside(demo[0], django_db_blocker):
        lines = (
            Transfer.objects.filter(place=PLACE, code="award")
            .order_by("pk")
            .values_list("pk", flat=True)[:30]
        )
        codes = [receipt_code(pk) for pk in lines]
        slips = list(Objection.objects.filter(place=PLACE).values_list("lookup_code", flat=True)[:10])
    found = [f"/open/{PLACE}/receipt/?code={code}" for code in codes]
    return found + [f"/open/{PLACE}/objections/slip.pdf?code={code}" for code in slips]


def crawl(site: str, people: list[Person], more: Sequence[str] = (), most: int = PAGES_MAX) -> Seen:
    """Breadth first from the first page of everything that answers without log-in. more: addresses no page links."""
    forbidden = {number for one in people for number in one.numbers}
    grown = {one.name for one in people if not one.minor}
    children = [one.name for one in people if one.minor]
    births = {form for one in people if one.born and one.born.year < 2025 for form in (
        one.born.isoformat(), f"{one.born:%Y%m%d}", f"{one.born:%Y/%m/%d}", f"{one.born:%Y.%m.%d}",
        f"{one.born.year}年{one.born.month}月{one.born.day}日",
    )}  # fmt: skip
    seen = Seen()
    queue = ["/", "/login/", f"/open/{PLACE}/", "/open/511702/", "/api/v1/openapi.json", "/api/v1/docs", "/m/",
             f"/desk/{PLACE}/", f"/open/{PLACE}/notices/999/", "/nothing-here/", *more]  # fmt: skip
    queue += [f"/open/{PLACE}/notices/{n}/" for n in range(1, 13)]
    for n in WHOLE_NOTICES:
        files = ("poster.pdf", "poster.pdf?paper=a4", "poster-1.png", "objection.pdf", "objection.pdf?line=1")
        queue += [
            f"/open/{PLACE}/notices/{n}/{file}" for file in (*files, *(f"{line}/" for line in range(1, 31)))
        ]
    known = set(queue)
    while queue and seen.pages < most:
        path = queue.pop(0)
        body, headers = fetch(site + path)
        kind, name = headers["Content-Type"] or "", headers.get_filename() or ""
        seen.pages += 1
        seen.size += len(body)
        seen.kinds.add(kind.partition(";")[0])
        seen.files += "html" not in kind
        texts = [path, name, *(text for _, text in texts_of(body, name))]
        if path == "/api/v1/openapi.json":
            queue += [link for link in open_endpoints(json.loads(body)) if link not in known]
        if path.endswith("poster-1.png") and (last := int(headers.get("X-Pictures", 1))) > 1:
            queue.append(path.replace("poster-1.png", f"poster-{last}.png"))  # the one with the code
        if "image" in kind:
            codes = zxingcpp.read_barcodes(Image.open(io.BytesIO(body)))
            seen.codes += len(codes)
            texts += [code.text for code in codes]
        if "html" in kind:
            for link in re.findall(r'(?:href|src|action)="([^"#]+)"', body.decode()):
                link = urljoin(path, link.replace("&amp;", "&"))
                if link not in known and wanted(link):
                    known.add(link)
                    queue.append(link)
        whole = "\n".join(texts)
        flat = re.sub(r"[\s\-‐–—*.]", "", whole)
        runs = set(re.findall(r"[\u3400-\u9fff·]+", whole))
        digits = set(re.findall(r"(?=([0-9]{17}[0-9Xx]|1[3-9][0-9]{9}|[0-9]{19}))", flat))
        hits = find_any(body.decode("latin-1"), forbidden) | (forbidden & digits)
        hits |= {day for day in births if day in whole} | (grown & runs)
        hits |= {name for name in children if name in (whole if len(name) > 2 else runs)}
        leaks = (
            [leak for leak in scan_public("\n".join(texts[1:])) if leak.blocks] if "html" not in kind else []
        )
        seen.found += [f"{path}: {hit[:1]}…" for hit in sorted(hits)] + [
            f"{path}: {leak.message}" for leak in leaks
        ]
    return seen


def test_no_public_byte_shows_a_person(site, people, receipts, capsys):
    """M-01, M-08, F-08, F-09, P-04, P-07: pages, refusals, posters (PDF, PNG and their QR codes), rule book (JSON, YAML,
    xlsx), anchors, API description: every ID number, phone, bank account, birth date, child's name and whole name."""
    assert len(people) > 600 and sum(one.minor for one in people) >= 5
    assert sum(len(one.numbers) for one in people) > 1_500
    seen = crawl(site, people, receipts)
    with capsys.disabled():
        total = sum(len(one.numbers) for one in people)
        print(
            f"\npublic bytes: {seen.pages} answers, {seen.files} files, {seen.size / 1e6:.1f} MB, {seen.codes} QR codes;"
            f" held against {len(people)} people, {total} numbers: {len(seen.found)} found"
        )
    assert seen.found == []
    assert 100 < seen.pages < PAGES_MAX, "the crawl ends by itself"
    assert seen.files > 25 and seen.codes >= 1
    assert {"text/html", "application/pdf", "image/png", "application/json"} <= seen.kinds


def test_a_planted_number_is_found(site, people):
    """The test above can fail: the same crawl, told that a public word is somebody's name, finds it."""
    planted = Person("谭家沟村", ["202612345678901234"], None, False)
    assert crawl(site, [*people[:5], planted], most=4).found != []


def test_a_dump_of_the_demo_holds_no_number_in_clear(demo, people):
    """K-07: ID numbers, phones and bank accounts of everybody, in clear, cut, in hex, as plain digests."""
    text = dump(demo[0]).decode("utf-8", "replace").lower()
    assert len(text) > 5_000_000
    forms = {form.lower() for one in people for number in one.numbers for form in spellings(number)}
    assert len(forms) > 20_000
    assert [form[:3] for form in find_any(text, forms)] == []
    planted = people[0].numbers[0]
    assert find_any(f"{text[:100_000]}{planted}{text[-100_000:]}", forms) == {planted.lower()}
