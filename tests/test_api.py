"""The points month by machine: every step by HTTP with the key of the person whose step it is."""

from __future__ import annotations

import io
import zipfile

import pytest
import time_machine
from PIL import Image

from tests.books import PLAIN_BOOK, SMALL_BOOK, make_book
from tests.cast import NEXT_VILLAGE
from tests.machine import Machine
from tests.month import approved, home
from zhili.claims.models import Claim
from zhili.common.ids import uuid7
from zhili.common.points import parse_points
from zhili.people.models import Household, Membership

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("api")]
OCTOBER = "2026-10-25 10:00:00+08:00"
OPENING = "2026-11-02 09:00:00+08:00"
OBJECTING = "2026-11-04 09:00:00+08:00"
CLOSING = "2026-11-10 09:00:00+08:00"


@pytest.fixture
def village(cast):
    with time_machine.travel(OCTOBER, tick=False):
        cast.book = make_book(cast, PLAIN_BOOK)
        yield cast


def at(moment: str):
    return time_machine.travel(moment, tick=False)


def claim_body(**changes):
    return {"id": str(uuid7()), "household": "1001", "item": "HJ01", "occurred_on": "2026-10-20",
            "witness": "演示戊"} | changes  # fmt: skip


def photo(colour: str = "green") -> io.BytesIO:
    data = io.BytesIO()
    Image.new("RGB", (640, 480), colour).save(data, "JPEG")
    data.seek(0)
    data.name = "photo.jpg"
    return data


def test_a_month_by_machine(village):
    """Issue 2 API, C-03: submit → review → notice → objection → answer → close → passbook → receipt."""
    place = village.place
    people = ("villager", "clerk", "reviewer2", "supervisor", "shopkeeper")
    m = {name: Machine(getattr(village, name)) for name in people}
    body = claim_body()
    first = m["villager"].post(f"/villages/{place}/claims", body)
    assert first.status_code == 201 and first.json()["status"] == "submitted"
    claim = first.json()["id"]
    again = m["villager"].post(f"/villages/{place}/claims", body)
    assert (again.status_code, again.json()) == (200, first.json())
    two = [claim_body(household=code, item="HJ02", grade="整洁") for code in ("3001", "3002")]
    batch = m["clerk"].post(f"/villages/{place}/claims/batch", {"claims": two})
    assert batch.status_code == 201 and len(batch.json()) == 2
    queue = m["reviewer2"].get(f"/villages/{place}/reviews").json()
    assert claim in {one["claim"]["id"] for one in queue["items"]} and queue["total"] == 3
    for one in queue["items"]:
        path = f"/claims/{one['claim']['id']}/review"
        done = m["reviewer2"].post(path, {"decision": "approve", "seen_status": "submitted"})
        assert done.json()["status"] == "approved", done.content.decode()
    with at(OPENING):
        notice = m["clerk"].post(f"/villages/{place}/notices", {"period": "2026-10"}).json()
        wall = Machine(None).get(f"/open/{place}/notices/{notice['number']}").json()
        assert [line["points"] for line in wall["lines"]["items"]] == ["2", "3", "3"]
        assert {line["name"] for line in wall["lines"]["items"]} == {"演**"}
        disputed = wall["lines"]["items"][1]["id"]
    with at(OBJECTING):
        slip = m["shopkeeper"].post(
            f"/lines/{disputed}/objections", {"id": str(uuid7()), "text": "那天没有评比"}
        )
        assert slip.status_code == 201
        waiting = m["supervisor"].get(f"/villages/{place}/objections", waiting=True).json()["items"]
        assert [row["text"] for row in waiting] == ["那天没有评比"]
        path = f"/objections/{waiting[0]['id']}"
        assert m["supervisor"].post(f"{path}/acknowledge").json()["status"] == "acknowledged"
        answer = {"outcome": "refused", "answer": "有现场评比表。"}
        assert m["supervisor"].post(f"{path}/answer", answer).json()["status"] == "refused"
        read = Machine(None).get(f"/open/{place}/objections/{slip.json()['lookup_code']}").json()
        assert read["answer"] == "有现场评比表。"
    with at(CLOSING):
        closed = m["clerk"].post(f"/notices/{notice['id']}/close").json()
        assert closed["status"] == "closed" and closed["batch"]
        household = str(village.household.pk)
        purses = m["villager"].get(f"/households/{household}/balances").json()
        assert {one["purse"]: one["balance"] for one in purses} == {"merit": "2", "spend": "2"}
        page = m["villager"].get(f"/households/{household}/statement", purse="merit").json()
        assert (page["opening"], page["closing"], page["entries"][0]["claim"]) == ("0", "2", claim)
        proof = Machine(None).get(f"/open/{place}/receipts/{page['entries'][0]['receipt']}").json()
        assert proof["proven"] and proof["points"] == "2"
        heads = Machine(None).get(f"/open/{place}/heads").json()
        assert proof["head"] in {head["head"] for head in heads}
        story = m["villager"].get(f"/claims/{claim}/story").json()
        assert [step["kind"] for step in story][-2:] == ["notice", "posted"]
        totals = m["clerk"].get(f"/villages/{place}/totals", period="2026-10").json()
        assert {row["purse"]: row["net"] for row in totals["items"]} == {"merit": "8", "spend": "8"}


def test_the_same_key_with_another_body_is_refused(village):
    """C-03: 409, and nothing is written."""
    machine = Machine(village.villager)
    body = claim_body()
    machine.post(f"/villages/{village.place}/claims", body)
    other = machine.post(f"/villages/{village.place}/claims", body | {"witness": "别人"})
    assert other.status_code == 409 and other.json()["field"] == "id"
    assert Claim.objects.count() == 1


def test_a_batch_is_all_or_nothing(village):
    """The refused household is named; none of the 3 is stored; a key twice in one batch is refused."""
    rows = [claim_body(household=code, item="HJ02", grade="整洁") for code in ("3001", "3002", "3003")]
    rows[2]["grade"] = "没有这一等"
    answer = Machine(village.clerk).post(f"/villages/{village.place}/claims/batch", {"claims": rows})
    assert answer.status_code == 422 and "3003" in answer.json()["message"]
    twice = {"claims": [rows[0], rows[0]]}
    assert Machine(village.clerk).post(f"/villages/{village.place}/claims/batch", twice).status_code == 422
    assert not Claim.objects.exists()


def test_extra_fields_have_no_effect(village):
    """A-11: village, status, points, reviewer, number in the body do nothing."""
    extra = {"place": NEXT_VILLAGE, "status": "posted", "points_awarded": 99999, "points_decided": 99999,
             "submitted_by": village.clerk.pk, "number": 7, "late": True, "review_needed": "1", "recheck": True}  # fmt: skip
    answer = Machine(village.villager).post(f"/villages/{village.place}/claims", claim_body(**extra))
    assert answer.status_code == 201
    claim = Claim.objects.get()
    assert (claim.place, claim.status, claim.points_awarded, claim.number, claim.submitted_by_id) == (
        village.place, "submitted", None, 1, village.villager.pk,
    )  # fmt: skip


@pytest.mark.parametrize(
    "changes, field",
    [
        ({"id": "0b0a4a3e-4c4f-4a57-9a39-5ed7a6e9bb10"}, "id"),
        ({"item": "NO99"}, "item"),
        ({"occurred_on": "2026-13-40"}, "occurred_on"),
        ({"occurred_on": "2026-12-01"}, "occurred_on"),
        ({"household": "9999"}, "household"),
        ({"quantity": "1e3"}, "quantity"),
        ({"text": "字" * 301}, "text"),
        ({"text": "a\u0000b"}, "text"),
        ({"channel": "paper"}, "channel"),
        ({"resident": "019b0000-0000-7000-8000-000000000000"}, "resident"),
    ],
)
def test_what_cannot_be_taken_says_where(village, changes, field):
    """Issue 2, bad input: 422 in Chinese with the field and a receipt number; nothing is written."""
    answer = Machine(village.villager).post(f"/villages/{village.place}/claims", claim_body(**changes))
    said = answer.json()
    assert answer.status_code == 422 and said["field"].endswith(field)
    assert set(said) == {"message", "field", "hint", "receipt"} and len(said["receipt"]) == 9
    assert any("\u4e00" <= letter <= "\u9fff" for letter in said["message"])
    assert not Claim.objects.exists()


def test_foreign_and_absent_look_the_same(village):
    """A-04: the next village's household and one that exists nowhere give one body."""
    foreign = village.stranger.resident.household.pk
    bodies = set()
    for household in (foreign, uuid7()):
        answer = Machine(village.clerk).get(f"/households/{household}")
        assert answer.status_code == 404
        bodies.add(tuple(value for key, value in answer.json().items() if key != "receipt"))
    for place in (NEXT_VILLAGE, "511702999999", "330102001002"):
        answer = Machine(village.clerk).get(f"/villages/{place}/households")
        assert answer.status_code == 404
        bodies.add(tuple(value for key, value in answer.json().items() if key != "receipt"))
    assert len(bodies) == 1


def test_without_a_key_nothing_but_the_wall(village):
    """A-01: no key, a wrong key, a cookie: 401."""
    path = f"/villages/{village.place}/claims"
    assert Machine(None).get(path).status_code == 401
    broken = Machine(None)
    broken.headers = {"Authorization": "Bearer zhili_" + "x" * 43}
    assert broken.get(path).status_code == 401
    signed_in = Machine(None)
    signed_in.client.force_login(village.clerk, backend="rules.permissions.ObjectPermissionBackend")
    answer = signed_in.get(path)
    assert answer.status_code == 401 and answer["WWW-Authenticate"] == "Bearer"


def test_a_dismissed_clerk_is_out_at_the_next_request(village):
    """A-06: the key still names the person, the role is gone."""
    machine = Machine(village.clerk)
    assert machine.get(f"/villages/{village.place}/households").status_code == 200
    Membership.objects.filter(user=village.clerk).update(valid_to="2026-10-25")
    assert machine.get(f"/villages/{village.place}/households").status_code == 403


def test_field_rules(village):
    """A-05: villager the own household; township masked names and no words; clerk ends of numbers only."""
    approved(village, text="替王演示修了水管")
    place, own = village.place, village.household.pk
    assert Machine(village.villager).get(f"/villages/{place}/households").status_code == 403
    assert Machine(village.villager).get(f"/households/{home(village, '3001').pk}").status_code == 404
    mine = Machine(village.villager).get(f"/households/{own}").json()
    assert {one["name"] for one in mine["members"]} == {"演示甲", "演示乙"}
    above = Machine(village.township)
    assert {one["head"] for one in above.get(f"/villages/{place}/households").json()["items"]} == {"演**"}
    seen = above.get(f"/households/{own}").json()
    assert {one["name"] for one in seen["members"]} == {"演**"} and seen["members"][0]["birth_year"] is None
    (claim,) = above.get(f"/villages/{place}/claims").json()["items"]
    assert claim["text"] is None and claim["head"] == "演**"
    assert above.get(f"/claims/{claim['id']}/story").status_code == 403
    assert above.get(f"/claims/{claim['id']}").json()["evidence"] == []
    (claim,) = Machine(village.reviewer2).get(f"/villages/{place}/claims").json()["items"]
    assert claim["text"] == "替王演示修了水管" and claim["head"] == "演示乙"
    assert Machine(village.stranger).get(f"/claims/{claim['id']}").status_code == 404


def test_township_cannot_try_out_names(village):
    """A-05: a search by whole name finds nothing for those who see names masked."""
    path = f"/villages/{village.place}/households"
    assert Machine(village.township).get(path, q="演示丙").json()["total"] == 0
    assert Machine(village.clerk).get(path, q="演示丙").json()["total"] == 1
    assert Machine(village.township).get(path, q="1002").json()["total"] == 1


def test_lists_are_paged_and_in_order(village):
    """W-07: at most 200 rows; pages do not overlap; past the end is empty."""
    machine, path = Machine(village.clerk), f"/villages/{village.place}/households"
    pages = [machine.get(path, size=3, page=n).json() for n in (1, 2, 3, 4, 9)]
    codes = [row["code"] for page in pages for row in page["items"]]
    assert codes == sorted(codes) and len(set(codes)) == len(codes) == pages[0]["total"]
    assert pages[-1]["items"] == []
    assert machine.get(path, size=201).status_code == 422
    assert machine.get(path, page=0).status_code == 422


def test_photos_by_machine(village):
    """F-01: a photo goes in re-encoded and comes out to those who may see it; text instead of a photo is refused."""
    machine = Machine(village.villager)
    fields = claim_body(item="GY01", quantity="300")
    path = f"/villages/{village.place}/claims/with-photos"
    refused = machine.upload(path, fields | {"photos": io.BytesIO(b"not a photo")})
    assert refused.status_code == 422 and not Claim.objects.exists()
    taken = machine.upload(path, fields | {"photos": photo()})
    assert taken.status_code == 201, taken.content.decode()
    whole = machine.get(f"/claims/{taken.json()['id']}").json()
    shown = next(one for one in whole["evidence"] if one["photo"])
    picture = machine.get(f"/evidence/{shown['id']}")
    assert picture["Content-Type"] == "image/jpeg" and picture.content[:2] == b"\xff\xd8"
    assert Machine(village.shopkeeper).get(f"/evidence/{shown['id']}").status_code == 404
    assert Machine(village.township).get(f"/evidence/{shown['id']}").status_code == 403


def test_preview_says_why(village):
    """The calculator's steps, for a household one may see; a neighbour's history stays closed."""
    question = {"household": "1001", "item": "GY01", "occurred_on": "2026-10-20", "quantity": "350"}
    path = f"/villages/{village.place}/claims/preview"
    found = Machine(village.villager).post(path, question).json()
    assert found["points"] == "3" and found["why"]
    assert Machine(village.shopkeeper).post(path, question).status_code == 404


def test_nobody_decides_on_the_own_entry(village):
    """A-07, A-08: the relative and the submitter are refused with the reason; the claim stands as it was."""
    claim = Machine(village.villager).post(f"/villages/{village.place}/claims", claim_body()).json()
    path, body = f"/claims/{claim['id']}/review", {"decision": "approve"}
    refused = Machine(village.reviewer).post(path, body)
    assert refused.status_code == 403 and "回避" in refused.json()["message"]
    assert Machine(village.villager).post(path, body).status_code == 403
    assert Machine(village.reviewer2).post(path, body | {"seen_status": "council"}).status_code == 409
    assert Claim.objects.get().status == "submitted"


def test_a_reversal_needs_two_keys(village):
    """L-04: asked with the clerk's key, carried out with the council's; neither alone, nothing twice, no forgery."""
    approved(village)
    with at(OPENING):
        clerk, elder = Machine(village.clerk), Machine(village.elder2)
        notice = clerk.post(f"/villages/{village.place}/notices", {"period": "2026-10"}).json()
    with at(CLOSING):
        assert clerk.post(f"/notices/{notice['id']}/close").status_code == 200
        page = clerk.get(f"/households/{village.household.pk}/statement", purse="merit").json()
        path = f"/villages/{village.place}/reversals"
        asked = {"id": str(uuid7()), "transfer": page["entries"][0]["transfer"], "reason": "日期记错"}
        assert elder.post(path, asked).status_code == 403
        made = clerk.post(path, asked)
        assert made.status_code == 201 and clerk.post(path, asked).json() == made.json()
        assert clerk.post(path, asked | {"reason": "别的理由"}).status_code == 409
        assert elder.get(path).json()["total"] == 1
        decide = f"/reversals/{made.json()['id']}/decide"
        assert clerk.post(decide, {"agree": True}).status_code == 403
        assert Machine(village.stranger_clerk).post(decide, {"agree": True}).status_code == 403
        before = clerk.get(f"/households/{village.household.pk}/statement", purse="merit").json()
        assert before["closing"] == "2"
        done = elder.post(decide, {"agree": True})
        assert done.status_code == 200 and done.json()["status"] == "done", done.content.decode()
        assert elder.post(decide, {"agree": True}).status_code == 409
        for purse in ("merit", "spend"):
            after = clerk.get(f"/households/{village.household.pk}/statement", purse=purse).json()
            assert after["closing"] == "0" and after["entries"][0]["reversed"]


def sheet(text: str) -> io.BytesIO:
    data = io.BytesIO(text.encode())
    data.name = "户.csv"
    return data


def test_a_sheet_of_households_by_machine(village):
    """U-50, C-09: checked, applied, and known again; with one bad cell nothing is written."""
    clerk, path = Machine(village.clerk), f"/villages/{village.place}/households/import"
    good = "户编号,组,姓名,与户主关系\n9001,4组,演示丑,户主\n9001,4组,演示寅,配偶\n"
    checked = clerk.upload(path, {"file": sheet(good)}).json()
    assert (checked["applied"], checked["rows"], checked["error_count"]) == (False, 2, 0), checked
    assert not Household.objects.filter(code="9001").exists()
    assert clerk.upload(f"{path}?apply=true", {"file": sheet(good)}).json()["applied"]
    assert Household.objects.filter(code="9001").exists()
    again = clerk.upload(f"{path}?apply=true", {"file": sheet(good)}).json()
    assert (again["applied"], again["repeated"]) == (False, True)
    bad = clerk.upload(
        f"{path}?apply=true", {"file": sheet(good.replace("9001", "9002").replace("户主", "师傅"))}
    )
    assert not bad.json()["applied"] and bad.json()["errors"][0]["hint"]
    assert not Household.objects.filter(code="9002").exists()
    assert clerk.upload(path, {"file": io.BytesIO(b"\x00\x01 no table")}).status_code == 422
    assert Machine(village.villager).upload(path, {"file": sheet(good)}).status_code == 403


def test_the_book_leaves_in_open_form(village):
    """L-16: a zip of CSV and beancount text, without a name, for those who audit."""
    approved(village)
    path = f"/villages/{village.place}/ledger/export"
    with at(OPENING):
        clerk = Machine(village.clerk)
        assert clerk.get(path).status_code == 422
        notice = clerk.post(f"/villages/{village.place}/notices", {"period": "2026-10"}).json()
    with at(CLOSING):
        clerk.post(f"/notices/{notice['id']}/close")
        answer = Machine(village.audit_admin).get(path)
        assert answer["Content-Type"] == "application/zip"
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert {"transfers.csv", "batches.csv", "ledger.beancount"} <= set(archive.namelist())
            assert "演示".encode() not in b"".join(archive.read(name) for name in archive.namelist())
        assert Machine(village.villager).get(path).status_code == 403


def test_scores_by_machine(village):
    """The calculator on a book and events, for those who plan; a villager's key may not."""
    body = {"text": SMALL_BOOK, "events": "event,account,item,occurred_on\ne1,1001,HJ01,2026-10-20\n"}
    found = Machine(village.clerk).post("/rulebook-score", body).json()
    assert [(one["event"], one["awarded"]) for one in found["events"]] == [("e1", "2")]
    assert Machine(village.clerk).post("/rulebook-score", body | {"events": "a,b\n1,2"}).status_code == 422
    assert Machine(village.villager).post("/rulebook-score", body).status_code == 403


def test_too_much_at_once_is_refused(village):
    """W-07: 2 MB of JSON, 500 claims; what is no JSON is told so."""
    machine, path = Machine(village.clerk), f"/villages/{village.place}/claims/batch"
    large = machine.client.post(
        f"/api/v1{path}",
        b" " * (2 * 1024 * 1024 + 1),
        content_type="application/json",
        headers=machine.headers,
    )
    assert large.status_code == 413
    assert machine.post(path, {"claims": [claim_body() for _ in range(501)]}).status_code == 422
    broken = machine.client.post(
        f"/api/v1{path}", b"{", content_type="application/json", headers=machine.headers
    )
    assert broken.status_code == 422 and "JSON" in broken.json()["hint"]


def test_too_fast_is_told_so(village, settings):
    """W-07: a villager's key may ask 60 times at once, then once a second."""
    settings.RATE_SCALE = 1
    machine = Machine(village.villager)
    codes = [
        machine.client.get(f"/api/v1/villages/{village.place}/claims", headers=machine.headers).status_code
        for _ in range(90)
    ]
    assert 60 <= codes.count(200) < 90 and codes.count(429) == 90 - codes.count(200)


def test_rule_book_and_its_check(village):
    """The book in force for everybody, its versions, and red lines of a draft."""
    book = Machine(None).get(f"/open/{village.place}/rulebook").json()
    assert book["version"] == 1 and parse_points(book["items"][0]["most"]) == 200
    assert Machine(village.villager).get(f"/villages/{village.place}/rulebooks").json()["total"] == 1
    text = book["text"].replace("占用公共通道经提醒不改", "越级上访")
    found = Machine(village.clerk).post("/rulebook-check", {"text": text}).json()
    assert found["blocked"] >= 1
    assert Machine(village.clerk).post("/rulebook-check", {"text": "format: no"}).status_code == 422
    assert Machine(None).get(f"/open/{NEXT_VILLAGE}/rulebook").status_code == 404


def test_addresses_that_are_not_there(village):
    """W-08: the same small document, no trace, no banner."""
    for path in ("/nothing", "/villages/abc/claims", "/places/"):
        answer = Machine(village.clerk).get(path)
        assert answer.status_code in (404, 422)
        assert set(answer.json()) == {"message", "field", "hint", "receipt"}
        assert "Server" not in answer and b"Traceback" not in answer.content
