"""The application: registers the checks of the settings."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class VmsConfig(AppConfig):
    name = "vms"
    verbose_name = _("Virtual machines")

    def ready(self) -> None:
        from . import checks  # noqa: F401  (registering is its effect; it needs the settings)
