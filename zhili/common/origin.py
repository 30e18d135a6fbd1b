"""Where a deed comes from: the request that is being answered, or a job. Set by the web's outermost middleware.

An audit row and a log line must say from where something was done and carry the same receipt number, but an
action ten calls further down knows nothing of a request. So it stands here, one value per thread of work.
Addresses are shortened before they are kept anywhere: the network (IPv4 /24, IPv6 /48) is enough to tell the
village office from a stranger, and is not the address of one household's line (P-11, W-09).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from zhili.common.ids import short_code, uuid7


@dataclass(frozen=True, slots=True)
class Origin:
    """source: the shortened address, "job" or "" (at the machine itself). receipt: what a refusal page prints."""

    source: str = ""
    receipt: str = ""


_NOWHERE = Origin()
_origin: ContextVar[Origin] = ContextVar("origin", default=_NOWHERE)


def origin() -> Origin:
    """Where the work that is being done now comes from."""
    return _origin.get()


def receipt() -> str:
    """The receipt number of this request; a new one where there is no request."""
    return _origin.get().receipt or short_code(uuid7())


@contextmanager
def coming_from(source: str, receipt: str = "") -> Iterator[Origin]:
    """Until the end of the block, deeds come from there."""
    here = Origin(source[:45], receipt[:20])
    token = _origin.set(here)
    try:
        yield here
    finally:
        _origin.reset(token)


def shorten(address: str) -> str:
    """10.1.2.3 → 10.1.2.0/24; 2001:db8:1:2::3 → 2001:db8:1::/48; what is no address → ""."""
    try:
        found = ipaddress.ip_address(address.strip())
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))
