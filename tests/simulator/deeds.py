"""What people do: each deed looks at the model, decides with the seed's chance, and says what must come of it.

To add deeds (a shop's: reserve, hand over, cancel, stock in) write tests/simulator/deeds_<room>.py with functions
under @deed(weight) and perform_<room>.py with functions under @performs: both are found by their names.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.simulator.model import Village, World

OK, REFUSED = "ok", "refused"
Then = Callable[[Any], None]


@dataclass
class Step:
    """do, args: for the worker. expect: OK, REFUSED, or None where chance between the two is right. then: writes
    what happened into the model and compares the answer with it. lost: what the same deed answers when it went
    through and only its answer was lost: "same" or "refused". twice: may be asked of two workers at once.
    places: the villages whose rows it may touch."""

    do: str
    args: dict[str, Any]
    places: list[str]
    expect: str | None = OK
    then: Then | None = None
    lost: str = "same"
    twice: bool = False
    say: str = ""
    data: dict[str, Any] = field(default_factory=dict)


Deed = Callable[[World, Village], Step | None]
ALL: list[tuple[int, Deed]] = []


def deed(weight: int) -> Callable[[Deed], Deed]:
    """Put a deed on the list; weight: how often it is tried beside the others."""

    def put(function: Deed) -> Deed:
        ALL.append((weight, function))
        return function

    return put


def load() -> list[tuple[int, Deed]]:
    """Every deeds_*.py beside this file, in the order of their names."""
    for module in sorted(pkgutil.iter_modules([str(Path(__file__).parent)]), key=lambda one: one.name):
        if module.name.startswith("deeds_"):
            importlib.import_module(f"tests.simulator.{module.name}")
    return ALL


def new_id(world: World) -> str:
    """A UUIDv7 as a phone makes it, from the seed's chance."""
    from zhili.common.ids import uuid7

    world.count += 1
    return str(uuid7(world.now, world.rng.randbytes))


def choose(world: World) -> Step:
    """The next deed: drawn by weight until one is possible."""
    deeds = [one for one in load() if world.shop or not getattr(one[1], "shop", False)]
    weights = [weight for weight, _ in deeds]
    while True:
        plan = world.rng.choices([one for _, one in deeds], weights)[0]
        step = plan(world, world.village())
        if step is not None:
            step.say = step.say or plan.__name__
            return step


def agree(said: Any, thought: Any, what: str) -> None:
    """The product's answer and the model's."""
    if said != thought:
        raise Disagree(f"{what}: the product says {said!r}, the model {thought!r}")


class Disagree(AssertionError):
    """Product and model differ."""


def uuid_of(text: str) -> UUID:
    return UUID(text)
