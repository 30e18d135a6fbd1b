"""A clerk's list of households, cell by cell: what the columns may be called, and how each cell may be written.

Village lists come with merged title rows, 序号 columns, 户主 said once per household or on every line, 组 as 一组,
1组, 第1组 or 1, dates as text, full-width digits, and thirty words for a relation. All of that is read; what
cannot be read for certain is refused at its cell, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from zhili.common.errors import ZhiliError
from zhili.common.idnumber import birth_date as birth_date_of
from zhili.common.idnumber import check_id_number
from zhili.common.periods import today
from zhili.common.spreadsheets import (
    Cell,
    Column,
    HeaderMatch,
    Sheet,
    SpreadsheetError,
    as_code,
    as_date,
    as_text,
    find_header,
)
from zhili.people.models import Resident
from zhili.people.queries import tidy_code
from zhili.people.secrets import check_bank, check_phone

Relation = Resident.Relation
MAX_ROWS: Final = 20_000

WANTED: Final[dict[str, tuple[str, ...]]] = {
    "code": ("户编号", "户号", "户编码", "户代码", "家庭编号", "家庭户编号", "积分卡编号", "积分卡号"),
    "group": ("组", "组别", "小组", "村民小组", "所在组", "所属组", "组名", "社", "村民组"),
    "head_name": ("户主姓名", "户主", "户主名", "户主名字"),
    "name": ("姓名", "成员姓名", "家庭成员姓名", "家庭成员", "人员姓名", "名字"),
    "relation": ("与户主关系", "与户主的关系", "关系", "户主关系", "家庭关系", "称谓"),
    "id_number": (
        "身份证号", "身份证号码", "公民身份号码", "公民身份证号码", "身份证", "证件号码", "身份证件号码",
        "居民身份证号",
    ),
    "birth_date": ("出生日期", "出生年月日", "生日", "出生时间"),
    "phone": ("电话", "联系电话", "手机号", "手机号码", "手机", "联系方式", "电话号码"),
    "address": ("住址", "家庭住址", "地址", "详细地址", "居住地址", "现住址"),
    "status": ("状态", "在村情况", "居住状态", "居住情况"),
    "published": ("同意公开", "是否同意公开", "同意公示", "是否公开"),
    "tags": ("标签", "人员标签", "人员类别"),
    "bank": ("银行卡号", "银行账号", "银行卡", "银行帐号", "社保卡银行账号", "一卡通账号"),
}  # fmt: skip
CARRIED: Final = (
    "group",
    "head_name",
    "address",
    "published",
)  # said once per household, true for all its lines

COLUMNS: Final = (
    Column("组", 8, note="写 1组、一组、第1组 或 1 都可以"),
    Column("户编号", 12, note="印在积分卡上，村里不能重复，用过的不能再给别的户"),
    Column("户主姓名", 12, note="可以只在户主那一行填"),
    Column("姓名", 12, note="每人一行，包括户主"),
    Column("与户主关系", 14, choices=[str(label) for label in Relation.labels], note="也可以写 妻、长子、儿媳、孙女"),
    Column("身份证号", 22, note="这一列必须是文本格式；可以不填"),
    Column("出生日期", 13, "text", note="例如 1960-03-05；有身份证号可以不填"),
    Column("电话", 15, note="这一列必须是文本格式；可以不填"),
    Column("住址", 28),
    Column("状态", 8, choices=["在村", "外出"], note="不填就是在村"),
    Column("同意公开", 10, choices=["是", "否"], note="不同意在公示里写名字的户填 否"),
    Column("标签", 16, note="例如 党员、低保；多个用顿号隔开"),
)  # fmt: skip
KEYS: Final = (
    "group", "code", "head_name", "name", "relation", "id_number", "birth_date", "phone", "address", "status",
    "published", "tags",
)  # fmt: skip
HELP: Final = (
    (
        "每人一行",
        "户主也要有一行，“与户主关系”填 户主。一户的人排在一起，户编号可以每行都填，也可以只填第一行。",
    ),
    ("户编号", "印在积分卡上。已经用过的编号不能再给别的户；换户主、分户、并户请在系统里办理，不要改表。"),
    ("身份证号、电话、银行卡号", "先把整列设为文本格式再填，否则 Excel 会改掉后几位。没有就留空。"),
    ("再次导入", "认得已经登记的人：一样的不动，不一样的先列出来给您看，空着的格子不会清掉原来的内容。"),
    ("遮住的号码", "导出的表里号码是遮住的（5****4），原样留着就行，表示不改。"),
)

_RELATIONS: Final[dict[str, str]] = {
    word: relation.value
    for relation, words in {
        Relation.HEAD: "户主 本人 户主本人 本户户主",
        Relation.SPOUSE: "配偶 妻 妻子 丈夫 夫 爱人 老婆 老公 夫妻",
        Relation.SON: "儿子 子 儿 男孩",
        Relation.DAUGHTER: "女儿 女 女孩 闺女",
        Relation.CHILD_IN_LAW: "儿媳或女婿 儿媳 儿媳妇 子媳 媳 女婿 婿",
        Relation.PARENT: "父母 父 母 父亲 母亲 爸爸 妈妈 爸 妈 岳父 岳母 公公 婆婆 家公 家婆 丈人 丈母娘",
        Relation.GRANDCHILD: "孙辈 孙 孙子 孙女 孙儿 外孙 外孙子 外孙女 重孙 重孙子 重孙女 曾孙 曾孙子 曾孙女 孙男",
        Relation.SIBLING: "兄弟姐妹 兄 弟 姐 妹 哥哥 弟弟 姐姐 妹妹 哥 兄弟 姐妹 姊 姊妹 胞兄 胞弟 胞姐 胞妹",
        Relation.OTHER: "其他 其它 其他亲属 亲属 非亲属 祖父 祖母 爷爷 奶奶 外公 外婆 外祖父 外祖母 祖父母 孙媳 孙媳妇"
        " 孙女婿 侄 侄子 侄儿 侄女 外甥 外甥女 叔 叔叔 伯 伯父 姑 姑姑 舅 姨 嫂 嫂子 弟媳 弟媳妇 姐夫 妹夫 曾祖母 曾祖父",
    }.items()
    for word in words.split()
}
_ORDINAL: Final = re.compile(r"^(?:第?[一二三四五六七八九]|长|次|大|小|幺|老|独生|独|养|继|亲)+")
_NUMBERS: Final = {letter: n for n, letter in enumerate("零一二三四五六七八九")} | {"两": 2}
_NOTHING: Final = frozenset({"", "无", "/", "-", "—", "——", "没有", "暂无", "不详"})
_FOOT: Final = re.compile(r"^(?:合计|总计|小计|共计|填表|制表|审核|负责人|说明|备注|注[:：]|附[:：])")


@dataclass(frozen=True, slots=True)
class CellError:
    """One thing to mend. row counts from 1 as Excel does; column is its letter; ref is both: C5."""

    row: int
    column: str
    ref: str
    title: str
    message: str
    hint: str

    def __str__(self) -> str:
        return f"第 {self.row} 行 {self.column} 列（{self.title}）：{self.message}。{self.hint}"


@dataclass(slots=True)
class Line:
    """One person's line. None: the cell was empty. `masked` names the numbers given only as 5****4."""

    row: int
    cells: dict[str, Cell]
    values: dict[str, Any] = field(default_factory=dict)
    masked: dict[str, str] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None


@dataclass(slots=True)
class Lines:
    """A sheet as read: the lines, what is wrong in single cells, what the clerk should be told."""

    header: HeaderMatch
    lines: list[Line]
    errors: list[CellError]
    remarks: list[str]

    def fault(self, line: Line, key: str, message: str, hint: str) -> None:
        """Note an error at a line's cell; under 户编号 where the column is not there."""
        cell = line.cells.get(key) or line.cells["code"]
        letters = re.sub(r"\d", "", cell.ref)
        title = self.header.titles.get(key, key)
        self.errors.append(CellError(cell.row + 1, letters, cell.ref, title, message, hint))


def read_lines(sheet: Sheet) -> Lines:
    """Cells → lines. Raises SpreadsheetError where there is no usable header or too many rows."""
    header = find_header(sheet.rows, WANTED)
    if "name" not in header.columns and "head_name" not in header.columns:
        header.require("code", "name")
    header.require("code")
    found = Lines(header, [], [], [])
    body = sheet.rows[header.row + 1 :]
    if len(body) > MAX_ROWS:
        raise SpreadsheetError(f"有 {len(body)} 行，一次最多 {MAX_ROWS} 行", hint="请按组分成几个文件导入。")
    skipped: list[int] = []
    for row in body:
        if all(cell.kind == "empty" or not cell.text for cell in row if cell.kind != "formula") and not any(
            cell.kind == "formula" and cell.column in header.columns.values() for cell in row
        ):
            continue
        if _is_foot(row, header) or _is_header_again(row, sheet.rows[header.row], header):
            skipped.append(row[0].row + 1)
            continue
        line = Line(row[0].row, {key: header.get(row, key) for key in header.columns})
        _read_cells(found, line)
        found.lines.append(line)
    _carry_down(found)
    if skipped:
        found.remarks.append(f"第 {'、'.join(map(str, skipped[:8]))} 行是合计、落款或重复的表头，没有读取。")
    unused = [title.replace("\n", "") for title in header.extra]
    if unused:
        found.remarks.append(f"没有用到的列：{'、'.join(unused[:10])}。")
    return found


def read_relation(text: str) -> str | None:
    """次女, 户主之妻, 外孙女 … → one of Resident.Relation; None: not known or not certain (媳妇)."""
    bare = re.sub(r"[\s,，.。()（）:：]", "", text)
    bare = re.sub(r"^(?:户主)?[之的]", "", bare) if bare not in _RELATIONS else bare
    return _RELATIONS.get(bare) or _RELATIONS.get(_ORDINAL.sub("", bare))


def read_group(text: str) -> str:
    """1, 第1组, 一组, 第十二村民小组 → 1组, 12组; 3社 stays 3社; other names stay as they are."""
    bare = re.sub(r"\s", "", text)
    found = re.fullmatch(
        r"第?([0-9]{1,2}|[一二三四五六七八九十两]{1,3})(?:号?(?:村民)?(?:小组|组)|(社))?", bare
    )
    if not found:
        return bare[:20]
    number = int(found[1]) if found[1].isdigit() else _chinese(found[1])
    return f"{number}{found[2] or '组'}" if number else bare[:20]


def _chinese(text: str) -> int:
    tens, ten, ones = text.rpartition("十")
    if not ten:
        return _NUMBERS.get(text, 0)
    return (_NUMBERS.get(tens, 0) if tens else 1) * 10 + (_NUMBERS.get(ones, 0) if ones else 0)


def _read_cells(found: Lines, line: Line) -> None:
    for key, reader in _READERS.items():
        line.values[key] = None
        cell = line.cells.get(key)
        if cell is None:
            continue
        try:
            line.values[key] = reader(cell, line)
        except ZhiliError as error:
            said = (
                error.message.split("列）", 1)[-1] if isinstance(error, SpreadsheetError) else error.message
            )
            found.fault(line, key, said, error.hint)
            line.masked.setdefault(key, "")  # a faulty cell is no empty cell
    born = birth_date_of(line.id_number) if line.id_number else None
    if born and line.birth_date and born != line.birth_date:
        found.fault(line, "birth_date", "和身份证号里的出生日期对不上", "请对照证件改，或把这一格清空。")
    line.values["birth_date"] = born or line.birth_date


def _text(limit: int) -> Callable[[Cell, Line], str | None]:
    def read(cell: Cell, line: Line) -> str | None:
        text = " ".join(as_text(cell).split())
        if len(text) > limit:
            raise ZhiliError(f"太长，最多 {limit} 个字", hint="请写短一点。")
        return text or None

    return read


def _read_code(cell: Cell, line: Line) -> str | None:
    code = tidy_code(as_text(cell))
    if len(code) > 20:
        raise ZhiliError("户编号太长，最多 20 个字", hint="请核对。")
    return code or None


def _read_name(cell: Cell, line: Line) -> str | None:
    text = _text(60)(cell, line)
    # 张 三 and 王　芳 are spaced out to line up in a column.
    return re.sub(r"\s+", "", text) if text and not re.search(r"[A-Za-z]", text) else text


def _read_number(key: str, check: Callable[[str], str]) -> Callable[[Cell, Line], str | None]:
    def read(cell: Cell, line: Line) -> str | None:
        text = as_code(cell)
        if text in _NOTHING:
            return None
        if "*" in text:
            line.masked[key] = text
            return None
        return check(text)

    return read


def _read_birth(cell: Cell, line: Line) -> date | None:
    if cell.text in _NOTHING:
        return None
    born = as_date(cell)
    if born and born > today():
        raise ZhiliError("出生日期在今天以后", hint="请核对。")
    return born


def _read_relation(cell: Cell, line: Line) -> str | None:
    text = as_text(cell)
    if not text:
        return None
    relation = read_relation(text)
    if relation is None:
        raise ZhiliError(
            f"看不懂“{text[:10]}”", hint="请写 户主、配偶、儿子、女儿、儿媳、女婿、父母、孙辈 或 其他。"
        )
    return relation


def _one_of(words: dict[str, Any], hint: str) -> Callable[[Cell, Line], Any]:
    def read(cell: Cell, line: Line) -> Any:
        text = re.sub(r"\s", "", as_text(cell))
        if text and text not in words:
            raise ZhiliError(f"看不懂“{text[:10]}”", hint=hint)
        return words.get(text)

    return read


def _read_tags(cell: Cell, line: Line) -> list[str] | None:
    parts = [
        part[:20] for part in re.split(r"[、,，;；/\s]+", as_text(cell)) if part and part not in _NOTHING
    ]
    if len(parts) > 10:
        raise ZhiliError("标签最多 10 个", hint="请减少。")
    return list(dict.fromkeys(parts)) or None


def _read_group(cell: Cell, line: Line) -> str | None:
    return read_group(as_text(cell)) or None


_STATUS: Final = {
    **dict.fromkeys(("在村", "在家", "常住", "在"), "present"),
    **dict.fromkeys(("外出", "务工", "外出务工", "在外", "外出打工"), "away"),
}
_YES_NO: Final = {
    **dict.fromkeys(("是", "同意", "公开", "√", "✓", "1"), True),
    **dict.fromkeys(("否", "不同意", "不公开", "×", "✗", "0"), False),
}
_READERS: Final[dict[str, Callable[[Cell, Line], Any]]] = {
    "code": _read_code,
    "group": _read_group,
    "head_name": _read_name,
    "name": _read_name,
    "relation": _read_relation,
    "id_number": _read_number("id_number", check_id_number),
    "birth_date": _read_birth,
    "phone": _read_number("phone", check_phone),
    "address": _text(60),
    "status": _one_of(_STATUS, "请写 在村 或 外出；去世、迁出请在系统里办理。"),
    "published": _one_of(_YES_NO, "请写 是 或 否。"),
    "tags": _read_tags,
    "bank": _read_number("bank", check_bank),
}


def _carry_down(found: Lines) -> None:
    """户编号 and what is said once per household goes on to the lines below, as a merged cell looks."""
    last: Line | None = None
    for line in found.lines:
        only_heads = "name" not in found.header.columns
        if only_heads and line.name is None:
            line.values["name"], line.values["relation"] = line.head_name, Relation.HEAD.value
        new_head = line.head_name and last is not None and line.head_name != last.head_name
        if line.code is None and "code" not in line.masked and last is not None and not new_head:
            line.values["code"] = last.code
        if last is not None and line.code is not None and line.code == last.code:
            for key in CARRIED:
                if line.values[key] is None and key not in line.masked:
                    line.values[key] = last.values[key]
        if (
            line.relation is None
            and "relation" not in line.masked
            and line.name
            and line.name == line.head_name
        ):
            line.values["relation"] = Relation.HEAD.value
        last = line


def _is_foot(row: list[Cell], header: HeaderMatch) -> bool:
    first = next((cell.text for cell in row if cell.kind == "text" and cell.text), "")
    name = header.get(row, "name" if "name" in header.columns else "head_name")
    return bool(_FOOT.match(re.sub(r"\s", "", first))) and (not name.text or name.text == first)


def _is_header_again(row: list[Cell], head: list[Cell], header: HeaderMatch) -> bool:
    own = {key: header.get(row, key).text for key in header.columns}
    return sum(own[key] == header.get(head, key).text for key in own) >= max(2, len(own) - 1)
