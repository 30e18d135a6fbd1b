"""Public paper and files leave through here: the finished bytes are looked over first (M-08).

A poster is asked for again and again and is the same bytes each time, so what was found clean is remembered by its
digest together with what it was held against.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from django.http import HttpResponse

from zhili.common.publication import check_publication
from zhili.people.queries import minor_names
from zhili.places.queries import village_settings


def public_file(place: str, data: bytes, name: str, kind: str = "application/pdf") -> HttpResponse:
    """A file anybody may have, saved under a plain name; never indexed. Raises PublicationError naming the line."""
    settings = village_settings(place)
    phones = tuple(phone for phone in (settings.office_phone, settings.supervisor_phone) if phone)
    _checked(hashlib.sha256(data).digest(), _Bytes(data), name, phones, tuple(minor_names(place)))
    return HttpResponse(
        data, content_type=kind,
        headers={
            "Content-Disposition": f'inline; filename="{name}"', "X-Content-Type-Options": "nosniff",
            "X-Robots-Tag": "noindex, nofollow",
        },
    )  # fmt: skip


class _Bytes:
    """The bytes on their way through the cache: equal to any other, so that only the digest is the key."""

    def __init__(self, data: bytes) -> None:
        self.data: bytes | None = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bytes)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=256)
def _checked(
    digest: bytes, held: _Bytes, name: str, phones: tuple[str, ...], minors: tuple[str, ...]
) -> None:
    data, held.data = held.data, None  # the cache keeps the key, not the file
    check_publication(data or b"", name=name, allowed=phones, minors=minors)
