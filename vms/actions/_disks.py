"""What machines remember of their disks: made anew from the attachments whenever one of these changes."""

from dataclasses import replace
from typing import Final

import msgspec
from django.db.models import Q, QuerySet

from vms.domain.disks import HOT, Disk, DiskFormat, Interface
from vms.domain.errors import Refusal
from vms.domain.lifecycle import NOT_RUNNING, Status
from vms.domain.runonce import Run
from vms.models import ACTIVE, VM, ActionGroup, DiskAttachment, DiskStatus, Job, JobState, Template
from vms.models import Disk as DiskRow

from ._authorise import ENGINE, Actor, Engine
from ._jobs import PLUG, enqueue
from ._shape import follow

Owner = VM | Template
HOW: Final = ("interface", "slot", "bootable", "active", "read_only")  # how a machine has a disk
_WORST = (DiskStatus.LOCKED, DiskStatus.ILLEGAL)


def attachments(owner: Owner) -> "QuerySet[DiskAttachment]":
    """What it has, the bootable one first."""
    rows = owner.disk_attachments.select_related("disk__image", "disk__domain")
    return rows.order_by("-bootable", "interface", "slot")


def value(attachment: DiskAttachment) -> Disk:
    """The disk as the machine's value has it."""
    disk, image = attachment.disk, attachment.disk.image
    assert image is not None
    return Disk(
        id=disk.pk,
        storage=disk.domain.storage,
        volume=image.name,
        format=DiskFormat(image.format),
        interface=Interface(attachment.interface),
        slot=attachment.slot,
        bootable=attachment.bootable,
        read_only=attachment.read_only,
        shareable=disk.shareable,
    )


def sync_disks(owner: Owner) -> None:
    """Bring a locked machine up to its attachments; a running one gets and gives what can come and go."""
    rows = list(attachments(owner))
    there = {row.disk.status for row in rows}
    seen = [value(row) for row in rows if row.active and row.disk.image and row.disk.status != DiskStatus.ILLEGAL]
    owner.disk_document = msgspec.to_builtins(seen, order="deterministic")
    owner.disk_state = next((state for state in _WORST if state in there), DiskStatus.OK)
    owner.version += 1
    owner.save(update_fields=["disk_document", "disk_state", "version"])
    follow(owner)
    if isinstance(owner, VM):
        _plug(owner)


def owners_of(disk: DiskRow) -> list[Owner]:
    """The machines and templates that have a disk, locked."""
    held = DiskAttachment.objects.filter(disk=disk)
    vms = VM.objects.select_for_update(no_key=True).filter(pk__in=held.values("vm")).order_by("pk")
    templates = Template.objects.select_for_update(no_key=True).filter(pk__in=held.values("template"))
    return [*vms, *templates.order_by("pk")]


def replugged(vm: VM, without: str = "") -> Run | None:
    """The present run with the disks that its guest is to have now; None for one that does not run.

    What the run has it keeps as it is, but for the disk `without`; what cannot come while it runs waits for the next.
    """
    run = vm.run
    if run is None:
        return None
    has, wanted = {disk.id: disk for disk in run.base.disks}, vm.spec.disks
    kept = {disk.id for disk in wanted} | {key for key, disk in has.items() if disk.interface not in HOT}
    disks = [disk for key, disk in has.items() if key in kept and str(key) != without]
    disks += [disk for disk in wanted if disk.id not in has and disk.interface in HOT and str(disk.id) != without]
    return replace(run, base=replace(run.base, disks=tuple(disks)))


def running(vm: VM) -> bool:
    """Whether a guest may have its disks open."""
    return Status(vm.observed) not in NOT_RUNNING or vm.busy


def _plug(vm: VM) -> None:
    run = vm.run
    if run is None or Status(vm.observed) in NOT_RUNNING or replugged(vm) == run or not vm.host_id:
        return
    if Job.objects.filter(machine=vm.pk, verb=PLUG, state=JobState.QUEUED, params={}).exists():
        return
    enqueue(vm, PLUG, by=ENGINE, host=vm.host, exclusive=False)


def authorise_disk(by: Actor, group: ActionGroup, disk: DiskRow) -> None:
    """Refuse somebody who holds no role with the action group on the disk's storage or on a machine that has it."""
    if isinstance(by, Engine) or DiskRow.objects.filter(pk=disk.pk).visible_to(by, group).exists():
        return
    raise Refusal("USER_NOT_AUTHORIZED_TO_PERFORM_ACTION", None, permit=group.value)


def busy(disk: DiskRow) -> bool:
    """Whether a job is at work on it."""
    return Job.objects.filter(Q(machine=disk.pk), exclusive=True, state__in=ACTIVE).exists()
