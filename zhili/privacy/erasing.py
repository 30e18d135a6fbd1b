"""Removing a person (T-07): name, numbers, photos and words go, numbers and dates stay, and the ledger and the trail
still verify, because nothing that is hashed there was ever a name.

The field register says column by column what becomes of it. Set-based: the number of statements depends on the number
of tables, never on how much somebody did. Mentions of the name in what others wrote are replaced too, unless somebody
else of the village has the same name; those rows are listed for a person to look at.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db import connection, models, transaction
from django.db.models import F, Func, Q, TextField, Value
from django.db.models.functions import Cast, Left, Replace

from zhili.audit.actions import record
from zhili.claims.models import Claim
from zhili.claims.photos import THUMB
from zhili.common.clock import now
from zhili.common.ids import new_token
from zhili.common.masking import mask_name
from zhili.common.periods import today
from zhili.notices.models import Line, Notice, Objection
from zhili.people.models import Household, Membership, Resident, User
from zhili.people.queries import LIVE
from zhili.privacy.errors import PrivacyError
from zhili.privacy.models import Erasure, Request
from zhili.privacy.register import Entry, ModelEntry, register

GONE: Final = "已删除"
PENDING: Final = (
    Claim.Status.SUBMITTED, Claim.Status.SECOND_REVIEW, Claim.Status.COUNCIL, Claim.Status.RETURNED,
    Claim.Status.APPROVED, Claim.Status.ON_NOTICE, Claim.Status.HELD,
)  # fmt: skip
# Written only by functions of the database, or only added to: they hold keys, and the application may not touch them.
UNTOUCHED: Final = frozenset(
    {
        "audit.Entry", "audit.PublishedHead", "ledger.Account", "ledger.Batch", "ledger.Transfer", "ledger.PeriodTotal",
        "ledger.PeriodClose", "ledger.Assertion", "shop.StockMove", "shop.FundEntry", "shop.FundAccount",
    }
)  # fmt: skip
# Public donors: a person's name may stand in these words. In the order of privacy_forget_donor's answer.
DONATIONS: Final = {"shop.StockMove": "donated_by", "shop.FundEntry": "source"}


@dataclass(slots=True)
class Whose:
    """Whose rows are looked for. alone: nobody else of the household is left who is not erased."""

    resident: Resident
    users: list[int]
    alone: bool
    name: str
    files: list[tuple[str, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    to_check: list[str] = field(default_factory=list)

    @property
    def household(self) -> UUID:
        return self.resident.household_id


def refuse_unless_erasable(resident: Resident) -> None:
    """Raises PrivacyError where something still runs: claims, notices, objections, roles, others who need a head."""
    if Erasure.objects.filter(resident=resident).exists():
        raise PrivacyError("这个人的信息已经删除")
    mine = _claims_of(resident)
    waiting = mine.filter(status__in=PENDING).count()
    if waiting:
        raise PrivacyError(
            f"还有 {waiting} 条申报没有办完（评议、公示或暂缓中）",
            hint="等入账或撤回以后再删除，免得公示里的账对不上。",
        )
    hanging = Line.objects.filter(claim__in=mine, notice__status=Notice.Status.OPEN).count()
    if hanging:
        raise PrivacyError(f"公示里还挂着 {hanging} 条", hint="等公示结束以后再删除。")
    if Objection.objects.filter(by_resident=resident, status__in=Objection.OPEN).exists():
        raise PrivacyError("提的异议还没有答复", hint="等答复以后再删除，或先撤回异议。")
    day = today()
    roles = Membership.objects.filter(user__resident=resident, valid_from__lte=day)
    if roles.filter(Q(valid_to=None) | Q(valid_to__gt=day)).exists():
        raise PrivacyError("这个人还担任村里的身份", hint="请先在“成员与身份”里结束身份。")
    others = Resident.objects.filter(household=resident.household_id, status__in=LIVE).exclude(pk=resident.pk)
    if resident.is_head and resident.status in LIVE and others.exists():
        raise PrivacyError("这个人是户主，家里还有别人", hint="请先更换户主。")


@transaction.atomic
def erase(
    *,
    resident: Resident,
    by: User | None,
    approved_by: User | None,
    basis: str,
    request: Request | None = None,
) -> Erasure:
    """Remove one person. Two different people for a request; the retention rule for what has run out.

    Files are removed after the commit. Raises PrivacyError where something still runs.
    """
    resident = (
        Resident.objects.select_for_update(of=("self",)).select_related("household").get(pk=resident.pk)
    )
    if basis == Erasure.Basis.REQUEST and (by is None or approved_by is None or by.pk == approved_by.pk):
        raise PrivacyError("删除要两个人：一个办理，另一个批准")
    refuse_unless_erasable(resident)
    who = _whose(resident)
    _donations(who)  # while the name still stands in the person's own row
    for model in register().models.values():
        if model.label not in UNTOUCHED:
            _erase_in(model, who)
    _mentions(who)
    _leave(who)
    done = Erasure.objects.create(
        place=resident.place, resident=resident, request=request, basis=basis, by=by, approved_by=approved_by,
        counts=who.counts, to_check=who.to_check,
    )  # fmt: skip
    record(
        "privacy.erase", by=approved_by or by, place=resident.place, target=resident, basis=basis,
        counts=who.counts, to_check=len(who.to_check),
    )  # fmt: skip
    files, key = list(who.files), resident.pk
    transaction.on_commit(lambda: _after(files, key, resident.place))
    return done


def _claims_of(resident: Resident) -> models.QuerySet[Claim]:
    """Claims in which this person is named; of the household too, where it was claimed for nobody in particular and
    nobody else is left."""
    wanted = Q(resident=resident) | Q(on_behalf_of=resident)
    if _alone(resident):
        wanted |= Q(household=resident.household_id)
    return Claim.objects.filter(wanted)


def _alone(resident: Resident) -> bool:
    others = Resident.objects.filter(household=resident.household_id).exclude(pk=resident.pk)
    return not others.filter(Q(status__in=LIVE) | Q(erasures=None)).filter(erasures=None).exists()


def _whose(resident: Resident) -> Whose:
    users = list(User.objects.filter(resident=resident).values_list("pk", flat=True))
    return Whose(resident, users, _alone(resident), resident.name)


def rows_of(model: ModelEntry, who: Whose, *, household: bool = True) -> models.QuerySet[Any]:
    """The rows of one table that are about this person. household: rows of the whole household count."""
    wanted, found = Q(), False
    for kind, path in model.whose.items():
        if kind == "resident":
            wanted |= Q(**{path: who.resident.pk})
            found = True
        elif kind == "household" and household:
            wanted |= Q(**{path: who.household})
            found = True
        elif kind == "user" and who.users:
            wanted |= Q(**{f"{path}__in": who.users})
            found = True
        elif kind == "owner":
            wanted |= Q(**{path: who.resident.pk}) | (Q(**{path: who.household}) if household else Q())
            found = True
    rows: models.QuerySet[Any] = apps.get_model(model.label)._base_manager.all()
    return rows.filter(wanted) if found else rows.none()


def _erase_in(model: ModelEntry, who: Whose) -> None:
    """What the register says for this table. Rows of the household only where nobody else is left in it."""
    rows = rows_of(model, who, household=who.alone)
    if model.label in ("notices.Line", "claims.Evidence", "claims.Review"):
        rows = rows | _of_named_claims(model.label, who)
    if model.label == "notices.Line" and not who.alone:
        rows = rows | _lines_as_head(who)
    if model.erase in ("row", "row_alone"):
        _delete(model, rows)
        return
    if model.erase == "account":
        _close_accounts(who)
        return
    changes: dict[str, Any] = {}
    for entry in model.entries:
        if entry.erase == "photo":
            who.files += [
                (place, name)
                for place, name in rows.exclude(**{entry.name: ""}).values_list("place", entry.name)
            ]
        value = _value(entry, who)
        if value is not _KEEP:
            changes[entry.name] = value
    if model.label == "claims.Review":  # the trigger lets nothing but a forgotten reason through
        rows = rows.exclude(reason__in=["", GONE])
    if changes and (count := rows.update(**changes)):
        who.counts[model.label] = count


_KEEP: Final = object()


def _value(entry: Entry, who: Whose) -> Any:
    """What a column becomes; _KEEP where it stays."""
    if entry.erase in ("keep", "mention", "row", "row_alone", "account"):
        return _KEEP
    if entry.erase == "alone" and not who.alone:
        return _KEEP
    column = apps.get_model(entry.model)._meta.get_field(entry.name)
    if entry.name == "card_token":
        return new_token()
    if entry.erase == "null":
        return None
    if isinstance(column, models.JSONField):
        return column.get_default()
    if entry.erase == "text":
        # An empty text stays empty: "已删除" would say that something had been there.
        return models.Case(models.When(**{entry.name: ""}, then=Value("")), default=Value(GONE))
    return ""


def _of_named_claims(label: str, who: Whose) -> models.QuerySet[Any]:
    rows: models.QuerySet[Any] = apps.get_model(label)._base_manager.filter(
        Q(claim__resident=who.resident) | Q(claim__on_behalf_of=who.resident)
    )
    return rows


def _lines_as_head(who: Whose) -> models.QuerySet[Any]:
    """Lines of the household that hang under this person's masked name, where nobody else there has the same one."""
    masked = mask_name(who.name)
    others = Resident.objects.filter(household=who.household).exclude(pk=who.resident.pk)
    if any(mask_name(name) == masked for name in others.values_list("name", flat=True)):
        return Line.objects.none()
    return Line.objects.filter(household=who.household, name_masked=masked)


def _delete(model: ModelEntry, rows: models.QuerySet[Any]) -> None:
    if model.label == "people.ConsentSheet":
        apps.get_model("people.Consent")._base_manager.filter(sheet__in=rows).update(sheet=None)
    rows.delete()


def _close_accounts(who: Whose) -> None:
    """A log-in that stays as a number only: everything it did still has somebody who did it."""
    if not who.users:
        return
    who.counts["people.User"] = User.objects.filter(pk__in=who.users).update(
        username=models.functions.Concat(Value("deleted-"), Cast(F("pk"), TextField())),
        display_name=GONE, first_name="", last_name="", email="", password=UNUSABLE_PASSWORD_PREFIX, is_active=False,
    )  # fmt: skip


def _leave(who: Whose) -> None:
    """The row of the person itself: nobody lives here under that name any more."""
    if who.resident.status in LIVE:
        Resident.objects.filter(pk=who.resident.pk).update(status=Resident.Status.MOVED, left_on=today())
    if who.alone:
        Household.objects.filter(pk=who.household).update(published=False)


def _mentions(who: Whose) -> None:
    """The name in what others wrote in this village. Somebody else of that name: listed, not touched."""
    if not _is_a_name(who):
        return
    shared = _is_shared(who)
    for model in register().models.values():
        table = apps.get_model(model.label)
        if model.label in UNTOUCHED or not _has_place(table):
            continue
        for entry in model.entries:
            if entry.erase not in ("text", "mention") or entry.of.code in ("name", "posted_name"):
                continue
            _mention(table, entry, who, shared)


def _is_a_name(who: Whose) -> bool:
    return len(who.name.strip()) >= 2 and who.name != GONE


def _is_shared(who: Whose) -> bool:
    """Somebody else of the village has the same name."""
    namesakes = Resident.objects.filter(place=who.resident.place, name=who.name)
    return namesakes.exclude(pk=who.resident.pk).exists()


def _donations(who: Whose) -> None:
    """The name of somebody who gave goods or money. Those books are only added to, so the owner's function does it: the
    words go, pieces and fen stay, and no sum is made of words."""
    if not _is_a_name(who):
        return
    village, shared = who.resident.place, _is_shared(who)
    for label, column in DONATIONS.items():
        # A township's shop may have been given something by a namesake from the next village: a person looks.
        places = [village[:9], village[:6], *([village] if shared else [])]
        rows = apps.get_model(label)._base_manager.filter(place__in=places)
        found = rows.filter(**{f"{column}__contains": who.name}).values_list("pk", flat=True)
        who.to_check += [f"{label}.{column}:{key}" for key in found[:200]]
    if shared:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT moves, entries FROM privacy_forget_donor(%s)", [who.resident.pk])
        for (label, column), count in zip(DONATIONS.items(), cursor.fetchone(), strict=True):
            if count:
                who.counts[f"{label}.{column}"] = count


def _mention(table: type[models.Model], entry: Entry, who: Whose, shared: bool) -> None:
    column = table._meta.get_field(entry.name)
    is_json = isinstance(column, models.JSONField)
    as_text = Cast(entry.name, TextField())
    rows = table._base_manager.filter(place=who.resident.place).annotate(wording=as_text)
    # JSON is stored with its characters as they are; a name never holds a quote or a backslash worth escaping.
    rows = rows.filter(
        wording__contains=json.dumps(who.name, ensure_ascii=False)[1:-1] if is_json else who.name
    )
    if shared:
        who.to_check += [f"{entry.model}:{key}" for key in rows.values_list("pk", flat=True)[:200]]
        return
    replaced: Any = (
        Value(GONE) if entry.model == "claims.Review" else Replace(as_text, Value(who.name), Value(GONE))
    )
    if is_json:
        replaced = Func(
            replaced, function="", template="(%(expressions)s)::jsonb", output_field=models.JSONField()
        )
    elif column.max_length:  # type: ignore[union-attr]
        replaced = Left(replaced, column.max_length)  # type: ignore[union-attr]
    if count := rows.update(**{entry.name: replaced}):
        who.counts[f"{entry.model}.{entry.name}"] = count


def _has_place(table: type[models.Model]) -> bool:
    return any(one.name == "place" for one in table._meta.get_fields())


def _after(files: list[tuple[str, str]], key: UUID, place: str) -> None:
    """After the commit: the files go, and the list outside the database names the key, for after a restore."""
    for village, name in files:
        for path in (name, name + THUMB):
            (Path(settings.PHOTO_ROOT) / village / Path(path).name).unlink(missing_ok=True)
    listed = erased_list()
    listed.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with listed.open("a", encoding="utf-8") as out:
        out.write(json.dumps({"place": place, "resident": str(key), "at": now().isoformat()}) + "\n")


def erased_list() -> Path:
    """Keys of removed people, beside the database: a restored backup must forget them again (`zhili privacy again`)."""
    return Path(settings.VAR) / f"erased-{connection.settings_dict['NAME']}.jsonl"


def again(place: str = "") -> tuple[int, int]:
    """After a restore: remove everybody on the list whom the backup brought back. → (removed, still in the way)."""
    try:
        lines = erased_list().read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return 0, 0
    wanted = {UUID(one["resident"]) for one in map(json.loads, lines) if one["place"].startswith(place)}
    removed = waiting = 0
    for resident in Resident.objects.filter(pk__in=wanted, erasures=None):
        try:
            erase(resident=resident, by=None, approved_by=None, basis=Erasure.Basis.RETENTION)
            removed += 1
        except PrivacyError:
            waiting += 1
    return removed, waiting


def left_before(place: str, day: date) -> models.QuerySet[Resident]:
    """People who moved away or died before `day` and are still named: what the retention rule removes."""
    return (
        Resident.objects.filter(place__startswith=place, erasures=None, left_on__lt=day)
        .filter(status__in=[Resident.Status.MOVED, Resident.Status.DEAD])
        .order_by("left_on", "pk")
    )
