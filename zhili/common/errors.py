"""Messages a person meets.

A village clerk reads an error as an instruction: what happened, where, and what to do next. Each room
makes one subclass (`ClaimError`, `LedgerError`, …); the pages show `message`, put it beside `field` if there
is one, and print `hint` underneath. Anything that is not a `ZhiliError` is our own mistake and never
reaches the page as text.
"""

from __future__ import annotations


class ZhiliError(Exception):
    """Something a person can act on.

    message: one plain Chinese sentence without a full stop. field: the form field or column it belongs to,
    if any. hint: what to do, a sentence that also stands alone. `str()` joins both.
    """

    def __init__(self, message: str, *, field: str | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.hint = hint

    def __str__(self) -> str:
        joint = "" if self.message.endswith(("。", "！", "？")) else "，"
        return f"{self.message}{joint}{self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # The default pickling loses keyword-only arguments, and workers send errors about.
        return (_rebuild, (type(self), self.__dict__.copy()))


def _rebuild(kind: type[ZhiliError], state: dict[str, object]) -> ZhiliError:
    error = kind.__new__(kind)
    error.__dict__.update(state)
    error.args = (state.get("message", ""),)
    return error


class NotAllowed(ZhiliError):
    """The person is known, but may not do this here and now (403)."""


class NotFound(ZhiliError):
    """There is no such thing, or it belongs to another village: the two must look the same (404)."""
