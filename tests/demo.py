"""The demo database, built once for all the tests that look at it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def zhili(database: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The real command on `database`."""
    return subprocess.run(
        [sys.executable, "-m", "zhili.config.command", *words],
        cwd=ROOT, env={**os.environ, "ZHILI_DATABASE": database}, capture_output=True, text=True, timeout=400,
    )  # fmt: skip
