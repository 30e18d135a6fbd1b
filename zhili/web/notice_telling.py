"""告知: the same notice for people who read no phone (U-24, U-36): slips to bring to the door, a text for the village
loudspeaker, and the list of doors. The slip carries the household's own lines themselves, not only where to look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from zhili.audit.actions import record
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.periods import parse_code, today
from zhili.common.points import format_signed
from zhili.common.policy import may, requires
from zhili.notices.models import Line, Notice
from zhili.notices.queries import lines_of
from zhili.people.access import person_of
from zhili.people.models import Household
from zhili.people.queries import head_names, with_a_login
from zhili.places.queries import get_place, village_settings
from zhili.web.notice_paper import answer
from zhili.web.print import PrintError
from zhili.web.print.told import ToldLine, ToldSheet, ToldSlip, told_pdf


@dataclass(slots=True)
class Door:
    """One household on the notice, with its lines that hang. login: somebody of it reads the notice on a phone."""

    household: Household
    name: str
    lines: list[Line]
    login: bool

    @property
    def total(self) -> int:
        return sum(line.points for line in self.lines)


def _notice(request: HttpRequest, place: str, number: int) -> Notice:
    found = Notice.objects.filter(place=place, number=number).first()
    if found is None or not may(person_of(request), "notices.manage", place):
        raise NotFound("没有这一期公示。")
    return found


def doors(notice: Notice) -> list[Door]:
    """Every household of the notice by group and number. Three statements."""
    found: dict[Any, Door] = {}
    online = with_a_login(notice.place)
    for line in lines_of(notice):
        if line.status == Line.Status.DROPPED:
            continue
        home = line.household
        door = found.setdefault(home.pk, Door(home, "", [], home.pk in online))
        door.lines.append(line)
    names = head_names(notice.place, found)
    for key, door in found.items():
        door.name = names.get(key, "")
    return sorted(found.values(), key=lambda door: (door.household.group, door.household.code))


def loudspeaker(notice: Notice, count: int, lines: int) -> str:
    """广播稿: no names, no points of anybody; when, where, how to object, and that slips come to the door."""
    settings = village_settings(notice.place)
    phone = f"，或者打电话 {settings.office_phone}" if settings.office_phone else ""
    return (
        f"各位乡亲，{parse_code(notice.period).title}的积分公示已经贴在村务公开栏，"
        f"一共 {count} 户、{lines} 条，到{notice.closes_on:%-m月%-d日}为止。"
        f"看了觉得不对的，{notice.closes_on:%-m月%-d日}以前到村里说{phone}，也可以写在纸上交给村文书或者监督委员，"
        "不写名字也收。"
        f"提了意见的那一条先不入账，{settings.answer_days} 天内书面答复。"
        "走动不方便、看不清榜的，告诉组长，告知单送到家里。"
    )


@requires("notices.manage")
def telling(request: HttpRequest, place: str, number: int) -> HttpResponse:
    """/desk/<place>/notices/<n>/tell/: whom to visit, what to read out, what to print."""
    notice = _notice(request, place, number)
    all_doors = doors(notice)
    visits = [door for door in all_doors if not door.login]
    context = {
        "place": place,
        "notice": notice,
        "doors": visits,
        "groups": sorted({door.household.group for door in visits}),
        "count": len(all_doors),
        "words": loudspeaker(notice, len(all_doors), sum(len(door.lines) for door in all_doors)),
    }
    return render(request, "notices/desk_tell.html", context)


@requires("notices.manage")
def slips(request: HttpRequest, place: str, number: int) -> HttpResponse:
    """The slips: of households without a log-in, ?who=all of every one, ?group= of one group, ?household= of one."""
    notice = _notice(request, place, number)
    group, one = request.GET.get("group", ""), request.GET.get("household", "")
    chosen = [
        door
        for door in doors(notice)
        if (one and str(door.household.pk) == one)
        or (
            not one
            and (request.GET.get("who") == "all" or not door.login)
            and group in ("", door.household.group)
        )
    ]
    settings = village_settings(place)
    sheet = ToldSheet(
        village=get_place(place).short_name,
        period_title=parse_code(notice.period).title,
        deadline=f"{notice.closes_on:%-m月%-d日}前（含当天）",
        printed_on=today(),
        answer_days=settings.answer_days,
        phone=settings.office_phone,
        demo=settings.demo,
        slips=[_slip(door) for door in chosen],
    )
    try:
        body = told_pdf(sheet)
    except PrintError as error:
        raise ZhiliError(str(error), hint="请回到上一页，换一组或选“全部户”。") from error
    record("notices.print_slips", by=person_of(request), place=place, target=notice, count=len(chosen))
    return answer(body, f"notice-slips-{place}-{number}.pdf")


def _slip(door: Door) -> ToldSlip:
    lines = [
        ToldLine(f"{line.occurred_on:%-m月%-d日}", line.item_title, format_signed(line.points))
        for line in door.lines
    ]
    return ToldSlip(door.household.code, door.name, door.household.group, format_signed(door.total), lines)


urlpatterns = [
    path("<str:place>/notices/<int:number>/tell/", telling, name="desk_notice_tell"),
    path("<str:place>/notices/<int:number>/slips.pdf", slips, name="desk_notice_slips"),
]
