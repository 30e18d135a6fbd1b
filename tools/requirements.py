"""Print each P0/P1 requirement number with the tests whose docstring or name cites it, and what has none.

Titles come from docs/requirements.csv (number, priority, title), which the project carries; why a number has no test
yet, from docs/requirements-left.csv (number, why).
"""

from __future__ import annotations

import ast
import csv
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NUMBER = re.compile(r"\b(?:[LCTVANFWPMKOXUG]|RL|AD)-\d{2}\b")


def cited() -> dict[str, list[str]]:
    """Requirement number → tests that name it in their docstring or in their module's docstring."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted([*ROOT.glob("zhili/**/tests/test_*.py"), *ROOT.glob("tests/**/test_*.py")]):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name.lower().startswith("test"):
                for number in set(NUMBER.findall(ast.get_docstring(node) or "")):
                    found[number].append(f"{path.relative_to(ROOT)}::{node.name}")
    return found


def read(name: str) -> list[dict[str, str]]:
    """The rows of a table in docs/."""
    with (ROOT / "docs" / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def main() -> None:
    found = cited()
    rows = [row for row in read("requirements.csv") if row["priority"] in ("P0", "P1")]
    why = {row["number"]: row["why"] for row in read("requirements-left.csv")}
    missing = []
    for row in rows:
        tests = found.get(row["number"], [])
        print(f"{row['number']} {row['priority']} {len(tests):>3} tests  {row['title']}")
        for test in tests:
            print(f"      {test}")
        if not tests:
            missing.append(row)
    for priority in ("P0", "P1"):
        left = [row["number"] for row in missing if row["priority"] == priority]
        total = sum(row["priority"] == priority for row in rows)
        print(
            f"\n{priority}: {total - len(left)} of {total} are named by a test. None names: {', '.join(left)}"
        )
        for number in left:
            if number in why:
                print(f"  {number}: {why[number]}")


if __name__ == "__main__":
    main()
