"""Rule books through HTTP: the office's pages, the phone, the open page (A-01…A-11, L-09, RL-*, U-11, V-10)."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from tests.books import SMALL_BOOK, make_book
from zhili.common.periods import today
from zhili.rulebook import actions
from zhili.rulebook.book_yaml import load_yaml
from zhili.rulebook.models import RuleBook
from zhili.rulebook.queries import in_force, waiting_for_review
from zhili.rulebook.tests.procedure import BLOCKED, NEEDS_REVIEW, VOTE, clean_book, make
from zhili.rulebook.workbook import dump_workbook, load_workbook

DAY = timedelta(days=1)
ABSENT = "019b0000-0000-7000-8000-000000000000"
PAGES = ("", "check/", "compare/", "try/", "whatif/", "book.yaml", "book.xlsx", "poster.pdf")
FORMS = ("edit/", "consult/", "adopt/", "file/", "in-force/", "override/", "withdraw/")


def client_of(user) -> Client:
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def text_of(answer) -> str:
    return answer.content.decode()


def url(cast, row: RuleBook | str, page: str = "") -> str:
    key = row if isinstance(row, str) else row.pk
    return f"/desk/{cast.place}/rulebooks/{key}/{page}"


def post(client: Client, path: str, **fields):
    return client.post(path, fields)


def upload(data: bytes | str, name: str = "细则.yaml") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data.encode() if isinstance(data, str) else data)


@pytest.mark.parametrize(
    "who", ["clerk", "group_leader", "reviewer", "elder", "supervisor", "township", "county"]
)
def test_who_works_in_the_village_reads_every_page(cast, who):
    """A-02: reading, with each step's button only for whom it is."""
    row = make(cast, "in_force")
    client = client_of(getattr(cast, who))
    assert client.get(f"/desk/{cast.place}/rulebooks/").status_code == 200
    for page in PAGES:
        wanted = 403 if page == "whatif/" and who in ("group_leader", "reviewer") else 200
        assert client.get(url(cast, row, page)).status_code == wanted, page


@pytest.mark.parametrize(
    "who", ["villager", "shopkeeper", "stranger", "stranger_clerk", "bank", "audit_admin"]
)
def test_who_does_not_gets_no_page(cast, who):
    """A-01, A-04: a refusal or the same 404 as for what does not exist, never a title."""
    row = make(cast)
    client = client_of(getattr(cast, who))
    for path in [f"/desk/{cast.place}/rulebooks/", *(url(cast, row, page) for page in (*PAGES, *FORMS))]:
        answer = client.get(path)
        assert answer.status_code in (403, 404) and row.title not in text_of(answer), path
        assert client.post(path, {"reason": "x", "on": "2026-01-01"}).status_code in (403, 404, 405)
    row.refresh_from_db()
    assert row.status == "draft"


def test_foreign_and_absent_versions_are_the_same_404(cast):
    """A-04: also under the own village's address."""
    row = make(cast)
    client = client_of(cast.stranger_clerk)
    under_own = f"/desk/{cast.next_place}/rulebooks/{row.pk}/"
    absent = f"/desk/{cast.next_place}/rulebooks/{ABSENT}/"
    for page in (*PAGES, "edit/", "consult/", "withdraw/"):
        one, other = client.get(under_own + page), client.get(absent + page)
        assert one.status_code == other.status_code == 404
    assert client_of(cast.clerk).get(url(cast, ABSENT)).status_code == 404


def test_from_starter_to_superseded_in_the_browser_s_way(cast):
    """V-10, L-09: draft → consultation → adopted → filed → in force → superseded, each by its person."""
    clerk, elder, township = client_of(cast.clerk), client_of(cast.elder), client_of(cast.township)
    day = today()
    made = post(clerk, f"/desk/{cast.place}/rulebooks/new/", start="household", title="", valid_from=str(day))
    row = RuleBook.objects.get()
    assert made.status_code == 302 and made["Location"] == url(cast, row, "check/")
    assert row.title == "谭家沟村积分细则" and row.place == cast.place and row.items.count() == 33
    assert "征求意见" in text_of(clerk.get(url(cast, row)))
    post(clerk, url(cast, row, "consult/"), on=day - 10 * DAY, until=day - 3 * DAY, note="", seen=row.digest)
    assert "正在征求意见" in text_of(Client().get(f"/open/{cast.place}/rules/1/"))
    assert clerk.get(url(cast, row, "adopt/")).status_code == 403
    post(elder, url(cast, row, "adopt/"), on=day - 2 * DAY, seen=row.digest, **VOTE)
    assert "待备案" in text_of(elder.get(url(cast, row)))
    assert elder.get(url(cast, row, "file/")).status_code == 403
    post(township, url(cast, row, "file/"), on=day - DAY, receipt="备-1", note="", seen=row.digest)
    done = elder.post(url(cast, row, "in-force/"), {"on": day, "seen": row.digest}, follow=True)
    assert "已宣布施行" in text_of(done)
    row.refresh_from_db()
    assert row.status == "in_force" and in_force(cast.place, day) == row
    second = make(cast, "filed")
    post(elder, url(cast, second, "in-force/"), on=day + 3 * DAY, seen=second.digest)
    row.refresh_from_db()
    assert row.status == "superseded"
    shown = text_of(elder.get(f"/desk/{cast.place}/rulebooks/"))
    assert "施行中" in shown and "等待施行" in shown


def test_the_form_keeps_what_was_typed_and_says_why(cast):
    """U-20: a refused vote comes back with its numbers, the reason beside the field."""
    row = make(cast, "consultation")
    answer = post(client_of(cast.elder), url(cast, row, "adopt/"), on=today() - 2 * DAY, seen=row.digest,
                  **{**VOTE, "in_favour": 20, "against": 20, "minutes_ref": "会议记录第七号"})  # fmt: skip
    shown = text_of(answer)
    assert answer.status_code == 200 and "没有过半数" in shown and "会议记录第七号" in shown
    assert 'id="id_in_favour_error"' in shown


def test_a_stale_page_is_refused(cast):
    """Bad input: somebody changed the draft while the form lay open."""
    row = make(cast, "consultation")
    seen = row.digest
    actions.edit_draft(by=cast.clerk, book=row, text=SMALL_BOOK)
    answer = post(client_of(cast.elder), url(cast, row, "adopt/"), on=today() - 2 * DAY, seen=seen, **VOTE)
    assert "别人改过" in text_of(answer)
    row.refresh_from_db()
    assert row.status == "consultation"


def test_a_double_press_is_one_step(cast):
    """Bad input: the second press is told where the version stands now."""
    row = make(cast, "filed")
    client = client_of(cast.elder)
    fields = {"on": today(), "seen": row.digest}
    assert client.post(url(cast, row, "in-force/"), fields).status_code == 302
    assert "不能再宣布施行" in text_of(client.post(url(cast, row, "in-force/"), fields))


EXTRA = {
    "place": "511702109201", "status": "in_force", "version": 77, "frozen_at": "2026-01-01", "created_by": 1,
    "adoption": '{"meeting": "x"}', "override": '{"opinion": "x"}', "filing": "{}", "authors": "[]", "digest": "0" * 64,
    "book": ABSENT, "by": 1, "valid_to": "2020-01-01", "meeting_override": "1",
}  # fmt: skip


def test_extra_fields_have_no_effect(cast):
    """A-11: names of model fields in a POST change nothing."""
    client = client_of(cast.clerk)
    client.post(
        f"/desk/{cast.place}/rulebooks/new/",
        {**EXTRA, "start": "person", "title": "", "valid_from": "2027-01-01"},
    )
    row = RuleBook.objects.get()
    assert (row.place, row.status, row.version, row.frozen_at, row.created_by) == (
        cast.place,
        "draft",
        1,
        None,
        cast.clerk,
    )
    assert row.adoption == row.override == row.filing == {} and row.authors == [cast.clerk.pk]
    fields = {**EXTRA, "on": today() - 5 * DAY, "until": today() + 5 * DAY, "note": ""}
    client.post(url(cast, row, "consult/"), fields)
    row.refresh_from_db()
    assert (row.status, row.place, row.version, row.adoption) == ("consultation", cast.place, 1, {})


# --- files ----------------------------------------------------------------------------------------------------


def test_upload_and_download_both_forms(cast):
    """Import and export without loss through the pages."""
    client, book = client_of(cast.clerk), clean_book(cast.place)
    for data, name in [(dump_workbook(book), "细则.xlsx"), (make(cast).text.encode(), "细则.yml")]:
        answer = post(client, f"/desk/{cast.place}/rulebooks/new/", start="file", upload=upload(data, name))
        assert answer.status_code == 302, text_of(answer)
        row = RuleBook.objects.order_by("-version").first()
        yaml, xlsx = client.get(url(cast, row, "book.yaml")), client.get(url(cast, row, "book.xlsx"))
        assert load_yaml(yaml.content) == load_workbook(xlsx.content) == book
        assert (
            "attachment" in yaml["Content-Disposition"] and "filename*=UTF-8''" in yaml["Content-Disposition"]
        )
    assert client.get(f"/desk/{cast.place}/rulebooks/template.xlsx").content[:2] == b"PK"
    assert client.get(f"/desk/{cast.place}/rulebooks/starter-household.xlsx").content[:2] == b"PK"
    assert client.get(f"/desk/{cast.place}/rulebooks/starter-nothing.xlsx").status_code == 404


def test_every_fault_of_a_file_at_once_and_the_text_stays(cast):
    """Bad input: line, reason and remedy for each; the text comes back to be mended on the spot."""
    wrong = SMALL_BOOK.replace("settlement: month", "settlement: monthly").replace(
        "points: -5", "points: 很多"
    )
    client = client_of(cast.clerk)
    answer = post(
        client, f"/desk/{cast.place}/rulebooks/new/", start="file", title="我写的名称", upload=upload(wrong)
    )
    shown = text_of(answer)
    assert answer.status_code == 200 and not RuleBook.objects.exists()
    assert "第 6 行" in shown and "monthly" in shown and "很多" in shown and "我写的名称" in shown
    assert "占用公共通道经提醒不改" in shown and 'name="text"' in shown
    mended = post(client, f"/desk/{cast.place}/rulebooks/new/", start="file", text=SMALL_BOOK)
    assert mended.status_code == 302 and RuleBook.objects.count() == 1


def test_a_wrong_cell_is_named(cast):
    """Excel: the sheet and the cell."""
    import openpyxl

    data = io.BytesIO(dump_workbook(clean_book(cast.place)))
    book = openpyxl.load_workbook(data)
    sheet = book["项目"]
    column = next(c.column for row in sheet.iter_rows(max_row=3) for c in row if c.value == "编号")
    head = next(c.row for row in sheet.iter_rows(max_row=3) for c in row if c.value == "编号")
    sheet.cell(row=head + 2, column=column).value = sheet.cell(row=head + 1, column=column).value
    out = io.BytesIO()
    book.save(out)
    shown = text_of(post(client_of(cast.clerk), f"/desk/{cast.place}/rulebooks/new/", start="file",
                         upload=upload(out.getvalue(), "改坏.xlsx")))  # fmt: skip
    assert "“项目”表" in shown and "重复" in shown and not RuleBook.objects.exists()


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("[Content_Types].xml", "x" * 30_000_000)
    return out.getvalue()


HOSTILE = {
    "empty": b"", "binary": bytes(range(256)) * 20, "zip bomb": bomb(), "not a zip": b"PK\x03\x04" + b"\x00" * 500,
    "anchors": b"a: &a [x]\nb: [*a,*a]\n", "tag": b"!!python/object/apply:os.system ['true']", "deep": b"[" * 5000,
    "huge": b"#" * 6_000_000, "nul": b"format: zhili-rulebook/1\x00", "utf16": SMALL_BOOK.encode("utf-16"),
    "list": b"- 1\n- 2\n", "html": b"<script>alert(1)</script>",
    "script in a title": SMALL_BOOK.replace("清扫一段公共道路", "<script>alert(1)</script>").encode(),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_uploads(cast, name):
    """F-*, W-*: a sentence, nothing stored, nothing run; a script in a title is shown as text."""
    client = client_of(cast.clerk)
    answer = client.post(
        f"/desk/{cast.place}/rulebooks/new/",
        {"start": "file", "upload": upload(HOSTILE[name], "../../x.yaml")},
        follow=True,
    )
    assert answer.status_code == 200
    assert "<script>alert" not in text_of(answer)
    if name != "script in a title":
        assert (
            not RuleBook.objects.exists() and "field__error" in text_of(answer)
        ) or "form-errors" in text_of(answer)


def test_editing_through_the_page(cast):
    """The text or a file; the author's stale text is refused and kept."""
    row = make(cast, text=SMALL_BOOK)
    client = client_of(cast.clerk)
    better = row.text.replace("points: 15}", "points: 12}")
    assert post(client, url(cast, row, "edit/"), text=better, seen=row.digest).status_code == 302
    stale = text_of(post(client, url(cast, row, "edit/"), text=better.replace("12}", "9}"), seen=row.digest))
    assert "别人改过" in stale and "points: 9}" in stale
    assert "没有改动" in text_of(post(client, url(cast, row, "edit/"), text=better, seen=""))
    assert "上传文件" in text_of(post(client, url(cast, row, "edit/"), text="  ", seen=""))
    adopted = make(cast, "adopted")
    assert "不能再修改" in text_of(post(client, url(cast, adopted, "edit/"), text=SMALL_BOOK, seen=""))


# --- red lines, comparison, trial -----------------------------------------------------------------------------


def test_the_red_line_page_names_article_and_rewrite(cast):
    """RL-01: verdict as a word, basis, suggestion, quote; the step button is gone."""
    row = make(cast, text=BLOCKED)
    shown = text_of(client_of(cast.clerk).get(url(cast, row, "check/")))
    assert (
        "阻断" in shown and "RL-01" in shown and "组织法" in shown and "建议" in shown and "越级上访" in shown
    )
    page = text_of(client_of(cast.clerk).get(url(cast, row)))
    assert "越过红线" in page and "/consult/" not in page
    refused = post(client_of(cast.clerk), url(cast, row, "consult/"), on=today(), until=today() + 7 * DAY)
    assert "越过红线" in text_of(refused)


def test_a_legal_opinion_through_the_page_is_public(cast):
    """Invariant 9: item, reason and office stand on the open page, no person's name."""
    row = make(cast, "filed", text=NEEDS_REVIEW)
    township = client_of(cast.township)
    codes = [code or "*" for code in waiting_for_review(row)]
    page = text_of(township.get(url(cast, row, "override/")))
    assert all(f'value="{code}"' in page for code in codes) and 'value="HJ01"' not in page
    forged = township.post(
        url(cast, row, "override/"), {"items": ["HJ01"], "reason": "同意", "seen": row.digest}
    )
    assert "不需要法审" in text_of(forged)
    township.post(
        url(cast, row, "override/"), {"items": codes, "reason": "经本人邀请才进门", "seen": row.digest}
    )
    client_of(cast.elder).post(url(cast, row, "in-force/"), {"on": today(), "seen": row.digest})
    shown = text_of(Client().get(f"/open/{cast.place}/rules/"))
    assert "经本人邀请才进门" in shown and "乡镇干部" in shown and cast.township.display_name not in shown


def test_comparing_two_versions(cast):
    """What changed, in words."""
    make(cast, text=SMALL_BOOK)
    new = make(cast, text=SMALL_BOOK.replace("points: 15}", "points: 12}"))
    client = client_of(cast.supervisor)
    shown = text_of(client.get(url(cast, new, "compare/")))
    assert "从第 1 版到第 2 版，共 1 处不同" in shown and "由“15 分”改为“12 分”" in shown
    for asked in ("99", "abc", "-1", "1%27"):
        assert client.get(url(cast, new, f"compare/?with={asked}")).status_code == 404


def test_trying_one_event(cast):
    """试算: points and why, caps included, nothing stored."""
    row = make_book(cast)
    client = client_of(cast.reviewer)
    shown = text_of(client.get(url(cast, row, "try/?item=HJ01&on=2026-03-01&times=5")))
    assert "结果：8 分" in shown and "不加分" in shown
    assert "结果：10 分" in text_of(
        client.get(url(cast, row, "try/?item=GY01&on=2026-03-01&times=1&quantity=5000"))
    )
    for query, said in [
        ("item=GY01&on=2026-03-01&times=1", "请填写数量"),
        ("item=GY01&on=2026-03-01&times=1&quantity=NaN", "请填数字"),
        ("item=GY01&on=2026-03-01&times=1&quantity=-5", "不能是负数"),
        ("item=HJ01&on=2020-03-01&times=1", "有效期"),
        ("item=HJ01&on=abc&times=1", "日期不对"),
        ("item=HJ01&on=2026-03-01&times=5000", "最多 20 次"),
        ("item=HJ02&on=2026-03-01&times=1&grade=没有这一等", "form-errors"),
        ("item=GY04&on=2026-03-01&times=1&points=9999", "form-errors"),
    ]:
        answer = client.get(url(cast, row, f"try/?{query}"))
        assert answer.status_code == 200 and said in text_of(answer), query
    assert client.get(url(cast, row, "try/?item=NOPE")).status_code == 200


# --- phone and open -------------------------------------------------------------------------------------------


def test_the_phone_says_it_in_plain_words(cast):
    """U-11: by category, with search, an example and how to claim."""
    client = client_of(cast.villager)
    assert "还没有施行的积分细则" in text_of(client.get("/m/rules/"))
    make(cast, "in_force")
    shown = text_of(client.get("/m/rules/"))
    assert "每月最多 4 次" in shown and "清扫一段村里的公共道路" in shown
    found = text_of(client.get("/m/rules/?q=水沟"))
    assert "找到" in found and "志愿服务" not in found
    assert "没有找到" in text_of(client.get("/m/rules/?q=%00<b>'\""))
    one = text_of(client.get("/m/rules/HJ04/"))
    assert "每 10 米 1 分，一次最多 5 分" in one and "怎么申报" in one and "举个例子" in one
    assert client.get("/m/rules/NOPE/").status_code == 404
    assert Client().get("/m/rules/").status_code == 302


def test_a_stranger_sees_the_rules_of_the_own_village_only(cast):
    """A-03: the phone's village is the person's own."""
    make(cast, "in_force")
    shown = text_of(client_of(cast.stranger).get("/m/rules/"))
    assert "演示细则" not in shown
    assert client_of(cast.stranger).get(f"/m/rules/?place={cast.place}").status_code == 404


def test_the_open_page_tells_how_it_was_adopted(cast):
    """The vote in numbers, the files, the older versions; drafts and withdrawn ones are not there."""
    draft = make(cast)
    withdrawn = actions.withdraw(by=cast.clerk, book=make(cast, "adopted"), reason="写错")
    assert "还没有施行的积分细则" in text_of(Client().get(f"/open/{cast.place}/rules/"))
    row = make(cast, "in_force")
    shown = text_of(Client().get(f"/open/{cast.place}/rules/"))
    assert "村民代表会议" in shown and "35 人" in shown and "会-2026-03" in shown and row.digest[:16] in shown
    for hidden in (draft, withdrawn):
        for page in ("", "book.yaml", "book.xlsx"):
            assert Client().get(f"/open/{cast.place}/rules/{hidden.version}/{page}").status_code == 404
    assert (
        load_yaml(Client().get(f"/open/{cast.place}/rules/{row.version}/book.yaml").content).title
        == row.title
    )
    assert Client().get(f"/open/{cast.place}/rules.json").json()["digest"] == row.digest
    assert Client().get(f"/open/{cast.next_place}/rules.json").status_code == 404
    assert Client().get(f"/open/{cast.next_place}/rules/{row.version}/").status_code == 404
    assert Client().get("/open/999999999999/rules/").status_code == 404


def test_paper(cast):
    """U-33, U-34: the wall sheet and the blank claim sheet are real PDFs; none without a book in force."""
    assert Client().get(f"/open/{cast.place}/rules.pdf").status_code == 404
    assert client_of(cast.clerk).get(f"/desk/{cast.place}/rulebooks/claim-sheet.pdf").status_code == 404
    make(cast, "in_force")
    for client, path in [
        (Client(), f"/open/{cast.place}/rules.pdf"),
        (Client(), f"/open/{cast.place}/rules.pdf?paper=a4"),
        (Client(), f"/open/{cast.place}/claim-sheet.pdf"),
        (client_of(cast.clerk), f"/desk/{cast.place}/rulebooks/claim-sheet.pdf"),
    ]:
        answer = client.get(path)
        assert answer.status_code == 200 and answer.content[:5] == b"%PDF-", path


def test_no_page_asks_more_of_the_database_for_more_rows(cast, django_assert_max_num_queries):
    """Bounded queries: the list with many versions, the book with many items."""
    for _ in range(6):
        make(cast)
    row = make(cast)
    client = client_of(cast.clerk)
    for path in (f"/desk/{cast.place}/rulebooks/", url(cast, row), url(cast, row, "check/")):
        client.get(path)
        with django_assert_max_num_queries(25):
            assert client.get(path).status_code == 200


def test_names_of_the_pages():
    """Navigation finds them by these names."""
    place = "511702109200"
    assert reverse("desk_rulebooks", args=[place]) == f"/desk/{place}/rulebooks/"
    assert reverse("open_rulebook", args=[place]) == f"/open/{place}/rules/"
    assert reverse("m_rules") == "/m/rules/"
