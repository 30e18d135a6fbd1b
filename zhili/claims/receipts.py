"""The slip a claim gives when it is received (T-06): twelve characters, long before there is anything in the ledger.

Whoever holds the slip learns where the claim stands and, once it has been posted, sees its lines proven against the
published fingerprint. Nobody's name, no other claim, no reason for a refusal: the slip may lie in the street.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from zhili.claims.models import Claim
from zhili.common.ids import parse_short_code, short_code_bits
from zhili.ledger.entries import derived
from zhili.ledger.receipts import RECEIPT_LENGTH, Receipt, proofs, receipt_code
from zhili.rulebook.queries import parsed

_OUTLOOK: Final = {
    Claim.Status.RETURNED: "评议员请申报人补充，补充以前不会入账。",
    Claim.Status.HELD: "有人提出异议，书面答复以前不入账。",
    Claim.Status.REFUSED: "评议没有通过，不会入账。",
    Claim.Status.DROPPED: "公示后撤下，不会入账。",
    Claim.Status.WITHDRAWN: "申报人已撤回，不会入账。",
}


@dataclass(frozen=True, slots=True)
class ClaimReceipt:
    """Where a claim stands. lines: its entries in the ledger, each with its proof; empty before they are posted."""

    code: str
    number: str
    received_at: datetime
    status: str
    outlook: str
    lines: list[Receipt]


def claim_code(claim_id: UUID) -> str:
    """What the slip carries: twelve characters from the claim's own key."""
    return receipt_code(claim_id)


def find_claim_receipt(place: str, code: str) -> ClaimReceipt | None:
    """The claim a slip stands for; None if this village has none. Raises CodeError. A handful of statements."""
    bits = short_code_bits(parse_short_code(code, RECEIPT_LENGTH))
    candidates = [(high << 60 | bits).to_bytes(8, "big") for high in range(8, 12)]
    claim = (
        Claim.objects.extra(where=["substr(uuid_send(claims_claim.id), 9) = ANY(%s)"], params=[candidates])
        .filter(place=place)
        .select_related("book")
        .first()
    )
    if claim is None:
        return None
    purses = [purse.code for purse in parsed(claim.book).purses]
    lines = proofs(place, [derived(claim.pk, purse) for purse in purses])
    return ClaimReceipt(
        code=claim_code(claim.pk),
        number=str(claim),
        received_at=claim.submitted_at,
        status=claim.get_status_display(),
        outlook=_outlook(claim, lines),
        lines=lines,
    )


def _outlook(claim: Claim, lines: list[Receipt]) -> str:
    if lines:
        return ""
    if claim.status == Claim.Status.POSTED:
        return "已经办完，分值为 0 或还在等资金，账本里没有这一笔。"
    return _OUTLOOK.get(Claim.Status(claim.status), "评议、公示都过了才会入账。")
