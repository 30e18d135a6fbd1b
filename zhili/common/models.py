"""Ground tables: the county's own calendar, messages that leave the house, the daily jobs' diary."""

from __future__ import annotations

from django.db import models

from zhili.common.clock import now
from zhili.common.ids import uuid7


class Holiday(models.Model):
    """One day the county sets by hand, over the published calendar: a holiday, or a working weekend."""

    day = models.DateField("日期", primary_key=True)
    is_workday = models.BooleanField("上班", default=False)
    title = models.CharField("说明", max_length=40)

    class Meta:
        verbose_name = verbose_name_plural = "节假日"
        ordering = ["day"]

    def __str__(self) -> str:
        return f"{self.day} {self.title}"


class Message(models.Model):
    """Something to be sent out of the house (outbox): written with the deed, sent by the worker afterwards."""

    class State(models.TextChoices):
        WAITING = "waiting", "待发"
        SENT = "sent", "已发出"
        FAILED = "failed", "没有发出"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    kind = models.CharField("方式", max_length=20)
    to = models.CharField("发给", max_length=200)
    subject = models.CharField("标题", max_length=200, blank=True)
    body = models.TextField("正文", blank=True)
    # [{"name": "anchors.jsonl", "text": "…"}]
    files = models.JSONField("附件", default=list)
    # The same key is the same message: a job that runs twice sends once.
    key = models.CharField("去重键", max_length=120, null=True, blank=True, unique=True)
    created_at = models.DateTimeField("写下时间", default=now)
    due = models.DateTimeField("应发时间", default=now)
    tries = models.PositiveSmallIntegerField("试过几次", default=0)
    state = models.CharField("状态", max_length=8, choices=State.choices, default=State.WAITING)
    sent_at = models.DateTimeField("发出时间", null=True, blank=True)
    error = models.CharField("没有发出的原因", max_length=120, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "外发消息"
        indexes = [
            models.Index(fields=["due"], condition=models.Q(state="waiting"), name="message_waiting"),
            models.Index(fields=["place", "-created_at"], name="message_place"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id} {self.state}"


class DailyRun(models.Model):
    """One daily job on one day, for one part of the instance: the row that makes it run once (C-12).

    `part` is the place it worked on, or empty for the whole instance. No personal data and no village's business
    stands here, so it lies outside the wall between villages.
    """

    name = models.CharField("任务", max_length=60)
    day = models.DateField("日期")
    part = models.CharField("范围", max_length=14, blank=True)
    tries = models.PositiveSmallIntegerField("试过几次", default=0)
    next_try_at = models.DateTimeField("下次再试", null=True, blank=True)
    done_at = models.DateTimeField("办完时间", null=True, blank=True)
    seconds = models.FloatField("用时（秒）", default=0)
    error = models.CharField("没有办成的原因", max_length=120, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "每日任务"
        constraints = [models.UniqueConstraint(fields=["name", "day", "part"], name="daily_run_once")]

    def __str__(self) -> str:
        return f"{self.name} {self.day} {self.part}"
