from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "zhili.web"
    label = "web"
    verbose_name = "界面"

    def ready(self) -> None:
        """Log-ins are written into the trail whichever way they come."""
        from zhili.web import doorkeeper, trail

        trail.connect()
        doorkeeper.connect()
