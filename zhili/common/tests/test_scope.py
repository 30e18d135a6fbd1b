"""Row security: what a transaction sees is what its scope allows, and an empty scope allows nothing (A-03)."""

import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from zhili.common.scope import scoped, set_scope
from zhili.people.models import Household

HERE, NEIGHBOUR, OTHER_TOWN = "511702109200", "511702109201", "511702103200"


@pytest.fixture
def households(db):
    for place in (HERE, NEIGHBOUR, OTHER_TOWN):
        Household.objects.create(place=place, code="001")


def visible() -> list[str]:
    return sorted(Household.objects.values_list("place", flat=True))


def test_a_village_sees_its_own_rows_only(households):
    """A-03"""
    set_scope([HERE])
    assert visible() == [HERE]


def test_a_township_sees_its_subtree(households):
    """A-03"""
    set_scope(["511702109"])
    assert visible() == [HERE, NEIGHBOUR]


def test_an_empty_scope_sees_nothing(households):
    """A-03: a setting that was once SET LOCAL reads as the empty string."""
    set_scope([])
    assert visible() == []


def test_rubbish_in_the_setting_sees_nothing(households):
    """A-03"""
    with connection.cursor() as cursor:
        for value in ("%", "5", "_" * 6, "' OR true --", ",", "5117%"):
            cursor.execute("SELECT set_config('zhili.scope', %s, true)", [value])
            assert visible() == []


def test_a_row_cannot_be_written_outside_the_scope(households):
    """A-03"""
    set_scope([HERE])
    with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
        Household.objects.create(place=NEIGHBOUR, code="002")


def test_a_nested_scope_ends(households):
    set_scope([HERE])
    with scoped(NEIGHBOUR):
        assert visible() == [NEIGHBOUR]
    assert visible() == [HERE]


def test_only_codes_make_a_scope():
    with pytest.raises(ValueError, match="not a place prefix"):
        set_scope(["%"])
