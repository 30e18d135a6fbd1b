"""全组达标 (G-14, U-62, M-10): progress in words and figures, reached once, nothing of a small group in public."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.cast import make_cast, make_person
from zhili.audit.models import Entry
from zhili.common.errors import NotAllowed
from zhili.common.scope import set_scope
from zhili.honours import actions
from zhili.honours.errors import Conflict, HonourError
from zhili.honours.goals import progress_of
from zhili.honours.models import GroupGoal
from zhili.honours.tests.stage import award

pytestmark = [pytest.mark.django_db]
NOW = "2026-H2"


@pytest.fixture
def cast(db: None, time_machine: Any) -> Any:
    time_machine.move_to("2026-11-20T10:00:00+08:00")
    set_scope(["511702"])
    found = make_cast()
    for code in ("1004", "1005"):
        make_person(f"more{code}", "演示多", found.place, code, "1组", "head")
    for code, points in (("1001", 5000), ("1002", 4000), ("1003", 3999), ("1004", 4000), ("2001", 9000)):
        award(found, code, points, "2026-09")
    return found


def goal(cast, **changes) -> GroupGoal:
    facts: dict[str, Any] = {
        "by": cast.clerk, "place": cast.place, "group": "1组", "title": "全组达标换路灯", "measure": "share",
        "period": NOW, "points": 4000, "share": 80, "reward": "换 6 盏太阳能路灯", "basis": "村民代表会议",
        "resolved_on": date(2026, 7, 1),
    }  # fmt: skip
    return actions.add_goal(**(facts | changes))


def test_share_of_households(cast):
    """G-14: 80 % of five households are four; three are there; the sentence and the table say so."""
    found = progress_of(cast.place, [goal(cast)])[0]
    assert (found.households, found.reached, found.wanted, found.percent, found.done) == (5, 3, 4, 75, False)
    assert found.sentence == "要 4 户，已有 3 户，还差 1 户。"
    award(cast, "1003", 1, "2026-10")
    assert progress_of(cast.place, [found.goal])[0].done


def test_total_of_a_group(cast):
    found = progress_of(cast.place, [goal(cast, measure="total", points=20_000)])[0]
    assert (found.reached, found.wanted, found.percent) == (16_999, 20_000, 84)
    assert found.sentence == "要 200 分，已有 169.99 分，还差 30.01 分。"
    assert found.goal.share == 0


def test_deductions_play_no_part(cast):
    """M-09: a group's figure cannot show that somebody lost points."""
    made = goal(cast, measure="total", points=20_000)
    award(cast, "1001", -500, "2026-10")
    assert progress_of(cast.place, [made])[0].reached == 16_999


def test_reached_once(cast):
    made = goal(cast)
    with pytest.raises(HonourError, match="要 4 户，已有 3 户"):
        actions.record_reached(by=cast.clerk, goal=made)
    award(cast, "1003", 1, "2026-10")
    actions.record_reached(by=cast.clerk, goal=made)
    assert (made.status, made.figure, made.reached_on) == ("reached", 4, date(2026, 11, 20))
    with pytest.raises(Conflict):
        actions.record_reached(by=cast.clerk, goal=made)
    with pytest.raises(Conflict):
        actions.end_goal(by=cast.clerk, goal=made, because="不算数了")
    assert Entry.objects.filter(action="honours.goal_reached").count() == 1
    assert "换 6 盏太阳能路灯" in progress_of(cast.place, [made])[0].sentence


def test_a_small_group_is_not_shown(cast, client):
    """M-10: of a group under five households no page says how far it is; the clerk alone sees it at the desk."""
    made = goal(cast, group="2组", points=9000)
    found = progress_of(cast.place, [made])[0]
    assert found.small and "不公布进度" in found.sentence
    open_page = client.get(f"/open/{cast.place}/honours/").content.decode()
    assert "全组达标换路灯" in open_page and "不公布进度" in open_page
    assert "<progress" not in open_page and "已有" not in open_page
    client.force_login(cast.reviewer2, "allauth.account.auth_backends.AuthenticationBackend")
    for path in (
        "/m/honours/",
        f"/desk/{cast.place}/honours/",
        f"/desk/{cast.place}/honours/goals/{made.pk}/",
    ):
        page = client.get(path).content.decode()
        assert "不公布进度" in page and "已有" not in page and "<progress" not in page


@pytest.mark.parametrize("role", ["villager", "elder", "supervisor", "township", "stranger_clerk"])
def test_only_the_clerk(cast, role):
    with pytest.raises(NotAllowed):
        goal(cast, by=getattr(cast, role))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"group": "9组"}, "group"),
        ({"period": "2026-H1"}, "period"),
        ({"period": "ever"}, "period"),
        ({"period": "x"}, "period"),
        ({"points": 0}, "points"),
        ({"share": 0}, "share"),
        ({"share": 101}, "share"),
        ({"reward": ""}, "reward"),
        ({"reward": "找 13812345678 领"}, "reward"),
        ({"resolved_on": date(2099, 1, 1)}, "resolved_on"),
    ],
)
def test_goals_that_cannot_be(cast, changes, field):
    with pytest.raises(HonourError) as refused:
        goal(cast, **changes)
    assert refused.value.field == field


def test_one_at_a_time(cast):
    """M-10: two thresholds at once would tell how many households lie between them."""
    made = goal(cast)
    with pytest.raises(Conflict, match="进行中"):
        goal(cast, points=4001)
    actions.end_goal(by=cast.clerk, goal=made, because="改了办法")
    assert goal(cast, points=4001).status == "running"


def test_statements_do_not_grow(cast):
    """The same statements for one goal and for three."""
    first = goal(cast)

    def count(goals) -> int:
        with CaptureQueriesContext(connection) as seen:
            progress_of(cast.place, goals)
        return len(seen)

    few = count([first])
    assert count([first, goal(cast, group="2组"), goal(cast, group="3组")]) == few
