"""Writing the audit row. Called by every action, inside its transaction: no row, no deed (C-13)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.db.models import Model

from zhili.audit import chain, deferred
from zhili.audit.catalogue import EVENTS
from zhili.audit.models import Entry
from zhili.common import planned, readonly
from zhili.common.clock import now
from zhili.common.errors import NotAllowed
from zhili.common.ids import uuid7
from zhili.common.leaks import scan_public
from zhili.common.origin import origin
from zhili.common.periods import SHANGHAI

if TYPE_CHECKING:  # the person's class lives one room up; only its id is used here
    from django.contrib.auth.models import AbstractBaseUser

HIDDEN: Final = "〔已隐去〕"
# All that somebody who looks in for support can leave a row of: looking, and being refused.
SUPPORT_KINDS: Final = ("view", "denied")


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
    """Write one audit row. `action` is dotted, stable and listed in catalogue.py; `detail` must be JSON-able.

    `target` is a row (stored as "people.household:<pk>") or a ready string. Digits of a person that somebody typed
    into a reason are hidden before they are stored. The row joins its chain when the transaction ends. Raises NotAllowed
    for somebody who looks in for support and does more than look.
    """
    if isinstance(target, Model):
        target = f"{target._meta.label_lower}:{target.pk}"
    supporter = getattr(by, "supported_by", None)
    if supporter is not None and by is not None:  # looking in for support: both persons are on record
        if action not in EVENTS or EVENTS[action].kind not in SUPPORT_KINDS:  # no row, no deed
            raise NotAllowed("查看方式下不能办事", hint="要办事，请本人登录。")
        detail, by = {**detail, "seen_as": by.pk}, supporter
    key, at, here = uuid7(), now(), origin()
    offset = at.astimezone(SHANGHAI).utcoffset()
    values: dict[str, Any] = {
        "id": key,
        "at": at,
        "utc_offset": 0 if offset is None else int(offset.total_seconds()) // 60,
        "place": place,
        "actor_id": by.pk if by is not None else None,
        "role": role,
        "on_behalf_of": on_behalf_of,
        "action": action,
        "target": target[:80],
        "outcome": outcome,
        "source": here.source,
        "receipt": here.receipt,
        "detail": without_numbers(detail),
        "algorithm": chain.algorithm(),
    }
    # Nothing is written while the system is read-only; who looks at what is traced all the same (O-09).
    if readonly.state().on:
        return deferred.keep(values)
    entry = Entry(**values)
    planned.add(entry)
    return entry


def without_numbers(value: Any) -> Any:
    """The same with every digit of a person hidden, in texts at any depth."""
    if isinstance(value, str):
        for leak in reversed([leak for leak in scan_public(value) if leak.blocks]):
            value = value[: leak.start] + HIDDEN + value[leak.end :]
        return value
    if isinstance(value, dict):
        return {key: without_numbers(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_numbers(one) for one in value]
    return value
