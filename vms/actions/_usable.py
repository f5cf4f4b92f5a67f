"""What a disk is fit for at present, and that its machines know."""

from typing import Any

from vms.domain.errors import Refusal
from vms.models import VM, Disk, DiskStatus, Image, Template

from ._disks import owners_of, running, sync_disks


def require_usable(disk: Disk, *, whole: bool = True) -> None:
    """Refuse a disk that is being worked on, or that is not whole where it has to be."""
    if disk.status == DiskStatus.LOCKED:
        raise Refusal("ACTION_TYPE_FAILED_DISKS_LOCKED", None, name=disk.name)
    if (whole and disk.status == DiskStatus.ILLEGAL) or disk.image is None:
        raise Refusal("ACTION_TYPE_FAILED_DISK_ILLEGAL", None, name=disk.name)


def require_at_rest(disk: Disk) -> None:
    """Refuse a disk that a guest has, or may be about to have."""
    for owner in owners_of(disk):
        if isinstance(owner, VM) and running(owner):
            raise Refusal("ACTION_TYPE_FAILED_STILL_IN_USE", None, name=disk.name, users=owner.name)


def require_replaceable(disk: Disk) -> None:
    """Refuse a disk whose content others begin with, or that is kept as it is."""
    for owner in owners_of(disk):
        if isinstance(owner, Template):
            raise Refusal("ACTION_TYPE_FAILED_DISK_IS_A_TEMPLATES", None, name=disk.name, template=str(owner))
    require_no_snapshots(disk)
    if users := made_of(disk):
        raise Refusal("ACTION_TYPE_FAILED_STILL_IN_USE", None, name=disk.name, users=", ".join(users))


def set_status(disk: Disk, status: DiskStatus, **columns: Any) -> None:
    """Set it, and have the machines that have the disk know."""
    for name, value in {"status": status, **columns}.items():
        setattr(disk, name, value)
    disk.version += 1
    disk.save(update_fields=["status", "version", *columns])
    for owner in owners_of(disk):
        sync_disks(owner)


def let_go(disk: Disk) -> None:
    """Forget a disk whose images are gone."""
    owners = owners_of(disk)
    disk.delete()
    for owner in owners:
        sync_disks(owner)


def require_no_snapshots(disk: Disk) -> None:
    """Refuse a disk of which an earlier state is kept."""
    if disk.images.filter(snapshot__isnull=False).exists():
        raise Refusal("ACTION_TYPE_FAILED_DISK_HAS_SNAPSHOTS", None, name=disk.name)


def made_of(disk: Disk) -> list[str]:
    """The disks that begin as an image of this one."""
    children = Image.objects.filter(parent__disk=disk).exclude(disk=disk).select_related("disk")
    return sorted({child.disk.name for child in children})[:3]
