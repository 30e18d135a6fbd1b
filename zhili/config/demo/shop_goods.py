"""What lies on the demo shop's shelf: everyday things, invented but plausible; a drawn picture says what each is."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw

VALUE_FEN: Final = 400
"""What the village decided one point is worth: 4 yuan."""
SUPPLIER: Final = "石河镇供销社（演示）"


@dataclass(frozen=True, slots=True)
class Thing:
    """points: hundredths for one. fen: what one costs. count: pieces of a first delivery. limit: per household and month."""

    code: str
    title: str
    category: str
    unit: str
    points: int
    fen: int
    count: int
    limit: int = 0
    colour: tuple[int, int, int] = (180, 180, 180)


THINGS: Final = [
    Thing("A01", "香皂三块装", "日用", "份", 250, 960, 60, colour=(232, 200, 210)),
    Thing("A02", "洗衣粉1.5公斤", "日用", "袋", 300, 1180, 50, colour=(120, 160, 220)),
    Thing("A03", "洗洁精1公斤", "日用", "瓶", 200, 780, 60, colour=(150, 210, 120)),
    Thing("A04", "牙膏", "日用", "支", 200, 790, 50, colour=(210, 235, 240)),
    Thing("A05", "牙刷四支装", "日用", "份", 150, 600, 40, colour=(240, 190, 120)),
    Thing("A06", "毛巾", "日用", "条", 150, 580, 70, colour=(240, 160, 160)),
    Thing("A07", "卫生纸一提", "日用", "提", 400, 1580, 40, colour=(245, 245, 235)),
    Thing("A08", "洗发水", "日用", "瓶", 500, 1980, 20, colour=(140, 120, 190)),
    Thing("A09", "肥皂", "日用", "块", 100, 390, 80, colour=(225, 205, 130)),
    Thing("A10", "塑料盆", "日用", "个", 250, 980, 30, colour=(210, 70, 70)),
    Thing("B01", "食盐两袋", "粮油", "份", 100, 400, 80, colour=(230, 230, 230)),
    Thing("B02", "酱油", "粮油", "瓶", 200, 790, 40, colour=(90, 50, 30)),
    Thing("B03", "菜籽油2.5升", "粮油", "桶", 1050, 4150, 12, 1, colour=(235, 190, 50)),
    Thing("B04", "大米10斤", "粮油", "袋", 800, 3150, 20, 2, colour=(235, 225, 200)),
    Thing("B05", "面条三把", "粮油", "份", 250, 980, 40, colour=(240, 220, 170)),
    Thing("B06", "白糖", "粮油", "袋", 150, 600, 40, colour=(250, 250, 250)),
    Thing("C01", "扫帚", "农用", "把", 300, 1180, 25, colour=(190, 160, 90)),
    Thing("C02", "劳保手套五双", "农用", "份", 150, 590, 40, colour=(200, 200, 190)),
    Thing("C03", "充电手电筒", "农用", "把", 500, 1990, 12, 1, colour=(60, 60, 70)),
    Thing("D01", "作业本十本", "文具", "份", 250, 990, 30, colour=(130, 190, 230)),
]
DEAR_FROM_JULY: Final = {"B04": 850}
"""Prices of the second half of the year that differ: rice became dearer."""


def picture_of(thing: Thing) -> bytes:
    """A plain drawn box in the thing's colour: no photo, no brand."""
    image = Image.new("RGB", (320, 320), (246, 244, 238))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((70, 60, 250, 270), radius=18, fill=thing.colour, outline=(70, 70, 70), width=4)
    draw.rectangle((70, 120, 250, 190), fill=(255, 255, 255), outline=(70, 70, 70), width=3)
    draw.text((140, 148), thing.code, fill=(40, 40, 40))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
