"""What every page's frame needs: who is here, as what, where, and whether large type is on."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

ELDER_COOKIE = "elder"


def elder_mode(request: HttpRequest) -> bool:
    """长辈版: the person's own setting, else this device's cookie."""
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated and user.elder_mode:
        return True
    return request.COOKIES.get(ELDER_COOKIE) == "1"


def context(request: HttpRequest) -> dict[str, object]:
    """Template context of the frame."""
    return {"elder": elder_mode(request), "demo": settings.MODE == "demo", "public_url": settings.PUBLIC_URL}
