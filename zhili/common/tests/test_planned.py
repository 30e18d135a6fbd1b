"""Statements that keep their plan see what a queryset sees, and no more (A-03, L-12)."""

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext

from zhili.common import planned
from zhili.common.scope import set_scope
from zhili.people.models import Household, Resident, User

HERE, NEIGHBOUR = "511702109200", "511702109201"
OFTEN = 3 * planned.AFTER


@pytest.fixture
def households(db):
    for place in (HERE, NEIGHBOUR):
        Household.objects.create(place=place, code="001", group="1组")


def names_of(prefix: str) -> list[str]:
    """Prepared statements this session holds that start so."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT statement FROM pg_prepared_statements WHERE starts_with(statement, %s)", [prefix]
        )
        return [row[0] for row in cursor.fetchall()]


def test_a_kept_plan_asks_for_the_scope_each_time(households):
    """A-03: planned under one village's scope, then said under another's, under none, and under rubbish."""
    for scope, seen in ([HERE], [HERE]), ([NEIGHBOUR], [NEIGHBOUR]), ([], []), ([HERE], [HERE]):
        set_scope(scope)
        for _ in range(OFTEN):
            assert [one.place for one in planned.rows(Household, "code = %s", ["001"])] == seen
    assert names_of("SELECT " + planned.columns(Household))
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('zhili.scope', '%', true)")
    assert planned.first(Household, "code = %s", ["001"]) is None


def test_a_kept_plan_cannot_write_outside_the_scope(households):
    """A-03"""
    move = "UPDATE people_household SET place = %s WHERE code = %s RETURNING place"
    set_scope([HERE])
    for _ in range(OFTEN):
        assert planned.ask(move, [HERE, "001"]) == [(HERE,)]
    with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
        planned.ask(move, [NEIGHBOUR, "001"])


def test_a_row_is_the_one_a_queryset_gives(households):
    """Every field alike, and it can be saved."""
    set_scope([HERE])
    by_query = Household.objects.get()
    found = planned.first(Household, "id = %s", [by_query.pk])
    assert found == by_query and vars(found).keys() == vars(by_query).keys()
    assert all(
        getattr(found, f.attname) == getattr(by_query, f.attname) for f in Household._meta.concrete_fields
    )
    found.code = "002"
    found.save()
    assert Household.objects.get().code == "002"
    when = User.objects.create(username="one")
    assert planned.first(User, "id = %s", [when.pk]).date_joined == User.objects.get(pk=when.pk).date_joined


def test_a_row_is_added_as_a_queryset_adds_it(households):
    """A-03: every column, in this village only."""
    set_scope([HERE])
    made = Household(place=HERE, code="002", group="2组")
    planned.add(made)
    assert not made._state.adding and vars(Household.objects.get(code="002")) | {"_state": 0} == vars(
        made
    ) | {"_state": 0}
    for place, refused in (NEIGHBOUR, ProgrammingError), (HERE, IntegrityError):
        with pytest.raises(refused), transaction.atomic():
            planned.add(Household(place=place, code="002"))
    assert Household.objects.count() == 2


def test_what_travels_beside_the_statement_is_never_part_of_it(households):
    """W-01"""
    set_scope([HERE])
    for text in ("001' OR true --", "%s", "%", "'; DELETE FROM people_household; --"):
        assert planned.rows(Household, "code = %s", [text]) == []
    assert Household.objects.count() == 1


def test_a_model_whose_columns_need_reading_is_refused(db):
    """JSON comes out of a queryset only."""
    with pytest.raises(TypeError, match="tags"):
        planned.rows(Resident, "id = %s", [1])


def test_it_is_counted_and_refused_as_any_other(households):
    """C-07: the counts of the other tests see it, and the database's refusals come as Django's."""
    set_scope([HERE])
    with CaptureQueriesContext(connection) as seen:
        for _ in range(OFTEN):
            planned.rows(Household, "code = %s", ["001"])
    assert len(seen) == OFTEN and all('FROM "people_household"' in one["sql"] for one in seen)
    with pytest.raises(IntegrityError), transaction.atomic():
        planned.ask("UPDATE people_household SET opened_on = NULL, closed_on = '2026-01-01' RETURNING 1")


@pytest.mark.parametrize("sign", [{"DISABLE_SERVER_SIDE_CURSORS": True}, {"LIMITS_NAME": "zhili_limits"}])
def test_behind_a_pool_no_plan_is_kept(households, monkeypatch, sign):
    """The next statement may reach another server, which does not know it (docs/security-walls.md)."""
    driver = connection.connection
    for name, said in sign.items():
        monkeypatch.setitem(connection.settings_dict, name, said)
    monkeypatch.setattr(driver, "prepare_threshold", None)
    set_scope([HERE])
    for _ in range(OFTEN):
        assert planned.ask("SELECT code FROM people_household WHERE code = %s", ["001"]) == [("001",)]
    assert names_of("SELECT code FROM people_household") == []
