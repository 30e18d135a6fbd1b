"""Reading the tree of places."""

from __future__ import annotations

from zhili.common.errors import NotFound
from zhili.places.models import Place, VillageSettings


def get_place(code: str) -> Place:
    """One place; NotFound in the same words whatever was asked for."""
    place = Place.objects.select_related("parent").filter(code=code).first()
    if place is None:
        raise NotFound("没有这个地方。")
    return place


def subtree(code: str) -> list[Place]:
    """The place and everything below it, in code order: one prefix query."""
    return list(Place.objects.filter(code__startswith=code))


def village_settings(code: str) -> VillageSettings:
    """The village's own settings, or the defaults where it has set nothing."""
    return VillageSettings.objects.filter(place=code).first() or VillageSettings(place=code)
