"""Paper of a notice: the poster in A3 and A4, pictures for the chat group, the objection form, the slip (U-32, U-35).

The numbers stand in the notice; nothing is computed here. A poster may be printed by whoever may read the page:
it shows what the public page shows.
"""

from __future__ import annotations

from typing import Literal

from django.http import HttpRequest, HttpResponse
from django.urls import path

from zhili.common.errors import NotFound, ZhiliError
from zhili.common.periods import parse_code, today
from zhili.common.points import format_signed
from zhili.common.policy import open_to_all
from zhili.notices.models import Notice
from zhili.notices.queries import (
    chinese_day,
    escalation,
    find_objection,
    poster_data,
    public_lines,
    public_notice,
)
from zhili.places.queries import get_place, village_settings
from zhili.web.print import (
    ObjectionForm,
    Poster,
    PosterLine,
    PrintError,
    Slip,
    objection_form_pdf,
    poster_pdf,
    poster_png,
    slip_pdf,
)
from zhili.web.publishing import public_file


def answer(data: bytes, name: str, kind: str = "application/pdf") -> HttpResponse:
    """A file the browser shows; saved under a plain name."""
    return HttpResponse(
        data,
        content_type=kind,
        headers={"Content-Disposition": f'inline; filename="{name}"', "X-Content-Type-Options": "nosniff"},
    )


def _poster(notice: Notice) -> Poster:
    data = poster_data(notice)
    lines = [PosterLine(**line) for line in data.pop("lines")]
    return Poster(**data, lines=lines)


@open_to_all
def poster(request: HttpRequest, place: str, number: int) -> HttpResponse:
    """?paper=a3 (24 pt) or a4."""
    paper: Literal["a3", "a4"] = "a4" if request.GET.get("paper") == "a4" else "a3"
    try:
        body = poster_pdf(_poster(public_notice(place, number)), paper)
    except PrintError as error:
        raise ZhiliError(str(error)) from error
    return public_file(place, body, f"notice-{place}-{number}-{paper}.pdf")


@open_to_all
def picture(request: HttpRequest, place: str, number: int, part: int) -> HttpResponse:
    """The notice as pictures for the chat group, 1, 2, …; ?save=1 downloads."""
    try:
        pictures = poster_png(_poster(public_notice(place, number)))
    except PrintError as error:
        raise ZhiliError(str(error)) from error
    if not 1 <= part <= len(pictures):
        raise NotFound("没有这一张图。")
    made = public_file(place, pictures[part - 1], f"notice-{place}-{number}-{part}.png", "image/png")
    made["X-Pictures"] = str(len(pictures))
    return made


@open_to_all
def objection_form(request: HttpRequest, place: str, number: int) -> HttpResponse:
    """The paper form, blank, or with one line written in (?line=3)."""
    notice = public_notice(place, number)
    settings = village_settings(place)
    wanted = request.GET.get("line", "")
    line = next((one for one in public_lines(notice) if str(one.position) == wanted), None)
    village = get_place(place).short_name
    form = ObjectionForm(
        village=village,
        printed_on=today(),
        period_title=parse_code(notice.period).title,
        objection_deadline=f"{chinese_day(notice.closes_on)}24 时以前",
        phone=settings.office_phone,
        group=line.group if line else "",
        household_code=line.household_code if line else "",
        item=line.item if line else "",
        occurred_on=line.occurred_on.isoformat() if line else "",
        points=format_signed(line.points) if line else "",
        acknowledge_days=settings.acknowledge_days,
        answer_days=settings.answer_days,
        escalation=escalation(place),
        page_url=request.build_absolute_uri(f"/open/{place}/objections/"),
        demo=settings.demo,
    )
    try:
        return public_file(place, objection_form_pdf(form), f"objection-{place}-{number}.pdf")
    except PrintError as error:
        raise ZhiliError(str(error)) from error


@open_to_all
def slip(request: HttpRequest, place: str) -> HttpResponse:
    """The objector's slip, by the code it carries."""
    found = find_objection(place, request.GET.get("code", "")[:40])
    settings = village_settings(place)
    url = request.build_absolute_uri(f"/open/{place}/objections/?code={found.lookup_code}")
    made = Slip(
        village=get_place(place).short_name,
        title="异议回执",
        number=str(found),
        statement=f"已收到，这一条先不入账。{found.due_on:%-m月%-d日}前书面答复。",
        rows=[
            ("查询码", found.lookup_code),
            ("公示", f"{found.line.notice.title} 第 {found.line.position} 条"),
            ("收到", chinese_day(found.received_at.date(), weekday=False)),
            ("受理期限", chinese_day(found.acknowledge_due, weekday=False)),
            ("答复期限", chinese_day(found.due_on, weekday=False)),
        ],
        printed_on=today(),
        qr_url=url,
        qr_caption="扫码看答复",
        phone=settings.office_phone,
        demo=settings.demo,
    )
    try:
        return answer(slip_pdf(made), f"objection-slip-{place}-{found.number}.pdf")
    except PrintError as error:
        raise ZhiliError(str(error)) from error


urlpatterns = [
    path("<str:place>/notices/<int:number>/poster.pdf", poster, name="open_poster"),
    path("<str:place>/notices/<int:number>/poster-<int:part>.png", picture, name="open_poster_picture"),
    path("<str:place>/notices/<int:number>/objection.pdf", objection_form, name="open_objection_form"),
    path("<str:place>/objections/slip.pdf", slip, name="open_objection_slip"),
]
