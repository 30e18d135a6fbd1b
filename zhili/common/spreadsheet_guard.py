"""What is checked on an Excel file before any parser sees it (F-04, F-05, F-07).

A file from a village may come from anybody's stick. A .xlsx is a zip of XML, and 199 KB can unpack to 200
MB; one cell at XFD1048576 can make a parser reserve a grid of 17 thousand million cells; a long string
shared by every cell can be copied a million times. So: sizes by the zip's own list first, then every part
is unpacked with a cap and compared with what the list promised, then the XML is searched for what we
refuse. Parts are looked at one by one and dropped."""

from __future__ import annotations

import itertools
import re
import struct
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass, field
from io import BytesIO
from typing import Final

from zhili.common.errors import ZhiliError


class SpreadsheetError(ZhiliError):
    """A table that cannot be taken as it is. cells: addresses the message is about, e.g. ["C5"]."""

    def __init__(
        self, message: str, *, field: str | None = None, hint: str = "", cells: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, field=field, hint=hint)
        self.cells = cells


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps on one uploaded table; bytes, counts and a plain ratio."""

    file_bytes: int = 20 * 1024 * 1024
    unpacked_bytes: int = 160 * 1024 * 1024
    entries: int = 500
    ratio: int = 200
    ratio_from_bytes: int = 1024 * 1024
    sheets: int = 30
    rows: int = 60_000
    columns: int = 200
    cells: int = 3_000_000
    text_bytes: int = 160 * 1024 * 1024


@dataclass(slots=True)
class SheetScan:
    """What the XML of one worksheet says about itself; rows and columns count from 0."""

    formulas: set[tuple[int, int]] = field(default_factory=set)
    unplaced_formulas: int = 0
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)
    filtered: bool = False
    rows: int = 0
    columns: int = 0
    strings: Counter[bytes] = field(default_factory=Counter)


@dataclass(slots=True)
class Scan:
    """sheets: part name (xl/worksheets/sheet1.xml) → scan. workbook, rels: the XML that maps names to
    parts.
    """

    sheets: dict[str, SheetScan] = field(default_factory=dict)
    workbook: bytes = b""
    rels: bytes = b""
    pictures: int = 0


_ADVICE: Final = "请在 Excel 或 WPS 里新建空白表，把内容“选择性粘贴为数值”后另存为 .xlsx 再上传。"
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_REFUSED_PARTS: Final = (
    ("vbaproject", "带有宏程序"),
    ("xl/externallinks/", "引用了别的文件"),
    ("xl/embeddings/", "嵌入了别的文件"),
    ("xl/activex/", "带有控件"),
    ("xl/ctrlprops/", "带有控件"),
    ("xl/connections.xml", "连着外部数据"),
    ("xl/querytables/", "连着外部数据"),
    ("xl/macrosheets/", "带有宏程序"),
    ("xl/dialogsheets/", "带有宏程序"),
)
_LOCAL_HEADER: Final = struct.Struct("<4s5H3I2H")
_TAG: Final = rb"<(?:[A-Za-z0-9]+:)?"
_CELL: Final = re.compile(
    _TAG + rb"c(?=[\s/>])(?:[^<>]*?\sr\s*=\s*[\"']([A-Z]{1,3})([0-9]{1,7})[\"'])?([^<>]*)>"
    rb"(" + _TAG + rb"f[\s/>])?"
)
_SHARED: Final = re.compile(rb"\st\s*=\s*[\"']s[\"'][^<>]*>\s*" + _TAG + rb"v>([0-9]+)<")
_ROW: Final = re.compile(_TAG + rb"row(?=[\s/>])([^<>]*)>")
_COL: Final = re.compile(_TAG + rb"col\s([^<>]*)>")
_MERGE: Final = re.compile(_TAG + rb"mergeCell\s[^<>]*?ref\s*=\s*[\"']([A-Z0-9:]{1,30})[\"']")
_STRING: Final = re.compile(_TAG + rb"si(?=[\s/>])")
_HIDDEN: Final = re.compile(rb"hidden\s*=\s*[\"'](?:1|true)[\"']")
_ENDLESS_TAG: Final = re.compile(rb"<[^<>]{4096}")
_CHUNK: Final = 1 << 20


def guard(data: bytes, limits: Limits) -> Scan:
    """Check a would-be .xlsx and say what is in it. Raises SpreadsheetError with what to do; parses
    nothing.
    """
    if data.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise SpreadsheetError("这个表格加了密码，打不开", hint="请去掉密码后另存为 .xlsx 再上传。")
        raise SpreadsheetError("这是旧版表格（.xls 或 .et）", hint="请用 Excel 或 WPS“另存为”.xlsx 再上传。")
    if not data.startswith(b"PK\x03\x04"):
        raise SpreadsheetError("这不是 Excel 表格", hint="请上传 .xlsx 或 .csv 文件。")
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
        raise _damaged() from error
    _check_directory(parts, len(data), limits)
    scan = Scan()
    lengths: list[int] = []
    for part in parts:
        _look_at(part, _unpack(data, part), scan, lengths, limits)
    if not scan.workbook or not scan.sheets:
        raise SpreadsheetError("这不是 Excel 表格", hint="请上传 .xlsx 或 .csv 文件。")
    _check_strings(scan, lengths, limits)
    return scan


def column_letters(column: int) -> str:
    """0 → A, 25 → Z, 26 → AA."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def column_number(letters: str) -> int:
    """A → 0, AA → 26."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _check_directory(parts: list[zipfile.ZipInfo], file_bytes: int, limits: Limits) -> None:
    """Sizes and names by the zip's own list: nothing is unpacked yet."""
    if len(parts) > limits.entries:
        raise SpreadsheetError(f"表格里有 {len(parts)} 个部件，太多了", hint=_ADVICE)
    if sum(part.file_size for part in parts) > limits.unpacked_bytes:
        raise _too_big()
    if sum(part.compress_size for part in parts) > file_bytes:
        raise _damaged()
    names = [part.filename.replace("\\", "/").lower() for part in parts]
    if len(set(names)) != len(names):
        raise _damaged()
    for part, name in zip(parts, names, strict=True):
        if part.flag_bits & 0x1:
            raise SpreadsheetError("这个表格加了密码，打不开", hint="请去掉密码后另存为 .xlsx 再上传。")
        if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _damaged()
        big = part.file_size > limits.ratio_from_bytes
        if big and part.file_size > limits.ratio * max(part.compress_size, 1):
            raise _too_big()
        for mark, what in _REFUSED_PARTS:
            if mark in name:
                raise SpreadsheetError(f"这个表格{what}，不能导入", hint=_ADVICE)
    if "word/document.xml" in names:
        raise SpreadsheetError("这是 Word 文档，不是 Excel 表格", hint="请上传 .xlsx 或 .csv 文件。")
    if "xl/workbook.bin" in names:
        raise SpreadsheetError("这是 .xlsb 格式的表格", hint="请“另存为”.xlsx 再上传。")


def _unpack(data: bytes, part: zipfile.ZipInfo) -> bytes:
    """The part's bytes, exactly as many as the list promised: a list that lies is refused."""
    header = data[part.header_offset : part.header_offset + _LOCAL_HEADER.size]
    if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
        raise _damaged()
    name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)[-2:]
    start = part.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
    packed = data[start : start + part.compress_size]
    if part.compress_type == zipfile.ZIP_STORED:
        plain = packed
    else:
        inflate = zlib.decompressobj(-15)
        try:
            plain = inflate.decompress(packed, part.file_size + 1)
        except zlib.error as error:
            raise _damaged() from error
        if not inflate.eof and len(plain) == part.file_size:
            plain += inflate.decompress(inflate.unconsumed_tail, 1)
    if len(plain) != part.file_size or zlib.crc32(plain) != part.CRC:
        raise _damaged()
    return plain


def _look_at(part: zipfile.ZipInfo, plain: bytes, scan: Scan, lengths: list[int], limits: Limits) -> None:
    name = part.filename.replace("\\", "/").lower().lstrip("/")
    if name.startswith("xl/media/"):
        scan.pictures += 1
    if not name.endswith((".xml", ".rels", ".vml")):
        return
    _check_xml(plain)
    if name == "[content_types].xml" and b"macroenabled" in plain.lower():
        raise SpreadsheetError("这个表格带有宏程序，不能导入", hint=_ADVICE)
    if name == "xl/workbook.xml":
        scan.workbook = plain
    elif name == "xl/_rels/workbook.xml.rels":
        scan.rels = plain
    elif name == "xl/sharedstrings.xml":
        starts = [hit.start() for hit in _STRING.finditer(plain)] + [len(plain)]
        lengths += [after - start for start, after in itertools.pairwise(starts)]
    elif name.startswith("xl/worksheets/") and name.endswith(".xml"):
        if len(scan.sheets) >= limits.sheets:
            raise SpreadsheetError(f"工作表超过 {limits.sheets} 张", hint="请只留下要导入的那一张。")
        scan.sheets[name] = _scan_sheet(plain, limits)


def _check_xml(plain: bytes) -> None:
    start = plain[:200].lstrip(b"\xef\xbb\xbf \t\r\n")
    declared = re.match(rb"<\?xml[^>]*encoding\s*=\s*[\"']([A-Za-z0-9_-]+)", start)
    if plain and (not start.startswith(b"<") or b"\0" in start):
        raise _damaged()
    if declared and declared[1].lower() not in (b"utf-8", b"utf8", b"us-ascii"):
        raise _damaged()
    if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain or b"<!doctype" in plain:
        raise SpreadsheetError("这个表格的内部结构不安全（含有实体定义），不能导入", hint=_ADVICE)


def _scan_sheet(plain: bytes, limits: Limits) -> SheetScan:
    if _ENDLESS_TAG.search(plain):
        raise _damaged()  # and the patterns below stay linear
    scan = SheetScan()
    scan.filtered = b"autoFilter" in plain
    scan.merged = [hit[1].decode() for hit in _MERGE.finditer(plain)]
    head = plain[: max(plain.find(b"sheetData"), 0)]
    for hit in _COL.finditer(head):
        if _HIDDEN.search(hit[1]):
            first, last = _attribute(hit[1], b"min"), _attribute(hit[1], b"max")
            scan.hidden_columns.append((max(first, 1) - 1, max(last, first, 1) - 1))
    width: dict[bytes, int] = {}
    start, row = 0, 0
    while start < len(plain):
        after = plain.find(b"<row", start + _CHUNK)
        chunk = plain[start : after if after > 0 else len(plain)]
        row = _scan_chunk(chunk, scan, row, width)
        start += len(chunk)
    if scan.rows > limits.rows:
        raise SpreadsheetError(
            f"表格有 {scan.rows} 行，一次最多 {limits.rows} 行", hint="请分成几个文件导入。"
        )
    if scan.columns > limits.columns:
        raise SpreadsheetError(
            f"表格一直用到 {column_letters(scan.columns - 1)} 列，最多 {limits.columns} 列",
            hint="请删掉右边多余的列。",
        )
    if scan.rows * scan.columns > limits.cells:
        raise _too_big()
    return scan


def _scan_chunk(chunk: bytes, scan: SheetScan, row: int, width: dict[bytes, int]) -> int:
    """One stretch of rows; `row` counts rows that carry no number of their own."""
    for hit in _ROW.finditer(chunk):
        row = _attribute(hit[1], b"r") or row + 1
        if not hit[1].endswith(b"/"):
            scan.rows = max(scan.rows, row)
        if b"hidden" in hit[1] and _HIDDEN.search(hit[1]):
            scan.hidden_rows.add(row - 1)
    unplaced = 0
    has_formula = b"<f" in chunk or b":f" in chunk
    for letters, number, rest, formula in _CELL.findall(chunk):
        if not letters:
            unplaced += 1
        elif not rest.endswith(b"/"):
            if letters not in width:
                width[letters] = column_number(letters.decode()) + 1
                scan.columns = max(scan.columns, width[letters])
            if formula:
                scan.formulas.add((int(number) - 1, width[letters] - 1))
    if unplaced:
        widest = max((len(_CELL.findall(one)) for one in re.split(_TAG + rb"row[\s>]", chunk)), default=0)
        scan.columns = max(scan.columns, widest)
        if has_formula:
            scan.unplaced_formulas += sum(1 for hit in _CELL.findall(chunk) if hit[3] and not hit[0])
    scan.strings.update(_SHARED.findall(chunk))
    return row


def _check_strings(scan: Scan, lengths: list[int], limits: Limits) -> None:
    """Text once every cell has its own copy, as a parser makes them."""
    total = 0
    for sheet in scan.sheets.values():
        for index, times in sheet.strings.items():
            place = int(index)
            total += times * (lengths[place] if place < len(lengths) else 0)
        sheet.strings.clear()
    if total > limits.text_bytes:
        raise _too_big()


def _attribute(attributes: bytes, name: bytes) -> int:
    found = re.search(rb"(?:^|\s)" + name + rb"\s*=\s*[\"']([0-9]{1,7})[\"']", attributes)
    return int(found[1]) if found else 0


def _damaged() -> SpreadsheetError:
    return SpreadsheetError("这个表格文件已损坏或被改动过，打不开", hint=_ADVICE)


def _too_big() -> SpreadsheetError:
    return SpreadsheetError("这个表格展开后太大，可能不是正常的表格", hint=_ADVICE)
