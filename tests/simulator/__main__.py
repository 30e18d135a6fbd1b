"""python -m tests.simulator --seed 7 --steps 300 | --seconds 3600: one life again, or lives until the time is up."""

from __future__ import annotations

import argparse
import json
import os
import sys


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.simulator")
    options.add_argument("--seed", type=int)
    options.add_argument("--steps", type=int, default=300)
    options.add_argument("--seconds", type=float)
    options.add_argument("--no-faults", action="store_true")
    options.add_argument("--no-checks", action="store_true", help="only live; for comparing the end")
    options.add_argument("--shop", action="store_true", help="villages with a shop; --seconds takes turns")
    options.add_argument("--log", action="store_true", help="print every step")
    options.add_argument("--json", action="store_true")
    asked = options.parse_args()
    import conftest

    os.environ["ZHILI_DATABASE"] = f"zhili_sim_none_{os.getpid()}"
    conftest.pytest_configure(None)  # type: ignore[arg-type]
    from tests.simulator.run import Failure, one_life, soak

    try:
        if asked.seconds:
            print(json.dumps(soak(asked.seconds, asked.seed), ensure_ascii=False, indent=1))
            return 0
        life = one_life(asked.seed or 1, asked.steps, faults=not asked.no_faults, checks=not asked.no_checks,
                        shop=asked.shop)  # fmt: skip
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    if asked.log:
        print("\n".join(life.log))
    if asked.json:
        print(json.dumps(vars(life), ensure_ascii=False))
    else:
        print(
            f"seed {life.seed}: {life.steps} steps to {life.until} in {life.seconds:.1f} s, {life.refused} refused"
        )
        print(dict(life.deeds), dict(life.faults), life.checks, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
