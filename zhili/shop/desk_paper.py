"""纸表补录 at the desk: one form of twenty rows, keyboard alone; look first, then book all of it at once (U-34)."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.http import urlencode

from zhili.claims.stash import fetch, keep, present
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.ids import uuid7
from zhili.common.periods import today
from zhili.common.policy import requires
from zhili.people.access import VILLAGE_DIGITS
from zhili.shop.models import FairDay, PaperList
from zhili.shop.paper_lists import ROWS, Checked, PaperFacts, PaperRow, book_list, check_rows
from zhili.shop.queries import offers
from zhili.shop.serving import Counter, counter_at


@requires("shop.serve")
def paper(request: HttpRequest, place: str) -> HttpResponse:
    """/desk/<place>/shop/paper/: type the list, look, book."""
    counter = counter_at(request, place, "desk")
    if counter.shop is None or not counter.shop.keeps_stock or len(place) < VILLAGE_DIGITS:
        raise NotFound("没有这一页。")
    rows, day = _rows(request), _day(request)
    error: ZhiliError | None = None
    checked: Checked | None = None
    token = _photo(request, counter)
    step = request.POST.get("step", "")
    if step == "look":
        checked = check_rows(counter.user, counter.shop, place, rows, day)
    elif step == "book":
        try:
            made = _book(request, counter, rows, day, token)
            messages.success(request, f"纸表 {made.number} 已录入 {made.rows} 行，积分和库存都记好了。")
            return redirect(f"{reverse('desk_shop_orders', args=[place])}?{urlencode({'q': made.number})}")
        except ZhiliError as refused:
            error, checked = refused, check_rows(counter.user, counter.shop, place, rows, day)
    fairs = FairDay.objects.filter(shop=counter.shop, on__lte=today()).order_by("-on")[:12]
    wrong = error is not None or (checked is not None and not checked.fine)
    context = {
        "place": place, "counter": counter, "rows": rows, "checked": checked, "error": error, "on": day,
        "id": _key(request), "number": request.POST.get("number", "")[:30], "token": token, "fairs": fairs,
        "fair": request.POST.get("fair", ""), "offers": offers(counter.shop, day), "today": today(),
    }  # fmt: skip
    return render(request, "shop/desk_paper.html", context, status=422 if wrong else 200)


def _book(request: HttpRequest, counter: Counter, rows: list[PaperRow], day: date, token: str) -> PaperList:
    assert counter.shop is not None
    wanted = request.POST.get("fair", "")
    fair = FairDay.objects.filter(shop=counter.shop, pk=wanted).first() if len(wanted) == 36 else None
    facts = PaperFacts(
        request.POST.get("number", ""), day, fair, fetch(counter.user, token) if token else None, rows
    )
    return book_list(by=counter.user, id=_key(request), shop=counter.shop, place=counter.place, facts=facts)


def _rows(request: HttpRequest) -> list[PaperRow]:
    def text(name: str, n: int, most: int) -> str:
        return request.POST.get(f"{name}-{n}", "").replace("\x00", "").strip()[:most]

    return [
        PaperRow(n, text("house", n, 20), text("good", n, 12), text("count", n, 6), text("who", n, 30))
        for n in range(1, ROWS + 1)
    ]


def _photo(request: HttpRequest, counter: Counter) -> str:
    """The token of the list's photo: the one just sent, or the one kept from the look."""
    upload = request.FILES.get("photo")
    if upload is not None:
        try:
            return keep(counter.user, upload)
        except ZhiliError as refused:
            messages.warning(request, str(refused))
    return next(iter(present(counter.user, [request.POST.get("kept", "")])), "")


def _day(request: HttpRequest) -> date:
    try:
        day: date = forms.DateField().clean(request.POST.get("on", ""))
    except forms.ValidationError:
        return today()
    return day


def _key(request: HttpRequest) -> UUID:
    try:
        key = UUID(request.POST.get("id", ""))
    except ValueError:
        return uuid7()
    return key if key.variant == "specified in RFC 4122" else uuid7()


urlpatterns = [path("<str:place>/shop/paper/", paper, name="desk_paper_redeem")]
