"""A person is removed: no trace of name or numbers in a dump, and every sum and chain still holds (T-07)."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from PIL import Image

from tests.books import make_book
from tests.cast import make_cast
from tests.month import approved, claim_for, home
from zhili.audit.models import Entry
from zhili.audit.verify import verify as verify_trail
from zhili.claims.models import Claim, Evidence, Review
from zhili.common.errors import NotAllowed
from zhili.common.scope import scoped, set_scope
from zhili.config import embedded
from zhili.ledger.queries import balances, statement
from zhili.ledger.verify import verify as verify_ledger
from zhili.notices.actions import answer_objection, close_notice, object_to, open_notice
from zhili.notices.models import Line, Notice, Objection
from zhili.people.actions import add_resident, delegate, make_login, new_head
from zhili.people.consent_actions import answer_consents
from zhili.people.models import ConsentSheet, Resident, User
from zhili.people.unmasking import unmask
from zhili.privacy import actions
from zhili.privacy.erasing import GONE, again, erase, erased_list, refuse_unless_erasable
from zhili.privacy.errors import PrivacyError
from zhili.privacy.models import Erasure, Request
from zhili.shop import actions as shop_actions
from zhili.shop.tests.stage import open_for

NAME, PHONE, ID_NUMBER = "慕容演示春", "13987650123", "11010519491231002X"


def photo() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (320, 240), (90, 140, 60)).save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def life(cast: SimpleNamespace) -> Iterator[SimpleNamespace]:
    """Somebody of household 1001 who has done everything a villager can: claimed, been written about, objected,
    consented on paper, delegated, logged in; their month is over and posted."""
    with time_machine.travel(date(2026, 10, 20), tick=True):
        make_book(cast)
        one = add_resident(
            by=cast.clerk,
            household=cast.household,
            name=NAME,
            phone=PHONE,
            id_number=ID_NUMBER,
            tags=["党员"],
        )
        user = make_login(one, "murongchun", "tan-jia-gou-2026", by=cast.clerk)
        unmask(by=cast.clerk, resident=one, field="phone", reason=f"替{NAME}办高龄补贴")
        claim = approved(
            cast,
            by=user,
            resident=one,
            text=f"{NAME}扫了路，{NAME}的侄子也在",
            photos=[photo()],
            witness=NAME,
        )
        neighbour = approved(
            cast, by=cast.clerk, household=home(cast, "3001"), channel="counter", text=f"帮{NAME}家修屋顶"
        )
        delegate(by=user, principal=one, delegate=cast.head, scope="all", valid_to=date(2027, 10, 1))
        answer_consents(by=cast.clerk, resident=one, answers={"phone_sms": True}, channel="paper", paper_number="S-1",
                        sheet=photo())  # fmt: skip
    with time_machine.travel(date(2026, 11, 2), tick=True):
        notice = open_notice(by=cast.clerk, place=cast.place, period="2026-10")
        line = Line.objects.get(claim=neighbour)
        objection = object_to(line=line, text=f"{NAME}那天不在家", by=user, channel="phone")
        answer_objection(
            by=cast.supervisor, objection=objection, outcome="refused", answer=f"问过{NAME}的邻居，事情属实。"
        )
    with time_machine.travel(date(2026, 11, 12), tick=True):
        close_notice(by=cast.clerk, notice=notice)
    yield SimpleNamespace(
        one=one, user=user, claim=claim, neighbour=neighbour, notice=notice, objection=objection
    )


def removed(cast: SimpleNamespace, life: SimpleNamespace) -> Request:
    asked = actions.ask(
        by=life.user, resident=life.one, kind="delete", channel="phone", text=f"我是{NAME}，不想再记着"
    )
    actions.prepare_erasure(by=cast.clerk, request=asked)
    with _committed():
        return actions.approve_erasure(by=cast.supervisor, request=asked)


class _committed:
    """Run what waits for the commit: a test's transaction never does."""

    def __enter__(self) -> None:
        self.before = len(connection.run_on_commit)

    def __exit__(self, *error: Any) -> None:
        if error[0] is None:
            waiting, connection.run_on_commit = connection.run_on_commit[self.before :], []
            for _, function, _ in waiting:
                function()


def everything() -> str:
    """Every cell of every table, as text: what a dump would hold."""
    set_scope(["*"])
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        found = []
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            found += [row[0] for row in cursor.fetchall()]
    return "\n".join(found)


def test_no_trace_is_left(cast: SimpleNamespace, life: SimpleNamespace) -> None:
    """T-07, P-06: name, pinyin, log-in, photos, papers, words of others: gone from every cell of every table, the
    trail included; the login is dead, the photo file is deleted."""
    before = everything()
    assert before.count(NAME) >= 8 and "murongchun" in before
    file = Path(settings.PHOTO_ROOT) / cast.place / Evidence.objects.exclude(file_name="").get().file_name
    assert file.exists()
    sealed = [life.one.phone_secret, life.one.id_number_secret, bytes(life.one.id_number_index).hex()]
    done = removed(cast, life)
    after = everything()
    for word in (NAME, "murongchun", PHONE, ID_NUMBER, "mryssc", *sealed):
        assert word not in after, word
    assert not file.exists() and not ConsentSheet.objects.exists()
    one, user = Resident.objects.get(pk=life.one.pk), User.objects.get(pk=life.user.pk)
    assert (one.name, one.pinyin, one.tags, one.birth_date, one.phone_index, one.status) == (
        GONE,
        "",
        [],
        None,
        None,
        "moved",
    )
    assert (user.is_active, user.display_name, user.has_usable_password()) == (False, GONE, False)
    assert done.status == "done" and done.text == GONE
    assert Erasure.objects.get().counts["people.Resident"] == 1


def test_every_sum_and_chain_still_holds(cast: SimpleNamespace, life: SimpleNamespace) -> None:
    """T-07: the ledger, the trail, the balances and the printed history say what they said."""
    owner = life.one.household_id

    def numbers() -> tuple[Any, ...]:
        book = statement(cast.place, owner, purse="merit")
        rows = [(one.points, one.occurred_on, one.receipt) for one in book.entries]
        lines = list(
            Line.objects.order_by("pk").values_list("points", "occurred_on", "household_code", "status")
        )
        return balances(cast.place, [owner])[owner, "merit"].balance, rows, lines, Notice.objects.get().digest

    before = numbers()
    removed(cast, life)
    assert numbers() == before and before[0] > 0
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert verify_ledger([cast.place]).ok
    assert verify_trail([cast.place]).ok
    assert Line.objects.get(claim=life.claim).name_masked in (GONE, "演*")
    assert Claim.objects.get(pk=life.claim.pk).points_awarded > 0


def test_what_others_wrote_loses_the_name_and_nothing_else(
    cast: SimpleNamespace, life: SimpleNamespace
) -> None:
    """T-07: the neighbour's claim still says what was done."""
    removed(cast, life)
    assert Claim.objects.get(pk=life.neighbour.pk).text == f"帮{GONE}家修屋顶"
    mine = Objection.objects.get()
    assert (mine.text, mine.answer, mine.status) == (GONE, GONE, "refused"), (
        "their own objection loses its words"
    )


def test_a_namesake_is_not_touched_and_a_person_looks(cast: SimpleNamespace, life: SimpleNamespace) -> None:
    """T-07: another of the same name in the village: mentions are listed, not rewritten."""
    Resident.objects.create(place=cast.place, household=home(cast, "3002"), name=NAME)
    done = removed(cast, life)
    erasure = done.erasures.get()
    assert f"claims.Claim:{life.neighbour.pk}" in erasure.to_check
    assert NAME in Claim.objects.get(pk=life.neighbour.pk).text
    assert Claim.objects.get(pk=life.claim.pk).text == GONE, "their own words go all the same"


def test_others_keep_theirs(cast: SimpleNamespace, life: SimpleNamespace) -> None:
    """T-07: the household goes on: its head, its card, its other claims."""
    card = life.one.household.card_token
    removed(cast, life)
    cast.household.refresh_from_db()
    assert cast.household.card_token == card and cast.household.published
    assert Resident.objects.get(pk=cast.head.resident_id).name == "演示乙"
    assert Review.objects.exists() and not Review.objects.filter(reason=GONE).exists()


@pytest.mark.parametrize("stage", ["submitted", "approved", "on_notice", "objection"])
def test_refused_while_something_runs(cast: SimpleNamespace, stage: str) -> None:
    """T-07: an open claim, notice or objection refuses with words; nothing is removed."""
    with time_machine.travel(date(2026, 10, 20), tick=True):
        make_book(cast)
        one = cast.villager.resident
        make = {"submitted": claim_for, "objection": lambda c, **k: None}.get(stage, approved)
        make(cast, resident=one)
        if stage == "objection":
            approved(cast, by=cast.clerk, household=home(cast, "3001"), channel="counter")
    with time_machine.travel(date(2026, 11, 2), tick=True):
        if stage in ("on_notice", "objection"):
            notice = open_notice(by=cast.clerk, place=cast.place, period="2026-10")
            if stage == "objection":
                object_to(line=notice.lines.get(), text="不对", by=cast.villager, channel="phone")
        asked = actions.ask(by=cast.villager, resident=one, kind="delete", channel="phone")
        with pytest.raises(PrivacyError, match="异议还没有答复" if stage == "objection" else "没有办完"):
            actions.prepare_erasure(by=cast.clerk, request=asked)
    assert Resident.objects.get(pk=one.pk).name == "演示甲" and not Erasure.objects.exists()


def test_a_head_with_family_and_somebody_in_office_come_later(cast: SimpleNamespace) -> None:
    """T-07: first another head, first the role ended."""
    with pytest.raises(PrivacyError, match="更换户主"):
        refuse_unless_erasable(cast.head.resident)
    with pytest.raises(PrivacyError, match="担任村里的身份"):
        refuse_unless_erasable(cast.reviewer2.resident)
    new_head(
        by=cast.clerk,
        household=cast.household,
        resident=cast.villager.resident,
        on=date(2026, 1, 5),
        basis="本人意愿",
    )
    refuse_unless_erasable(Resident.objects.get(pk=cast.head.resident_id))


def test_two_hands(cast: SimpleNamespace, life: SimpleNamespace) -> None:
    """T-07, A-07: who prepared it, who keyed it in, a villager, the clerk: none of them approves; the database agrees."""
    asked = actions.ask(by=cast.township, resident=life.one, kind="delete", channel="desk", asked_by="person")
    with pytest.raises(PrivacyError, match="不等批准"):
        actions.approve_erasure(by=cast.supervisor, request=asked)
    actions.prepare_erasure(by=cast.clerk, request=asked)
    for who in (cast.clerk, cast.township, cast.villager, cast.stranger_clerk, cast.system_admin, life.user):
        with pytest.raises(NotAllowed):
            actions.approve_erasure(by=who, request=asked)
    with pytest.raises(PrivacyError, match="两个人"):
        erase(resident=life.one, by=cast.clerk, approved_by=cast.clerk, basis="request")
    with pytest.raises(IntegrityError), transaction.atomic():
        Request.objects.filter(pk=asked.pk).update(status="done")
    assert actions.approve_erasure(by=cast.supervisor, request=asked).status == "done"
    with pytest.raises(PrivacyError, match="不能再办"):
        actions.approve_erasure(by=cast.supervisor, request=asked)


def test_the_second_hand_may_send_it_back(cast: SimpleNamespace, life: SimpleNamespace) -> None:
    """T-07: with a reason; nothing is removed."""
    asked = actions.ask(by=life.user, resident=life.one, kind="delete", channel="phone")
    actions.prepare_erasure(by=cast.clerk, request=asked)
    back = actions.send_back(by=cast.supervisor, request=asked, reason="请先问清楚是不是本人。")
    assert (back.status, back.handled_by) == ("received", None)
    assert Resident.objects.get(pk=life.one.pk).name == NAME


def test_the_last_of_a_household_takes_address_and_card_along(cast: SimpleNamespace) -> None:
    """T-07: nobody else left: address and card go, the household's number stays for the books."""
    house = home(cast, "3001")
    house.address = "3组村口老槐树旁"
    house.save()
    one = cast.elder.resident
    cast.elder.memberships.update(valid_to=date(2026, 1, 1))
    old = house.card_token
    erase(resident=one, by=cast.clerk, approved_by=cast.supervisor, basis="request")
    house.refresh_from_db()
    assert (house.address, house.code) == ("", "3001") and house.card_token != old


def test_a_review_forgets_its_reason_and_nothing_else(cast: SimpleNamespace, life: SimpleNamespace) -> None:
    """T-07, L-03: the trigger lets nothing but a forgotten reason through."""
    row = Review.objects.first()
    assert row is not None
    for changes in (
        {"reason": "改一改"},
        {"decision": "refuse"},
        {"reason": GONE, "points": 900},
        {"by": cast.clerk},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Review.objects.filter(pk=row.pk).update(**changes)
    with pytest.raises(IntegrityError), transaction.atomic():
        Review.objects.filter(pk=row.pk).delete()


def test_a_restored_backup_forgets_again(cast: SimpleNamespace, life: SimpleNamespace) -> None:
    """T-07: the list beside the database names keys only; after a restore it is worked through again."""
    erased_list().unlink(missing_ok=True)
    removed(cast, life)
    listed = erased_list().read_text(encoding="utf-8")
    assert str(life.one.pk) in listed and NAME not in listed
    assert again() == (0, 0)
    Erasure.objects.all().delete()  # as if an older backup had been brought back
    Resident.objects.filter(pk=life.one.pk).update(name=NAME)
    assert again() == (1, 0)
    assert Resident.objects.get(pk=life.one.pk).name == GONE
    erased_list().unlink()


def test_the_trail_never_held_a_name(cast: SimpleNamespace, life: SimpleNamespace) -> None:
    """T-07: what cannot be changed holds keys: of a whole life in the village no audit row names the person."""
    assert not [one for one in Entry.objects.all() if NAME in f"{one.target}{one.detail}"]


@pytest.mark.processes
def test_a_real_dump_has_no_trace(own_database: str, django_db_blocker: Any) -> None:
    """T-07: pg_dump by the superuser, before and after the removal: the name is there, then nothing of it."""
    found = embedded.superuser()
    command = [
        embedded.program("pg_dump"),
        "-w",
        "-h",
        found.host,
        "-p",
        str(found.port or 5432),
        "-U",
        found.user,
        own_database,
    ]

    def dump() -> bytes:
        environment = {**os.environ, "PGPASSWORD": found.password}
        return subprocess.run(command, capture_output=True, check=True, env=environment).stdout

    with django_db_blocker.unblock(), _inside(own_database):
        with scoped("511702"):
            cast = make_cast()
            one = add_resident(
                by=cast.clerk, household=cast.household, name=NAME, phone=PHONE, id_number=ID_NUMBER
            )
            make_login(one, "murongchun", "tan-jia-gou-2026", by=cast.clerk)
            shop = open_for(cast)
            shop_actions.deposit(by=cast.clerk, fund=shop.fund, fen=8_800, source=f"{NAME}捐赠", paper="收-2")
        before = dump()
        with scoped("511702"):
            erase(resident=one, by=cast.clerk, approved_by=cast.supervisor, basis="request")
        after = dump()
    words = [
        NAME.encode(),
        b"murongchun",
        one.id_number_secret.encode(),
        bytes(one.phone_index or b"").hex().encode(),
    ]
    assert all(word in before for word in words) and f"{NAME}捐赠".encode() in before
    assert f"{GONE}捐赠".encode() in after
    assert not [word for word in (*words, PHONE.encode(), ID_NUMBER.encode()) if word in after]


@contextmanager
def _inside(database: str) -> Iterator[None]:
    """The ORM works in another database until the end of the block."""
    was = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = database
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = was
