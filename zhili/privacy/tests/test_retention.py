"""What has served its purpose goes, by rule; never the books, never the trail; killed half-way it goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine

from tests.books import make_book
from tests.month import approved, claim_for
from zhili.audit.models import Entry
from zhili.claims.models import Claim, Evidence, Sheet, SheetPhoto
from zhili.common.models import Message
from zhili.people.actions import record_death
from zhili.people.models import Resident
from zhili.privacy import retention
from zhili.privacy.erasing import GONE
from zhili.privacy.errors import PrivacyError
from zhili.privacy.models import Erasure, RetentionRun, Sharing
from zhili.privacy.retention import BY_CODE, apply, due, periods, words
from zhili.privacy.sharing import add_recipient, record_sharing


def counts(place: str, day: date) -> dict[str, int]:
    return {one.rule.code: one.count for one in due(place, on=day) if one.count}


@pytest.fixture
def dead(cast: SimpleNamespace) -> Resident:
    """Somebody with numbers who died on 2026-03-01."""
    one = cast.villager.resident
    Resident.objects.filter(pk=one.pk).update(
        phone_secret="v1:x", id_number_secret="v1:y", id_number_index=b"z"
    )
    with time_machine.travel(date(2026, 3, 1), tick=True):
        record_death(by=cast.clerk, resident=one, on=date(2026, 3, 1), basis="死亡证明")
    return Resident.objects.get(pk=one.pk)


def test_the_dry_run_says_what_and_why_and_changes_nothing(cast: SimpleNamespace, dead: Resident) -> None:
    """P-11: counts, the day before which, the reason; no row is touched, nothing is written down."""
    day = date(2027, 3, 15)
    assert counts(cast.place, day) == {"numbers": 1}
    one = next(one for one in due(cast.place, on=day) if one.count)
    assert one.before == date(2026, 3, 15) and one.rule.why
    assert Resident.objects.get(pk=dead.pk).phone_secret == "v1:x" and not RetentionRun.objects.exists()


def test_numbers_after_a_year_the_name_after_three(cast: SimpleNamespace, dead: Resident) -> None:
    """P-11: first the numbers, later the person; who lives here stays."""
    assert counts(cast.place, date(2027, 2, 28)) == {}
    (run,) = apply(cast.place, on=date(2027, 3, 15))
    assert (run.rule, run.count, run.finished_at is not None) == ("numbers", 1, True)
    one = Resident.objects.get(pk=dead.pk)
    assert (one.phone_secret, one.id_number_secret, one.id_number_index, one.name) == ("", "", None, "演示甲")
    apply(cast.place, on=date(2029, 3, 15))
    assert Resident.objects.get(pk=dead.pk).name == GONE
    erasure = Erasure.objects.get()
    assert (erasure.basis, erasure.resident_id) == ("retention", dead.pk)
    assert Resident.objects.get(pk=cast.head.resident_id).name == "演示乙"
    assert not counts(cast.place, date(2029, 3, 15)), "a second run finds nothing"


def test_photos_and_words_of_settled_claims_only(cast: SimpleNamespace) -> None:
    """P-11: after two years the photo, after five the words; a claim that is not settled keeps both."""
    with time_machine.travel(date(2026, 10, 20), tick=True):
        make_book(cast)
        old, open_one = (
            approved(cast, text="扫了路"),
            claim_for(cast, text="还没有评", occurred_on=date(2026, 10, 19)),
        )
    Claim.objects.filter(pk=old.pk).update(status="posted")
    for claim in (old, open_one):
        Evidence.objects.create(
            place=cast.place, claim=claim, kind="photo", file_name=f"{claim.number}.jpg", sha256="a" * 64,
            added_by=cast.villager, added_at="2026-10-20T00:00:00Z",
        )  # fmt: skip
    day = date(2028, 10, 25)
    assert counts(cast.place, day) == {"photos": 1}
    apply(cast.place, on=day)
    kept = {one.claim_id: (one.file_name, one.sha256) for one in Evidence.objects.filter(kind="photo")}
    assert kept[old.pk] == ("", "a" * 64) and kept[open_one.pk][0]
    apply(cast.place, on=date(2031, 10, 25))
    assert Claim.objects.get(pk=old.pk).text == GONE and Claim.objects.get(pk=open_one.pk).text == "还没有评"


def test_photos_of_sheets_that_are_through(cast: SimpleNamespace) -> None:
    """P-11, U-34: two years after; a sheet that still waits for its second person keeps its photo."""
    waiting, void = (
        Sheet.objects.create(
            place=cast.place, number=n, kind="household", period="2026-10", status=status, printed_by=cast.clerk,
            keyed_by=cast.clerk, household=cast.household,
        )
        for n, status in ((1, "keyed"), (2, "void"))
    )  # fmt: skip
    for sheet in (waiting, void):
        SheetPhoto.objects.create(
            place=cast.place, sheet=sheet, file_name=f"s{sheet.number}.jpg", sha256="b" * 64, added_by=cast.clerk,
            added_at="2026-10-20T00:00:00Z",
        )  # fmt: skip
    day = date(2028, 10, 25)
    assert counts(cast.place, day) == {"sheets": 1}
    apply(cast.place, on=day)
    assert (void.photos.get().file_name, void.photos.get().sha256) == ("", "b" * 64)
    assert waiting.photos.get().file_name == "s1.jpg"


def test_who_still_has_something_running_is_left_and_does_not_stop_the_run(
    cast: SimpleNamespace, dead: Resident
) -> None:
    """P-11: the run ends, the person stays until the claim is settled."""
    with time_machine.travel(date(2026, 10, 20), tick=True):
        make_book(cast)
        claim = claim_for(cast, by=cast.head)
    Claim.objects.filter(pk=claim.pk).update(resident=dead)
    (run,) = apply(cast.place, on=date(2029, 3, 15), only="left")
    assert (run.count, run.finished_at is not None) == (0, True)
    assert Resident.objects.get(pk=dead.pk).name == "演示甲"


def test_the_books_and_the_trail_are_never_touched(cast: SimpleNamespace, dead: Resident) -> None:
    """P-11, L-03: no rule removes from the ledger or the trail, and a run leaves them as they were but for its own line."""
    assert BY_CODE["ledger"].find is None and BY_CODE["trail"].find is None
    before = list(Entry.objects.order_by("id").values_list("id", flat=True))
    apply(cast.place, on=date(2029, 3, 15))
    after = list(Entry.objects.order_by("id").values_list("id", flat=True))
    assert after[: len(before)] == before and len(after) > len(before)


@pytest.mark.parametrize(
    ("setting", "words_"),
    [("trail=179", "最少保存 180"), ("sharing=1094", "最少保存 1095"), ("assessments=30", "最少保存 1095"),
     ("consents=1", "最少保存"), ("nonsense=3", "看不懂"), ("photos=abc", "看不懂"), ("photos", "看不懂"),
     ("photos=-3", "看不懂")],
)  # fmt: skip
def test_no_setting_goes_below_a_floor(setting: str, words_: str) -> None:
    """P-19, P-09, P-13: logs half a year, sharing and assessments three years."""
    with pytest.raises(PrivacyError, match=words_):
        periods(setting)


def test_a_county_may_keep_less_or_longer() -> None:
    """P-11: within the floors."""
    found = periods("photos=90, trail=400")
    assert (found["photos"], found["trail"], found["left"]) == (90, 400, 1095)
    assert words("left") == "离开或去世后3 年" and words("photos") == "办结后2 年"


def test_sharing_is_kept_three_years(cast: SimpleNamespace) -> None:
    """P-13: not a day less."""
    facts = {
        name: "演示内容"
        for name in ("name", "contact", "purpose", "data_kinds", "method", "contract", "basis")
    }
    with time_machine.travel(date(2026, 3, 1), tick=True):
        row = add_recipient(by=cast.clerk, place=cast.place, kind="handler", starts_on=date(2026, 1, 1),
                            ends_on=date(2027, 1, 1), **facts)  # fmt: skip
        record_sharing(by=cast.clerk, place=cast.place, recipient=row, what="积分余额", people=3)
    apply(cast.place, on=date(2029, 2, 27))
    assert Sharing.objects.count() == 1
    apply(cast.place, on=date(2029, 3, 5))
    assert not Sharing.objects.exists()


def test_sent_messages_after_ninety_days(cast: SimpleNamespace) -> None:
    """P-11: what waits to be sent stays."""
    for state in ("sent", "waiting"):
        Message.objects.create(place=cast.place, kind="mail", to="a@example.invalid", state=state,
                               created_at="2026-01-01T00:00:00Z")  # fmt: skip
    apply(cast.place, on=date(2026, 6, 1))
    assert [one.state for one in Message.objects.all()] == ["waiting"]


WORKER = """
import os, signal, sys
import django; django.setup()
from datetime import date
from zhili.common import faults
from zhili.privacy.retention import apply
seen = []
def cut(name):
    seen.append(name)
    if sys.argv[1] and name == sys.argv[1] and seen.count(name) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
faults.arm(cut)
print(sum(run.count for run in apply("511702", on=date(2029, 3, 15), only="numbers", batch=3)))
"""


@pytest.mark.processes
@pytest.mark.parametrize("where", ["privacy.retention.batch", "privacy.retention.inside"])
def test_killed_half_way_it_goes_on(own_database: str, django_db_blocker: Any, where: str) -> None:
    """P-11: SIGKILL between two batches and inside one; whole batches are done, the next run does the rest once."""
    from tests.cast import make_cast
    from zhili.common.scope import scoped
    from zhili.privacy.tests.test_erasing import _inside

    def run(point: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", WORKER, point], capture_output=True, text=True, timeout=120,
            env={**os.environ, "ZHILI_DATABASE": own_database},
        )  # fmt: skip

    with django_db_blocker.unblock(), _inside(own_database):
        with scoped("511702"):
            cast = make_cast()
            Resident.objects.bulk_create(
                Resident(place=cast.place, household=cast.household, name=f"演示{n}", status="moved",
                         left_on=date(2026, 1, 1), phone_secret="v1:x") for n in range(10)
            )  # fmt: skip
        killed = run(where)
        assert killed.returncode == -signal.SIGKILL
        with scoped("511702"):
            left = Resident.objects.exclude(phone_secret="").count()
            (note,) = RetentionRun.objects.all()
            assert left == 7 and (note.count, note.finished_at) == (3, None)
        assert run("").stdout.strip() == "7"
        with scoped("511702"):
            assert not Resident.objects.exclude(phone_secret="").exists()
            assert Entry.objects.filter(action="privacy.retention").count() == 1


@pytest.mark.processes
def test_the_command_tries_first_and_prints_one_document(own_database: str) -> None:
    """P-11: --dry-run is the default; --json prints one document and nothing else; an unknown rule is refused."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "zhili.config.command", "privacy", "retention", *words], capture_output=True,
            text=True, timeout=120, env={**os.environ, "ZHILI_DATABASE": own_database},
        )  # fmt: skip

    found = json.loads(run("--json").stdout)
    assert found["dry_run"] is True and {row["rule"] for row in found["rules"]} == {
        rule.code for rule in retention.RULES if rule.find
    }
    refused = run("--rule", "everything", "--apply")
    assert refused.returncode == 1 and "没有规则" in refused.stderr
    assert json.loads(run("--apply", "--json").stdout) == {"dry_run": False, "rules": []}


def test_the_daily_job_is_registered(cast: SimpleNamespace, dead: Resident) -> None:
    """P-11: the worker runs it every day over the whole instance."""
    from zhili.common.daily import JOBS
    from zhili.privacy import tasks

    assert tasks.retention is retention and JOBS["privacy.retention"].function is retention.daily
    assert retention.daily(date(2027, 3, 15) + timedelta(days=1)) == 1
