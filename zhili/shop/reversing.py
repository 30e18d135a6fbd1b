"""冲正: a redemption that went wrong is taken back in two hands, points and goods together (L-04).

The clerk says why and how many pieces came back; a council member or the supervisor who had no part in it agrees. Then
the points return to the purse by a counter-entry, the pieces to the shelf by moves, and the order says 已冲正.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.db import IntegrityError, transaction

from zhili.audit.actions import record
from zhili.common.clock import now
from zhili.common.errors import NotAllowed
from zhili.common.periods import today
from zhili.common.policy import may
from zhili.ledger import actions as ledger
from zhili.ledger.entries import derived
from zhili.people.models import User
from zhili.shop.errors import Conflict, ShopError
from zhili.shop.goods import take_back
from zhili.shop.models import Good, Order, OrderReversal
from zhili.shop.money import period_for


def transfer_of(order: Order) -> UUID:
    """The ledger's line that took the points: of an order that was reserved first, the settling one."""
    return derived(order.transfer, "settled") if order.pick_up_code else order.transfer


def ask_back(*, by: User, id: UUID, order: Order, reason: str, goods: Mapping[UUID, int]) -> OrderReversal:
    """Ask for a redemption to be taken back. goods: order line → pieces that came back. The same id asks once.

    Raises NotAllowed, ShopError, Conflict.
    """
    if not may(by, "ledger.reverse", order.place):
        raise NotAllowed("冲正由村文书提出", hint="请告诉村文书。")
    reason = reason.strip()
    if not 2 <= len(reason) <= 100:
        raise ShopError(
            "冲正要写明理由，2 到 100 个字", field="reason", hint="例如：扫错了卡，应是 1002 户。"
        )
    with transaction.atomic():
        known = OrderReversal.objects.filter(pk=id).first()
        if known is not None:
            return known
        row = Order.objects.select_for_update(of=("self",), no_key=True).get(pk=order.pk)
        if row.status != Order.Status.HANDED_OVER:
            raise ShopError(
                f"这张兑换单{row.get_status_display()}，不能冲正", hint="没有领走的，请直接取消。"
            )
        lines = {line.pk: line for line in row.lines.all()}
        back = {}
        for key, count in goods.items():
            if key not in lines or not 0 <= count <= lines[key].quantity:
                raise ShopError("退回的数量不对", field="goods", hint="最多是领走的数量，没有退回写 0。")
            if count and lines[key].good_id is not None:
                back[str(key)] = count
        try:
            with transaction.atomic():
                made = OrderReversal.objects.create(
                    id=id, place=row.place, order=row, reason=reason, goods=back, asked_by=by
                )
        except IntegrityError as error:
            raise Conflict("这张单已经有人提出冲正", hint="请刷新后查看。") from error
        record("shop.ask_reversal", by=by, place=row.place, target=row, reason=reason)
    return made


def decide_back(*, by: User, asked: OrderReversal, agree: bool, answer: str = "") -> OrderReversal:
    """Agree, and points and goods are back at once; or refuse with a reason. Never who asked or who served.

    Raises NotAllowed, ShopError, Conflict.
    """
    if not may(by, "ledger.approve_reversal", asked.place):
        raise NotAllowed("冲正由本村议事会成员或监督委员同意", hint="请他们登录后办理。")
    if by.pk == asked.asked_by_id:
        raise NotAllowed("提出的人不能自己同意", hint="请另一位来。")
    if not agree and len(answer.strip()) < 2:
        raise ShopError("不同意要写理由", field="answer", hint="提出的人会看到。")
    with transaction.atomic():
        order = (
            Order.objects.select_for_update(of=("self",), no_key=True)
            .select_related("shop")
            .get(pk=asked.order_id)
        )
        row = (
            OrderReversal.objects.select_for_update(of=("self",), no_key=True)
            .select_related("asked_by")
            .get(pk=asked.pk)
        )
        if row.status != OrderReversal.Status.WAITING:
            raise Conflict(f"这条申请已经是“{row.get_status_display()}”", hint="请刷新后查看。")
        if agree:
            _take_back(by, row, order)
        row.status = OrderReversal.Status.DONE if agree else OrderReversal.Status.REFUSED
        row.decided_by, row.decided_at, row.answer = by, now(), answer.strip()[:100]
        row.save(update_fields=["status", "decided_by", "decided_at", "answer"])
        record("shop.decide_reversal", by=by, place=row.place, target=order, agreed=agree)
    return row


def _take_back(by: User, row: OrderReversal, order: Order) -> None:
    """Goods locked, then the book, then the moves: the order of locks of ordering.py."""
    if by.pk in (order.made_by_id, order.handed_by_id, order.second_id):
        raise NotAllowed("经手过这张单的人不能同意冲正", hint="请换一位没有经手的。")
    lines = list(order.lines.select_related("good").order_by("good_id"))
    list(
        Good.objects.select_for_update(no_key=True).filter(order_lines__in=lines).order_by("pk").values("pk")
    )
    ledger.reverse(
        [transfer_of(order)], place=order.place, by=row.asked_by, approved_by=by, reason=row.reason,
        period=period_for(order.place, today()),
    )  # fmt: skip
    for line in lines:
        if count := row.goods.get(str(line.pk)):
            take_back(by=row.asked_by, order=order, line=line, quantity=count, reason=row.reason)
    order.status, order.reason = Order.Status.REVERSED, row.reason
    order.save(update_fields=["status", "reason"])
