from __future__ import annotations

from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "zhili.notices"
    label = "notices"
    verbose_name = "公示"

    def ready(self) -> None:
        from zhili.notices import access  # noqa: F401 - registers who may do what
