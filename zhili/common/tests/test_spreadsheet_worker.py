"""F-04: what a bomb costs in the worker, and that the worker cannot do more than it should."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import zipfile
import zlib
from dataclasses import asdict

import pytest

from zhili.common import spreadsheet_worker
from zhili.common.spreadsheet_guard import Limits, SpreadsheetError
from zhili.common.spreadsheets import Column as OutColumn
from zhili.common.spreadsheets import SheetOut, read_workbook, write_workbook

MOST_KB = 50 * 1024


def bomb(parts: int = 1, size: int = 200_000_000) -> bytes:
    """About 199 KB that unpack to 200 MB, as one part or as many."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
        made.writestr("[Content_Types].xml", "<Types/>")
        made.writestr("xl/workbook.xml", "<workbook><sheets/></workbook>")
        for number in range(parts):
            made.writestr(f"xl/worksheets/sheet{number + 1}.xml", b"<worksheet>" + b" " * (size // parts))
    return out.getvalue()


def lying(data: bytes, claimed: int = 4_000) -> bytes:
    """The same with a small size written into the zip's own lists."""
    real = (200_000_011).to_bytes(4, "little")
    assert data.count(real) >= 2
    return data.replace(real, claimed.to_bytes(4, "little"))


def run(data: bytes) -> tuple[dict, int, int]:
    """The worker on `data`: its answer, its largest memory in KB (VmHWM, by the kernel), its exit code."""
    head = json.dumps({"limits": asdict(Limits()), "without": "", "bytes": len(data)}).encode() + b"\n"
    code = spreadsheet_worker._START + "; sys.stderr.write(open('/proc/self/status').read())"
    ran = subprocess.run(
        [sys.executable, "-I", "-c", code], input=head + data, capture_output=True, check=False, cwd="/"
    )
    peak = re.search(rb"VmHWM:\s+(\d+) kB", ran.stderr)
    assert peak, ran.stderr[-500:]
    return json.loads(ran.stdout or b"{}"), int(peak[1]), ran.returncode


BOMBS = {
    "one part": bomb(),
    "a part that lies about its size": lying(bomb()),
    "many parts": bomb(parts=150),
}


@pytest.mark.parametrize("which", BOMBS)
def test_a_bomb_is_refused_before_it_unpacks(which):
    """F-04: 199 KB → 200 MB is refused in words; the worker never holds 50 MB."""
    data = BOMBS[which]
    assert len(data) < 260_000
    answer, kilobytes, code = run(data)
    assert code == 0
    assert "error" in answer
    assert answer["error"]["message"]
    assert kilobytes < MOST_KB, f"{kilobytes} KB"


def test_a_bomb_met_by_a_person(monkeypatch):
    """F-04: the same through the door every import uses."""
    with pytest.raises(SpreadsheetError, match="展开后太大"):
        read_workbook(BOMBS["one part"], "户.xlsx")


def test_the_worker_has_little_memory_and_may_write_nothing(tmp_path):
    """F-04: limits of the kernel: taking 2 GB fails, writing a file fails."""
    code = (
        spreadsheet_worker._START.rsplit(";", 1)[0]
        + "; from zhili.common.spreadsheet_worker import limit_this_process; limit_this_process()\n"
        "try:\n bytearray(2_000_000_000)\nexcept MemoryError:\n print('no memory')\n"
        f"import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"try:\n open({str(tmp_path / 'x')!r}, 'w').write('x' * 100000)\nexcept OSError:\n print('no file')\n"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.stdout.split("\n")[:2] == ["no memory", "no file"], ran.stderr[-500:]


@pytest.mark.parametrize("what", ["import os; os.abort()", "print('no json')", "import time; time.sleep(60)"])
def test_a_worker_that_dies_or_hangs_or_babbles_is_said_in_words(monkeypatch, what):
    """F-04: nothing of it reaches the page but a sentence."""
    monkeypatch.setattr(spreadsheet_worker, "_START", what)
    monkeypatch.setattr(spreadsheet_worker, "WALL_SECONDS", 1)
    with pytest.raises(SpreadsheetError, match="读不完") as caught:
        read_workbook(write_workbook([SheetOut("户", [OutColumn("户编号")], [["1"]])]), "户.xlsx")
    assert caught.value.hint


def test_a_lie_needs_the_right_checksum_too():
    """F-04: the fixture is no ordinary damaged file: its stream is sound, only its list lies."""
    assert zlib.crc32(b"<worksheet>") != 0
    with zipfile.ZipFile(io.BytesIO(BOMBS["one part"])) as made:
        assert made.getinfo("xl/worksheets/sheet1.xml").file_size == 200_000_011
    with zipfile.ZipFile(io.BytesIO(BOMBS["a part that lies about its size"])) as made:
        assert made.getinfo("xl/worksheets/sheet1.xml").file_size == 4_000
