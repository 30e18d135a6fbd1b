"""我的信息: everything held about one person, as the person gets it (个人信息保护法 45), and what is withheld.

Walks the register: a table more in the product is a sheet more here. One query a table, however much there is; points
come from the ledger's own statement, looks and changes from the trail.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, Final
from uuid import UUID

from django.apps import apps
from django.db import transaction
from django.db.models import Q

from zhili.audit.actions import record
from zhili.audit.catalogue import EVENTS, OUTCOMES
from zhili.audit.models import Entry as Trail
from zhili.common.clock import now
from zhili.common.periods import SHANGHAI, today
from zhili.common.points import format_points, format_signed
from zhili.common.spreadsheets import Column, SheetOut, write_workbook
from zhili.ledger.queries import balances, statements
from zhili.people.models import Household, Membership, Resident, User
from zhili.people.secrets import open_bank, open_id_number, open_phone
from zhili.privacy.erasing import Whose, rows_of
from zhili.privacy.register import Entry, ModelEntry, register

ROWS_MAX: Final = 20_000
"""Rows of one table in a copy; the rest is counted and said."""
TRAIL_ROWS: Final = 2_000
# Columns that are counted in hundredths of a point.
POINTS: Final = frozenset({"points", "points_decided", "points_awarded", "points_before", "outcome_points"})


@dataclass(slots=True)
class Section:
    """One sheet of the copy. withheld: (column, why) of what is not handed out."""

    label: str
    title: str
    columns: list[str]
    names: list[str]
    rows: list[list[str]]
    total: int
    withheld: list[tuple[str, str]] = field(default_factory=list)

    @property
    def cut(self) -> int:
        return self.total - len(self.rows)


@dataclass(slots=True)
class MyData:
    """The whole copy. names of tables that hold nothing about this person stand in `empty`."""

    name: str
    place: str
    made_at: datetime
    sections: list[Section]
    empty: list[str]


@transaction.atomic
def hand_out(*, by: User | None, resident: Resident, form: str) -> MyData:
    """Collect, and put on record that it was handed out: to whom, not what. form: screen | xlsx | pdf."""
    found = collect(resident)
    record(
        "privacy.copy", by=by, place=resident.place, target=resident, form=form,
        rows=sum(one.total for one in found.sections), own=bool(by and by.resident_id == resident.pk),
    )  # fmt: skip
    return found


def collect(resident: Resident) -> MyData:
    """Everything registered about this person."""
    household = Household.objects.get(pk=resident.household_id)
    users = list(User.objects.filter(resident=resident).values_list("pk", flat=True))
    who = Whose(resident, users, False, resident.name)
    names = _Names(resident, household)
    sections, empty = [], []
    for model in register().models.values():
        if "trail" in model.whose:
            section = _looks(model, who, names)
        elif "ledger" in model.whose:
            section = _books(model, resident)
        elif model.whose:
            section = _rows(model, who, names)
        else:
            continue
        if section.rows or section.withheld:
            sections.append(section)
        else:
            empty.append(model.title)
    return MyData(resident.name, resident.place, now(), sections, empty)


class _Names:
    """Who is who in a cell: oneself and the household in words, staff by the name they act under, others not at all."""

    def __init__(self, resident: Resident, household: Household) -> None:
        self.household = household
        self.people = dict(Resident.objects.filter(household=household).values_list("pk", "name"))
        self.staff: dict[int, str] = {}

    def load_staff(self, wanted: set[int]) -> None:
        missing = wanted - self.staff.keys()
        if missing:
            self.staff |= {user.pk: str(user) for user in User.objects.filter(pk__in=missing)}

    def person(self, key: UUID | None) -> str:
        return "" if key is None else self.people.get(key, "别户的人（不提供）")

    def home(self, key: UUID | None) -> str:
        if key is None:
            return ""
        return f"本户 {self.household.code}" if key == self.household.pk else "别的户（不提供）"


def _rows(model: ModelEntry, who: Whose, names: _Names) -> Section:
    rows = rows_of(model, who)
    total = rows.count()
    shown = [one for one in model.entries if one.of.copy is True]
    section = _empty(model, shown, total)
    if not total:
        section.withheld = []
        return section
    columns = [apps.get_model(model.label)._meta.get_field(one.name) for one in shown]
    things = [c.name for c in columns if c.is_relation and c.related_model not in (User, Resident, Household)]
    listed = list(rows.select_related(*things or [None]).order_by("pk")[:ROWS_MAX])
    names.load_staff(
        {
            getattr(row, c.attname)
            for row in listed
            for c in columns
            if _is_user(c) and getattr(row, c.attname)
        }
    )
    section.rows = [
        [_text(row, one, column, names) for one, column in zip(shown, columns, strict=True)] for row in listed
    ]
    return section


def _empty(model: ModelEntry, shown: list[Entry], total: int) -> Section:
    withheld = [(one.title, str(one.of.copy)) for one in model.entries if one.of.copy is not True]
    return Section(
        model.label,
        model.title,
        [one.title for one in shown],
        [one.name for one in shown],
        [],
        total,
        withheld,
    )


def _is_user(column: Any) -> bool:
    return bool(column.is_relation and column.related_model is User)


def _text(row: Any, entry: Entry, column: Any, names: _Names) -> str:
    """One cell in words."""
    value = getattr(row, getattr(column, "attname", entry.name))
    if value is None or value == "":
        return ""
    if entry.name == "phone_secret":
        return open_phone(value)
    if entry.name == "id_number_secret":
        return open_id_number(value)
    if entry.name == "bank_secret":
        return open_bank(value)
    if column.is_relation:
        related = column.related_model
        if related is User:
            return names.staff.get(value, "")
        if related is Resident:
            return names.person(value)
        return names.home(value) if related is Household else str(getattr(row, entry.name))
    if getattr(column, "choices", None):
        return str(getattr(row, f"get_{entry.name}_display")())
    if entry.name in POINTS and isinstance(value, int):
        return format_points(value)
    return plain(value)


def plain(value: object) -> str:
    """A value as a person reads it."""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, datetime):
        return value.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, dict):
        return "；".join(f"{key}：{plain(one)}" for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return "；".join(plain(one) for one in value)
    return str(value)


def _looks(model: ModelEntry, who: Whose, names: _Names) -> Section:
    """The trail: who looked at or changed my row or my household's. One query, the latest first."""
    keys = [f"people.resident:{who.resident.pk}", f"people.household:{who.household}"]
    wanted = Q(target__in=keys) | Q(on_behalf_of=who.resident.pk)
    if who.users:
        wanted |= Q(actor_id__in=who.users)
    rows = Trail.objects.filter(place=who.resident.place).filter(wanted)
    total = rows.count()
    section = _empty(model, [one for one in model.entries if one.of.copy is True], total)
    listed = list(rows.order_by("-at", "-id")[:TRAIL_ROWS])
    names.load_staff({row.actor_id for row in listed if row.actor_id})
    for row in listed:
        cells = []
        for name in section.names:
            value = getattr(row, name)
            if name == "actor_id":
                cells.append(names.staff.get(value, "") if value else "系统")
            elif name == "on_behalf_of":
                cells.append(names.person(value))
            else:
                cells.append(_trail_words(name, value))
        section.rows.append(cells)
    section.withheld.append(("内容里的编号", "只供核对，看不出别的"))
    return section


_ROLES: Final = dict(Membership.Role.choices)
_DETAILS: Final = {
    "reason": "理由",
    "field": "哪一项",
    "fields": "哪些项",
    "purpose": "用途",
    "days_late": "超期天数",
}


def _trail_words(name: str, value: Any) -> str:
    """One cell of the trail as a person reads it; keys of rows are left out."""
    if value in (None, ""):
        return ""
    if name == "action":
        return EVENTS[value].title if value in EVENTS else str(value)
    if name == "outcome":
        return OUTCOMES.get(value, str(value))
    if name == "role":
        return str(_ROLES.get(value, value))
    if name == "target":
        label = str(value).partition(":")[0]
        try:
            return str(apps.get_model(label)._meta.verbose_name)
        except (LookupError, ValueError):
            return ""
    if name == "detail":
        return "；".join(
            f"{title}：{_columns(value[key])}" for key, title in _DETAILS.items() if value.get(key)
        )
    return plain(value)


def _columns(value: object) -> str:
    """Names of a resident's or household's columns in words; any other text as it is."""
    found = register().models
    titles = {
        one.name: one.title
        for label in ("people.Household", "people.Resident")
        for one in found[label].entries
    }
    titles |= {"phone": "电话", "id_number": "身份证号", "bank": "银行卡号"}
    words = value if isinstance(value, list) else [value]
    return "、".join(titles.get(str(one), str(one)) for one in words)


def _books(model: ModelEntry, resident: Resident) -> Section:
    """Points: the ledger gives its statements and balances; the other tables of the ledger repeat them."""
    if model.label == "ledger.Account":
        return _balances(model, resident)
    if model.label != "ledger.Transfer":
        why = "和“积分账户”“积分流水”是同一笔数，不重复抄"
        return Section(model.label, model.title, [], [], [], 0, [(one.title, why) for one in model.entries])
    columns = ["存折", "发生日", "记账时间", "事由", "分", "结余", "编号", "补记", "冲正", "回执码"]
    names = [
        "purse",
        "occurred_on",
        "posted_at",
        "code",
        "amount",
        "balance",
        "cause",
        "late",
        "reverses",
        "receipt",
    ]
    section = Section(model.label, model.title, columns, names, [], 0)
    section.withheld = [
        (one.title, "在“结余”“存折”里已经写明，编号本身只供核对账本")
        for one in model.entries if one.name in ("debit", "credit", "phase", "period", "short")
    ]  # fmt: skip
    for owner in (resident.household_id, resident.pk):
        for purse, book in statements(resident.place, owner, limit=ROWS_MAX).items():
            for one in book.entries:
                section.rows.append(
                    [PURSE_TITLES.get(purse, purse), one.occurred_on.isoformat(), plain(one.posted_at), one.code_title,
                     format_signed(one.points), format_points(one.balance_after), str(one.cause.get("number", "")),
                     plain(one.late), plain(bool(one.reversed)), one.receipt]
                )  # fmt: skip
    section.total = len(section.rows)
    return section


PURSE_TITLES: Final = {"merit": "荣誉积分", "spend": "兑换积分"}


def _balances(model: ModelEntry, resident: Resident) -> Section:
    section = Section(
        model.label,
        model.title,
        ["存折", "余额", "已预留", "可用"],
        ["purse", "credits", "reserved", "debits"],
        [],
        0,
    )
    section.withheld = [
        (one.title, "余额就是贷方减借方；编号只供核对账本")
        for one in model.entries if one.name in ("owner", "opened_on", "closed_on")
    ]  # fmt: skip
    for (_, purse), held in balances(resident.place, [resident.household_id, resident.pk]).items():
        section.rows.append(
            [PURSE_TITLES.get(purse, purse), format_points(held.balance), format_points(held.reserved),
             format_points(held.available)]
        )  # fmt: skip
    section.total = len(section.rows)
    return section


def workbook(found: MyData, *, watermark: str) -> bytes:
    """The copy as Excel: a first sheet that says what is in it and what is withheld and why, then a sheet a table."""
    first = [
        [one.title, str(one.total), "；".join(f"{name}（{why}）" for name, why in one.withheld)]
        for one in found.sections
    ]
    first += [[title, "0", ""] for title in found.empty]
    notes = [
        f"{found.name}，{found.made_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}。这是系统里记着的关于您的全部信息。",
        "哪里不对，可以要求改正、补充或删除；不清楚的可以问村文书。请保管好，里面有完整号码。",
    ]
    sheets = [
        SheetOut(
            "目录", [Column("内容", 18), Column("行数", 8), Column("没有写进来的和原因", 80)], first, notes,
            heading="我的信息",
        )
    ]  # fmt: skip
    for one in found.sections:
        if not one.rows:
            continue
        cut = [f"只列最近 {len(one.rows)} 行，还有 {one.cut} 行，可以再要。"] if one.cut > 0 else []
        sheets.append(
            SheetOut(
                one.title, [Column(title, 16) for title in one.columns], one.rows, cut, heading=one.title
            )
        )
    return write_workbook(sheets, watermark=watermark, properties={"title": "我的信息"})


def watermark(by: User | None, resident: Resident) -> str:
    """Who took it when, on every page."""
    own = by is not None and by.resident_id == resident.pk
    return f"{'本人' if own else by or '系统'} 取得，{today():%Y-%m-%d}，只供本人使用"
