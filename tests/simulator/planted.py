"""Faults put into the product on purpose, in the workers only: the simulator must find every one of them."""

from __future__ import annotations

from typing import Any


def plant(name: str) -> None:
    """Break the product in this process. Names: see test_simulator.PLANTS."""
    PLANTS[name]()


def kin() -> None:
    from zhili.claims import reviewing

    reviewing.kept_out = lambda *_: {}  # type: ignore[assignment]


def trace() -> None:
    """A refusal that forgets to undo what it had begun."""
    from tests.simulator import perform
    from zhili.people.models import Household

    real = perform.DEEDS["claim"]

    def broken(**args: Any) -> Any:
        try:
            return real(**args)
        except Exception:
            with perform.nobody(args["place"]):
                Household.objects.filter(place=args["place"]).update(address="x")
            raise

    perform.DEEDS["claim"] = broken


def foreign() -> None:
    from tests.simulator import perform
    from zhili.common.scope import scoped
    from zhili.people.models import Household

    real = perform.DEEDS["review"]

    def broken(**args: Any) -> Any:
        with scoped("511702"):
            Household.objects.filter(code="3040").update(address=args["claim"][:50])
        return real(**args)

    perform.DEEDS["review"] = broken


def double() -> None:
    """Everything posts for the half."""
    from zhili.claims import awarding

    real = awarding.entries.award

    def broken(**args: Any) -> Any:
        return real(**{**args, "points": args["points"] // 2})

    awarding.entries.award = broken  # type: ignore[assignment]


def caps() -> None:
    """Every cap is taken for one point, one time."""
    from dataclasses import replace

    from zhili.rulebook import calculator

    real = calculator._limits

    def broken(caps: Any, *rest: Any) -> Any:
        least = [replace(cap, points=cap.points and 100, times=cap.times and 1) for cap in caps]
        return real(least, *rest)

    calculator._limits = broken


def early() -> None:
    """The last day of a notice is taken for its first."""
    from zhili.notices import closing

    real = closing.close_notice

    def broken(**args: Any) -> Any:
        first = args["notice"].opens_on
        args["notice"].closes_on = first
        type(args["notice"]).objects.filter(pk=args["notice"].pk).update(closes_on=first)
        return real(**args)

    from zhili.notices import actions

    actions.close_notice = broken  # type: ignore[assignment]


def held() -> None:
    """A closing that does not ask who objected."""
    from zhili.claims.models import Claim
    from zhili.notices import actions, closing

    real = closing.close_notice

    def broken(**args: Any) -> Any:
        lines = args["notice"].lines.filter(status="held")
        Claim.objects.filter(pk__in=list(lines.values_list("claim_id", flat=True))).update(status="on_notice")
        lines.update(status="shown")
        return real(**args)

    actions.close_notice = broken  # type: ignore[assignment]


def shown() -> None:
    """A page that lets a word of another village slip in."""
    from tests.simulator import perform

    real = perform.DEEDS["look"]

    def broken(**args: Any) -> Any:
        return [(path, status, text + "鑫淼焱") for path, status, text in real(**args)]

    perform.DEEDS["look"] = broken


def digits() -> None:
    from tests.simulator import perform

    real = perform.DEEDS["look_open"]

    def broken(**args: Any) -> Any:
        return [(path, status, text + " 电话 13800000101 ") for path, status, text in real(**args)]

    perform.DEEDS["look_open"] = broken


def half() -> None:
    """Goods go over the table for half the points."""
    from zhili.shop import ordering

    real = ordering.ledger.NewTransfer

    def cheap(id: Any, debit: Any, credit: Any, amount: int, *rest: Any, **more: Any) -> Any:
        return real(id, debit, credit, max(1, amount // 2), *rest, **more)

    class Ledger:
        NewTransfer = staticmethod(cheap)

        def __getattr__(self, name: str) -> Any:
            from zhili.ledger import actions

            return getattr(actions, name)

    ordering.ledger = Ledger()  # type: ignore[assignment]


def shelf() -> None:
    """What goes over the table stays on the shelf in the books."""
    from zhili.shop import ordering

    ordering._moves_of = lambda *_: []  # type: ignore[assignment]


def forgot() -> None:
    """The expiry job gives the points back and forgets the goods."""
    from zhili.shop import ordering

    ordering._release = lambda *_: None  # type: ignore[assignment]


PLANTS = {
    "kin": kin, "trace": trace, "foreign": foreign, "double": double, "caps": caps, "early": early, "held": held,
    "shown": shown, "digits": digits, "half": half, "shelf": shelf, "forgot": forgot,
}  # fmt: skip
