"""征询 on paper: a list to tick from house to house, and its way back by household number and option (U-38).

One answer a household, whoever brings it: what is keyed in replaces what was there while the poll is open.
"""

from __future__ import annotations

import re
import unicodedata
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

from zhili.common.errors import NotFound, ZhiliError
from zhili.common.periods import today
from zhili.common.policy import may, requires
from zhili.people.access import person_of
from zhili.people.queries import find_by_card
from zhili.places.queries import get_place, village_settings
from zhili.shop.access import access_poll
from zhili.shop.actions import answer_poll
from zhili.shop.errors import ShopError
from zhili.shop.models import Poll
from zhili.web.notice_paper import answer
from zhili.web.print import PrintError
from zhili.web.print.documents import Document, document_pdf, sign, table, text

ROWS = 16


def _poll(request: HttpRequest, place: str, poll: UUID) -> Poll:
    if not may(person_of(request), "shop.serve", place):
        raise NotFound("没有这次征询。")
    found = access_poll(person_of(request), poll)
    if not place.startswith(found.place):
        raise NotFound("没有这次征询。")
    return found


@requires("shop.serve")
def form(request: HttpRequest, place: str, poll: UUID) -> HttpResponse:
    """/desk/<place>/shop/polls/<id>/form.pdf: the options with their numbers, lines to write on."""
    found, settings = _poll(request, place, poll), village_settings(place)
    options = [f"{one['code']} {one['title']}" for one in found.options]
    until = f"{found.closes_on.month}月{found.closes_on.day}日"
    document = Document(
        village=get_place(place).short_name,
        heading=found.title,
        subtitle=f"{found.shop.title}进货前问一问，到{until}为止，每户最多选 {found.most} 种",
        blocks=[
            text("可以选的：" + "；".join(options) + "。"),
            text("写户编号和想要的号，例如 1、3。一户一行，一户只算一次，改主意再写一行就行。"),
            table(["户编号", "想要哪几样（写号）", "签字"], [["", "", ""]] * ROWS, [2, 4, 3], 16),
            sign("问的人", "日期", "录入人"),
        ],
        printed_on=today(),
        demo=settings.demo,
    )
    try:
        return answer(document_pdf(document), f"poll-{place}.pdf")
    except PrintError as error:
        raise ZhiliError(str(error)) from error


@requires("shop.serve")
def keyed(request: HttpRequest, place: str, poll: UUID) -> HttpResponse:
    """/desk/<place>/shop/polls/<id>/paper/: household number, option numbers, Enter; the next one."""
    user, found = person_of(request), _poll(request, place, poll)
    code, chosen = request.POST.get("household", "")[:300], request.POST.get("chosen", "")[:100]
    error: ZhiliError | None = None
    if request.method == "POST":
        try:
            home = find_by_card(place, code.replace("\x00", "")) if code.strip() else None
            if home is None:
                raise ShopError("没有找到这一户", field="household", hint="请照纸上的户编号写。")
            picked = re.findall(r"\d+", unicodedata.normalize("NFKC", chosen))
            answer_poll(by=user, poll=found, household=home, chosen=picked)
            titles = {one["code"]: one["title"] for one in found.options}
            messages.success(request, f"已记：{home.code} 户，{'、'.join(titles[one] for one in picked)}。")
            return redirect("desk_poll_keyed", place, found.pk)
        except ZhiliError as refused:
            error = refused
    context = {
        "place": place,
        "poll": found,
        "error": error,
        "code": code,
        "chosen": chosen,
        "count": found.answers.count(),
    }
    return render(request, "web/desk_poll_keyed.html", context, status=422 if error else 200)


urlpatterns = [
    path("<str:place>/shop/polls/<uuid:poll>/form.pdf", form, name="desk_poll_form"),
    path("<str:place>/shop/polls/<uuid:poll>/paper/", keyed, name="desk_poll_keyed"),
]
