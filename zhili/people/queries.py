"""Finding households and people: by card, by number, by name, by the first letters of the name's pinyin."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote
from uuid import UUID

from django.conf import settings
from django.db.models import Case, Exists, IntegerField, OuterRef, Q, QuerySet, Value, When

from zhili.common.periods import today
from zhili.people.models import (
    Delegation,
    Household,
    HouseholdChange,
    ImportRun,
    Membership,
    Resident,
    User,
)

LIVE: Final = (Resident.Status.PRESENT, Resident.Status.AWAY)
_TOKEN: Final = re.compile(r"[A-Za-z0-9_\-]{22}")
_RELATIONS: Final = list(Resident.Relation)


def tidy_code(text: str) -> str:
    """户编号 as stored: no spaces, half-width, capitals."""
    return re.sub(r"[\s\x00]", "", unicodedata.normalize("NFKC", text[:80])).upper()


@lru_cache(maxsize=20_000)
def initials(name: str) -> str:
    """王小明 → wxm; letters and digits stay, everything else goes. At most 40 characters."""
    from pypinyin import Style, lazy_pinyin

    parts = lazy_pinyin(name, style=Style.FIRST_LETTER, errors="default")
    letters = "".join(part if len(part) < 2 else re.sub(r"[^A-Za-z0-9]", "", part) for part in parts)
    return re.sub(r"[^a-z0-9]", "", letters.lower())[:40]


def card_url(household: Household) -> str:
    """The QR on the card: an address with the token; it identifies, not authenticates (N-07)."""
    return f"{settings.PUBLIC_URL}/m/card/{household.card_token}/"


def find_by_card(place: str, text: str) -> Household | None:
    """A household of the village by what was scanned or typed: card token, the QR's whole address, or 户编号.

    None: no such card here, or one that was replaced. Full-width digits and spaces are fine.
    """
    if len(text) > 300:
        return None
    typed = unquote(text.strip())
    found = _TOKEN.fullmatch(typed.rstrip("/").rpartition("/")[2].rpartition("=")[2])
    if found:
        household = Household.objects.filter(place=place, card_token=found.group()).first()
        if household is not None or "/" in typed:
            return household
    code = tidy_code(typed)
    return Household.objects.filter(place=place, code=code).first() if code else None


def search_households(place: str, text: str, limit: int = 20, *, only_open: bool = True) -> list[Household]:
    """Households by number, by a member's name, or by pinyin initials (wxm); the best matches first.

    Each carries `.head_name` ("" where there is none). Two queries whatever the number.
    """
    wanted = unicodedata.normalize("NFKC", text).strip()[:40]
    if not wanted:
        return []
    found = matching(Household.objects.filter(place=place), wanted)
    if only_open:
        found = found.filter(status__in=Household.OPEN)
    code = tidy_code(wanted)
    rank = Case(
        When(code=code, then=Value(0)), When(code__startswith=code, then=Value(1)), default=Value(2),
        output_field=IntegerField(),
    )  # fmt: skip
    rows: list[Household] = list(
        found.annotate(rank=rank).order_by("rank", "code")[: max(1, min(limit, 100))]
    )
    names = head_names(place, [row.pk for row in rows])
    for row in rows:
        row.head_name = names.get(row.pk, "")  # type: ignore[attr-defined]
    return rows


def matching(households: QuerySet[Household], text: str) -> QuerySet[Household]:
    """`households` narrowed to those that `text` may mean: part of the number, a name, pinyin initials."""
    wanted = unicodedata.normalize("NFKC", text).replace("\x00", "").strip()[:40]
    by_name = Q(name__contains=wanted)
    if re.fullmatch(r"[A-Za-z]{1,20}", wanted):
        by_name |= Q(pinyin__startswith=wanted.lower())
    people = Resident.objects.filter(by_name, household=OuterRef("pk"), status__in=LIVE)
    return households.filter(Q(code__contains=tidy_code(wanted)) | Exists(people))


def members(household: Household, *, all_ever: bool = False) -> list[Resident]:
    """The people of a household, head first, then by relation and age; `all_ever`: also who left."""
    rows = household.residents.all() if all_ever else household.residents.filter(status__in=LIVE)
    place = {relation.value: n for n, relation in enumerate(_RELATIONS)}
    return sorted(
        rows, key=lambda r: (r.status not in LIVE, place[r.relation], str(r.birth_date or ""), r.pk)
    )


def head_of(household: Household) -> Resident | None:
    """The living head, or None."""
    return household.residents.filter(relation="head", status__in=LIVE).first()


def head_names(place: str, household_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Household → its head's name; of a household without one (closed, or the head has died) the last head's.

    One query.
    """
    wanted = list(household_ids)
    if not wanted:
        return {}
    rows = Resident.objects.filter(place=place, household__in=wanted, relation="head")
    names: dict[UUID, str] = {}
    for household, name, _ in sorted(
        rows.values_list("household_id", "name", "status"), key=lambda row: row[2] in LIVE
    ):
        names[household] = name
    return names


def with_a_login(place: str) -> set[UUID]:
    """Households of a village where somebody has a log-in: who is not here is told on paper (U-24). One query."""
    rows = User.objects.filter(is_active=True, resident__place=place, resident__status__in=LIVE)
    return {key for key in rows.values_list("resident__household", flat=True) if key is not None}


def minor_names(place: str) -> list[str]:
    """Whole names of the village's children under 14: on no public face (P-07). One query."""
    day = today()
    born_after = date(day.year - 14, day.month, 28 if (day.month, day.day) == (2, 29) else day.day)
    rows = Resident.objects.filter(place=place, birth_date__gt=born_after, status__in=LIVE)
    return list(rows.order_by("name").values_list("name", flat=True).distinct())


def groups_of(place: str) -> list[str]:
    """The groups (组) of a village that have households, in counting order."""
    found = Household.objects.filter(place=place).exclude(group="").values_list("group", flat=True).distinct()
    return sorted(found.order_by(), key=lambda group: (int((re.findall(r"\d+", group) or ["999"])[0]), group))


def history(household: Household) -> list[HouseholdChange]:
    """What has happened to a household, latest first (200 at most)."""
    rows = household.changes.select_related("by", "other").order_by("-on", "-id")
    return list(rows[:200])


def active_delegation(by: User, whose: Resident | Household, scope: str) -> Delegation | None:
    """The delegation by which `by` may act today for this person, or for anybody of this household (A-09)."""
    day = today()
    rows = Delegation.objects.filter(delegate=by, scope__in=[scope, "all"], revoked_on=None)
    rows = rows.filter(valid_from__lte=day, valid_to__gte=day).select_related("principal")
    if isinstance(whose, Resident):
        rows = rows.filter(principal=whose)
    else:
        rows = rows.filter(principal__household=whose, principal__status__in=LIVE)
    return rows.order_by("-valid_to").first()


def delegations_of(place: str) -> QuerySet[Delegation]:
    """All delegations of a village, with both persons."""
    return Delegation.objects.filter(place=place).select_related("principal__household", "delegate")


def delegations_for(residents: Sequence[Resident]) -> list[Delegation]:
    """Delegations given by these people, the running ones first."""
    rows = Delegation.objects.filter(principal__in=residents).select_related("principal", "delegate")
    return list(rows.order_by("-valid_to")[:100])


def roles_at(place: str, *, running: bool = True) -> QuerySet[Membership]:
    """Roles held at a place itself; `running`: those in force today."""
    rows = Membership.objects.filter(place=place).select_related("user", "granted_by")
    day = today()
    if running:
        rows = rows.filter(valid_from__lte=day).filter(Q(valid_to=None) | Q(valid_to__gt=day))
    return rows.order_by("role", "user_id")


def find_user(username: str) -> User | None:
    """A log-in by its exact name."""
    return (
        User.objects.filter(username=username.strip(), is_active=True).first() if username.strip() else None
    )


def import_runs(place: str, kind: str = "households") -> list[ImportRun]:
    """What was imported here, latest first (50 at most)."""
    return list(ImportRun.objects.filter(place=place, kind=kind).select_related("by").order_by("-at")[:50])


def counts(place: str) -> dict[str, Any]:
    """Households and people living here, for the overview: one statement each."""
    day = today()
    return {
        "households": Household.objects.filter(place=place, status__in=Household.OPEN).count(),
        "residents": Resident.objects.filter(place=place, status__in=LIVE).count(),
        "delegations_ending": delegations_of(place)
        .filter(revoked_on=None, valid_to__range=(day, day + timedelta(days=30)))
        .count(),
    }
