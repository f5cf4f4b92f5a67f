"""Machines that are prepared for headless: how far each is, and what is known so that it can be undone."""

from typing import Any
from uuid import uuid4

import msgspec
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from vms.domain.console import Console
from vms.domain.preparation import Goal, Outcome, Stage, Way

OUTCOMES = (
    (Outcome.ACTIVE.value, _("Under way")),
    (Outcome.DONE.value, _("Prepared")),
    (Outcome.UNDONE.value, _("Undone")),
    (Outcome.FAILED.value, _("Failed")),
    (Outcome.CANCELLED.value, _("Cancelled")),
)


class Preparation(models.Model):
    """One run of the wizard over one machine, of which at most one is active; the engine goes on with it.

    `job` is what the present stage waits for, `until` how long. `before` is the console that was configured and
    `was_up` whether the machine ran when it was asked for. `kept`: the guest has a copy of what was changed in it.
    `way`: by the guest's agent or on its disks.
    `alone`: nobody is asked before the guest is changed. `may_power_off`: a guest that does not answer may be.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    vm = models.ForeignKey("VM", models.CASCADE, related_name="preparations")
    goal = models.CharField(max_length=8, default=Goal.PREPARE.value)
    way = models.CharField(max_length=8, default=Way.AGENT.value)
    stage = models.CharField(max_length=12, default=Stage.START.value)
    outcome = models.CharField(_("outcome"), max_length=10, choices=OUTCOMES, default=Outcome.ACTIVE.value)
    alone = models.BooleanField(default=False)
    may_power_off = models.BooleanField(default=False)
    was_up = models.BooleanField(default=False)
    before_document = models.JSONField(default=dict)
    job = models.ForeignKey("Job", models.SET_NULL, null=True, blank=True, related_name="+")
    error = models.JSONField(null=True, blank=True)
    loader = models.CharField(max_length=8, blank=True)
    changes = models.TextField(blank=True)
    changed = models.BooleanField(default=False)
    encrypted = models.BooleanField(default=False)
    kept = models.BooleanField(default=False)
    configured = models.BooleanField(default=False)
    yours = models.JSONField(default=list, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    correlation_id = models.CharField(max_length=50, blank=True)

    class Meta:
        verbose_name = _("preparation")
        verbose_name_plural = _("preparations")
        ordering = ("-created_at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=("vm",), condition=Q(outcome=Outcome.ACTIVE.value), name="one_active_preparation_per_machine"
            ),
        )
        indexes = (models.Index(fields=("outcome", "stage"), name="preparation_by_outcome"),)

    def __str__(self) -> str:
        return f"{self.vm}, {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def active(self) -> bool:
        return self.outcome == Outcome.ACTIVE

    @property
    def undoable(self) -> bool:
        """Whether it has changed anything that can be put back."""
        return not self.active and (self.kept or self.configured)

    @property
    def before(self) -> Console:
        """The console that was configured before it."""
        return msgspec.convert(self.before_document, Console)

    @before.setter
    def before(self, console: Console) -> None:
        document: dict[str, Any] = msgspec.to_builtins(console, order="deterministic")
        self.before_document = document
