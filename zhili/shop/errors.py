"""What the shop refuses, said before anything moves."""

from __future__ import annotations

from zhili.common.errors import ZhiliError


class ShopError(ZhiliError):
    """Nothing was taken from shelf or purse. `word` is stable for programs: "sold_out", "short", "price_changed" …"""

    def __init__(self, message: str, *, field: str | None = None, hint: str = "", word: str = "") -> None:
        super().__init__(message, field=field, hint=hint)
        self.word = word


class Conflict(ShopError):
    """Somebody else was faster, or the same key came with another body: look again and repeat."""
