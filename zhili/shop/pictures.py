"""Pictures of goods: cleaned before they are stored (common/photos.py), in a folder of their own, so that what a price
list may show to everybody can never be a photo of somebody's evidence.

A picture that is replaced is removed once the change is committed; one whose change is undone is removed at once.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import transaction

from zhili.audit.actions import record
from zhili.common.errors import NotAllowed, NotFound
from zhili.common.ids import new_token
from zhili.common.photos import clean_photo
from zhili.common.policy import may
from zhili.people.models import User
from zhili.shop.errors import ShopError
from zhili.shop.models import Good

FOLDER: Final = "goods"
SMALL: Final = ".small.jpg"
_NAME: Final = re.compile(r"[0-9A-Za-z_-]{14,60}\.jpg")


def set_picture(*, by: User, good: Good, data: bytes) -> Good:
    """Put a picture on a good, in place of the one before. Raises NotAllowed, PhotoError in plain words, ShopError."""
    if not may(by, "shop.stock", good.place):
        raise NotAllowed("您的身份不能换物品图片", hint="请找村文书或店员。")
    photo = clean_photo(data)
    name, home, before = f"{new_token()}.jpg", _folder(good.place), good.picture
    try:
        _write(home / name, photo.bytes)
        _write(home / (name + SMALL), photo.thumb)
    except OSError as error:
        _remove(good.place, name)
        raise ShopError(
            "图片没有存下，服务器的存储空间不够了", field="picture", hint="请告诉系统管理员；可以先不放图片。"
        ) from error
    try:
        with transaction.atomic():
            good.picture = name
            good.save(update_fields=["picture"])
            record("shop.edit_good", by=by, place=good.place, target=good, changed=["picture"])
    except Exception:
        _remove(good.place, name)
        raise
    if before:
        transaction.on_commit(lambda: _remove(good.place, before))
    return good


def drop_picture(*, by: User, good: Good) -> Good:
    """Take the picture away."""
    if not may(by, "shop.stock", good.place):
        raise NotAllowed("您的身份不能换物品图片", hint="请找村文书或店员。")
    if not good.picture:
        return good
    with transaction.atomic():
        before, good.picture = good.picture, ""
        good.save(update_fields=["picture"])
        record("shop.edit_good", by=by, place=good.place, target=good, changed=["picture"])
        transaction.on_commit(lambda: _remove(good.place, before))
    return good


def picture_of(good: Good, *, small: bool = False) -> bytes:
    """The stored bytes. Raises NotFound where there is no picture; who may see it is the page's question."""
    if not _NAME.fullmatch(good.picture):
        raise NotFound("这种物品没有图片。")
    try:
        return (_folder(good.place) / (good.picture + (SMALL if small else ""))).read_bytes()
    except FileNotFoundError:
        raise NotFound("图片文件不在了，请重新上传。") from None


def _folder(place: str) -> Path:
    path = Path(settings.PHOTO_ROOT) / FOLDER / place
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def _remove(place: str, name: str) -> None:
    if _NAME.fullmatch(name):
        for one in (name, name + SMALL, f".{name}.part", f".{name}{SMALL}.part"):
            (_folder(place) / one).unlink(missing_ok=True)
