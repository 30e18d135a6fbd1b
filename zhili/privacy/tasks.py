"""What this room does once a day (the worker reads this file at start)."""

from __future__ import annotations

from zhili.common.daily import daily
from zhili.privacy import retention

daily("privacy.retention", retention.daily)
