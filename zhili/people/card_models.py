"""积分卡 on paper: which card of which household was printed when and by whom, so that an old one can be told in words."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from zhili.common.clock import now
from zhili.common.ids import uuid7


class CardPrint(models.Model):
    """One printed card. version: 第几张; digest: SHA-256 of its token, which finds a card that was replaced (U-30)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField("区划", max_length=14)
    household = models.ForeignKey("people.Household", models.PROTECT, related_name="cards")
    version = models.PositiveSmallIntegerField("第几张卡")
    digest = models.CharField("卡号指纹", max_length=64)
    printed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    printed_at = models.DateTimeField("打印时间", default=now)

    class Meta:
        verbose_name = verbose_name_plural = "打印的积分卡"
        ordering = ["-printed_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["household", "version"], name="card_version_once")]
        indexes = [
            models.Index(fields=["digest"], name="card_digest"),
            models.Index(fields=["place", "-printed_at"], name="card_place_printed"),
        ]

    def __str__(self) -> str:
        return str(self.version)
