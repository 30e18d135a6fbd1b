"""The book for everybody: its fingerprints, and the proof that a receipt's line is in it (T-06). No names here."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from zhili.common.errors import ZhiliError
from zhili.common.policy import open_to_all
from zhili.ledger.anchors import anchor_line, published, published_days
from zhili.ledger.queries import find_receipt, heads
from zhili.places.queries import get_place

HEADS_SHOWN = 60


@open_to_all
def fingerprints(request: HttpRequest, place: str) -> HttpResponse:
    """/open/<place>/ledger/: one row per batch, newest first."""
    get_place(place)
    context = {
        "heads": heads(place, HEADS_SHOWN),
        "days": published_days(place),
        "place_code": place,
        "shown": HEADS_SHOWN,
    }
    return render(request, "ledger/open_heads.html", context)


@open_to_all
def anchors(request: HttpRequest, place: str, book: str) -> HttpResponse:
    """/open/<place>/ledger/anchors.jsonl, /open/<place>/audit/anchors.jsonl: what was published each day, one JSON
    object per line, newest first: an anchors file that `verify --anchors` reads as it is."""
    get_place(place)
    lines = "".join(anchor_line(row) + "\n" for row in published(place, book))
    name = f"zhili-{book}-{place}.jsonl"
    return HttpResponse(
        lines,
        content_type="application/x-ndjson; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@open_to_all
def receipt(request: HttpRequest, place: str) -> HttpResponse:
    """/open/<place>/receipt/?code=…: the line's facts without a name, and its way to the fingerprint."""
    get_place(place)
    code = request.GET.get("code", "").replace("\x00", "")[:40]
    found, error = None, ""
    if code.strip():
        try:
            found = find_receipt(place, code)
        except ZhiliError as refused:
            error = str(refused)
        if found is None and not error:
            error = "本村的账本里没有这个回执码。请对照回执再抄一遍；还不对，请拿着回执到村里问。"
    context = {"receipt": found, "code": code, "error": error, "place_code": place}
    return render(request, "ledger/open_receipt.html", context, status=404 if error else 200)


urlpatterns = [
    path("<str:place>/ledger/", fingerprints, name="open_ledger"),
    path("<str:place>/ledger/anchors.jsonl", anchors, {"book": "ledger"}, name="open_ledger_anchors"),
    path("<str:place>/audit/anchors.jsonl", anchors, {"book": "audit"}, name="open_audit_anchors"),
    path("<str:place>/receipt/", receipt, name="open_receipt"),
]
