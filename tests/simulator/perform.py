"""What a worker does when asked: the product's own actions, by the person, inside that person's scope."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from zhili.claims import actions as claims
from zhili.claims.models import Claim
from zhili.common.scope import scoped, set_scope
from zhili.ledger import announcing, household_changes
from zhili.ledger.actions import reverse
from zhili.ledger.entries import derived
from zhili.notices import actions as notices
from zhili.notices.closing import open_period
from zhili.notices.models import Line, Notice, Objection
from zhili.people.models import Household, Resident, User
from zhili.people.scope import enter_scope

DEEDS: dict[str, Callable[..., Any]] = {}


def performs(function: Callable[..., Any]) -> Callable[..., Any]:
    """Put a function on the list of what workers can do."""
    DEEDS[function.__name__] = function
    return function


@contextmanager
def person(username: str) -> Iterator[User]:
    """One transaction as a request of this person has it: the same scope, the same end."""
    with transaction.atomic():
        set_scope([], user_id="")
        user = User.objects.select_related("resident").get(username=username)
        enter_scope(user)
        user = User.objects.select_related("resident").get(username=username)
        yield user


@contextmanager
def nobody(place: str) -> Iterator[None]:
    """One transaction of somebody who is not signed in, at one village's open pages."""
    with transaction.atomic():
        set_scope([place])
        yield


def home(place: str, code: str) -> Household:
    from zhili.common.errors import NotFound

    found = Household.objects.filter(place=place, code=code).first()
    if found is None:
        raise NotFound("没有这一户。")
    return found


def photo(seed: int) -> bytes:
    """A small JPEG of noise, the same for the same seed."""
    from PIL import Image

    data = random.Random(seed).randbytes(96 * 72 * 3)
    out = io.BytesIO()
    Image.frombytes("RGB", (96, 72), data).resize((640, 480)).save(out, "JPEG", quality=80)
    return out.getvalue()


@performs
def claim(by: str, place: str, house: str, photos: list[int], **args: Any) -> int:
    if args.get("quantity") is not None:
        args["quantity"] = Decimal(args["quantity"])
    with person(by) as user:
        found = claims.submit_claim(
            by=user, household=home(place, house), photos=[photo(seed) for seed in photos],
            **{**args, "id": UUID(args["id"])},
        )  # fmt: skip
        return found.number


@performs
def withdraw(by: str, claim: str) -> str:
    with person(by) as user:
        return claims.withdraw_claim(by=user, claim=the_claim(claim), reason="点错了").status


@performs
def resubmit(by: str, claim: str, text: str) -> str:
    with person(by) as user:
        return claims.resubmit_claim(by=user, claim=the_claim(claim), text=text).status


def the_claim(id: str) -> Claim:
    from zhili.common.errors import NotFound

    rows = Claim.objects.select_related("household", "item", "book", "resident", "on_behalf_of")
    found = rows.filter(pk=id).first()
    if found is None:
        raise NotFound("没有这条申报。")
    return found


@performs
def review(by: str, claim: str, decision: str, points: int | None, reason: str) -> tuple[str, int | None]:
    with person(by) as user:
        done = claims.review_claim(
            by=user, claim=the_claim(claim), decision=decision, points=points, reason=reason
        )
        return done.status, done.points_decided


@performs
def review_batch(by: str, place: str, ids: list[str]) -> list[tuple[str, str, str | None]]:
    """claim, its status now, the refusal's kind."""
    with person(by) as user:
        done = claims.review_many(by=user, place=place, claims=[UUID(id) for id in ids], decision="approve")
        return [
            (str(one.claim_id), one.status, type(one.error).__name__ if one.error else None) for one in done
        ]


@performs
def recuse(by: str, place: str, house: str) -> str:
    with person(by) as user:
        return claims.declare_recusal(by=user, user=user, household=home(place, house), kind="business").kind


@performs
def open_notice(by: str, place: str, period: str) -> dict[str, Any]:
    with person(by) as user:
        found = notices.open_notice(by=user, place=place, period=period)
        lines = {str(line.claim_id): line.points for line in found.lines.all()}
        return {"closes": found.closes_on.isoformat(), "lines": lines}


def the_notice(place: str, period: str) -> Notice:
    return Notice.objects.filter(place=place, period=period).latest("number")


@performs
def close_notice(by: str, place: str, period: str) -> str:
    with person(by) as user:
        return str(notices.close_notice(by=user, notice=the_notice(place, period)).batch_id)


def the_line(claim: str) -> Line:
    from zhili.common.errors import NotFound

    found = Line.objects.select_related("notice").filter(claim=claim).first()
    if found is None:
        raise NotFound("没有这一条公示。")
    return found


@performs
def object_to(place: str, claim: str, id: str, text: str) -> str:
    """Without a name, from the open page."""
    with nobody(place):
        return notices.object_to(line=the_line(claim), text=text, channel="open", id=UUID(id)).lookup_code


@performs
def acknowledge(by: str, objection: str) -> str:
    with person(by) as user:
        return notices.acknowledge(by=user, objection=Objection.objects.get(pk=objection)).status


@performs
def answer(by: str, objection: str, outcome: str) -> tuple[str, str]:
    with person(by) as user:
        done = notices.answer_objection(
            by=user, objection=Objection.objects.get(pk=objection), outcome=outcome, answer="已到现场核对"
        )
        return done.status, the_line(str(done.line.claim_id)).status


@performs
def take_down(by: str, claim: str) -> str:
    with person(by) as user:
        return notices.correct_line(by=user, line=the_line(claim), points=None, reason="记错了户").status


@performs
def reverse_award(by: str, approved_by: str, place: str, claim: str, purses: list[str], reason: str) -> int:
    with person(by) as user:
        other = User.objects.get(username=approved_by)
        ids = [derived(UUID(claim), purse) for purse in purses]
        done = reverse(ids, place=place, by=user, approved_by=other, reason=reason, period=month(place))
        return done.count


def month(place: str) -> str:
    from zhili.common.periods import period_of, today

    return open_period(place, period_of(today(), "month").code)


@performs
def split(by: str, place: str, house: str, code: str, share: int) -> str:
    with person(by) as user:
        old = home(place, house)
        leaves = (
            old.residents.filter(status__in=["present", "away"])
            .exclude(relation="head")
            .order_by("pk")
            .first()
        )
        new = household_changes.split_household(
            by=user, household=old, code=code, residents=[leaves], head=leaves, share_percent=share,
            period=month(place), basis="分家协议",
        )  # fmt: skip
        return new.code


@performs
def merge(by: str, place: str, house: str, into: str) -> str:
    with person(by) as user:
        done = household_changes.merge_households(
            by=user,
            household=home(place, house),
            into=home(place, into),
            period=month(place),
            basis="并户申请",
        )
        return done.code


@performs
def move(by: str, place: str, house: str) -> str:
    with person(by) as user:
        done = household_changes.move_away(
            by=user, household=home(place, house), period=month(place), basis="户口迁出"
        )
        return done.status


@performs
def death(by: str, place: str, house: str, on: str) -> str:
    from zhili.people.actions import record_death

    with person(by) as user:
        rows: Any = Resident.objects.filter(household=home(place, house), status__in=["present", "away"])
        one = rows.exclude(relation="head").order_by("pk").first()
        return record_death(by=user, resident=one, on=date.fromisoformat(on), basis="死亡登记").status


@performs
def announce(by: str, place: str, on: str, until: str) -> int:
    with person(by) as user:
        said = announcing.announce_expiry(
            by=user,
            place=place,
            purse="spend",
            on=date.fromisoformat(on),
            earned_until=date.fromisoformat(until),
        )
        return said.points


@performs
def lapse(by: str, place: str) -> int:
    """What is announced and not yet done; doing it again posts nothing."""
    with person(by) as user:
        said = [one for one in announcing.announcements(place) if one.purse == "spend"]
        one = next((one for one in said if not one.done), said[0])
        return announcing.expire_announced(by=user, place=place, announcement=one, period=month(place))


@performs
def new_book(place: str, sign: str, sweep: int, on: str) -> int:
    from tests.simulator.world import put_book
    from zhili.rulebook.models import RuleBook

    with scoped("511702"):
        town = User.objects.get(username=f"town{place[:9]}")
        county = User.objects.get(username="county")
        book = put_book(place, sign, sweep, date.fromisoformat(on), town, county)
        return RuleBook.objects.get(pk=book).version


@performs
def import_sheet(by: str, place: str, rows: list[list[str]]) -> dict[str, Any]:
    """Upload a sheet of claims and apply it where nothing is wrong. The ids it made, and how many it knew."""
    from zhili.claims.importing import apply_claims, read_claims

    with person(by) as user:
        text = "\n".join(["户编号,项目,日期,说明,证明人", *(",".join(row) for row in rows)])
        dry = read_claims(text.encode("utf-8-sig"), "申报.csv", place, by=user)
        said = {"known": dry.known, "repeated": dry.repeated is not None, "errors": len(dry.errors)}
        if not dry.ok:
            return {**said, "ids": []}
        apply_claims(dry, by=user)
        return {
            **said,
            "ids": [
                [str(draft.id), draft.household.code, draft.occurred_on.isoformat()] for draft in dry.drafts
            ],
        }
