"""Keys of machines: who may give one, what it opens, when it stops (A-06)."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.cast import NEXT_VILLAGE, make_staff
from zhili.audit.models import Entry
from zhili.common.errors import NotAllowed
from zhili.common.periods import today
from zhili.common.scope import set_scope
from zhili.people.errors import PeopleError
from zhili.people.models import ApiToken, User
from zhili.people.scope import enter_scope
from zhili.people.tokens import TOKENS_MAX, issue_token, revoke_token, tokens_of, user_of

pytestmark = pytest.mark.django_db
SOON = timedelta(days=90)


def give(by, user, **changes):
    facts = {"by": by, "user": user, "title": "镇平台对接", "expires_on": today() + SOON}
    return issue_token(**(facts | changes))


@pytest.fixture
def robot(cast) -> User:
    """A machine's log-in: the township's platform, with a clerk's rights in one village."""
    return make_staff("robot", "镇平台", "clerk", cast.place)


def test_the_secret_is_shown_once_and_opens(cast):
    """Only the digest is stored; the audit row holds no secret."""
    token, secret = give(cast.clerk, cast.clerk)
    assert user_of(secret) == cast.clerk
    assert secret not in {token.digest, token.title} and len(token.digest) == 64
    row = Entry.objects.get(action="people.issue_token")
    assert secret not in str(row.detail) and row.actor_id == cast.clerk.pk and row.place == cast.place


@pytest.mark.parametrize("secret", ["", "zhili_", "zhili_" + "a" * 43, "x" * 5_000, "zhili_\x00" + "a" * 42])
def test_what_is_no_key_opens_nothing(cast, secret):
    """A guess, an empty header, a novel."""
    assert user_of(secret) is None


def test_a_stopped_expired_or_dismissed_key_opens_nothing(cast):
    """A-06: stopped, past its day, its user inactive."""
    token, secret = give(cast.clerk, cast.clerk)
    revoke_token(by=cast.clerk, token=token)
    assert user_of(secret) is None
    token, secret = give(cast.clerk, cast.clerk)
    ApiToken.objects.filter(pk=token.pk).update(expires_on=today() - timedelta(days=1))
    assert user_of(secret) is None
    _, secret = give(cast.clerk, cast.clerk)
    User.objects.filter(pk=cast.clerk.pk).update(is_active=False)
    assert user_of(secret) is None


def test_who_may_give_one(cast, robot):
    """Staff for themselves; county and system administrator for a machine; the machine's administrator for all."""
    for by, user in [
        (cast.clerk, cast.clerk),
        (cast.county, robot),
        (cast.system_admin, robot),
        (None, cast.head),
    ]:
        assert user_of(give(by, user)[1]) == user


def test_who_may_not(cast, robot):
    """Villagers; one person for another; an administrator in a person's name; a clerk for a machine."""
    named = make_staff("officer", "演示干部", "township", "511702109")
    named.set_password("a-password-of-her-own")
    named.save()
    for by, user in [
        (cast.villager, cast.villager),
        (cast.clerk, cast.reviewer),
        (cast.county, cast.clerk),
        (cast.system_admin, cast.villager),
        (cast.county, named),
        (cast.clerk, robot),
        (cast.township, robot),
    ]:
        with pytest.raises(NotAllowed):
            give(by, user)
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("days", [-1, 0, 367, 9_999])
def test_a_key_lasts_a_year_at_most(cast, days):
    """Its day lies between tomorrow and a year from now."""
    with pytest.raises(PeopleError) as refused:
        give(cast.clerk, cast.clerk, expires_on=today() + timedelta(days=days))
    assert refused.value.field == "expires_on"


def test_a_key_has_a_title_and_there_are_few(cast):
    """Untitled keys are never stopped by anybody, and eleven are too many."""
    for title in ("", "  ", "字" * 61):
        with pytest.raises(PeopleError):
            give(cast.clerk, cast.clerk, title=title)
    for _ in range(TOKENS_MAX):
        give(cast.clerk, cast.clerk)
    with pytest.raises(PeopleError):
        give(cast.clerk, cast.clerk)
    assert len(tokens_of(cast.clerk)) == TOKENS_MAX


def test_who_may_stop_one(cast, robot):
    """The person, county and administrators above it; stopping twice is once; a colleague may not."""
    token, _ = give(cast.county, robot)
    for by in (cast.clerk, cast.reviewer, cast.stranger_clerk, cast.township):
        with pytest.raises(NotAllowed):
            revoke_token(by=by, token=token)
    first = revoke_token(by=cast.security_admin, token=token).revoked_at
    assert revoke_token(by=cast.county, token=token).revoked_at == first


def test_the_scope_is_the_persons_own(cast):
    """A-03: own village; narrowed where asked; a foreign one, a broken code and a stranger see nothing."""
    assert enter_scope(cast.clerk) == [cast.place]
    assert enter_scope(cast.township) == ["511702109"]
    assert enter_scope(cast.township, cast.place) == [cast.place]
    for place in (NEXT_VILLAGE, "", "511702109200x", "%", "5117021092000000000", "５１１７０２１０９２００"):
        assert enter_scope(cast.clerk, place) == []
        assert not User.objects.get(pk=cast.clerk.pk).resident_id or enter_scope(cast.clerk, place) == []
    assert enter_scope(cast.clerk, NEXT_VILLAGE, public=True) == [NEXT_VILLAGE]
    set_scope(["511702"])


def test_the_command_gives_a_key(cast, capsys):
    """zhili api-token: one JSON document with the secret; an unknown account is told so."""
    from argparse import Namespace

    from zhili.people.commands import run_api_token

    assert run_api_token(Namespace(user="clerk", title="对接", days=30, json=True)) == 0
    assert user_of(json.loads(capsys.readouterr().out)["token"]) == cast.clerk
    with pytest.raises(PeopleError):
        run_api_token(Namespace(user="nobody", title="对接", days=30, json=True))
    with pytest.raises(PeopleError):
        run_api_token(Namespace(user="clerk", title="对接", days=900, json=True))
