"""Lists as an office needs them: sort, filter, page, tick, and take away as Excel what the screen shows (U-52).

A view describes its columns once; the screen and the workbook come from the same description and the same
filtered query, so they cannot differ. Two SQL statements per page whatever its length: one count, one slice.

    rows = table(request, queryset, [Column("code", "户编号", lambda h: h.code, order="code")], title="户")
    if isinstance(rows, HttpResponse):
        return rows                      # ?export=xlsx
    return render(request, "people/desk_households.html", {"table": rows})
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Literal

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from zhili.common.clock import now
from zhili.common.errors import ZhiliError
from zhili.common.points import format_points, format_signed

Kind = Literal["text", "points", "signed", "date", "number", "state"]
Choices = Sequence[tuple[str, str]] | Callable[[], Sequence[tuple[str, str]]]

PAGE_SIZE: Final = 50
ROWS_MAX: Final = 50_000
TEXT_MAX: Final = 50
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# Names in the query string that are ours; a filter may not be called so.
RESERVED: Final = frozenset({"sort", "page", "export", "col"})


class PagingError(ZhiliError):
    """The list cannot be shown or exported as asked."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. value: row → what stands in the cell (points as int hundredths, dates as date or datetime).

    order: the ORM field it may be sorted by; None: it may not. url: row → where the cell links to, or None.
    export: another value for the workbook. shown False: only in the workbook.
    """

    key: str
    title: str
    value: Callable[[Any], object]
    order: str | None = None
    kind: Kind = "text"
    url: Callable[[Any], str | None] | None = None
    export: Callable[[Any], object] | None = None
    width: float = 0
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter. choices: (value, label) pairs, a function giving them, or 'text', 'date'.

    apply: (queryset, value) → queryset; value is one of the choices, a stripped text of at most 50
    characters, or a `date`.
    """

    key: str
    title: str
    choices: Choices | Literal["text", "date"]
    apply: Callable[[Any, Any], Any]
    hint: str = ""


@dataclass(slots=True)
class Cell:
    """One cell as the page shows it."""

    text: str
    kind: Kind
    title: str
    url: str | None = None


@dataclass(slots=True)
class Row:
    """One row: its key for ticking, the object itself, its cells."""

    key: str
    item: Any
    cells: list[Cell]


@dataclass(slots=True)
class Head:
    """One column head. sort_url is None where it cannot be sorted; sorted: '', 'up' or 'down'."""

    column: Column
    sort_url: str | None
    sorted: Literal["", "up", "down"]


@dataclass(slots=True)
class FilterField:
    """One filter as the page shows it."""

    key: str
    title: str
    kind: Literal["choice", "text", "date"]
    value: str
    options: list[tuple[str, str]]
    hint: str


@dataclass(slots=True)
class Table:
    """What web/table.html draws."""

    title: str
    heads: list[Head]
    rows: list[Row]
    filters: list[FilterField]
    total: int
    page: int
    pages: int
    page_size: int
    sort: str
    path: str
    kept: list[tuple[str, str]]
    select: str | None
    columns: list[Column]
    problems: list[str] = field(default_factory=list)
    rows_max: int = ROWS_MAX

    @property
    def filtered(self) -> bool:
        """Whether any filter is on: an empty list then says so, instead of what to do first."""
        return bool(self.kept)

    @property
    def first(self) -> int:
        return (self.page - 1) * self.page_size + 1 if self.total else 0

    @property
    def last(self) -> int:
        return min(self.page * self.page_size, self.total)

    def url(self, **changes: str | int) -> str:
        """This list's address with the filters kept and some parameters changed."""
        pairs = [*self.kept, ("sort", self.sort), ("page", str(self.page))]
        pairs = [(k, v) for k, v in pairs if k not in changes] + [(k, str(v)) for k, v in changes.items()]
        return _address(self.path, pairs)

    @property
    def previous_url(self) -> str | None:
        return self.url(page=self.page - 1) if self.page > 1 else None

    @property
    def next_url(self) -> str | None:
        return self.url(page=self.page + 1) if self.page < self.pages else None

    @property
    def export_url(self) -> str:
        return _address(self.path, [*self.kept, ("sort", self.sort), ("export", "xlsx")])

    @property
    def numbered(self) -> Iterator[tuple[int, str] | None]:
        """Page numbers with gaps: 1 … 4 5 6 … 20; None is a gap."""
        wanted = sorted({1, self.pages, *range(max(1, self.page - 1), min(self.pages, self.page + 1) + 1)})
        before = 0
        for number in wanted:
            if number > before + 1:
                yield None
            yield number, self.url(page=number)
            before = number


def table(
    request: HttpRequest,
    queryset: QuerySet[Any],
    columns: Sequence[Column],
    *,
    title: str,
    filters: Sequence[Filter] = (),
    page_size: int = PAGE_SIZE,
    default_order: str | Sequence[str] = "pk",
    rows_max: int = ROWS_MAX,
    select: str | None = None,
    on_export: Callable[[int], object] | None = None,
) -> Table | HttpResponse:
    """The page of `queryset` that the query string asks for, or the workbook of all of it with ?export=xlsx.

    default_order: a column's key (with - for descending), or ORM fields. select: the name of tick boxes, one
    per row, valued with its key. on_export: called with the number of rows, to write the audit row.
    Raises PagingError when an export is larger than rows_max.
    """
    keys = [column.key for column in columns]
    assert len(set(keys)) == len(keys) and 1 <= page_size <= 500
    assert not RESERVED & {f.key for f in filters}
    problems: list[str] = []
    queryset, fields, kept = _filtered(request, queryset, filters, problems)
    sort, ordering = _ordering(request, columns, default_order)
    queryset = queryset.order_by(*ordering)
    if request.GET.get("export") == "xlsx":
        return _export(request, queryset, columns, title, fields, rows_max, on_export)
    total = queryset.count()
    pages = max(1, -(-total // page_size))
    page = min(_whole(request.GET.get("page", "")), pages)
    start = (page - 1) * page_size
    shown = [column for column in columns if column.shown]
    rows = [_row(item, shown) for item in queryset[start : start + page_size]] if total else []
    result = Table(
        title=title, heads=[], rows=rows, filters=fields, total=total, page=page, pages=pages,
        page_size=page_size, sort=sort, path=request.path, kept=kept, select=select,
        columns=list(columns), problems=problems, rows_max=rows_max,
    )  # fmt: skip
    result.heads = [_head(column, result) for column in shown]
    return result


def _filtered(
    request: HttpRequest, queryset: QuerySet[Any], filters: Sequence[Filter], problems: list[str]
) -> tuple[QuerySet[Any], list[FilterField], list[tuple[str, str]]]:
    fields: list[FilterField] = []
    kept: list[tuple[str, str]] = []
    for one in filters:
        raw = request.GET.get(one.key, "").replace("\x00", "").strip()[:TEXT_MAX]
        shown = _field_of(one, raw)
        value: object = raw or None
        if raw and shown.kind == "date":
            value = _day(raw)
        elif raw and shown.kind == "choice" and raw not in {key for key, _ in shown.options}:
            value = None
        if raw and value is None:
            problems.append(f"“{one.title}”里的“{raw[:20]}”看不懂，没有按它筛选，请重新选。")
            shown.value = ""
        elif value is not None:
            queryset = one.apply(queryset, value)
            kept.append((one.key, raw))
        fields.append(shown)
    return queryset, fields, kept


def _field_of(one: Filter, raw: str) -> FilterField:
    if isinstance(one.choices, str):
        return FilterField(one.key, one.title, one.choices, raw, [], one.hint)
    options = one.choices() if callable(one.choices) else one.choices
    return FilterField(
        one.key, one.title, "choice", raw, [(str(key), str(label)) for key, label in options], one.hint
    )


def _ordering(
    request: HttpRequest, columns: Sequence[Column], default: str | Sequence[str]
) -> tuple[str, list[str]]:
    """(sort as it stands in the address, ORM fields). Only columns that say `order` can be asked for."""
    allowed = {column.key: column.order for column in columns if column.order}
    asked = request.GET.get("sort", "")
    if asked.lstrip("-") not in allowed or asked.startswith("--"):
        asked = default if isinstance(default, str) and default.lstrip("-") in allowed else ""
    if not asked:
        fields = [default] if isinstance(default, str) else list(default)
        return "", [*fields, *([] if fields[-1].lstrip("-") == "pk" else ["pk"])]
    order = allowed[asked.lstrip("-")]
    assert order is not None
    down = asked.startswith("-") != order.startswith("-")
    bare = order.lstrip("-")
    return asked, [f"-{bare}" if down else bare, "pk"]


def _head(column: Column, result: Table) -> Head:
    if not column.order:
        return Head(column, None, "")
    now_sorted = result.sort.lstrip("-") == column.key
    down = now_sorted and result.sort.startswith("-")
    target = f"-{column.key}" if now_sorted and not down else column.key
    return Head(column, result.url(sort=target, page=1), ("down" if down else "up") if now_sorted else "")


def _row(item: Any, columns: Sequence[Column]) -> Row:
    cells = [
        Cell(
            text=_text(column.value(item), column.kind),
            kind=column.kind,
            title=column.title,
            url=column.url(item) if column.url else None,
        )
        for column in columns
    ]
    return Row(str(getattr(item, "pk", "")), item, cells)


def _text(value: object, kind: Kind) -> str:
    if value is None or value == "":
        return "—"
    if kind in ("points", "signed") and isinstance(value, int):
        return format_points(value) if kind == "points" else format_signed(value)
    if isinstance(value, datetime):
        local = timezone.localtime(value)
        return f"{local:%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, bool):
        return "是" if value else "否"
    return str(value)


def _export(
    request: HttpRequest,
    queryset: QuerySet[Any],
    columns: Sequence[Column],
    title: str,
    fields: Sequence[FilterField],
    rows_max: int,
    on_export: Callable[[int], object] | None,
) -> HttpResponse:
    from zhili.common import spreadsheets  # not needed to show a page

    total = queryset.count()
    if total > rows_max:
        raise PagingError(
            f"要导出的有 {total} 行，一次最多导出 {rows_max} 行", hint="请先筛选（例如按组或按日期）再导出。"
        )
    asked = [key for key in request.GET.getlist("col") if key in {c.key for c in columns}]
    chosen = [column for column in columns if not asked or column.key in asked]
    at = timezone.localtime(now())
    person = str(request.user) if request.user.is_authenticated else "未登录"
    demo = "演示数据 · " if settings.MODE == "demo" else ""
    watermark = f"{demo}{person} 于 {at:%Y-%m-%d %H:%M} 导出"
    conditions = [f"{f.title}：{dict(f.options).get(f.value, f.value)}" for f in fields if f.value]
    sheet = spreadsheets.SheetOut(
        title=title,
        columns=[
            spreadsheets.Column(c.title, c.width or _width(c.kind), _EXCEL_KIND[c.kind]) for c in chosen
        ],
        rows=(
            [_plain((c.export or c.value)(item), c.kind) for c in chosen]
            for item in queryset.iterator(chunk_size=2000)
        ),
        notes=[
            f"截至 {at:%Y-%m-%d %H:%M}，共 {total} 行。"
            + ("筛选：" + "；".join(conditions) if conditions else "")
        ],
        heading=title,
    )
    body = spreadsheets.write_workbook([sheet], watermark=watermark)
    if on_export is not None:
        on_export(total)
    _, disposition = spreadsheets.safe_filename(f"{title}-{at:%Y%m%d}.xlsx")
    return HttpResponse(body, content_type=XLSX, headers={"Content-Disposition": disposition})


_EXCEL_KIND: Final[dict[Kind, Any]] = {
    "text": "text", "points": "points", "signed": "points", "date": "date", "number": "number", "state": "text",
}  # fmt: skip


def _width(kind: Kind) -> float:
    return 18 if kind in ("text", "state") else 12


def _plain(value: object, kind: Kind) -> object:
    if isinstance(value, datetime):
        return timezone.localtime(value).replace(tzinfo=None)
    if isinstance(value, bool):
        return "是" if value else "否"
    if value is None or isinstance(value, (int, float, date)):
        return value
    return value if kind == "number" else str(value)


def _day(raw: str) -> date | None:
    try:
        return date.fromisoformat(raw)
    except ValueError:
        return None


def _whole(raw: str) -> int:
    """A page number people may have typed; anything odd is page 1."""
    return max(1, int(raw)) if raw.isascii() and raw.isdigit() and len(raw) < 8 else 1


def _address(path: str, pairs: Sequence[tuple[str, str]]) -> str:
    from urllib.parse import urlencode

    kept = [(key, value) for key, value in pairs if value and (key, value) != ("page", "1")]
    return f"{path}?{urlencode(kept)}" if kept else path
