"""A photo store without room: a real ENOSPC on a small tmpfs where the machine lets us mount one, else a real EFBIG."""

from __future__ import annotations

import errno
import io
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from tests.books import PLAIN_BOOK, make_book
from tests.month import claim_for
from tests.simulator.perform import photo
from zhili.audit.models import Entry
from zhili.claims.errors import ClaimError
from zhili.claims.models import Claim, Evidence
from zhili.claims.stash import keep


def mounted(path: Path) -> bool:
    """A tmpfs of 128 kB at `path`; False where this user may not mount."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(path)], capture_output=True, check=False
    )
    return done.returncode == 0


def flat() -> bytes:
    """A photo of one colour: two kilobytes when stored."""
    out = io.BytesIO()
    Image.new("RGB", (320, 240), "green").save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def full(tmp_path: Path, settings) -> Iterator[SimpleNamespace]:
    """A photo store that takes one small photo and no second one. .errno: what the kernel says; .files()."""
    home = tmp_path / "photos"
    home.mkdir()
    settings.PHOTO_ROOT = home
    on_tmpfs = mounted(home)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if not on_tmpfs:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield SimpleNamespace(
            files=lambda: sorted(path.name for path in home.rglob("*") if path.is_file()),
            errno=errno.ENOSPC if on_tmpfs else errno.EFBIG, root=home,
        )  # fmt: skip
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        if on_tmpfs:
            subprocess.run(["umount", str(home)], check=True)


@pytest.fixture
def village(cast: SimpleNamespace) -> SimpleNamespace:
    cast.book = make_book(cast, PLAIN_BOOK)
    return cast


def fill(full: SimpleNamespace) -> None:
    """The kernel itself refuses: no double stands in for it."""
    with pytest.raises(OSError) as refused, (full.root / "filler").open("wb") as file:
        for _ in range(400):
            file.write(os.urandom(1024))
            file.flush()
    assert refused.value.errno == full.errno
    if full.errno == errno.EFBIG:
        (full.root / "filler").unlink()


def test_no_room_for_a_photo(village: SimpleNamespace, full: SimpleNamespace) -> None:
    """C-05, W-08: words for the user, no claim, no row, no half file; after room is made the same key goes through."""
    fill(full)
    before = full.files()
    claim = claim_for(village, witness="演示戊")
    rows = Entry.objects.count()
    with pytest.raises(ClaimError) as refused:
        claim_for(village, photos=[photo(1), photo(2)], text="带照片")
    assert (
        "存储空间不够" in str(refused.value)
        and "没有提交" in str(refused.value)
        and refused.value.field == "photos"
    )
    assert full.files() == before
    assert list(Claim.objects.all()) == [claim] and not Evidence.objects.exclude(file_name="").exists()
    assert Entry.objects.count() == rows


def test_room_for_the_first_only(village: SimpleNamespace, full: SimpleNamespace) -> None:
    """C-05: the second photo finds no room: the first is taken back with it."""
    photos = [flat(), *[photo(n) for n in range(2, 7)]]
    with pytest.raises(ClaimError, match="存储空间不够"):
        claim_for(village, photos=photos)
    assert full.files() == [] and not Claim.objects.exists()


def test_no_room_while_the_form_is_filled_in(village: SimpleNamespace, full: SimpleNamespace) -> None:
    """C-05: also the photo put aside between two pages is refused in words and leaves nothing."""
    from django.core.files.uploadedfile import SimpleUploadedFile

    fill(full)
    before = full.files()
    with pytest.raises(ClaimError, match="存储空间不够"):
        keep(village.villager, SimpleUploadedFile("a.jpg", photo(3), "image/jpeg"))
    assert full.files() == before


def test_room_again(village: SimpleNamespace, full: SimpleNamespace) -> None:
    """C-03, C-05: the retry with the same key after room was made files the claim once."""
    from zhili.common.ids import uuid7

    fill(full)
    key = uuid7()
    with pytest.raises(ClaimError, match="存储空间不够"):
        claim_for(village, id=key, photos=[photo(4)])
    (full.root / "filler").unlink(missing_ok=True)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    )
    found = claim_for(village, id=key, photos=[photo(4)])
    assert found.evidence.filter(kind="photo").count() == 1
    assert len(full.files()) == 2
