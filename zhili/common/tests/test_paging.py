"""Lists: sort by allow-list, filters kept, pages, and the workbook equal to the screen (U-52)."""

from __future__ import annotations

import io

import openpyxl
import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from zhili.common.paging import Column, Filter, PagingError, Table, table
from zhili.places.models import Place

pytestmark = pytest.mark.django_db

COLUMNS = [
    Column("code", "代码", lambda p: p.code, order="code", url=lambda p: f"/open/{p.code}/"),
    Column("name", "名称", lambda p: p.name, order="name"),
    Column("kind", "类型", lambda p: p.get_kind_display(), kind="state"),
    Column("points", "分", lambda p: int(p.code[-3:]), kind="points"),
    Column("hidden", "只在表里", lambda p: "=1+1", shown=False),
]
FILTERS = [
    Filter("kind", "类型", lambda: Place.Kind.choices, lambda qs, value: qs.filter(kind=value)),
    Filter("q", "名称", "text", lambda qs, value: qs.filter(name__contains=value)),
    Filter("from", "启用", "date", lambda qs, value: qs.filter(valid_from__gte=value)),
]


class Somebody:
    is_authenticated = True

    def __str__(self) -> str:
        return "演示丁"


def ask(query: str = "", **more) -> Table | HttpResponse:
    request = RequestFactory().get(f"/list/?{query}")
    request.user = Somebody()
    options = {"title": "区划", "filters": FILTERS, "page_size": 20, "default_order": "code"} | more
    return table(request, Place.objects.all(), COLUMNS, **options)


def codes(result: Table) -> list[str]:
    return [row.cells[0].text for row in result.rows]


def test_a_page_takes_two_statements_however_long(django_assert_num_queries):
    """One count and one slice."""
    with django_assert_num_queries(2):
        result = ask("page=3")
    assert (result.page, len(result.rows), result.first, result.last) == (3, 20, 41, 60)
    assert result.total > 200 and result.pages == -(-result.total // 20)


def test_pages_cover_every_row_once():
    total = ask().pages
    seen = [code for n in range(1, total + 1) for code in codes(ask(f"page={n}"))]
    assert seen == sorted(seen) and len(set(seen)) == len(seen) == ask().total


@pytest.mark.parametrize("page", ["0", "-1", "abc", "", "1e9", "９", "99999999999999"])
def test_an_odd_page_number_is_page_one(page):
    assert ask(f"page={page}").page == 1


def test_a_page_too_far_is_the_last():
    assert ask("page=9999").page == ask().pages


@pytest.mark.parametrize("sort", ["kind", "parent__name", "--code", "-", "pk", "code;drop table", "points"])
def test_only_columns_that_say_so_can_be_sorted(sort):
    assert ask(f"sort={sort}").sort == "code"


def test_sorting_both_ways_and_the_head_that_says_so():
    up, down = ask("sort=code"), ask("sort=-code")
    assert codes(up)[0] < codes(down)[0]
    assert (up.heads[0].sorted, down.heads[0].sorted) == ("up", "down")
    assert "sort=-code" in up.heads[0].sort_url and up.heads[2].sort_url is None


def test_filters_are_kept_in_every_link():
    result = ask("kind=village&q=沟&sort=-name")
    assert result.total and all("沟" in row.cells[1].text for row in result.rows)
    for url in (result.heads[0].sort_url, result.export_url, result.url(page=2)):
        assert "kind=village" in url and "q=%E6%B2%9F" in url


@pytest.mark.parametrize("query", ["kind=castle", "from=2026-13-01", "from=yesterday"])
def test_a_filter_that_cannot_be_read_is_said_and_not_applied(query):
    result = ask(query)
    assert len(result.problems) == 1 and "看不懂" in result.problems[0]
    assert result.total == ask().total and not result.filtered


@pytest.mark.parametrize("text", ["%00", "%", "_", "' OR 1=1 --", "x" * 400])
def test_hostile_text_finds_what_it_says(text):
    """No NUL reaches PostgreSQL, no quote ends a statement, nothing is unbounded."""
    request = RequestFactory().get("/list/", {"q": text.replace("%00", "\x00")})
    request.user = Somebody()
    result = table(request, Place.objects.all(), COLUMNS, title="区划", filters=FILTERS)
    assert result.total == (ask().total if text == "%00" else 0)


def sheet(answer: HttpResponse) -> list[list[object]]:
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    return [list(row) for row in book.worksheets[0].iter_rows(values_only=True)]


def test_the_workbook_has_every_row_of_the_same_filter():
    """U-52: all pages, the same condition in words, who and when, hidden columns too, no formula."""
    answer = ask("kind=village&q=沟&page=2&export=xlsx")
    rows = sheet(answer)
    head = next(n for n, row in enumerate(rows) if row[0] == "代码")
    screen = ask("kind=village&q=沟", page_size=500)
    assert [row[0] for row in rows[head + 1 :]] == codes(screen)
    above = " ".join(str(cell) for row in rows[:head] for cell in row if cell)
    assert "类型：村" in above and "名称：沟" in above and "演示丁" in above and "导出" in above
    assert rows[head + 1][4] in ("'=1+1", "=1+1") and rows[head + 1][3] == int(rows[head + 1][0][-3:]) / 100
    assert "filename*=UTF-8''%E5%8C%BA%E5%88%92" in answer["Content-Disposition"]


def test_columns_can_be_chosen_and_unknown_ones_are_ignored():
    rows = sheet(ask("q=谭家沟&export=xlsx&col=name&col=secret"))
    head = next(n for n, row in enumerate(rows) if row[0] == "名称")
    assert rows[head + 1][0].startswith("谭家沟") and not any(rows[head][1:])


def test_too_many_rows_are_refused_before_anything_is_read():
    with pytest.raises(PagingError, match="一次最多导出 10 行"):
        ask("export=xlsx", rows_max=10)


def test_the_export_is_told_to_whoever_records_it():
    told: list[int] = []
    ask("q=谭家沟&export=xlsx", on_export=told.append)
    ask("q=谭家沟", on_export=told.append)
    assert told == [1]
