"""What the machine does by itself every day, besides the villages' business."""

from __future__ import annotations

from datetime import date, time

from django.conf import settings

from zhili.common.daily import daily
from zhili.common.logs import clear_out


def clear_logs(day: date) -> None:
    """Log files older than the setting go; it cannot be set below half a year (P-19)."""
    clear_out(settings.LOG_DIR, settings.LOG_DAYS, day)


daily("config.clear_logs", clear_logs, after=time(4))
