from importlib import import_module

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "zhili.ledger"
    label = "ledger"
    verbose_name = "台账"

    def ready(self) -> None:
        import_module("zhili.ledger.access")
