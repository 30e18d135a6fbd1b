"""Handing in: who, for whom, what, when, with what behind it; retries never count twice."""

from __future__ import annotations

import io
import os
from datetime import date, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from PIL import Image

from tests.books import make_book
from zhili.audit.models import Entry as AuditEntry
from zhili.claims import photos as photo_files
from zhili.claims.access import access_claim, access_evidence
from zhili.claims.actions import (
    Entry,
    resubmit_claim,
    review_claim,
    submit_claim,
    submit_group,
    withdraw_claim,
)
from zhili.claims.errors import ClaimError, Conflict
from zhili.claims.models import Claim, Evidence
from zhili.claims.queries import claim_story, claimable_items, claims_of, evidence_of, preview
from zhili.claims.submitting import chosen_for_recheck
from zhili.common.errors import NotAllowed, NotFound
from zhili.common.ids import uuid7
from zhili.common.photos import PhotoError
from zhili.people.models import Delegation, Household, Membership

TODAY = date(2026, 10, 20)


@pytest.fixture(autouse=True)
def _now():
    with time_machine.travel("2026-10-20 10:00:00+08:00", tick=False):
        yield


@pytest.fixture
def village(cast):
    cast.book = make_book(cast)
    return cast


@pytest.fixture(autouse=True)
def _photo_root(settings, tmp_path):
    settings.PHOTO_ROOT = tmp_path / "photos"


def picture(shade: int = 120, size: tuple[int, int] = (64, 48)) -> bytes:
    image = Image.new("RGB", size, (shade, 80, 60))
    for x in range(size[0]):
        image.putpixel((x, (x * shade) % size[1]), (255, 255, shade))
    out = io.BytesIO()
    image.save(out, "JPEG")
    return out.getvalue()


def claim_for(village, by="villager", **changes):
    """HJ01 by a villager for the own household, changed as asked."""
    facts = {
        "by": getattr(village, by) if isinstance(by, str) else by,
        "id": uuid7(),
        "household": village.household,
        "item": "HJ01",
        "occurred_on": TODAY,
        "channel": "phone",
        "witness": "演示戊",
    }
    return submit_claim(**(facts | changes))


def test_a_villager_claims_for_the_own_household(village):
    """U-11: received, waiting, numbered; one audit row with ids only; the book is frozen (L-09)."""
    claim = claim_for(village, text="扫了村口到水井的路")
    assert (claim.status, claim.number, str(claim)) == ("submitted", 1, "A-1")
    assert claim.evidence.get().note == "演示戊"
    entry = AuditEntry.objects.get(action="claims.submit")
    assert entry.actor_id == village.villager.pk and "演示" not in str(entry.detail)
    village.book.refresh_from_db()
    assert village.book.frozen_at is not None
    assert claim_for(village).number == 2


def test_the_same_id_and_body_is_the_same_claim_ten_times(village):
    """C-03, C-15: 10× sequential replay gives one claim and no second audit row."""
    key = uuid7()
    first = claim_for(village, id=key, photos=[picture()])
    for _ in range(10):
        assert claim_for(village, id=key, photos=[picture()]) == first
    assert Claim.objects.count() == 1
    assert AuditEntry.objects.filter(action="claims.submit").count() == 1
    assert len(list(photo_files.folder(village.place).iterdir())) == 2  # one photo and its small copy


@pytest.mark.parametrize(
    "change",
    [{"text": "别的"}, {"occurred_on": TODAY - timedelta(days=1)}, {"witness": "别人"}, {"channel": "offline"},
     {"by": "head"}, {"item": "GY06"}, {"photos": (picture(),)}],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_the_same_id_with_another_body_is_refused(village, change):
    """C-03: same key, other body → conflict; the stored claim stays as it was."""
    key = uuid7()
    claim_for(village, id=key)
    with pytest.raises(Conflict, match="内容不同"):
        claim_for(village, **({"id": key} | change))
    assert Claim.objects.get().text == ""


def test_the_key_holds_after_400_days(village):
    """C-04: a replay long after gives the claim that is there, whatever its state, even past the late limit."""
    key = uuid7()
    first = claim_for(village, id=key)
    withdraw_claim(by=village.villager, claim=first)
    with time_machine.travel("2027-11-24 10:00:00+08:00", tick=False):
        again = claim_for(village, id=key)
    assert again.pk == first.pk and again.status == "withdrawn"


def test_a_key_used_in_another_village_tells_nothing(village):
    """A-02: the id of a foreign claim is refused without saying what it is."""
    from zhili.common.scope import set_scope

    key = uuid7()
    first = claim_for(village, id=key)
    make_book(village, place=village.next_place)
    set_scope([village.next_place])
    with pytest.raises(Conflict) as error:
        submit_claim(by=village.stranger, id=key, household=village.stranger.resident.household, item="HJ01",
                     occurred_on=TODAY, channel="phone", witness="某人")  # fmt: skip
    assert str(first) not in str(error.value)
    assert not Claim.objects.exists()


@pytest.mark.parametrize(
    "change, field",
    [
        ({"occurred_on": TODAY + timedelta(days=1)}, "occurred_on"),
        ({"occurred_on": TODAY - timedelta(days=91)}, "occurred_on"),
        ({"item": "XX99"}, "item"),
        ({"witness": ""}, "witness"),
        ({"item": "GY01", "witness": ""}, "quantity"),
        ({"item": "GY01", "quantity": Decimal(0)}, "quantity"),
        ({"item": "GY01", "quantity": Decimal("-3")}, "quantity"),
        ({"item": "GY01", "quantity": Decimal("NaN")}, "quantity"),
        ({"item": "GY01", "quantity": Decimal("1e12")}, "quantity"),
        ({"item": "GY01", "quantity": Decimal("0.00001")}, "quantity"),
        ({"item": "GY01", "quantity": Decimal(300)}, "photos"),
        ({"item": "GY03"}, "photos"),
        ({"item": "HJ02", "grade": "很好", "by": "clerk"}, "grade"),
        ({"item": "HJ02", "by": "clerk"}, "grade"),
        ({"item": "ZX01", "by": "clerk"}, "reminded_on"),
        ({"item": "ZX01", "by": "clerk", "reminded_on": TODAY}, "reminded_on"),
        ({"text": "长" * 301}, "text"),
        ({"text": "a\x00b"}, "text"),
        ({"channel": "pigeon"}, "channel"),
        ({"photos": [b"x"] * 7}, "photos"),
        ({"document": "收据 3 号"}, "document"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_bad_input_is_named_by_field_and_nothing_is_written(village, change, field):
    """Bad input: what happened, where, what to do; nothing half-written (G-04, G-20, F-02)."""
    with pytest.raises(ClaimError) as error:
        claim_for(village, **change)
    assert error.value.field == field
    assert not Claim.objects.exists() and not Evidence.objects.exists()


def test_no_book_on_that_day(cast):
    """A rule not in force."""
    make_book(cast, on=date(2026, 10, 10))
    cast.book = None
    with pytest.raises(ClaimError, match="没有施行中的积分细则"):
        claim_for(cast, occurred_on=date(2026, 10, 9))


@pytest.mark.parametrize(
    "status, words", [("moved", "已迁出"), ("merged", "请改记到 1002"), ("closed", "已销户")]
)
def test_a_household_that_is_gone(village, status, words):
    """A claim for a moved household; a stale object in hand does not help."""
    stale = village.household
    successor = Household.objects.get(code="1002", place=village.place) if status == "merged" else None
    Household.objects.filter(pk=stale.pk).update(status=status, closed_on=TODAY, successor=successor)
    with pytest.raises(ClaimError, match=words) as error:
        claim_for(village)
    assert error.value.field == "household"


@pytest.mark.parametrize(
    "by, item, allowed",
    [
        ("villager", "HJ01", True), ("head", "HJ01", True), ("reviewer2", "HJ01", True), ("clerk", "HJ01", True),
        ("group_leader", "HJ01", True), ("supervisor", "HJ01", True), ("shopkeeper", "HJ01", True),
        ("stranger", "HJ01", False), ("stranger_clerk", "HJ01", False), ("township", "HJ01", False),
        ("county", "HJ01", False), ("bank", "HJ01", False), ("system_admin", "HJ01", False),
        ("security_admin", "HJ01", False), ("audit_admin", "HJ01", False),
        ("villager", "HJ02", False), ("reviewer2", "HJ02", False), ("supervisor", "HJ02", False),
        ("clerk", "HJ02", True), ("group_leader", "HJ02", True),
    ],
)  # fmt: skip
def test_who_may_claim_for_household_1001(village, by, item, allowed):
    """A-02, A-07: role × claim_by matrix, with the real cast."""
    grade = "整洁" if item == "HJ02" else ""
    if allowed:
        assert claim_for(village, by=by, item=item, grade=grade).submitted_by == getattr(village, by)
    else:
        with pytest.raises(NotAllowed):
            claim_for(village, by=by, item=item, grade=grade)


def test_a_group_leader_has_only_the_own_group(village):
    """HJ02 is for clerk and leader: the leader of group 1 not for group 2, unless the role names that group."""
    far = village.reviewer.resident.household
    with pytest.raises(NotAllowed):
        claim_for(village, by="group_leader", item="HJ02", grade="整洁", household=far)
    Membership.objects.filter(user=village.group_leader).update(group="2组")
    village.group_leader.__dict__.pop("memberships_today", None)
    assert claim_for(village, by="group_leader", item="HJ02", grade="整洁", household=far).number == 1


def test_a_neighbour_is_the_witness_for_small_points(village):
    """G-04: who speaks for another household has seen it; for oneself a witness is needed (tested above)."""
    assert claim_for(village, by="shopkeeper", witness="").evidence.count() == 0


def test_staff_cite_paper_instead_of_a_photo(village):
    """G-01, G-04: a villager without a phone: the receipt stays at the office, its number is the evidence."""
    claim = claim_for(
        village,
        by="clerk",
        item="GY01",
        quantity=Decimal(300),
        document="收据第 17 号",
        channel="paper",
        witness="",
    )
    assert claim.evidence.get().kind == "document"


def test_acting_for_somebody(village):
    """A-09: 乙 代 甲 with a delegation in force for claims; not without, not expired, not for another scope."""
    person = village.head.resident
    with pytest.raises(NotAllowed, match="代办"):
        claim_for(village, by="stranger", on_behalf_of=person)
    paper = Delegation.objects.create(
        place=village.place,
        principal=person,
        delegate=village.reviewer2,
        scope="claim",
        valid_to=date(2026, 12, 31),
    )
    claim = claim_for(village, by="reviewer2", on_behalf_of=person)
    assert "演示己 代 演示乙" in " ".join(claim_story(claim)[1].lines)
    assert AuditEntry.objects.get(action="claims.submit").on_behalf_of == person.pk
    for change in ({"scope": "redeem"}, {"valid_to": TODAY - timedelta(days=1), "valid_from": date(2026, 1, 1)},
                   {"revoked_on": TODAY}):  # fmt: skip
        Delegation.objects.filter(pk=paper.pk).update(**change)
        with pytest.raises(NotAllowed, match="代办"):
            claim_for(village, by="reviewer2", on_behalf_of=person)


def test_acting_for_somebody_of_another_household(village):
    """A-09: the principal must live in the household the claim is for."""
    with pytest.raises(ClaimError, match="不是这一户"):
        claim_for(village, by="clerk", on_behalf_of=village.reviewer.resident)


def test_a_group_is_all_or_nothing_and_constant_in_queries(village):
    """A whole group at once: one refused household and nobody is written; statements do not grow."""
    homes = list(Household.objects.filter(place=village.place))
    for n in range(40):
        homes.append(Household.objects.create(place=village.place, code=f"9{n:03d}", group="9组"))
    facts = {
        "by": village.clerk,
        "place": village.place,
        "item": "HJ01",
        "occurred_on": TODAY,
        "activity": "清河日",
    }
    with CaptureQueriesContext(connection) as few:
        submit_group(id=uuid7(), entries=[Entry(home) for home in homes[:3]], **facts)
    with CaptureQueriesContext(connection) as many:
        claims = submit_group(id=uuid7(), entries=[Entry(home) for home in homes], **facts)
    assert len(many) <= len(few) and len(claims) == len(homes)
    assert [claim.number for claim in claims] == list(range(4, 4 + len(homes)))
    before = Claim.objects.count()
    Household.objects.filter(pk=homes[5].pk).update(status="moved", closed_on=TODAY)
    with pytest.raises(ClaimError, match=homes[5].code):
        submit_group(id=uuid7(), entries=[Entry(home) for home in homes], **facts)
    assert Claim.objects.count() == before


def test_a_group_list_sent_twice_counts_once(village):
    """C-03 for lists: the list's key makes every claim's key."""
    key, home = uuid7(), village.household
    facts = {
        "by": village.clerk,
        "place": village.place,
        "item": "HJ01",
        "occurred_on": TODAY,
        "activity": "清河日",
    }
    assert submit_group(id=key, entries=[Entry(home)], **facts) == submit_group(
        id=key, entries=[Entry(home)], **facts
    )
    with pytest.raises(ClaimError, match="两次"):
        submit_group(id=key, entries=[Entry(home), Entry(home)], **facts)
    with pytest.raises(ClaimError, match="空的"):
        submit_group(id=uuid7(), entries=[], **facts)
    with pytest.raises(ClaimError, match="活动名称"):
        submit_group(id=uuid7(), entries=[Entry(home)], **(facts | {"activity": " "}))


def test_withdraw_before_review_only(village):
    """Withdraw before review; by whoever handed it in or the household; once."""
    claim = claim_for(village)
    with pytest.raises(NotAllowed):
        withdraw_claim(by=village.shopkeeper, claim=claim)
    assert withdraw_claim(by=village.head, claim=claim).status == "withdrawn"
    with pytest.raises(Conflict, match="已撤回"):
        withdraw_claim(by=village.villager, claim=claim)
    other = claim_for(village)
    review_claim(by=village.reviewer2, claim=other, decision="approve")
    with pytest.raises(Conflict, match="已通过"):
        withdraw_claim(by=village.villager, claim=other)


def test_returned_and_handed_in_again(village):
    """Return with a reason → the villager adds what was asked; the first evidence still stands."""
    claim = claim_for(village)
    review_claim(by=village.reviewer2, claim=claim, decision="return", reason="请写清哪一段路")
    claim = resubmit_claim(by=village.villager, claim=claim, text="村口到水井", photos=[picture()])
    assert (claim.status, claim.text, claim.evidence.count()) == ("submitted", "村口到水井", 2)
    with pytest.raises(Conflict, match="不用补充"):
        resubmit_claim(by=village.villager, claim=claim, text="再改")
    with pytest.raises(NotAllowed):
        resubmit_claim(by=village.shopkeeper, claim=claim, text="别人")
    assert review_claim(by=village.reviewer2, claim=claim, decision="approve").status == "approved"


def test_photos_are_clean_named_at_random_and_hashed(village):
    """F-01, F-03, T-09: no metadata, unguessable name, a swapped file is noticed, no right → not found."""
    claim = claim_for(village, photos=[picture()])
    photo = claim.evidence.get(kind="photo")
    path = photo_files.folder(village.place) / photo.file_name
    assert len(photo.file_name) >= 26
    assert photo_files.open_photo(village.head, photo).intact
    assert photo_files.open_photo(village.head, photo, thumb=True).data.startswith(b"\xff\xd8")
    path.write_bytes(picture(9))
    assert not photo_files.open_photo(village.head, photo).intact
    for who in (
        village.stranger,
        village.stranger_clerk,
        village.shopkeeper,
        village.bank,
        village.system_admin,
    ):
        with pytest.raises(NotFound):
            photo_files.open_photo(who, photo)
        with pytest.raises(NotFound):
            access_claim(who, claim.pk)


def test_a_reviewer_who_loses_the_role_loses_the_photo(village):
    """F-03, A-06: permission is asked at every fetch."""
    claim = claim_for(village, photos=[picture()])
    photo = claim.evidence.get(kind="photo")
    assert access_evidence(village.reviewer2, photo.pk) == photo
    Membership.objects.filter(user=village.reviewer2).update(valid_to=TODAY)
    village.reviewer2.__dict__.pop("memberships_today", None)
    with pytest.raises(NotFound):
        access_evidence(village.reviewer2, photo.pk)
    for wrong in ("", "x", "019b0000-0000-7000-8000-000000000000"):
        with pytest.raises(NotFound):
            access_evidence(village.head, wrong)
        with pytest.raises(NotFound):
            access_claim(village.head, wrong)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"<svg xmlns=''/>", b"\xff\xd8\xff" + b"0" * 50])
def test_no_photo_no_claim(village, data):
    """F-02: a bad file is refused in plain words and nothing is written."""
    with pytest.raises(PhotoError):
        claim_for(village, photos=[data])
    assert not Claim.objects.exists()


def test_the_same_photo_twice_is_flagged_not_refused(village):
    """F-11: the reviewer sees which claim used it before."""
    first = claim_for(village, photos=[picture()])
    second = claim_for(village, photos=[picture()])
    third = claim_for(village, photos=[picture(33, (120, 50))])
    flags = dict((row.kind, similar) for row, similar in evidence_of(second))
    assert [one.number for one in flags["photo"] if one.distance == 0] == [first.number]
    assert all(
        one.number != second.number for _, found in evidence_of(third) for one in found if one.distance == 0
    )


def test_photo_and_claim_quotas(village, monkeypatch):
    """F-10: per person and day; staff may key in more."""
    monkeypatch.setattr(photo_files, "PHOTOS_A_DAY", 2)
    claim_for(village, photos=[picture(1), picture(2)])
    with pytest.raises(ClaimError, match="照片"):
        claim_for(village, photos=[picture(3)])
    assert claim_for(village, by="clerk", photos=[picture(3)]).number == 2
    monkeypatch.setattr("zhili.claims.submitting.CLAIMS_A_DAY", 1)
    with pytest.raises(ClaimError, match="上限"):
        claim_for(village)
    assert claim_for(village, by="clerk").number == 3


def test_files_without_a_claim_are_swept(village):
    """A rolled-back claim leaves at most a file, and that goes."""
    claim = claim_for(village, photos=[picture()])
    lost = photo_files.store_photo(village.place, picture(7))
    signed = photo_files.store_photo(village.place, picture(9))  # a slip of the shop, a room above
    assert photo_files.sweep(village.place) == 0
    for path in photo_files.folder(village.place).iterdir():
        os.utime(path, (0, 0))
    assert photo_files.sweep(village.place, kept=[signed.name]) == 2
    assert (photo_files.folder(village.place) / signed.name).exists()
    assert not (photo_files.folder(village.place) / lost.name).exists()
    assert photo_files.open_photo(village.head, claim.evidence.get(kind="photo")).intact


def test_preview_is_the_calculator_with_what_counts_already(village):
    """The calculator shows what would be awarded, and why, before submitting: caps see approved claims."""
    for _ in range(3):
        review_claim(by=village.reviewer2, claim=claim_for(village), decision="approve")
    claim_for(village)  # not decided: does not count yet
    facts = (village.place, village.household, None)
    assert preview(*facts, "HJ01", TODAY, None, "").points == 200
    review_claim(by=village.reviewer2, claim=claim_for(village), decision="approve")
    capped = preview(*facts, "HJ01", TODAY, None, "")
    assert capped.points == 0 and capped.raw == 200 and "达到上限 4 次" in " ".join(capped.why)
    assert preview(*facts, "HJ01", date(2026, 9, 30), None, "").points == 200
    other = Household.objects.get(place=village.place, code="1002")
    assert preview(village.place, other, None, "HJ01", TODAY, None, "").points == 200


def test_preview_of_every_shape(village):
    """Five shapes: fixed, per unit, tiers, grades, range; review and evidence by value (G-04)."""
    facts = (village.place, village.household, None)
    unit = preview(*facts, "GY01", TODAY, Decimal(350), "")
    assert (unit.points, unit.evidence) == (300, "document")
    assert preview(*facts, "GY01", TODAY, Decimal(99999), "").points == 1000
    assert preview(*facts, "GY02", TODAY, Decimal(25), "").points == 500
    assert preview(*facts, "GY02", TODAY, Decimal(3), "").points == 0
    assert preview(*facts, "HJ02", TODAY, None, "合格").points == 100
    large = preview(*facts, "GY03", TODAY, None, "")
    assert (large.points, large.review, large.evidence) == (1500, "2", "photo")
    span = preview(*facts, "GY04", TODAY, None, "")
    assert (span.points, span.review) == (None, "council") and "1 至 20 分" in span.span
    assert preview(*facts, "GY04", TODAY, None, "", 1200).points == 1200
    assert preview(*facts, "ZX01", TODAY, None, "").points == -500


@pytest.mark.parametrize(
    "args", [("GY01", TODAY, None, ""), ("HJ02", TODAY, None, "甲"), ("NO", TODAY, None, ""),
             ("HJ01", date(2025, 5, 1), None, ""), ("GY04", TODAY, None, "", 999999)],
)  # fmt: skip
def test_preview_of_nonsense(village, args):
    """Preview says what is missing as the form does."""
    with pytest.raises(ClaimError):
        preview(village.place, village.household, None, *args)


def test_items_a_person_can_claim(village):
    """A person sees only what the person may claim for that household."""
    own = [row.code for row, _ in claimable_items(village.villager, village.household, TODAY)]
    assert "HJ01" in own and "HJ02" not in own and "ZX01" not in own
    assert "ZX01" in [row.code for row, _ in claimable_items(village.clerk, village.household, TODAY)]
    assert claimable_items(village.stranger, village.household, TODAY) == []
    assert claimable_items(village.villager, village.household, date(2025, 1, 1)) == []


def test_recheck_is_about_one_in_twenty_and_repeatable():
    """G-04: random 5 % re-check, the same on every machine."""
    chosen = [n for n in range(1, 10_001) if chosen_for_recheck("511702109200", n)]
    assert 400 <= len(chosen) <= 600
    assert chosen == [n for n in range(1, 10_001) if chosen_for_recheck("511702109200", n)]
    assert chosen != [n for n in range(1, 10_001) if chosen_for_recheck("511702109201", n)]


def test_my_claims(village):
    """A household's list, newest first."""
    old, new = claim_for(village, occurred_on=TODAY - timedelta(days=3)), claim_for(village)
    claim_for(village, by="clerk", household=village.clerk.resident.household)
    assert claims_of(village.household) == [new, old]
