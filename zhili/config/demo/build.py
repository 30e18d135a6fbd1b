"""Build the demo village by the real actions: people, rule book, twelve months from claim to ledger.

Inside `clock.replay` time and chance follow the seed, so the ledger's last head is the same on every machine.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from heapq import heappop, heappush
from time import perf_counter
from typing import Any, Final

from django.db import transaction

from zhili.common import clock
from zhili.common.periods import SHANGHAI
from zhili.common.scope import scoped
from zhili.config.demo.people import Row, village_list
from zhili.people.models import Household, Resident, User

PLACE: Final = "511702109200"
TOWNSHIP: Final = "511702109"
COUNTY: Final = "511702"
SEED: Final = 20251101
FIRST_DAY: Final = date(2025, 10, 8)
PASSWORD: Final = "yanshi-zhili-2026"  # noqa: S105 - the demo's, printed on purpose

# username, 称呼, role, place
OFFICERS: Final = [
    ("county", "区县演示员", "county", COUNTY),
    ("township", "乡镇演示员", "township", TOWNSHIP),
    ("sysadmin", "系统管理员", "system_admin", COUNTY),
    ("security", "安全管理员", "security_admin", COUNTY),
    ("auditor", "审计管理员", "audit_admin", COUNTY),
    ("bank", "银行演示员", "bank", COUNTY),
]
# username, household position in the list, role: heads of these households hold village roles.
VILLAGE_ROLES: Final = [
    ("clerk", 3, "clerk"),
    *[(f"leader{n}", (n - 1) * 34 + 5, "group_leader") for n in range(1, 10)],
    *[(f"reviewer{n}", n * 31 + 9, "reviewer") for n in range(1, 7)],
    *[(f"elder{n}", n * 22 + 14, "council") for n in range(1, 13)],
    ("supervisor1", 88, "supervisor"),
    ("supervisor2", 199, "supervisor"),
    ("shop", 240, "shopkeeper"),
]
VILLAGERS: Final = 24
# One log-in per role, printed by `zhili demo`.
LOGINS: Final = [
    ("村民", "villager1"), ("组长", "leader1"), ("村文书", "clerk"), ("评议员", "reviewer1"),
    ("议事会成员", "elder1"), ("监督委员", "supervisor1"), ("超市店员", "shop"), ("乡镇干部", "township"),
    ("区县干部", "county"), ("银行伙伴", "bank"), ("系统管理员", "sysadmin"), ("安全管理员", "security"),
    ("审计管理员", "auditor"),
]  # fmt: skip


@dataclass
class Village:
    """The demo village while it is being built."""

    clock: clock.Replay
    chance: random.Random
    users: dict[str, User] = field(default_factory=dict)
    households: list[Household] = field(default_factory=list)
    heads: dict[Any, Resident] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    diary: list[tuple[datetime, int, Callable[[], object]]] = field(default_factory=list)
    entries: int = 0

    def plan(self, day: date, hour: int, deed: Callable[..., object], *facts: Any) -> None:
        """Write `deed(village, *facts)` into the diary for this hour, village time."""
        moment = datetime.combine(day, time(hour), tzinfo=SHANGHAI)
        heappush(self.diary, (moment, self.entries, lambda: deed(self, *facts)))
        self.entries += 1

    def live(self, told: Callable[[date], None]) -> None:
        """Do everything in the diary in order; what is done may write further entries."""
        while self.diary:
            moment, _, deed = heappop(self.diary)
            told(moment.date())
            self.clock.move_to(max(moment, self.clock.moment))
            deed()

    def fresh(self, name: str) -> User:
        """The user as a new request would load it: roles are read again."""
        user = self.users[name]
        user.__dict__.pop("memberships_today", None)
        return user


def build(progress: Callable[[str, float], None]) -> dict[str, Any]:
    """Build everything; `progress(step, share done)` is told as it goes. Returns counts, seconds and the head."""
    from zhili.config.demo import honours, shop, stages, year
    from zhili.ledger.queries import latest_head

    started = perf_counter()
    begin = datetime.combine(FIRST_DAY, time(8), tzinfo=SHANGHAI)
    with clock.replay(begin, SEED) as ticking, scoped("*"):
        village = Village(ticking, random.Random(SEED))  # noqa: S311
        progress("户与人", 0.0)
        people(village)
        progress("积分细则", 0.08)
        adopt_rules(village)
        for number, month in enumerate(year.MONTHS):
            year.plan_month(village, month, number)
        shop.plan_shop(village)
        honours.stage_honours(village)
        village.live(lambda day: progress(f"{day:%Y年%-m月}", 0.1 + 0.85 * (day - FIRST_DAY).days / 400))
        head = latest_head(PLACE)
        assert head is not None
    progress("今天待办的事", 0.96)
    with scoped("*"):
        # After the fixed year, on the real clock: what waits today. Nothing of it is posted, so the head stays.
        stages.leave_work_for_today(village)
        shop.leave_a_shop_for_today(village)
    progress("完成", 1.0)
    return {
        "place": PLACE,
        "counts": dict(sorted(village.counts.items())),
        "seconds": round(perf_counter() - started, 1),
        "head": head.head,
        "head_short": head.short,
        "seq": head.seq,
    }


def password_of(username: str) -> str | None:
    """The demo's password for the log-ins that are printed; the others of the village cannot log in."""
    return PASSWORD if username in {name for _, name in LOGINS} else None


def people(village: Village) -> None:
    """Settings, officers, the imported household list, village roles, log-ins."""
    from zhili.config.demo.workbook import household_workbook
    from zhili.people.actions import grant_role, make_login
    from zhili.people.importing import apply_households, read_households
    from zhili.places.actions import set_village_settings

    for username, name, role, place in OFFICERS:
        user = village.users[username] = make_login(
            None, username, PASSWORD, by=None, display_name=name, place=place
        )
        grant_role(by=None, user=user, role=role, place=place)
    set_village_settings(
        by=village.fresh("township"), place=PLACE, office_phone="0818-0000000", supervisor_phone="0818-0000001",
        office_address="谭家沟村党群服务中心（演示）", demo=True,
    )  # fmt: skip
    rows = village_list(village.chance)
    data = household_workbook(rows)
    first = make_login(None, "setup", None, by=None, display_name="开通员", place=PLACE)
    grant_role(by=None, user=first, role="clerk", place=PLACE, valid_to=date(2025, 10, 10))
    first.__dict__.pop("memberships_today", None)
    dry_run = read_households(data, "谭家沟村户籍花名册（演示）.xlsx", PLACE)
    apply_households(dry_run, by=first)
    village.clock.move_to(datetime(2025, 10, 11, 9, tzinfo=SHANGHAI))
    village.households = list(Household.objects.filter(place=PLACE).order_by("code"))
    residents = Resident.objects.filter(place=PLACE, relation="head")
    village.heads = {resident.household_id: resident for resident in residents}
    village.counts["households"] = len(village.households)
    village.counts["residents"] = len(rows)
    for username, position, role in VILLAGE_ROLES:
        household = village.households[position]
        user = village.users[username] = make_login(
            village.heads[household.pk], username, password_of(username), by=village.fresh("township")
        )
        grant_role(
            by=village.fresh("township"), user=user, role=role, place=PLACE,
            group=household.group if role == "group_leader" else "", no_kin_declared=True,
        )  # fmt: skip
    taken = {position for _, position, _ in VILLAGE_ROLES}
    free = [position for position in range(1, len(village.households), 9) if position not in taken]
    for number, position in enumerate(free[:VILLAGERS], start=1):
        resident = village.heads[village.households[position].pk]
        village.users[f"villager{number}"] = make_login(
            resident, f"villager{number}", password_of(f"villager{number}"), by=village.fresh("clerk")
        )
    declare_kin(village)


def declare_kin(village: Village) -> None:
    """Every reviewer and some elders name relatives; one clerk's helper acts for an old neighbour."""
    from zhili.claims.actions import declare_recusal
    from zhili.people.actions import delegate

    for name in [f"reviewer{n}" for n in range(1, 7)] + ["elder1", "elder2", "supervisor1"]:
        user = village.fresh(name)
        for household in village.chance.sample(village.households, 3):
            if user.resident is not None and household.pk != user.resident.household_id:
                declare_recusal(by=user, user=user, household=household, kind="relative", note="堂亲（演示）")
                village.counts["recusals_declared"] += 1
    principal = village.heads[village.households[200].pk]
    delegate(
        by=village.fresh("clerk"), principal=principal, delegate=village.fresh("villager1"),
        valid_to=date(2026, 10, 1), paper_number="WT-0001",
    )  # fmt: skip
    village.counts["delegations"] += 1


def adopt_rules(village: Village) -> None:
    """The household starter, made this village's own and adopted by a recorded vote."""
    from zhili.config.demo.rules import adopt
    from zhili.rulebook.book import Expiry
    from zhili.rulebook.book_yaml import load_starter

    starter = load_starter("household")
    purses = tuple(
        replace(purse, expiry=Expiry("yearly", "01-10", None)) if purse.spendable else purse
        for purse in starter.purses
    )
    book = replace(
        starter, title="谭家沟村积分细则（演示）", place=PLACE, effective_from=date(2025, 11, 1),
        effective_to=None, purses=purses,
    )  # fmt: skip
    with transaction.atomic():
        adopt(village, book)


def demo_rows() -> list[Row]:
    """The household list of every demo village: the first thing its seed is used for."""
    return village_list(random.Random(SEED))  # noqa: S311
