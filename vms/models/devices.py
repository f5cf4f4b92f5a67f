"""The devices of a machine as rows: a read model that can be made anew from the machine at any time."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from vms.domain.devices import DeviceKind

OWNERS = ("vm", "template", "pool", "instance_type")


class Scope(models.TextChoices):
    """Whether a device is what the machine is configured with, or what its present run has."""

    CONFIGURED = "configured", _("Configured")
    RUNNING = "running", _("Running")


class Device(models.Model):
    """One device that a machine is configured with, or runs with; written by `vms.actions._devices` alone."""

    key = models.BigAutoField(primary_key=True)
    device_id = models.UUIDField(db_index=True, editable=False)
    scope = models.CharField(max_length=12, choices=Scope, default=Scope.CONFIGURED)
    kind = models.CharField(
        _("type"), max_length=16, choices=[(kind.value, kind.value.capitalize()) for kind in DeviceKind]
    )
    model = models.CharField(_("model"), max_length=32)
    params = models.JSONField(_("parameters"), default=dict, blank=True)
    address = models.JSONField(_("address"), default=dict, blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    vm = models.ForeignKey("VM", models.CASCADE, null=True, blank=True, related_name="devices")
    template = models.ForeignKey("Template", models.CASCADE, null=True, blank=True, related_name="devices")
    pool = models.ForeignKey("Pool", models.CASCADE, null=True, blank=True, related_name="devices")
    instance_type = models.ForeignKey("InstanceType", models.CASCADE, null=True, blank=True, related_name="devices")

    class Meta:
        ordering = ("scope", "position")
        constraints = (
            models.CheckConstraint(
                name="device_has_one_owner",
                condition=Q(
                    *[Q(**{f"{name}__isnull": name != owner for name in OWNERS}) for owner in OWNERS],
                    _connector=Q.OR,
                ),
            ),
            models.UniqueConstraint(fields=("device_id", "scope"), name="device_once_per_scope"),
        )

    def __str__(self) -> str:
        return f"{self.kind} · {self.model}"
