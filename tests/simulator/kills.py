"""One life in which a deed of every kind is killed at every statement and every named point, and then done: as JSON.

python -m tests.simulator.kills SEED STEPS [shop]. Before each repetition nothing of the killed one may be there; at the
end every row must be the same as in the life of the same seed without a kill.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

WANTED = {
    "review": 1, "review_batch": 1, "import_sheet": 1, "open_notice": 1, "close_notice": 1, "lapse": 1,
    "reverse_award": 1, "claim": 1, "answer": 1, "merge": 1, "split": 1,
}  # fmt: skip
IN_SHOP = {
    "stock_in": 1, "redeem": 1, "reserve": 1, "hand_over": 1, "cancel_order": 1, "expire_orders": 1, "ask_count": 1,
    "sign_count": 1,
}  # fmt: skip


def main(seed: int, steps: int, shop: bool = False) -> dict[str, Any]:
    wanted = IN_SHOP if shop else WANTED
    import conftest

    os.environ["ZHILI_DATABASE"] = f"zhili_sim_none_{os.getpid()}"
    conftest.pytest_configure(None)  # type: ignore[arg-type]
    from django.db import connection

    from tests.simulator.deeds import OK, Disagree, Step
    from tests.simulator.power import Died
    from tests.simulator.run import Run, one_life, template

    killed: dict[str, int] = {}
    refused: dict[str, str] = {}

    class Cruel(Run):
        """Runs a chosen deed into every kill there is before letting it be done."""

        def before(self, step: Step) -> None:
            left = wanted.get(step.do, 0) - (step.do in killed)
            if (
                left <= 0
                or step.expect != OK
                or step.say.endswith("again")
                or (step.do == "claim" and not step.args["photos"])
            ):
                return
            points = self.points_of(step)
            before = self.checker.prints()
            for name, nth in points:
                try:
                    answer = self.house.do(self.deed(step, ["kill", name, nth]))
                except Died:
                    pass
                else:
                    raise Disagree(f"{step.do} did not pass {name} {nth}: {answer}")
                if self.checker.prints() != before:
                    raise Disagree(f"{step.do} killed at {name} {nth} left something behind")
            killed[step.do] = len(points)
            refused[step.do] = self.without_audit(step, before)
            if (
                step.lost == "same"
            ):  # all is written, only nobody hears of it: the deed that follows is a retry
                try:
                    self.house.do(self.deed(step, ["kill", "before answer", 1]))
                except Died:
                    killed[step.do] += 1

        def points_of(self, step: Step) -> list[tuple[str, int]]:
            """What the deed passes, from a rehearsal that is rolled back by a kill at the very end."""
            import json as plain

            count: dict[str, int] = {}
            rehearsal = self.house.do({**self.deed(step), "trace": True, "rehearse": True})
            names = rehearsal["points"]
            assert "ok" in rehearsal, plain.dumps(rehearsal, default=str)
            found = []
            for name in names[:-1]:
                count[name] = count.get(name, 0) + 1
                found.append((name, count[name]))
            return found

        def without_audit(self, step: Step, before: Any) -> str:
            """C-13: the trail cannot be written, so the deed is not done."""
            from zhili.config import embedded

            with embedded.logins()["owner"].connect(self.database) as owner:
                owner.execute(
                    "CREATE FUNCTION no_ink() RETURNS trigger LANGUAGE plpgsql AS "
                    "$$ BEGIN RAISE EXCEPTION 'no ink' USING ERRCODE = '53100'; END $$"
                )
                owner.execute("CREATE TRIGGER no_ink BEFORE INSERT ON audit_entry EXECUTE FUNCTION no_ink()")
                answer = self.house.do(self.deed(step))
                owner.execute("DROP TRIGGER no_ink ON audit_entry")
                owner.execute("DROP FUNCTION no_ink()")
            if "ok" in answer:
                raise Disagree(f"{step.do} went through without its row in the audit")
            if self.checker.prints() != before:
                raise Disagree(f"{step.do} without its row in the audit left something behind")
            return "no ink" if "no ink" in str(answer) else str(answer)[-500:]

    run = Cruel(seed, template(), faults=False, checks=False, shop=shop)
    try:
        cruel = run.live(steps)
    finally:
        run.close()
    calm = one_life(seed, steps, faults=False, checks=False, shop=shop)
    connection.close()
    different = [name for name, value in calm.digests.items() if cruel.digests.get(name) != value]
    return {"killed": killed, "no_audit": refused, "different": different, "tables": len(calm.digests),
            "same_steps": cruel.log == calm.log, "digests": calm.digests}  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]), "shop" in sys.argv), ensure_ascii=False))
