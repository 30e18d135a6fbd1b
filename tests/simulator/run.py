"""The driver: one life from one seed. It draws deeds, hands them to workers, makes faults, and checks after every step."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.simulator.deeds import OK, REFUSED, Disagree, Step, agree, choose, load
from tests.simulator.power import Died, House

ROOT = Path(__file__).resolve().parents[2]
POINTS = (
    "before statement", "after statement", "after statement", "before answer", "review.locked", "review.moved",
    "review.written", "review.before_commit", "notice.close.before_post", "notice.close.posted",
    "notice.close.period_closed", "notice.close.before_commit", "ledger.post.before", "ledger.post.after",
    "ledger.period.closed", "ledger.expire.posted", "import.claims.before", "import.claims.written",
    "import.claims.run", "claims.submit.photos", "claims.submit.inserted", "claims.submit.evidence",
    "notice.open.openings", "notice.open.lines", "notice.open.before_commit",
)  # fmt: skip


class Failure(AssertionError):
    """Something did not hold; says with what to see it again."""


@dataclass
class Life:
    """What came of one seed. log: one line a step. faults: how many of each kind really struck."""

    seed: int
    steps: int = 0
    log: list[str] = field(default_factory=list)
    deeds: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    digests: dict[str, str] = field(default_factory=dict)
    checks: dict[str, int] = field(default_factory=dict)
    until: str = ""
    seconds: float = 0.0


def template() -> str:
    """The database with the three villages, built once per state of the code; runs copy it."""
    import hashlib

    from django.db import connection

    import conftest
    from tests.simulator import model, world
    from zhili.config import embedded

    base = conftest.make_template()
    sources = b"".join(Path(module.__file__ or "").read_bytes() for module in (model, world))
    name = f"zhili_sim_{hashlib.sha256(base.encode() + sources).hexdigest()[:16]}"
    with embedded.logins()["owner"].connect(embedded.maintenance_database()) as db:
        db.execute("SELECT pg_advisory_lock(704513)")
        if not db.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            building = f"{name}_b{os.getpid()}"
            db.execute(f'DROP DATABASE IF EXISTS "{building}" WITH (FORCE)')
            db.execute(f'CREATE DATABASE "{building}" TEMPLATE "{base}"')
            connection.close()
            connection.settings_dict["NAME"] = building
            try:
                world.build()
            finally:
                connection.close()
            db.execute(f'ALTER DATABASE "{building}" RENAME TO "{name}"')
        db.execute("SELECT pg_advisory_unlock(704513)")
    return name


def copy(source: str, name: str) -> None:
    from zhili.config import embedded

    with embedded.logins()["owner"].connect(embedded.maintenance_database()) as db:
        db.execute("SELECT pg_advisory_lock(704513)")
        db.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        db.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
        db.execute("SELECT pg_advisory_unlock(704513)")


class Run:
    """One seed on a database of its own."""

    def __init__(
        self, seed: int, source: str, *, faults: bool = True, checks: bool = True, shop: bool = False
    ) -> None:
        from django.db import connection

        from tests.simulator import checks as checking
        from tests.simulator import world

        self.database = f"zhili_simrun_{os.getpid()}_{seed}"
        connection.close()
        copy(source, self.database)
        connection.settings_dict["NAME"] = self.database
        load()
        self.world = world.model(seed)
        self.world.shop = shop
        self.chance = random.Random(f"faults {seed}") if faults else None
        self.house = House(self.database, "tests.simulator.performing")
        self.checker = checking.Checker(self.world)
        self.checks = checks
        self.life = Life(seed)
        self.late: list[tuple[int, Step, dict[str, Any]]] = []

    def close(self) -> None:
        import shutil

        from django.conf import settings
        from django.db import connection

        from conftest import drop_database

        self.house.close()
        connection.close()
        drop_database(self.database)
        shutil.rmtree(settings.VAR / f"photos-{self.database}", ignore_errors=True)

    def live(self, steps: int, *, until: float | None = None) -> Life:
        """So many steps (or until a moment of time.monotonic). Raises Failure."""
        started = time.monotonic()
        try:
            while self.life.steps < steps and (until is None or time.monotonic() < until):
                try:
                    self.step()
                except (Disagree, Died) as error:
                    raise Failure(self.story(str(error) or type(error).__name__)) from error
            from tests.simulator.checks import digest

            self.life.digests = digest(self.checker.tables)
        finally:
            self.life.checks = dict(self.checker.counts)
            self.life.until = self.world.today.isoformat()
            self.life.seconds = time.monotonic() - started
        return self.life

    def step(self) -> None:
        self.life.steps += 1
        self.deliver_late()
        step = choose(self.world)
        self.life.deeds[step.say.split(" ")[0]] += 1
        if step.do == "sleep":
            self.world.sleep(step.args["days"])
            self.life.log.append(f"{self.life.steps} sleep {step.args['days']}")
            return
        self.before(step)
        answer = self.carry_out(step)
        got = OK if "ok" in answer else REFUSED if "refused" in answer else "bug"
        seen = [row[:2] for row in answer["ok"]] if got == OK and step.do.startswith("look") else answer
        self.life.log.append(f"{self.life.steps} {self.world.now:%F %H:%M} {step.say} {step.args} → {seen}")
        if got == "bug" or (step.expect and got != step.expect):
            raise Disagree(f"{step.say} {step.args}: expected {step.expect}, got {answer}")
        if got == OK and step.then:
            step.then(answer["ok"])
        self.life.refused += got == REFUSED
        if self.checks:
            self.checker.after(step.places, got == REFUSED, step.say)
        if got == OK and step.lost == "same" and step.twice and self.chance and self.chance.random() < 0.15:
            self.late.append((self.life.steps + self.chance.randint(1, 25), step, answer))
        self.world.pass_time()

    def before(self, step: Step) -> None:
        """For tests that want to do something to a deed before it is done (test_kill)."""

    def deed(self, step: Step, fault: list[Any] | None = None) -> dict[str, Any]:
        seed = f"{self.life.seed}/{self.life.steps}"
        return {
            "do": step.do,
            "args": step.args,
            "at": self.world.now.isoformat(),
            "seed": seed,
            "fault": fault,
        }

    def carry_out(self, step: Step) -> dict[str, Any]:
        """With a fault, where chance wants one; then again, as a person would."""
        kind = self.fault(step)
        if kind == "twice":
            first, second = self.house.together([self.deed(step)] * 2)
            agree(second, first, f"{step.say} asked of two workers at once")
            self.struck("two at once")
            return first
        if kind == "lost":
            first = self.house.do(self.deed(step))
            if "ok" in first:
                again = self.house.do(self.deed(step))
                self.struck("answer lost")
                if step.lost == "same":
                    agree(again, first, f"{step.say} after a lost answer")
                else:
                    agree("refused" in again, True, f"{step.say} after a lost answer said {again}")
            return first
        if kind in ("kill", "drop"):
            assert self.chance is not None
            point = self.chance.choice(POINTS)
            fault = [kind, point, self.chance.randint(1, 24) if point.endswith("statement") else 1]
            if point == "before answer" and step.lost != "same":
                fault = [kind, "after statement", 3]
            try:
                answer = self.house.do(self.deed(step, fault))
            except Died:
                self.struck(f"kill -9 {fault[1]}")
                return self.house.do(self.deed(step))
            if "broken" in answer:
                self.struck(f"connection dropped {fault[1]}")
                return self.house.do(self.deed(step))
            return answer
        if kind == "restart":
            self.house.send_home()
            self.struck("restart")
        return self.house.do(self.deed(step))

    def fault(self, step: Step) -> str:
        if self.chance is None or step.do.startswith(("look", "agree")):
            return ""
        kinds = ["", "kill", "drop", "restart"]
        weights = [60, 22, 8, 1]
        if step.expect == OK and step.lost != "never":
            kinds.append("lost")
            weights.append(6)
        if step.twice and step.expect == OK and not step.args.get("photos"):
            # Two workers with one seed would draw one file name; ten processes with photos: notices/test_processes.
            kinds.append("twice")
            weights.append(8)
        drawn = self.chance.choices(kinds, weights)[0]
        # Rare by chance, and yet every longer life has it: all workers go home and new ones come.
        return "restart" if self.life.steps >= 100 and not self.life.faults["restart"] else drawn

    def struck(self, what: str) -> None:
        self.life.faults[what] += 1

    def deliver_late(self) -> None:
        """A message that was sent long ago arrives once more."""
        due = [one for one in self.late if one[0] <= self.life.steps]
        self.late = [one for one in self.late if one[0] > self.life.steps]
        for _, step, answer in due:
            again = self.house.do(self.deed(step))
            agree(again, answer, f"{step.say} delivered again, late")
            self.struck("delivered again")
            if self.checks:
                self.checker.after(step.places, True, f"{step.say} again")

    def story(self, what: str) -> str:
        last = "\n".join(line[:600] for line in self.life.log[-6:])
        faults = ("" if self.chance else " --no-faults") + (" --shop" if self.world.shop else "")
        return (
            f"seed {self.life.seed}, step {self.life.steps}, commit {commit()}\n{what[-4000:]}\n"
            f"the last steps:\n{last}\nto see it again:\n"
            f"  .venv/bin/python -m tests.simulator --seed {self.life.seed} --steps {self.life.steps}{faults}"
        )


def commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def one_life(
    seed: int, steps: int, *, faults: bool = True, checks: bool = True, until: float | None = None,
    shop: bool = False,
) -> Life:  # fmt: skip
    run = Run(seed, template(), faults=faults, checks=checks, shop=shop)
    try:
        return run.live(steps, until=until)
    finally:
        run.close()


def soak(seconds: float, first: int | None = None, steps: int = 1500) -> dict[str, Any]:
    """Lives of new seeds until the time is up. Raises Failure at the first thing that does not hold."""
    start = time.monotonic()
    end = start + seconds
    seeds = random.SystemRandom() if first is None else None
    totals: dict[str, Any] = {
        "lives": 0,
        "steps": 0,
        "refused": 0,
        "seeds": [],
        "faults": Counter(),
        "checks": Counter(),
    }
    while time.monotonic() < end:
        seed = seeds.randrange(10**9) if seeds else (first or 0) + totals["lives"]
        print(f"seed {seed} …", flush=True)
        life = one_life(seed, steps, until=end, shop=bool(totals["lives"] % 2))
        totals["lives"] += 1
        totals["steps"] += life.steps
        totals["refused"] += life.refused
        totals["seeds"].append(seed)
        totals["faults"].update(life.faults)
        totals["checks"].update(life.checks)
        print(
            f"  {life.steps} steps to {life.until}, {sum(life.faults.values())} faults, {life.seconds:.0f} s",
            flush=True,
        )
    totals["seconds"] = round(time.monotonic() - start)
    totals["kills"] = sum(n for what, n in totals["faults"].items() if what.startswith("kill"))
    return totals
