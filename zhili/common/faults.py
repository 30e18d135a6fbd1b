"""Named places in the middle of a deed where a test may cut the power.

`fault("notice.close.posted")` does nothing: in production nobody can make it do anything, neither by a setting
nor by the environment. Only code in the same process can arm it, and only the tests do: a worker of the Village
Simulator arms a hook that kills the worker (SIGKILL), drops its database connection or refuses, and the deed is
then run again and compared to the byte with one that was left in peace (C-05). A name says room, deed, place.
"""

from __future__ import annotations

from collections.abc import Callable

Hook = Callable[[str], None]
_hook: Hook | None = None


def fault(name: str) -> None:
    """A point a deed passes. Nothing happens unless this process armed a hook."""
    if _hook is not None:
        _hook(name)


def arm(hook: Hook | None) -> None:
    """Call `hook` with the name of every point this process passes from now on; None: never again. For tests."""
    global _hook
    _hook = hook
