"""Who did what, written in the same transaction as the deed."""

from __future__ import annotations

from django.db import models

from zhili.common.clock import now
from zhili.common.ids import uuid7


class Entry(models.Model):
    """One deed. Append-only; holds ids and changed values, never an ID number, phone or bank account."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField("时间", default=now)
    place = models.CharField("区划", max_length=14)
    actor_id = models.BigIntegerField("操作人", null=True)
    role = models.CharField("身份", max_length=20, blank=True)
    on_behalf_of = models.UUIDField("代谁办", null=True)
    action = models.CharField("事项", max_length=60)
    target = models.CharField("对象", max_length=80, blank=True)
    outcome = models.CharField("结果", max_length=10, default="ok")
    detail = models.JSONField("内容", default=dict)

    class Meta:
        verbose_name = verbose_name_plural = "留痕"
        indexes = [
            models.Index(fields=["place", "-at"], name="audit_place_at"),
            models.Index(fields=["target", "-at"], name="audit_target_at"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%F %T} {self.action} {self.target}"
