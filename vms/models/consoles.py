"""Passes: what lets one browser into one console, once."""

import hashlib

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class ConsoleKind(models.TextChoices):
    """What a pass opens; the graphical ones are named after their protocols."""

    VNC = "vnc", "VNC"
    SPICE = "spice", "SPICE"
    SERIAL = "serial", _("Serial")


class ConsolePass(models.Model):
    """The right to open one console of one machine, for one person in one session, once and soon.

    What is shown is a secret that is not kept here, only its digest; `session` is a mark of the session that it was
    given to, empty for a program's.
    """

    digest = models.CharField(max_length=64, primary_key=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    vm = models.ForeignKey("VM", models.CASCADE, related_name="passes")
    kind = models.CharField(max_length=8, choices=ConsoleKind)
    session = models.CharField(max_length=64, blank=True, editable=False)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.kind} of {self.vm} for {self.user}"

    @staticmethod
    def digest_of(text: str) -> str:
        """A plain hash is enough: the secret is random and long."""
        return hashlib.sha256(text.encode(errors="replace")).hexdigest()
