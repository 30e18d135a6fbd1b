"""Everything a worker can do: perform.py and every perform_*.py beside it, found by name."""

from __future__ import annotations

import importlib
import os
import pkgutil
from pathlib import Path

from tests.simulator.perform import DEEDS

for _module in sorted(pkgutil.iter_modules([str(Path(__file__).parent)]), key=lambda one: one.name):
    if _module.name.startswith("perform_"):
        importlib.import_module(f"tests.simulator.{_module.name}")

__all__ = ["DEEDS"]

if os.environ.get("ZHILI_SIM_PLANT"):
    from tests.simulator.planted import plant

    plant(os.environ["ZHILI_SIM_PLANT"])
