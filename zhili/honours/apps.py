from django.apps import AppConfig


class HonoursConfig(AppConfig):
    name = "zhili.honours"
    label = "honours"
    verbose_name = "荣誉"
