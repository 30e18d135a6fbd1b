"""A sheet of 2,000 claims whose import is killed three times: python -m tests.simulator.big_import prints JSON."""

from __future__ import annotations

import json
import os
from typing import Any


def main() -> dict[str, Any]:
    import conftest

    os.environ["ZHILI_DATABASE"] = f"zhili_sim_none_{os.getpid()}"
    conftest.pytest_configure(None)  # type: ignore[arg-type]
    from tests.simulator.deeds import Step
    from tests.simulator.power import Died
    from tests.simulator.run import Run, template
    from zhili.claims.models import Claim
    from zhili.common.scope import scoped

    run = Run(1, template(), faults=False, checks=False)
    run.world.sleep(40)
    village = run.world.villages[0]
    rows = [
        [f"1{1 + n % 40:03d}", "HJ01", f"2026-01-{1 + n % 28:02d}", f"鑫第{n}行", "赵鑫证"]
        for n in range(2000)
    ]

    def step(rows: list[list[str]]) -> Step:
        return Step(
            "import_sheet", {"by": village.clerk, "place": village.place, "rows": rows}, [village.place]
        )

    def count() -> int:
        with scoped("511702"):
            return Claim.objects.count()

    def shortly(answer: dict[str, Any]) -> dict[str, Any]:
        return {**answer["ok"], "ids": len(answer["ok"]["ids"])}

    found: dict[str, Any] = {"killed": [], "rows_after_kills": []}
    try:
        for point in ("claims.submit.inserted", "import.claims.written", "import.claims.run"):
            try:
                run.house.do(run.deed(step(rows), ["kill", point, 1]))
            except Died:
                found["killed"].append(point)
            found["rows_after_kills"].append(count())
        found["first"] = shortly(run.house.do(run.deed(step(rows))))
        run.life.steps += 1
        found["again"] = shortly(run.house.do(run.deed(step(rows))))
        found["other_file_same_rows"] = shortly(run.house.do(run.deed(step(rows[::-1]))))
        found["rows"] = count()
    finally:
        run.close()
    return found


if __name__ == "__main__":
    print(json.dumps(main(), ensure_ascii=False))
