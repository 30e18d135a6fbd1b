"""The ways through the product: the village's own process from left to right, and nothing a person may not open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from django.urls import NoReverseMatch, reverse

from zhili.people.models import Membership, User

R = Membership.Role
VILLAGE_WORK: Final = (R.CLERK, R.GROUP_LEADER, R.REVIEWER, R.COUNCIL, R.SUPERVISOR)
ABOVE: Final = (R.TOWNSHIP, R.COUNTY)
KEEPERS: Final = (R.SYSTEM_ADMIN, R.SECURITY_ADMIN, R.AUDIT_ADMIN)
FIELD: Final = (R.CLERK, R.GROUP_LEADER)
SERVES: Final = (R.CLERK, R.SHOPKEEPER)
SHOP: Final = (*SERVES, R.SUPERVISOR, R.COUNCIL, *ABOVE)


@dataclass(frozen=True, slots=True)
class Way:
    """One entry: URL name, title, icon, who sees it. Hidden while its page does not exist."""

    name: str
    title: str
    icon: str
    roles: Sequence[str] = (*VILLAGE_WORK, *ABOVE)


@dataclass(slots=True)
class Entry:
    """One link of a page's frame."""

    title: str
    url: str
    icon: str
    current: bool = False


@dataclass(slots=True)
class Group:
    """Entries under one heading."""

    title: str
    entries: list[Entry] = field(default_factory=list)


DESK: Final[tuple[tuple[str, tuple[Way, ...]], ...]] = (
    ("", (Way("desk_today", "今天", "sun", (*VILLAGE_WORK, *ABOVE, *KEEPERS)),)),
    (
        "积分的一个月",
        (
            Way("desk_claims", "申报", "clipboard-text"),
            Way("desk_reviews", "评议", "checklist"),
            Way("desk_notices", "公示", "speakerphone"),
            Way("desk_objections", "异议", "message-2", (R.CLERK, R.COUNCIL, R.SUPERVISOR, *ABOVE)),
            Way("desk_ledger", "台账", "book-2", (*VILLAGE_WORK, *ABOVE, R.AUDIT_ADMIN)),
        ),
    ),
    (
        "积分超市",
        (
            Way("desk_counter", "柜台", "building-store", SERVES),
            Way("desk_shop_orders", "兑换单", "receipt", SHOP),
            Way("desk_fairs", "兑换日", "calendar", SHOP),
            Way("desk_shop", "货物与价目", "basket", SHOP),
            Way("desk_funds", "兑换资金", "wallet", (R.CLERK, R.SUPERVISOR, *ABOVE)),
            Way("desk_shop_budget", "保障率", "chart-bar", (R.CLERK, R.SUPERVISOR, *ABOVE)),
            Way("desk_reconciliations", "月度对账", "checklist", SHOP),
            Way("desk_shop_flags", "核查提示", "alert-triangle", (R.SUPERVISOR, *ABOVE)),
        ),
    ),
    (
        "荣誉与纸质材料",
        (
            Way("desk_honours", "荣誉", "award", (*VILLAGE_WORK, *ABOVE)),
            Way("desk_cards", "积分卡", "qrcode", (R.CLERK,)),
            Way("desk_sheets", "纸表录入", "notes", (R.CLERK, R.GROUP_LEADER, R.SUPERVISOR)),
        ),
    ),
    (
        "村里的底子",
        (
            Way("desk_households", "户与人", "users", (R.CLERK, R.GROUP_LEADER, R.SUPERVISOR, *ABOVE)),
            Way("desk_rulebooks", "积分细则", "scale"),
            Way("desk_members", "成员与身份", "id-badge-2", (R.CLERK, *ABOVE, *KEEPERS)),
            Way("desk_identities", "绑定争议", "user-plus", (R.CLERK,)),
            Way(
                "desk_privacy",
                "个人信息",
                "lock",
                (R.CLERK, R.SUPERVISOR, *ABOVE, R.SECURITY_ADMIN, R.AUDIT_ADMIN),
            ),
            Way("desk_consents", "授权", "hand-stop", (R.CLERK, R.SUPERVISOR)),
            Way("desk_minors", "孩子信息", "users", (R.SUPERVISOR,)),
            Way("desk_settings", "设置", "settings", (R.CLERK, R.SYSTEM_ADMIN)),
            Way("desk_trail", "留痕", "history", (R.SUPERVISOR, R.AUDIT_ADMIN, R.SECURITY_ADMIN)),
            Way("desk_holidays", "节假日", "calendar", (R.COUNTY,)),
            Way("desk_alarms", "安全告警", "alert-triangle", (R.SECURITY_ADMIN,)),
            Way("desk_selfcheck", "安全自查", "shield-check", KEEPERS),
        ),
    ),
)
PHONE: Final = (
    Way("m_home", "首页", "home"),
    Way("m_claims", "申报", "clipboard-text"),
    Way("m_notice", "公示", "speakerphone"),
    Way("m_me", "我的", "user"),
)
PHONE_FIELD: Final = (
    Way("m_home", "首页", "home"),
    Way("m_field", "现场", "scan"),
    Way("m_notice", "公示", "speakerphone"),
    Way("m_me", "我的", "user"),
)
OPEN: Final = (
    Way("open_village", "村首页", "home"),
    Way("open_notices", "公示", "speakerphone"),
    Way("open_rulebook", "积分细则", "scale"),
    Way("open_prices", "积分超市", "building-store"),
    Way("open_honours", "荣誉", "award"),
    Way("open_reconciliations", "超市对账", "checklist"),
    Way("open_ledger", "账本指纹", "book-2"),
    Way("open_receipt", "查回执", "receipt"),
    Way("open_privacy", "个人信息", "lock"),
    Way("open_promises", "我们保证什么", "shield-check"),
)


def desk_groups(user: User, place: str, path: str) -> list[Group]:
    """The left navigation of the desk for `user` at `place`."""
    groups = []
    for title, ways in DESK:
        entries = [
            Entry(way.title, url, way.icon)
            for way in ways
            if user.has_role(*way.roles, place=place) and (url := address(way.name, place)) is not None
        ]
        if entries:
            groups.append(Group(title, entries))
    mark_current([entry for group in groups for entry in group.entries], path)
    return groups


def phone_tabs(user: User, path: str) -> list[Entry]:
    """The bar of four; who works in the field has 现场 where others have 申报."""
    ways = PHONE_FIELD if user.has_role(*FIELD) and address("m_field") else PHONE
    tabs = [Entry(way.title, url, way.icon) for way in ways if (url := address(way.name)) is not None]
    mark_current(tabs, path)
    return tabs


def open_links(place: str, path: str) -> list[Entry]:
    """The public pages of one village."""
    links = [Entry(way.title, url, way.icon) for way in OPEN if (url := address(way.name, place)) is not None]
    mark_current(links, path)
    return links


def mark_current(entries: Sequence[Entry], path: str) -> None:
    """The entry whose address is the longest beginning of `path` is where we are."""
    found = max((e for e in entries if path.startswith(e.url)), key=lambda e: len(e.url), default=None)
    if found is not None:
        found.current = True


def address(name: str, place: str | None = None) -> str | None:
    """The URL of a named page, or None while that page does not exist."""
    try:
        return reverse(name, args=[place] if place else [])
    except NoReverseMatch:
        return None
