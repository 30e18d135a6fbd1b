from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "zhili.config"
    label = "config"
    verbose_name = "总装"
