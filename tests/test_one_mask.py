"""M-02: one masking module. Nobody else writes stars over a name, and public faces have no other door to a number."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MASKS = ("zhili/common/masking.py", "zhili/common/leaks.py")
OPENERS = {"open_phone", "open_id_number", "open_bank", "decrypt", "unmask"}
# What is masked or shown on record inside the system; a public face is never among them.
MAY_OPEN = (
    "zhili/people/",
    "zhili/privacy/",
    "zhili/integrations/",
    "zhili/web/",
    "zhili/claims/",
    "zhili/config/",
)


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the product, without tests and migrations."""
    for path in sorted(ROOT.glob("zhili/**/*.py")):
        name = path.relative_to(ROOT).as_posix()
        if "/tests/" not in name and "/migrations/" not in name:
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def stars(node: ast.AST) -> bool:
    """`"*" * n`, and `x[0] + "*…"`: masking by hand."""
    if not isinstance(node, ast.BinOp):
        return False
    sides = (node.left, node.right)
    texts = [side.value for side in sides if isinstance(side, ast.Constant) and isinstance(side.value, str)]
    if isinstance(node.op, ast.Mult):
        return any(text and not text.strip("*＊●×") for text in texts)
    cut = any(isinstance(side, ast.Subscript) for side in sides)
    return isinstance(node.op, ast.Add) and cut and any(text and not text.strip("*＊●×") for text in texts)


def imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(module, name) of every from-import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield node.module, alias.name


def test_nobody_else_masks_by_hand():
    """M-02."""
    found = [
        f"{name}:{node.lineno}"
        for name, tree in sources()
        if name not in MASKS
        for node in ast.walk(tree)
        if stars(node)
    ]
    assert found == []
    assert stars(ast.parse("name[0] + '**'").body[0].value) and stars(ast.parse("'*' * n").body[0].value)  # type: ignore[attr-defined]


def test_masks_are_made_in_one_place():
    """M-02: a function called mask_… is defined in masking.py alone, and the scanner once."""
    made: dict[str, set[str]] = {"mask_": set(), "scan_public": set()}
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                for start, places in made.items():
                    if node.name.startswith(start):
                        places.add(name)
    assert made == {"mask_": {"zhili/common/masking.py"}, "scan_public": {"zhili/common/leaks.py"}}


@pytest.mark.parametrize("face", ["open.py", "open", "notice_paper.py", "rulebook_paper.py"])
def test_no_public_face_can_open_a_number(face):
    """M-01, M-02: the modules of /open/ import nothing that turns a sealed value into a number."""
    wanted = [(name, tree) for name, tree in sources()
              if name.endswith(f"/{face}") or (face == "open" and "/open" in name)]  # fmt: skip
    assert wanted
    for name, tree in wanted:
        assert {what for _, what in imported(tree)} & OPENERS == set(), name


def test_sealed_numbers_are_opened_in_few_rooms():
    """M-02, K-07: ledger, notices, rulebook, shop and places never touch a number."""
    rooms = {
        name for name, tree in sources() if {what for _, what in imported(tree)} & (OPENERS - {"decrypt"})
    }
    assert rooms
    assert [name for name in rooms if not name.startswith(MAY_OPEN)] == []
