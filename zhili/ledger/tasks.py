"""What the ledger does by itself every day."""

from __future__ import annotations

from datetime import time

from zhili.common.daily import daily
from zhili.ledger.anchors import offices, publish_heads

daily("ledger.publish_heads", publish_heads, places=offices, after=time(1))
