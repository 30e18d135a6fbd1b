"""Paper of a whole village: cards for 300 households, fronts and backs, and a numbered sheet for each of them.

No database: what is measured is the drawing. The mark is a ratio in the same run: a card among 300 must not cost more
than a card among 30, or a large village could not print at once.
"""

from __future__ import annotations

import io
import time
from datetime import date

from bench.support import mark

DAY = date(2026, 11, 28)
HOMES = 300
ITEMS = 16


def main() -> None:
    """Seconds, pages and bytes of each; two marks."""
    import pypdf

    from zhili.web.print import ClaimSheet, SheetItem, claim_sheets_pdf
    from zhili.web.print.cards import Card, CardSheet, cards_pdf

    def card(n: int) -> Card:
        return Card(f"{1000 + n}", "演示乙", f"{1 + n % 6}组", f"https://zhili.example/m/card/{n:022d}/", 1)

    def cards(count: int) -> bytes:
        return cards_pdf(CardSheet("谭家沟村", DAY, [card(n) for n in range(count)], phone="0818-0000000"))

    items = [
        SheetItem(f"HJ{n:02}", "参加一次村里组织的活动", "2 分", "次", "", "环境卫生") for n in range(ITEMS)
    ]

    def sheets(count: int) -> bytes:
        return claim_sheets_pdf(
            [
                ClaimSheet(
                    "谭家沟村", "2026年11月", items, DAY, number=f"B-{n}", household_code=f"{1000 + n}",
                    head_name="演示乙", group="1组", form_url=f"https://zhili.example/desk/511702109200/sheets/{n}/",
                )
                for n in range(count)
            ]
        )  # fmt: skip

    cards(1)  # fonts are read once
    for title, draw in (("cards", cards), ("sheets", sheets)):
        few, many = _timed(draw, HOMES // 10), _timed(draw, HOMES)
        pages = len(pypdf.PdfReader(io.BytesIO(many[1])).pages)
        print(f"  {HOMES} {title}: {many[0]:.2f} s, {pages} pages, {len(many[1]) / 1024:.0f} KiB;"
              f" {HOMES // 10}: {few[0]:.2f} s")  # fmt: skip
        ratio = (many[0] / HOMES) / (few[0] / (HOMES // 10))
        mark(f"one of {HOMES} {title} costs {ratio:.2f} of one of {HOMES // 10} (at most 1.5)", ratio <= 1.5)
    expected = HOMES // 10 * 2
    found = len(pypdf.PdfReader(io.BytesIO(cards(HOMES))).pages)
    mark(f"{HOMES} cards on {found} pages, fronts and backs ({expected})", found == expected)


def _timed(draw, count: int) -> tuple[float, bytes]:  # type: ignore[no-untyped-def]
    started = time.perf_counter()
    made = draw(count)
    return time.perf_counter() - started, made
