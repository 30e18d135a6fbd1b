"""Four villages in the middle of their work: ours, the next one, one of another township, one of another county.

Every text column of the others says so: 密 in a word of a village is for its own people only, 公 hangs on its
wall anyway. A table nobody fills by a real action gets one row by `one_row`, so new tables come in by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import copy
from datetime import date, time, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.db import IntegrityError, InternalError, models, transaction

from tests.books import SMALL_BOOK, make_book
from tests.cast import VILLAGE, make_person, make_staff
from tests.month import approve, claim_for
from tests.stage import on, workday
from zhili.claims.actions import declare_recusal
from zhili.common.clock import now
from zhili.common.ids import new_token, uuid7
from zhili.common.periods import period_of, previous_period, today
from zhili.common.scope import set_scope
from zhili.config.roles import INSERT_ONLY_TABLES, READ_ONLY_TABLES
from zhili.ledger.models import ReversalRequest
from zhili.notices.actions import close_notice, object_to, open_notice
from zhili.people.models import Delegation, Household, Membership, User
from zhili.places.models import Place, VillageSettings

OWN, NEXT, OTHER_TOWN, OTHER_COUNTY = VILLAGE, "511702109203", "511702103200", "511703101200"
# The word of each village: it stands in every text of that village and nowhere else.
WORDS = {OWN: "柏", NEXT: "榕", OTHER_TOWN: "桂", OTHER_COUNTY: "槐"}
EVERYWHERE = ["511702", "511703"]

# Role → the places whose inner matters that person may read. A bank has no consent here, hence nothing.
REACH = {
    **dict.fromkeys(
        ("villager", "head", "delegate", "group_leader", "clerk", "reviewer", "elder", "supervisor", "shopkeeper"), OWN
    ),
    "township": "511702109",
    **dict.fromkeys(("county", "system_admin", "security_admin", "audit_admin"), "511702"),
    "bank": "none",
    "anonymous": "none",
}  # fmt: skip

# What hangs on the wall of a village anyway; everything else in a text column is for its own people.
PUBLIC = {
    "notices_notice.title", "notices_line.item_title", "notices_line.household_code", "notices_line.group",
    "notices_line.name_masked", "notices_line.correction", "notices_line.why",
    "people_household.code", "people_household.group",
    "rulebook_rulebook.title", "rulebook_rulebook.text", "rulebook_item.title", "rulebook_item.category_title",
    "places_villagesettings.office_address", "shop_reconciliation.note", "shop_reconciliationnote.text",
    "shop_shop.title", "shop_shop.address", "shop_shop.hours", "shop_shop.paused", "shop_good.title", "shop_good.category",
    "shop_good.unit", "shop_fairday.reason",
    "honours_honourscheme.title", "honours_honourscheme.basis", "honours_honourscheme.basis_number",
    "honours_honourlist.decided_by",
    "honours_groupgoal.title", "honours_groupgoal.reward", "honours_groupgoal.basis",
}  # fmt: skip
# Their form is asked for by constraints, code paths or other rows: not overwritten, their values are marks themselves.
KEPT = {
    "place", "code", "period", "settlement", "digest", "body_digest", "channel", "review_needed", "source", "opens",
    "purse", "sha256", "rows_digest", "lookup_code", "card_token", "file_name", "sealed", "kind", "ledger_head",
    "level", "status", "unit", "algorithm", "category_code", "group", "household_code", "name_masked", "item_title",
    "office_phone", "supervisor_phone", "phone_secret", "id_number_secret", "role", "grade",
    "pinyin", "name", "month",
}  # fmt: skip
UNWRITABLE = {*READ_ONLY_TABLES, *INSERT_ONLY_TABLES}


def village_models() -> Iterator[type[models.Model]]:
    """Every model of ours whose rows belong to a place."""
    for model in apps.get_models():
        if model.__module__.startswith("zhili.") and any(f.name == "place" for f in model._meta.local_fields):
            yield model


def build() -> SimpleNamespace:
    """All four villages, ours with the roles of the cast. .own .next .other_town .other_county, each with .ids."""
    set_scope(EVERYWHERE)
    for code, name, kind in (
        ("511703", "达川区（演示）", "county"), ("511703101", "演示镇", "township"),
        (OTHER_COUNTY, "槐树村村民委员会", "village"),
    ):  # fmt: skip
        if not Place.objects.filter(code=code).exists():
            parent = (
                Place.objects.filter(code__in=[code[:9], code[:6]])
                .exclude(code=code)
                .order_by("-code")
                .first()
            )
            Place.objects.create(code=code, name=name, kind=kind, parent=parent)
    scene = SimpleNamespace()
    for key, place in (
        ("own", OWN),
        ("next", NEXT),
        ("other_town", OTHER_TOWN),
        ("other_county", OTHER_COUNTY),
    ):
        setattr(scene, key, village(place))
    scene.all = [scene.own, scene.next, scene.other_town, scene.other_county]
    return scene


def village(place: str) -> SimpleNamespace:
    """A village with a posted month, a notice that hangs and claims that wait."""
    word = WORDS[place]
    cast = people(place, word)
    cast.word, cast.unmade = word, []
    work(cast, word)
    for model in village_models():
        if not model._default_manager.filter(place=place).exists() and model._meta.db_table not in UNWRITABLE:
            try:
                one_row(model, cast)
            except AssertionError as error:
                cast.unmade.append(str(error))
    mark(cast)
    cast.ids = ids_of(cast)
    return cast


def people(place: str, word: str) -> SimpleNamespace:
    """The cast of one village; in ours the levels above it too."""
    VillageSettings.objects.create(
        place=place, office_phone="0818-0000000", office_address=f"{word}公路1号", demo=True
    )
    found = SimpleNamespace(place=place)
    roles = [
        ("villager", "01", "1组", "son", None), ("head", "01", "1组", "head", None),
        ("delegate", "09", "1组", "head", None), ("group_leader", "02", "1组", "head", "group_leader"),
        ("clerk", "03", "1组", "head", "clerk"), ("reviewer", "04", "2组", "head", "reviewer"),
        ("reviewer2", "05", "2组", "head", "reviewer"), ("reviewer3", "06", "2组", "head", "reviewer"),
        ("elder", "07", "3组", "head", "council"), ("supervisor", "08", "3组", "head", "supervisor"),
        ("shopkeeper", "10", "3组", "head", "shopkeeper"),
    ]  # fmt: skip
    for number, (role, code, group, relation, held) in enumerate(roles):
        name = f"乔{word}密{'甲乙丙丁戊己庚辛壬癸子'[number]}"
        user = make_person(f"{role}-{place}", name, place, f"{word}公{code}", group, relation)
        if held:
            Membership.objects.create(user=user, role=held, place=place, valid_from=date(2020, 1, 1))
        setattr(found, role, user)
    for role, reach in (
        ("township", place[:9]), ("county", place[:6]), ("bank", place[:6]), ("system_admin", place[:6]),
        ("security_admin", place[:6]), ("audit_admin", place[:6]),
    ):  # fmt: skip
        setattr(found, role, make_staff(f"{role}-{place}", f"演示{role}", role, reach))
    found.household = found.head.resident.household
    Delegation.objects.create(
        place=place,
        principal=found.head.resident,
        delegate=found.delegate,
        valid_to=today() + timedelta(days=300),
    )
    return found


def work(cast: SimpleNamespace, word: str) -> None:
    """By the real actions: last month posted, this month's notice open, one line held, two claims waiting."""
    day = today()
    last = previous_period(period_of(day, "month"))
    before = previous_period(last)
    text = re.sub(r"title: ", f"title: {word}公", SMALL_BOOK).replace("to: 2027-12-31", "to: null")
    photo = _photo(WORDS[cast.place])
    homes = [f"{word}公{n:02d}" for n in (1, 2, 3, 9, 10)]
    with on(before.start):
        cast.book = make_book(cast, text, place=cast.place)
    for month, count in ((before, 3), (last, 2)):
        with on(month.end):
            for n, code in enumerate(homes[:count]):
                approve(cast, claim_for(
                    cast, by=cast.clerk, household=Household.objects.get(place=cast.place, code=code),
                    occurred_on=month.start + timedelta(days=3 + n), channel="counter",
                    photos=(photo,) if n == 0 else (),
                ))  # fmt: skip
        with on(
            workday(period_of(month.end + timedelta(days=1), "month").start, 1)
            if month is before
            else workday(day, -1)
        ):
            cast.notice = open_notice(by=cast.clerk, place=cast.place, period=month.code)
        if month is before:
            cast.posted = cast.notice
            with on(workday(cast.posted.closes_on + timedelta(days=1), 1)):
                cast.posted = close_notice(by=cast.clerk, notice=cast.posted)
    with on(workday(day, -1)):
        line = cast.notice.lines.exclude(household=cast.household).first()
        cast.objection = object_to(by=cast.villager, line=line, text=f"{word}密下雨", channel="phone")
    cast.claim = claim_for(cast, occurred_on=day, text=f"{word}密扫路", photos=(_photo(word * 2),))
    claim_for(cast, by=cast.clerk, household=Household.objects.get(place=cast.place, code=homes[3]), item="GY04",
              occurred_on=day, channel="counter")  # fmt: skip
    declare_recusal(by=cast.reviewer, user=cast.reviewer, household=cast.household, kind="relative")
    ReversalRequest.objects.create(
        place=cast.place, transfers=[str(uuid7())], reason=f"{word}密", asked_by=cast.clerk
    )


def _photo(word: str) -> bytes:
    import io

    from PIL import Image

    shade = 40 + ord(word[0]) % 150
    out = io.BytesIO()
    Image.new("RGB", (64 + len(word), 48), (shade, 255 - shade, 90)).save(out, "JPEG")
    return out.getvalue()


def one_row(model: type[models.Model], cast: SimpleNamespace) -> Any:
    """A row of a table the month does not touch, every column filled by its kind."""
    from tests.matrix.samples import ROWS

    label = model._meta.db_table
    values = {}
    for position, field in enumerate(model._meta.concrete_fields):
        if field.auto_created or isinstance(field, models.CompositePrimaryKey):
            continue
        if field.primary_key and field.has_default():
            continue
        values[field.name] = _fill(field, cast, position)
    # Two persons of one row are two: many a constraint asks for it.
    persons = [f for f in model._meta.concrete_fields if f.is_relation and f.related_model is User]
    everybody = dict(
        zip((f.name for f in persons), (cast.clerk, cast.supervisor, cast.elder, cast.head), strict=False)
    )
    needed = {field.name: everybody[field.name] for field in persons if not field.null}
    particular = ROWS[label](cast) if label in ROWS else {}
    refused: Exception | None = None
    agreed = {
        f.name: True
        for f in model._meta.concrete_fields
        if isinstance(f, models.BooleanField) and not f.has_default()
    }
    for filled in (needed, everybody, needed | agreed, everybody | agreed):
        try:
            with transaction.atomic():
                return model._default_manager.create(**(values | filled | particular))
        except (IntegrityError, ValueError, TypeError) as error:
            refused = error
    raise AssertionError(
        f"the matrix cannot make a row of {label} by itself ({refused}); say how in tests/matrix/samples.py, ROWS"
    ) from refused


def _fill(field: Any, cast: SimpleNamespace, position: int) -> Any:
    """position: of the column, so that a later hour or day of a row is later."""
    word = f"{cast.word}密"
    if field.name == "place":
        return cast.place
    if isinstance(field, models.ForeignKey):
        return None if field.null and field.related_model is not User else _related(field.related_model, cast)
    if field.choices:
        return field.default if field.has_default() else field.choices[0][0]
    if isinstance(field, models.CharField | models.TextField):
        size = field.max_length or 60
        return (new_token() if field.unique or "digest" in field.name or "token" in field.name else word)[
            :size
        ]
    if isinstance(field, models.JSONField):
        return [word] if field.get_default() == [] else {"说明": word}
    if field.has_default():
        return field.get_default()
    if field.null:
        return None
    plain: list[tuple[type, Any]] = [
        (models.UUIDField, uuid7()), (models.DateTimeField, now()),
        (models.DateField, today() + timedelta(days=position)),
        (models.BooleanField, False), (models.BinaryField, b"\1" * 32), (models.DecimalField, Decimal(1)),
        (models.IntegerField, 1), (models.FloatField, 1.0), (models.TimeField, time(9 + position % 12)),
        (models.DurationField, timedelta(1)), (models.GenericIPAddressField, "127.0.0.1"),
    ]  # fmt: skip
    for kind, value in plain:
        if isinstance(field, kind):
            return value
    raise AssertionError(
        f"{field.model._meta.db_table}.{field.name} is a {type(field).__name__}: teach scene.py to fill it"
    )


def _related(model: Any, cast: SimpleNamespace) -> Any:
    if model is User:
        return cast.clerk
    if any(f.name == "place" for f in model._meta.local_fields):
        return model._default_manager.filter(place=cast.place).first() or one_row(model, cast)
    return model._default_manager.first()


def mark(cast: SimpleNamespace) -> None:
    """Put the village's word into every text column that has no form of its own."""
    for model in village_models():
        table = model._meta.db_table
        if table in UNWRITABLE:
            continue
        wanted: dict[str, Any] = {}
        for field in model._meta.concrete_fields:
            name = f"{table}.{field.name}"
            word = cast.word + ("公" if name in PUBLIC else "密")
            if field.name in KEPT or name in PUBLIC or field.choices or field.unique or field.is_relation:
                continue
            if isinstance(field, models.CharField | models.TextField):
                wanted[field.name] = f"{word}文"[: field.max_length or 99]
            elif (
                isinstance(field, models.JSONField)
                and field.default in (list, dict)
                and table.startswith("people_")
            ):
                wanted[field.name] = [f"{word}签"] if field.default is list else {"内": f"{word}签"}
        if not wanted:
            continue
        try:
            with transaction.atomic():
                model._default_manager.filter(place=cast.place).update(**wanted)
        except (IntegrityError, InternalError):  # only ever added to: then one more row, with the words in it
            one_row(model, cast)


def ids_of(cast: SimpleNamespace) -> dict[str, Any]:
    """Model name → a key of a row of that village, plus what samples.py says for other URL parameters."""
    from tests.matrix.samples import ALIASES, PARAMETERS

    found: dict[str, Any] = {}
    for model in village_models():
        row = model._default_manager.filter(place=cast.place).order_by("pk").first()
        if row is None or not isinstance(row.pk, tuple):
            # A table without a row is a failure of its own; its addresses are asked all the same.
            found.setdefault(model._meta.model_name or "", row.pk if row is not None else uuid7())
    found |= {name: value(cast) for name, value in PARAMETERS.items()}
    found |= {name: found[model] for name, model in ALIASES.items() if model in found}
    return found


class Marks:
    """What of one village must not be seen: its words, the keys of all its rows, its tokens and file names."""

    def __init__(self, cast: SimpleNamespace) -> None:
        self.place, self.word = cast.place, cast.word
        self.persons_only = False
        self.keys: set[str] = set()
        self.rules: set[str] = set()
        self.tokens: set[str] = set()
        for model in village_models():
            names = [f.name for f in model._meta.concrete_fields if isinstance(f, models.UUIDField)]
            tokens = [
                f.name
                for f in model._meta.concrete_fields
                if f.name in ("card_token", "file_name", "lookup_code")
            ]
            for row in model._default_manager.filter(place=cast.place).values(*names, *tokens):
                kept = self.rules if model._meta.app_label == "rulebook" else self.keys
                kept |= {str(row[name]) for name in names if isinstance(row[name], UUID)}
                self.tokens |= {str(row[name]) for name in tokens if row[name]}

    def of_persons(self) -> Marks:
        """The same without what hangs on the wall and without rule books: for a partner of the whole county."""
        less = copy(self)
        less.persons_only = True
        return less


_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TOKEN = re.compile(r"[0-9A-Za-z_-]{14,}(?:\.jpg)?")


def foreign_in(text: str, sent: str, marks: list[Marks], public_place: str = "") -> list[str]:
    """Everything of `marks` that `text` shows and the request did not itself carry. public_place: its 公 words may hang."""
    keys, tokens = set(_UUID.findall(text)), set(_TOKEN.findall(text))
    found = []
    for one in marks:
        hangs = one.place == public_place or one.persons_only
        words = [f"{one.word}密"] if hangs else [f"{one.word}密", f"{one.word}公"]
        found += [word for word in words if word in text]
        if one.place != public_place:
            secret = one.keys if one.persons_only else one.keys | one.rules
            found += [key for key in (keys & secret) | (tokens & one.tokens) if key not in sent]
    return found


def without_photos() -> None:
    """Remove the photo files this scene wrote."""
    import shutil
    from pathlib import Path

    for place in WORDS:
        shutil.rmtree(Path(settings.PHOTO_ROOT) / place, ignore_errors=True)
