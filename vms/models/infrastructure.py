"""Where machines run: data centers, clusters with a level, hosts with what they offer."""

from typing import ClassVar
from uuid import uuid4

import msgspec
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from vms.domain.console import SPICE_AND_VNC, Graphics, Level
from vms.domain.firmware import Firmware
from vms.domain.hosts import SUBJECT_LENGTH, Capabilities, Doorway
from vms.domain.lifecycle import NOT_RUNNING
from vms.domain.runonce import LOOPBACK

from .fields import EncryptedField
from .users import HeldQuerySet


class DataCenter(models.Model):
    """The outermost container; roles held on it reach everything in it."""

    HELD_ON: ClassVar[dict[str, str]] = {"pk": "data_center"}

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(_("name"), max_length=40, unique=True)
    description = models.CharField(_("description"), max_length=4000, blank=True)
    comment = models.CharField(_("comment"), max_length=4000, blank=True)
    kept = models.JSONField(default=dict, blank=True, editable=False)

    objects = HeldQuerySet.as_manager()

    class Meta:
        verbose_name = _("data center")
        verbose_name_plural = _("data centers")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Cluster(models.Model):
    """Hosts that machines may run on, with the compatibility level that decides which devices exist."""

    HELD_ON: ClassVar[dict[str, str]] = {"pk": "cluster", "data_center": "data_center"}

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(_("name"), max_length=40, unique=True)
    description = models.CharField(_("description"), max_length=4000, blank=True)
    comment = models.CharField(_("comment"), max_length=4000, blank=True)
    data_center = models.ForeignKey(DataCenter, models.PROTECT, related_name="clusters", verbose_name=_("data center"))
    level = models.CharField(
        _("compatibility version"),
        max_length=8,
        choices=[(level.value, level.value) for level in Level],
        default=Level.V4_8.value,
    )
    # What machines are made with that come from no template of their own (oVirt: cluster_default).
    firmware = models.CharField(
        _("chipset and firmware"),
        max_length=8,
        choices=[(firmware.value, firmware.label) for firmware in Firmware],
        default=Firmware.BIOS.value,
    )
    # Where its machines' cards get their addresses from; the default one for None.
    mac_pool = models.ForeignKey(
        "MacPool", models.PROTECT, null=True, blank=True, related_name="clusters", verbose_name=_("MAC address pool")
    )
    # What REST's clients have said and nothing uses yet, by oVirt's path; so have data centers and hosts.
    kept = models.JSONField(default=dict, blank=True, editable=False)

    objects = HeldQuerySet.as_manager()

    class Meta:
        verbose_name = _("cluster")
        verbose_name_plural = _("clusters")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def graphics(self) -> Graphics:
        """The protocols that at least one host offers; everything while no host has told yet."""
        known = [host.capabilities for host in self.hosts.all()]
        told = [capabilities.graphics for capabilities in known if capabilities is not None]
        return frozenset().union(*told) if told else SPICE_AND_VNC

    @property
    def offers_tpm(self) -> bool:
        """Whether at least one host makes a TPM for its machines, or none has told yet."""
        known = [host.capabilities for host in self.hosts.all()]
        told = [capabilities.tpm for capabilities in known if capabilities is not None]
        return any(told) or not told


class HostStatus(models.TextChoices):
    """oVirt's host_status, as far as a host here can be in it."""

    UP = "up", _("Up")
    DOWN = "down", pgettext_lazy("host", "Down")  # languages with genders say it otherwise of a machine
    NON_RESPONSIVE = "non_responsive", _("Non Responsive")
    NON_OPERATIONAL = "non_operational", _("Non Operational")
    CONNECTING = "connecting", _("Connecting")
    PREPARING = "preparing_for_maintenance", _("Preparing For Maintenance")
    MAINTENANCE = "maintenance", _("Maintenance")


class Host(models.Model):
    """A machine with a hypervisor, reached by a libvirt URI; `auto` leaves the choice to the engine's settings.

    `status`, `reason` and `capability_document` are written by the engine alone; `maintenance` says that nothing is to
    be started there for now.
    """

    HELD_ON: ClassVar[dict[str, str]] = {"cluster": "cluster", "cluster__data_center": "data_center"}

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(_("name"), max_length=255, unique=True)
    comment = models.CharField(_("comment"), max_length=4000, blank=True)
    cluster = models.ForeignKey(Cluster, models.PROTECT, related_name="hosts", verbose_name=_("cluster"))
    uri = models.CharField(_("libvirt address"), max_length=255, default="auto")
    maintenance = models.BooleanField(_("maintenance"), default=False)
    kept = models.JSONField(default=dict, blank=True, editable=False)
    # Where other hosts reach it when a machine moves here; empty for the one in its URI.
    console_listen = models.CharField(_("consoles listen at"), max_length=45, default=LOOPBACK)
    console_address = models.CharField(_("display address"), max_length=255, blank=True)
    console_tls = models.BooleanField(_("TLS for consoles"), default=False)
    console_authority = models.TextField(_("certificate authority"), max_length=20_000, blank=True)
    console_subject = models.CharField(_("host subject"), max_length=SUBJECT_LENGTH, blank=True)
    migration_address = models.CharField(_("migration address"), max_length=255, blank=True)
    username = models.CharField(max_length=255, blank=True)
    password = EncryptedField(blank=True, default="", editable=False)
    status = models.CharField(max_length=32, choices=HostStatus, default=HostStatus.CONNECTING)
    reason = models.JSONField(default=dict, blank=True)
    capability_document = models.JSONField(null=True, blank=True)

    objects = HeldQuerySet.as_manager()

    class Meta:
        verbose_name = _("host")
        verbose_name_plural = _("hosts")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def shown_status(self) -> HostStatus:
        """What people are told: its maintenance before whether it answers, once everything has left it."""
        if not self.maintenance:
            return HostStatus(self.status)
        left = self.vms.exclude(observed__in=NOT_RUNNING).exists()
        return HostStatus.PREPARING if left else HostStatus.MAINTENANCE

    @property
    def doorway(self) -> Doorway:
        """How viewers elsewhere reach its screens."""
        return Doorway(
            listen=self.console_listen,
            address=self.console_address,
            secure=self.console_tls,
            authority=self.console_authority,
            subject=self.console_subject,
        )

    @property
    def capabilities(self) -> Capabilities | None:
        """What the host offers; None until its hypervisor has told once."""
        if self.capability_document is None:
            return None
        return msgspec.convert(self.capability_document, Capabilities)

    @capabilities.setter
    def capabilities(self, value: Capabilities) -> None:
        self.capability_document = msgspec.to_builtins(value, order="deterministic")
