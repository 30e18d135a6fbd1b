"""How many points a village may still issue (G-11): what was put into the pool, less what is out or was redeemed.

Points that were deducted, reversed, moved away or have expired are free to be issued again. Read from the village's
own accounts, so the published book itself shows whether more was issued than funded.
"""

from __future__ import annotations

from django.db.models import F, Sum

from zhili.common.points import format_points
from zhili.ledger.errors import LedgerError, purse_title
from zhili.ledger.models import Account

_FREE = ("issued", "deducted", "expired", "reversed", "moved")


def village_accounts(place: str, purse: str) -> dict[str, int]:
    """Kind of account → balance in hundredths, all holders together. One statement."""
    rows = Account.objects.filter(place=place, purse=purse).values("kind")
    return {row["kind"]: row["sum"] for row in rows.annotate(sum=Sum(F("credits") - F("debits")))}


def unissued(place: str, purse: str) -> int:
    """Funded and neither out nor redeemed, hundredths; below zero: more is out than was ever funded."""
    sums = village_accounts(place, purse)
    return sum(sums.get(kind, 0) for kind in _FREE)


def refuse_unfunded(place: str, purse: str) -> None:
    """After a posting and under the village's lock: undo it where it issued more than the pool holds."""
    left = unissued(place, purse)
    if left < 0:
        raise LedgerError(
            f"{purse_title(purse)}的资金不够：这一批多出 {format_points(-left)} 分，没有入账",
            hint="请先登记拨入的兑换资金；或由村里决定先入荣誉积分、兑换积分排队。",
            word="unfunded",
        )
