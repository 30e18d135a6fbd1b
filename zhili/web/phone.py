"""The phone's first screens: home, 我的, 有问题. They join rooms; the rooms' own pages are in their phone.py."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from zhili.claims.queries import waiting_counts
from zhili.common.policy import signed_in
from zhili.notices.queries import current_notice
from zhili.people.access import person_of
from zhili.people.models import Membership, User
from zhili.places.models import VillageSettings
from zhili.places.queries import village_settings
from zhili.web import navigation, shell
from zhili.web.standing import Standing, standing

R = Membership.Role
FIELD_ROLES = (R.CLERK, R.GROUP_LEADER)


@dataclass(frozen=True, slots=True)
class Action:
    """One big button. small: what it is for, in a villager's words."""

    title: str
    url: str
    icon: str
    small: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """Something that waits for this person in their role."""

    title: str
    small: str
    url: str | None
    icon: str


@signed_in
def home(request: HttpRequest) -> HttpResponse:
    """Points in a big figure, what is on notice until when, and at most four actions in large type (U-10)."""
    user = person_of(request)
    own = _standing(user)
    place = own.household.place if own else shell.place_of(request)
    return render(
        request,
        "web/home.html",
        {
            "own": own,
            "four": four_actions(user),
            "work": work_of(user, place),
            "notice": own.notice if own else (current_notice(place) if place else None),
            "notice_url": _url("m_notice"),
            "claims_url": _url("m_claims"),
            "passbook_url": _passbook(user),
            "rulebook_url": _url("m_rules"),
        },
    )


@signed_in
def me(request: HttpRequest) -> HttpResponse:
    """我的: the household, its papers, and this person's settings."""
    user = person_of(request)
    links = [
        Action("我的一户", _url("m_household"), "users", "家里人、户编号、积分卡"),
        Action("积分存折", _passbook(user), "book-2", "每一笔从哪里来"),
        Action("我的申报", _url("m_claims"), "clipboard-text", "报过的事到哪一步了"),
        Action("代办", _url("m_delegations"), "heart-handshake", "请人帮忙办"),
        Action("我的授权", _url("m_consents"), "hand-stop", "我的信息怎么用，由我定"),
        Action("我的信息", _url("m_mydata"), "lock", "看、改、删，撤回同意"),
        Action("积分细则", _url("m_rules"), "scale", "做什么得几分"),
        Action("去兑换", _url("m_shop"), "gift", "积分能换什么"),
        Action("荣誉", _honours(user), "award", "我家的荣誉、证书，本组的目标"),
    ]
    return render(
        request,
        "web/me.html",
        {
            "links": [one for one in links if one.url],
            "resident": user.resident,
            "roles": user.memberships_today,
        },
    )


@signed_in
def help_page(request: HttpRequest) -> HttpResponse:
    """有问题: whom to ring, how to disagree, where to go without a phone."""
    user = person_of(request)
    questions = [
        Action(
            "这个分为什么是这样",
            _passbook(user),
            "help-circle",
            "点开每一笔，看细则、材料和谁评的",
        ),
        Action("公示里的分我不同意", _url("m_notice"), "hand-stop", "可以写名字，也可以不写名字"),
        Action("我报的事还没有回音", _url("m_claims"), "clock", "看看到哪一步了"),
    ]
    context = {"questions": [one for one in questions if one.url], "village": _village(user, request)}
    return render(request, "web/help.html", context)


def four_actions(user: User) -> list[Action]:
    """The four of 长辈版, in the words people use (U-10, U-11)."""
    return [
        Action("我的积分", _passbook(user) or _url("m_me"), "wallet", "看每一笔"),
        Action("我要加分", _url("m_claim_new"), "plus", "做了好事报上来"),
        Action("去兑换", _url("m_shop"), "gift", "换东西"),
        Action("有问题", _url("m_help"), "phone", "打电话、提意见"),
    ]


def work_of(user: User, place: str) -> list[Work]:
    """What waits for this person in a role; nothing for who has none."""
    serves = bool(place) and user.has_role(*navigation.SERVES, place=place)
    if not place or not (serves or user.has_role(*navigation.VILLAGE_WORK, place=place)):
        return []
    work = []
    if serves and (url := _url("m_counter")):
        work.append(Work("柜台", "扫卡兑换，凭取货码领取", url, "building-store"))
    if serves and (url := _url("m_fairs")):
        work.append(Work("兑换日", "取号、叫号、结单", url, "calendar"))
    if user.has_role(*FIELD_ROLES, place=place) and (url := _url("m_field")):
        work.append(Work("现场登记", "扫卡或输户编号，替人报", url, "scan"))
    counts = waiting_counts(place)
    reviews = counts.get("submitted", 0) + counts.get("second_review", 0)
    queue = _url("m_review")
    if user.has_role(R.REVIEWER, place=place) and reviews:
        work.append(Work("评议", f"{reviews} 条等着评", queue, "checklist"))
    if user.has_role(R.COUNCIL, place=place) and counts.get("council"):
        work.append(Work("议事会", f"{counts['council']} 条等着议", queue, "users-group"))
    if desk := navigation.address("desk_today", place):
        work.append(Work("办公页面", "在电脑上用更顺手", desk, "list-check"))
    return work


def _standing(user: User) -> Standing | None:
    resident = user.resident
    return standing(resident.household, resident) if resident is not None else None


def _village(user: User, request: HttpRequest) -> VillageSettings | None:
    place = user.home_place or shell.place_of(request)
    return village_settings(place) if place else None


def _passbook(user: User) -> str:
    """Staff who belong to no household have no passbook."""
    return _url("m_passbook") if user.resident is not None else ""


def _honours(user: User) -> str:
    """Honours are a household's."""
    return _url("m_honours") if user.resident is not None else ""


def _url(*names: str) -> str:
    """The first of these pages that exists, or ""."""
    return next((url for name in names if (url := navigation.address(name)) is not None), "")


urlpatterns = [
    path("", home, name="m_home"),
    path("me/", me, name="m_me"),
    path("help/", help_page, name="m_help"),
]
