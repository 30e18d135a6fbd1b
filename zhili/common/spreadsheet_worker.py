"""Strangers' tables are opened in a process of their own, with little memory, little time and nothing to reach (F-04).

The parser is native code that reads whatever somebody sent. If it is talked into taking all memory, or for ever, or
into worse, that happens in a process that holds no database connection and no key, may open no file for writing, and
is ended by the kernel. What comes back is JSON, never pickle: the answer of a broken process is no more trusted than
the file.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

from zhili.common.spreadsheet_cells import Cell
from zhili.common.spreadsheet_guard import Limits, SpreadsheetError
from zhili.common.spreadsheet_reading import Book, Sheet, read_xlsx

MEMORY_BYTES: Final = 1_500_000_000
"""Address space, libraries included; a table of 60,000 rows needs a third of it."""
CPU_SECONDS: Final = 40
WALL_SECONDS: Final = 90
_ROOT: Final = str(Path(__file__).resolve().parents[2])
_START: Final = (
    f"import sys; sys.path.insert(0, {_ROOT!r}); from zhili.common.spreadsheet_worker import main; main()"
)
_KINDS: Final = ("empty", "text", "number", "bool", "date", "formula", "error")


def read_limited(data: bytes, limits: Limits, *, without: str = "") -> Book:
    """read_xlsx in a limited process. Raises SpreadsheetError, also where the process did not live to answer."""
    head = json.dumps({"limits": asdict(limits), "without": without, "bytes": len(data)}).encode() + b"\n"
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter, the file goes in by a pipe
            [sys.executable, "-I", "-c", _START],
            input=head + data, capture_output=True, timeout=WALL_SECONDS, check=False, env={}, cwd="/",
        )  # fmt: skip
        answer = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise SpreadsheetError(
            "这个表格太大或者结构不正常，读不完",
            hint="请把内容“选择性粘贴为数值”到空白表，或分成几个文件再上传。",
        ) from error
    if "error" in answer:
        told = answer["error"]
        raise SpreadsheetError(
            told["message"], field=told["field"], hint=told["hint"], cells=tuple(told["cells"])
        )
    return Book([_sheet(one) for one in answer["sheets"]], list(answer["remarks"]))


def main() -> None:
    """The worker: one table from standard input, one JSON document to standard output."""
    limit_this_process()
    asked = json.loads(sys.stdin.buffer.readline())
    data = sys.stdin.buffer.read(int(asked["bytes"]))
    try:
        book = read_xlsx(data, Limits(**asked["limits"]), without=asked["without"])
        answer: dict[str, Any] = {"sheets": [_plain(one) for one in book.sheets], "remarks": book.remarks}
    except SpreadsheetError as error:
        told = {"message": error.message, "field": error.field, "hint": error.hint, "cells": error.cells}
        answer = {"error": told}
    sys.stdout.write(json.dumps(answer, ensure_ascii=False, separators=(",", ":")))


def limit_this_process() -> None:
    """Memory, processor time, files: by the kernel. Windows has no such limits; there the wall clock remains."""
    try:
        import resource
    except ImportError:
        return
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0),
    ):  # fmt: skip
        resource.setrlimit(what, (most, most))


def _plain(sheet: Sheet) -> dict[str, Any]:
    return {
        "title": sheet.title,
        "rows": [[[_KINDS.index(cell.kind), _out(cell.value)] for cell in row] for row in sheet.rows],
        "hidden_rows": sorted(sheet.hidden_rows),
        "hidden_columns": sorted(sheet.hidden_columns),
    }


def _sheet(plain: dict[str, Any]) -> Sheet:
    rows = [
        [Cell(_in(value), _KINDS[kind], n, m) for m, (kind, value) in enumerate(row)]
        for n, row in enumerate(plain["rows"])
    ]
    return Sheet(plain["title"], rows, frozenset(plain["hidden_rows"]), frozenset(plain["hidden_columns"]))


def _out(value: Any) -> Any:
    """JSON has no dates: ["day", "2026-01-31"]."""
    if isinstance(value, datetime):
        return ["moment", value.isoformat()]
    if isinstance(value, date):
        return ["day", value.isoformat()]
    if isinstance(value, time):
        return ["time", value.isoformat()]
    return ["span", value.total_seconds()] if isinstance(value, timedelta) else value


def _in(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    kind, text = value
    if kind == "span":
        return timedelta(seconds=text)
    read = {"moment": datetime.fromisoformat, "day": date.fromisoformat, "time": time.fromisoformat}[kind]
    return read(text)


if __name__ == "__main__":
    main()
