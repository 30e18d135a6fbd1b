"""The last look over a finished artefact before anybody outside may have it (M-01, M-08, F-08, F-09).

Not the data it was made from: the bytes themselves. Of a page that is its text, attributes, comments and
alternative texts; of JSON every key and value; of a PDF the text layer, the metadata, links and attachments; of a
workbook every part of the zip, hidden sheets and caches too; of a picture its text blocks; of each the file name.
What is found stops the publication, in words that name the line. A photo of a paper list cannot be read without
OCR: a photo needs a named person's check instead.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from typing import Any, Final

from zhili.common.errors import ZhiliError
from zhili.common.masking import Leak, scan_public

MAX_BYTES: Final = 60 * 1024 * 1024
MAX_PART: Final = 40 * 1024 * 1024
MAX_PARTS: Final = 2_000
MAX_DEPTH: Final = 60


class PublicationError(ZhiliError):
    """Something that may not be published as it is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One leak and where it stands: "第 3 页", "工作表 xl/worksheets/sheet1.xml", "文件名". line: counted from 1 there."""

    where: str
    line: int
    leak: Leak

    @property
    def message(self) -> str:
        return f"{self.where}第 {self.line} 行：{self.leak.message}"


def texts_of(data: bytes, name: str = "") -> list[tuple[str, str]]:
    """(where, text) for everything readable in the bytes; the kind is told from the bytes, not from the name.

    Raises PublicationError where the artefact cannot be looked into: what cannot be read is not published.
    """
    if len(data) > MAX_BYTES:
        raise PublicationError("文件太大，不能检查，所以不能公开", hint="请分成几份。")
    found = [("文件名", name)] if name else []
    try:
        if data.startswith(b"%PDF"):
            found += _pdf(data)
        elif data.startswith(b"PK"):
            found += _zip(data)
        elif data.startswith(b"\x89PNG") or data.startswith(b"\xff\xd8"):
            found += _picture(data)
        else:
            found += _text(data)
    except PublicationError:
        raise
    except (
        Exception
    ) as error:  # a damaged file raises anything; not being able to look is a refusal, never a pass
        raise PublicationError("文件打不开，不能检查，所以不能公开", hint="请重新生成。") from error
    return found


def scan_artefact(
    data: bytes,
    *,
    name: str = "",
    allowed: Iterable[str] = (),
    minors: Iterable[str] = (),
    names: Iterable[str] = (),
) -> list[Finding]:
    """Everything in the finished bytes that must not be public. names: whole names of people who may not stand there.

    allowed: phone numbers that belong there (the village office). minors: names of children under 14.
    """
    allowed, children = list(allowed), [*minors, *names]
    found: list[Finding] = []
    for where, text in texts_of(data, name):
        for leak in scan_public(text, allowed=allowed, minors=children):
            found.append(Finding(where, text.count("\n", 0, leak.start) + 1, leak))
    return found


def check_publication(
    data: bytes,
    *,
    name: str = "",
    allowed: Iterable[str] = (),
    minors: Iterable[str] = (),
    names: Iterable[str] = (),
) -> bytes:
    """The bytes, if they may go out. Raises PublicationError naming the first line that may not."""
    found = scan_artefact(data, name=name, allowed=allowed, minors=minors, names=names)
    blocking = [one for one in found if one.leak.blocks]
    if blocking:
        more = f"，另有 {len(blocking) - 1} 处" if len(blocking) > 1 else ""
        raise PublicationError(f"没有公开：{blocking[0].message}{more}", hint="请改掉这一行，再公开一次。")
    return data


def _text(data: bytes) -> list[tuple[str, str]]:
    text = data.decode("utf-8")
    start = text.lstrip("\ufeff \t\r\n")[:1]
    if start in ("{", "["):
        try:
            return [("内容", "\n".join(_json(json.loads(text), 0)))]
        except ValueError:
            pass
    if start == "<":
        return [("内容", unescape(text)), ("页面", _html(text))]
    return [("内容", text)]


def _json(value: Any, depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise PublicationError("内容套得太深，不能检查，所以不能公开")
    if isinstance(value, dict):
        for key, one in value.items():
            # A key and its value are read together, as people read them: 身份证号 then the number.
            if isinstance(one, (dict, list)):
                yield str(key)
                yield from _json(one, depth + 1)
            else:
                yield f"{key}：{one}"
    elif isinstance(value, list):
        for one in value:
            yield from _json(one, depth + 1)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


class _Page(HTMLParser):
    """Text as a reader sees it, one block a line, and every attribute and comment."""

    _INLINE: Final = frozenset(
        "a abbr b bdi em i mark small span strong sub sup u wbr font".split()  # noqa: SIM905
    )

    def __init__(self, *, cells: bool = False) -> None:
        """cells: a part of a workbook, where every element is a cell of its own."""
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.end = "\n¦\n" if cells else "\n"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self._INLINE:
            self.parts.append(self.end)
        self.parts += [
            f"\n{value}\n" for key, value in attrs if value and key not in ("class", "id", "nonce")
        ]

    def handle_endtag(self, tag: str) -> None:
        if tag not in self._INLINE:
            self.parts.append(self.end)

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_comment(self, data: str) -> None:
        self.parts.append(f"\n{data}\n")


def _html(text: str, *, cells: bool = False) -> str:
    page = _Page(cells=cells)
    page.feed(text)
    page.close()
    return re.sub(r"\n\s*\n+", "\n", "".join(page.parts))


def _pdf(data: bytes) -> list[tuple[str, str]]:
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted:
        raise PublicationError("PDF 加了密，不能检查，所以不能公开", hint="请重新生成。")
    found = [("文件属性", "\n".join(f"{key} {value}" for key, value in (reader.metadata or {}).items()))]
    xmp = reader.root_object.get("/Metadata")
    if xmp is not None:
        found.append(("文件属性", xmp.get_object().get_data().decode("utf-8", "replace")))
    for n, page in enumerate(reader.pages, start=1):
        found.append((f"第 {n} 页", page.extract_text()))
        for link in page.get("/Annots", []) or []:
            found.append((f"第 {n} 页的链接", str(link.get_object())))
    for name, contents in reader.attachments.items():
        found += [(f"附件 {name}", name)]
        for one in contents:
            found += [(f"附件 {name}：{where}", text) for where, text in texts_of(one)]
    return [(where, text) for where, text in found if text]


def _zip(data: bytes) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    with zipfile.ZipFile(io.BytesIO(data)) as box:
        parts = box.infolist()
        if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_PART:
            raise PublicationError("压缩文件太大，不能检查，所以不能公开", hint="请分成几份。")
        for part in parts:
            found.append(("文件名", part.filename))
            body = box.read(part)
            text = body.decode("utf-8", "ignore")
            if body.lstrip()[:1] == b"<":
                found.append((f"表格的 {part.filename} ", _html(text, cells=True)))
            elif text:
                found.append((f"文件 {part.filename} ", text))
        if box.comment:
            found.append(("压缩文件说明", box.comment.decode("utf-8", "replace")))
    return found


def _picture(data: bytes) -> list[tuple[str, str]]:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        texts = [
            f"{key} {_words(value)}" for key, value in image.info.items() if isinstance(value, (str, bytes))
        ]
        exif = [f"{key} {value}" for key, value in image.getexif().items()]
    return [("图片属性", "\n".join([*texts, *exif]))] if texts or exif else []


def _words(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")
