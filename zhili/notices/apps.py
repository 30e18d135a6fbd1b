from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "zhili.notices"
    label = "notices"
    verbose_name = "公示"
