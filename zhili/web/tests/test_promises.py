"""What is said in public about ourselves: honest sentences, a runbook whose commands exist, photos that stay inside."""

from __future__ import annotations

import argparse
import importlib
import io
import re
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from PIL import Image

from tests.books import make_book
from tests.month import approved
from tests.test_policies import ROUTES
from zhili.claims.models import Evidence
from zhili.config.command import ROOMS
from zhili.notices.actions import open_notice
from zhili.people.consent_purposes import current, purpose
from zhili.people.consents import has_consent

ROOT = Path(__file__).resolve().parents[3]
PLACE = "511702109200"
# Said on the page and in the paper alike: who can do everything, and what a fingerprint does not show.
SENTENCES = (
    "管服务器的人、管数据库的人，手里有最高权限，什么都看得到、改得了",
    "whoever administers the server or the database can read and change everything",
)
NOT_SHOWN = (("截掉", "整本"), ("最多一天",), ("阻止改账",))


def plain(text: str) -> str:
    return re.sub(r"<[^>]+>|\*\*|\s+", lambda m: " " if m.group().isspace() else "", text)


@pytest.mark.django_db
def test_the_honest_page_says_who_can_do_everything() -> None:
    """O-14: open to anybody; root and the database's administrator first, then what fingerprints can and cannot show."""
    page = plain(Client().get(reverse("open_promises", args=[PLACE])).content.decode())
    paper = plain((ROOT / "docs" / "security-honest.md").read_text(encoding="utf-8"))
    for sentence in SENTENCES:
        assert sentence in page and sentence.lower() in paper.lower(), sentence
    for words in NOT_SHOWN:
        assert all(word in page for word in words) and all(word in paper for word in words), words
    assert (
        reverse("open_ledger", args=[PLACE])
        in Client().get(reverse("open_promises", args=[PLACE])).content.decode()
    )


def test_nothing_boasts() -> None:
    """O-14, K-08: no page, paper or document calls the ledger 不可篡改 or the system certified, but to deny it."""
    files = [*ROOT.glob("zhili/*/templates/**/*.html"), *ROOT.glob("zhili/**/*.typ"), *ROOT.glob("docs/**/*.md"),
             ROOT / "README.md", ROOT / "README.zh.md"]  # fmt: skip
    boast = re.compile(
        r"不可篡改|已?通过(?:了)?(?:国家)?(?:等保|密评)|tamper.?proof|unhackable", re.IGNORECASE
    )
    denied = re.compile(r"不说|不是|没有|不等于|未|does not|not ")
    said = []
    for path in files:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if boast.search(line) and not denied.search(line):
                said.append(f"{path.relative_to(ROOT)}:{number}")
    assert said == [] and len(files) > 100


def _commands() -> dict[str, argparse.ArgumentParser]:
    """Every `zhili` command and its sub-commands by name."""
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers(dest="command")
    for room in ROOMS:
        importlib.import_module(room).add(subparsers)
    found: dict[str, argparse.ArgumentParser] = {}

    def walk(before: str, actions: list[argparse.Action]) -> None:
        for action in actions:
            if isinstance(action, argparse._SubParsersAction):
                for name, one in action.choices.items():
                    found[f"{before}{name}"] = one
                    walk(f"{before}{name} ", one._actions)

    walk("", parser._actions)
    return found


@pytest.mark.parametrize(
    "document", ["docs/runbook.md", "docs/operations.md", "docs/security-honest.md", "docs/privacy.md"]
)
def test_every_command_on_paper_exists_with_its_options(document: str) -> None:
    """O-11: in an emergency nobody reads a manual twice: each `zhili …` of the sheet is a command we have."""
    known = _commands()
    options = {flag for one in known.values() for action in one._actions for flag in action.option_strings}
    text = (ROOT / document).read_text(encoding="utf-8")
    tried = 0
    for said in re.findall(r"`zhili ([^`\n]+)`|^zhili ([^\n]+)$", text, re.MULTILINE):
        for one in " ".join(said).split("·"):
            words = one.replace("zhili ", "").split()
            name = words[0] if words[0] in known else " ".join(words[:2])
            two = " ".join(words[:2])
            assert words[0] in known, (document, one)
            best = known[two] if two in known else known[name]
            has_sub = any(isinstance(action, argparse._SubParsersAction) for action in best._actions)
            assert not has_sub or two in known or len(words) == 1, (document, one)
            for flag in re.findall(r"(?<!\S)\[?(--[a-z-]+)", one):
                assert flag in options, (document, one, flag)
            tried += 1
    assert tried >= (8 if "runbook" in document else 1)


def test_the_runbook_is_one_sheet() -> None:
    """O-11: one page to print: a blank for every telephone, each emergency with its first ten minutes."""
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 40 and len(text) < 2_000
    assert text.count("＿＿") >= 4
    for case in (
        "网页打不开",
        "磁盘快满",
        "机器坏了",
        "核对说",
        "账号被人用了",
        "个人信息可能泄露",
        "密钥丢了",
    ):
        assert case in text, case


def test_every_measure_the_law_lists_is_mapped_to_tests() -> None:
    """P-10: the six points of 个人信息保护法 51 stand in docs/privacy.md, and every number named there has a test."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        cited = importlib.import_module("requirements").cited()
    finally:
        sys.path.remove(str(ROOT / "tools"))
    text = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
    lines = re.findall(
        r"^\| \((.)\) \|(.+)\|([^|]+)\|$", text.replace("（", "(").replace("）", ")"), re.MULTILINE
    )
    assert [number for number, _, _ in lines] == list("一二三四五六")
    for number, _, named in lines:
        wanted = re.findall(r"[A-Z]-\d{2}", named)
        assert wanted and not [one for one in wanted if not cited.get(one)], number


def photo() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (320, 240), (90, 140, 60)).save(out, "JPEG")
    return out.getvalue()


def test_no_evidence_photo_is_public(cast: SimpleNamespace) -> None:
    """M-11, F-03: a claim with a photo hangs on the notice: no public page shows or names the photo, and its address
    opens for nobody without log-in, large or small."""
    with time_machine.travel(date(2026, 10, 20), tick=True):
        make_book(cast)
        approved(cast, photos=[photo()])
    with time_machine.travel(date(2026, 11, 2), tick=True):
        notice = open_notice(by=cast.clerk, place=cast.place, period="2026-10")
        evidence = Evidence.objects.exclude(file_name="").get()
        anybody = Client()
        pages = [
            f"/open/{cast.place}/",
            f"/open/{cast.place}/notices/",
            reverse("open_notice", args=[cast.place, notice.number]),
        ]
        for page in pages:
            text = anybody.get(page, follow=True).content.decode()
            assert (
                evidence.file_name not in text and str(evidence.pk) not in text and "evidence" not in text
            ), page
            assert not [
                one
                for one in re.findall(r'<img[^>]+src="([^"]+)"', text)
                if "/static/" not in one and "qr" not in one
            ]
        url = reverse("evidence_photo", args=[evidence.pk])
        for address in (url, url + "?small=1"):
            assert anybody.get(address).status_code == 302, "to the log-in page"


def test_a_public_photo_needs_a_yes_of_its_own(cast: SimpleNamespace) -> None:
    """M-11, P-05: nobody has said yes by being registered; and no open view reads photos of people at all."""
    assert "publish_photo" in {one.code for one in current().purposes} and purpose("publish_photo").title
    assert not has_consent(cast.villager.resident, "publish_photo")
    opened = [
        pattern.name for _, pattern in ROUTES
        if getattr(pattern.callback, "policy", None) and pattern.callback.policy.name == "open"
    ]  # fmt: skip
    assert len(opened) > 20
    assert not [name for name in opened if name and ("photo" in name or "evidence" in name)]
