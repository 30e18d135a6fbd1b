"""Twelve months of the demo village: what people do, what the clerk writes down, how it is reviewed and posted."""

from __future__ import annotations

import io
from calendar import monthrange
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from PIL import Image, ImageDraw

from zhili.claims.actions import (
    Entry,
    record_hearing,
    resubmit_claim,
    review_claim,
    review_many,
    submit_claim,
    submit_group,
    submit_many,
    withdraw_claim,
)
from zhili.claims.checking import Draft
from zhili.claims.models import Claim
from zhili.claims.queries import review_queue
from zhili.common.errors import ZhiliError
from zhili.common.ids import uuid7
from zhili.config.demo import stages

if TYPE_CHECKING:
    from zhili.config.demo.build import Village
    from zhili.people.models import Household

PLACE: Final = "511702109200"
MONTHS: Final = [f"{2025 + (9 + n) // 12 if n < 2 else 2026}-{(10 + n) % 12 + 1:02d}" for n in range(12)]

# Single deeds: item, needs, quantity maker. Evidence: w witness, p photo, d document.
SINGLES: Final[Sequence[tuple[str, str, Callable[[Any], Decimal | None]]]] = [
    ("HJ01", "w", lambda chance: None),
    ("HJ04", "p", lambda chance: Decimal(chance.randint(10, 48))),
    ("HJ06", "d", lambda chance: Decimal(chance.randint(2, 18)) / 2),
    ("WM02", "w", lambda chance: None),
    ("WM03", "w", lambda chance: None),
    ("GY01", "w", lambda chance: Decimal(chance.randint(2, 12))),
    ("GY02", "w", lambda chance: Decimal(chance.randint(3, 16))),
    ("GY03", "w", lambda chance: None),
    ("GY04", "w", lambda chance: None),
    ("PA01", "w", lambda chance: None),
    ("PA03", "d", lambda chance: None),
    ("CY02", "w", lambda chance: None),
    ("CY04", "p", lambda chance: Decimal(chance.randint(4, 30)) / 10),
    ("CW02", "d", lambda chance: None),
]
TEXTS: Final = ["", "早上做的", "和邻居一起", "组长看见了", "忙到天黑"]


def plan_month(village: Village, month: str, number: int) -> None:
    """One month in the diary: deeds by the day, reviews near the end; then its notice on the next working day."""
    first = date.fromisoformat(f"{month}-01")
    last = first.replace(day=monthrange(first.year, first.month)[1])
    for day_number in range(3, 20):
        village.plan(first.replace(day=day_number), 18, singles, first.replace(day=day_number))
    village.plan(first.replace(day=6), 17, activity, first.replace(day=6), number)
    village.plan(first.replace(day=13), 20, meeting, first.replace(day=13))
    if number % 3 == 0:
        village.plan(first.replace(day=20), 16, inspection, first.replace(day=20))
    village.plan(first.replace(day=21), 19, lecture, first.replace(day=21), number)
    village.plan(first.replace(day=22), 10, unusual, first.replace(day=22), number)
    village.plan(last - timedelta(days=3), 19, reviews, number)
    village.plan(last - timedelta(days=2), 19, council_evening)
    stages.plan_stages(village, month, last, number)


def singles(village: Village, day: date) -> None:
    """Single claims of one day: by villagers themselves, neighbours, the clerk at the counter, on paper."""
    for _ in range(3):
        single(village, day - timedelta(days=village.chance.choice((0, 0, 0, 1, 2))))


def single(village: Village, day: date) -> None:
    chance = village.chance
    code, needs, quantity = chance.choice(SINGLES)
    channel = chance.choice(("phone", "phone", "counter", "counter", "paper", "offline"))
    if day < date(2025, 11, 1):
        day = date(2025, 11, 1)
    if channel == "phone":
        user = village.fresh(f"villager{chance.randint(1, 24)}")
        assert user.resident is not None
        household = village.heads[user.resident.household_id].household
        if needs != "d" and chance.random() < 0.25:  # for a neighbour
            household = chance.choice(village.households)
    else:
        user, household = village.fresh("clerk"), chance.choice(village.households)
    head = village.heads.get(household.pk)
    photo = (needs in "pd" and channel == "phone") or needs == "p"
    try:
        claim = submit_claim(
            by=user, id=uuid7(), household=household, item=code, occurred_on=day, channel=channel,
            resident=head, quantity=quantity(chance), text=chance.choice(TEXTS),
            photos=[demo_photo(chance.randint(0, 999))] if photo else (),
            witness="" if needs != "w" else "邻居（演示）",
            document="登记单（演示）" if needs == "d" and channel != "phone" else "",
        )  # fmt: skip
    except ZhiliError:
        # Households moved or closed, items a neighbour may not claim: refused in words, as in life.
        village.counts["claims_refused_at_the_door"] += 1
        return
    village.counts[f"claims_{channel}"] += 1
    if channel == "phone" and chance.random() < 0.02:
        withdraw_claim(by=user, claim=claim)
        village.counts["claims_withdrawn"] += 1


def activity(village: Village, day: date, number: int) -> None:
    """清扫日: three group leaders tick their own people."""
    for offset in range(3):
        leader = (number * 3 + offset) % 9 + 1
        group = f"{leader}组"
        present = [h for h in village.households if h.group == group]
        came = village.chance.sample(present, min(len(present), village.chance.randint(12, 22)))
        claims = submit_group(
            by=village.fresh(f"leader{leader}"), id=uuid7(), place=PLACE, item="HJ01", occurred_on=day,
            entries=[Entry(household) for household in came], activity=f"{group}清扫日",
        )  # fmt: skip
        village.counts["claims_activity"] += len(claims)


def meeting(village: Village, day: date) -> None:
    """村民小组会: the clerk ticks the households that came."""
    came = village.chance.sample(village.households, 60)
    claims = submit_group(
        by=village.fresh("clerk"), id=uuid7(), place=PLACE, item="CW01", occurred_on=day,
        entries=[Entry(household) for household in came], activity="村民小组会",
    )  # fmt: skip
    village.counts["claims_activity"] += len(claims)


def inspection(village: Village, day: date) -> None:
    """门前屋后评比: the grading sheet comes back as one list."""
    grades = ("整洁", "整洁", "合格", "合格", "合格", "未评上")
    drafts = [
        Draft(
            id=uuid7(),
            household=household,
            item="HJ02",
            occurred_on=day,
            channel="excel",
            grade=village.chance.choice(grades),
            document="评比表（演示）",
        )
        for household in village.chance.sample(village.households, 110)
    ]
    village.counts["claims_excel"] += len(submit_many(by=village.fresh("clerk"), place=PLACE, drafts=drafts))


def lecture(village: Village, day: date, number: int) -> None:
    """A talk with a signed list, by person: each person's own cap."""
    came = village.chance.sample(village.households, 28)
    claims = submit_group(
        by=village.fresh("clerk"), id=uuid7(), place=PLACE, item="PA04" if number % 2 else "CY01",
        occurred_on=day, entries=[Entry(h, resident=village.heads.get(h.pk)) for h in came],
        activity="防诈骗讲座" if number % 2 else "柑橘修剪培训",
    )  # fmt: skip
    village.counts["claims_activity"] += len(claims)


def unusual(village: Village, day: date, number: int) -> None:
    """One deed whose points the council sets; every other month a deduction after a reminder."""
    clerk = village.fresh("clerk")
    submit_claim(
        by=clerk, id=uuid7(), household=village.chance.choice(village.households), item="GY06",
        occurred_on=day, channel="counter", text="夜里发现水管爆裂，守到修好（演示）",
        document="情况说明（演示）",
    )  # fmt: skip
    village.counts["claims_council"] += 1
    if number % 2:
        claim = submit_claim(
            by=clerk, id=uuid7(), household=village.chance.choice(village.households), item="TX01",
            occurred_on=day, channel="counter", text="柴堆占道，提醒后没有清（演示）",
            photos=[demo_photo(1000 + number)], reminded_on=day - timedelta(days=5),
        )  # fmt: skip
        record_hearing(by=clerk, claim=claim, text="本户说过几天清（演示）")
        village.counts["claims_deduction"] += 1


def reviews(village: Village, number: int) -> None:
    """A review evening: three reviewers, so that what needs two has two."""
    for name in (
        f"reviewer{number % 6 + 1}",
        f"reviewer{(number + 1) % 6 + 1}",
        f"reviewer{(number + 2) % 6 + 1}",
    ):
        decide_queue(village, name)


def council_evening(village: Village) -> None:
    """The council sets the points the rule book leaves open; a reviewer who is kin is refused."""
    for row in review_queue(village.fresh("elder3"), PLACE):
        points = 100 * village.chance.randint(3, 12) if row.span else None
        review_claim(
            by=village.fresh("elder3"), claim=row.claim, decision="change" if points else "approve",
            points=points, reason="议事会商定（演示）" if points else "",
        )  # fmt: skip
        village.counts["reviews_council"] += 1
    recused(village)


def decide_queue(village: Village, name: str) -> None:
    """One reviewer's evening: most are approved in one go, a few refused or sent back."""
    user = village.fresh(name)
    queue = review_queue(user, PLACE, limit=500)
    odd = [row.claim for row in queue if row.claim.channel == "phone" and village.chance.random() < 0.06]
    for claim in odd:
        decision = village.chance.choice(("refuse", "return"))
        review_claim(by=user, claim=claim, decision=decision, reason="写得不清楚，请补充（演示）")
        village.counts[f"reviews_{decision}"] += 1
        if decision == "return":
            # The claim's author puts it right the same evening.
            resubmit_claim(by=claim.submitted_by, claim=claim, text="补充：在村口到水井这一段（演示）")
            village.counts["claims_resubmitted"] += 1
    rest = [row.claim for row in queue if row.claim not in odd]
    for start in range(0, len(rest), 200):
        outcomes = review_many(by=user, place=PLACE, claims=rest[start : start + 200], decision="approve")
        village.counts["reviews_approved"] += sum(outcome.error is None for outcome in outcomes)


def recused(village: Village) -> None:
    """A reviewer tries a relative's claim and is refused: recusal is enforced, not only declared (A-08)."""
    for name in (f"reviewer{n}" for n in range(1, 7)):
        user = village.fresh(name)
        kin = set(user.recusals.values_list("household_id", flat=True))
        claim = Claim.objects.filter(place=PLACE, household_id__in=kin, status="submitted").first()
        if claim is not None:
            try:
                review_claim(by=user, claim=claim, decision="approve")
            except ZhiliError:
                village.counts["reviews_recused"] += 1


@lru_cache(maxsize=64)
def demo_photo(seed: int) -> bytes:
    """A small drawn picture that says what it is: no person, no place."""
    image = Image.new("RGB", (320, 240), (60 + seed % 120, 120 + seed % 90, 90 + seed % 70))
    draw = ImageDraw.Draw(image)
    for step in range(8):
        x = (seed * 37 + step * 61) % 300
        draw.rectangle(
            (x, 20 + step * 25, x + 40 + seed % 50, 32 + step * 25), fill=(220, 230 - step * 9, 200)
        )
    draw.text((10, 10), f"DEMO {seed}", fill=(0, 0, 0))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80)
    return out.getvalue()


def split_candidate(village: Village) -> Household:
    """The first household with a grown child, for the split in the fifth month."""
    for household in village.households[40:]:
        if household.residents.filter(relation__in=["son", "daughter"], birth_date__lt="2000-01-01").exists():
            return household
    raise RuntimeError("the demo village has no household to split")
