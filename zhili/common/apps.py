from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class CommonConfig(AppConfig):
    name = "zhili.common"
    label = "common"
    verbose_name = "地基"

    def ready(self) -> None:
        """Every room's access.py says who may; it is read once, here, for all of them."""
        autodiscover_modules("access")
