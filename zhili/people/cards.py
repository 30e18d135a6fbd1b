"""积分卡 on paper (U-30): printing a card, printing it again, and knowing an old one when somebody brings it.

A card that is printed a second time gets a new random token in the same moment, so the one printed before finds nothing
any more (N-07): whoever found it in the street holds a piece of paper.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from zhili.audit.actions import record
from zhili.common.ids import new_token
from zhili.common.periods import today
from zhili.people.access import must
from zhili.people.errors import PeopleError
from zhili.people.models import CardPrint, Household, HouseholdChange, User

CARDS_MAX: Final = 1_000
REASON_MAX: Final = 100
_TOKEN: Final = re.compile(r"[A-Za-z0-9_\-]{22}")


@dataclass(frozen=True, slots=True)
class Printing:
    """What is to be printed: households in the order of the sheet, and how many of them had a card before."""

    households: list[Household]
    renewed: int


@transaction.atomic
def print_cards(*, by: User, place: str, households: Sequence[Household], reason: str = "") -> Printing:
    """Cards for these households of one village, all or none; the clerk alone. About ten statements however many.

    A household whose present card was printed before gets a new token at once, and the old card is dead; reason says
    why (lost, worn), and is needed for that. Raises NotAllowed, PeopleError.
    """
    must(by, "people.change_households", place)
    if not households:
        raise PeopleError("没有要打印的户", hint="请先选一组、一户，或选“还没打印过的”。")
    if len(households) > CARDS_MAX:
        raise PeopleError(f"一次最多打印 {CARDS_MAX} 张卡", hint="请一组一组地打印。")
    wanted = {one.pk for one in households}
    rows = list(
        Household.objects.select_for_update().filter(pk__in=wanted, place=place).order_by("group", "code")
    )
    if len(rows) != len(wanted):
        raise PeopleError("名单里有不是本村的户", hint="请回到卡片页重新选择。")
    closed = [row.code for row in rows if not row.is_open]
    if closed:
        raise PeopleError(f"{'、'.join(closed[:5])} 户已经不在册，不能再打卡", hint="请去掉这些户再打印。")
    had = set(
        CardPrint.objects.filter(household__in=wanted, version=F("household__card_version")).values_list(
            "household_id", flat=True
        )
    )
    again = [row for row in rows if row.pk in had]
    reason = reason.strip()
    if again and not reason:
        raise PeopleError(
            f"{again[0].code} 户{'等 ' + str(len(again)) + ' 户' if len(again) > 1 else ''}已经打印过卡，再打一次旧卡就作废",
            field="reason",
            hint="请写明为什么补卡，例如：遗失。",
        )
    if len(reason) > REASON_MAX:
        raise PeopleError(f"理由太长，最多 {REASON_MAX} 个字", field="reason", hint="请写短一些。")
    _renew(by, place, again, reason)
    CardPrint.objects.bulk_create(
        CardPrint(
            place=place, household=row, version=row.card_version, digest=digest(row.card_token), printed_by=by
        )
        for row in rows
    )
    record("people.print_cards", by=by, place=place, count=len(rows), renewed=len(again))
    return Printing(rows, len(again))


def _renew(by: User, place: str, households: list[Household], reason: str) -> None:
    for row in households:
        row.card_token = new_token()
        row.card_version += 1
    Household.objects.bulk_update(households, ["card_token", "card_version"], batch_size=CARDS_MAX)
    HouseholdChange.objects.bulk_create(
        HouseholdChange(
            place=place,
            household=row,
            kind=HouseholdChange.Kind.CARD,
            on=today(),
            basis=reason,
            by=by,
            detail={"version": row.card_version},
        )
        for row in households
    )


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def cards_of(place: str) -> QuerySet[CardPrint]:
    """Every card printed in a village, newest first; a list cuts its pages itself."""
    return CardPrint.objects.filter(place=place).select_related("household", "printed_by")


def without_card(place: str) -> QuerySet[Household]:
    """Open households whose present card was never printed."""
    printed = CardPrint.objects.filter(place=place, version=F("household__card_version")).values("household")
    rows = Household.objects.filter(place=place, status__in=Household.OPEN)
    return rows.exclude(pk__in=printed).order_by("group", "code")


def old_card(place: str, text: str) -> str:
    """What to say about a card that was replaced: 1001 户的旧卡……; "" for anything else. For staff of the place alone."""
    typed = unquote(text.strip()[:300])
    token = _TOKEN.fullmatch(typed.rstrip("/").rpartition("/")[2].rpartition("=")[2])
    if token is None:
        return ""
    found = (
        CardPrint.objects.filter(place=place, digest=digest(token.group()))
        .select_related("household")
        .first()
    )
    if found is None or found.household.card_token == token.group():
        return ""
    day = timezone.localtime(found.printed_at)
    return (
        f"这是 {found.household.code} 户的旧卡（{day:%Y年%-m月%-d日}打印），换过新卡，旧卡已作废。"
        f"请用新卡，或输户编号 {found.household.code} 并核对本人。"
    )
