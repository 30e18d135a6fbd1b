from django.apps import AppConfig


class RulebookConfig(AppConfig):
    name = "zhili.rulebook"
    label = "rulebook"
    verbose_name = "积分细则"
