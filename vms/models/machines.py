"""Virtual machines, and what they are made from: templates and instance types."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID

import msgspec
from django.db import models
from django.db.models import Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from vms.domain.access import Seen
from vms.domain.console import Console
from vms.domain.disks import Disk
from vms.domain.doctor import Diagnosis
from vms.domain.document import run_from_document, run_to_document
from vms.domain.firmware import Firmware
from vms.domain.graphicalaccess import GraphicalAccess, graphical_access
from vms.domain.guest import GuestAddress, Told
from vms.domain.lifecycle import NOT_RUNNING, REACHABLE, Status
from vms.domain.machine import Address, MachineSpec
from vms.domain.runonce import Run

from . import screens
from .hardware import Hardware
from .labels import Tag
from .querysets import HardwareQuerySet, TemplateQuerySet, VMQuerySet
from .storage import DiskStatus
from .users import User

BLANK = UUID(int=0)
# What virtual machines are sorted or found by, those that are alike in it by name.
_SORTED = (
    *("status", "cluster_name", "host_name", "display_type", "serial_console", "usb", "agent", "access"),
    *("pending", "run_once", "stateless", "delete_protected", "memory", "guaranteed_memory", "vcpus", "os", "vm_type"),
    *("firmware", "tpm", "created_at", "up_since", "ip", "fqdn", "template", "pool", "instance_type"),
    *("adopted", "drift"),
)
NEVER = datetime(9999, 12, 31, tzinfo=UTC)

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

AGENTS = (
    (Seen.NEVER.value, _("Never seen")),
    (Seen.BEFORE.value, _("Answered before")),
    (Seen.NOW.value, _("Connected")),
)
IPS = 255  # characters of addresses


class WithDisks(Hardware):
    """A machine that has disks: `disk_document` has those that its guest sees, written by `vms.actions._disks`, so that
    no list has to look for them; `disk_state` is what is wrong with one: a job is at work on it, or it is illegal."""

    disk_document = models.JSONField(default=list, blank=True, editable=False)
    disk_state = models.CharField(max_length=8, default=DiskStatus.OK, editable=False)

    class Meta(Hardware.Meta):
        abstract = True

    def _disks(self) -> tuple[Disk, ...]:
        return msgspec.convert(self.disk_document, tuple[Disk, ...]) if self.disk_document else ()


class Template(WithDisks):
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
    tags: "models.ManyToManyField[Tag, Tag]" = models.ManyToManyField(Tag, related_name="templates", blank=True)

    objects = TemplateQuerySet.as_manager()

    class Meta(Hardware.Meta):
        ordering = ("name", "version_number", "id")
        constraints = (
            *Hardware.Meta.constraints,
            models.UniqueConstraint(fields=("name", "version_number"), name="template_name_used_once"),
        )

    @property
    def built_in(self) -> bool:
        return self.pk == BLANK

    def spec_in(self, firmware: Firmware) -> MachineSpec:
        """The machine that it hands down in a cluster with this firmware, which the built-in one takes over."""
        return replace(self.spec, firmware=firmware, tpm=self.tpm and firmware.uefi) if self.built_in else self.spec

    @property
    def root_id(self) -> UUID:
        """The id of the template that this is a version of; its own for the first one."""
        return self.base_id or self.pk

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


class VM(WithDisks):
    """A virtual machine: configured by the columns of `Hardware`, observed in those of this class.

    `observed` to `ssh_seen_at` are written by the engine's reports alone, edits never touch them; `PROJECTED_FIELDS`
    are for lists and search, written by `vms.actions._status`: `failure` is the verb that came to nothing last, with
    its error, and `pending_names` are the keys of what a restart would change.
    """

    # A role held on a pool reaches its machines not: it would open the ones that other people have taken.
    HELD_ON: ClassVar[dict[str, str]] = {
        "pk": "vm",
        "cluster": "cluster",
        "cluster__data_center": "data_center",
    }
    OBSERVED_FIELDS: ClassVar[tuple[str, ...]] = (
        *("observed", "ended", "left_at", "running", "endpoints", "host", "pinned", "cold_reboot", "started_at"),
        *("console_user", "console_until"),
    )
    # What guests tell of themselves; written by `vms.actions.guests`.
    GUEST_FIELDS: ClassVar[tuple[str, ...]] = (
        *("agent", "agent_seen_at", "fqdn", "ip", "ip_addresses", "guest_document", "guest_seen_at"),
    )
    # What a boot has come to, and what was ever heard of the guest; written by `vms.actions.boots`.
    BOOT_FIELDS: ClassVar[tuple[str, ...]] = ("diagnosis_document", "booted_at", "login_seen_at", "ssh_seen_at")
    PROJECTED_FIELDS: ClassVar[tuple[str, ...]] = (
        *("status", "pending", "run_once", "running_graphics", "running_video", "access"),
        *("cluster_name", "host_name", "busy", "failure", "pending_names"),
    )
    # What lists show of it and sort it by.
    LISTED_FIELDS: ClassVar[tuple[str, ...]] = (
        *(
            "name",
            "folded",
            "description",
            "comment",
            "memory",
            "sockets",
            "cores",
            "threads",
            "vcpus",
            "os",
            "vm_type",
        ),
        *("created_at", "delete_protected", "observed", "up_since", "started_at", "ip", "fqdn", "console_user"),
        *Hardware.CONSOLE_FIELDS,
        *PROJECTED_FIELDS,
        "cluster",
    )
    # What is found by any part of it (`SearchText`), beside the addresses.
    TEXT_FIELDS: ClassVar[tuple[str, ...]] = (
        *("name", "description", "comment", "fqdn", "cpu_model", "emulated_machine"),
    )

    cluster = models.ForeignKey("Cluster", models.PROTECT, related_name="vms", verbose_name=_("cluster"))
    template = models.ForeignKey(Template, models.PROTECT, related_name="vms", default=BLANK)
    instance_type = models.ForeignKey(
        InstanceType, models.SET_NULL, null=True, blank=True, related_name="vms", verbose_name=_("instance type")
    )
    pool = models.ForeignKey("Pool", models.PROTECT, null=True, blank=True, related_name="vms")
    use_latest_version = models.BooleanField(_("latest template version"), default=False)
    stateless = models.BooleanField(_("stateless"), default=False)
    # Whether its guest has been told of its first boot; written by `vms.actions.initial`.
    initialized = models.BooleanField(default=False, editable=False)
    # Its definition is somebody else's: it is patched, never rebuilt; `odd` is what our rules could not have made.
    adopted = models.BooleanField(_("adopted"), default=False, editable=False)
    odd = models.JSONField(default=list, blank=True, editable=False)
    # Somebody has changed or removed the definition behind our back (`Domain`).
    drift = models.BooleanField(_("changed outside"), default=False, editable=False)
    tags: "models.ManyToManyField[Tag, Tag]" = models.ManyToManyField(Tag, related_name="vms", blank=True)

    observed = models.CharField(max_length=24, choices=STATUSES, default=Status.DOWN.value, editable=False)
    ended = models.CharField(max_length=16, blank=True, editable=False)
    running = models.JSONField(null=True, blank=True, editable=False)
    endpoints = models.JSONField(default=list, blank=True, editable=False)
    host = models.ForeignKey(
        "Host", models.SET_NULL, null=True, blank=True, related_name="vms", editable=False, verbose_name=_("host")
    )
    pinned = models.JSONField(default=dict, blank=True, editable=False)
    cold_reboot = models.BooleanField(default=False, editable=False)
    left_at = models.DateTimeField(null=True, blank=True, editable=False)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    up_since = models.GeneratedField(
        expression=Coalesce("started_at", Value(NEVER)), output_field=models.DateTimeField(), db_persist=True
    )
    # Who opened the graphical console of the present run; others take it over only with the right to.
    # With a time, he has yet to come and is waited for so long.
    console_user = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, editable=False, related_name="+")
    console_until = models.DateTimeField(null=True, blank=True, editable=False)

    # As the guest's agent tells it: hostile text, made printable by `domain.guest`.
    agent = models.CharField(_("guest agent"), max_length=8, choices=AGENTS, default=Seen.NEVER.value, editable=False)
    agent_seen_at = models.DateTimeField(null=True, blank=True, editable=False)
    fqdn = models.CharField(_("FQDN"), max_length=255, blank=True, editable=False)
    ip = models.CharField(_("IP addresses"), max_length=IPS, blank=True, editable=False)
    ip_addresses = models.JSONField(default=list, blank=True, editable=False)
    guest_document = models.JSONField(default=dict, blank=True, editable=False)
    guest_seen_at = models.DateTimeField(null=True, blank=True, editable=False)

    diagnosis_document = models.JSONField(default=dict, blank=True, editable=False)
    booted_at = models.DateTimeField(null=True, blank=True, editable=False, db_index=True)
    login_seen_at = models.DateTimeField(null=True, blank=True, editable=False)
    ssh_seen_at = models.DateTimeField(null=True, blank=True, editable=False)

    status = models.CharField(_("status"), max_length=24, choices=STATUSES, default=Status.DOWN.value, editable=False)
    busy = models.BooleanField(default=False, editable=False)
    failure = models.JSONField(null=True, blank=True, editable=False)
    pending = models.BooleanField(_("restart pending"), default=False, editable=False)
    pending_names = models.JSONField(default=list, blank=True, editable=False)
    run_once = models.BooleanField(_("run once"), default=False, editable=False)
    running_graphics = models.CharField(max_length=16, blank=True, editable=False, db_index=True)
    running_video = models.CharField(max_length=8, blank=True, editable=False)
    access = models.CharField(_("access"), max_length=12, blank=True, editable=False)
    cluster_name = models.CharField(max_length=40, blank=True, editable=False)
    host_name = models.CharField(max_length=255, blank=True, editable=False)

    objects = VMQuerySet.as_manager()

    class Meta(Hardware.Meta):
        verbose_name = _("virtual machine")
        verbose_name_plural = _("virtual machines")
        constraints = (
            *Hardware.Meta.constraints,
            models.UniqueConstraint(fields=("name",), name="vm_name_used_once"),
        )
        indexes = (
            *Hardware.Meta.indexes,
            # A name's beginning; PostgreSQL's own order of texts does not serve for that.
            models.Index(fields=("folded",), opclasses=("varchar_pattern_ops",), name="vm_by_beginning"),
            models.Index(fields=("spice", "vnc", "folded", "name"), name="vm_by_graphics"),
            *(models.Index(fields=(field, "folded", "name"), name=f"vm_by_{field}") for field in _SORTED),
        )

    @property
    def run(self) -> Run | None:
        """What the present run was started with; None when it is down, or runs without our record."""
        # Read once for each document: a row of a list asks for it several times.
        read = self.__dict__.get("_run")
        if read is None or read[0] is not self.running:
            read = self.__dict__["_run"] = (self.running, run_from_document(self.running))
        found: Run | None = read[1]
        return found

    @run.setter
    def run(self, run: Run | None) -> None:
        self.running = run_to_document(run) if run else None

    @property
    def guest(self) -> Told:
        """What its guest has told of itself, in this run or the last one."""
        return msgspec.convert(self.guest_document, Told)

    @guest.setter
    def guest(self, told: Told) -> None:
        self.guest_document = msgspec.to_builtins(told, order="deterministic")

    @property
    def diagnosis(self) -> Diagnosis | None:
        """What its last boot in this run has come to; None when it is down, or nobody listens to its serial line."""
        return msgspec.convert(self.diagnosis_document, Diagnosis) if self.diagnosis_document else None

    @diagnosis.setter
    def diagnosis(self, diagnosis: Diagnosis | None) -> None:
        self.diagnosis_document = msgspec.to_builtins(diagnosis) if diagnosis else {}

    @property
    def addresses(self) -> tuple[GuestAddress, ...]:
        """The guest's addresses in this run, the most useful ones first; empty when it is down."""
        return msgspec.convert(self.ip_addresses, tuple[GuestAddress, ...])

    @addresses.setter
    def addresses(self, addresses: tuple[GuestAddress, ...]) -> None:
        """`ip` has those that others could use, parted by blanks, as many as there is room for."""
        self.ip_addresses = msgspec.to_builtins(addresses)
        told = " ".join(one.address for one in addresses if one.reaches)
        self.ip = told if len(told) <= IPS else told[: IPS + 1].rpartition(" ")[0]

    @property
    def running_console(self) -> Console | None:
        run = self.run
        return run.spec.console if run else None

    @property
    def has_run(self) -> bool:
        """Whether it is on record what the present run was started with; lists ask for that alone (`listed`)."""
        told: bool | None = self.__dict__.get("recorded")
        return self.running is not None if told is None else told

    @property
    def running_screen(self) -> Console | None:
        """The graphics and the card of the present run, without its document: what lists show; None when down."""
        if Status(self.observed) in NOT_RUNNING or not self.has_run:
            return None
        return screens.running(self.running_graphics, self.running_video)

    @property
    def pending_changes(self) -> tuple[str, ...]:
        """The keys of what a restart would change; empty when down."""
        run = self.run
        return self.spec.differs_from(run.base) if run else ()

    @property
    def graphical_access(self) -> GraphicalAccess:
        reachable = Status(self.status) in REACHABLE
        return graphical_access(self.console, self.running_screen, reachable=reachable, once=self.run_once)

    @property
    def console_holder(self) -> User | None:
        """Who has the graphical console, or is waited for; None when anybody may open it."""
        late = self.console_until is not None and self.console_until <= timezone.now()
        return None if late else self.console_user

    @property
    def has_serial_line(self) -> bool:
        """Whether the present run has a serial console, or the next one will."""
        run = self.run
        return (run.spec if run else self.spec).console.serial

    def _pinned_machine(self) -> str:
        return str(self.pinned.get("machine", ""))

    def _pinned_addresses(self) -> Mapping[str, Address]:
        addresses: Mapping[str, Address] = self.pinned.get("addresses", {})
        return addresses
