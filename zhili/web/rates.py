"""Every limit of the product in one place (W-07, N-03); docs/login.md says them in a table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from django.conf import settings

from zhili.common import limits
from zhili.common.limits import Pause, Rate

# ------------------------------------------------------------------------------------------------ coming in

SOURCE: Final = Rate("login-source", 30, 20)
"""Passwords from one address; one that was right is given back."""
LANE: Final = Pause("login-lane", 4, 5, 900)
"""Wrong passwords for one account from one known device, or from one address where the device is not known."""
STRANGERS: Final = Rate("login-strangers", 30, 120)
"""Wrong passwords for one account from all addresses that have been wrong before. Known devices do not wait for it."""
STRANGER_AFTER: Final = 3
FACTOR: Final = Pause("login-factor", 4, 10, 900)
"""Wrong second factors of somebody whose password was right, by account and device or address."""
AGAIN: Final = Pause("login-again", 4, 5, 900)
"""Wrong answers when asked once more, by session."""

# ---------------------------------------------------------------------------------------------------- pages

VILLAGER: Final = Rate("pages-villager", 120, 1)
STAFF: Final = Rate("pages-staff", 300, 0.25)
OPEN: Final = Rate("pages-open", 600, 0.2)
"""By address: a whole village may stand behind one."""
PERSONS: Final = Rate("pages-persons", 120, 10)
"""Pages that show one household or find one: 360 an hour after the first 120."""
EXPORTS: Final = Rate("pages-exports", 20, 180)
RECEIPTS: Final = Rate("open-receipts", 30, 20)
"""Receipt and certificate codes tried from one address."""

# ------------------------------------------------------------------------------------------------- machines

API: Final = {
    "villager": Rate("api-villager", 60, 1),
    "staff": Rate("api-staff", 600, 0.1),
    "open": Rate("api-open", 120, 0.5),
}

PERSON_PAGES: Final = frozenset(
    {
        "desk_household", "desk_household_edit", "desk_resident", "desk_resident_numbers", "desk_consents_of",
        "m_field", "m_field_household", "m_household",
    }
)  # fmt: skip
RECEIPT_PAGES: Final = frozenset({"open_receipt", "open_receipt_find", "open_claim_receipt"})


def take(rate: Rate, *key: object) -> float:
    """Seconds to wait, or 0.0; scaled by settings.RATE_SCALE."""
    scale = settings.RATE_SCALE
    return limits.take(
        replace(rate, burst=max(1, round(rate.burst * scale)), seconds=rate.seconds / scale), *key
    )


def of_page(request: Any, address: str) -> float:
    """Take what this page costs; the longest wait of its buckets."""
    user, match = request.user, request.resolver_match
    name = match.url_name if match else ""
    if request.path.startswith("/open/"):
        wait = take(OPEN, address)
        return (
            max(wait, take(RECEIPTS, address))
            if name in RECEIPT_PAGES and (request.GET or match.kwargs)
            else wait
        )
    if not user.is_authenticated:
        return take(OPEN, address)
    wait = take(STAFF if user.memberships_today else VILLAGER, user.pk)
    if name in PERSON_PAGES or request.GET.get("q"):
        wait = max(wait, take(PERSONS, user.pk))
    if "export" in request.GET:
        wait = max(wait, take(EXPORTS, user.pk))
    return wait
