"""What was written into the log since a moment: each file from its own end, whatever day a travelling clock named it by."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from django.conf import settings

from zhili.common.logs import DailyFile

Mark = dict[Path, int]


def _folders() -> set[Path]:
    """Where the log is written now, and where the settings say it is: a test before this one may have set Django up."""
    loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    handlers = [handler for logger in loggers for handler in logger.handlers]
    return {Path(settings.LOG_DIR), *(one.folder for one in handlers if isinstance(one, DailyFile))}


def _files() -> list[Path]:
    return sorted(path for folder in _folders() for path in folder.rglob("*") if path.is_file())


def mark() -> Mark:
    """Where every file of the log ends now."""
    return {path: path.stat().st_size for path in _files()}


def text_since(start: Mark) -> str:
    """Everything written since `start`."""
    return "\n".join(path.read_bytes()[start.get(path, 0) :].decode("utf-8", "replace") for path in _files())


def lines_since(start: Mark) -> list[dict[str, Any]]:
    """The same, line by line."""
    return [json.loads(line) for line in text_since(start).splitlines() if line]
