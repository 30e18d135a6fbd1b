"""Writing the audit row. Called by every action, inside its transaction: no row, no deed (C-13)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Model

from zhili.audit.models import Entry
from zhili.common.ids import uuid7

if TYPE_CHECKING:  # the person's class lives one room up; only its id is used here
    from django.contrib.auth.models import AbstractBaseUser


def record(
    action: str,
    *,
    by: AbstractBaseUser | None,
    place: str,
    target: Model | str = "",
    role: str = "",
    on_behalf_of: UUID | None = None,
    outcome: str = "ok",
    **detail: Any,
) -> Entry:
    """Write one audit row. `action` is dotted and stable ("claims.review"); `detail` must be JSON-able.

    `target` is a row (stored as "people.household:<pk>") or a ready string.
    """
    if isinstance(target, Model):
        target = f"{target._meta.label_lower}:{target.pk}"
    return Entry.objects.create(
        id=uuid7(),
        place=place,
        actor_id=by.pk if by is not None else None,
        role=role,
        on_behalf_of=on_behalf_of,
        action=action,
        target=target[:80],
        outcome=outcome,
        detail=detail,
    )
