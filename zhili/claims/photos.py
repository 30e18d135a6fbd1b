"""Photos of evidence on disk: cleaned before they are stored, unguessable names, fetched only with permission.

A file is written whole under its final name before the row that names it is committed; a row that is rolled
back leaves a file nobody refers to, which `sweep` removes. The row keeps the hash of the stored bytes (T-09).
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import connection

from zhili.claims.access import access_evidence
from zhili.claims.errors import ClaimError
from zhili.claims.models import Evidence, SheetPhoto
from zhili.common.errors import NotFound, ZhiliError
from zhili.common.ids import new_token
from zhili.common.photos import SIMILAR_DISTANCE, clean_photo, similar_hash
from zhili.people.models import User

log = logging.getLogger(__name__)

PHOTOS_MAX: Final = 6
"""Photos of one claim."""
PHOTOS_A_DAY: Final = 60
"""Photos one villager may add in a day; staff who key in paper may add ten times that (F-10)."""
PHOTOS_A_DAY_VILLAGE: Final = 3_000
THUMB: Final = ".thumb"
_ORPHAN_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class Stored:
    """A photo on disk. name: file name inside the village's folder; sha256: hex of the stored bytes."""

    name: str
    sha256: str
    similar: int


def folder(place: str) -> Path:
    """The village's folder; made where missing, readable by the service alone."""
    path = Path(settings.PHOTO_ROOT) / place
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def store_photo(place: str, data: bytes) -> Stored:
    """Clean an uploaded photo and write it and its small copy. Raises PhotoError in plain words."""
    photo = clean_photo(data)
    stored = Stored(f"{new_token()}.jpg", photo.sha256, similar_hash(photo))
    try:
        home = folder(place)
        _write(home / stored.name, photo.bytes)
        _write(home / (stored.name + THUMB), photo.thumb)
    except OSError as error:
        log.error("photo not stored: %s", error.strerror)
        discard(place, [stored])
        raise no_room() from error
    return stored


def store_photos(place: str, photos: Iterable[bytes]) -> list[Stored]:
    """All photos of a claim or none: where one cannot be stored, those before it are removed again."""
    stored: list[Stored] = []
    try:
        for data in photos:
            stored.append(store_photo(place, data))
    except ZhiliError:
        discard(place, stored)
        raise
    return stored


def no_room() -> ClaimError:
    """The disk is full, or refuses to be written: what a villager reads."""
    return ClaimError(
        "照片没有存下，服务器的存储空间不够了，这条申报没有提交",
        field="photos",
        hint="请告诉村文书或系统管理员；急的话可以先不带照片，或到村里登记。",
    )


def discard(place: str, stored: Iterable[Stored]) -> None:
    """Remove photos that no row will name: the claim was already there."""
    home = Path(settings.PHOTO_ROOT) / place
    for photo in stored:
        for name in (photo.name, photo.name + THUMB):
            (home / name).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Opened:
    """A photo to show. intact: False where the bytes on disk are not the ones the claim named (T-09)."""

    data: bytes
    intact: bool


def open_photo(by: User, evidence: Evidence | UUID | str, *, thumb: bool = False) -> Opened:
    """The bytes of a photo, for a person who may see its claim today (F-03). Raises NotFound."""
    found = access_evidence(by, evidence.pk if isinstance(evidence, Evidence) else evidence)
    if not found.file_name:
        raise NotFound("没有这份材料。")
    path = Path(settings.PHOTO_ROOT) / found.place / found.file_name
    try:
        whole = path.read_bytes()
        data = path.with_name(found.file_name + THUMB).read_bytes() if thumb else whole
    except FileNotFoundError:
        raise NotFound("照片文件不在了，请告诉系统管理员。") from None
    return Opened(data, hashlib.sha256(whole).hexdigest() == found.sha256)


def open_sheet_photo(row: SheetPhoto) -> bytes:
    """A photo of a sheet of paper; whoever calls has found the sheet through its access. Raises NotFound."""
    path = Path(settings.PHOTO_ROOT) / row.place / row.file_name
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFound("照片文件不在了，请告诉系统管理员。") from None
    if hashlib.sha256(data).hexdigest() != row.sha256:
        raise NotFound("照片文件被换过，不能当凭据，请告诉系统管理员。")
    return data


def is_swapped(evidence: Evidence) -> bool:
    """Whether the file on disk is not the one the claim named any more: changed, or gone (T-09)."""
    if not evidence.file_name:
        return False
    try:
        data = (Path(settings.PHOTO_ROOT) / evidence.place / evidence.file_name).read_bytes()
    except FileNotFoundError:
        return True
    return hashlib.sha256(data).hexdigest() != evidence.sha256


@dataclass(frozen=True, slots=True)
class SimilarPhoto:
    """A photo of another claim that looks the same. distance: bits of 64 that differ, 0 = the same."""

    evidence_id: UUID
    claim_id: UUID
    number: int
    distance: int


def similar_photos(claim_id: UUID) -> dict[UUID, list[SimilarPhoto]]:
    """Photo of this claim → near-same photos of other claims of the village (F-11), at most 20. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT mine.id, other.id, other.claim_id, claim.number,
                   CASE WHEN mine.sha256 = other.sha256 THEN 0
                        ELSE bit_count((mine.similar # other.similar)::bit(64)) END AS distance
            FROM claims_evidence mine
            JOIN claims_evidence other
              ON other.place = mine.place AND other.claim_id <> mine.claim_id AND other.file_name <> ''
             AND bit_count((mine.similar # other.similar)::bit(64)) <= %s
            JOIN claims_claim claim ON claim.id = other.claim_id
            WHERE mine.claim_id = %s AND mine.file_name <> ''
            ORDER BY distance, claim.number DESC LIMIT 20
            """,
            [SIMILAR_DISTANCE, claim_id],
        )
        found: dict[UUID, list[SimilarPhoto]] = {}
        for mine, other, claim, number, distance in cursor.fetchall():
            found.setdefault(mine, []).append(SimilarPhoto(other, claim, number, distance))
    return found


def refuse_over_quota(by: User, place: str, count: int, day_start: object, *, staff: bool) -> None:
    """F-10: so many photos a person and a village may add in a day. Raises ClaimError."""
    most = PHOTOS_A_DAY * (10 if staff else 1)
    mine = Evidence.objects.filter(place=place, added_by=by, added_at__gte=day_start).exclude(file_name="")
    if mine.count() + count > most:
        raise ClaimError(f"您今天已上传 {most} 张照片，到了上限", field="photos", hint="请明天再传。")
    village = Evidence.objects.filter(place=place, added_at__gte=day_start).exclude(file_name="")
    if village.count() + count > PHOTOS_A_DAY_VILLAGE:
        raise ClaimError("全村今天上传的照片到了上限", field="photos", hint="请明天再传，或告诉系统管理员。")


def sweep(place: str, *, kept: Collection[str] = ()) -> int:
    """Remove files older than a day that no evidence and no sheet names. Returns how many.

    kept: what rows of rooms above name in the same folder (signed slips of the shop); without them they would go.
    """
    named = {
        *Evidence.objects.filter(place=place).exclude(file_name="").values_list("file_name", flat=True),
        *SheetPhoto.objects.filter(place=place).exclude(file_name="").values_list("file_name", flat=True),
        *kept,
    }
    old = time.time() - _ORPHAN_SECONDS
    removed = 0
    for path in folder(place).iterdir():
        name = path.name.removesuffix(THUMB)
        if name not in named and path.stat().st_mtime < old:
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _write(path: Path, data: bytes) -> None:
    """All of it or nothing: a reader never meets half a photo."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
