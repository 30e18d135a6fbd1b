"""F-01, F-02, F-11: what is stored of a photo; assertions are on the stored bytes."""

import io
import struct
import zipfile
import zlib
from datetime import date

import pytest
from PIL import Image, ImageDraw, PngImagePlugin

from zhili.common.photos import (
    LONG_SIDE,
    MAX_BYTES,
    SIMILAR_DISTANCE,
    PhotoError,
    clean_photo,
    hash_distance,
    metadata_segments,
    similar_hash,
)

SECRET = b"SECRET-PLACE"
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf>' + SECRET + b"</rdf></x:xmpmeta>"


def picture(size=(400, 300), mode="RGB", shift=0):
    image = Image.new("RGB", size, (190, 220, 180))
    draw = ImageDraw.Draw(image)
    for n in range(8):
        box = (20 + 37 * n + shift, 30 + 23 * ((n * 5) % 7), 60 + 37 * n + shift, 150 + 11 * ((n * 3) % 7))
        draw.rectangle(box, fill=(30 * n, 255 - 25 * n, (n * 90) % 255))
    return image.convert(mode)


def exif(orientation=1, **more):
    made = Image.Exif()
    made[274] = orientation
    made[271] = "SECRET-PLACE phone"
    made[315] = "SECRET-PLACE owner"
    made.get_ifd(0x8769)[36867] = "2026:03:05 10:20:30"
    made.get_ifd(0x8825).update(
        {1: "N", 2: (31.0, 12.0, 30.0), 3: "E", 4: (107.0, 28.0, 5.0), 29: "SECRET-PLACE"}
    )
    return made


def saved(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def png_info():
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", SECRET.decode())
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    return info


def with_segment(jpeg, marker, body):
    return jpeg[:2] + bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


PLAIN = saved(picture(), "JPEG")
STYLES = {
    "jpeg with gps": saved(picture(), "JPEG", exif=exif()),
    "jpeg on its side": saved(picture(), "JPEG", exif=exif(6)),
    "jpeg upside down and mirrored": saved(picture(), "JPEG", exif=exif(4)),
    "jpeg with xmp": with_segment(PLAIN, 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP),
    "jpeg with comment": saved(picture(), "JPEG", comment=SECRET),
    "jpeg with colour profile": saved(picture(), "JPEG", icc_profile=b"\0" * 128 + SECRET),
    "jpeg with iptc": with_segment(PLAIN, 0xED, b"Photoshop 3.0\0" + SECRET),
    "jpeg of a maker with its own segment": with_segment(PLAIN, 0xEF, SECRET),
    "progressive jpeg": saved(picture(), "JPEG", exif=exif(), progressive=True),
    "grey jpeg": saved(picture(mode="L"), "JPEG", exif=exif()),
    "cmyk jpeg": saved(picture(mode="CMYK"), "JPEG", exif=exif()),
    "two pictures in one jpeg": saved(
        picture(), "MPO", save_all=True, append_images=[picture(shift=9)], exif=exif()
    ),
    "motion photo with a film behind": saved(picture(), "JPEG", exif=exif())
    + b"\0\0\0\x18ftypmp42"
    + SECRET * 50,
    "png with text and exif": saved(picture(), "PNG", pnginfo=png_info(), exif=exif(8)),
    "png with transparency": saved(picture(mode="RGBA"), "PNG", pnginfo=png_info()),
    "png with palette": saved(picture(mode="P"), "PNG", pnginfo=png_info()),
    "png of 16 bits": saved(picture(mode="I;16"), "PNG", pnginfo=png_info()),
    "webp with exif and xmp": saved(picture(), "WEBP", exif=exif(3), xmp=XMP),
    "webp with transparency": saved(picture(mode="RGBA"), "WEBP", exif=exif(), xmp=XMP),
    "damaged exif": with_segment(PLAIN, 0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xff" + SECRET),
}


@pytest.mark.parametrize("style", STYLES)
def test_nothing_but_pixels_is_stored(style):
    """F-01: the stored bytes, parsed anew, carry no EXIF, GPS, XMP, profile, comment or trailer."""
    photo = clean_photo(STYLES[style])
    for stored in (photo.bytes, photo.thumb):
        assert metadata_segments(stored) == []
        assert SECRET not in stored
        for mark in (b"Exif", b"http://ns.adobe", b"ICC_PROFILE", b"Photoshop", b"GPS", b"ftyp", b"xmpmeta"):
            assert mark not in stored
        again = Image.open(io.BytesIO(stored))
        assert again.format == "JPEG"
        assert again.mode == "RGB"
        assert dict(again.getexif()) == {}
        assert not {"comment", "icc_profile", "exif", "xmp"} & set(again.info)


def test_the_fixtures_do_carry_secrets():
    """Otherwise the test above would prove nothing."""
    assert len(STYLES) >= 10
    assert sum(SECRET in data for data in STYLES.values()) >= 15


@pytest.mark.parametrize(
    ("orientation", "size"), [(1, (400, 300)), (3, (400, 300)), (6, (300, 400)), (8, (300, 400))]
)
def test_the_picture_stands_upright(orientation, size):
    photo = clean_photo(saved(picture(), "JPEG", exif=exif(orientation)))
    assert (photo.width, photo.height) == size


def test_a_turned_picture_shows_the_right_corner():
    image = Image.new("RGB", (200, 100), "white")
    image.paste("red", (0, 0, 50, 50))
    turned = Image.open(io.BytesIO(clean_photo(saved(image, "JPEG", exif=exif(6), quality=95)).bytes))
    red, green, _ = turned.getpixel((90, 10))
    assert red > 200
    assert green < 60


def test_a_large_picture_is_shrunk():
    photo = clean_photo(saved(picture((4000, 2000)), "JPEG"))
    assert (photo.width, photo.height) == (LONG_SIDE, 800)
    assert max(Image.open(io.BytesIO(photo.thumb)).size) == 320


def test_transparent_parts_become_white():
    photo = clean_photo(saved(Image.new("RGBA", (64, 64), (255, 0, 0, 0)), "PNG"))
    assert Image.open(io.BytesIO(photo.bytes)).getpixel((30, 30)) == (255, 255, 255)


def test_the_same_upload_gives_the_same_digest():
    """F-11: an exact copy is known by its digest."""
    assert clean_photo(PLAIN).sha256 == clean_photo(PLAIN).sha256
    assert clean_photo(PLAIN).sha256 != clean_photo(saved(picture(shift=30), "JPEG")).sha256


def test_the_day_on_the_phone_is_told_apart_from_the_picture():
    """AD-07: the reviewer sees the day, the stored picture does not."""
    assert clean_photo(STYLES["jpeg with gps"]).taken_on == date(2026, 3, 5)
    assert clean_photo(PLAIN).taken_on is None


def test_near_copies_are_near():
    """F-11: shrunk, re-encoded and brightened copies stay within the distance; another scene does not."""
    first = similar_hash(clean_photo(PLAIN))
    for other in (
        saved(picture().resize((200, 150)), "JPEG", quality=40),
        saved(picture().point(lambda value: min(255, value + 12)), "PNG"),
        saved(picture(), "WEBP", quality=50),
    ):
        assert hash_distance(first, similar_hash(clean_photo(other))) <= SIMILAR_DISTANCE
    mirrored = saved(picture().transpose(Image.Transpose.ROTATE_90), "JPEG")
    assert hash_distance(first, similar_hash(clean_photo(mirrored))) > SIMILAR_DISTANCE
    assert -(1 << 63) <= first < 1 << 63


def png_claiming(width, height):
    body = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [b"IHDR" + body, b"IDAT" + zlib.compress(b"\0" * 64), b"IEND"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


def jpeg_claiming(width, height):
    place = PLAIN.index(b"\xff\xc0")
    return PLAIN[: place + 5] + struct.pack(">HH", height, width) + PLAIN[place + 9 :]


def archive(data):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("a.txt", "x")
    return data + out.getvalue()


REFUSED = {
    "nothing": (b"", "空"),
    "too many bytes": (PLAIN + b"\0" * MAX_BYTES, "MB"),
    "50,000 px png": (png_claiming(50_000, 50_000), "太大"),
    "50,000 px jpeg": (jpeg_claiming(50_000, 50_000), "太大"),
    "long thin png": (png_claiming(40_000, 20), "太大"),
    "41 megapixel png": (png_claiming(8_000, 5_200), "太大"),
    "tiny": (saved(Image.new("RGB", (4, 4)), "PNG"), "看不清"),
    "half a jpeg": (PLAIN[: len(PLAIN) // 2], "损坏"),
    "jpeg head only": (PLAIN[:20], "损坏"),
    "half a png": (saved(picture(), "PNG")[:600], "损坏"),
    "half a webp": (saved(picture(), "WEBP")[:300], "损坏"),
    "gif": (saved(picture(), "GIF"), "GIF"),
    "moving png": (saved(picture(), "PNG", save_all=True, append_images=[picture(shift=50)]), "动图"),
    "moving webp": (saved(picture(), "WEBP", save_all=True, append_images=[picture(shift=50)]), "动图"),
    "bmp": (saved(picture(), "BMP"), "BMP"),
    "tiff": (saved(picture(), "TIFF"), "不是照片"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 99, "HEIC"),
    "avif": (b"\0\0\0\x1cftypavif" + b"\0" * 99, "AVIF"),
    "film": (b"\0\0\0\x18ftypmp42" + b"\0" * 99, "视频"),
    "svg": (
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "SVG",
    ),
    "pdf": (b"%PDF-1.7\n" + b"x" * 99, "PDF"),
    "page": (b"<html><body>hello</body></html>", "不是照片"),
    "program": (b"MZ" + b"\0" * 99, "不是照片"),
    "jpeg and archive": (archive(PLAIN), "夹带"),
    "jpeg and page": (with_segment(PLAIN, 0xFE, b"<HTML><Script>alert(1)</script>"), "夹带"),
    "jpeg and php": (PLAIN + b"<?php system($_GET[0]); ?>", "夹带"),
    "jpeg and pdf": (with_segment(PLAIN, 0xFE, b"%PDF-1.4 obj"), "夹带"),
    "png and svg": (saved(picture(), "PNG") + b"<svg onload=alert(1)>", "夹带"),
    "jpeg of a thousand scans": (
        PLAIN[:-2] + b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" * 1_000 + PLAIN[-2:],
        "不正常",
    ),
    "noise behind a jpeg mark": (b"\xff\xd8\xff" + bytes(range(256)) * 4, "损坏"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_photo_is_refused_plainly(what):
    """F-02: a plain Chinese sentence, and no other exception."""
    data, said = REFUSED[what]
    with pytest.raises(PhotoError) as caught:
        clean_photo(data)
    assert said in caught.value.message
    assert caught.value.hint.endswith("。")


def test_the_checker_itself_sees_metadata():
    """F-01: the parser used above does find what must not be there."""
    assert "APP1" in metadata_segments(STYLES["jpeg with gps"])
    assert "COM" in metadata_segments(STYLES["jpeg with comment"])
    assert "APP2" in metadata_segments(STYLES["jpeg with colour profile"])
    assert "APP13" in metadata_segments(STYLES["jpeg with iptc"])
    assert "trailer" in metadata_segments(STYLES["motion photo with a film behind"])


@pytest.mark.parametrize("seed", range(12))
def test_torn_bytes_give_a_photo_or_a_plain_refusal(seed):
    """F-02: damaged copies of every kind; never another exception."""
    import random

    chance = random.Random(seed)
    for data in STYLES.values():
        torn = bytearray(data)
        for _ in range(chance.randint(1, 40)):
            torn[chance.randrange(len(torn))] = chance.randrange(256)
        try:
            photo = clean_photo(bytes(torn[: chance.randint(len(torn) // 2, len(torn))]))
        except PhotoError as refused:
            assert refused.hint
        else:
            assert metadata_segments(photo.bytes) == []
