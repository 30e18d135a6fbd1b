"""An impact assessment as two people would have filled it in."""

from __future__ import annotations

from typing import Any

from zhili.privacy.golive import template
from zhili.privacy.register import SUBJECTS

SENTENCE = "只收办积分必须的，能不收的都不收，每年复查一次。"


def filled_in(**changes: Any) -> dict[str, Any]:
    """Complete and signed, changed as asked."""
    made = template()
    for part in made["subjects"].values():
        part |= {"needed": SENTENCE, "risk": SENTENCE, "level": "中"}
    return made | {"conclusion": SENTENCE, "signed": "演示甲、演示乙 2026-10-01"} | changes


def answers() -> dict[str, Any]:
    """What the action takes."""
    made = filled_in()
    return {"subjects": made["subjects"], "conclusion": made["conclusion"]}


COVERS = list(SUBJECTS)
