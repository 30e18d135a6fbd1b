"""The log: one JSON object per line, without personal data, kept for half a year and more (O-03, P-19, W-09).

A log is read by people who may not read the register, copied to other machines and kept for years. So the rule here
is the other way round than usual: a value reaches a line only if it is plainly harmless. Numbers, moments, UUIDs
and words of code pass; anything else (Chinese text, paths with ids in them, long tokens, whatever looks like a
number of a person to common.leaks) is written as "…". Of an exception the line holds its kind, its SQLSTATE and
constraint, and where it happened; never its words, because a database quotes the row it refused. What happened to whom
stands in the audit trail, behind permissions, under the same receipt number.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import traceback
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured

from zhili.common.clock import now
from zhili.common.leaks import scan_public
from zhili.common.origin import origin
from zhili.common.periods import SHANGHAI

DAYS_MIN: Final = 180
DAYS_DEFAULT: Final = 400
WITHHELD: Final = "…"
FRAMES_MAX: Final = 12
_WORD: Final = re.compile(r"[A-Za-z0-9_.:<>=()+,% -]{0,100}")
_LONG: Final = re.compile(r"[^ .:,()<>=]{21,}")
_ROUTE: Final = re.compile(r"[A-Za-z0-9_.:<>/^$\\?()\[\]+-]{0,160}")
# Names our own code and schema gave: modules, constraints.
_NAME: Final = re.compile(r"[a-zA-Z_][a-z_A-Z0-9.]{0,80}")
_OTHER: Final = re.compile(r"[^\x20-\x7e]+")
_DATED: Final = re.compile(r"zhili-(\d{4}-\d{2}-\d{2})\.jsonl")
# What every LogRecord has; whatever else stands on one came in by extra=.
_KNOWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_ACCESS: Final = "zhili.access"


def read_log_days(text: str) -> int:
    """How many days logs are kept. Raises ImproperlyConfigured below half a year (P-19)."""
    try:
        days = int(text) if text else DAYS_DEFAULT
    except ValueError:
        days = 0
    if days < DAYS_MIN:
        raise ImproperlyConfigured(
            f"ZHILI_LOG_DAYS 不能少于 {DAYS_MIN}：网络安全法要求日志至少留存六个月。请改大再启动。"
        )
    return days


def harmless(value: Any) -> Any:
    """The value as a line may hold it, or "…"."""
    if value is None or isinstance(value, (bool, UUID)):
        return value if not isinstance(value, UUID) else str(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (int, float)):
        return WITHHELD if _leaks(str(value)) else value
    text = str(value) if isinstance(value, str) else ""
    if not isinstance(value, str) or not _WORD.fullmatch(text) or _LONG.search(text) or _leaks(text):
        return WITHHELD
    return text


def _leaks(text: str) -> bool:
    return any(leak.blocks for leak in scan_public(text))


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON. Nothing in it can start a new line: JSON escapes whatever is not plain ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        here = origin()
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, tz=SHANGHAI).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name if _NAME.fullmatch(record.name) else WITHHELD,
            "message": _message(record),
        }
        if here.receipt:
            line["receipt"] = harmless(here.receipt)
        for key, value in vars(record).items():
            if key not in _KNOWN and _WORD.fullmatch(key):
                line[key] = _field(record.name, key, value)
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = told(record.exc_info[1])
        return json.dumps(line, ensure_ascii=True)


def _field(logger: str, key: str, value: Any) -> Any:
    # The pattern of an address (desk/<str:place>/claims/) comes from our own code; the address itself never passes.
    if (
        logger == _ACCESS
        and key in ("route", "source")
        and isinstance(value, str)
        and _ROUTE.fullmatch(value)
    ):
        return value if key == "route" else value[:45]
    return harmless(value)


def _message(record: logging.LogRecord) -> str:
    """The sentence with its values made harmless; without them where it then no longer fits together."""
    template = _OTHER.sub(WITHHELD, str(record.msg))[:300]
    text = template
    if record.args:
        args = record.args
        try:
            if isinstance(args, dict):
                text = template % {key: harmless(value) for key, value in args.items()}
            else:
                text = template % tuple(harmless(value) for value in args)
        except (TypeError, ValueError, KeyError):
            text = template
    if _leaks(text):
        text = WITHHELD
    return text[:600]


def told(error: BaseException) -> dict[str, Any]:
    """An exception without its words: kind, what the database calls it, where it went through, and what caused it."""
    kind = type(error)
    found: dict[str, Any] = {
        "kind": f"{kind.__module__}.{kind.__qualname__}",
        "where": [
            f"{_short(frame.filename)}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
        ],
    }
    for holder in (error, error.__cause__):
        if getattr(holder, "sqlstate", None):
            found["sqlstate"] = harmless(getattr(holder, "sqlstate", ""))
            constraint = getattr(getattr(holder, "diag", None), "constraint_name", None)
            if constraint:
                found["constraint"] = constraint if _NAME.fullmatch(constraint) else WITHHELD
    if error.__cause__ is not None:
        found["cause"] = f"{type(error.__cause__).__module__}.{type(error.__cause__).__qualname__}"
    return found


def _short(path: str) -> str:
    parts = Path(path).parts
    for mark in ("site-packages", "zhili", "tests"):
        if mark in parts:
            at = parts.index(mark)
            return "/".join(parts[at + (mark == "site-packages") :])
    return Path(path).name


class DailyFile(logging.Handler):
    """Appends to zhili-<day>.jsonl; several processes may, because each line is written in one call."""

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.day = ""
        self.fd = -1

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record).encode() + b"\n"
            day = now().astimezone(SHANGHAI).date().isoformat()
            # Somebody may have cleared the file away: what is written into a name that is gone is lost.
            if day != self.day or not os.fstat(self.fd).st_nlink:
                self._open(day)
            os.write(self.fd, line)
        except Exception:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk must not stop the village's work, nor print the record's values."""
        with suppress(Exception):
            sys.stderr.write("zhili: a log line could not be written\n")

    def _open(self, day: str) -> None:
        if self.fd >= 0:
            os.close(self.fd)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        path = self.folder / f"zhili-{day}.jsonl"
        self.fd = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o640)
        self.day = day

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd, self.day = -1, ""
        super().close()


def clear_out(folder: str | Path, days: int, today: date) -> int:
    """Remove log files older than `days`; anything else in the folder stays. Returns how many went."""
    last = today - timedelta(days=max(days, DAYS_MIN))
    gone = 0
    for path in sorted(Path(folder).glob("zhili-*.jsonl")):
        found = _DATED.fullmatch(path.name)
        if found and date.fromisoformat(found[1]) < last:
            path.unlink()
            gone += 1
    return gone


def configuration(folder: str | Path) -> dict[str, Any]:
    """settings.LOGGING: everything to the day's file, warnings also to the terminal, both as JSON lines."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "zhili.common.logs.JsonFormatter"}},
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": "json", "level": "WARNING"},
            "file": {"()": "zhili.common.logs.DailyFile", "folder": str(folder), "formatter": "json"},
        },
        "root": {"handlers": ["console", "file"], "level": "WARNING"},
        "loggers": {
            # Only to the file: one line per request is no news to whoever watches the terminal.
            "zhili.access": {"level": "INFO", "handlers": ["file"], "propagate": False},
            "zhili": {"level": "INFO"},
            # Django sets handlers of its own on these (mail to admins, plain text); ours see them by propagation.
            "django": {"handlers": [], "level": "INFO", "propagate": True},
            # Says the same as the access log, with the whole address.
            "django.request": {"level": "ERROR"},
            "django.server": {"handlers": [], "level": "ERROR", "propagate": True},
        },
    }
