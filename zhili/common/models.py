"""Ground tables: the county's own calendar."""

from __future__ import annotations

from django.db import models


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
