"""查回执: what the twelve characters on a slip stand for, claim or ledger line, without a name (T-06)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from zhili.claims.receipts import ClaimReceipt, find_claim_receipt
from zhili.common.errors import ZhiliError
from zhili.common.policy import open_to_all
from zhili.ledger.queries import Receipt, find_receipt
from zhili.places.queries import get_place

UNKNOWN = "本村没有这个回执码。请对照回执再抄一遍；还不对，请拿着回执到村里问。"


@open_to_all
def receipt(request: HttpRequest, place: str) -> HttpResponse:
    """/open/<place>/receipt/?code=…: a line of the ledger and its way to the fingerprint, or a claim and where it stands."""
    get_place(place)
    code = request.GET.get("code", "").replace("\x00", "")[:40]
    claim: ClaimReceipt | None = None
    lines: list[Receipt] = []
    error = ""
    if code.strip():
        try:
            found = find_receipt(place, code)
            claim = None if found else find_claim_receipt(place, code)
            lines = [found] if found else claim.lines if claim else []
        except ZhiliError as refused:
            error = str(refused)
        if not lines and claim is None and not error:
            error = UNKNOWN
    context = {"receipts": lines, "claim": claim, "code": code, "error": error, "place_code": place}
    return render(request, "claims/open_receipt.html", context, status=404 if error else 200)


urlpatterns = [path("<str:place>/receipt/", receipt, name="open_receipt")]
