"""Coming in: second factors, guessing, passwords by profile, one-time passwords, sessions, codes by phone, and who it is
once more (N-02 … N-06, N-08, N-09). Through the real pages; the clock alone is moved."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from tests.books import make_book
from zhili.audit.models import Entry
from zhili.common import limits
from zhili.common.errors import NotAllowed
from zhili.people import passwords
from zhili.people.actions import add_resident, make_login
from zhili.people.errors import PeopleError
from zhili.people.models import LoginSession, Membership, PhoneCode, Resident, User
from zhili.people.passwords import issue_one_time
from zhili.people.phone_codes import redeem_code

pytestmark = pytest.mark.django_db
GOOD = "tan-jia-gou-2026-mai"
DESK = "/desk/511702109200/"
DAY = datetime(2026, 10, 20, 2, 0, tzinfo=UTC)


def with_password(user: User, password: str = GOOD) -> User:
    user.set_password(password)
    user.save()
    return user


def come_in(user: User, password: str, client: Client | None = None, **extra: Any) -> tuple[Client, Any]:
    client = client or Client(**extra)
    return client, client.post("/login/", {"login": user.username, "password": password})


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


# ------------------------------------------------------------------------------------------- second factor


@pytest.fixture
def required(settings) -> None:
    settings.SECOND_FACTOR = "required"


@pytest.mark.parametrize(
    "who", ["clerk", "group_leader", "reviewer", "supervisor", "shopkeeper", "township", "county", "bank",
            "system_admin", "security_admin", "audit_admin"],
)  # fmt: skip
def test_nobody_with_a_role_gets_anywhere_without_a_second_factor(
    cast: SimpleNamespace, required, who: str
) -> None:
    """N-02: whatever they open, they are led to the page where one is switched on; nothing is shown and nothing done."""
    client = Client()
    client.force_login(getattr(cast, who))
    for path in ("/m/", DESK, DESK + "households/", DESK + "claims/", "/m/mydata/", "/places/"):
        answer = client.get(path)
        assert (answer.status_code, answer["Location"]) == (302, reverse("mfa_index")), path
        assert client.post(path, {"x": "1"})["Location"] == reverse("mfa_index")
    assert client.get(reverse("mfa_index")).status_code == 200


def test_a_villager_needs_none(cast: SimpleNamespace, required) -> None:
    """N-02: the second factor is for those who hold others' data."""
    client = Client()
    client.force_login(cast.villager)
    assert client.get("/m/").status_code == 200


def test_a_printed_code_or_an_app_under_level_three(cast: SimpleNamespace, settings) -> None:
    """N-02: 等保三级 wants the cryptographic factor; an app's six digits are not one, paper codes never are."""
    client = Client()
    client.force_login(cast.clerk)
    totp.TOTP.activate(cast.clerk, totp.generate_totp_secret())
    settings.SECOND_FACTOR = "required"
    assert client.get(DESK).status_code == 200
    settings.SECOND_FACTOR = "level3"
    assert client.get(DESK)["Location"] == reverse("mfa_index")
    Authenticator.objects.update(type=Authenticator.Type.RECOVERY_CODES)
    settings.SECOND_FACTOR = "required"
    fresh = Client()
    fresh.force_login(cast.clerk)
    assert fresh.get(DESK)["Location"] == reverse("mfa_index")


def test_the_password_alone_opens_nothing_once_there_is_a_factor(cast: SimpleNamespace, required) -> None:
    """N-02: password, then six digits, each group taken once; its secret lies sealed in the database."""
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(with_password(cast.clerk), secret)
    assert secret not in str(Authenticator.objects.get().data)
    client, _ = come_in(cast.clerk, GOOD)
    assert not is_in(client) and client.get(DESK)["Location"].startswith("/login/")
    asked = reverse("mfa_authenticate")
    refused = client.post(asked, {"code": "000000"})
    assert not is_in(client) and "验证码不对" in refused.content.decode()
    code = totp.format_hotp_value(totp.hotp_value(secret, totp.yield_hotp_counters_from_time().__next__()))
    client.post(asked, {"code": code})
    assert is_in(client) and client.get(DESK).status_code == 200
    again, _ = come_in(cast.clerk, GOOD)
    again.post(asked, {"code": code})
    assert not is_in(again), "the same six digits a second time"


# ------------------------------------------------------------------------------------------------ guessing


def test_a_stranger_cannot_lock_the_clerk_out(cast: SimpleNamespace, settings) -> None:
    """N-03: forty wrong guesses from five addresses wait longer and longer; the clerk's own computer comes in at once."""
    settings.RATE_SCALE = 1
    with_password(cast.clerk)
    with time_machine.travel(DAY, tick=False):
        own, _ = come_in(cast.clerk, GOOD)
        assert is_in(own)
        own.post("/logout/")
        said = []
        for n in range(40):
            stranger = Client(REMOTE_ADDR=f"203.0.113.{n % 5}")
            _, answer = come_in(cast.clerk, f"wrong-guess-{n}", stranger)
            said.append("试的次数太多" in answer.content.decode())
        assert said.count(True) == 15 and not any(said[:20])
        _, answer = come_in(cast.clerk, GOOD, own)
        assert is_in(own), answer.content.decode()


def test_guessing_is_slowed_for_a_known_device_too_and_ends_by_itself(
    cast: SimpleNamespace, settings
) -> None:
    """N-03: after five wrong ones even the right password waits, some seconds; nothing is ever closed for good."""
    settings.RATE_SCALE = 1
    with_password(cast.clerk)
    with time_machine.travel(DAY, tick=False) as clock:
        client = Client()
        for n in range(5):
            come_in(cast.clerk, f"wrong-{n}", client)
        _, answer = come_in(cast.clerk, GOOD, client)
        assert not is_in(client) and "试的次数太多" in answer.content.decode()
        clock.shift(timedelta(seconds=11))
        come_in(cast.clerk, GOOD, client)
        assert is_in(client)


def test_wrong_name_and_wrong_password_are_one_answer(cast: SimpleNamespace) -> None:
    """N-03, A-04: nobody learns which accounts there are."""
    with_password(cast.clerk)
    one, two = (
        re.sub(
            r'value="[^"]*"',
            "",
            Client().post("/login/", {"login": name, "password": "nope-nope"}).content.decode(),
        )
        for name in ("clerk", "nobody-here")
    )
    strip = re.compile(r"nobody-here|clerk|[A-Z0-9]{4}-[A-Z0-9]{4}")
    assert strip.sub("", one) == strip.sub("", two) and "账号或密码不对" in one


# ----------------------------------------------------------------------------------------------- passwords


@pytest.mark.parametrize(
    ("profile", "password", "fits"),
    [
        ("asvs", "mianhua daocao liushu", True), ("asvs", "Abc123!@#x", False), ("asvs", "tongchuan-zhili-1", False),
        ("asvs", "1q2w3e4r5t6y", False), ("asvs", "aaaaaaaaaaaaaa", False),
        ("gbt", "Abc123!@#x", True), ("gbt", "mianhua daocao liushu", False), ("gbt", "mianhuadaocaoliushu", False),
        ("gbt", "Ab1!", False), ("gbt", "P@ssw0rd1234", False),
    ],
)  # fmt: skip
def test_both_password_profiles(
    settings, cast: SimpleNamespace, profile: str, password: str, fits: bool
) -> None:
    """N-04: ASVS wants length and no composition, GB/T 22239 three kinds of signs; both refuse what many have."""
    from django.contrib.auth.password_validation import get_password_validators

    validators = get_password_validators(settings.PASSWORD_PROFILES[profile])
    if fits:
        validate_password(password, cast.clerk, validators)
    else:
        with pytest.raises(ValidationError):
            validate_password(password, cast.clerk, validators)


@pytest.mark.parametrize(("profile", "ages"), [("asvs", False), ("gbt", True)])
def test_only_one_profile_lets_a_password_grow_old(
    cast: SimpleNamespace, settings, profile: str, ages: bool
) -> None:
    """N-04: after 91 days `gbt` asks for a new one before any page; `asvs` never does."""
    settings.PASSWORD_PROFILE = profile
    with_password(cast.clerk)
    cast.clerk.password_changed_at = datetime.now(UTC) - timedelta(days=91)
    cast.clerk.save()
    client = Client()
    client.force_login(cast.clerk)
    answer = client.get(DESK)
    assert (answer.status_code == 302 and answer["Location"] == reverse("account_change_password")) is ages


def test_a_slip_opens_one_page_once_and_for_a_day(cast: SimpleNamespace) -> None:
    """N-05: the one-time password is random, ends every log-in, opens only the page for a new one, and is then void."""
    with time_machine.travel(DAY, tick=True):
        with_password(cast.villager)
        old, _ = come_in(cast.villager, GOOD)
        assert is_in(old)
        first, second = issue_one_time(by=cast.clerk, user=cast.villager), None
        assert len(first.replace("-", "")) == passwords.SLIP_LETTERS and not is_in(old)
        second = issue_one_time(by=cast.clerk, user=cast.villager)
        assert second != first
        client, _ = come_in(cast.villager, first)
        assert not is_in(client), "the earlier slip is void"
        come_in(cast.villager, second, client)
        assert is_in(client)
        for path in ("/m/", "/m/mydata/", "/m/me/"):
            assert client.get(path)["Location"] == reverse("account_change_password"), path
        own = "mianhua daocao liushu"
        client.post("/password/", {"oldpassword": second, "password1": own, "password2": own})
        assert client.get("/m/").status_code == 200
        again, _ = come_in(cast.villager, second)
        assert not is_in(again)
        assert is_in(come_in(cast.villager, own)[0])
    row = Entry.objects.filter(action="accounts.one_time").last()
    assert row is not None and first not in str(row.detail) and second not in str(row.detail)


def test_a_slip_lapses(cast: SimpleNamespace) -> None:
    """N-05: unused for a day, it opens nothing any more, and the page says where to get another."""
    with time_machine.travel(DAY, tick=True):
        secret = issue_one_time(by=cast.clerk, user=cast.villager)
    with time_machine.travel(DAY + timedelta(hours=25), tick=True):
        client, answer = come_in(cast.villager, secret)
        assert not is_in(client) and "已经过期" in answer.content.decode()


@pytest.mark.parametrize(
    ("by", "whose"),
    [("clerk", "clerk"), ("villager", "head"), ("stranger_clerk", "villager"), ("clerk", "supervisor"),
     ("system_admin", "security_admin"), ("shopkeeper", "villager"), ("group_leader", "villager")],
)  # fmt: skip
def test_who_may_not_start_a_reset(cast: SimpleNamespace, by: str, whose: str) -> None:
    """N-05: never one's own, never another village's, never of somebody whose role one could not give."""
    before = User.objects.get(pk=getattr(cast, whose).pk).password
    with pytest.raises(NotAllowed):
        issue_one_time(by=getattr(cast, by), user=getattr(cast, whose))
    assert User.objects.get(pk=getattr(cast, whose).pk).password == before


# ------------------------------------------------------------------------------------------------ sessions


@pytest.mark.parametrize(
    ("who", "minutes", "still"),
    [("clerk", 29, True), ("clerk", 31, False), ("villager", 31, True), ("villager", 60 * 24 * 80, True),
     ("villager", 60 * 24 * 91, False)],
)  # fmt: skip
def test_idle_sessions_end_by_role(cast: SimpleNamespace, who: str, minutes: int, still: bool) -> None:
    """N-06: half an hour for those with a role, a season for a villager's own phone."""
    client = Client()
    with time_machine.travel(DAY, tick=True):
        client.force_login(getattr(cast, who))
        assert client.get("/m/").status_code == 200
    with time_machine.travel(DAY + timedelta(minutes=minutes), tick=True):
        assert (client.get("/m/").status_code == 200) is still


def test_what_was_being_typed_is_shown_when_the_session_has_ended(cast: SimpleNamespace) -> None:
    """N-06: nothing was sent, and nothing is lost."""
    client = Client()
    with time_machine.travel(DAY, tick=True):
        client.force_login(cast.clerk)
        client.get("/m/")
    with time_machine.travel(DAY + timedelta(hours=2), tick=True):
        answer = client.post("/m/", {"text": "帮邻居收了三天稻子"})
    assert answer.status_code == 403 and "帮邻居收了三天稻子" in answer.content.decode()
    assert "没有提交" in answer.content.decode()


def test_leaving_and_clearing_a_shared_phone(cast: SimpleNamespace) -> None:
    """N-06, W-09: 退出并清除 tells the browser to forget everything."""
    client = Client()
    client.force_login(cast.villager)
    answer = client.post("/logout/", {"clear": "1"})
    assert answer["Clear-Site-Data"] == '"cache", "cookies", "storage"' and not is_in(client)


def test_a_new_password_ends_every_other_login(cast: SimpleNamespace) -> None:
    """N-06: and the person's own list shows one log-in, not somebody else's."""
    with_password(cast.villager)
    one, _ = come_in(cast.villager, GOOD)
    two, _ = come_in(cast.villager, GOOD)
    own = "mianhua daocao liushu"
    two.post("/password/", {"oldpassword": GOOD, "password1": own, "password2": own})
    assert not is_in(one) and two.get("/m/").status_code == 200
    assert LoginSession.objects.filter(user=cast.villager).count() == 1


# --------------------------------------------------------------------------------------------- phone codes


@pytest.fixture
def sent(cast: SimpleNamespace, settings, monkeypatch) -> list[tuple[str, str]]:
    """Codes as the SMS platform gets them; sent at once instead of by a thread after the commit."""
    found: list[tuple[str, str]] = []
    monkeypatch.setattr(
        "zhili.people.phone_codes._hand_over", lambda number, code: found.append((number, code))
    )
    monkeypatch.setattr("zhili.people.phone_codes.transaction.on_commit", lambda work: work())
    return found


PHONE = "13987650123"


@pytest.fixture
def grandma(cast: SimpleNamespace) -> Resident:
    one = add_resident(by=cast.clerk, household=cast.household, name="慕容演示春", phone=PHONE)
    user = make_login(one, "murongchun", "mianhua-daocao-1", by=cast.clerk)
    user.set_unusable_password()
    user.save()
    return one


def ask(number: str, client: Client | None = None, **extra: Any) -> tuple[Client, Any]:
    client = client or Client(**extra)
    return client, client.post("/login/phone/", {"phone": number}, follow=True)


def test_known_and_unknown_numbers_get_the_same_answer(
    grandma: Resident, sent: list[tuple[str, str]]
) -> None:
    """N-08, A-04: page, status and rows are the same; only the holder of a known number gets a message."""
    _, known = ask(PHONE)
    _, unknown = ask("13700000000", REMOTE_ADDR="203.0.113.9")
    strip = re.compile(r"[A-Z0-9]{4}-[A-Z0-9]{4}|csrfmiddlewaretoken[^>]*")
    assert strip.sub("", known.content.decode()) == strip.sub("", unknown.content.decode())
    assert known.redirect_chain == unknown.redirect_chain and PhoneCode.objects.count() == 2
    assert [number for number, _ in sent] == [PHONE, ""]
    assert PHONE not in str(list(PhoneCode.objects.values()))


def test_a_code_opens_once(grandma: Resident, sent: list[tuple[str, str]]) -> None:
    """N-08: right within ten minutes: in. The same code again: refused. It is stored as a keyed digest only."""
    client, _ = ask(PHONE)
    code = sent[0][1]
    assert re.fullmatch(r"\d{6}", code) and code not in str(list(PhoneCode.objects.values()))
    key = client.session["phone_code"]
    client.post("/login/phone/code/", {"code": code})
    assert is_in(client)
    with pytest.raises(PeopleError, match="用过了"):
        redeem_code(key, code)


def test_a_code_is_void_after_ten_minutes_five_tries_or_a_newer_one(
    grandma: Resident, sent: list[tuple[str, str]], settings
) -> None:
    """N-08: each of the three, and the sixth try is refused even where it is right."""
    with time_machine.travel(DAY, tick=False) as clock:
        client, _ = ask(PHONE)
        clock.shift(timedelta(minutes=10, seconds=1))
        refused = client.post("/login/phone/code/", {"code": sent[-1][1]})
        assert not is_in(client) and "过期" in refused.content.decode()
        first, _ = ask(PHONE)
        clock.shift(timedelta(minutes=2))
        second, _ = ask(PHONE)
        first.post("/login/phone/code/", {"code": sent[-2][1]})
        assert not is_in(first), "a newer one was asked for"
        wrong = "000000" if sent[-1][1] != "000000" else "111111"
        for _ in range(5):
            second.post("/login/phone/code/", {"code": wrong})
        second.post("/login/phone/code/", {"code": sent[-1][1]})
        assert not is_in(second)


def test_asking_again_and_again_is_refused(grandma: Resident, sent: list[tuple[str, str]], settings) -> None:
    """N-08: one a minute for a number, whoever asks from wherever; known and unknown alike."""
    for number in (PHONE, "13700000000"):
        ask(number)
        _, again = ask(number, REMOTE_ADDR="203.0.113.77")
        assert "太频繁" in again.content.decode()
    assert len(sent) == 2


# ----------------------------------------------------------------------------------------- once more (N-09)


def weighty(cast: SimpleNamespace, book: Any) -> list[tuple[User, str]]:
    """What shows much or cannot be undone: unmasking, exports, a role, a rule, copies of one's data, one-time slips."""
    own, place = cast.villager.resident_id, cast.place
    held = Membership.objects.get(user=cast.reviewer)
    return [
        (cast.clerk, reverse("desk_resident_numbers", args=[place, own])),
        (cast.clerk, reverse("desk_households_export", args=[place])),
        (cast.clerk, reverse("desk_households", args=[place]) + "?export=xlsx"),
        (cast.clerk, reverse("desk_ledger_export", args=[place])),
        (cast.township, reverse("desk_member_grant", args=[place])),
        (cast.township, reverse("desk_role_end", args=[place, held.pk])),
        (cast.township, reverse("desk_member_slip", args=[place, held.pk])),
        (cast.clerk, reverse("desk_resident_slip", args=[place, own])),
        (cast.clerk, reverse("desk_consents_of", args=[place, own])),
        (cast.clerk, reverse("desk_rulebook_new", args=[place])),
        (cast.clerk, reverse("desk_rulebook_in_force", args=[place, book.pk])),
        (cast.villager, reverse("m_mydata_copy", args=[own])),
        (cast.villager, reverse("m_mydata_xlsx", args=[own])),
        (cast.villager, reverse("m_mydata_pdf", args=[own])),
        (cast.system_admin, reverse("support")),
    ]


def test_after_a_quarter_of_an_hour_it_is_asked_once_more(cast: SimpleNamespace) -> None:
    """N-09: each of them, at the desk and on the phone; nothing is shown before the answer."""
    with time_machine.travel(DAY, tick=True):
        book = make_book(cast)
    for user, url in weighty(cast, book):
        client = Client()
        with time_machine.travel(DAY, tick=True):
            client.force_login(user)
        with time_machine.travel(DAY + timedelta(minutes=16), tick=True):
            answer = client.get(url)
            assert answer.status_code == 302, url
            assert answer["Location"].startswith(reverse("account_reauthenticate")), (url, answer["Location"])
            posted = client.post(url, {"reason": "核对一下"})
            assert posted.status_code == 405 or "请再确认一次" in posted.content.decode(), url
    assert not Entry.objects.filter(action__in=["people.unmask", "privacy.copy", "people.export"]).exists()


def test_the_desk_copy_asks_too(cast: SimpleNamespace) -> None:
    """N-09, P-06: the copy handed over at the counter, as a table and on paper."""
    from zhili.privacy import actions

    with time_machine.travel(DAY, tick=True):
        made = actions.ask(
            by=cast.clerk, resident=cast.villager.resident, kind="copy", channel="desk", asked_by="person"
        )
        client = Client()
        client.force_login(cast.clerk)
    with time_machine.travel(DAY + timedelta(minutes=16), tick=True):
        for name in ("desk_privacy_copy", "desk_privacy_copy_pdf"):
            answer = client.get(reverse(name, args=[cast.place, made.pk]))
            assert answer["Location"].startswith(reverse("account_reauthenticate"))
    assert not Entry.objects.filter(action="privacy.copy").exists()


def test_the_answer_opens_it_and_a_wrong_one_is_on_record(cast: SimpleNamespace) -> None:
    """N-09: a wrong password shows nothing; the right one leads to where one was going, good for the next minutes."""
    url = reverse("m_mydata_copy", args=[cast.villager.resident_id])
    with time_machine.travel(DAY, tick=True):
        with_password(cast.villager)
        client, _ = come_in(cast.villager, GOOD)
    with time_machine.travel(DAY + timedelta(minutes=16), tick=True):
        asked = client.get(url)["Location"]
        assert "我的信息" not in client.post(asked, {"password": "wrong", "next": url}).content.decode()
        assert client.get(url).status_code == 302
        assert client.post(asked, {"password": GOOD, "next": url})["Location"] == url
        assert client.get(url).status_code == 200
    actions = list(Entry.objects.order_by("at").values_list("action", flat=True))
    assert (
        actions.index("accounts.again_failed")
        < actions.index("accounts.again")
        < actions.index("privacy.copy")
    )


def test_what_was_typed_travels_through_the_question(cast: SimpleNamespace) -> None:
    """N-09: a form that was being sent stands ready again, unchanged; another person's kept form opens nothing."""
    url = reverse("desk_resident_numbers", args=[cast.place, cast.villager.resident_id])
    with time_machine.travel(DAY, tick=True):
        with_password(cast.clerk)
        client, _ = come_in(cast.clerk, GOOD)
        other = Client()
        with_password(cast.stranger_clerk)
        other.force_login(cast.stranger_clerk)
    with time_machine.travel(DAY + timedelta(minutes=16), tick=True):
        page = client.post(url, {"field": "phone", "reason": "替他办高龄补贴"}).content.decode()
        kept = re.search(r'name="kept" value="([^"]+)"', page)
        assert kept is not None
        answer = {"password": GOOD, "kept": kept.group(1), "next": url}
        stolen = other.post(reverse("account_reauthenticate"), answer)
        assert "替他办高龄补贴" not in stolen.content.decode()
        ready = client.post(reverse("account_reauthenticate"), answer).content.decode()
        assert "替他办高龄补贴" in ready and url in ready
    assert not Entry.objects.filter(action="people.unmask").exists(), (
        "asked, not done: the button is still to be pressed"
    )


def test_the_tokens_of_a_test_are_its_own() -> None:
    """N-03: the limits above are counted in the database, by a connection that a rolled back request cannot undo."""
    assert limits.namespace
