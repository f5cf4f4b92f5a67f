"""Storage in libvirt's words, by libvirt's own schema: for the kinds, too, that no kernel of the tests can mount."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from lxml import etree

from tests.needs import need
from vms.domain.disks import GIB, Backing, DiskFormat, Storage, StorageKind, Volume
from vms.domain.errors import Refusal
from vms.libvirtxml.pools import pool, volume

SCHEMAS = Path("/usr/share/libvirt/schemas")
ID = UUID(int=7)
OWN = Path("/var/lib/own")
DIRECTORY = Storage(id=ID, path="/srv/disks")
NFS = Storage(id=ID, kind=StorageKind.NFS, address="nas.example.org", path="/export/disks")
LVM = Storage(id=ID, kind=StorageKind.LVM, path="vg_machines")


def valid(text: str, schema: str) -> etree._Element:
    """The document, once libvirt's schema has taken it."""
    need(None if SCHEMAS.is_dir() else "libvirt's schemas are not installed")
    read = etree.fromstring(text)
    etree.RelaxNG(etree.parse(SCHEMAS / f"{schema}.rng")).assertValid(read)
    return read


@pytest.mark.parametrize(
    ("storage", "facts"),
    [
        (DIRECTORY, {"target/path": "/srv/disks"}),
        (Storage(id=ID), {"target/path": "/var/lib/own/disks"}),
        (NFS, {"target/path": f"/var/lib/own/mounts/{ID}"}),
        (LVM, {"source/name": "vg_machines", "target/path": "/dev/vg_machines"}),
    ],
)
def test_a_storage_domain_is_a_pool_of_libvirts(storage: Storage, facts: dict[str, str]) -> None:
    read = valid(pool(storage, OWN), "storagepool")
    assert (read.get("type"), read.findtext("uuid")) == (storage.kind.value, str(ID))
    assert {path: read.findtext(path) for path in facts} == facts
    if storage is NFS:
        where = [read.find(path) for path in ("source/host", "source/dir", "source/format")]
        told = [one.get(name) for one, name in zip(where, ("name", "path", "type"), strict=True) if one is not None]
        assert told == ["nas.example.org", "/export/disks", "nfs"]


@pytest.mark.parametrize(
    ("image", "allocation"),
    [
        (Volume(storage=DIRECTORY, name="thin.qcow2", size=GIB), "0"),
        (Volume(storage=NFS, name="thin.raw", size=GIB, format=DiskFormat.RAW), "0"),
        (Volume(storage=NFS, name="full.raw", size=GIB, format=DiskFormat.RAW, sparse=False), None),
        (Volume(storage=LVM, name="block.raw", size=GIB, format=DiskFormat.RAW), None),
    ],
)
def test_an_image_is_a_volume_of_libvirts(image: Volume, allocation: str | None) -> None:
    read = valid(volume(image), "storagevol")
    assert (read.findtext("name"), read.findtext("capacity")) == (image.name, str(GIB))
    assert read.findtext("allocation") == allocation, "what is thin takes room as it is written"
    assert read.find("backingStore") is None


def test_an_image_that_begins_as_another_names_it_with_its_format() -> None:
    below = Backing(name="below.raw", format=DiskFormat.RAW)
    read = valid(
        volume(Volume(storage=NFS, name="over.qcow2", size=GIB, backing=below), "/mnt/below.raw"), "storagevol"
    )
    format = read.find("backingStore/format")
    assert format is not None
    assert (read.findtext("backingStore/path"), format.get("type")) == ("/mnt/below.raw", "raw")


def test_what_no_pool_can_be_made_of_is_refused_by_its_field() -> None:
    wishes: tuple[tuple[str, dict[str, Any]], ...] = (
        ("address", {"kind": StorageKind.NFS, "path": "/export"}),
        ("address", {"kind": StorageKind.NFS, "path": "/export", "address": "nas;reboot"}),
        ("address", {"path": "/srv", "address": "nas"}),
        ("path", {"kind": StorageKind.NFS, "path": "auto", "address": "nas"}),
        ("path", {"kind": StorageKind.NFS, "path": "export", "address": "nas"}),
        ("path", {"kind": StorageKind.LVM, "path": "/dev/sda"}),
        ("path", {"kind": StorageKind.LVM, "path": ".."}),
        ("path", {"path": "/srv/../etc"}),
    )
    for field, wrong in wishes:
        with pytest.raises(Refusal) as no:
            Storage(id=ID, **wrong)
        assert (no.value.code, no.value.field) == ("ILLEGAL_VALUE", field), wrong
