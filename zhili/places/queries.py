"""Reading the tree of places: a code is a path, so a subtree is a prefix and the way up is cut from the code."""

from __future__ import annotations

import unicodedata
from typing import Final

from django.db.models import QuerySet

from zhili.common.errors import NotFound
from zhili.places.models import Place, PlaceChange, VillageSettings

LENGTHS: Final = (2, 4, 6, 9, 12, 14)


def get_place(code: str) -> Place:
    """One place; NotFound in the same words whatever was asked for."""
    place = Place.objects.select_related("parent").filter(code=code).first()
    if place is None:
        raise NotFound("没有这个地方。")
    return place


def subtree(code: str) -> list[Place]:
    """The place and everything below it, in code order: one prefix query."""
    return list(Place.objects.filter(code__startswith=code))


def breadcrumbs(code: str) -> list[Place]:
    """The way down to a place, itself last: one query."""
    return list(Place.objects.filter(code__in=[code[:n] for n in LENGTHS if n <= len(code)]).order_by("code"))


def children(code: str) -> list[Place]:
    """The places directly below that are in use."""
    return list(Place.objects.filter(parent=code, valid_to=None).order_by("code"))


def villages_under(prefix: str) -> QuerySet[Place]:
    """Villages and communities in use whose code starts with `prefix`."""
    return Place.objects.filter(code__startswith=prefix, kind__in=["village", "community"], valid_to=None)


def village_counts(codes: list[str]) -> dict[str, int]:
    """Code of each place → how many villages and communities lie below it: one query."""
    if not codes:
        return {}
    length = len(codes[0])
    counts = dict.fromkeys(codes, 0)
    for code in villages_under(codes[0][: min(length, 2)]).values_list("code", flat=True).order_by():
        if code[:length] in counts:
            counts[code[:length]] += 1
    return counts


def search_places(text: str, *, under: str = "", limit: int = 20) -> list[Place]:
    """Places in use by a part of the name, or by the beginning of the code."""
    wanted = unicodedata.normalize("NFKC", text).replace("\x00", "").strip()[:40]
    if not wanted:
        return []
    rows = Place.objects.filter(code__startswith=under, valid_to=None).select_related("parent")
    rows = rows.filter(code__startswith=wanted) if wanted.isdigit() else rows.filter(name__contains=wanted)
    return list(rows.order_by("code")[: max(1, min(limit, 100))])


def now_known_as(code: str) -> Place:
    """Where an old code went: the place that goes on, after any number of merges and new codes."""
    place = get_place(code)
    for _ in range(10):  # a chain longer than that is a circle
        if place.valid_to is None:
            break
        change = (
            PlaceChange.objects.filter(old=place, kind__in=["merge", "recode"])
            .select_related("new")
            .order_by("-on")
            .first()
        )
        if change is None:
            break
        place = change.new
    return place


def changes_of(code: str) -> list[PlaceChange]:
    """What happened to a place, latest first (100 at most)."""
    rows = PlaceChange.objects.filter(old=code) | PlaceChange.objects.filter(new=code)
    return list(rows.select_related("old", "new").order_by("-on", "-pk")[:100])


def village_settings(code: str) -> VillageSettings:
    """The village's own settings, or the defaults where it has set nothing."""
    return VillageSettings.objects.filter(place=code).first() or VillageSettings(place=code)
