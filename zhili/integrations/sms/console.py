"""For the demo and the village office without a contract: the code stands on the operator's terminal, the number half."""

from __future__ import annotations

import sys


def send(number: str, code: str) -> None:
    """One line: the last two digits say which phone, and nobody can read the number from it."""
    print(f"短信验证码 {code} → 尾号 {number[-2:]}", file=sys.stderr, flush=True)
