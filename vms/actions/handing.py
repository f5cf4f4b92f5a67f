"""Disks that a new machine begins with beside those that are handed down: wished for, or as another one had them."""

from collections.abc import Mapping, Sequence
from typing import Any

from vms.models import VM, DiskAttachment, Snapshot

from . import disks
from ._action import locked
from ._authorise import Actor
from ._disks import HOW, sync_disks


def hand_down_from(snapshot: Snapshot, to: VM, *, by: Actor) -> None:
    """Begin to give a new machine copies of the disks that another had when a snapshot was taken."""
    frozen = {str(image.disk_id): image for image in snapshot.images.select_related("disk__domain")}
    for number, how in enumerate(snapshot.document["attachments"], start=1):
        if image := frozen.get(how["disk"]):
            disk = locked(image.disk)
            made = disks.copied(disk, f"{to.name}_Disk{number}", domain=disk.domain, image=image, by=by)
            disks.give(to, made, DiskAttachment(**{name: how[name] for name in HOW}))
    sync_disks(to)


def make_all(vm: VM, wishes: Sequence[Mapping[str, Any]], *, by: Actor) -> None:
    """Begin to make the disks that somebody wants a new machine to have, as arguments of `disks.create_in`, or give it
    the `disk` that is there; the first one is what it starts from, unless it has another for that."""
    for number, wish in enumerate(wishes, start=vm.disk_attachments.count() + 1):
        first = not vm.disk_attachments.filter(bootable=True).exists()
        how = {"bootable": first, **wish.get("how", {})}
        if "disk" in wish:
            disks.attach(vm, wish["disk"], by=by, **how)
            continue
        told = {"name": f"{vm.name}_Disk{number}", **{key: value for key, value in wish.items() if key != "how"}}
        disks.create_in(vm, how=how, by=by, **told)
