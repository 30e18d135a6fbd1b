"""While the system is read-only, what must be traced even when somebody only looks is kept in a file beside the
database and taken into the chain when writing is possible again (O-09, C-13).

The rule stays: no trace, no deed. Where not even the file can be written, the page is refused.
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from zhili.audit.models import Entry
from zhili.common.readonly import ReadOnlyError
from zhili.common.scope import EVERYWHERE, scoped


def _path() -> Path:
    return Path(settings.READONLY_FILE).with_suffix(".audit.jsonl")


def keep(values: dict[str, Any]) -> Entry:
    """One row for later; on disk before this returns. Raises ReadOnlyError."""
    line = json.dumps(values, ensure_ascii=False, default=str) + "\n"
    try:
        handle = os.open(_path(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if os.write(handle, line.encode()) != len(line.encode()):
                raise OSError(28, "short write")
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise ReadOnlyError(
            "现在连留痕都记不下来，要留痕的内容暂时不能看", hint="请告诉系统管理员。"
        ) from error
    return Entry(**values)


def take_in() -> int:
    """All rows that were kept, into the chain of their places, once. Returns how many."""
    path = _path()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return 0
    count = 0
    with scoped(EVERYWHERE), transaction.atomic():
        for line in lines:
            try:
                values = json.loads(line)
            except ValueError:
                continue  # the last line of a machine that lost its power
            values["id"] = UUID(values["id"])
            values["at"] = datetime.fromisoformat(values["at"])
            if not Entry.objects.filter(id=values["id"]).exists():
                Entry.objects.create(**values)
                count += 1
    path.unlink()
    return count
