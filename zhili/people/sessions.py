"""Who is logged in where: rows the person can see and end; ended together at a reset or a changed password (N-06)."""

from __future__ import annotations

import re
from uuid import UUID

from django.contrib.sessions.models import Session
from django.db import transaction

from zhili.audit.actions import record
from zhili.common.clock import now
from zhili.common.errors import NotFound
from zhili.common.origin import origin
from zhili.common.scope import scoped
from zhili.people.models import LoginSession, User
from zhili.people.tokens import place_of


def note_session(user: User, key: str, *, agent: str, way: str) -> None:
    """Write a log-in down under its session key."""
    with scoped("*"):
        LoginSession.objects.update_or_create(
            session_key=key,
            defaults={
                "user": user, "source": origin().source, "device": device_of(agent), "way": way[:20],
                "started_at": now(), "seen_at": now(),
            },
        )  # fmt: skip


def note_seen(key: str) -> None:
    """The session is still in use; called once a minute at most."""
    LoginSession.objects.filter(session_key=key).update(seen_at=now())


def sessions_of(user: User) -> list[LoginSession]:
    """The person's log-ins that still open something, the latest first; 50 at most. Two queries."""
    rows = list(LoginSession.objects.filter(user=user)[:50])
    alive = Session.objects.filter(
        session_key__in=[row.session_key for row in rows], expire_date__gt=now()
    ).values_list("session_key", flat=True)
    living = set(alive)
    return [row for row in rows if row.session_key in living]


@transaction.atomic
def end_session(*, by: User, session_id: UUID) -> None:
    """End one of the own log-ins. NotFound for absent and foreign alike."""
    found = LoginSession.objects.filter(pk=session_id, user=by).first()
    if found is None:
        raise NotFound("没有这次登录。")
    Session.objects.filter(session_key=found.session_key).delete()
    found.delete()
    record("accounts.session_end", by=by, place=place_of(by), target=by, device=found.device)


@transaction.atomic
def end_others(*, by: User, keep: str) -> int:
    """End all own log-ins but this one; how many."""
    count = end_sessions(by, keep=keep)
    record("accounts.session_end", by=by, place=place_of(by), target=by, count=count)
    return count


def end_sessions(user: User, *, keep: str = "") -> int:
    """Delete every session of this person but `keep`; how many. The caller writes the audit row."""
    with scoped("*"):
        rows = LoginSession.objects.filter(user=user).exclude(session_key=keep)
        keys = list(rows.values_list("session_key", flat=True))
        Session.objects.filter(session_key__in=keys).delete()
        rows.delete()
    return len(keys)


def device_of(agent: str) -> str:
    """A browser's own words → what a person calls it: 微信（安卓手机）, 浏览器（Windows 电脑）."""
    program = "浏览器"
    for mark, title in (("MicroMessenger", "微信"), ("DingTalk", "钉钉"), ("Edg", "Edge 浏览器"), ("Firefox", "火狐浏览器"),
                        ("Chrome", "谷歌或同类浏览器"), ("Safari", "苹果浏览器")):  # fmt: skip
        if mark in agent:
            program = title
            break
    for pattern, title in ((r"HarmonyOS|OpenHarmony", "鸿蒙手机"), (r"iPhone", "苹果手机"), (r"iPad", "苹果平板"),
                           (r"Android", "安卓手机"), (r"Windows", "Windows 电脑"), (r"Macintosh", "苹果电脑"),
                           (r"Linux|X11", "Linux 电脑")):  # fmt: skip
        if re.search(pattern, agent):
            return f"{program}（{title}）"
    return program if agent else "不明设备"
