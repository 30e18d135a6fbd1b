"""The desk of claims and reviews: lists, the story of one, bulk decisions, recusal."""

from __future__ import annotations

import re
from datetime import date

import pytest
import time_machine

from tests.books import make_book
from tests.month import claim_for, home
from zhili.claims import photos as photo_files
from zhili.claims.models import Claim, Recusal
from zhili.claims.tests.test_phone import _photo_root, body, browser, picture  # noqa: F401
from zhili.common.ids import uuid7


@pytest.fixture(autouse=True)
def _now():
    with time_machine.travel("2026-10-20 10:00:00+08:00", tick=True):
        yield


@pytest.fixture
def village(cast):
    cast.book = make_book(cast)
    cast.desk = f"/desk/{cast.place}"
    return cast


def mark(claim: Claim) -> str:
    return f"{claim.pk}:{claim.status}"


def test_the_list_filters_and_exports_what_it_shows(village):
    """U-52: same filter on the screen and in the workbook."""
    from zhili.common.spreadsheets import read_workbook

    claim_for(village)
    claim_for(village, by=village.clerk, household=home(village, "3001"), item="GY03", channel="counter",
              photos=[picture().getvalue()])  # fmt: skip
    client = browser(village.clerk)
    page = client.get(f"{village.desk}/claims/").content.decode()
    assert "清扫一段公共道路" in page and "组织一次公益活动" in page
    narrow = client.get(f"{village.desk}/claims/", {"channel": "counter"}).content.decode()
    assert "A-2" in narrow and ">A-1<" not in narrow
    sheet = client.get(f"{village.desk}/claims/", {"channel": "counter", "export": "xlsx"})
    book = read_workbook(sheet.content, "a.xlsx")
    text = str(book)
    assert "组织一次公益活动" in text and "清扫一段公共道路" not in text
    assert ">A-1<" in client.get(f"{village.desk}/claims/", {"q": "1001"}).content.decode()
    assert ">A-2<" in client.get(f"{village.desk}/claims/", {"q": "a-2"}).content.decode()


@pytest.mark.parametrize("person", ["villager", "shopkeeper", "bank", "system_admin", "security_admin"])
@pytest.mark.parametrize("path", ["claims/", "reviews/", "recusals/", "claims/new/"])
def test_the_desk_is_for_those_who_work_here(village, person, path):
    """A-07."""
    assert browser(getattr(village, person)).get(f"{village.desk}/{path}").status_code in (403, 404)


@pytest.mark.parametrize("path", ["claims/", "reviews/", "recusals/", "claims/new/"])
def test_the_next_villages_clerk_finds_no_page(village, path):
    """A-03, A-04."""
    assert browser(village.stranger_clerk).get(f"{village.desk}/{path}").status_code == 404


def test_a_leader_lists_the_own_group(village):
    """A-05."""
    claim_for(village)
    claim_for(village, by=village.clerk, household=home(village, "3001"), channel="counter")
    page = browser(village.group_leader).get(f"{village.desk}/claims/").content.decode()
    assert ">A-1<" in page and ">A-2<" not in page


def test_entering_at_the_desk_goes_through_the_trial_too(village):
    """C-01: find the household, choose, look, hand in; the same flow as the phone."""
    client = browser(village.clerk)
    page = client.get(f"{village.desk}/claims/new/", {"h": "3001"}).content.decode()
    assert "演示辛" in page and "门前屋后评比" in page
    target = home(village, "3001")
    path = f"{village.desk}/claims/new/{target.pk}/HJ02/"
    looked = client.post(path, {**body(grade="整洁"), "step": "look"})
    assert looked.status_code == 200 and "能加" in looked.content.decode()
    done = client.post(path, {**body(grade="整洁"), "step": "submit"})
    claim = Claim.objects.get()
    assert done["Location"] == f"{village.desk}/claims/{claim.pk}/" and claim.grade == "整洁"
    assert client.post(path, {**body(grade="极好"), "step": "submit"}).status_code == 422


def test_a_claims_page_shows_its_whole_story(village):
    """U-63."""
    claim = claim_for(village, photos=[picture().getvalue()])
    twin = claim_for(village, photos=[picture().getvalue()])
    page = browser(village.clerk).get(f"{village.desk}/claims/{twin.pk}/").content.decode()
    assert "来龙去脉" in page and "一模一样" in page and f"A-{claim.number}" in page
    assert browser(village.stranger_clerk).get(f"{village.desk}/claims/{claim.pk}/").status_code == 404
    assert browser(village.clerk).get(f"{village.desk}/claims/{uuid7()}/").status_code == 404


def test_bulk_review_decides_what_is_ticked(village):
    """Issue Claims, bulk review: two ticked, one left."""
    one, two, three = claim_for(village), claim_for(village), claim_for(village)
    client = browser(village.reviewer2)
    page = client.get(f"{village.desk}/reviews/").content.decode()
    assert "共 3 条" in page and "review." in page and "同一天同一项" in page
    answer = client.post(
        f"{village.desk}/reviews/",
        {"claim": [mark(one), mark(two)], "decision": "approve", "reason": ""},
        follow=True,
    )
    assert "通过 2 条：A-1、A-2" in answer.content.decode()
    assert sorted(Claim.objects.values_list("status", flat=True)) == ["approved", "approved", "submitted"]
    assert three.status == "submitted"


def test_bulk_review_with_scores_typed_by_row(village):
    """G-10: points people set go row by row; a row without a score is named, the others stand."""
    scored = claim_for(village, item="GY05", witness="")
    empty = claim_for(village, item="GY05", witness="")
    client = browser(village.reviewer2)
    data = {
        "claim": [mark(scored), mark(empty)],
        "decision": "approve",
        f"points-{scored.pk}": "3",
        f"points-{empty.pk}": "",
    }
    page = client.post(f"{village.desk}/reviews/", data, follow=True).content.decode()
    scored.refresh_from_db()
    empty.refresh_from_db()
    assert scored.status == "second_review" and empty.status == "submitted"
    assert f"{empty}" in page and "要评定分数" in page


@pytest.mark.parametrize(
    "data, words",
    [
        ({"decision": "approve"}, "没有选中申报"),
        ({"decision": "refuse", "tick": True}, "要写理由"),
        ({"decision": "post", "tick": True}, "没有这种决定"),
        ({"decision": "approve", "tick": True, "points": "abc"}, "不是积分"),
    ],
)
def test_bulk_review_says_what_is_missing_and_keeps_the_ticks(village, data, words):
    claim = claim_for(village)
    sent = {"decision": data["decision"], "reason": ""}
    if data.get("tick"):
        sent["claim"] = mark(claim)
    if data.get("points"):
        sent[f"points-{claim.pk}"] = data["points"]
    answer = browser(village.reviewer2).post(f"{village.desk}/reviews/", sent)
    page = answer.content.decode()
    claim.refresh_from_db()
    assert answer.status_code == 422 and words in page and claim.status == "submitted"
    assert ("checked" in page) == bool(data.get("tick"))


def test_recused_claims_stand_apart_with_the_reason_and_cannot_be_decided(village):
    """A-08, G-08: shown, explained, no tick box; posted by hand it is refused by name."""
    claim = claim_for(village)
    client = browser(village.reviewer)
    page = client.get(f"{village.desk}/reviews/").content.decode()
    assert "您需要回避" in page and str(claim.pk) not in page.split("要由别人评议")[0]
    answer = client.post(
        f"{village.desk}/reviews/", {"claim": mark(claim), "decision": "approve"}, follow=True
    )
    claim.refresh_from_db()
    assert "应回避" in answer.content.decode() and claim.status == "submitted"


def test_a_stale_row_is_named_and_not_decided(village):
    """C-08."""
    claim = claim_for(village)
    old = mark(claim)
    browser(village.reviewer3).post(
        f"{village.desk}/reviews/", {"claim": old, "decision": "return", "reason": "补照片"}
    )
    page = browser(village.reviewer2).post(
        f"{village.desk}/reviews/", {"claim": old, "decision": "approve"}, follow=True
    )
    claim.refresh_from_db()
    assert claim.status == "returned" and "过时" in page.content.decode()


def test_a_claim_of_another_village_posted_in_bulk_is_not_touched(village):
    """A-03, A-11."""
    make_book(village, place=village.next_place)
    foreign = claim_for(village, by=village.stranger, household=village.stranger.resident.household)
    answer = browser(village.reviewer2).post(
        f"{village.desk}/reviews/", {"claim": mark(foreign), "decision": "approve"}
    )
    foreign.refresh_from_db()
    assert answer.status_code == 422 and foreign.status == "submitted"


def test_a_deduction_is_heard_before_it_is_decided(village):
    """G-20: the clerk writes down what the household said; before that no reviewer can pass it."""
    claim = claim_for(village, by=village.clerk, household=home(village, "3001"), item="ZX01", channel="counter",
                      reminded_on=date(2026, 10, 1))  # fmt: skip
    reviewer, clerk = browser(village.reviewer2), browser(village.clerk)
    path = f"{village.desk}/claims/{claim.pk}/"
    refused = reviewer.post(path, {"do": "review", "decision": "approve", "status": "submitted"})
    assert refused.status_code == 422 and "还没有听本户怎么说" in refused.content.decode()
    assert clerk.post(path, {"do": "hear", "hear-text": ""}).status_code == 422
    assert clerk.post(path, {"do": "hear", "hear-text": "已经清走了"}).status_code == 302
    assert (
        reviewer.post(path, {"do": "review", "decision": "approve", "status": "submitted"}).status_code == 302
    )
    claim.refresh_from_db()
    assert (claim.heard, claim.status) == ("已经清走了", "second_review")


def test_unknown_buttons_and_foreign_persons_change_nothing(village):
    """W-03, A-07."""
    claim = claim_for(village)
    path = f"{village.desk}/claims/{claim.pk}/"
    assert browser(village.clerk).post(path, {"do": "post_to_ledger"}).status_code == 422
    assert browser(village.clerk).post(path, {"do": "withdraw"}).status_code == 422
    assert (
        browser(village.clerk)
        .post(path, {"do": "review", "decision": "approve", "status": "submitted"})
        .status_code
        == 422
    )
    claim.refresh_from_db()
    assert claim.status == "submitted"


def test_the_recusal_register(village):
    """G-08: a reviewer adds a tie; ends it not alone; the clerk ends it; unknown households are named."""
    mine = browser(village.reviewer2)
    path = f"{village.desk}/recusals/"
    base = {"do": "add", "user": village.reviewer2.pk, "kind": "business", "note": "合伙养鱼"}
    assert "没有找到" in mine.post(path, {**base, "household": "9999"}).content.decode()
    assert mine.post(path, {**base, "household": "3001"}).status_code == 302
    tie = Recusal.objects.get(user=village.reviewer2)
    other = mine.post(path, {**base, "user": village.reviewer3.pk, "household": "3001"})
    assert other.status_code == 422
    mine.post(path, {"do": "end", "recusal": tie.pk})
    tie.refresh_from_db()
    assert tie.ended_on is None
    browser(village.clerk).post(path, {"do": "end", "recusal": tie.pk})
    tie.refresh_from_db()
    assert tie.ended_on is not None


def test_photos_are_shown_only_with_their_claim(village):
    """F-03: 404 for anybody without a right to the claim; by GET of a made-up id likewise."""
    claim = claim_for(village, photos=[picture().getvalue()])
    photo = claim.evidence.get(kind="photo")
    seen = {name: browser(getattr(village, name)).get(f"/m/evidence/{photo.pk}.jpg").status_code
            for name in ("villager", "clerk", "reviewer2", "township", "shopkeeper", "stranger_clerk", "bank")}  # fmt: skip
    assert seen == {
        "villager": 200,
        "clerk": 200,
        "reviewer2": 200,
        "township": 200,
        "shopkeeper": 404,
        "stranger_clerk": 404,
        "bank": 404,
    }


def sheet(rows, name="十月.xlsx"):
    """A clerk's table as an upload."""
    from io import BytesIO

    from zhili.common.spreadsheets import Column, SheetOut, write_workbook

    heads = ["户编号", "姓名", "项目", "日期", "数量", "等次", "说明", "证明人"]
    file = BytesIO(
        write_workbook([SheetOut("申报", [Column(head, 12, "text") for head in heads], rows=rows)])
    )
    file.name = name
    return file


def test_a_sheet_is_checked_then_taken_whole(village):
    """U-50, C-09: the dry run writes nothing; taken once; the same file again is recognised."""
    client = browser(village.clerk)
    path = f"{village.desk}/claims/import/"
    rows = [
        ["1001", "", "HJ01", "2026-10-05", "", "", "扫路", "演示戊"],
        ["3001", "", "GY02", "2026-10-06", "12", "", "", "演示戊"],
    ]
    checked = client.post(path, {"file": sheet(rows)})
    page = checked.content.decode()
    assert "新的 2 条" in page and Claim.objects.count() == 0
    apply_at = page.split(f'action="{path}')[1].split('"')[0]
    assert client.get(path + apply_at).status_code == 302 and Claim.objects.count() == 0
    assert (
        "已收下 2 条，等待评议，编号 A-1 至 A-2" in client.post(path + apply_at, follow=True).content.decode()
    )
    assert set(Claim.objects.values_list("channel", flat=True)) == {"excel"}
    assert "已导入过" in client.post(path, {"file": sheet(rows)}).content.decode()


def test_a_sheet_with_errors_names_every_cell_and_gives_a_marked_file_back(village):
    """U-50: nothing is taken; the marked file downloads; another person cannot reach it."""
    client = browser(village.clerk)
    path = f"{village.desk}/claims/import/"
    page = client.post(
        path,
        {
            "file": sheet(
                [
                    ["9999", "", "HJ01", "2026-10-05", "", "", "", "演示戊"],
                    ["1001", "", "没有的", "昨天", "", "", "", ""],
                ]
            )
        },
    )
    text = page.content.decode()
    assert "处要改，还没有写入" in text and "确认导入" not in text and Claim.objects.count() == 0
    mend = re.search(r'href="([^"]+/mend/)"', text)[1]
    assert client.get(mend)["Content-Type"].endswith("sheet")
    assert (
        client.post(mend.replace("/mend/", "/apply/"), follow=True).status_code == 200
        and Claim.objects.count() == 0
    )
    assert browser(village.stranger_clerk).get(mend).status_code == 404


@pytest.mark.parametrize(
    "person, status", [("villager", 403), ("group_leader", 403), ("reviewer2", 403), ("stranger_clerk", 404)]
)
def test_only_the_clerk_imports(village, person, status):
    """A-07."""
    path = f"{village.desk}/claims/import/"
    assert browser(getattr(village, person)).get(path).status_code == status
    assert browser(getattr(village, person)).post(path, {"file": sheet([])}).status_code == status


def test_a_file_that_is_none_is_explained(village):
    """F-05."""
    from io import BytesIO

    wrong = BytesIO(b"hello")
    wrong.name = "a.xlsx"
    client = browser(village.clerk)
    answer = client.post(f"{village.desk}/claims/import/", {"file": wrong})
    assert answer.status_code == 422 and "没有保存" in answer.content.decode()
    assert client.post(f"{village.desk}/claims/import/", {}).status_code == 422
    assert client.get(f"{village.desk}/claims/import/template/")["Content-Type"].endswith("sheet")


def test_a_swapped_photo_is_flagged_where_people_decide(village):
    """T-09: the file on disk is no longer the one the claim named, or is gone: said on the claim and in the queue."""
    claim = claim_for(village, photos=[picture().getvalue()])
    photo = claim.evidence.get(kind="photo")
    path = photo_files.folder(village.place) / photo.file_name
    client = browser(village.reviewer2)
    pages = (
        f"/desk/{village.place}/claims/{claim.pk}/",
        f"/m/review/{claim.pk}/",
        f"/desk/{village.place}/reviews/",
    )
    for url in pages:
        assert "不是申报时交来的" not in client.get(url).content.decode(), url
    path.write_bytes(path.read_bytes() + b"x")
    for url in pages:
        assert "不是申报时交来的" in client.get(url).content.decode(), url
    path.unlink()
    assert "不是申报时交来的" in client.get(pages[0]).content.decode()
