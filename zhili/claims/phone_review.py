"""评议 on the phone: one claim a screen, decided in a meeting or at the field's edge."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.http import urlencode

from zhili.claims.access import access_claim
from zhili.claims.actions import review_claim
from zhili.claims.desk_queue import seen, stays_out
from zhili.claims.entering import label_of
from zhili.claims.errors import Conflict
from zhili.claims.forms import ReviewForm
from zhili.claims.models import Claim, Review
from zhili.claims.queries import review_queue
from zhili.common.errors import ZhiliError
from zhili.common.forms import show_error
from zhili.common.points import format_points
from zhili.common.policy import may, requires
from zhili.people.access import village_of

QUICK = {
    "return": ["请补一张照片", "日期不对，请核对", "数量不清楚，请写明"],
    "refuse": ["查过了，没有这件事", "这件事不在细则里", "和另一条重复"],
}


@requires("claims.review")
def queue_page(request: HttpRequest) -> HttpResponse:
    """/m/review/: the oldest claim that waits for this person, or the one after the one skipped."""
    user, place = request.user, village_of(request)
    assert user.is_authenticated
    rows = review_queue(user, place)
    out = stays_out(user, place)
    skipped = request.GET.get("after", "")
    at = next((n + 1 for n, row in enumerate(rows) if str(row.claim.pk) == skipped), 0)
    if at < len(rows):
        return redirect("m_review_claim", rows[at].claim.pk)
    return render(request, "claims/phone_review_end.html", {"waiting": len(rows), "out": out})


@requires("claims.review")
def claim_page(request: HttpRequest, claim: UUID) -> HttpResponse:
    """/m/review/<id>/: everything on one screen, and four decisions."""
    user = request.user
    assert user.is_authenticated
    found = access_claim(user, claim)
    rows = review_queue(user, found.place)
    mine = next((row for row in rows if row.claim.pk == found.pk), None)
    form = ReviewForm(request.POST if request.method == "POST" else None, initial={"status": found.status})
    if request.method == "POST" and form.is_valid() and decide(request, found, form):
        return redirect(f"{reverse('m_review')}?{urlencode({'after': ''})}")
    if mine is None:
        reason = next((why for other, why in stays_out(user, found.place) if other.pk == found.pk), "")
        context = {
            "claim": found,
            "reason": reason or f"它现在是“{found.get_status_display()}”，不在您的待办里。",
            "form": form,
        }
        return render(request, "claims/phone_review_not.html", context, status=409 if form.is_bound else 200)
    context = {
        "one": seen(found.place, [mine])[0], "claim": found, "form": form, "left": len(rows) - 1, "quick": QUICK,
        "label": label_of(user, found.household),
    }  # fmt: skip
    return render(request, "claims/phone_review.html", context, status=422 if form.errors else 200)


def decide(request: HttpRequest, claim: Claim, form: ReviewForm) -> bool:
    """Carry the decision out and say so; or put the refusal into the form."""
    assert request.user.is_authenticated
    data = form.cleaned_data
    decision, points = data["decision"], data["points"]
    if decision == Review.Decision.APPROVE and points is not None:
        decision = Review.Decision.CHANGE if data["reason"] else decision
    if decision in (Review.Decision.RETURN, Review.Decision.REFUSE):
        points = None
    try:
        done = review_claim(
            by=request.user,
            claim=claim,
            decision=decision,
            points=points,
            reason=data["reason"],
            seen_status=data["status"],
        )
    except Conflict as error:
        messages.warning(request, str(error))
        show_error(form, error)
        return False
    except ZhiliError as error:
        show_error(form, error)
        return False
    score = f"，评 {format_points(points)} 分" if points is not None else ""
    messages.success(
        request, f"{done} {Review.Decision(decision).label}{score}。现在是“{done.get_status_display()}”。"
    )
    return True


def may_review(request: HttpRequest, claim: Claim) -> bool:
    return may(request.user, "claims.review", claim)


urlpatterns = [
    path("review/", queue_page, name="m_review"),
    path("review/<uuid:claim>/", claim_page, name="m_review_claim"),
]
