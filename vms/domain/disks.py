"""Disks: where they lie, what they are, and how a machine has them."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

from .errors import Refusal

KIB: Final = 1024
MIB: Final = KIB * 1024
GIB: Final = MIB * 1024
DISK_SIZE: Final = (MIB, 64 * 1024 * GIB)  # bytes
SECTOR: Final = 512

_PATH: Final = re.compile(r"/[A-Za-z0-9._@:+-]+(?:/[A-Za-z0-9._@:+-]+)*")
_SERVER: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.:-]{0,252}[A-Za-z0-9])?")
_GROUP: Final = re.compile(r"[A-Za-z0-9_+.][A-Za-z0-9_+.-]{0,63}")
AUTO: Final = "auto"  # a directory that the engine's settings choose


class StorageKind(StrEnum):
    """What a storage domain is made of, by libvirt's word for the pool."""

    DIRECTORY = "dir"
    NFS = "netfs"
    LVM = "logical"


class DiskFormat(StrEnum):
    """How a disk's content is laid out."""

    QCOW2 = "qcow2"
    RAW = "raw"


class Interface(StrEnum):
    """How the guest sees a disk, by oVirt's word."""

    VIRTIO = "virtio"
    VIRTIO_SCSI = "virtio_scsi"
    SATA = "sata"


# How many disks a machine can have on each; the first SATA port has the CD drive.
PLACES: Final = {Interface.VIRTIO: 12, Interface.VIRTIO_SCSI: 24, Interface.SATA: 5}
HOT: Final = frozenset({Interface.VIRTIO, Interface.VIRTIO_SCSI})  # what can come and go while a guest runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """A storage domain as a hypervisor knows it: a pool of volumes.

    A directory has a `path`, absolute or `auto`; NFS has the server's `address` and the exported `path`; LVM has the
    name of a volume group as its `path`.
    """

    id: UUID
    kind: StorageKind = StorageKind.DIRECTORY
    path: str = AUTO
    address: str = ""

    def __post_init__(self) -> None:
        if self.kind == StorageKind.LVM:
            if not _GROUP.fullmatch(self.path) or self.path in {".", ".."}:
                raise Refusal("ILLEGAL_VALUE", "path", value=self.path[:80], allowed="the name of a volume group")
        elif self.path != AUTO or self.kind == StorageKind.NFS:
            self._check_path()
        if (self.kind == StorageKind.NFS) != bool(self.address):
            raise Refusal("ILLEGAL_VALUE", "address", value=self.address[:80], allowed="a server, with NFS alone")
        if self.address and not _SERVER.fullmatch(self.address):
            raise Refusal("ILLEGAL_VALUE", "address", value=self.address[:80], allowed="the name of a server")

    @property
    def block(self) -> bool:
        """Whether its volumes are block devices."""
        return self.kind == StorageKind.LVM

    def _check_path(self) -> None:
        if not _PATH.fullmatch(self.path) or {".", ".."} & set(self.path.split("/")):
            raise Refusal("ILLEGAL_VALUE", "path", value=self.path[:80], allowed="an absolute path")


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One image of a disk; sizes in bytes. What is `sparse` takes room as it is written; one with a `backing` holds
    only what differs from that."""

    storage: Storage
    name: str
    size: int
    format: DiskFormat = DiskFormat.QCOW2
    sparse: bool = True
    backing: "Backing | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backing:
    """The image that another one begins with; both lie on the same storage."""

    name: str
    format: DiskFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How large a storage is and how much is left, in bytes."""

    capacity: int
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A disk as a machine has it: the image that is written to, and how the guest sees it.

    `slot` is its place on its interface, which it keeps for as long as the machine has it.
    """

    id: UUID
    storage: Storage
    volume: str
    format: DiskFormat = DiskFormat.QCOW2
    interface: Interface = Interface.VIRTIO
    slot: int = 0
    bootable: bool = False
    read_only: bool = False
    shareable: bool = False

    def key(self, machine: UUID) -> UUID:
        """The id of its device in a machine; the same however many others come and go."""
        return uuid5(machine, f"disk/{self.id}")


def check_size(size: int) -> None:
    """Refuse what no disk can be."""
    least, most = DISK_SIZE
    if not least <= size <= most or size % SECTOR:
        raise Refusal(
            "ILLEGAL_VALUE", "disk_size", value=f"{size / GIB:g} GiB", allowed=f"{least // MIB} MiB … {most // GIB} GiB"
        )


def check_name(name: str) -> None:
    """Refuse a disk's name that is no line of text."""
    if not name.strip() or len(name) > 255 or not name.isprintable():
        raise Refusal("ILLEGAL_VALUE", "name", value=ascii(name[:40]), allowed="one line of printable text")


def free_slot(taken: set[int], interface: Interface) -> int:
    """The first place on an interface that no other disk has."""
    places = PLACES[interface]
    for slot in range(places):
        if slot not in taken:
            return slot
    raise Refusal("ACTION_TYPE_FAILED_EXCEEDED_MAX_DISKS", "interface", interface=interface.value, places=places)
