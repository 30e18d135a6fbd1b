"""python -m bench [name …]: run every benchmark, or the named ones. Exit 1 if a mark is missed."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import bench
from bench import support


def main(names: list[str]) -> int:
    """Run each module's main() in turn; each prints its own lines."""
    found = sorted(module.name for module in pkgutil.iter_modules(bench.__path__))
    chosen = [name for name in found if name not in ("__main__", "support") and (not names or name in names)]
    missed = 0
    for name in chosen:
        module = importlib.import_module(f"bench.{name}")
        if hasattr(module, "main"):
            print(f"\n== {name} ==", flush=True)
            module.main()
    missed = sum(1 for mark in support.MARKS if not mark.met)
    print(f"\n{len(support.MARKS)} marks, {missed} missed")
    for mark in support.MARKS:
        print(f"  {'met   ' if mark.met else 'MISSED'} {mark.text}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
