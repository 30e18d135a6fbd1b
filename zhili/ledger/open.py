"""The book for everybody: its fingerprints, day by day, and the program that checks an export. No names here.

A receipt's page is claims/open.py: it knows what is not in the book yet.
"""

from __future__ import annotations

from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from zhili.common.policy import open_to_all
from zhili.ledger.anchors import anchor_line, published, published_days
from zhili.ledger.export import VERIFIER_NAME, verifier
from zhili.ledger.queries import heads
from zhili.ledger.receipts import chain_lines
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
def chain_text(request: HttpRequest, place: str) -> HttpResponse:
    """/open/<place>/ledger/chain.txt?after=12: the batch lines that lead from batch 12's fingerprint to today's (T-11)."""
    get_place(place)
    after = request.GET.get("after", "0")
    lines = chain_lines(place, int(after) if after.isascii() and after.isdigit() and len(after) < 10 else 0)
    return HttpResponse("".join(f"{line}\n" for line in lines), content_type="text/plain; charset=utf-8")


@open_to_all
def verifier_file(request: HttpRequest, place: str) -> HttpResponse:
    """/open/<place>/ledger/verifier.py: the stand-alone verifier, to keep and to run on any export (T-10)."""
    get_place(place)
    return HttpResponse(
        verifier(),
        content_type="text/x-python; charset=utf-8",
        headers={
            "Content-Disposition": f"attachment; filename=\"verify_ledger.py\"; filename*=UTF-8''{quote(VERIFIER_NAME)}"
        },
    )


urlpatterns = [
    path("<str:place>/ledger/", fingerprints, name="open_ledger"),
    path("<str:place>/ledger/anchors.jsonl", anchors, {"book": "ledger"}, name="open_ledger_anchors"),
    path("<str:place>/audit/anchors.jsonl", anchors, {"book": "audit"}, name="open_audit_anchors"),
    path("<str:place>/ledger/chain.txt", chain_text, name="open_ledger_chain"),
    path("<str:place>/ledger/verifier.py", verifier_file, name="open_verifier"),
]
