"""The disks that a machine begins with when it is made like another: thin on a template's, or copied in full."""

from collections.abc import Mapping
from types import MappingProxyType
from uuid import UUID

from vms.domain.lifecycle import Status
from vms.models import VM, ActionGroup, Disk, DiskAttachment, DiskStatus

from . import disks
from ._action import locked
from ._authorise import Actor, authorise
from ._disks import Owner, attachments, sync_disks
from .wishes import AS_IT_IS, Wish


def hand_down(
    source: Owner, made: Owner, *, clone: bool = True, wishes: Mapping[UUID, Wish] = MappingProxyType({}), by: Actor
) -> None:
    """Let a new machine begin with what is on the disks of another one, each in its place; `wishes` say of some, by
    the ids of the other one's, how the copies are to lie.

    Not in full but thin, where the disk is a template's and no `clone` is wished, and its storage can. What machines
    share is shared by a new one, too, and handed down by no template.
    """
    rows = list(attachments(source))
    for like in rows:
        disk = locked(like.disk)
        if disk.shareable:
            if isinstance(made, VM):
                disks.give(made, disk, like)
            continue
        wish = wishes.get(disk.pk, AS_IT_IS)
        name = wish.name or _named(disk, source, made)
        disks.give(made, _begun(disk, like, name, wish, clone=clone, by=by), like)
    if rows:
        sync_disks(made)


def refit(vm: VM, *, by: Actor) -> None:
    """Have a locked machine begin anew with the disks of the template version that it follows.

    Only one that keeps nothing of its runs, and only when it is off: another one's data would be lost.
    """
    if not (vm.stateless and vm.use_latest_version) or vm.status != Status.DOWN or vm.snapshots.exists():
        return
    handed_down = set(vm.template.disk_attachments.values_list("disk", flat=True))
    old = [row.disk for row in attachments(vm) if (parent := _template_disk(row.disk)) and parent not in handed_down]
    if not old or any(row.disk.status != DiskStatus.OK for row in (*attachments(vm), *attachments(vm.template))):
        return
    for disk in old:
        disk = locked(disk)
        disk.attachments.all().delete()
        disks.discard(disk, by=by)
    hand_down(vm.template, vm, clone=False, by=by)


def _begun(disk: Disk, like: DiskAttachment, name: str, wish: Wish, *, clone: bool, by: Actor) -> Disk:
    if not clone and like.template_id and not disk.domain.storage.block and wish.thin(disk):
        return disks.thin(disk, name, by=by)
    if wish.domain is not None and wish.domain != disk.domain:
        authorise(by, ActionGroup.CREATE_DISK, wish.domain)
    domain = wish.domain or disk.domain
    return disks.copied(disk, name, domain=domain, format=wish.format, sparse=wish.sparse, by=by)


def _named(disk: Disk, source: Owner, made: Owner) -> str:
    """The name of the copy: where the disk is called after its machine, the copy is after its own."""
    if disk.name.startswith(source.name):
        return f"{made.name}{disk.name.removeprefix(source.name)}"[:255]
    return disk.name


def _template_disk(disk: Disk) -> UUID | None:
    """The template's disk that it begins as."""
    parent = disk.image.parent if disk.image else None
    if parent is None or not parent.disk.attachments.filter(template__isnull=False).exists():
        return None
    return parent.disk_id
