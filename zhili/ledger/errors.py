"""What the books refuse, and how a clerk is told."""

from __future__ import annotations

import json
from typing import Any

from zhili.common.errors import ZhiliError
from zhili.common.points import format_points

PURSE_TITLES = {"merit": "荣誉积分", "spend": "兑换积分"}


class LedgerError(ZhiliError):
    """The books refused an entry. `word` is stable for programs: "key_used", "busy", "period_closed" …"""

    def __init__(self, message: str, *, field: str | None = None, hint: str = "", word: str = "") -> None:
        super().__init__(message, field=field, hint=hint)
        self.word = word


def purse_title(purse: str) -> str:
    return PURSE_TITLES.get(purse, f"存折“{purse}”")


def refusal(word: str, facts: str | None, *, place: str, period: str = "") -> LedgerError:
    """The database's word for a refusal → a sentence."""
    known = _json(facts)
    if word == "account_never_below_zero":
        have, want = format_points(int(known.get("available", 0))), format_points(int(known.get("wanted", 0)))
        title = purse_title(str(known.get("purse", "spend")))
        return LedgerError(
            f"{title}不够：可用 {have} 分，需要 {want} 分，没有入账",
            hint="请减少数量，或先取消未领取的兑换。",
            word="short",
        )
    message, hint = _SENTENCES.get(
        word, (f"台账没有接受这一批（{word}）", "什么都没有入账，请把这句话告诉管理员。")
    )
    values = {"place": place, "period": period} | known
    return LedgerError(message.format(**values), hint=hint.format(**values), word=word)


_SENTENCES: dict[str, tuple[str, str]] = {
    "broken": (
        "本村台账与已公布的不一致，这次没有入账，台账已停止记账",
        "请马上告诉乡镇和管理员；查清并解除警报之前，这个村只能查看。",
    ),
    "read_only": (
        "本村台账有未解除的警报，暂停记账，这次没有入账",
        "请等乡镇或区县的经办人查清并解除警报；别的村不受影响。",
    ),
    "digest_mismatch": ("账本指纹没有算对，这次没有入账", "什么都没有入账，请把这句话告诉管理员。"),
    "busy": ("台账正忙，这次没有入账", "请再点一次。"),
    "period_closed": ("周期 {period} 已经结账，不能再记入", "请记入当前周期，并注明迟报。"),
    "account_closed": ("这个户的存折已经销户，不能再记账", "请核对户编号；分户、并户后请记到新的户。"),
    "key_used": ("这些条目的编号已用于另一笔入账，内容不同", "什么都没有入账；请刷新后核对台账第 {seq} 批。"),
    "purses_mixed": ("荣誉积分和兑换积分不能互相划转", "请分别记账。"),
    "flow_unknown": ("积分不能在这两类账户之间划转", "请使用发放、扣分、兑换、到期或冲正。"),
    "pending_unknown": ("要了结的预留不存在，或已改变", "请刷新后再试。"),
    "reversal_unknown": ("要冲正的流水不存在，或内容对不上", "请刷新后核对原流水。"),
    "transfer_reversed_once": ("这笔流水已经冲正过", "一笔流水只能冲正一次；要改回来，请冲正那笔冲正。"),
    "transfer_resolved_once": ("这笔预留已经了结", "请刷新后查看结果。"),
    "transfer_cause_complete": ("入账依据不完整", "请写明细则、申报、评议人、经办人和渠道。"),
    "transfer_amount_positive": ("积分必须大于 0", "请核对分值。"),
}


def _json(facts: str | None) -> dict[str, Any]:
    if not facts or not facts.startswith("{"):
        return {"seq": "?"}
    found: dict[str, Any] = json.loads(facts)
    return {"seq": "?"} | found
