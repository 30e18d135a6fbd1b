"""What the machine last did for itself: the last backup, drill, verification. Small files beside the database.

They must be readable when the database is not, and a restored database must not bring old ones back. No personal
data: counts, times, outcomes.
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from zhili.common.clock import now


def _path(var: Path, name: str) -> Path:
    return var / "status" / f"{name}.json"


def note(var: Path, name: str, **facts: Any) -> dict[str, Any]:
    """Keep `facts` (JSON-able) with the moment under `name`; the one before is replaced whole."""
    path = _path(var, name)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    stored = {"at": now().isoformat(), **facts}
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(stored, ensure_ascii=False), encoding="utf-8")
    temporary.replace(path)
    return stored


def read(var: Path, name: str) -> dict[str, Any] | None:
    """What was kept under `name`, or None where there is nothing, or nothing that can be read."""
    try:
        found = json.loads(_path(var, name).read_text(encoding="utf-8"))
        datetime.fromisoformat(found["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def age_seconds(var: Path, name: str) -> float | None:
    """Seconds since `name` was kept; None where it never was."""
    found = read(var, name)
    return None if found is None else (now() - datetime.fromisoformat(found["at"])).total_seconds()
