"""公示、异议、入账: the month's notice, objections without a name, answers, closing, and what is too early or too late."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tests.simulator.deeds import OK, REFUSED, Step, agree, deed, new_id
from tests.simulator.model import Line, Notice, Objection, Village, World
from tests.simulator.world import house_of


def end_of(period: str) -> date:
    year, month = map(int, period.split("-"))
    return date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)


def last_month(world: World) -> str:
    return f"{world.today.replace(day=1) - timedelta(days=1):%Y-%m}"


@deed(30)
def open_notice(world: World, village: Village) -> Step | None:
    """Hang out last month, where it may be done today; otherwise it must be refused."""
    from zhili.common.workdays import is_workday

    period = last_month(world)
    if period < "2026-01":
        return None
    due = [one for one in village.claims.values() if one.status == "approved" and one.on <= end_of(period)]
    closed = any(notice.period == period for notice in village.notices)
    may = bool(due) and village.open_notice is None and not closed and is_workday(world.today)
    if not may and world.rng.random() < 0.85:
        return None

    def then(said: dict[str, Any]) -> None:
        points = village.freeze(due)
        agree(said["lines"], points, f"lines of {village.place} {period}")
        notice = Notice(period, date.fromisoformat(said["closes"]))
        for id, worth in points.items():
            notice.lines[id] = Line(id, worth)
            village.claims[id].status, village.claims[id].awarded = "on_notice", worth
        village.notices.append(notice)

    args = {"by": village.clerk, "place": village.place, "period": period}
    return Step(
        "open_notice", args, [village.place], OK if may else REFUSED, then if may else None, lost="never"
    )


@deed(30)
def close_notice(world: World, village: Village) -> Step | None:
    """When its days are over every undisputed line is posted; before that it is refused; twice is once."""
    if not village.notices:
        return None
    notice = village.notices[-1]
    args = {"by": village.clerk, "place": village.place, "period": notice.period}
    if not notice.open:
        return (
            Step("close_notice", args, [village.place], OK, twice=True, say="close_notice again")
            if world.rng.random() < 0.1
            else None
        )
    may = world.today > notice.closes
    if not may and world.rng.random() < 0.8:
        return None

    def then(_: Any) -> None:
        village.post([line for line in notice.lines.values() if line.status == "shown"])
        notice.open = False

    return Step(
        "close_notice", args, [village.place], OK if may else REFUSED, then if may else None, twice=True
    )


@deed(12)
def objection(world: World, village: Village) -> Step | None:
    """From the open page, without a name: that line waits. After the last day it is too late."""
    if not village.notices:
        return None
    notice = village.notices[-1]
    line = world.rng.choice(list(notice.lines.values()))
    may = notice.open and world.today <= notice.closes and line.status in ("shown", "held")
    if not may and world.rng.random() < 0.8:
        return None
    args = {
        "place": village.place,
        "claim": line.claim,
        "id": new_id(world),
        "text": f"{village.sign}那天没看见",
    }

    def then(_: Any) -> None:
        village.objections[args["id"]] = Objection(args["id"], line.claim)
        line.status = village.claims[line.claim].status = "held"

    return Step("object_to", args, [village.place], OK if may else REFUSED, then if may else None, twice=True)


@deed(4)
def acknowledge(world: World, village: Village) -> Step | None:
    rows = [one for one in village.objections.values() if one.open and not one.acknowledged]
    if not rows:
        return None
    one = world.rng.choice(rows)
    return Step("acknowledge", {"by": village.supervisor, "objection": one.id}, [village.place], OK,
                lambda said: setattr(one, "acknowledged", True), lost="refused")  # fmt: skip


@deed(12)
def answer(world: World, village: Village) -> Step | None:
    """The written answer frees the line, or takes it down; the clerk, who published it, may not answer."""
    rows = [one for one in village.objections.values() if one.open]
    if not rows:
        return None
    one = world.rng.choice(rows)
    notice, line = line_of(village, one.claim)
    by = village.supervisor if world.rng.random() < 0.9 else village.clerk
    outcome = world.rng.choice(["upheld", "refused", "refused"])

    def then(said: Any) -> None:
        one.open = False
        claim = village.claims[line.claim]
        if outcome == "upheld" and line.status != "dropped":
            line.status, claim.status, claim.awarded = "dropped", "dropped", 0
        others = any(other.open for other in village.objections.values() if other.claim == line.claim)
        if line.status == "held" and not others:
            if notice.open:
                line.status, claim.status = "shown", "on_notice"
            else:
                village.post([line])
        agree(said[1], line.status, f"line {line.claim} after the answer")

    may = by == village.supervisor and village.claims[one.claim].house != house_of(by)
    return Step("answer", {"by": by, "objection": one.id, "outcome": outcome}, [village.place], OK if may else REFUSED,
                then if may else None, lost="refused")  # fmt: skip


def line_of(village: Village, claim: str) -> tuple[Notice, Line]:
    notice = next(one for one in village.notices if claim in one.lines)
    return notice, notice.lines[claim]


@deed(2)
def take_down(world: World, village: Village) -> Step | None:
    """The clerk takes a line off the notice while it hangs; never the own household's."""
    notice = village.open_notice
    if notice is None:
        return None
    line = world.rng.choice(list(notice.lines.values()))
    own = village.claims[line.claim].house == f"{village.n + 1}001"
    may = line.status in ("shown", "held") and not own

    def then(_: Any) -> None:
        line.status = village.claims[line.claim].status = "dropped"
        village.claims[line.claim].awarded = 0

    return Step("take_down", {"by": village.clerk, "claim": line.claim}, [village.place], OK if may else REFUSED,
                then if may else None, lost="refused")  # fmt: skip
