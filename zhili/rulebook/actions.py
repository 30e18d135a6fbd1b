"""Every write of this room, by its name. What each does stands in the module it comes from."""

from __future__ import annotations

from zhili.rulebook.adopting import (
    freeze,
    open_consultation,
    override,
    put_in_force,
    record_adoption,
    record_filing,
)
from zhili.rulebook.drafting import edit_draft, save_draft, withdraw

__all__ = [
    "edit_draft",
    "freeze",
    "open_consultation",
    "override",
    "put_in_force",
    "record_adoption",
    "record_filing",
    "save_draft",
    "withdraw",
]
