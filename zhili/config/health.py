"""/health for whoever watches the machine: is the county's system up, in one word per part, without a person or a village.

200 while people can work or at least look; 503 where the database is away or the disk is about to be full.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from zhili.common import readonly
from zhili.common.policy import open_to_all

PATH: Final = "/health"
DISK_LEAST_BYTES: Final = 200 * 1024 * 1024
DISK_LEAST_SHARE: Final = 0.02


@dataclass(frozen=True, slots=True)
class Disk:
    """Free and total bytes of the disk the data lies on."""

    free: int
    total: int

    @property
    def ok(self) -> bool:
        return self.free >= DISK_LEAST_BYTES and self.free >= self.total * DISK_LEAST_SHARE


def disk(path: os.PathLike[str] | None = None) -> Disk:
    usage = shutil.disk_usage(path or settings.VAR)
    return Disk(usage.free, usage.total)


def database_answers() -> bool:
    """One question over this process's own connection; a broken one is given up."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return bool(cursor.fetchone() == (1,))
    except DatabaseError:
        connection.close()
        return False


@require_safe
@open_to_all
def health(request: HttpRequest) -> HttpResponse:
    """{"status": "ok" | "down", "database": …, "disk": …, "read_only": …}."""
    parts = {"database": database_answers(), "disk": disk().ok}
    up = all(parts.values())
    words = {name: "ok" if good else "down" for name, good in parts.items()}
    answer = JsonResponse(
        {"status": "ok" if up else "down", **words, "read_only": readonly.state().on},
        status=200 if up else 503,
    )
    answer["Cache-Control"] = "no-store"
    return answer
