"""What can go wrong with a request about personal data, in words a clerk or a villager can act on."""

from __future__ import annotations

from zhili.common.errors import ZhiliError


class PrivacyError(ZhiliError):
    """A request, an erasure, a report cannot be handled as asked. `field` names the form field."""
