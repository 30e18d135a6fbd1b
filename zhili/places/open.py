"""/open/511702/: the tree of places to walk down without log-in; at a village the village's own page takes over."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import re_path

from zhili.common.policy import open_to_all
from zhili.places.queries import breadcrumbs, changes_of, children, get_place, search_places, village_counts


@open_to_all
def tree(request: HttpRequest, place: str) -> HttpResponse:
    """A province, city, county or township: what lies below, and a search by name."""
    found = get_place(place)
    text = request.GET.get("q", "")[:40]
    below = children(place)
    counts = village_counts([one.code for one in below]) if below and len(below[0].code) < 12 else {}
    context = {
        "place": found,
        "way": breadcrumbs(place)[:-1],
        "rows": [(one, counts.get(one.code)) for one in below],
        "text": text,
        "hits": search_places(text, under=place) if text.strip() else [],
        "changes": changes_of(place),
    }
    return render(request, "places/open_tree.html", context)


urlpatterns = [re_path(r"^(?P<place>[0-9]{2}|[0-9]{4}|[0-9]{6}|[0-9]{9})/$", tree, name="open_tree")]
