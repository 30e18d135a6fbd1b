"""兑换资金: money named by its source comes in before points go out (G-11).

Mode A, a fixed value: every deposit puts points into the ledger's pool (pool → issued), so the published book itself
shows that no more was issued than funded. Mode B, floating: at settlement the pot is divided by the points, to the fen.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from zhili.audit.actions import record
from zhili.common import planned
from zhili.common.errors import NotAllowed
from zhili.common.ids import uuid7
from zhili.common.periods import period_of, today
from zhili.common.policy import may
from zhili.ledger import actions as ledger
from zhili.ledger import entries
from zhili.ledger.queries import balances_of_village
from zhili.notices.closing import open_period
from zhili.people.models import User
from zhili.shop.errors import Conflict, ShopError
from zhili.shop.models import Fund, FundEntry, Settings, Shop

FEN_MAX: Final = 100_000_000_00
SOURCES: Final = ("财政", "集体收益", "捐赠", "企业")
SPEND: Final = "spend"


def settings_of(place: str) -> Settings:
    """What the village decided, or the defaults (1 point = 1 yuan)."""
    return planned.first(Settings, "place = %s", [place]) or Settings(place=place)


def change_settings(*, by: User, place: str, resolution: str, **facts: Any) -> Settings:
    """mode, value_fen, hold_days, cap_points, by a resolution of the village. Raises NotAllowed, ShopError.

    A higher value is refused while the money would not cover the points that are out (G-12).
    """
    _must(by, place)
    unknown = set(facts) - {"mode", "value_fen", "hold_days", "cap_points"}
    if unknown:
        raise ValueError(f"not a setting of a shop: {sorted(unknown)}")
    if not 2 <= len(resolution.strip()) <= 100:
        raise ShopError(
            "请写明决议，2 到 100 个字", field="resolution", hint="例如：2026年第3次村民代表会议。"
        )
    with transaction.atomic():
        row = Settings.objects.select_for_update(no_key=True).filter(place=place).first() or Settings(
            place=place
        )
        before = {name: getattr(row, name) for name in facts}
        for name, value in facts.items():
            setattr(row, name, value)
        row.resolution = resolution.strip()
        if not 1 <= row.hold_days <= 60:
            raise ShopError("预订保留天数要在 1 到 60 之间", field="hold_days", hint="请核对。")
        if row.mode == Settings.Mode.FIXED and not 1 <= row.value_fen <= 100_00:
            raise ShopError("每分值要在 0.01 元到 100 元之间", field="value_fen", hint="常见的是 1 元。")
        _refuse_uncovered(row, before.get("value_fen", row.value_fen))
        row.save()
        record("shop.settings", by=by, place=place, before=before, after={n: getattr(row, n) for n in facts})
    return row


def _refuse_uncovered(row: Settings, before: int) -> None:
    from zhili.shop.queries import cover

    if row.mode != Settings.Mode.FIXED or row.value_fen <= before:
        return
    seen = cover(row.place, value_fen=row.value_fen)
    if seen.short_fen > 0:
        raise ShopError(
            f"按每分 {row.value_fen / 100:.2f} 元算，资金还差 {seen.short_fen / 100:.2f} 元",
            field="value_fen", hint="请先拨入资金，再提高每分值。", word="uncovered",
        )  # fmt: skip


def open_fund(*, by: User, place: str, title: str, basis: str) -> Fund:
    """设立一笔兑换资金. basis: the resolution or document behind it."""
    _must(by, place)
    title, basis = title.strip(), basis.strip()
    if not 2 <= len(title) <= 60 or not 2 <= len(basis) <= 100:
        raise ShopError(
            "请写明资金名称和依据", field="title", hint="例如：2026年积分资金；依据：村民代表会议决议。"
        )
    with transaction.atomic():
        if Fund.objects.filter(place=place, title=title).exists():
            raise Conflict(f"已经有“{title}”", field="title", hint="请直接登记拨入。")
        made = Fund.objects.create(place=place, title=title, basis=basis)
        record("shop.open_fund", by=by, place=place, target=made)
    return made


def deposit(
    *, by: User, fund: Fund, fen: int, source: str, paper: str, id: UUID | None = None, on: date | None = None
) -> FundEntry:
    """拨入: money arrives from a named source. In mode A the points it backs enter the ledger's pool.

    paper: the receipt's number. Same id again: the earlier entry. Raises ShopError, Conflict.
    """
    _must(by, fund.place)
    if not 0 < fen <= FEN_MAX:
        raise ShopError("金额要大于 0", field="fen", hint="请填拨入多少元。")
    source, paper = source.strip(), paper.strip()
    if not 2 <= len(source) <= 40 or not 1 <= len(paper) <= 40:
        raise ShopError("请写明资金来源和凭证号", field="source", hint=f"来源例如：{'、'.join(SOURCES)}。")
    day = on or today()
    if day > today():
        raise ShopError("日期还没有到", field="on", hint="请改成今天或以前。")
    key = id or uuid7()
    with transaction.atomic():
        Fund.objects.select_for_update(no_key=True).get(
            pk=fund.pk
        )  # a double tap waits here and then finds the entry
        known = FundEntry.objects.filter(pk=key).first()
        if known is not None:
            if (known.fund_id, known.fen, known.source) != (fund.pk, fen, source):
                raise Conflict("这笔拨入已经登记过，内容不同", hint="请刷新后核对。", word="key_used")
            return known
        settings = settings_of(fund.place)
        # A township keeps a shop and no book of points: its money backs goods, the villages' money backs points.
        backs = settings.mode == Settings.Mode.FIXED and len(fund.place) == 12
        points = fen * 100 // settings.value_fen if backs else 0
        if points:  # the book before the money accounts: the order of locks of ordering.py
            _fund_points(by, fund, key, points, day)
        entry = FundEntry.objects.create(
            id=key, place=fund.place, fund=fund, debit="source", credit="cash", fen=fen, code="deposit", source=source,
            paper=paper, by=by, on=day, ledger_points=points,
        )  # fmt: skip
        record("shop.deposit", by=by, place=fund.place, target=entry, fen=fen, points=points)
    return entry


def _fund_points(by: User, fund: Fund, key: UUID, points: int, day: date) -> None:
    cause = {"fund": str(fund.pk), "entry": str(key), "actor": by.pk}
    news = [entries.fund(entries.derived(key, "fund"), points, SPEND, day, cause)]
    ledger.post(news, place=fund.place, by=by, period=period_for(fund.place, day), note="资金入池")


def pay_partner(
    *, by: User, fund: Fund, fen: int, paper: str, shop: Shop, id: UUID | None = None
) -> FundEntry:
    """商户结算: what a partner or township shop gave out for points is paid from the fund."""
    return _pay(by, fund, fen, paper, shop.title, "settle", id, shop)


def _pay(
    by: User,
    fund: Fund,
    fen: int,
    paper: str,
    payee: str,
    code: str,
    id: UUID | None,
    shop: Shop | None = None,
) -> FundEntry:
    _must(by, fund.place)
    if fen <= 0 or not paper.strip():
        raise ShopError("请填金额和凭证号", field="fen", hint="金额要大于 0。")
    with transaction.atomic():
        Fund.objects.select_for_update(no_key=True).get(pk=fund.pk)
        known = FundEntry.objects.filter(pk=id).first() if id else None
        if known is not None:
            if (known.fund_id, known.fen, known.code) != (fund.pk, fen, code):
                raise Conflict("这笔付款已经登记过，内容不同", hint="请刷新后核对。", word="key_used")
            return known
        left = cash_of(fund)
        if left < fen:
            raise ShopError(
                f"“{fund}”只有 {left / 100:.2f} 元，不够付 {fen / 100:.2f} 元", field="fen", hint="请先拨入资金。",
                word="fund_short",
            )  # fmt: skip
        entry = FundEntry.objects.create(
            id=id or uuid7(), place=fund.place, fund=fund, debit="cash", credit="paid", fen=fen, code=code,
            source=payee.strip()[:40], shop=shop, paper=paper.strip()[:40], by=by,
        )  # fmt: skip
        record(f"shop.{code}", by=by, place=fund.place, target=entry, fen=fen)
    return entry


def cash_of(fund: Fund) -> int:
    """What the fund can still pay, fen."""
    row = fund.accounts.filter(kind="cash").first()
    return row.balance if row else 0


def shares(pot: int, points: Mapping[UUID, int]) -> dict[UUID, int]:
    """Divide a pot (fen) by points: exact to the fen. Whole fen first, the rest one by one to the largest fractions,
    ties by id, so that everybody who works it out again gets the same."""
    total = sum(points.values())
    if total <= 0:
        raise ShopError("没有可以兑现的积分", hint="请核对结算日期。")
    given = {key: pot * own // total for key, own in points.items()}
    rest = pot - sum(given.values())
    for key in sorted(points, key=lambda one: (-(pot * points[one] % total), one))[:rest]:
        given[key] += 1
    return given


def settle_floating(
    *, by: User, fund: Fund, fen: int, paper: str, id: UUID, on: date | None = None
) -> dict[UUID, int]:
    """Mode B: the pot is divided by all spendable points that are out, and every point is redeemed at that value.

    Holder → fen; sums to the pot. The list is signed on paper when the money is handed out. Same id again: the
    same list. Raises ShopError where the village has a fixed value or the fund is short.
    """
    _must(by, fund.place)
    day = on or today()
    with transaction.atomic():
        if settings_of(fund.place).mode != Settings.Mode.FLOATING:
            raise ShopError("本村是固定分值，不按资金除以积分结算", hint="要改计价方式，请先由村里决议。")
        held = {
            owner: one.available
            for (owner, purse), one in balances_of_village(fund.place).items()
            if purse == SPEND and one.available > 0
        }
        paid = FundEntry.objects.filter(pk=id).first()
        if paid is not None:
            raise Conflict("这次结算已经办过", hint="请看结算名单。", word="key_used")
        given = shares(fen, held)
        news = [_cash_out(id, owner, held[owner], given[owner], day, by) for owner in held]
        ledger.post(news, place=fund.place, by=by, period=period_for(fund.place, day), note="按分兑现")
        _pay(by, fund, fen, paper, "按分兑现", "payout", id)
        record("shop.settle_floating", by=by, place=fund.place, target=f"shop.fundentry:{id}", fen=fen,
               points=sum(held.values()), households=len(held))  # fmt: skip
    return given


def _cash_out(id: UUID, owner: UUID, points: int, fen: int, day: date, by: User) -> ledger.NewTransfer:
    return ledger.NewTransfer(
        entries.derived(id, str(owner)), entries.holder(owner, SPEND), entries.village("redeemed", SPEND), points,
        "redeem", day, {"settlement": str(id), "fen": fen, "actor": by.pk},
    )  # fmt: skip


def period_for(place: str, day: date) -> str:
    """The village's open period that takes an entry of `day`: its rule book's settlement, months without one."""
    from zhili.rulebook.queries import settlement_on

    return open_period(place, period_of(day, settlement_on(place, day) or "month").code)


def _must(by: User, place: str) -> None:
    if not may(by, "shop.manage", place):
        raise NotAllowed("您的身份不能管理兑换资金", hint="资金由村文书登记，监督委员核对。")
