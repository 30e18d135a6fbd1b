"""The field register (P-01): every column of every table, why it is kept, on what basis, how long, who sees it, what a
person gets of it in their copy and what becomes of it when the person is removed.

data/register.yaml is the text; the tests walk all models against it, so a column nobody has thought about fails.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from django.apps import apps
from django.db import models

FILE: Final = Path(__file__).parent / "data" / "register.yaml"
LEVELS: Final = ("一般", "敏感")
ERASE: Final = frozenset(
    {"text", "empty", "null", "keep", "row", "row_alone", "alone", "account", "photo", "mention"}
)
WHOSE: Final = frozenset({"resident", "household", "user", "trail", "ledger", "owner"})
# What an assessment must cover before the thing itself (个人信息保护法 55).
SUBJECTS: Final = {
    "sensitive": "处理敏感个人信息（身份证号、银行卡号、健康、未满 14 岁）",
    "publication": "公开个人信息（公示、榜单、照片）",
    "sharing": "向银行、保险等提供，委托别人处理",
    "automation": "按规则自动算分、定等级",
}


@dataclass(frozen=True, slots=True)
class FieldClass:
    """Fields that share purpose, basis, level, retention and viewers. copy: True, or why it is withheld (46, 45)."""

    code: str
    title: str
    purpose: str
    basis: str
    level: str
    keep: str
    viewers: tuple[str, ...]
    copy: Literal[True] | str
    erase: str
    why_keep: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One registered column."""

    model: str
    name: str
    title: str
    of: FieldClass
    erase: str


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One table. whose: kind of person → look-up from the row. plain: columns that say nothing about a person."""

    label: str
    title: str
    whose: dict[str, str]
    entries: tuple[Entry, ...]
    plain: frozenset[str]
    erase: str = ""

    def field(self, name: str) -> Entry | None:
        return next((one for one in self.entries if one.name == name), None)


@dataclass(frozen=True, slots=True)
class Register:
    """The whole register. digest: of the text, so that an assessment names what it was made from."""

    version: str
    digest: str
    classes: dict[str, FieldClass]
    models: dict[str, ModelEntry]
    stores: tuple[dict[str, str], ...] = field(default=())

    @property
    def entries(self) -> list[Entry]:
        return [one for model in self.models.values() for one in model.entries]


@lru_cache(maxsize=1)
def register() -> Register:
    """The register as it stands. Raises ValueError where the file contradicts itself."""
    raw = FILE.read_bytes()
    return build(yaml.safe_load(raw), hashlib.sha256(raw).hexdigest())


def build(data: dict[str, Any], digest: str = "") -> Register:
    """A register from the parsed file."""
    classes = {code: _class(code, facts) for code, facts in data["classes"].items()}
    found = {label: _model(label, facts, classes) for label, facts in data["models"].items()}
    for store in data["stores"]:
        if store["class"] not in classes:
            raise ValueError(f"store {store['title']}: no class {store['class']}")
    return Register(str(data["version"]), digest, classes, found, tuple(data["stores"]))


def _class(code: str, facts: dict[str, Any]) -> FieldClass:
    made = FieldClass(code=code, **{**facts, "viewers": tuple(facts["viewers"])})
    if made.level not in LEVELS:
        raise ValueError(f"class {code}: level {made.level}")
    if made.erase not in ERASE:
        raise ValueError(f"class {code}: erase {made.erase}")
    if made.erase in ("keep", "mention") and not made.why_keep:
        raise ValueError(f"class {code}: kept without a reason")
    if not (made.purpose and made.basis and made.keep) or not (made.copy is True or made.copy):
        raise ValueError(f"class {code}: purpose, basis, retention or reason missing")
    return made


def _model(label: str, facts: dict[str, Any], classes: dict[str, FieldClass]) -> ModelEntry:
    whose = dict(facts.get("whose", {}))
    if set(whose) - WHOSE:
        raise ValueError(f"{label}: whose {whose}")
    erase = facts.get("erase", "")
    try:
        model = apps.get_model(label)
    except LookupError:
        raise ValueError(f"{label}: there is no such table") from None
    by_name = {one.name: one for one in model._meta.get_fields() if one.concrete}
    entries: list[Entry] = []
    for name, code in facts.get("fields", {}).items():
        if code not in classes:
            raise ValueError(f"{label}.{name}: no class {code}")
        column = by_name.get(name)
        title = _title(column, name, classes[code])
        entries.append(Entry(label, name, title, classes[code], erase or classes[code].erase))
    named = {one.name for one in entries} | set(facts.get("plain", ()))
    for name, column in by_name.items():
        if name not in named and (code := automatic(column)) and code in classes:
            entries.append(Entry(label, name, _title(column, name, classes[code]), classes[code], "keep"))
    return ModelEntry(label, facts["title"], whose, tuple(entries), frozenset(facts.get("plain", ())), erase)


def _title(column: Any, name: str, of: FieldClass) -> str:
    """What a person reads: the column's own Chinese name, else that of what it points to, else its class's."""
    title = str(getattr(column, "verbose_name", name))
    if not title.isascii():
        return title
    target = getattr(column, "related_model", None)
    if target is None:
        return of.title
    return {"people.User": "经办人", "people.Resident": "村民"}.get(
        target._meta.label, str(target._meta.verbose_name)
    )


def automatic(column: Any) -> str:
    """The class a link has by what it points to; "" for every column that must be written down."""
    if isinstance(column, (models.ForeignKey, models.OneToOneField)):
        target = column.related_model._meta.label
        return {"people.User": "act", "people.Resident": "link", "people.Household": "link"}.get(target, "")
    return ""


def problems(found: Register | None = None) -> list[str]:
    """Columns that stand nowhere, and lines for columns that are not there. Empty is good."""
    found = found or register()
    wrong: list[str] = []
    known = {model._meta.label: model for model in apps.get_models(include_auto_created=True)}
    for label, model in known.items():
        entry = found.models.get(label)
        names = {one.name for one in model._meta.get_fields() if one.concrete}
        if entry is None:
            wrong.append(f"{label}：整张表没有登记")
            continue
        written = {one.name for one in entry.entries} | entry.plain
        for one in model._meta.get_fields():
            if one.concrete and one.name not in written and not _key(one):
                wrong.append(f"{label}.{one.name}：没有登记，也没有写明不是个人信息")
        wrong += [f"{label}.{name}：登记了，但没有这一列" for name in sorted(written - names)]
        both = {one.name for one in entry.entries} & entry.plain
        wrong += [f"{label}.{name}：又登记，又写明不是个人信息" for name in sorted(both)]
    wrong += [f"{label}：登记了，但没有这张表" for label in found.models if label not in known]
    return wrong


def _key(column: Any) -> bool:
    """The row's own key, and the place."""
    return bool(getattr(column, "primary_key", False)) or column.name == "place"
