"""Gates: a room below asks "may this go on?" without knowing who answers.

Publication is refused until the county has assessed its impact (个人信息保护法 55); the assessment lives in a room
above. The room above sets its check at start-up (AppConfig.ready), the deed below passes the gate by name. A gate
nobody guards is open; a check raises a ZhiliError that says what is missing and where to get it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_checks: dict[str, list[Callable[..., None]]] = {}


def guard(name: str, check: Callable[..., None]) -> None:
    """From now on `check(**facts)` is asked whenever somebody passes `name`. Setting the same check twice is once."""
    checks = _checks.setdefault(name, [])
    if check not in checks:
        checks.append(check)


def pass_gate(name: str, **facts: Any) -> None:
    """Go on, unless a check raises."""
    for check in _checks.get(name, ()):
        check(**facts)
