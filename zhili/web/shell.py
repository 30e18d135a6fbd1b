"""What every page's frame needs: who is here, as what, where, and whether large type is on."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from zhili.common import readonly
from zhili.people.models import Membership, User
from zhili.places.models import Place
from zhili.web import navigation
from zhili.web.navigation import Entry, Group

ELDER_COOKIE = "elder"
PLACE_KEY = "village"


@dataclass(slots=True)
class Switch:
    """One place and role the person may work in."""

    title: str
    role: str
    url: str
    current: bool


@dataclass(slots=True)
class Frame:
    """The frame of one page."""

    place: str = ""
    place_name: str = ""
    role_name: str = ""
    nav: list[Group] = field(default_factory=list)
    tabs: list[Entry] = field(default_factory=list)
    open_nav: list[Entry] = field(default_factory=list)
    switches: list[Switch] = field(default_factory=list)
    back_url: str = ""
    home_url: str = ""
    desk_url: str = ""

    @property
    def current_title(self) -> str:
        """The title of the page's place in the navigation."""
        return next((e.title for g in self.nav for e in g.entries if e.current), "")


def elder_mode(request: HttpRequest) -> bool:
    """长辈版: this device's choice where it made one, else the person's own setting."""
    chosen = request.COOKIES.get(ELDER_COOKIE)
    if chosen in ("0", "1"):
        return chosen == "1"
    user = getattr(request, "user", None)
    return bool(user is not None and user.is_authenticated and user.elder_mode)


def context(request: HttpRequest) -> dict[str, object]:
    """Template context of the frame. `shell` is built only where a template asks for it."""
    return {
        "elder": elder_mode(request),
        "demo": settings.MODE == "demo",
        "public_url": settings.PUBLIC_URL,
        "readonly": readonly.state(),
        "supported": getattr(request, "supported", None),
        "shell": SimpleLazyObject(lambda: frame(request)),
    }


def frame(request: HttpRequest) -> Frame:
    """Names, links and switches around this page's content."""
    user = getattr(request, "user", None)
    place = place_of(request)
    result = Frame(place=place)
    if request.path.startswith("/open/"):
        result.place_name = _names([place]).get(place, place)
        result.open_nav = navigation.open_links(place, request.path) if place else []
        return result
    if not isinstance(user, User) or not user.is_authenticated:
        return result
    names = _names([place, *(m.place for m in user.memberships_today)])
    result.place_name = names.get(place, place)
    here = [m for m in user.memberships_today if place and place.startswith(m.place)]
    result.role_name = "、".join(dict.fromkeys(m.get_role_display() for m in here)) or "村民"
    result.home_url = navigation.address("m_home") or ""
    if request.path.startswith("/desk/"):
        result.nav = navigation.desk_groups(user, place, request.path) if place else []
        result.switches = _switches(user, place, names)
        return result
    result.tabs = navigation.phone_tabs(user, request.path)
    result.back_url = _back(request.path, result.tabs)
    result.desk_url = navigation.address("desk_today", place) or "" if here and place else ""
    return result


def place_of(request: HttpRequest) -> str:
    """The place this page is about: from its address, else where the person works, else where they live."""
    match = request.resolver_match
    if match is not None and "place" in match.kwargs:
        return str(match.kwargs["place"])
    user = getattr(request, "user", None)
    if not isinstance(user, User) or not user.is_authenticated:
        return ""
    prefixes = [m.place for m in user.memberships_today] + [user.home_place]
    kept = str(request.session.get(PLACE_KEY, ""))
    if kept and any(prefix and kept.startswith(prefix) for prefix in prefixes):
        return kept
    return next((prefix for prefix in prefixes if len(prefix) == 12), prefixes[0])


def _switches(user: User, place: str, names: dict[str, str]) -> list[Switch]:
    """One per village role; roles above a village lead to the choice of a village."""
    found: dict[str, list[Membership]] = {}
    for membership in user.memberships_today:
        found.setdefault(membership.place, []).append(membership)
    switches = []
    for code, held in sorted(found.items()):
        village = len(code) >= 12
        url = navigation.address("desk_today", code) if village else None
        switches.append(
            Switch(
                title=names.get(code, code),
                role="、".join(str(m.get_role_display()) for m in held),
                url=url or "/places/",
                current=code == place,
            )
        )
    return switches


def _names(codes: list[str]) -> dict[str, str]:
    """Names of places in one query; a village with its township where several are told apart."""
    return {p.code: p.short_name for p in Place.objects.filter(code__in={c for c in codes if c})}


def _back(path: str, tabs: list[Entry]) -> str:
    """The page above this one: one step up in the address, so that no page is a dead end (U-21)."""
    if any(tab.url == path for tab in tabs) or not path.startswith("/m/") or path == "/m/":
        return ""
    holder = max((t.url for t in tabs if path.startswith(t.url)), key=len, default="/m/")
    return holder
