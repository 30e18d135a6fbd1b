"""Every operation of the API × every role × {own village, next village, another county}: A-01, A-02, A-04.

The villages beyond are full of rows whose every word says so; not one byte of them may come out.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.db import transaction

from tests.books import SMALL_BOOK, make_book
from tests.cast import NEXT_VILLAGE, VILLAGE
from tests.machine import Machine, operations
from tests.month import approved, claim_for
from zhili.claims.models import Claim, Evidence
from zhili.common.api import Bearer
from zhili.common.ids import uuid7
from zhili.common.scope import set_scope
from zhili.ledger.models import ReversalRequest
from zhili.notices.actions import object_to, open_notice
from zhili.notices.models import Line, Notice, Objection
from zhili.people.models import Household, Resident
from zhili.rulebook.models import Item, RuleBook
from zhili.shop.models import Good, Order, Shop
from zhili.shop.tests.stage import open_for, ordered

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("api")]
FAR_VILLAGE = "511703101200"
MARK = "他村内情"
ROLES = (
    "villager", "head", "group_leader", "clerk", "reviewer", "reviewer2", "elder", "supervisor", "shopkeeper",
    "township", "county", "bank", "system_admin", "security_admin", "audit_admin", "anonymous",
)  # fmt: skip
COUNTY_WIDE = ("township", "county", "bank", "system_admin", "security_admin", "audit_admin")
OPERATIONS = list(operations())
NOT_NOW = [
    ("POST", "/rulebook-check"),  # the example is no whole book
    ("GET", "/places/{code}"),  # {code} is an objection's slip here
    ("GET", "/open/{place}/receipts/{code}"),
    ("GET", "/evidence/{evidence_id}"),  # a witness, no photo
    ("POST", "/villages/{place}/claims/with-photos"),  # sent without one
    ("POST", "/claims/{claim_id}/resubmit"),
    ("POST", "/villages/{place}/notices"),  # one hangs already
    ("POST", "/notices/{notice_id}/close"),  # its days are not over
    ("POST", "/villages/{place}/reversals"),  # nothing is posted yet
    ("POST", "/reversals/{reversal_id}/decide"),  # decided already
    ("POST", "/villages/{place}/claims/import"),  # a sheet of people
    ("GET", "/villages/{place}/ledger/export"),  # no batch yet
]
EVENTS = "event,account,item,occurred_on\ne1,1001,HJ01,2026-10-20\n"
# Path → what to send, given the ids of the village aimed at.
BODIES: dict[str, Any] = {
    "/rulebook-check": lambda v: {"text": "format: zhili-rulebook/1"},
    "/villages/{place}/claims": lambda v: claim_of(v),
    "/villages/{place}/claims/with-photos": lambda v: {k: x for k, x in claim_of(v).items() if x},
    "/villages/{place}/claims/batch": lambda v: {"claims": [claim_of(v)]},
    "/villages/{place}/claims/preview": lambda v: claim_of(v),
    "/rulebook-score": lambda v: {"text": SMALL_BOOK, "events": EVENTS},
    "/villages/{place}/households/import": lambda v: {"file": sheet()},
    "/villages/{place}/claims/import": lambda v: {"file": sheet()},
    "/claims/{claim_id}/withdraw": lambda v: {},
    "/claims/{claim_id}/resubmit": lambda v: {"text": "补充"},
    "/claims/{claim_id}/hearing": lambda v: {"text": "本户没有意见"},
    "/claims/{claim_id}/review": lambda v: {"decision": "approve"},
    "/villages/{place}/notices": lambda v: {"period": "2026-10"},
    "/notices/{notice_id}/close": lambda v: {},
    "/lines/{line_id}/objections": lambda v: {
        "id": str(uuid7()),
        "text": "不对",
        "resident": str(v.resident),
    },
    "/objections/{objection_id}/acknowledge": lambda v: {},
    "/objections/{objection_id}/answer": lambda v: {"outcome": "refused", "answer": "查过了。"},
    "/objections/{objection_id}/withdraw": lambda v: {},
    "/lines/{line_id}/correct": lambda v: {"reason": "写错了"},
    "/villages/{place}/reversals": lambda v: {
        "id": str(uuid7()),
        "transfer": str(v.claim_id),
        "reason": "写错了",
    },
    "/reversals/{reversal_id}/decide": lambda v: {"agree": True},
    "/villages/{place}/shop/card": lambda v: {"card": str(v.household_id)},
    "/villages/{place}/redemptions": lambda v: order_of(v),
    "/villages/{place}/orders": lambda v: order_of(v),
    "/villages/{place}/orders/find": lambda v: {"shop": str(v.shop_id), "code": v.pick_up_code},
    "/orders/{order_id}/hand-over": lambda v: {},
    "/orders/{order_id}/cancel": lambda v: {"reason": "不要了"},
}


def said(answer: Any) -> str:
    """What an answer says, in words: a zip's members too, so that nothing foreign hides in one."""
    if answer.content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(answer.content)) as pack:
            return "".join(pack.read(name).decode() for name in pack.namelist())
    return str(answer.content.decode())


def order_of(village: SimpleNamespace) -> dict[str, Any]:
    wanted = [{"good": str(village.good_id), "quantity": 1}]
    return {
        "id": str(uuid7()),
        "shop": str(village.shop_id),
        "household": str(village.household_id),
        "wanted": wanted,
    }


def sheet() -> io.BytesIO:
    data = io.BytesIO("户编号,姓名,与户主关系\n9001,演示丑,户主\n".encode())
    data.name = "户.csv"
    return data


def claim_of(village: SimpleNamespace) -> dict[str, Any]:
    return {
        "id": str(uuid7()),
        "household": str(village.household_id),
        "item": "HJ01",
        "occurred_on": "2026-10-21",
        "resident": str(village.resident),
        "on_behalf_of": None if village.place == VILLAGE else str(village.resident),
        "witness": "演示戊",
    }


def beyond(place: str, by: Any) -> SimpleNamespace:
    """A village that is not ours, with one row of everything; its texts carry the mark."""
    set_scope([place[:6]])
    household = Household.objects.create(place=place, code=f"{MARK}户", group=MARK, address=MARK)
    resident = Resident.objects.create(place=place, household=household, name=MARK, relation="head")
    text = SMALL_BOOK.replace("谭家沟村积分细则（测试用）", MARK)
    book = RuleBook.objects.create(
        place=place, title=MARK, version=1, unit="household", settlement="month", text=text,
        digest=hashlib.sha256(text.encode()).hexdigest(), valid_from=date(2026, 1, 1), created_by=by,
    )  # fmt: skip
    item = Item.objects.create(place=place, book=book, code="HJ01", category_code="HJ", category_title=MARK,
                               title=MARK, position=1)  # fmt: skip
    RuleBook.objects.filter(pk=book.pk).update(status="in_force", adoption={"meeting": MARK})
    claim = Claim.objects.create(place=place, number=1, household=household, resident=resident, book=book, item=item,
                                 text=MARK, occurred_on=date(2026, 10, 20), channel="phone", submitted_by=by,
                                 body_digest="0" * 64)  # fmt: skip
    evidence = Evidence.objects.create(place=place, claim=claim, kind="witness", note=MARK, added_by=by)
    notice = Notice.objects.create(place=place, number=1, period="2026-10", title=MARK, opens_on=date(2026, 11, 2),
                                   closes_on=date(2026, 11, 9), digest="0" * 64, opened_by=by)  # fmt: skip
    line = Line.objects.create(place=place, notice=notice, position=1, claim=claim, household=household, group=MARK,
                               household_code=MARK, name_masked=MARK, item_title=MARK, points=200,
                               occurred_on=date(2026, 10, 20))  # fmt: skip
    objection = Objection.objects.create(place=place, number=1, line=line, text=MARK, channel="open",
                                         acknowledge_due=date(2026, 11, 6), due_on=date(2026, 11, 20),
                                         lookup_code=f"{place[-4:]}-AAAA-AAAA", entered_by=by)  # fmt: skip
    reversal = ReversalRequest.objects.create(place=place, transfers=[str(uuid7())], reason=MARK,
                                              asked_by=by)  # fmt: skip
    found = SimpleNamespace(
        place=place, household_id=household.pk, resident=resident.pk, book_id=book.pk, claim_id=claim.pk,
        evidence_id=evidence.pk, notice_id=notice.pk, line_id=line.pk, objection_id=objection.pk, number=1,
        code=objection.lookup_code, reversal_id=reversal.pk,
    )  # fmt: skip
    shop = Shop.objects.create(place=place, title=MARK, address=MARK)
    good = Good.objects.create(place=place, shop=shop, code="A1", title=MARK)
    order = Order.objects.create(place=place, shop=shop, number=1, household=household, owner=household.pk, points=100,
                                 status="reserved", channel="phone", digest="0" * 64, pick_up_code="111111",
                                 transfer=uuid7(), made_by=by)  # fmt: skip
    found.shop_id, found.good_id, found.order_id, found.pick_up_code = shop.pk, good.pk, order.pk, "111111"
    set_scope(["511702"])
    return found


def own(village: SimpleNamespace) -> SimpleNamespace:
    """Our village in the middle of its month: one claim waits, one hangs out and is objected to."""
    with time_machine.travel("2026-10-25 10:00:00+08:00", tick=False):
        book = make_book(village)
        hanging = approved(village)
        waiting = claim_for(village, text="又扫了一次")
    with time_machine.travel("2026-11-02 09:00:00+08:00", tick=False):
        notice = open_notice(by=village.clerk, place=village.place, period="2026-10")
        line = Line.objects.select_related("notice").get(claim=hanging)
        objection = object_to(line=line, text="那天不在", by=village.shopkeeper, channel="phone")
        shop = open_for(village)
        order = ordered(shop)
    reversal = ReversalRequest.objects.create(place=village.place, transfers=[str(uuid7())], reason="写错了",
                                              asked_by=village.clerk, status="refused")  # fmt: skip
    return SimpleNamespace(
        place=village.place, household_id=village.household.pk, resident=village.head.resident.pk, book_id=book.pk,
        claim_id=waiting.pk, evidence_id=waiting.evidence.get().pk, notice_id=notice.pk, line_id=line.pk,
        objection_id=objection.pk, number=1, code=objection.lookup_code, reversal_id=reversal.pk,
        shop_id=shop.shop.pk, good_id=shop.soap.pk, order_id=order.pk, pick_up_code=order.pick_up_code,
    )  # fmt: skip


@pytest.mark.parametrize("method, path, operation", OPERATIONS, ids=[f"{m} {p}" for m, p, _ in OPERATIONS])
def test_every_operation_declares_who_may_call(method, path, operation):
    """A-01: a key with or without a permission; without a key only under /open/, and only reading."""
    if path.startswith("/open/"):
        assert operation.auth_param is None and method == "GET"
    else:
        (policy,) = operation.auth_callbacks
        assert isinstance(policy, Bearer)
        assert policy.permission is None or "." in policy.permission
    assert {200, 404, 422, 429} <= set(operation.response_models), "answers() of common/api.py says them all"


def call(machine: Machine, method: str, path: str, target: SimpleNamespace) -> Any:
    concrete = path.format(**vars(target))
    if method == "GET":
        return machine.get(concrete, **({"period": "2026-10"} if path.endswith("/totals") else {}))
    body = BODIES[path](target)
    if path.endswith(("/with-photos", "/resubmit", "/import")):
        return machine.upload(concrete, body)
    return machine.post(concrete, body)


def undone(machine: Machine, method: str, path: str, target: SimpleNamespace) -> Any:
    """The answer; whatever it wrote is taken back, so that the order of calls means nothing."""
    with transaction.atomic():
        answer = call(machine, method, path, target)
        transaction.set_rollback(True)
    return answer


def test_roles_by_operations_by_villages(cast, record_property):
    """A-02: no 5xx, no refused role let in, 0 foreign bytes; the number of pairs tried is recorded."""
    targets = {
        "own": own(cast),
        "next": beyond(NEXT_VILLAGE, cast.stranger),
        "far": beyond(FAR_VILLAGE, cast.bank),
    }
    tried, answered = 0, set()
    with time_machine.travel("2026-11-04 09:00:00+08:00", tick=False):
        for role in ROLES:
            user = getattr(cast, role, None)
            machine = Machine(user)
            for method, path, operation in OPERATIONS:
                for where, target in targets.items():
                    if where == "next" and role in COUNTY_WIDE:
                        continue  # it lies below them
                    answer = undone(machine, method, path, target)
                    tried += 1
                    if where == "own" and answer.status_code < 300:
                        answered.add((method, path))
                    told = f"{role} {method} {path} {where}: {answer.status_code} {said(answer)[:200]}"
                    assert answer.status_code < 500 and answer.status_code != 405, told
                    if path.startswith("/open/") or "{" not in path:
                        continue
                    if user is None:
                        assert answer.status_code == 401, told
                        continue
                    if where != "own":
                        assert answer.status_code in (403, 404, 422), told
                        assert MARK not in said(answer), told
                        for key, value in vars(target).items():
                            if key.endswith("_id") and "/{" + key not in path:
                                assert str(value) not in said(answer), told
                    elif not may(user, operation):
                        assert answer.status_code == 403, told
    record_property("pairs_tried", tried)
    assert tried > 1_500
    # The example of each operation is good enough to reach its end for somebody, save where the month forbids it.
    silent = {(m, p) for m, p, _ in OPERATIONS} - answered
    assert silent <= set(NOT_NOW), silent - set(NOT_NOW)


def may(user: Any, operation: Any) -> bool:
    permission = operation.auth_callbacks[0].permission
    return permission is None or user.has_perm(permission)


def test_foreign_ids_in_a_body_of_ones_own_village(cast):
    """A-02: the village in the path is ours, the household and person in the body are not: as if they were not there."""
    ours, foreign = own(cast), beyond(NEXT_VILLAGE, cast.stranger)
    mixed = SimpleNamespace(**(vars(foreign) | {"place": ours.place, "line_id": ours.line_id}))
    absent = SimpleNamespace(
        **(vars(mixed) | {"household_id": uuid7(), "resident": uuid7(), "claim_id": uuid7()})
    )
    paths = [path for path in BODIES if "{place}" in path or path.endswith("/objections")]
    with time_machine.travel("2026-11-04 09:00:00+08:00", tick=False):
        for role in ("villager", "clerk", "group_leader"):
            machine = Machine(getattr(cast, role))
            for path in paths:
                if path.endswith(("/notices", "/reversals", "/import")):
                    continue
                first, second = (undone(machine, "POST", path, one) for one in (mixed, absent))
                assert first.status_code == second.status_code and first.status_code in (403, 404, 422), path
                assert first.json()["message"] == second.json()["message"], path
                assert MARK not in said(first)
