"""Separation of duties (A-07) as a matrix, and the usual ways round it: groups, superusers, an admin site."""

from __future__ import annotations

import itertools

import pytest
import rules
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.test import Client

from zhili.common.policy import may
from zhili.people.access import clash
from zhili.people.models import Membership

pytestmark = pytest.mark.django_db
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
ADMINS = ("system_admin", "security_admin", "audit_admin")
BUSINESS = tuple(role for role in Membership.Role.values if role not in ADMINS)
# Who may do these anywhere at all. Deeds of one column are never in the hand of another column's role.
DEEDS = {
    "claims.review": {"reviewer", "council"},
    "claims.clerk": {"clerk"},
    "notices.manage": {"clerk"},
    "ledger.reverse": {"clerk"},
    "ledger.approve_reversal": {"council", "supervisor"},
    "rulebook.write": {"clerk", "township"},
    "rulebook.file": {"township"},
    "people.import": {"clerk"},
    "people.change_households": {"clerk"},
}


def in_role(cast, role: str):
    return cast.elder if role == "council" else getattr(cast, role)


@pytest.mark.parametrize("deed", DEEDS)
def test_each_deed_is_in_the_hands_named_and_in_no_other(cast, deed):
    """A-07: every role against every deed."""
    found = {role for role in Membership.Role.values if may(in_role(cast, role), deed)}
    assert found == DEEDS[deed]


def test_the_three_administrators_have_no_business_deed(cast):
    """A-07 三员: they approve, enter and pay nothing, and the auditor writes nothing at all."""
    writing = [
        name
        for name in rules.permissions.permissions
        if name.split(".")[0] in ("claims", "notices", "shop", "rulebook")
    ]
    assert len(writing) > 15
    for admin in ADMINS:
        held = {name for name in writing if may(getattr(cast, admin), name)} - OPEN_TO_PERSONS
        assert held == set(), f"{admin}: {held}"
    auditor = {name for name in rules.permissions.permissions if may(cast.audit_admin, name)}
    assert not {
        name
        for name in auditor
        if name.rsplit(".", 1)[1].startswith(("grant", "make", "write", "change", "import"))
    }


# A predicate asked without an object is true for anybody; the object decides. Seeing one's own is no deed.
OPEN_TO_PERSONS = {"claims.see"}


@pytest.mark.parametrize("first, second", list(itertools.combinations(Membership.Role.values, 2)))
def test_no_pair_that_watches_itself(first, second):
    """A-07: pairwise: administrators with anything, who watches with who does, the shop with the books, a bank with all."""
    watchers = {"supervisor"}
    doers = {"clerk", "group_leader", "reviewer", "council", "shopkeeper"}
    must_clash = (
        bool({first, second} & set(ADMINS))
        or "bank" in (first, second)
        or (bool({first, second} & watchers) and bool({first, second} & doers))
        or {first, second} == {"shopkeeper", "clerk"}
    )
    if must_clash:
        assert clash(first, second)
        assert clash(second, first)
    else:
        assert clash(first, second) == clash(second, first)


def test_superuser_groups_and_permissions_open_nothing(cast):
    """A-07: the flags and tables of Django's own rights have no effect on any permission of ours."""
    villager = cast.villager
    before = {name for name in rules.permissions.permissions if may(villager, name)}
    villager.is_superuser = villager.is_staff = True
    villager.save()
    group = Group.objects.create(name="clerk")
    group.permissions.set(Permission.objects.all())
    villager.groups.add(group)
    villager.user_permissions.set(Permission.objects.all())
    again = type(villager).objects.get(pk=villager.pk)
    assert {name for name in rules.permissions.permissions if may(again, name)} == before
    assert {name for name in rules.permissions.permissions if again.has_perm(name)} == before
    client = Client()
    client.force_login(again, BACKEND)
    assert client.get(f"/desk/{cast.place}/households/").status_code == 403


def test_there_is_no_admin_site():
    """A-07, A-13: Django's admin is not installed and answers nowhere."""
    assert not apps.is_installed("django.contrib.admin")
    assert not any("admin" in name for name in settings.INSTALLED_APPS)
    for path in ("/admin/", "/admin/login/", "/django-admin/"):
        assert Client().get(path).status_code == 404
