"""Who is affected by an incident, out of the trail; and the texts the law asks for (P-12)."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from python_calamine import CalamineWorkbook

from zhili.audit.models import Entry
from zhili.common.clock import now
from zhili.common.errors import NotAllowed, NotFound
from zhili.common.periods import today
from zhili.people.actions import edit_resident
from zhili.people.models import Resident
from zhili.people.unmasking import unmask
from zhili.privacy import actions, breach
from zhili.privacy.access import access_incident
from zhili.privacy.breach import KINDS, Question, affected
from zhili.privacy.errors import PrivacyError
from zhili.privacy.models import Incident

TEXTS = {
    "data_kinds": "姓名、户编号", "cause": "账号被人借用", "harm": "可能接到诈骗电话", "remedies": "已停用账号并改密码",
    "advice": "接到可疑电话请挂断并告诉村里", "contact": "0818-0000000 村委会",
}  # fmt: skip


def asked(cast: SimpleNamespace, **changes: Any) -> Question:
    facts: dict[str, Any] = {
        "place": "511702", "since": now() - timedelta(hours=1), "until": now() + timedelta(hours=1)
    }  # fmt: skip
    return Question(**(facts | changes))


@pytest.fixture
def looked(cast: SimpleNamespace) -> SimpleNamespace:
    """The clerk unmasked one phone and opened one household with a child; the next village's clerk exported its list."""
    house, born = cast.reviewer2.resident.household, today() - timedelta(days=3000)
    cast.child = Resident.objects.create(place=cast.place, household=house, name="演示小", birth_date=born)
    edit_resident(by=cast.clerk, resident=cast.villager.resident, phone="13987650123")
    unmask(by=cast.clerk, resident=cast.villager.resident, field="phone", reason="核对补贴")
    client = Client()
    client.force_login(cast.clerk)
    assert client.get(f"/desk/{cast.place}/households/{cast.child.household_id}/").status_code == 200
    client.force_login(cast.stranger_clerk)
    assert client.get(f"/desk/{cast.next_place}/households/?export=xlsx").status_code == 200
    return cast


def test_everybody_looked_at_and_nobody_else(looked: SimpleNamespace) -> None:
    """P-12: one unmasked number, one household's page, one exported list: exactly those people, with how and how often."""
    people = affected(asked(looked))
    assert {one.name for one in people if one.place == looked.next_place} == {"邻村演示", "邻村文书"}
    here = {one.name: one for one in people if one.place == looked.place}
    assert set(here) == {"演示甲", "演示己", "演示小"}
    assert here["演示甲"].how == "看了完整号码" and here["演示甲"].reachable
    assert here["演示小"].minor and here["演示小"].guardians == "演示己" and not here["演示己"].minor


def test_by_actor_by_kind_by_window_by_place(looked: SimpleNamespace) -> None:
    """P-12: each narrows; outside the window is nobody."""
    clerk = asked(looked, actors=(looked.clerk.pk,))
    assert {one.place for one in affected(clerk)} == {looked.place}
    assert {one.name for one in affected(asked(looked, kinds=("unmask",)))} == {"演示甲"}
    assert {one.place for one in affected(asked(looked, place=looked.next_place))} == {looked.next_place}
    assert affected(asked(looked, actors=(looked.county.pk,))) == []
    earlier = {"since": now() - timedelta(days=3), "until": now() - timedelta(days=2)}
    assert affected(asked(looked, **earlier)) == []


def test_two_statements_whatever_the_number(looked: SimpleNamespace) -> None:
    """P-12: the list of a county is one look at the trail."""
    with CaptureQueriesContext(connection) as queries:
        affected(asked(looked))
    assert len(queries) == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"until": now() - timedelta(days=9)}, "早于"), ({"since": now() - timedelta(days=1200)}, "太长"),
     ({"kinds": ("gossip",)}, "操作种类"), ({"kinds": ()}, "操作种类")],
)  # fmt: skip
def test_questions_that_cannot_be_answered(
    cast: SimpleNamespace, changes: dict[str, Any], words: str
) -> None:
    """P-12: refused in words."""
    with pytest.raises(PrivacyError, match=words):
        affected(asked(cast, **changes))


def test_every_kind_is_an_event_the_trail_knows() -> None:
    """P-12, O-01: the kinds of looking name events of the catalogue."""
    from zhili.audit.catalogue import EVENTS

    named = {name for _, names in KINDS.values() for name in names} - {"people.reveal"}
    assert not named - set(EVENTS)


def test_the_pack_says_what_the_law_asks(looked: SimpleNamespace) -> None:
    """P-12 (57): kind, cause, harm, remedies, what to do, contact; the child's guardians are told; nothing left open."""
    made = actions.open_incident(by=looked.security_admin, question=asked(looked), **TEXTS)
    assert (made.people, made.minors) == (5, 1)
    pack = breach.pack(made)
    for text in TEXTS.values():
        assert text in "".join(pack.to_people)
    assert "5 人，其中未满 14 岁 1 人" in pack.to_authority[0] and "您家孩子" in pack.to_guardians[0]
    book = CalamineWorkbook.from_filelike(io.BytesIO(breach.workbook(pack, watermark="演示 导出")))
    assert book.sheet_names == ["通知文本", "涉及的人", "未满14岁"]
    children = str(book.get_sheet_by_name("未满14岁").to_python())
    assert "演示小" in children and "演示己" in children and "演示甲" not in children
    entry = Entry.objects.get(action="privacy.breach")
    assert entry.detail["people"] == 5 and "演示" not in str(entry.detail)


def test_no_pack_without_the_texts(looked: SimpleNamespace) -> None:
    """P-12: each of the six is compulsory."""
    for name in TEXTS:
        with pytest.raises(PrivacyError, match="还没有写"):
            actions.open_incident(by=looked.security_admin, question=asked(looked), **TEXTS | {name: " "})
    assert not Incident.objects.exists()


@pytest.mark.parametrize(
    "who", ["clerk", "supervisor", "county", "system_admin", "audit_admin", "villager", "bank"]
)
def test_only_the_security_administrator(looked: SimpleNamespace, who: str) -> None:
    """P-12, A-07: neither those who may have leaked it nor those who run the machine."""
    user = getattr(looked, who)
    with pytest.raises(NotAllowed):
        actions.open_incident(by=user, question=asked(looked), **TEXTS)
    made = actions.open_incident(by=looked.security_admin, question=asked(looked), **TEXTS)
    with pytest.raises(NotFound):
        access_incident(user, made.pk)


def test_an_unknown_account_is_refused(cast: SimpleNamespace) -> None:
    """P-12: a typing mistake must not narrow the list to nobody."""
    assert breach.actors_named(cast.place, ["clerk", " "]) == (cast.clerk.pk,)
    with pytest.raises(PrivacyError, match="没有账号 klerk"):
        breach.actors_named(cast.place, ["klerk"])


@pytest.mark.processes
def test_the_command(own_database: str, tmp_path: Any) -> None:
    """P-12: `zhili privacy breach` prints one document; a wrong date is refused."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "zhili.config.command", "privacy", "breach", "--place", "511702", *words],
            capture_output=True, text=True, timeout=120, env={**os.environ, "ZHILI_DATABASE": own_database},
        )  # fmt: skip

    found = json.loads(run("--from", "2026-01-01", "--to", "2026-12-31", "--json").stdout)
    assert found == {"people": 0, "minors": 0, "rows": []}
    wrong = run("--from", "1月1日", "--to", "2026-12-31")
    assert wrong.returncode == 1 and "日期不对" in wrong.stderr
    file = tmp_path / "名单.xlsx"
    assert run("--from", "2026-01-01", "--to", "2026-12-31", "--out", str(file)).returncode == 0
    assert file.stat().st_mode & 0o777 == 0o600
