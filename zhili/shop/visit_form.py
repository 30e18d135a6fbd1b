"""What stands on the goods page: every row as typed, kept through every step and every refusal, secrets never among it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.http import QueryDict

from zhili.common.ids import uuid7
from zhili.common.points import PointsError, format_points, parse_points
from zhili.people.models import Household
from zhili.shop.models import FairDay, Good
from zhili.shop.queries import Offer, offers
from zhili.shop.wishes import Wanted

if TYPE_CHECKING:
    from zhili.shop.serving import Counter

PARTNER_ROWS: Final = 4
QUANTITY_DIGITS: Final = 4


@dataclass(slots=True)
class Row:
    """One button of the goods page: what it is, what was typed into it."""

    good: Good
    points: int
    text: str = ""
    seen: int = 0
    error: str = ""

    @property
    def key(self) -> str:
        return f"n-{self.good.pk}"


@dataclass(slots=True)
class Words:
    """One line at a partner's: what, how many, points for one, as typed."""

    title: str = ""
    quantity: str = ""
    points: str = ""
    error: str = ""


@dataclass(slots=True)
class Typed:
    """The whole visit as it stands: everything a form carries from step to step."""

    id: UUID
    household: Household
    fair: FairDay | None
    rows: list[Row] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)
    owner: str = ""
    proxy: str = ""
    collector: str = ""
    relation: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def wanted(self) -> list[Wanted]:
        """What was asked for, with the price that was seen."""
        goods = [
            Wanted(row.good.pk, int(row.text), row.seen or row.points)
            for row in self.rows
            if _number(row.text)
        ]
        return goods + [
            Wanted(None, int(one.quantity or "1"), parse_points(one.points), one.title)
            for one in self.words
            if one.title and not one.error
        ]

    @property
    def is_proxy(self) -> bool:
        return bool(self.proxy)

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """Name and value of everything typed, for the next form; secrets are never among it."""
        found = [
            ("id", str(self.id)),
            ("fair", str(self.fair.pk) if self.fair else ""),
            ("owner", self.owner),
        ]
        for row in self.rows:
            if _number(row.text):
                found += [(row.key, row.text), (f"seen-{row.good.pk}", str(row.points))]
        for n, one in enumerate(self.words):
            if one.title:
                found += [
                    (f"title-{n}", one.title),
                    (f"count-{n}", one.quantity),
                    (f"points-{n}", one.points),
                ]
        return [*found, ("proxy", self.proxy), ("collector", self.collector), ("relation", self.relation)]


def typed_from(counter: Counter, household: Household, data: QueryDict | Mapping[str, str]) -> Typed:
    """Read a form (or an empty one); nothing is refused here, problems are kept beside what was typed."""
    assert counter.shop is not None
    id = _uuid(data.get("id", "")) or uuid7()
    fair = _fair_of(counter, data) if "fair" in data else counter.fair
    found = Typed(id, household, fair, owner=_text(data, "owner", 36), proxy=_text(data, "proxy", 1),
                  collector=_text(data, "collector", 20), relation=_text(data, "relation", 20))  # fmt: skip
    if not counter.shop.keeps_stock:
        found.words = [_words(data, n, found.problems) for n in range(PARTNER_ROWS)]
        return found
    for offer in offers(counter.shop):
        found.rows.append(_row(offer, data, found.problems))
    shown = {row.key for row in found.rows}
    if any(key.startswith("n-") and key not in shown and _number(data.get(key, "")) for key in data):
        found.problems.append("有物品刚刚下架或没有价格了，已从单子里去掉，请核对。")
    return found


def _row(offer: Offer, data: QueryDict | Mapping[str, str], problems: list[str]) -> Row:
    row = Row(offer.good, offer.points)
    row.text = _text(data, row.key, 6)
    seen = _text(data, f"seen-{offer.good.pk}", 8)
    if row.text and not _number(row.text) and row.text.strip("0"):
        row.error = f"“{offer.good}”的数量请填整数"
    elif _number(row.text) and _number(seen, 8) and int(seen) != offer.points:
        row.seen = int(seen)
        row.error = f"“{offer.good}”现在是 {format_points(offer.points)} 分，价格刚刚变了，请再核对一次"
    elif _number(row.text) and int(row.text) > offer.good.free:
        left = f"只剩 {offer.good.free}{offer.good.unit}" if offer.good.free > 0 else "已兑完"
        row.error = f"“{offer.good}”{left}，请改数量"
    if row.error:
        problems.append(row.error)
    return row


def _words(data: QueryDict | Mapping[str, str], n: int, problems: list[str]) -> Words:
    found = Words(_text(data, f"title-{n}", 40), _text(data, f"count-{n}", 6), _text(data, f"points-{n}", 12))
    if not (found.title or found.points):
        return found
    try:
        if (
            not found.title
            or (found.quantity and not _number(found.quantity))
            or parse_points(found.points) <= 0
        ):
            raise PointsError("")
    except PointsError:
        found.error = f"第 {n + 1} 行：请写物品、数量和每件多少分，例如：食盐，2，2.5"
        problems.append(found.error)
    return found


def _fair_of(counter: Counter, data: QueryDict | Mapping[str, str]) -> FairDay | None:
    """The fair day a form was begun on: it stays the visit's, even if it closes meanwhile."""
    key = _uuid(data.get("fair", ""))
    return FairDay.objects.filter(pk=key, shop=counter.shop).first() if key else None


def _text(data: QueryDict | Mapping[str, str], key: str, most: int) -> str:
    return data.get(key, "").replace("\x00", "").strip()[:most]


def _number(text: str, most: int = QUANTITY_DIGITS) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= most and int(text) > 0


def _uuid(text: str) -> UUID | None:
    """A key as our own pages make them; anything else is none."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if found.variant == "specified in RFC 4122" else None
