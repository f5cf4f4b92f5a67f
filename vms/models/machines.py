"""The four kinds of machine: VM, Template, Pool and InstanceType."""

from collections.abc import Mapping
from typing import ClassVar, Self, TypeVar
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

from vms.domain.console import Console, GraphicalAccess, graphical_access
from vms.domain.document import run_from_document, run_to_document
from vms.domain.lifecycle import REACHABLE, Status
from vms.domain.machine import Address, Nic, mac_of
from vms.domain.runonce import Run

from .hardware import IS_HEADLESS, Hardware
from .users import User, permitted

BLANK = UUID(int=0)

_Row = TypeVar("_Row", bound=Hardware)

STATUSES = (
    (Status.UNASSIGNED.value, _("Unassigned")),
    (Status.DOWN.value, _("Down")),
    (Status.UP.value, _("Up")),
    (Status.POWERING_UP.value, _("Powering Up")),
    (Status.PAUSED.value, _("Paused")),
    (Status.MIGRATING_FROM.value, _("Migrating")),
    (Status.MIGRATING_TO.value, _("Migrating")),
    (Status.UNKNOWN.value, _("Unknown")),
    (Status.NOT_RESPONDING.value, _("Not Responding")),
    (Status.WAIT_FOR_LAUNCH.value, _("Wait For Launch")),
    (Status.REBOOT_IN_PROGRESS.value, _("Rebooting")),
    (Status.SAVING_STATE.value, _("Saving State")),
    (Status.RESTORING_STATE.value, _("Restoring")),
    (Status.SUSPENDED.value, _("Suspended")),
    (Status.IMAGE_ILLEGAL.value, _("Illegal Image")),
    (Status.IMAGE_LOCKED.value, _("Image Locked")),
    (Status.POWERING_DOWN.value, _("Powering Down")),
)


class HardwareQuerySet(models.QuerySet[_Row]):
    """Words to speak about machines with."""

    def headless(self) -> Self:
        return self.filter(IS_HEADLESS)

    def graphical(self) -> Self:
        return self.exclude(IS_HEADLESS)

    def visible_to(self, user: User, action_group: str | None = None) -> Self:
        """The rows that the user holds a role on, or above, that grants the action group if one is named."""
        return permitted(self, user, action_group)  # type: ignore[return-value]


class VMQuerySet(HardwareQuerySet["VM"]):
    """Words to speak about virtual machines with; `up` is what the hypervisor says, whatever a job is about to do."""

    def up(self) -> Self:
        return self.filter(observed=Status.UP.value)

    def needing_restart(self) -> Self:
        return self.filter(pending=True)


class Template(Hardware):
    """A machine to make others from; versions of one template share its name. Blank has no cluster."""

    HELD_ON: ClassVar[dict[str, str]] = {
        "pk": "template",
        "cluster": "cluster",
        "cluster__data_center": "data_center",
    }

    cluster = models.ForeignKey("Cluster", models.PROTECT, null=True, blank=True, related_name="templates")
    base = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="versions")
    version_number = models.PositiveIntegerField(default=1)
    version_name = models.CharField(max_length=40, blank=True)

    objects = HardwareQuerySet["Template"].as_manager()

    class Meta(Hardware.Meta):
        ordering = ("name", "version_number", "id")
        constraints = (
            *Hardware.Meta.constraints,
            models.UniqueConstraint(fields=("name", "version_number"), name="template_name_used_once"),
        )

    @property
    def built_in(self) -> bool:
        return self.pk == BLANK

    def __str__(self) -> str:
        return f"{self.name} ({self.version_number})" if self.version_number > 1 else self.name


class InstanceType(Hardware):
    """A size with a console, without cluster: its memory, CPUs and console win over the template's."""

    HELD_ON: ClassVar[dict[str, str]] = {"pk": "instance_type"}

    objects = HardwareQuerySet["InstanceType"].as_manager()

    class Meta(Hardware.Meta):
        verbose_name = _("instance type")
        verbose_name_plural = _("instance types")
        constraints = (
            *Hardware.Meta.constraints,
            models.UniqueConstraint(fields=("name",), name="instancetype_name_used_once"),
        )


class Pool(Hardware):
    """Machines made alike, for people to take one of."""

    HELD_ON: ClassVar[dict[str, str]] = {
        "pk": "pool",
        "cluster": "cluster",
        "cluster__data_center": "data_center",
    }

    cluster = models.ForeignKey("Cluster", models.PROTECT, related_name="pools")
    template = models.ForeignKey(Template, models.PROTECT, related_name="pools", default=BLANK)
    instance_type = models.ForeignKey(
        InstanceType, models.SET_NULL, null=True, blank=True, related_name="pools", verbose_name=_("instance type")
    )

    objects = HardwareQuerySet["Pool"].as_manager()

    class Meta(Hardware.Meta):
        constraints = (
            *Hardware.Meta.constraints,
            models.UniqueConstraint(fields=("name",), name="pool_name_used_once"),
        )


class VM(Hardware):
    """A virtual machine: configured by the columns of `Hardware`, observed in those of this class.

    `observed` to `pinned` are written by the engine's reports alone, edits never touch them; `status`, `pending` and
    the `running_…` columns are projections for lists and search, written by `vms.actions._status`.
    """

    HELD_ON: ClassVar[dict[str, str]] = {
        "pk": "vm",
        "pool": "pool",
        "cluster": "cluster",
        "cluster__data_center": "data_center",
    }
    OBSERVED_FIELDS: ClassVar[tuple[str, ...]] = (
        *("observed", "ended", "running", "endpoints", "host", "pinned", "cold_reboot", "started_at"),
    )
    PROJECTED_FIELDS: ClassVar[tuple[str, ...]] = (
        *("status", "pending", "run_once", "running_graphics", "running_video"),
    )

    cluster = models.ForeignKey("Cluster", models.PROTECT, related_name="vms", verbose_name=_("cluster"))
    template = models.ForeignKey(Template, models.PROTECT, related_name="vms", default=BLANK)
    instance_type = models.ForeignKey(
        InstanceType, models.SET_NULL, null=True, blank=True, related_name="vms", verbose_name=_("instance type")
    )
    pool = models.ForeignKey(Pool, models.PROTECT, null=True, blank=True, related_name="vms")

    observed = models.CharField(max_length=24, choices=STATUSES, default=Status.DOWN.value, editable=False)
    ended = models.CharField(max_length=16, blank=True, editable=False)
    running = models.JSONField(null=True, blank=True, editable=False)
    endpoints = models.JSONField(default=list, blank=True, editable=False)
    host = models.ForeignKey(
        "Host", models.SET_NULL, null=True, blank=True, related_name="vms", editable=False, verbose_name=_("host")
    )
    pinned = models.JSONField(default=dict, blank=True, editable=False)
    cold_reboot = models.BooleanField(default=False, editable=False)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)

    status = models.CharField(
        _("status"), max_length=24, choices=STATUSES, default=Status.DOWN.value, editable=False, db_index=True
    )
    pending = models.BooleanField(_("restart pending"), default=False, editable=False)
    run_once = models.BooleanField(_("run once"), default=False, editable=False)
    running_graphics = models.CharField(max_length=16, blank=True, editable=False, db_index=True)
    running_video = models.CharField(max_length=8, blank=True, editable=False)

    objects = VMQuerySet.as_manager()

    class Meta(Hardware.Meta):
        verbose_name = _("virtual machine")
        verbose_name_plural = _("virtual machines")
        constraints = (
            *Hardware.Meta.constraints,
            models.UniqueConstraint(fields=("name",), name="vm_name_used_once"),
        )

    @property
    def run(self) -> Run | None:
        """What the present run was started with; None when it is down, or runs without our record."""
        return run_from_document(self.running)

    @run.setter
    def run(self, run: Run | None) -> None:
        self.running = run_to_document(run) if run else None

    @property
    def running_console(self) -> Console | None:
        run = self.run
        return run.spec.console if run else None

    @property
    def pending_changes(self) -> tuple[str, ...]:
        """The keys of what a restart would change; empty when down."""
        run = self.run
        return self.spec.differs_from(run.base) if run else ()

    @property
    def graphical_access(self) -> GraphicalAccess:
        reachable = Status(self.status) in REACHABLE
        return graphical_access(self.console, self.running_console, reachable=reachable, once=self.run_once)

    def _nics(self) -> tuple[Nic, ...]:
        return (Nic(mac=mac_of(self.id, 0)),)

    def _pinned_machine(self) -> str:
        return str(self.pinned.get("machine", ""))

    def _pinned_addresses(self) -> Mapping[str, Address]:
        addresses: Mapping[str, Address] = self.pinned.get("addresses", {})
        return addresses
