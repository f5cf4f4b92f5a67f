"""Where disks lie, what they are, which machine has them, and how they and it were at an earlier time."""

from typing import Any, ClassVar, Self
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from vms.domain.disks import AUTO, DiskFormat, Interface, Storage, StorageKind, Volume
from vms.domain.disks import Backing as BackingImage
from vms.domain.document import spec_from_document
from vms.domain.machine import MachineSpec

from .users import HeldQuerySet, User, permitted


class StorageStatus(models.TextChoices):
    """oVirt's storage_domain_status, as far as a domain here can be in it."""

    LOCKED = "locked", _("Locked")
    ACTIVE = "active", _("Active")
    INACTIVE = "inactive", _("Inactive")
    MAINTENANCE = "maintenance", _("Maintenance")
    UNATTACHED = "unattached", _("Unattached")


KINDS = (
    (StorageKind.DIRECTORY.value, _("Directory")),
    (StorageKind.NFS.value, "NFS"),
    (StorageKind.LVM.value, _("LVM volume group")),
)


_FORMATS = [one.value for one in DiskFormat]
_INTERFACES = [one.value for one in Interface]


class StorageDomain(models.Model):
    """Where disks lie: a libvirt pool on every host of the data center, or on one `host` alone.

    `status`, `reason`, `capacity` and `available` (bytes) are written by the engine's reports; `reason` says why it is
    not active, and `retired` that its administrator wants it so. Of less free space than `low_space` percent of all
    people are warned; nothing new is made that would leave less than the `spared` GiB.
    """

    HELD_ON: ClassVar[dict[str, str]] = {"pk": "storage_domain", "data_center": "data_center"}

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(_("name"), max_length=50, unique=True)
    description = models.CharField(_("description"), max_length=4000, blank=True)
    comment = models.CharField(_("comment"), max_length=4000, blank=True)
    data_center = models.ForeignKey(
        "DataCenter", models.PROTECT, related_name="storage_domains", verbose_name=_("data center")
    )
    host = models.ForeignKey(
        "Host", models.PROTECT, null=True, blank=True, related_name="storage_domains", verbose_name=_("host")
    )
    kind = models.CharField(_("storage type"), max_length=12, choices=KINDS, default=StorageKind.DIRECTORY.value)
    address = models.CharField(_("server"), max_length=255, blank=True)
    path = models.CharField(_("path"), max_length=1024, default=AUTO)
    low_space = models.PositiveSmallIntegerField(_("low space warning"), default=10)
    spared = models.PositiveIntegerField(_("space that is spared"), default=0)
    kept = models.JSONField(default=dict, blank=True, editable=False)

    status = models.CharField(
        _("status"), max_length=12, choices=StorageStatus, default=StorageStatus.LOCKED, editable=False
    )
    retired = models.BooleanField(default=False, editable=False)
    reason = models.JSONField(default=dict, blank=True, editable=False)
    capacity = models.BigIntegerField(_("total space"), null=True, blank=True, editable=False)
    available = models.BigIntegerField(_("free space"), null=True, blank=True, editable=False)

    objects = HeldQuerySet.as_manager()

    class Meta:
        verbose_name = _("storage domain")
        verbose_name_plural = _("storage domains")
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                name="storage_kind_is_known", condition=Q(kind__in=[kind.value for kind in StorageKind])
            ),
            models.CheckConstraint(name="low_space_is_a_percentage", condition=Q(low_space__lte=100)),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def storage(self) -> Storage:
        """What hypervisors know it by."""
        return Storage(id=self.id, kind=StorageKind(self.kind), path=self.path, address=self.address)

    @property
    def active(self) -> bool:
        return self.status == StorageStatus.ACTIVE


class DiskStatus(models.TextChoices):
    """oVirt's disk_status: `locked` while a job is at work on it, `illegal` when one failed half-way."""

    OK = "ok", "OK"
    LOCKED = "locked", _("Locked")
    ILLEGAL = "illegal", _("Illegal")


class DiskContent(models.TextChoices):
    """What a disk holds: the data of machines, or a CD."""

    DATA = "data", _("Data")
    ISO = "iso", "ISO"


class DiskQuerySet(models.QuerySet["Disk"]):
    """Words to speak about disks with."""

    def visible_to(self, user: User, *action_groups: str) -> Self:
        """Those on which the user holds a role, or on their storage, or on machines and templates that have them."""
        from .machines import VM, Template

        found = Q(pk__in=permitted(Disk._base_manager.all(), user, *action_groups).order_by().values("pk"))
        for name, model in (("vm", VM), ("template", Template)):
            held = model.objects.visible_to(user, *action_groups).order_by().values("pk")
            owned = DiskAttachment.objects.filter(**{f"{name}__in": held}).order_by().values("disk")
            found |= Q(pk__in=owned)
        return self.filter(found)

    def isos(self) -> Self:
        """CDs that can be laid into a drive."""
        return self.filter(content=DiskContent.ISO, status=DiskStatus.OK)


class Disk(models.Model):
    """A disk: it goes on when the machine that has it is gone. Sizes in bytes; `used` is what it takes on its storage.

    `image` is the one that is written to; None until the first has been made, or when that failed. It is `blank` as
    long as no machine had it and nothing was laid on it.
    """

    HELD_ON: ClassVar[dict[str, str]] = {
        "pk": "disk",
        "domain": "storage_domain",
        "domain__data_center": "data_center",
    }

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    name = models.CharField(_("alias"), max_length=255)
    description = models.CharField(_("description"), max_length=4000, blank=True)
    domain = models.ForeignKey(StorageDomain, models.PROTECT, related_name="disks", verbose_name=_("storage domain"))
    content = models.CharField(_("content type"), max_length=8, choices=DiskContent, default=DiskContent.DATA)
    size = models.BigIntegerField(_("virtual size"))
    format = models.CharField(
        _("format"),
        max_length=8,
        choices=[(DiskFormat.QCOW2.value, "QCOW2"), (DiskFormat.RAW.value, _("Raw"))],
        default=DiskFormat.QCOW2.value,
    )
    sparse = models.BooleanField(_("thin provision"), default=True)
    shareable = models.BooleanField(_("shareable"), default=False)
    kept = models.JSONField(default=dict, blank=True, editable=False)
    blank = models.BooleanField(default=False, editable=False)

    status = models.CharField(_("status"), max_length=8, choices=DiskStatus, default=DiskStatus.LOCKED, editable=False)
    failure = models.JSONField(null=True, blank=True, editable=False)
    used = models.BigIntegerField(_("actual size"), default=0, editable=False)
    image = models.ForeignKey("Image", models.SET_NULL, null=True, blank=True, editable=False, related_name="+")

    objects = DiskQuerySet.as_manager()

    class Meta:
        verbose_name = _("disk")
        verbose_name_plural = _("disks")
        ordering = ("name", "id")
        constraints = (
            models.CheckConstraint(name="disk_has_a_size", condition=Q(size__gt=0)),
            models.CheckConstraint(name="disk_format_is_known", condition=Q(format__in=_FORMATS)),
        )

    def __str__(self) -> str:
        return self.name


class Image(models.Model):
    """One volume of a disk: the one that is written to, or one that a snapshot has frozen.

    Its `parent` is what it begins with: an earlier one of the disk, or that of a template's disk; what is copied has
    its source there until that is done, so that nobody removes it meanwhile.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    disk = models.ForeignKey(Disk, models.CASCADE, related_name="images")
    parent = models.ForeignKey("self", models.RESTRICT, null=True, blank=True, related_name="children")
    snapshot = models.ForeignKey("Snapshot", models.SET_NULL, null=True, blank=True, related_name="images")
    format = models.CharField(max_length=8, default=DiskFormat.QCOW2.value)
    size = models.BigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("created_at", "id")

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """What its volume is called."""
        return f"{self.id}.{self.format}"

    @property
    def volume(self) -> Volume:
        """What a hypervisor knows it by; one without a parent is as sparse as its disk."""
        backing = BackingImage(name=self.parent.name, format=DiskFormat(self.parent.format)) if self.parent else None
        return Volume(
            storage=self.disk.domain.storage,
            name=self.name,
            size=self.size,
            format=DiskFormat(self.format),
            sparse=self.disk.sparse or backing is not None,
            backing=backing,
        )


class DiskAttachment(models.Model):
    """That a machine or a template has a disk, and how its guest sees it; `slot` is its place on its interface."""

    disk = models.ForeignKey(Disk, models.CASCADE, related_name="attachments")
    vm = models.ForeignKey("VM", models.CASCADE, null=True, blank=True, related_name="disk_attachments")
    template = models.ForeignKey("Template", models.CASCADE, null=True, blank=True, related_name="disk_attachments")
    interface = models.CharField(
        _("interface"),
        max_length=12,
        choices=[
            (Interface.VIRTIO.value, "VirtIO"),
            (Interface.VIRTIO_SCSI.value, "VirtIO-SCSI"),
            (Interface.SATA.value, "SATA"),
        ],
        default=Interface.VIRTIO.value,
    )
    slot = models.PositiveSmallIntegerField(default=0)
    bootable = models.BooleanField(_("bootable"), default=False)
    active = models.BooleanField(_("active"), default=True)
    read_only = models.BooleanField(_("read-only"), default=False)

    class Meta:
        ordering = ("vm", "template", "interface", "slot")
        constraints = (
            models.CheckConstraint(
                name="attachment_has_one_owner",
                condition=Q(vm=None, template__isnull=False) | Q(vm__isnull=False, template=None),
            ),
            models.CheckConstraint(name="interface_is_known", condition=Q(interface__in=_INTERFACES)),
            models.UniqueConstraint(fields=("vm", "disk"), name="disk_once_in_a_vm"),
            models.UniqueConstraint(fields=("template", "disk"), name="disk_once_in_a_template"),
            models.UniqueConstraint(fields=("vm", "interface", "slot"), name="slot_of_a_vm_used_once"),
            models.UniqueConstraint(fields=("vm",), condition=Q(bootable=True), name="one_bootable_disk_of_a_vm"),
        )

    def __str__(self) -> str:
        return f"{self.disk} · {self.owner}"

    @property
    def owner(self) -> Any:
        return self.vm or self.template


class SnapshotStatus(models.TextChoices):
    """oVirt's snapshot_status."""

    OK = "ok", "OK"
    LOCKED = "locked", _("Locked")
    IN_PREVIEW = "in_preview", _("In Preview")


class SnapshotKind(models.TextChoices):
    """What a snapshot is for: to go back to when somebody wants, what was before a preview, or what a stateless run
    ends in."""

    REGULAR = "regular", _("Regular")
    BEFORE_PREVIEW = "preview", _("Before the preview")
    STATELESS = "stateless", _("Stateless")


class Snapshot(models.Model):
    """A machine as it was: its configuration in a document, and an image of each of its disks.

    `failure` says why the last thing that was done with it came to nothing.
    """

    HELD_ON: ClassVar[dict[str, str]] = {
        "vm": "vm",
        "vm__cluster": "cluster",
        "vm__cluster__data_center": "data_center",
    }

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    vm = models.ForeignKey("VM", models.CASCADE, related_name="snapshots")
    description = models.CharField(_("description"), max_length=4000)
    kind = models.CharField(max_length=12, choices=SnapshotKind, default=SnapshotKind.REGULAR, editable=False)
    status = models.CharField(
        _("status"), max_length=12, choices=SnapshotStatus, default=SnapshotStatus.LOCKED, editable=False
    )
    document = models.JSONField(default=dict, editable=False)
    failure = models.JSONField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    objects = HeldQuerySet.as_manager()

    class Meta:
        verbose_name = _("snapshot")
        verbose_name_plural = _("snapshots")
        ordering = ("created_at", "id")

    def __str__(self) -> str:
        return self.description

    @property
    def spec(self) -> MachineSpec:
        """The machine as it was."""
        return spec_from_document(self.document["spec"])
