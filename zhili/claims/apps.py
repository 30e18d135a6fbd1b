from django.apps import AppConfig


class ClaimsConfig(AppConfig):
    name = "zhili.claims"
    label = "claims"
    verbose_name = "申报评议"
