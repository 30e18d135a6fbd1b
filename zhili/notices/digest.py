"""The digest of what hangs out, and checking it later: also after somebody's name had to be forgotten (T-07).

A name stands in the digest as a salted seal only. When a person is removed, name and salt go and the seal stays: the
digest still fits, and whoever checks is told that a name was removed, instead of finding a mismatch. Notices from before
the seals hold their names in the digest itself; where one was removed, nothing can be said any more, and that is said.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from zhili.audit.models import Entry
from zhili.common import clock
from zhili.notices.models import Line, Notice

_SALT_BYTES: Final = 16
_SAID: Final = 10
_COLUMNS: Final = (
    "position", "group", "household_code", "name_masked", "name_salt", "name_seal", "item_title", "occurred_on",
    "points", "points_before", "late", "public_name",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found. removed, changed: positions of lines. unknown: a removed name stood in the digest itself."""

    state: Literal["whole", "removed", "unknown", "changed"]
    removed: tuple[int, ...] = ()
    changed: tuple[int, ...] = ()

    @property
    def ok(self) -> bool:
        return self.state in ("whole", "removed")

    @property
    def words(self) -> str:
        """One sentence for the page."""
        if self.state == "whole":
            return "和公布那天一样，一个字也没有改。"
        if self.state == "removed":
            return f"{_positions(self.removed)}的姓名已按本人的要求删除，其余和公布那天一样。"
        if self.state == "unknown":
            return f"{_positions(self.removed)}的姓名已按本人的要求删除；这一期是早先的格式，删除后不能再核对内容指纹。"
        which = f"{_positions(self.changed)}的姓名被改过" if self.changed else "内容被改过"
        return f"和公布那天不一样：{which}。请告诉村务监督委员会和乡镇。"


def seal_names(lines: Iterable[Line]) -> None:
    """Give each new line its salt and the seal over the name that hangs out."""
    for line in lines:
        line.name_salt = clock.random_bytes(_SALT_BYTES).hex()
        line.name_seal = _seal(line.name_salt, line.name_masked if line.public_name else "")


def content_digest(notice: Notice, lines: Iterable[Line]) -> str:
    """SHA-256 over what hung out on the first day, so that it can be held against the page later."""
    return _digest(notice, [_content(line) for line in lines])


def check_notice(notice: Notice) -> Checked:
    """Hold a notice against its digest, and the digest against the trail. Two queries."""
    lines = list(notice.lines.only(*_COLUMNS).order_by("position"))
    removed = tuple(line.position for line in lines if _is_removed(line))
    changed = tuple(line.position for line in lines if not _is_removed(line) and not _fits(line))
    if changed or not _is_on_record(notice):
        return Checked("changed", changed=changed)
    if content_digest(notice, lines) != notice.digest:
        old = any(not line.name_seal for line in lines)
        return Checked("unknown", removed) if old and removed else Checked("changed")
    return Checked("removed", removed) if removed else Checked("whole")


def _digest(notice: Notice, lines: Sequence[Sequence[object]]) -> str:
    dates = [notice.opens_on.isoformat(), notice.closes_on.isoformat()]
    content = [notice.place, notice.number, notice.period, notice.title, *dates, lines]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()


def _content(line: Line) -> list[object]:
    """As it hung: a correction after an objection stands beside the first figure, not in its place."""
    name = line.name_seal or (line.name_masked if line.public_name else "")
    points = line.points if line.points_before is None else line.points_before
    day = line.occurred_on.isoformat()
    return [line.position, line.group, line.household_code, name, line.item_title, day, points, line.late]


def _seal(salt: str, name: str) -> str:
    return hashlib.sha256(bytes.fromhex(salt) + name.encode()).hexdigest()


def _is_removed(line: Line) -> bool:
    """Sealed, and the salt is gone; of old lines, the words an erasure leaves."""
    return not line.name_salt if line.name_seal else line.name_masked == "已删除"


def _fits(line: Line) -> bool:
    # A name that an objection took off the wall still stands in its row, as it was sealed or as it never hung.
    shown = [line.name_masked] if line.public_name else [line.name_masked, ""]
    if not line.name_seal:
        return True
    try:
        return line.name_seal in [_seal(line.name_salt, name) for name in shown]
    except ValueError:  # a salt that is no hex was never ours: the line was changed
        return False


def _is_on_record(notice: Notice) -> bool:
    """The digest is that of the trail's row, which nobody changes unseen. Notices taken in from elsewhere have none."""
    row = Entry.objects.filter(action="notices.open", target=f"notices.notice:{notice.pk}").first()
    return row is None or row.detail.get("digest") == notice.digest


def _positions(found: Sequence[int]) -> str:
    said = "、".join(map(str, found[:_SAID]))
    return f"第 {said} 条" if len(found) <= _SAID else f"第 {said} 条等 {len(found)} 条"
