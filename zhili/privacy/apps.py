from django.apps import AppConfig


class PrivacyConfig(AppConfig):
    name = "zhili.privacy"
    label = "privacy"
    verbose_name = "个人信息"

    def ready(self) -> None:
        """Rooms below ask at their gates; what stands behind them is told here."""
        from zhili.privacy import golive

        golive.install()
