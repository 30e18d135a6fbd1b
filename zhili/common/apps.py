from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

from zhili.common.cipher import self_test


class CommonConfig(AppConfig):
    name = "zhili.common"
    label = "common"
    verbose_name = "地基"

    def ready(self) -> None:
        """The ciphers are tried on published vectors before anything else runs; nothing starts where one fails (K-03).

        Every room's access.py says who may; it is read once, here, for all of them.
        """
        self_test()
        autodiscover_modules("access")
