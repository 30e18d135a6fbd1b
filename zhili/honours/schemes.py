"""Writes about the honours themselves: a scheme by resolution and its end; what honoured households are asked first for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Final

from django.db import transaction

from zhili.audit.actions import record
from zhili.common.errors import NotAllowed, NotFound
from zhili.common.leaks import scan_public
from zhili.common.periods import today
from zhili.common.policy import may
from zhili.honours.errors import Conflict, HonourError
from zhili.honours.models import PERIOD_KINDS, HonourList, HonourScheme, Priority
from zhili.people.models import User

STARS_MAX: Final = 10
COUNT_MAX: Final = 100
SHARE_MAX: Final = 30
DAYS_MAX: Final = 400


def add_scheme(
    *, by: User, place: str, title: str, kind: str, period_kind: str, basis: str, resolved_on: date,
    basis_number: str = "", levels: Sequence[int] = (), top_count: int = 0, top_share: int = 0, minimum: int = 0,
    counts: str = "net", reach: str = "public", shows_points: bool = False,
) -> HonourScheme:  # fmt: skip
    """Write down an honour the village resolved. levels, minimum: hundredths. Raises HonourError, NotAllowed, Conflict."""
    _manages(by, place, "登记荣誉办法")
    title, basis = plain(title, "title", 20), plain(basis, "basis", 100)
    resolved(resolved_on)
    if period_kind not in PERIOD_KINDS:
        raise HonourError("请选多久评一次", field="period_kind")
    _shape(kind, list(levels), top_count, top_share, minimum)
    if shows_points and counts != "earned":
        raise HonourError(
            "分数里减去了扣分，就不能公布分数：别人会算出谁家扣了分", field="shows_points",
            hint="要公布分数，请选“只看加分”。",
        )  # fmt: skip
    with transaction.atomic():
        if HonourScheme.objects.filter(place=place, title=title, ended_on=None).exists():
            raise Conflict(
                f"已经有“{title}”这个办法", field="title", hint="要改，先停止旧的，再登记新的决议。"
            )
        made = HonourScheme.objects.create(
            place=place, title=title, kind=kind, period_kind=period_kind, levels=list(levels), top_count=top_count,
            top_share=top_share, minimum=minimum, counts=counts, reach=reach, shows_points=shows_points, basis=basis,
            basis_number=basis_number.strip()[:40], resolved_on=resolved_on, by=by,
        )  # fmt: skip
        record("honours.add_scheme", by=by, place=place, target=made, kind=kind, reach=reach)
    return made


def _shape(kind: str, levels: list[int], count: int, share: int, minimum: int) -> None:
    if kind == "stars":
        if not 1 <= len(levels) <= STARS_MAX:
            raise HonourError(
                f"星级要写 1 到 {STARS_MAX} 个分数", field="levels", hint="例如三颗星：20，40，60。"
            )
        if levels[0] <= 0 or any(low >= high for low, high in pairwise(levels)):
            raise HonourError(
                "每多一颗星，要的分就要更多", field="levels", hint="请从少到多写，例如：20，40，60。"
            )
    elif bool(count) == bool(share):
        raise HonourError("前几名和前百分之几，填一个", field="top_count", hint="例如：前 10 名。")
    elif not (0 <= count <= COUNT_MAX and 0 <= share <= SHARE_MAX):
        raise HonourError(
            f"最多评前 {COUNT_MAX} 名，或前百分之 {SHARE_MAX}", field="top_share" if share else "top_count",
            hint="荣誉榜只表扬先进，不排所有的户。",
        )  # fmt: skip
    if minimum < 0:
        raise HonourError("至少多少分不能是负数", field="minimum")


def end_scheme(*, by: User, scheme: HonourScheme, because: str) -> HonourScheme:
    """From today no list is computed by it; what was honoured stays honoured."""
    _manages(by, scheme.place, "停止荣誉办法")
    because = plain(because, "because", 100)
    with transaction.atomic():
        if HonourList.objects.filter(scheme=scheme, status__in=["draft", "resolved"]).exists():
            raise HonourError("这个办法还有没公布的榜", hint="请先公布或作废那张榜。")
        done = HonourScheme.objects.filter(pk=scheme.pk, ended_on=None).update(
            ended_on=today(), ended_because=because
        )
        if not done:
            raise Conflict("这个办法已经停止了")
        record("honours.end_scheme", by=by, place=scheme.place, target=scheme)
        scheme.refresh_from_db()
    return scheme


def add_priority(
    *, by: User, honour_list: HonourList, title: str, basis: str, starts: date, ends: date
) -> Priority:
    """The households of a published list are asked first, from a day to a day."""
    _manages(by, honour_list.place, "登记优先体验")
    title, basis = plain(title, "title", 40), plain(basis, "basis", 100)
    if honour_list.status != HonourList.Status.PUBLISHED:
        raise HonourError("这张榜还没有公布", field="list", hint="公布以后，上榜的户才能优先。")
    if not starts <= ends or (ends - starts).days > DAYS_MAX:
        raise HonourError(f"日期要从前到后，最长 {DAYS_MAX} 天", field="ends")
    with transaction.atomic():
        made = Priority.objects.create(
            place=honour_list.place,
            list=honour_list,
            title=title,
            basis=basis,
            starts=starts,
            ends=ends,
            by=by,
        )
        record("honours.add_priority", by=by, place=made.place, target=made)
    return made


def end_priority(*, by: User, priority: Priority) -> Priority:
    _manages(by, priority.place, "结束优先体验")
    with transaction.atomic():
        if not Priority.objects.filter(pk=priority.pk, ended_on=None).update(ended_on=today()):
            raise Conflict("这一条已经结束了")
        record("honours.end_priority", by=by, place=priority.place, target=priority)
        priority.refresh_from_db()
    return priority


def plain(text: str, field: str, most: int) -> str:
    """Words that will be public: filled in, short, without anybody's number."""
    text = " ".join(text.split())
    if not 2 <= len(text) <= most:
        raise HonourError(f"请写 2 到 {most} 个字", field=field)
    leak = next((one for one in scan_public(text) if one.blocks), None)
    if leak is not None:
        raise HonourError(f"这里要公开，不能写：{leak.message}", field=field)
    return text


def resolved(day: date) -> None:
    """A meeting that has been held."""
    if day > today():
        raise HonourError("决议日期还没有到", field="resolved_on", hint="请先开会决定，再来登记。")


def _manages(by: User, place: str, verb: str) -> None:
    if len(place) != 12:
        raise NotFound("没有这个村。")
    if not may(by, "honours.manage", place):
        raise NotAllowed(f"您的身份不能{verb}", hint="请找村文书。")
