"""An uploaded table between its dry run and its application: sealed in the village's own rows, for a day at most."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.core.exceptions import ValidationError

from zhili.common.clock import now
from zhili.common.errors import NotFound
from zhili.people.models import ImportFile, User
from zhili.people.secrets import open_file, seal_file

KEPT: Final = timedelta(days=1)


def keep_upload(*, by: User, place: str, kind: str, data: bytes, filename: str) -> ImportFile:
    """Put a file aside; what this person had put aside here before, and everything stale, goes."""
    ImportFile.objects.filter(place=place, at__lt=now() - KEPT).delete()
    ImportFile.objects.filter(place=place, by=by, kind=kind).delete()
    return ImportFile.objects.create(
        place=place, kind=kind, by=by, filename=filename[:120], sealed=seal_file(data)
    )


def open_upload(*, by: User, place: str, kind: str, upload_id: UUID | str) -> tuple[bytes, str]:
    """(bytes, file name) of this person's own upload. NotFound for absent, stale and others' alike."""
    try:
        found = ImportFile.objects.filter(
            pk=upload_id, place=place, kind=kind, by=by, at__gte=now() - KEPT
        ).first()
    except (ValueError, ValidationError):
        found = None
    if found is None:
        raise NotFound("没有这份文件，请重新上传。")
    return open_file(found.sealed), found.filename


def drop_upload(*, by: User, upload_id: UUID | str) -> None:
    """It has been applied."""
    ImportFile.objects.filter(pk=upload_id, by=by).delete()
