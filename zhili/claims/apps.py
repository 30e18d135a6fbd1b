from __future__ import annotations

from django.apps import AppConfig


class ClaimsConfig(AppConfig):
    name = "zhili.claims"
    label = "claims"
    verbose_name = "申报评议"

    def ready(self) -> None:
        from zhili.claims import access  # noqa: F401 - registers who may do what
