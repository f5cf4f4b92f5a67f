"""The application: registers the checks of the settings, and what migrations leave to be done."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class VmsConfig(AppConfig):
    name = "vms"
    verbose_name = _("Virtual machines")

    def ready(self) -> None:
        from . import checks  # noqa: F401  (registering is its effect; it needs the settings)
        from .models.texts import keep_full_text

        post_migrate.connect(keep_full_text, sender=self)
