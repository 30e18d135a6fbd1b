"""The four faces: /m/ phone, /desk/ office, /open/ public, /api/v1/ machines."""

from __future__ import annotations

from django.urls import include, path

import zhili.places.open

open_pages = [*zhili.places.open.urlpatterns]

urlpatterns = [
    path("open/", include(open_pages)),
]
