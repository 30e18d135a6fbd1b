"""评议 at the desk: the whole queue on one page, ticked and decided together, by mouse or by keyboard."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from zhili.claims.access import LEVELS
from zhili.claims.actions import Outcome, review_many
from zhili.claims.desk import at
from zhili.claims.desk_queue import queue, stays_out
from zhili.claims.models import Claim, Review
from zhili.common.errors import ZhiliError
from zhili.common.points import parse_points
from zhili.common.policy import may, requires
from zhili.people.models import User

PAGE = 30


@requires("claims.desk")
def reviews(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/reviews/: what waits for me; decided in bulk; what I must stay out of, with the reason."""
    user = at(request, place)
    typed: dict[str, str] = {}
    ticked: set[str] = set()
    error: ZhiliError | None = None
    if request.method == "POST":
        ticked = set(request.POST.getlist("claim")[:500])
        typed = {"reason": request.POST.get("reason", "")[:1000]}
        typed |= {key: str(value)[:20] for key, value in request.POST.items() if key.startswith("points-")}
        try:
            _decide(request, user, place, ticked, typed)
            return redirect("desk_reviews", place)
        except ZhiliError as refused:
            error = refused
    page = request.GET.get("page", "1")
    number = max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 5 else 1
    shown, total = queue(user, place, (number - 1) * PAGE, PAGE)
    context = {
        "place": place,
        "rows": [
            (one, f"{one.claim.pk}:{one.claim.status}", typed.get(f"points-{one.claim.pk}", ""))
            for one in shown
        ],
        "total": total,
        "page": number,
        "more": number * PAGE < total,
        "out": stays_out(user, place),
        "typed": typed,
        "ticked": ticked,
        "error": error,
        "reviewer": may(user, "claims.review"),
    }
    return render(request, "claims/desk_reviews.html", context, status=422 if error else 200)


def _decide(request: HttpRequest, user: User, place: str, ticked: set[str], typed: dict[str, str]) -> None:
    """Carry out and say what became of each. One transaction; claims with scores typed go by score."""
    decision, reason = request.POST.get("decision", ""), typed["reason"].strip()
    wanted = _wanted(place, ticked)
    groups: dict[int | None, list[Claim]] = {}
    for claim in wanted:
        text = typed.get(f"points-{claim.pk}", "").strip() if decision == Review.Decision.APPROVE else ""
        groups.setdefault(parse_points(text) if text else None, []).append(claim)
    if not groups:
        groups[None] = []
    outcomes: list[Outcome] = []
    for points, claims in groups.items():
        outcomes += review_many(
            by=user, place=place, claims=claims, decision=decision, points=points, reason=reason
        )
    done = [f"A-{one.number}" for one in outcomes if one.error is None]
    if done:
        messages.success(
            request,
            f"{Review.Decision(decision).label} {len(done)} 条：{'、'.join(done[:20])}{'等' if len(done) > 20 else ''}",
        )
    for one in outcomes:
        if one.error is not None:
            messages.warning(request, str(one.error))


def _wanted(place: str, ticked: set[str]) -> list[Claim]:
    """Ticked rows with the status their page showed: "id:status"."""
    seen: dict[UUID, str] = {}
    for mark in ticked:
        key, _, status = mark.partition(":")
        try:
            seen[UUID(key)] = status
        except ValueError:
            continue
    rows = list(Claim.objects.filter(place=place, pk__in=list(seen)).order_by("number"))
    for claim in rows:
        if seen[claim.pk] in LEVELS:
            claim.status = seen[claim.pk]
    return rows


urlpatterns = [path("<str:place>/reviews/", reviews, name="desk_reviews")]
