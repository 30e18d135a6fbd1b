"""Photos of a claim that is still being written: cleaned at once, kept a day, so nobody takes one twice.

A villager looks at what a claim would bring before handing it in, or corrects one line of the form; a browser
forgets chosen files between the two. The name is an unguessable token in the folder of the person who sent it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from zhili.claims.photos import no_room
from zhili.common.errors import NotFound
from zhili.common.ids import new_token
from zhili.common.photos import MAX_BYTES, clean_photo
from zhili.people.models import User

KEPT_MAX: Final = 30
"""Photos one person may have lying about; the oldest goes first."""
KEPT_SECONDS: Final = 86_400
TOKEN: Final = re.compile(r"[A-Za-z0-9_\-]{22}")


def _folder(user: User) -> Path:
    path = Path(settings.PHOTO_ROOT) / "drafts" / str(user.pk)
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def keep(user: User, upload: UploadedFile) -> str:
    """Clean one uploaded photo and put it aside; the token to get it back. Raises PhotoError."""
    photo = clean_photo(upload.read(MAX_BYTES + 1))
    folder = _folder(user)
    old = sorted(folder.glob("*.jpg"), key=lambda path: path.stat().st_mtime)
    stale = time.time() - KEPT_SECONDS
    for n, path in enumerate(old):
        if n < len(old) - KEPT_MAX + 1 or path.stat().st_mtime < stale:
            path.unlink(missing_ok=True)
    token = new_token()
    path = folder / f"{token}.jpg"
    try:
        path.write_bytes(photo.bytes)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise no_room() from error
    return token


def fetch(user: User, token: str) -> bytes:
    """The photo behind a token of this person. Raises NotFound."""
    path = Path(settings.PHOTO_ROOT) / "drafts" / str(user.pk) / f"{token}.jpg"
    if TOKEN.fullmatch(token) is None or not path.is_file():
        raise NotFound("没有这张照片。")
    return path.read_bytes()


def present(user: User, tokens: Iterable[str]) -> list[str]:
    """Those tokens that still stand for a photo of this person, each once."""
    folder = Path(settings.PHOTO_ROOT) / "drafts" / str(user.pk)
    return [
        token
        for token in dict.fromkeys(tokens)
        if TOKEN.fullmatch(token) and (folder / f"{token}.jpg").is_file()
    ]
