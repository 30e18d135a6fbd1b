"""The demo year: the same head on every run, books that verify, and a changed byte that is found."""

from __future__ import annotations

import io
import json
import re
import urllib.request
from pathlib import Path

import pytest
from PIL import Image

from tests import browser as tools
from tests.demo import zhili
from zhili.config import embedded

pytestmark = pytest.mark.xdist_group("demo")
ROOT = Path(__file__).resolve().parents[1]
# What the fixed year ends with. A change of any action that moves a posted line changes it: then look at why.
HEAD = "43dd96dc86bb917bf0a614635c4cbb8b31a8f517fa0f18b4420c60394e37fccc"
KINDS = [
    "claims_activity", "claims_council", "claims_counter", "claims_deduction", "claims_excel", "claims_offline",
    "claims_paper", "claims_phone", "claims_resubmitted", "claims_withdrawn", "reviews_refuse", "reviews_return",
    "reviews_council", "recusals_declared", "objections_upheld", "objections_refused", "lines_corrected",
    "lines_posted_late", "reversals", "household_splits", "expiry_entries", "notices", "orders_collected",
    "orders_cancelled", "orders_expired", "redemptions_by_proxy", "redemptions_proved", "redemptions_at_partner",
    "partner_settlements", "poll_answers", "stock_counts", "tickets_passed", "shop_deliveries",
]  # fmt: skip


def test_the_year_ends_with_the_same_head_on_every_machine(demo):
    """L-13: a fixed seed and the real actions give the same books to the byte."""
    _, summary = demo
    assert summary["head"] == HEAD
    assert summary["places"] == 230


def test_the_year_has_everything_in_it(demo):
    _, summary = demo
    assert summary["counts"]["households"] == 300
    assert [kind for kind in KINDS if not summary["counts"].get(kind)] == []


def test_the_shop_s_year(demo):
    """Issue 4 demo, G-11, G-15: 23,000 yuan, 20 goods, three fair days, about 600 redemptions, the books of 11 months."""
    counts = demo[1]["counts"]
    assert (counts["shop_fund_yuan"], counts["fair_days"], counts["price_lists"]) == (23_000, 3, 5)
    assert counts["shop_goods"] == 20 and 570 <= counts["redemptions"] <= 680
    assert counts["reconciliations"] == counts["reconciliations_matching"] == 11
    assert counts["redemptions_at_fairs"] > 400 and counts["orders"] > 80


def test_shelf_money_and_points_of_the_shop_agree(demo):
    """L-05, L-17, C-18: stock is its moves, money its entries, points redeemed the orders; the money covers the points."""
    with embedded.logins()["owner"].connect(demo[0]) as db:
        db.execute("SELECT set_config('zhili.scope', '*', false)")
        one = lambda sql: db.execute(sql).fetchone()[0]  # noqa: E731
        assert one("SELECT count(*) FROM shop_good g WHERE stock < 0 OR stock <>"
                   " (SELECT coalesce(sum(quantity), 0) FROM shop_stockmove m WHERE m.good_id = g.id)") == 0  # fmt: skip
        assert one("SELECT (SELECT sum(points) FROM shop_order WHERE status = 'handed_over')"
                   " - (SELECT sum(credits - debits) FROM ledger_account WHERE kind = 'redeemed')") == 0  # fmt: skip
        assert one("SELECT sum(credits - debits) FROM shop_fundaccount") == 0
        assert (
            one("SELECT sum(fen) FROM shop_fundentry WHERE code = 'deposit' AND credit = 'cash'") == 23_000_00
        )
        money = one("SELECT sum(credits - debits) FROM shop_fundaccount WHERE kind IN ('cash', 'goods')")
        points = one(
            "SELECT sum(credits - debits) FROM ledger_account WHERE kind = 'holder' AND purse = 'spend'"
        )
        assert 1.0 <= money / (points * 4) <= 2.0


def test_the_second_run_builds_nothing(demo):
    name, summary = demo
    again = zhili(name, "demo", "--no-serve", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == summary


def test_its_pictures_are_the_readme_s(site, chromium):
    """The first screens of the four faces, as the README shows them (`make screenshots` copies them there)."""
    place = "511702109200"
    pictures = ROOT / "screenshots" / "readme"
    pictures.mkdir(parents=True, exist_ok=True)
    for name, size, person, path in [
        ("phone-home", "360", "villager1", "/m/"),
        ("desk-today", "1280", "clerk", f"/desk/{place}/"),
        ("open-notice", "360", "", f"/open/{place}/notices/12/"),
    ]:
        context = tools.context_of(chromium, site, size, device_scale_factor=2)
        page = tools.watched(context)
        if person:
            page.goto("/login/")
            page.fill("input[name=login]", person)
            page.fill("input[name=password]", "yanshi-zhili-2026")
            page.get_by_role("button", name="登录", exact=True).click()
            page.wait_for_load_state()
        answer = page.goto(path)
        assert answer is not None and answer.status == 200
        page.wait_for_load_state("networkidle")
        page.screenshot(path=pictures / f"{name}.png")
        assert tools.overflow(page) == 0
        assert page.complaints == []  # type: ignore[attr-defined]
        assert context.outside == []  # type: ignore[attr-defined]
        context.close()
    with urllib.request.urlopen(f"{site}/open/{place}/notices/12/poster-1.png", timeout=60) as answer:
        poster = Image.open(io.BytesIO(answer.read()))
    poster.crop((0, 0, poster.width, 1700)).save(pictures / "poster.png")


def test_no_public_page_holds_a_number_or_a_whole_name(demo, site):
    """M-01, M-04: every open page of the demo village, its files too, against every resident's name and ID number."""
    from pypdf import PdfReader

    from zhili.config.demo.build import demo_rows

    place = "511702109200"
    rows = demo_rows()
    names = {row.name for row in rows if len(row.name) > 2}
    numbers = {row.id_number for row in rows if row.id_number}
    seen: set[str] = set()
    queue = [f"/open/{place}/"]
    files = 0
    while queue and len(seen) < 80:
        path = queue.pop(0)
        if path in seen:
            continue
        seen.add(path)
        with urllib.request.urlopen(site + path, timeout=60) as answer:
            body, kind = answer.read(), answer.headers["Content-Type"]
        if "pdf" in kind:
            files += 1
            text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(body)).pages)
        else:
            text = body.decode("utf-8", "ignore")
        for link in re.findall(r'href="([^"#]+)"', text) if "html" in kind else []:
            link = link.replace("&amp;", "&")
            # One notice in every form, the others once: a year of posters would say no more.
            if link.startswith(f"/open/{place}/") and ("poster" not in link or "/notices/12/" in link):
                queue.append(link)
        assert not [number for number in numbers if number in text], path
        whole = [name for name in names if re.search(rf"(?<![\u4e00-\u9fff]){name}(?![\u4e00-\u9fff])", text)]
        assert whole == [], f"{path}: {whole[:3]}"
    assert len(seen) >= 10
    assert files > 0


def test_the_books_verify(demo):
    """L-05, T-01: every chain, balance and total is recomputed."""
    name, _ = demo
    ran = zhili(name, "ledger", "verify", "--json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(ran.stdout)["ok"] is True


def test_one_changed_point_is_found_and_named(demo):
    """T-02: changed behind the application's back, by the owner of the tables."""
    name, _ = demo
    with embedded.logins()["owner"].connect(name) as db:
        db.execute("SELECT set_config('zhili.scope', '*', false)")
        db.execute("ALTER TABLE ledger_transfer DISABLE TRIGGER USER")
        row = db.execute(
            "UPDATE ledger_transfer SET amount = amount + 1 WHERE id ="
            " (SELECT id FROM ledger_transfer ORDER BY id LIMIT 1) RETURNING id"
        ).fetchone()
    try:
        ran = zhili(name, "ledger", "verify")
        assert ran.returncode == 1
        assert row is not None
        assert str(row[0]) in ran.stdout + ran.stderr
    finally:
        with embedded.logins()["owner"].connect(name) as db:
            db.execute("SELECT set_config('zhili.scope', '*', false)")
            db.execute("UPDATE ledger_transfer SET amount = amount - 1 WHERE id = %s", [row[0]])
            db.execute("ALTER TABLE ledger_transfer ENABLE TRIGGER USER")
