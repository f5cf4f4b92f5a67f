"""Storage domains and the images on them, as libvirt's pools and volumes."""

from pathlib import Path
from typing import Final

from lxml import etree

from vms.domain.disks import AUTO, DiskFormat, Storage, StorageKind, Volume

from .elements import Element, e

POOL_PREFIX: Final = "headless-"


def pool(storage: Storage, own: Path) -> str:
    """The pool of a storage domain; `own` is the directory in which a host keeps what has no other place."""
    described = e(
        "pool", {"type": storage.kind.value}, e("name", f"{POOL_PREFIX}{storage.id}"), e("uuid", str(storage.id))
    )
    target = storage.path
    if storage.kind == StorageKind.NFS:
        target = str(own / "mounts" / str(storage.id))
        where = (e("host", {"name": storage.address}), e("dir", {"path": storage.path}))
        described.append(e("source", *where, e("format", {"type": "nfs"})))
    elif storage.kind == StorageKind.LVM:
        target = f"/dev/{storage.path}"
        described.append(e("source", e("name", storage.path), e("format", {"type": "lvm2"})))
    elif storage.path == AUTO:
        target = str(own / "disks")
    # Without permissions: libvirt would give them to a directory that somebody else has made for more than this.
    described.append(e("target", e("path", target)))
    return etree.tostring(described, encoding="unicode")


def volume(described: Volume, backing: str | None = None) -> str:
    """The volume of an image; `backing` is where the host has what it begins as."""
    target = e("target", e("format", {"type": described.format.value}), e("permissions", e("mode", "0600")))
    if described.format == DiskFormat.QCOW2:
        target.append(e("compat", "1.1"))
    parts: list[Element] = [e("name", described.name), e("capacity", {"unit": "bytes"}, str(described.size))]
    if described.sparse and not described.storage.block:
        parts.append(e("allocation", {"unit": "bytes"}, "0"))
    made = e("volume", *parts, target)
    if described.backing is not None and backing is not None:
        made.append(e("backingStore", e("path", backing), e("format", {"type": described.backing.format.value})))
    return etree.tostring(made, encoding="unicode")
