"""Passes, which let one browser into one console, once; the consoles that people have open; and how they like them."""

import hashlib
from datetime import timedelta
from typing import ClassVar, Final
from uuid import uuid4

import msgspec
from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from vms.domain.viewing import DEFAULT, Options


class ConsoleKind(models.TextChoices):
    """What a pass opens; the graphical ones are named after their protocols."""

    VNC = "vnc", "VNC"
    SPICE = "spice", "SPICE"
    SERIAL = "serial", _("Serial")


# How long an open console may go unseen by the process that serves it before that counts as gone.
UNSEEN: Final = timedelta(seconds=30)


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


class ConsoleSessionQuerySet(models.QuerySet["ConsoleSession"]):
    """Words to speak about open consoles with."""

    def open(self) -> "ConsoleSessionQuerySet":
        """Those that whoever serves them has seen lately and nobody has ended."""
        return self.filter(seen_at__gt=timezone.now() - UNSEEN, ended="")

    def graphical(self) -> "ConsoleSessionQuerySet":
        return self.exclude(kind=ConsoleKind.SERIAL)


class ConsoleSession(models.Model):
    """A console that somebody has open; `ended` says why it is to be closed, which whoever serves it does.

    `fingerprint` is that of the key by which it was opened over SSH; empty for a browser's.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="consoles")
    vm = models.ForeignKey("VM", models.CASCADE, related_name="sessions")
    kind = models.CharField(max_length=8, choices=ConsoleKind)
    address = models.GenericIPAddressField(null=True, blank=True)
    fingerprint = models.CharField(max_length=64, blank=True, editable=False)
    opened_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(db_index=True)
    ended = models.CharField(max_length=24, blank=True)

    objects = ConsoleSessionQuerySet.as_manager()

    class Meta:
        ordering = ("opened_at",)

    def __str__(self) -> str:
        return f"{self.kind} of {self.vm}: {self.user}"


class ConsoleChoice(models.Model):
    """How somebody wants the graphical console of a machine to open, or (without one) those of all the others."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="console_choices")
    vm = models.ForeignKey("VM", models.CASCADE, null=True, blank=True, related_name="console_choices")
    document = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar = (
            models.UniqueConstraint(fields=("user", "vm"), name="console_choice_once_per_machine"),
            models.UniqueConstraint(fields=("user",), condition=models.Q(vm=None), name="console_choice_once_for_all"),
        )

    def __str__(self) -> str:
        return f"{self.user}: {self.vm or '*'}"

    @property
    def options(self) -> Options:
        """What was chosen; the defaults where another version wrote it."""
        try:
            return msgspec.convert(self.document, Options)
        except msgspec.ValidationError:
            return DEFAULT

    @options.setter
    def options(self, options: Options) -> None:
        self.document = msgspec.to_builtins(options)
