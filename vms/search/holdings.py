"""What machines have, to find them by: disks and their storage, network cards and their networks, snapshots."""

from typing import Final

from vms.models import Disk, DiskStatus, Network, Snapshot, SnapshotStatus, StorageDomain, VmNic

from .fields import Choice, Field, Moment, Number, Text, flag
from .language import beyond

Fields = dict[str, Field]

_NAMED: Final[Fields] = {"name": Text("name")}
_DISK: Final[Fields] = {
    **dict.fromkeys(("name", "alias"), Text("name")),
    "status": Choice({status: status for status in DiskStatus.values}, "status"),
    "provisioned_size": Number("size"),
}
_CARD: Final[Fields] = {
    "name": Text("name"),
    "mac": Text("mac"),
    "network_name": Text("profile__network__name"),  # oVirt's word
    "profile": Text("profile__name"),
    "linked": flag("linked"),
}
_SNAPSHOT: Final[Fields] = {
    "description": Text("description"),
    "status": Choice({status: status for status in SnapshotStatus.values}, "status"),
    "creation_date": Moment("created_at"),
}


def holdings_of(owner: str) -> Fields:
    """The fields of a machine (`vm`) or a `template`: `disk.name`, `storage.name`, `network.name`, `vnic.mac` and so
    on."""
    return {
        **beyond("disk", Disk, _DISK, _DISK, key=f"attachments__{owner}"),
        **beyond("storage", StorageDomain, _NAMED, _NAMED, key=f"disks__attachments__{owner}"),
        **beyond("network", Network, _NAMED, _NAMED, key=f"profiles__cards__{owner}"),
        **beyond("vnic", VmNic, _CARD, _CARD, key=owner),
        **(beyond("snapshot", Snapshot, _SNAPSHOT, _SNAPSHOT, key=owner) if owner == "vm" else {}),
    }
