"""The register knows every column; what it says about keeping is what the retention rules do."""

from __future__ import annotations

import copy

import pytest
import yaml
from django.apps import apps

from zhili.privacy.queries import register_rows
from zhili.privacy.register import FILE, SUBJECTS, build, problems, register
from zhili.privacy.retention import BY_CODE, words

DATA = yaml.safe_load(FILE.read_text(encoding="utf-8"))


def without(label: str, name: str) -> dict[str, object]:
    data = copy.deepcopy(DATA)
    model = data["models"][label]
    model.get("fields", {}).pop(name, None)
    model["plain"] = [one for one in model.get("plain", []) if one != name]
    return data


def test_every_column_of_every_table_is_registered_or_declared_not_personal() -> None:
    """P-01: no column of any table, third-party tables included, stands outside the register."""
    assert problems() == []
    assert len(register().models) == len(list(apps.get_models(include_auto_created=True)))


@pytest.mark.parametrize(
    ("label", "name"),
    [("people.Resident", "name"), ("people.Resident", "tags"), ("claims.Claim", "text"), ("shop.Order", "reason"),
     ("mfa.Authenticator", "data"), ("sessions.Session", "session_data"), ("audit.Entry", "detail"),
     ("people.HouseholdChange", "detail"), ("shop.Good", "title"), ("common.Message", "body")],
)  # fmt: skip
def test_a_column_left_out_is_found(label: str, name: str) -> None:
    """P-01: a column missing from the register fails, whichever table it is in."""
    assert f"{label}.{name}：没有登记，也没有写明不是个人信息" in problems(build(without(label, name)))


def test_a_table_left_out_is_found() -> None:
    """P-01: so does a whole table."""
    data = copy.deepcopy(DATA)
    del data["models"]["notices.Objection"]
    assert "notices.Objection：整张表没有登记" in problems(build(data))


def test_a_line_for_a_column_that_is_gone_is_found() -> None:
    """P-01: the register may not promise what is not there."""
    data = copy.deepcopy(DATA)
    data["models"]["people.Resident"]["fields"]["blood_type"] = "health"
    assert "people.Resident.blood_type：登记了，但没有这一列" in problems(build(data))


def test_a_column_cannot_be_both() -> None:
    """P-01: personal and not personal at once is a contradiction."""
    data = copy.deepcopy(DATA)
    data["models"]["people.Resident"]["plain"] = ["name"]
    assert "people.Resident.name：又登记，又写明不是个人信息" in problems(build(data))


@pytest.mark.parametrize(
    ("change", "words_"),
    [({"level": "绝密"}, "level"), ({"erase": "maybe"}, "erase"), ({"purpose": ""}, "purpose"),
     ({"basis": ""}, "basis"), ({"keep": ""}, "retention"), ({"copy": ""}, "reason"),
     ({"erase": "keep", "why_keep": ""}, "without a reason")],
)  # fmt: skip
def test_a_class_that_leaves_something_open_is_refused(change: dict[str, str], words_: str) -> None:
    """P-01: purpose, basis, level, retention and copying are all answered, for each class."""
    data = copy.deepcopy(DATA)
    data["classes"]["name"] |= change
    with pytest.raises(ValueError, match=words_):
        build(data)


def test_an_unknown_class_or_table_is_refused() -> None:
    """P-01: a typing mistake does not pass as a class."""
    data = copy.deepcopy(DATA)
    data["models"]["people.Resident"]["fields"]["name"] = "nmae"
    with pytest.raises(ValueError, match="no class nmae"):
        build(data)
    data = copy.deepcopy(DATA)
    data["models"]["people.Ghost"] = {"title": "鬼"}
    with pytest.raises(ValueError, match="no such table"):
        build(data)


def test_every_period_of_the_register_is_a_rule() -> None:
    """P-11: how long is a rule that runs, or says why it does not."""
    for one in register().classes.values():
        assert one.keep in BY_CODE, one.code
        assert words(one.keep)


def test_what_needs_separate_consent_says_so() -> None:
    """P-03: numbers, bank accounts and health stand on articles 28 and 29, and are sensitive."""
    found = register()
    for code in ("number", "bank", "health"):
        one = found.classes[code]
        assert one.level == "敏感" and "二十九" in one.basis and "单独同意" in one.basis


def test_numbers_are_seen_by_few_and_the_page_shows_sensitive_first() -> None:
    """P-01, O-07: who sees a number is named; the page begins with what is sensitive."""
    rows = register_rows()
    assert [row.level for row in rows] == sorted(
        (row.level for row in rows), key=lambda level: level != "敏感"
    )
    number = next(row for row in rows if row.title == "电话和身份证号（加密）")
    assert "留痕" in number.viewers and "银行" not in number.viewers
    assert all(row.columns and row.keep and row.basis for row in rows)
    assert set(SUBJECTS) == {"sensitive", "publication", "sharing", "automation"}
