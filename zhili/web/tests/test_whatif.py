"""A draft against the village's real claims: the page and the command (L-09; A-02, A-04)."""

from __future__ import annotations

import json
from datetime import date

import pytest

from tests.books import SMALL_BOOK, make_book
from zhili.claims.models import Claim
from zhili.common.errors import ZhiliError
from zhili.common.ids import uuid7
from zhili.config import command
from zhili.rulebook.actions import save_draft
from zhili.rulebook.tests.test_faces import client_of, text_of
from zhili.web.whatif import past_events


@pytest.fixture
def year(cast):
    """Five sweepings of one household in March, four of which counted, and a refused one."""
    book = make_book(cast)
    item = book.items.get(code="HJ01")
    for day, awarded, status in [(1, 200, "posted"), (2, 200, "posted"), (3, 200, "posted"), (4, 200, "on_notice"),
                                 (5, 0, "posted"), (6, None, "refused")]:  # fmt: skip
        Claim.objects.create(
            id=uuid7(), number=str(day), place=cast.place, household=cast.household, item=item, book=book,
            occurred_on=date(2026, 3, day), channel="counter", status=status, points_awarded=awarded,
            submitted_by=cast.clerk,
        )  # fmt: skip
    return save_draft(
        by=cast.clerk,
        place=cast.place,
        text=SMALL_BOOK.replace("points: 2, caps: [{times: 4", "points: 3, caps: [{times: 5"),
    )


def test_only_what_counted_is_replayed(cast, year, django_assert_max_num_queries):
    """Refused claims and other years are left out; the number of queries does not grow."""
    with django_assert_max_num_queries(4):
        past = past_events(cast.place, 2026)
    assert len(past) == 5 and sum(one.awarded for one in past) == 800
    assert past_events(cast.place, 2025) == [] and past_events(cast.next_place, 2026) == []


def test_the_page_says_who_gains(cast, year):
    """800 before, 1500 under the draft; nobody outside learns anything."""
    path = f"/desk/{cast.place}/rulebooks/{year.pk}/whatif/"
    shown = text_of(client_of(cast.clerk).get(f"{path}?year=2026"))
    assert "5 件事" in shown and "共 8 分" in shown and "15 分" in shown and "1001 户" in shown
    assert "没有记过分" in text_of(client_of(cast.clerk).get(f"{path}?year=2025"))
    for asked in ("", "abc", "99999", "1900", "２０２６"):
        assert client_of(cast.clerk).get(path, {"year": asked}).status_code == 200
    for who in ("villager", "reviewer", "stranger_clerk", "system_admin"):
        assert client_of(getattr(cast, who)).get(f"{path}?year=2026").status_code in (403, 404)


def options(tmp_path, text=SMALL_BOOK, place="511702109200", year="2026", *more):
    import argparse

    file = tmp_path / "draft.yaml"
    file.write_text(text, encoding="utf-8")
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers()
    from zhili.rulebook import commands as rulebook_commands
    from zhili.web import commands

    rulebook_commands.add(subparsers)
    commands.add(subparsers)
    found = parser.parse_args(["rulebook", "whatif", str(file), "--against", place, "--year", year, *more])
    assert found.database is True
    return found


def test_the_command_prints_one_json_document(cast, year, tmp_path, capsys):
    """zhili rulebook whatif FILE --against PLACE --year Y --json"""
    found = options(tmp_path, year.text, "511702109200", "2026", "--json")
    assert found.run(found) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["events"], document["before"], document["after"]) == (5, "8", "15")
    assert document["accounts"][0]["title"] == "1001 户"
    found = options(tmp_path)
    found.run(found)
    assert "1 户不变" in capsys.readouterr().out


@pytest.mark.parametrize(
    "place, year",
    [("511702", "2026"), ("*", "2026"), ("abc", "2026"), ("511702109200", "0"), ("999999999999", "2026")],
)
def test_the_command_refuses_nonsense(cast, tmp_path, place, year):
    """A place must be a village that exists; a year a year."""
    found = options(tmp_path, SMALL_BOOK, place, year)
    with pytest.raises(ZhiliError):
        found.run(found)


def test_a_bad_file_is_said_before_the_database_is_asked(tmp_path, capsys):
    """Exit code 1 and a sentence, no traceback."""
    found = options(tmp_path, "title: 只有名称")
    with pytest.raises(ZhiliError, match="draft"):
        found.run(found)
    assert "zhili.web.commands" in command.ROOMS
