from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "zhili.common"
    label = "common"
    verbose_name = "地基"
