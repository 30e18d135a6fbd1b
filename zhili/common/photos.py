"""Photos as evidence (F-01, F-02, F-11): what is stored is a plain JPEG that we wrote ourselves, and
nothing else.

A photo from a villager's phone says where it was taken, with what phone, sometimes by whom. So caps are
checked on the header before a pixel is decoded, the picture is turned upright, shrunk to 1600 pixels and
encoded anew; then the bytes that will be stored are read again, and any segment of metadata in them is an
error of ours (never trusted to the library's options, which differ between versions)."""

from __future__ import annotations

import hashlib
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from typing import Final

from PIL import Image, ImageOps

from zhili.common.errors import ZhiliError

MAX_BYTES: Final = 10 * 1024 * 1024
MAX_PIXELS: Final = {"JPEG": 64_000_000, "PNG": 40_000_000, "WEBP": 40_000_000}
"""Pixels before decoding. A JPEG may have more because it is decoded at a reduced scale."""

MAX_SIDE: Final = 30_000
MIN_SIDE: Final = 16
LONG_SIDE: Final = 1_600
THUMB_SIDE: Final = 320
SIMILAR_DISTANCE: Final = 6
"""Two similar_hash values this close (bits of 64) are worth a reviewer's look; never a reason to reject."""

Bytes = bytes
_MAX_SCANS: Final = 64
_TAKEN: Final = 36867
_MARKS_OF_OTHERS: Final = (b"<script", b"<?php", b"<svg", b"<html", b"<!doctype", b"<iframe")
# What Pillow is known to raise on hostile bytes; all mean the same to a person. A mistake of ours is none of these.
_HOSTILE: Final = (
    OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, OverflowError, IndexError, KeyError,
    TypeError, NotImplementedError, MemoryError, Image.DecompressionBombError,
)  # fmt: skip
_AGAIN: Final = "请用手机相机重新拍一张，或保存为 JPG 后再上传。"


class PhotoError(ZhiliError):
    """A file that is not a photo we can take."""


@dataclass(frozen=True, slots=True)
class Photo:
    """What is stored. bytes, thumb: JPEG without metadata; width, height: pixels; sha256: hex of `bytes`.

    taken_on: the day the phone said, by its own clock, for the reviewer to compare with the claim; often
    None."""

    bytes: Bytes
    width: int
    height: int
    sha256: str
    thumb: Bytes
    taken_on: date | None = None


def clean_photo(data: Bytes) -> Photo:
    """An uploaded file's bytes → Photo. Raises PhotoError in plain words; reads the content, never the
    file's name.
    """
    kind = _kind(data)
    _refuse_polyglot(data)
    try:
        image = Image.open(BytesIO(data), formats=[kind])
    except Image.DecompressionBombError as error:
        raise _too_large() from error
    except _HOSTILE as error:
        raise _broken() from error
    with image:
        _check_header(image, kind)
        try:
            taken_on = _taken_on(image)
            if kind == "JPEG":
                image.draft("RGB", (LONG_SIDE, LONG_SIDE))
            upright = _upright(image)
            upright.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
            plain = _on_white(upright)
        except _HOSTILE as error:
            raise _broken() from error
    stored = _encode(plain, quality=82)
    plain.thumbnail((THUMB_SIDE, THUMB_SIDE), Image.Resampling.LANCZOS)
    thumb = _encode(plain, quality=72)
    width, height = Image.open(BytesIO(stored)).size
    return Photo(stored, width, height, hashlib.sha256(stored).hexdigest(), thumb, taken_on)


def similar_hash(photo: Photo) -> int:
    """dHash: 64 bits that stay nearly the same when a picture is shrunk, re-encoded or a little brighter.

    As a signed 64-bit number, so that it fits a bigint column.
    """
    grey = Image.open(BytesIO(photo.thumb)).convert("L").resize((9, 8), Image.Resampling.LANCZOS)
    pixels = grey.tobytes()
    bits = 0
    for row in range(8):
        for column in range(8):
            place = row * 9 + column
            bits = bits << 1 | (pixels[place] > pixels[place + 1])
    return bits - (1 << 64) if bits >> 63 else bits


def hash_distance(one: int, other: int) -> int:
    """How many of 64 bits differ: 0 the same picture, up to SIMILAR_DISTANCE near the same, about 32
    unrelated.
    """
    return ((one ^ other) & ((1 << 64) - 1)).bit_count()


def metadata_segments(jpeg: Bytes) -> list[str]:
    """Names of the segments of a JPEG that could say anything but pixels: APP1…APP15, COM, a trailer. Empty
    is clean.
    """
    found = []
    place = 2
    while place + 4 <= len(jpeg) and jpeg[place] == 0xFF:
        marker = jpeg[place + 1]
        length = int.from_bytes(jpeg[place + 2 : place + 4], "big")
        if 0xE1 <= marker <= 0xEF:
            found.append(f"APP{marker - 0xE0}")
        elif marker == 0xE0 and jpeg[place + 4 : place + 9] != b"JFIF\0":
            found.append("APP0")
        elif marker == 0xFE:
            found.append("COM")
        elif marker == 0xDA:
            break
        place += 2 + length
    if not jpeg.endswith(b"\xff\xd9") or jpeg.count(b"\xff\xd9") != 1:
        found.append("trailer")
    return found


def _kind(data: Bytes) -> str:
    """JPEG, PNG or WEBP by the real content."""
    if not data:
        raise PhotoError("照片是空的", hint=_AGAIN)
    if len(data) > MAX_BYTES:
        megabytes = f"{len(data) / 1048576:.0f}"
        raise PhotoError(
            f"照片有 {megabytes} MB，最大 {MAX_BYTES // 1048576} MB",
            hint="请用“标准”画质重拍，或压缩后再传。",
        )
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    raise PhotoError(f"{_what(data)}，不能作照片", hint=_AGAIN)


def _what(data: Bytes) -> str:
    head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if data[4:8] == b"ftyp":
        if data[8:12] in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"):
            return "这是苹果手机的 HEIC 格式"
        return "这是 AVIF 图片" if data[8:12] in (b"avif", b"avis") else "这是视频"
    if head.startswith(b"gif8"):
        return "这是 GIF 动图"
    if head.startswith(b"%pdf"):
        return "这是 PDF 文件"
    if head.startswith(b"bm"):
        return "这是 BMP 图片"
    if b"<svg" in head:
        return "这是 SVG 矢量图"
    return "这个文件不是照片"


def _refuse_polyglot(data: Bytes) -> None:
    """A file that is a photo and a page, a program or an archive at once."""
    small = data.lower()
    other = b"%pdf-" in small[:1024] or any(mark in small for mark in _MARKS_OF_OTHERS)
    if other or zipfile.is_zipfile(BytesIO(data)):
        raise PhotoError("照片文件里夹带了别的内容，不能上传", hint=_AGAIN)
    if data.startswith(b"\xff\xd8") and data.count(b"\xff\xda") > _MAX_SCANS:
        raise PhotoError("照片的编码不正常，不能上传", hint=_AGAIN)


def _check_header(image: Image.Image, kind: str) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS[kind] or max(width, height) > MAX_SIDE:
        raise _too_large(width, height)
    if min(width, height) < MIN_SIDE:
        raise PhotoError(f"照片只有 {width}×{height} 像素，看不清", hint=_AGAIN)
    # A phone's JPEG may carry a second picture (MPO); only the first is read. A moving PNG or WebP is no
    # photo.
    if kind != "JPEG" and getattr(image, "is_animated", False):
        raise PhotoError("这是动图，不能作照片", hint=_AGAIN)


def _taken_on(image: Image.Image) -> date | None:
    try:
        text = str(image.getexif().get_ifd(0x8769).get(_TAKEN, ""))
        found = re.match(r"([0-9]{4}):([0-9]{2}):([0-9]{2})", text)
        return date(*map(int, found.groups())) if found else None
    except _HOSTILE:  # a damaged EXIF block is not the villager's fault
        return None


def _upright(image: Image.Image) -> Image.Image:
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except _HOSTILE:
        return image.copy()


def _on_white(image: Image.Image) -> Image.Image:
    """RGB pixels in a fresh picture that remembers nothing of the file."""
    if image.mode.startswith("I"):
        # 16-bit grey, as scanners make it: keep the upper eight bits.
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    plain = Image.new("RGB", image.size, "white")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        plain.paste(layer, mask=layer.getchannel("A"))
    else:
        plain.paste(image.convert("RGB"))
    return plain


def _encode(image: Image.Image, quality: int) -> Bytes:
    out = BytesIO()
    image.save(out, "JPEG", quality=quality, optimize=True)
    stored = out.getvalue()
    if extra := metadata_segments(stored):
        raise PhotoError(
            "照片里的位置等信息没有清除干净，已停止保存", hint=f"请把这句话告诉系统管理员：{extra[0]}。"
        )
    return stored


def _too_large(width: int = 0, height: int = 0) -> PhotoError:
    size = f"{width}×{height} 像素" if width else "尺寸"
    return PhotoError(f"照片{size}太大", hint="请用“标准”画质重拍，或压缩后再传。")


def _broken() -> PhotoError:
    return PhotoError("照片文件不完整或已损坏，打不开", hint=_AGAIN)
