"""纸表补录: a fair day without a machine leaves a list on paper; afterwards one form of twenty rows books all or nothing.

The list has a number, a day and a photo; the photo with the signatures is the proof of every row (N-07). Checked
first, in words per row, without moving anything; booked by the counter's own action, one redemption a household.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction

from zhili.audit.actions import record
from zhili.claims.photos import Stored, discard, store_photo
from zhili.common.errors import NotAllowed, ZhiliError
from zhili.common.periods import today
from zhili.common.points import format_points
from zhili.common.policy import may
from zhili.ledger.entries import derived
from zhili.ledger.queries import balances
from zhili.people.models import Household, Resident, User
from zhili.people.queries import tidy_code
from zhili.rulebook.queries import in_force, parsed
from zhili.shop.errors import Conflict, ShopError
from zhili.shop.models import FairDay, Good, Order, PaperList, Shop
from zhili.shop.money import SPEND, settings_of
from zhili.shop.ordering import Visit, redeem
from zhili.shop.proofs import Proof, lives_in
from zhili.shop.queries import offers
from zhili.shop.wishes import Wanted

ROWS: Final = 20
DAYS_BACK: Final = 62
QUANTITY_MAX: Final = 999


@dataclass(slots=True)
class PaperRow:
    """One line of the list as typed, and what it turned out to be. error: in words, "" where it is fine."""

    number: int
    household: str = ""
    good: str = ""
    quantity: str = ""
    collector: str = ""
    error: str = ""
    home: Household | None = None
    thing: Good | None = None
    points: int = 0
    count: int = 1
    whose: Resident | None = None
    relation: str = ""

    @property
    def empty(self) -> bool:
        return not (self.household or self.good or self.quantity or self.collector)

    @property
    def amount(self) -> int:
        return self.points * self.count


@dataclass(slots=True)
class Checked:
    """The whole list after the look. photo_why: why the photo is needed, "" where it is not."""

    rows: list[PaperRow]
    photo_why: str = ""
    total: int = 0
    households: int = 0

    @property
    def fine(self) -> bool:
        return bool(self.filled) and not any(row.error for row in self.rows)

    @property
    def filled(self) -> list[PaperRow]:
        return [row for row in self.rows if not row.empty]


@dataclass(frozen=True, slots=True)
class PaperFacts:
    """What stands on top of the list."""

    number: str
    on: date
    fair: FairDay | None = None
    photo: bytes | None = None
    rows: Sequence[PaperRow] = field(default_factory=tuple)


def check_rows(by: User, shop: Shop, place: str, rows: Sequence[PaperRow], on: date) -> Checked:
    """Each row in words; nothing moves. The number of statements does not depend on the rows."""
    found = Checked(list(rows))
    filled = found.filled
    codes = {tidy_code(row.household) for row in filled} | {_split(row.collector)[0] for row in filled}
    homes = {one.code: one for one in Household.objects.filter(place=place, code__in=codes - {""})}
    heads = {
        one.household_id: one
        for one in Resident.objects.filter(household__in=list(homes.values()), relation="head").order_by(
            "-status"
        )
    }
    shelf = {offer.good.code.upper(): offer for offer in offers(shop, on)}
    for row in filled:
        row.error = _read(by, row, homes, heads, shelf)
    _enough_points(place, found)
    _enough_goods(filled)
    cap = settings_of(place).cap_points
    sums = _by_household(filled)
    found.total, found.households = sum(row.amount for row in filled if row.home), len(sums)
    if any(row.relation for row in filled):
        found.photo_why = "有代领的，要附签了名的纸表照片"
    elif any(sum(row.amount for row in rows) > cap for rows in sums.values()):
        found.photo_why = f"有超过 {format_points(cap)} 分的，要附签了名的纸表照片"
    return found


def _read(
    by: User, row: PaperRow, homes: dict[str, Household], heads: dict[UUID, Resident], shelf: dict
) -> str:
    """Fill in one row from what is known; the first thing wrong with it, in words."""
    row.home = homes.get(tidy_code(row.household))
    if not row.household or row.home is None:
        return f"没有“{row.household}”这一户" if row.household else "没有填户编号"
    if not row.home.is_open:
        return f"{row.home.code} 户{row.home.get_status_display()}"
    if lives_in(by, row.home):
        return "这是您自己家，请另一位工作人员录这一行"
    offer = shelf.get(row.good.strip().upper())
    if offer is None:
        return f"货号“{row.good}”那天没有价格" if row.good else "没有填货号"
    row.thing, row.points = offer.good, offer.points
    text = row.quantity.strip() or "1"
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= QUANTITY_MAX):
        return f"数量“{row.quantity}”请填 1 到 {QUANTITY_MAX} 的整数"
    row.count = int(text)
    code, relation = _split(row.collector)
    if not code and not relation:
        return ""
    home = homes.get(code)
    if code and home is None:
        return f"代领人：没有“{code}”这一户"
    if home is not None and home.pk == row.home.pk:
        return "代领人是本户自己的编号，自己家来领的不用填"
    row.whose, row.relation = heads.get(home.pk) if home else None, relation or "代领"
    return ""


def _split(text: str) -> tuple[str, str]:
    """ "1002 邻居" → ("1002", "邻居"); "女儿" → ("", "女儿")."""
    parts = text.strip().split(maxsplit=1)
    if not parts:
        return "", ""
    if any(letter.isdigit() for letter in parts[0]):
        return tidy_code(parts[0]), parts[1][:20] if len(parts) > 1 else ""
    return "", text.strip()[:20]


def _by_household(rows: Sequence[PaperRow]) -> dict[UUID, list[PaperRow]]:
    found: dict[UUID, list[PaperRow]] = {}
    for row in rows:
        if row.home is not None and not row.error:
            found.setdefault(row.home.pk, []).append(row)
    return found


def _enough_points(place: str, found: Checked) -> None:
    """By household over all its rows; where the book counts by person, paper cannot say whose."""
    book = in_force(place, today())
    by_person = book is not None and parsed(book).unit == "resident"
    sums = _by_household(found.filled)
    held = balances(place, list(sums))
    for key, rows in sums.items():
        goods = [row.thing.pk for row in rows if row.thing]
        total, has = sum(row.amount for row in rows), held[key, SPEND].available
        if by_person:
            rows[-1].error = "本村积分记在个人名下，请到柜台选好是谁的再办"
        elif len(set(goods)) != len(goods):
            rows[-1].error = f"{rows[-1].home.code} 户的“{rows[-1].thing}”写了两行，请合成一行"  # type: ignore[union-attr]
        elif len({(row.whose, row.relation) for row in rows}) > 1:
            rows[-1].error = "同一户的几行，代领人要写得一样"
        elif total > has:
            rows[-1].error = f"积分不够：要 {format_points(total)} 分，只有 {format_points(has)} 分"


def _enough_goods(filled: Sequence[PaperRow]) -> None:
    wanted: dict[UUID, int] = {}
    for row in filled:
        if row.thing is None or row.error:
            continue
        wanted[row.thing.pk] = wanted.get(row.thing.pk, 0) + row.count
        if wanted[row.thing.pk] > row.thing.free:
            row.error = f"“{row.thing}”只剩 {max(0, row.thing.free)}{row.thing.unit}，这张表一共要 {wanted[row.thing.pk]}"


def book_list(*, by: User, id: UUID, shop: Shop, place: str, facts: PaperFacts) -> PaperList:
    """Book the whole list or nothing. The same id and rows again: nothing happens twice. Raises ShopError, Conflict."""
    if not may(by, "shop.serve", shop.place):
        raise NotAllowed("只有店员能补录纸表", hint="请找店员或村文书。")
    digest = _digest(shop, facts)
    known = PaperList.objects.filter(pk=id).first()
    if known is not None:
        if known.digest != digest:
            raise Conflict("这张纸表已经录过，内容不同", hint="请到兑换单里核对。", word="key_used")
        return known
    number = facts.number.strip()[:30]
    if len(number) < 1:
        raise ShopError("请填纸表编号", field="number", hint="写在纸表右上角，例如：2026-07。")
    if not today() - timedelta(days=DAYS_BACK) <= facts.on <= today():
        raise ShopError(f"兑换日期要在最近 {DAYS_BACK} 天以内", field="on", hint="请照纸表上的日期填。")
    checked = check_rows(by, shop, place, facts.rows, facts.on)
    if not checked.fine:
        raise ShopError(
            "有的行要改，一行都还没有录" if checked.filled else "还没有填", hint="请看每行下面的红字。"
        )
    if checked.photo_why and facts.photo is None:
        raise ShopError(checked.photo_why, field="photo", hint="拍下整张纸表，签名要看得清。")
    stored = store_photo(place, facts.photo) if facts.photo is not None else None
    try:
        return _book(by, id, shop, place, facts, checked, number, digest, stored)
    except ZhiliError:
        if stored is not None:
            discard(place, [stored])
        raise


def _book(
    by: User, id: UUID, shop: Shop, place: str, facts: PaperFacts, checked: Checked, number: str, digest: str,
    stored: Stored | None,
) -> PaperList:  # fmt: skip
    sums = _by_household(checked.filled)
    with transaction.atomic():
        # Every lock of the list is taken first, in the order of ordering.py, so that no counter waits crosswise.
        list(Household.objects.select_for_update(no_key=True).filter(pk__in=sums).order_by("pk").values("pk"))
        goods = [row.thing.pk for row in checked.filled if row.thing]
        list(Good.objects.select_for_update(no_key=True).filter(pk__in=goods).order_by("pk").values("pk"))
        try:
            with transaction.atomic():
                made = PaperList.objects.create(
                    id=id, place=place, shop=shop, number=number, on=facts.on, rows=len(checked.filled), by=by,
                    photo=stored.name if stored else "", digest=digest,
                )  # fmt: skip
        except IntegrityError as error:
            raise Conflict(
                f"编号 {number} 的纸表已经录过", field="number", hint="请到兑换单里查这个编号。"
            ) from error
        for key, rows in sums.items():
            _redeem(by, derived(id, str(key)), shop, rows, facts, number, stored)
        record("shop.book_paper", by=by, place=place, target=made, rows=made.rows, households=len(sums))
    return made


def _redeem(
    by: User,
    key: UUID,
    shop: Shop,
    rows: list[PaperRow],
    facts: PaperFacts,
    number: str,
    stored: Stored | None,
) -> Order:
    first = rows[0]
    assert first.home is not None
    visit = Visit(
        collector=first.whose, relation=first.relation, paper_number=number, fair_day=facts.fair, on=facts.on,
        proof=Proof(signature=stored.name if stored else ""),
    )  # fmt: skip
    wanted = [Wanted(row.thing.pk, row.count, row.points) for row in rows if row.thing]
    try:
        return redeem(
            by=by,
            id=key,
            shop=shop,
            household=first.home,
            wanted=wanted,
            channel=Order.Channel.PAPER,
            visit=visit,
        )
    except ZhiliError as error:
        raise ShopError(
            f"第 {first.number} 行（{first.home.code} 户）：{error.message}",
            hint=f"一行都没有录。{error.hint}",
        ) from error


def _digest(shop: Shop, facts: PaperFacts) -> str:
    rows = [[r.household, r.good, r.quantity, r.collector] for r in facts.rows if not r.empty]
    body = [str(shop.pk), facts.number.strip(), facts.on.isoformat(), rows]
    return hashlib.sha256(json.dumps(body, ensure_ascii=False).encode()).hexdigest()
