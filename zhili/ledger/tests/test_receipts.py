"""The slip of a claim, before and after its points are in the book (T-06); proofs by the published vectors (T-11)."""

from __future__ import annotations

import hashlib
import re

import pytest
import time_machine
from django.test import Client
from pypdf import PdfReader

from tests.books import make_book
from tests.month import approve, claim_for
from zhili.claims.actions import withdraw_claim
from zhili.claims.receipts import claim_code, find_claim_receipt
from zhili.claims.tests.test_phone import browser
from zhili.common.ids import uuid7
from zhili.ledger import chain, queries
from zhili.ledger.receipts import chain_lines
from zhili.notices.actions import close_notice, open_notice

SHA = chain.hasher("sha256")


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel("2026-11-03 10:00:00+08:00", tick=True) as traveller:
        yield traveller


@pytest.fixture
def village(cast, clock):
    cast.book = make_book(cast)
    cast.open = f"/open/{cast.place}/receipt/"
    cast.claim = claim_for(cast)
    return cast


def page(village, code: str, status: int = 200) -> str:
    answer = Client().get(village.open, {"code": code})
    assert answer.status_code == status
    return answer.content.decode().split("<main")[1]


def test_a_slip_says_honestly_that_nothing_is_posted_yet(village) -> None:
    """T-06: from the moment the claim is received; where it stands, no name, no item, no household."""
    text = page(village, claim_code(village.claim.pk).lower())
    assert (
        "还没有入账" in text
        and "等待评议" in text
        and str(village.claim) in text
        and "没有被改过" not in text
    )
    for secret in ("演示", "1001", "清扫", str(village.claim.pk), str(village.household.pk)):
        assert secret not in text, secret


def test_the_same_slip_later_proves_its_lines(village, clock) -> None:
    """T-06, T-11: one line per purse, each with its way to the fingerprint; nobody else's line is shown."""
    other = claim_for(village, by=village.clerk, channel="counter", household=village.household, id=uuid7(),
                      witness="演示己")  # fmt: skip
    for claim in (village.claim, other):
        approve(village, claim)
    notice = open_notice(by=village.clerk, place=village.place, period="2026-10")
    assert "公示中" in page(village, claim_code(village.claim.pk))
    clock.move_to("2026-11-11 10:00:00+08:00")
    close_notice(by=village.clerk, notice=notice)
    text = page(village, claim_code(village.claim.pk))
    found = find_claim_receipt(village.place, claim_code(village.claim.pk))
    assert text.count("没有被改过") == len(found.lines) == 2 and "还没有入账" not in text
    assert {line.purse_title for line in found.lines} == {"荣誉积分", "兑换积分"}
    theirs = find_claim_receipt(village.place, claim_code(other.pk)).lines
    for line in found.lines:
        assert line.proven and line.path
        steps = [(side, bytes.fromhex(digest)) for side, digest in line.path]
        assert chain.climb(SHA, chain.leaf(SHA, line.line), steps).hex() == line.root
        assert chain.head(SHA, line.batch_line).hex() == line.head and f"|{line.root}|" in line.batch_line
        assert not any(other.line in text for other in theirs)


def test_a_withdrawn_claim_says_that_it_will_not_be_posted(village) -> None:
    """T-06: a dead claim's slip does not keep hope alive."""
    withdraw_claim(by=village.villager, claim=village.claim)
    text = page(village, claim_code(village.claim.pk))
    assert "还没有入账" in text and "不会入账" in text


@pytest.mark.parametrize(
    "code", ["AAAA-BBBB-CCCC", "A1B2-C3D4", "0000-0000-0000", "％", "'; DROP TABLE x; --"]
)
def test_a_code_of_nothing(village, code: str) -> None:
    """T-06: neither claim nor line: said in words, with the same page."""
    assert "再抄一遍" in page(village, code, 404)


def test_a_slip_of_this_village_is_unknown_in_the_next(village) -> None:
    """A-04: another village's page knows nothing of it."""
    answer = Client().get(f"/open/{village.next_place}/receipt/", {"code": claim_code(village.claim.pk)})
    assert answer.status_code == 404


def test_the_paper_slip(village, tmp_path) -> None:
    """T-06, U-33: on 80 mm paper with the code and its QR; only for those who may see the claim."""
    for who, path in ((village.villager, f"/m/claims/{village.claim.pk}/slip.pdf"),
                      (village.clerk, f"/desk/{village.place}/claims/{village.claim.pk}/slip.pdf")):  # fmt: skip
        answer = browser(who).get(path)
        assert answer.status_code == 200 and answer["Content-Type"] == "application/pdf"
        file = tmp_path / "slip.pdf"
        file.write_bytes(answer.content)
        text = "".join(sheet.extract_text() for sheet in PdfReader(file).pages).replace("\u200b", "")
        assert claim_code(village.claim.pk) in text and str(village.claim) in text and "演示甲" not in text
    for path in (
        f"/m/claims/{village.claim.pk}/slip.pdf",
        f"/desk/{village.place}/claims/{village.claim.pk}/slip.pdf",
    ):
        assert browser(village.stranger).get(path).status_code in (403, 404)
        assert Client().get(path).status_code == 302


# RFC 6962's tree as the Certificate Transparency reference implementation tests it: eight leaves, the root of each size.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_the_published_vectors() -> None:
    """T-11: leaf and node prefixes, odd trees and inclusion paths as the published vectors have them."""
    leaves = [chain.leaf(SHA, bytes.fromhex(one)) for one in LEAVES]
    for size, root in enumerate(ROOTS):
        assert chain.merkle_root(SHA, leaves[:size]).hex() == root
    # the inclusion proofs of the reference implementation: leaf 0 of 8 and leaf 1 of 5
    first = [digest.hex() for _, digest in chain.merkle_path(SHA, leaves, 0)]
    assert first == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    second = [digest.hex() for _, digest in chain.merkle_path(SHA, leaves[:5], 1)]
    assert second == [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]


def test_an_old_fingerprint_leads_to_todays(village, clock) -> None:
    """T-11: consistency: with the published batch lines a head of then leads to the head of now, or to nothing at all."""
    approve(village, village.claim)
    notice = open_notice(by=village.clerk, place=village.place, period="2026-10")
    clock.move_to("2026-11-11 10:00:00+08:00")
    close_notice(by=village.clerk, notice=notice)
    heads = {head.seq: bytes.fromhex(head.head) for head in queries.heads(village.place)}
    last = max(heads)
    answer = Client().get(f"/open/{village.place}/ledger/chain.txt?after=1")
    lines = answer.content.decode().splitlines()
    assert lines == chain_lines(village.place, 1)
    assert chain.follow(heads[1], lines) == heads[last]
    assert chain.follow(chain.ZERO_HEAD, chain_lines(village.place)) == heads[last]
    with pytest.raises(ValueError, match="does not follow"):
        chain.follow(hashlib.sha256(b"other").digest(), lines)
    assert chain.follow(heads[1], [re.sub(r"\|(\d+)\|20", r"|9\1|20", lines[0], count=1)]) != heads[2]
    for odd in ("-1", "x", "9" * 30, "１"):
        assert Client().get(f"/open/{village.place}/ledger/chain.txt", {"after": odd}).status_code == 200


def test_the_verifier_is_on_the_open_page(village) -> None:
    """T-10: anybody may take the program along; it is the file that stands beside an export."""
    text = Client().get(f"/open/{village.place}/ledger/").content.decode()
    link = re.search(r'href="([^"]+verifier\.py)"', text)[1]
    answer = Client().get(link)
    assert answer.status_code == 200 and "attachment" in answer["Content-Disposition"]
    compile(answer.content, "verify_ledger.py", "exec")
    assert "zhili." not in answer.content.decode().replace("zhili-", "")
