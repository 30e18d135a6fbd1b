"""Wall two (A-03): row security in PostgreSQL, whatever a view forgets; also through a connection pool."""

from __future__ import annotations

from types import SimpleNamespace

import psycopg
import pytest
from django.db import connection, transaction
from django.http import HttpRequest, JsonResponse
from django.test import Client, override_settings
from django.urls import include, path

from tests.cast import NEXT_VILLAGE, OTHER_TOWN_VILLAGE, TOWNSHIP, VILLAGE, make_person
from zhili.common.policy import open_to_all, requires, signed_in
from zhili.common.scope import set_scope
from zhili.people.models import ApiToken, Household, Resident, User
from zhili.people.scope import enter_scope

pytestmark = pytest.mark.django_db
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"

# Tables without a place, and why. A new one fails the test below until it stands here with its reason or its wall.
WITHOUT_PLACE = {
    "places_place": "the published tree of places, no persons",
    "places_placechange": "published changes of places, no persons",
    "common_holiday": "the county's calendar",
    "django_migrations": "the state of the tables",
    "django_content_type": "names of tables",
    "auth_group": "unused: roles are memberships (A-07)",
    "auth_group_permissions": "unused: roles are memberships (A-07)",
    "auth_permission": "unused: rules of the rooms' access.py instead",
    "people_user_groups": "unused: roles are memberships (A-07)",
    "people_user_user_permissions": "unused: rules of the rooms' access.py instead",
    "common_dailyrun": "which daily job ran when: names of jobs and counts, no persons",
    "audit_round": "numbers of the audit chain's rounds, no persons",
    "account_emailconfirmation": "unused: no e-mail is ever confirmed (ACCOUNT_EMAIL_VERIFICATION none)",
    "django_tasks_database_dbtaskresult": "jobs carry ids and enter the scope of their own place when they run",
    "common_bucket": "token buckets: keyed digests and numbers (common/limits.py)",
    "people_phonecode": "digest of a code and the keyed index of a number, ten minutes; read before anybody is known",
    "people_identityclaim": "an opaque number of a WeChat app waiting half an hour for a clerk; found by its code's digest",
    "socialaccount_socialapp": "unused: apps stand in the settings",
    "socialaccount_socialtoken": "unused: no token is kept",
    "django_session": "read by its secret key before anybody is known; signed, holds a user id and no name",
}
# Tables of log-in: a wall of their own, by person instead of place.
WALLED_BY_PERSON = (
    "people_user",
    "people_apitoken",
    "mfa_authenticator",
    "account_emailaddress",
    "people_loginsession",
    "socialaccount_socialaccount",
)


def catalogue(sql: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


SHARED_BY_A_SHOP = tuple(
    f"shop_{name}"
    for name in [
        "shop",
        "supplier",
        "good",
        "pricelist",
        "price",
        "stockmove",
        "stockcount",
        "fairday",
        "poll",
    ]
)

TABLES = """
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
       EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'place' AND NOT a.attisdropped),
       (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid), pg_get_userbyid(c.relowner)
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1
"""


def test_every_table_with_a_place_is_behind_forced_row_security(db):
    """A-03: from the catalogue, no table left out; forced, so that the owner is held too."""
    found = [row for row in catalogue(TABLES) if row[3]]
    assert len(found) > 25
    open_ = [name for name, on, forced, _, policies, _ in found if not (on and forced and policies)]
    assert open_ == [], "row_security(...) is missing in a migration (common/rowsecurity.py)"


def test_every_policy_is_of_the_transactions_scope_and_admits_nothing_else(db):
    """A-03: each policy checks reading and writing, and what it admits beside the scope is named here."""
    admits = {
        "people_membership": "user_id",  # one's own roles, read before any place is known
        "people_delegation": "delegate_id",  # acting for somebody of another village
        "audit_entry": "actor_id",  # one's own deeds, also those before the place was known
    }
    # A township's shop serves the villages below it: its shelf, never its money or other villages' orders.
    admits |= dict.fromkeys(SHARED_BY_A_SHOP, "zhili_scope()")
    rows = catalogue(
        "SELECT c.relname, p.polcmd::text, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid),"
        " p.polpermissive, EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'place')"
        " FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid"
    )
    for table, command, using, check, permissive, placed in rows:
        if not placed:
            assert table in WALLED_BY_PERSON or "people_user" in using, (
                f"{table}: say in this test why it has a policy"
            )
            continue
        assert "zhili_scope()" in (using or check), table
        assert permissive, table
        if command == "*" and table not in admits:
            assert " OR " not in using, f"{table} admits more than its scope: {using}"
        if table in admits:
            assert admits[table] in using


def test_tables_without_a_place_have_a_reason_or_a_wall_by_person(db):
    """A-03: nothing personal stands in a table that any request of anybody could read."""
    bare = [name for name, on, _, placed, _, _ in catalogue(TABLES) if not placed and not on]
    unknown = [name for name in bare if name not in WITHOUT_PLACE]
    assert unknown == [], (
        f"{unknown}: a table without place and without a wall: give it a policy, or a reason in WITHOUT_PLACE"
    )
    walled = [
        name for name, on, _, placed, policies, _ in catalogue(TABLES) if not placed and on and policies
    ]
    assert set(WALLED_BY_PERSON) <= set(walled)


def test_the_applications_role_cannot_walk_round(db):
    """A-03: no superuser, no BYPASSRLS, owner of nothing, member of no other role, may not switch row security off."""
    [(me, strong)] = catalogue(
        "SELECT rolname, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb FROM pg_roles"
        " WHERE rolname = current_user"
    )
    assert not strong
    assert all(owner != me for *_, owner in catalogue(TABLES))
    assert catalogue("SELECT 1 FROM pg_auth_members WHERE member = current_user::regrole") == []
    for attack in (
        "ALTER TABLE people_household DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE people_household NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY scope ON people_household",
        "CREATE POLICY open ON people_household USING (true)",
        "CREATE OR REPLACE FUNCTION zhili_scope() RETURNS text[] LANGUAGE sql AS $$ SELECT '{%}'::text[] $$",
        "SET ROLE zhili_owner",
        "TRUNCATE people_household",
    ):
        with (
            pytest.raises(
                (psycopg.Error, Exception), match=r"must be owner|permission denied|does not exist"
            ),
            transaction.atomic(),
        ):
            catalogue(attack)


def test_row_security_off_is_an_error_and_no_way_in(cast):
    """A-03: `SET row_security = off` makes the query fail; it does not open anything."""
    with pytest.raises(Exception, match="row-level security"), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL row_security = off")
        list(Household.objects.all())


# -- a view that forgets ------------------------------------------------------------------------------------


def forgetful(request: HttpRequest, place: str = "") -> JsonResponse:
    """Everything a careless view might fetch: no filter at all, by id from the query, raw SQL, a join."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT place FROM people_household UNION ALL SELECT place FROM people_resident")
        raw = [row[0] for row in cursor.fetchall()]
    wanted = request.GET.get("id")
    return JsonResponse(
        {
            "all": list(Household.objects.values_list("place", flat=True)),
            "raw": raw,
            "by_id": Household.objects.filter(pk=wanted).count() if wanted else 0,
            "joined": list(
                Resident.objects.select_related("household").values_list("household__place", flat=True)
            ),
            "logins": list(User.objects.exclude(home_place="").values_list("home_place", flat=True)),
            "changed": Household.objects.exclude(place=VILLAGE).update(address="x"),
        }
    )


urlpatterns = [
    path("planted/", signed_in(forgetful)),
    path("desk/<str:place>/planted/", requires("people.see_households")(forgetful)),
    path("open/<str:place>/planted/", open_to_all(forgetful)),
    path("planted-open/", open_to_all(forgetful)),
    path("", include("zhili.config.urls")),
]


@pytest.fixture
def planted(cast):
    with override_settings(ROOT_URLCONF=__name__):
        far = make_person("far", "远村演示", OTHER_TOWN_VILLAGE, "1001", "1组", "head")
        yield SimpleNamespace(
            cast=cast, foreign=[cast.stranger.resident.household_id, far.resident.household_id]
        )


@pytest.mark.parametrize("who", ["villager", "clerk", "reviewer", "shopkeeper", "supervisor"])
def test_a_planted_view_returns_no_foreign_row(planted, who):
    """A-03: a view that forgets its filter, its permission and its place shows and changes the own village only."""
    client = Client()
    client.force_login(getattr(planted.cast, who), BACKEND)
    for foreign in planted.foreign:
        said = client.get("/planted/", {"id": str(foreign)}).json()
        assert set(said["all"]) == set(said["raw"]) == set(said["joined"]) == {VILLAGE}
        assert set(said["logins"]) == {VILLAGE}
        assert said["by_id"] == said["changed"] == 0
    set_scope(["511702"])
    assert not Household.objects.filter(address="x").exists()


def test_a_planted_view_for_levels_above_and_for_nobody(planted):
    """A-03: a township sees its own subtree, a bank no more than its county, a stranger nothing at all."""
    client = Client()
    client.force_login(planted.cast.township, BACKEND)
    assert {place[:9] for place in client.get("/planted/").json()["all"]} == {TOWNSHIP}
    assert set(client.get(f"/desk/{NEXT_VILLAGE}/planted/").json()["all"]) == {NEXT_VILLAGE}
    said = Client().get("/planted-open/").json()
    assert said["all"] == said["raw"] == said["joined"] == []
    said = Client().get(f"/open/{NEXT_VILLAGE}/planted/").json()
    assert set(said["all"]) == set(said["logins"]) == {NEXT_VILLAGE}


@pytest.mark.parametrize(
    "place", ["%", "5117", "51170210920%", "_" * 12, "511702109200,511702109201", "*", "0"]
)
def test_an_address_is_no_pattern(planted, place):
    """A-03: what stands where the village's code should never widens the scope."""
    client = Client()
    client.force_login(planted.cast.clerk, BACKEND)
    assert client.get(f"/desk/{place}/planted/").status_code == 404


# -- log-ins ------------------------------------------------------------------------------------------------


def test_log_ins_of_another_village_are_not_seen(cast):
    """A-03: people_user has no place; its own wall shows oneself, people in scope, and staff without a village."""
    with transaction.atomic():
        enter_scope(cast.clerk)
        names = set(User.objects.values_list("username", flat=True))
        assert {"clerk", "villager", "township", "county"} <= names
        assert not {"stranger", "stranger_clerk"} & names
        assert User.objects.filter(username="stranger").update(is_active=False) == 0
        set_scope(["511702"])
    assert User.objects.get(username="stranger").is_active


def test_keys_of_machines_of_another_village_are_not_seen(cast):
    """A-03: nor their digests; on a public page nobody's."""
    ApiToken.objects.create(user=cast.stranger, digest="0" * 64, title="邻村", expires_on="2099-01-01")
    ApiToken.objects.create(user=cast.clerk, digest="1" * 64, title="本村", expires_on="2099-01-01")
    enter_scope(cast.clerk)
    assert list(ApiToken.objects.values_list("title", flat=True)) == ["本村"]
    from django.contrib.auth.models import AnonymousUser

    enter_scope(AnonymousUser(), VILLAGE, public=True)
    assert list(ApiToken.objects.values_list("title", flat=True)) == ["本村"]
    assert not User.objects.filter(username="stranger").exists()
    set_scope(["511702"])


def test_a_name_taken_elsewhere_is_taken(cast):
    """A-03: the wall does not let two people of two villages take one log-in name, in large or small letters."""
    from zhili.people.errors import PeopleError
    from zhili.people.role_actions import make_login

    enter_scope(cast.clerk)
    with pytest.raises(PeopleError, match="已经有人用"):
        make_login(cast.head.resident, "STRANGER", by=cast.clerk)
    set_scope(["511702"])
