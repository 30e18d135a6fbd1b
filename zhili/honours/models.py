"""荣誉: what a village gives that cannot be bought (G-14): star households, pace-setters, a lamp for a whole group.

The models in life: 星级文明户 with one to five or ten stars on the door, 积分标兵 read out at the year's meeting,
"全组达标换路灯". Everything rests on a resolution of the village, everything is a top list: who is not on it is
nowhere. A list is computed from merit points once, its figures are frozen, the village's meeting decides, then it
hangs out from a day to a day. A household may be struck off with a reason; a figure is never rewritten.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import models
from django.db.models import F, Q

from zhili.common.clock import now
from zhili.common.ids import uuid7
from zhili.common.periods import KIND_TITLES, Period, parse_code, today
from zhili.honours.choosing import Rule

PERIOD_KINDS: Final = ("month", "quarter", "half_year", "year")


class HonourScheme(models.Model):
    """One honour and how it is won, as the village resolved. Never edited: another resolution makes another scheme.

    kind stars: levels are hundredths in rising order, one per star. kind top: the first top_count households, or
    the first top_share per cent. minimum: hundredths a household needs at all. counts: 加减相抵, or 只看加分.
    shows_points: whether points stand beside the names; never with 相抵, from which a deduction could be read.
    """

    class Kind(models.TextChoices):
        STARS = "stars", "星级（到多少分几颗星）"
        TOP = "top", "评前几名"

    class Counts(models.TextChoices):
        NET = "net", "加分减去扣分"
        EARNED = "earned", "只看加分"

    class Reach(models.TextChoices):
        PUBLIC = "public", "网上和村里都公布"
        VILLAGE = "village", "只在村里公布"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    title = models.CharField("荣誉名称", max_length=20)
    kind = models.CharField("怎么评", max_length=6, choices=Kind.choices)
    period_kind = models.CharField(
        "多久评一次", max_length=10, choices=[(kind, KIND_TITLES[kind]) for kind in PERIOD_KINDS]
    )
    levels = models.JSONField("每颗星要多少分", default=list)
    top_count = models.PositiveSmallIntegerField("前几名", default=0)
    top_share = models.PositiveSmallIntegerField("前百分之几", default=0)
    minimum = models.IntegerField("至少多少分", default=0)
    counts = models.CharField("分怎么算", max_length=6, choices=Counts.choices, default=Counts.NET)
    reach = models.CharField("公布范围", max_length=8, choices=Reach.choices, default=Reach.PUBLIC)
    shows_points = models.BooleanField("公布分数", default=False)
    basis = models.CharField("决议", max_length=100)
    basis_number = models.CharField("决议编号", max_length=40, blank=True)
    resolved_on = models.DateField("决议日期")
    by = models.ForeignKey("people.User", models.PROTECT, related_name="+")
    made_at = models.DateTimeField("登记时间", default=now)
    ended_on = models.DateField("停止日期", null=True, blank=True)
    ended_because = models.CharField("停止原因", max_length=100, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "荣誉办法"
        ordering = ["-made_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["place", "title"], condition=Q(ended_on=None), name="honourscheme_title_once"
            ),
            models.CheckConstraint(
                condition=Q(kind="stars", top_count=0, top_share=0)
                | Q(kind="top", top_count__gt=0, top_share=0)
                | Q(kind="top", top_count=0, top_share__gt=0, top_share__lte=30),
                name="honourscheme_shape",
            ),
            models.CheckConstraint(
                condition=Q(shows_points=False) | Q(counts="earned"), name="honourscheme_hides_deductions"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def rule(self) -> Rule:
        return Rule(self.kind, tuple(self.levels), self.top_count, self.top_share, self.minimum)


class HonourList(models.Model):
    """Who won one honour in one period. number counts in the village and stands on certificates.

    households: how many were looked at. digest: SHA-256 over the frozen lines (lists.py). shown_from, shown_to:
    the days it hangs out, both inclusive; afterwards the public link dies (M-07).
    """

    class Status(models.TextChoices):
        DRAFT = "draft", "草稿，等待开会决定"
        RESOLVED = "resolved", "已决定，等待公布"
        PUBLISHED = "published", "已公布"
        DROPPED = "dropped", "已作废"

    AWARDED: Final = (Status.RESOLVED, Status.PUBLISHED)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    scheme = models.ForeignKey(HonourScheme, models.PROTECT, related_name="lists")
    number = models.PositiveIntegerField("榜号")
    period = models.CharField("期间", max_length=10)
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.DRAFT)
    households = models.PositiveIntegerField("参评户数")
    digest = models.CharField("内容指纹", max_length=64)
    drafted_by = models.ForeignKey("people.User", models.PROTECT, related_name="+")
    drafted_at = models.DateTimeField("算出时间", default=now)
    decided_by = models.CharField("由谁决定", max_length=40, blank=True)
    decided_on = models.DateField("决定日期", null=True, blank=True)
    in_favour = models.PositiveSmallIntegerField("同意人数", null=True, blank=True)
    present = models.PositiveSmallIntegerField("到会人数", null=True, blank=True)
    recorded_by = models.ForeignKey("people.User", models.PROTECT, null=True, blank=True, related_name="+")
    published_by = models.ForeignKey("people.User", models.PROTECT, null=True, blank=True, related_name="+")
    shown_from = models.DateField("公布从", null=True, blank=True)
    shown_to = models.DateField("公布到", null=True, blank=True)
    dropped_because = models.CharField("作废原因", max_length=100, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "荣誉榜"
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["place", "number"], name="honourlist_number_once"),
            models.UniqueConstraint(
                fields=["scheme", "period"], condition=~Q(status="dropped"), name="honourlist_period_once"
            ),
            models.CheckConstraint(
                condition=Q(recorded_by=None) | ~Q(recorded_by=F("drafted_by")), name="honourlist_second_hand"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["resolved", "published"]) | Q(decided_on__isnull=False),
                name="honourlist_decided",
            ),
            models.CheckConstraint(
                condition=~Q(status="published") | Q(shown_from__isnull=False, shown_to__gte=F("shown_from")),
                name="honourlist_shown",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def time(self) -> Period:
        return parse_code(self.period)

    @property
    def title(self) -> str:
        return f"{self.time.title}{self.scheme.title}"

    @property
    def short(self) -> str:
        """The state in one word."""
        return self.get_status_display().partition("，")[0]

    @property
    def votes(self) -> str:
        """到会 45 人，同意 40 人; "" where nobody counted."""
        return "" if self.present is None else f"到会 {self.present} 人，同意 {self.in_favour} 人"

    @property
    def hangs(self) -> bool:
        """Whether it may be read today."""
        return bool(
            self.status == self.Status.PUBLISHED
            and self.shown_from is not None
            and self.shown_to is not None
            and self.shown_from <= today() <= self.shown_to
        )


class HonourEntry(models.Model):
    """One household on a list. points, stars, rank as they were computed, frozen by a trigger; number: within the list."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    list = models.ForeignKey(HonourList, models.PROTECT, related_name="entries")
    household = models.ForeignKey("people.Household", models.PROTECT, related_name="+")
    number = models.PositiveIntegerField("证书号")
    group = models.CharField("组", max_length=20, blank=True)
    household_code = models.CharField("户编号", max_length=20)
    points = models.IntegerField("当时积分")
    stars = models.PositiveSmallIntegerField("星级", default=0)
    rank = models.PositiveSmallIntegerField("名次", default=0)
    struck_by = models.ForeignKey("people.User", models.PROTECT, null=True, blank=True, related_name="+")
    struck_at = models.DateTimeField("撤下时间", null=True, blank=True)
    struck_because = models.CharField("撤下原因", max_length=100, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "荣誉榜条目"
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["list", "household"], name="honourentry_household_once"),
            models.UniqueConstraint(fields=["list", "number"], name="honourentry_number_once"),
            models.CheckConstraint(
                condition=Q(stars__gt=0, rank=0) | Q(stars=0, rank__gt=0), name="honourentry_stars_or_rank"
            ),
            models.CheckConstraint(
                condition=Q(struck_at=None) | ~Q(struck_because=""), name="honourentry_struck_with_reason"
            ),
        ]
        indexes = [models.Index(fields=["household", "-id"], name="honourentry_household")]

    def __str__(self) -> str:
        return self.certificate

    @property
    def certificate(self) -> str:
        """荣字 2026-03-012: year of the period, number of the list, number in it."""
        return f"荣字 {self.list.time.end.year}-{self.list.number:02d}-{self.number:03d}"

    @property
    def star_range(self) -> range:
        """For a template that draws them."""
        return range(self.stars)

    @property
    def word(self) -> str:
        """五星 or 第 2 名."""
        return star_word(self.stars) if self.stars else f"第 {self.rank} 名"


def star_word(stars: int) -> str:
    """1 → 一星 … 10 → 十星."""
    return f"{'零一二三四五六七八九十'[stars]}星"


class GroupGoal(models.Model):
    """全组达标: what a group has to reach together in a period, and what it gets (G-14). One at a time per group.

    measure share: share per cent of the households with at least `points` each; total: `points` of the group.
    Points are hundredths earned in merit. figure: what was counted on the day it was reached.
    """

    class Measure(models.TextChoices):
        SHARE = "share", "达标的户占多少"
        TOTAL = "total", "全组加起来多少分"

    class Status(models.TextChoices):
        RUNNING = "running", "进行中"
        REACHED = "reached", "已达到"
        ENDED = "ended", "已结束，没有达到"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    group = models.CharField("组", max_length=20)
    title = models.CharField("目标名称", max_length=30)
    measure = models.CharField("怎么算达到", max_length=6, choices=Measure.choices)
    period = models.CharField("期间", max_length=10)
    points = models.IntegerField("要多少分")
    share = models.PositiveSmallIntegerField("要百分之几的户", default=0)
    reward = models.CharField("达到以后得什么", max_length=60)
    basis = models.CharField("决议", max_length=100)
    resolved_on = models.DateField("决议日期")
    status = models.CharField("状态", max_length=8, choices=Status.choices, default=Status.RUNNING)
    by = models.ForeignKey("people.User", models.PROTECT, related_name="+")
    made_at = models.DateTimeField("登记时间", default=now)
    reached_on = models.DateField("达到日期", null=True, blank=True)
    figure = models.IntegerField("达到时的数", null=True, blank=True)
    ended_because = models.CharField("结束原因", max_length=100, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "全组目标"
        ordering = ["-made_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["place", "group"], condition=Q(status="running"), name="groupgoal_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(points__gt=0)
                & (Q(measure="share", share__gt=0, share__lte=100) | Q(measure="total", share=0)),
                name="groupgoal_shape",
            ),
            models.CheckConstraint(
                condition=~Q(status="reached") | Q(reached_on__isnull=False), name="groupgoal_reached_on"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.group} {self.title}"

    @property
    def time(self) -> Period:
        return parse_code(self.period)


class Priority(models.Model):
    """优先体验: what honoured households are asked first for: a course, a trip, a trial of new seed. No goods, no money."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    title = models.CharField("优先做什么", max_length=40)
    list = models.ForeignKey(HonourList, models.PROTECT, related_name="priorities")
    basis = models.CharField("决议", max_length=100)
    starts = models.DateField("从")
    ends = models.DateField("到")
    by = models.ForeignKey("people.User", models.PROTECT, related_name="+")
    ended_on = models.DateField("提前结束日期", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "优先体验"
        ordering = ["-starts"]
        constraints = [models.CheckConstraint(condition=Q(ends__gte=F("starts")), name="priority_dates")]

    def __str__(self) -> str:
        return self.title

    @property
    def running(self) -> bool:
        return self.ended_on is None and self.starts <= today() <= self.ends


def frozen(entry: HonourEntry) -> tuple[Any, ...]:
    """What of an entry the digest covers."""
    return (str(entry.household_id), entry.number, entry.points, entry.stars, entry.rank)
