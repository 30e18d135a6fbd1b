"""告知书 (个人信息保护法 17, 30): one page in plain words: who, what, why, how long, what it means for me, what I may do.

The purposes people answer come from people.consent_purposes with their versions; a changed version asks again at the
next log-in (14). Here is the page around them, and who has read which version.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from zhili.audit.actions import record
from zhili.people.consent_purposes import VERSIONS, NoticeVersion, current
from zhili.people.models import User
from zhili.places.models import VillageSettings
from zhili.places.queries import get_place, village_settings
from zhili.privacy.models import NoticeRead


@dataclass(frozen=True, slots=True)
class Part:
    """One heading with its sentences."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """The notice of one village."""

    village: str
    version: str
    since: str
    changed: str
    parts: tuple[Part, ...]
    phone: str
    address: str


def notice_of(place: str) -> Notice:
    """The notice people read today."""
    village, own, version = get_place(place), village_settings(place), current()
    return Notice(
        village.short_name, version.version, f"{version.since:%Y年%-m月%-d日}", version.changed,
        _parts(village.short_name, own, version), own.office_phone, own.office_address,
    )  # fmt: skip


def _parts(village: str, own: VillageSettings, version: NoticeVersion) -> tuple[Part, ...]:
    where = "、".join(
        filter(None, [own.office_address, f"电话 {own.office_phone}" if own.office_phone else ""])
    )
    asked = "；".join(one.title for one in version.purposes)
    return (
        Part("谁在用", (f"{village}村民委员会。{'找我们：' + where + '。' if where else '到村委会就能找到我们。'}",)),
        Part("用什么", ("您的姓名、户编号、家里有谁、出生日期。", "您做了什么事、得了多少分、换了什么。")),
        Part("做什么用", ("算积分、公示、入账、兑换。不拿去做别的。",)),
        Part("要您点头才用的", (f"{asked}。", "每一项单独问、单独说明。不点头照样得分、照样兑换。")),
        Part("大家看得到什么",
             ("公示只写户编号和遮去一部分的名字，例如“张*”。", "没有证件号、电话、银行卡号；孩子不上公示。")),
        Part("留多久", ("在村里登记期间。迁出、去世后，号码一年删掉，名字三年删掉。", "账上的数字一直留着，但认不出是谁。")),
        Part("对您有什么影响", ("分是人评的，不是机器定的。每一分都能问“为什么”。", "不同意可以提异议，那一条先不入账。")),
        Part("您可以",
             ("看、要一份、改、补、删、问清楚、随时撤回同意。",
              "手机上点“我的信息”，或到村里填一张表，15 个工作日内答复。",
              "不满意可以找监督委员会、区县网信部门，也可以到法院。")),
    )  # fmt: skip


def unread(user: Any) -> str:
    """The version this villager has not read yet; "" where there is none, or where nobody lives behind the log-in."""
    if getattr(user, "resident_id", None) is None:
        return ""
    version = current().version
    return "" if NoticeRead.objects.filter(user=user, version=version).exists() else version


def changes_since(user: User) -> tuple[str, ...]:
    """What is new since the version this person read last, oldest first; all of it for who never read one."""
    read = set(NoticeRead.objects.filter(user=user).values_list("version", flat=True))
    fresh: list[str] = []
    for version in reversed(VERSIONS):
        if version.version in read:
            break
        fresh.append(version.changed)
    return tuple(reversed(fresh))


@transaction.atomic
def mark_read(*, by: User, place: str) -> None:
    """看过了. Reading is not agreeing: the purposes are answered one by one."""
    _, made = NoticeRead.objects.get_or_create(user=by, version=current().version, defaults={"place": place})
    if made:
        record("privacy.read_notice", by=by, place=place, version=current().version)
