"""The notice of each month with its objections, what happens once in the year, and the work left for today."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from zhili.claims.actions import review_many, submit_claim
from zhili.claims.models import Claim
from zhili.common.ids import uuid7
from zhili.common.periods import period_of, previous_period, today
from zhili.common.workdays import add_workdays, is_workday
from zhili.notices.actions import (
    acknowledge,
    answer_objection,
    close_notice,
    correct_line,
    object_to,
    open_notice,
)
from zhili.notices.models import Line, Notice, Objection

if TYPE_CHECKING:
    from zhili.config.demo.build import Village

PLACE: Final = "511702109200"
ANSWERERS: Final = ("supervisor1", "supervisor2", "township")


def plan_stages(village: Village, month: str, last: date, number: int) -> None:
    """The notice opens on the first working day after the month; what happens once a year has its own day."""
    village.plan(workday_from(last + timedelta(days=1)), 9, hang_out, month, number)
    if month == "2026-01":
        village.plan(date(2026, 1, 10), 8, expiry)
    if number == 4:
        village.plan(date(2026, 3, 1), 8, split)
    if number == 6:
        village.plan(date(2026, 5, 28), 9, reversal)


def workday_from(day: date) -> date:
    """`day`, or the next day offices work."""
    while not is_workday(day):
        day += timedelta(days=1)
    return day


def hang_out(village: Village, month: str, number: int) -> None:
    """Open the notice and write the days of its life into the diary."""
    notice = open_notice(by=village.fresh("clerk"), place=PLACE, period=month)
    village.counts["notices"] += 1
    village.counts["lines"] += Line.objects.filter(notice=notice).count()
    village.plan(add_workdays(notice.opens_on, 1), 15, objections, notice, number)
    if number % 4 == 1:
        village.plan(add_workdays(notice.opens_on, 2), 11, correct_points, notice)
    village.plan(workday_from(notice.closes_on + timedelta(days=1)), 9, take_in, notice)


def take_in(village: Village, notice: Notice) -> None:
    """The days are over: what nobody disputes is posted."""
    close_notice(by=village.fresh("clerk"), notice=notice)


def expiry(village: Village) -> None:
    """10 January: what is left of last year's spendable points expires, as announced thirty days before."""
    from zhili.ledger.lapsing import expire_due

    posted = expire_due(
        PLACE, date(2026, 1, 10), by=village.fresh("clerk"), earned_until=date(2025, 12, 31),
        noticed_on=date(2025, 12, 8), period="2026-01",
    )  # fmt: skip
    village.counts["expiry_entries"] += posted.count if posted else 0


def correct_points(village: Village, notice: Notice) -> None:
    """The clerk finds a slip herself: corrected in the open, with a mark."""
    from zhili.claims.scoring import allowed_points
    from zhili.rulebook.queries import parsed

    for line in Line.objects.filter(notice=notice, status="shown", points__gte=200).order_by("position"):
        least, _ = allowed_points(parsed(line.claim.book).item(line.claim.item.code))
        if least <= line.points - 50:
            correct_line(
                by=village.fresh("clerk"),
                line=line,
                points=line.points - 50,
                reason="登记时多记了半分（演示）",
            )
            village.counts["lines_corrected"] += 1
            return


def objections(village: Village, notice: Notice, number: int) -> None:
    """Two objections a month by different ways; every third month one more that is answered after closing."""
    lines = list(Line.objects.filter(notice=notice, points__gt=100).order_by("position"))
    chosen = village.chance.sample(lines, 3)
    villager = village.fresh(f"villager{number + 1}")
    found = [
        object_to(line=chosen[0], text="那天我也在，没有看见他家来人（演示）", channel="phone", by=villager,
                  resident=villager.resident, id=uuid7()),
        object_to(line=chosen[1], text="数量好像写多了，请再核对（演示）", channel="paper",
                  by=village.fresh("clerk"), paper_number=f"YY-{number + 1:03d}", id=uuid7()),
    ]  # fmt: skip
    if number % 3 == 2:
        found.append(object_to(line=chosen[2], text="请公开证明人（演示）", channel="open", id=uuid7()))
    village.counts["objections"] += len(found)
    for objection in found:
        acknowledge(by=village.fresh("clerk"), objection=objection)
    soon = add_workdays(notice.opens_on, 3)
    village.plan(soon, 16, answer, found[0], "refused", "组长和证明人都在场，维持原分。（演示）")
    village.plan(soon, 16, answer, found[1], "upheld", "核对后确实记错，这一条撤下。（演示）")
    if len(found) > 2:
        # Answered after the notice closed: the line that was held is posted with a reference to it.
        after = workday_from(notice.closes_on + timedelta(days=2))
        text = "核对了签到单和证明人，情况属实，维持原分。（演示）"
        village.plan(after, 17, answer, found[2], "refused", text)
        village.counts["lines_posted_late"] += 1


def answer(village: Village, objection: Objection, outcome: str, text: str) -> None:
    """The first answerer whom nothing keeps out."""
    from zhili.notices.access import involved

    objection = Objection.objects.select_related("line__notice", "line__claim").get(pk=objection.pk)
    for name in ANSWERERS:
        user = village.fresh(name)
        if not involved(user, objection):
            answer_objection(by=user, objection=objection, outcome=outcome, answer=text)
            village.counts[f"objections_{outcome}"] += 1
            return
    raise RuntimeError(f"nobody may answer {objection}")


def split(village: Village) -> None:
    """A son sets up his own household; a quarter of the points goes with him by agreement."""
    from zhili.config.demo.year import split_candidate
    from zhili.ledger.household_changes import split_household

    household = split_candidate(village)
    child = household.residents.filter(relation__in=["son", "daughter"], birth_date__lt="2000-01-01").first()
    assert child is not None
    split_household(
        by=village.fresh("clerk"), household=household, code="9001", residents=[child], head=child,
        basis="分户协议 2026-03（演示）", share_percent=25, period="2026-03",
    )  # fmt: skip
    village.counts["household_splits"] += 1


def reversal(village: Village) -> None:
    """A line posted last month turns out to be wrong: taken back by a counter-entry that another person agrees to."""
    from zhili.ledger.actions import reverse
    from zhili.ledger.queries import statement

    clerk = village.fresh("clerk")
    for household in village.households[120:]:
        entries = [e for e in statement(PLACE, household.pk).entries if e.code == "award"]
        if not entries:
            continue
        claim = entries[-1].cause["claim"]
        ids = [e.transfer_id for e in entries if e.cause.get("claim") == claim]
        reverse(
            ids, place=PLACE, by=clerk, approved_by=village.fresh("supervisor1"),
            reason="同一件事记了两次（演示）", period="2026-05",
        )  # fmt: skip
        village.counts["reversals"] += 1
        return


def leave_work_for_today(village: Village) -> None:
    """On the real clock: claims waiting for review and, once the fixed year is over, a notice that hangs out now.

    Nothing of it is posted, so the ledger's head stays what the year ended with.
    """
    day = today()
    for position, item in ((30, "HJ01"), (61, "WM02"), (92, "PA01"), (123, "GY03")):
        claim_on(village, day, position, item)
        village.counts["claims_waiting"] += 1
    last_month = previous_period(period_of(day, "month"))
    if last_month.code <= "2026-10" or not is_workday(day):
        return
    claims = [claim_on(village, last_month.start, 130 + n, "HJ01") for n in range(12)]
    review_many(by=village.fresh("reviewer1"), place=PLACE, claims=claims, decision="approve")
    review_many(by=village.fresh("reviewer2"), place=PLACE, claims=claims, decision="approve")
    open_notice(by=village.fresh("clerk"), place=PLACE, period=last_month.code)


def claim_on(village: Village, day: date, position: int, item: str) -> Claim:
    """A claim the clerk keys in on the real clock."""
    return submit_claim(
        by=village.fresh("clerk"), id=uuid7(), household=village.households[position], item=item,
        occurred_on=day, channel="counter", witness="邻居（演示）", text="刚记的（演示）",
    )  # fmt: skip
