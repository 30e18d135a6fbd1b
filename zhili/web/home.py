"""Doors of the product: the front door, the switch to 长辈版, the choice of a village, and plain words when a page fails."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from zhili.common.origin import receipt as receipt_number
from zhili.common.policy import open_to_all
from zhili.people.models import User
from zhili.places.models import Place
from zhili.privacy.phone import notice_first
from zhili.web import navigation, shell

YEAR_SECONDS = 365 * 24 * 3600


@open_to_all
def front(request: HttpRequest) -> HttpResponse:
    """/: everybody to where their day begins."""
    user = request.user
    if not user.is_authenticated:
        return render(request, "web/welcome.html")
    return redirect(front_url(request, user))


def front_url(request: HttpRequest, user: User) -> str:
    """Clerks and officers to the desk of their village, who works for several to the choice, villagers home."""
    if user.memberships_today:
        place = shell.place_of(request)
        if len(place) >= 12:
            return navigation.address("desk_today", place) or "/places/"
        return "/places/"
    # Right after logging in: a version of the notice nobody has shown this person yet (P-02); "以后再看" leads home.
    return notice_first(user) or navigation.address("m_home") or "/places/"


@require_POST
@open_to_all
def elder_mode(request: HttpRequest) -> HttpResponse:
    """Large type on or off: kept on this device by a cookie, and with the person who has a log-in (U-08)."""
    wanted = request.POST.get("on") == "1"
    answer = HttpResponseRedirect(safe_next(request))
    answer.set_cookie(
        shell.ELDER_COOKIE, "1" if wanted else "0", max_age=YEAR_SECONDS, httponly=True,
        samesite="Lax", secure=request.is_secure(),
    )  # fmt: skip
    user = request.user
    if user.is_authenticated and user.elder_mode != wanted:
        User.objects.filter(pk=user.pk).update(elder_mode=wanted)
    return answer


@open_to_all
def choose_place(request: HttpRequest) -> HttpResponse:
    """Villages by township: for officers those they look after, for anybody else the public pages."""
    user = request.user
    prefixes = [m.place for m in user.memberships_today] if user.is_authenticated else []
    text = request.GET.get("q", "").replace("\x00", "").strip()[:20]
    villages = Place.objects.filter(kind__in=[Place.Kind.VILLAGE, Place.Kind.COMMUNITY]).select_related(
        "parent"
    )
    if text:
        villages = villages.filter(name__contains=text)
    groups: dict[str, list[navigation.Entry]] = {}
    for village in villages[:2000]:
        if prefixes and not any(village.code.startswith(prefix) for prefix in prefixes):
            continue
        name = "desk_today" if prefixes else "open_village"
        url = navigation.address(name, village.code)
        if url is not None:
            parent = village.parent.name if village.parent else ""
            groups.setdefault(parent, []).append(navigation.Entry(village.short_name, url, "map-pin"))
    return render(request, "web/places.html", {"groups": groups, "q": text, "own": bool(prefixes)})


def safe_next(request: HttpRequest) -> str:
    """Where the form asked to return to, if that is a page of ours."""
    wanted = request.POST.get("next", "")
    allowed = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if allowed else "/"


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """No such address."""
    return _refused(request, "找不到这一页", "网址可能抄错了，或者这一页已经撤下。", 404)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Refused before a view could say why."""
    return _refused(request, "不能打开", "您的身份不能打开这一页。", 403)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """A request no page of ours makes."""
    return _refused(request, "没有办成", "送来的内容太多或者格式不对，请退回上一页再试。", 400)


def server_error(request: HttpRequest) -> HttpResponse:
    """Our own mistake."""
    return _refused(request, "系统出了问题", "刚才的操作没有保存，请再试一次。", 500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that has grown old, or cookies switched off. What was typed is shown again, to copy from."""
    same_site = urlsplit(request.headers.get("Origin") or request.headers.get("Referer") or "").netloc == (
        request.get_host()
    )
    typed = [
        (name, value[:2000])
        for name, values in list(request.POST.lists())[:50]
        for value in values[:20]
        if same_site
        and value.strip()
        and name not in ("csrfmiddlewaretoken", "next")
        and "password" not in name
    ]
    return render(
        request,
        "web/refused.html",
        {
            "title": "这一页放得太久了",
            "message": "为了安全，这次提交没有收下。请退回上一页，刷新后再提交一次。",
            "receipt": receipt_number(),
            "typed": typed,
        },
        status=403,
    )


def _refused(request: HttpRequest, title: str, message: str, status: int) -> HttpResponse:
    words = {"title": title, "message": message, "receipt": receipt_number()}
    return render(request, "web/refused.html", words, status=status)


urlpatterns = [
    path("", front, name="front"),
    path("elder/", elder_mode, name="elder_mode"),
    path("places/", choose_place, name="choose_place"),
]
