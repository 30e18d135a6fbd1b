from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "zhili.ledger"
    label = "ledger"
    verbose_name = "台账"
