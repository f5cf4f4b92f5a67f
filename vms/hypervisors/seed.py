"""The small CD from which cloud-init takes a first boot: NoCloud's, made in memory."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any, Final
from uuid import UUID

import libvirt
from lxml import etree
from pycdlib import PyCdlib

from vms.libvirtxml.elements import PARSER

from .connections import Connections

LABEL: Final = "cidata"  # by which cloud-init knows it


def image(files: Mapping[str, bytes]) -> bytes:
    """An ISO 9660 image with these files, under their own names (Joliet and Rock Ridge)."""
    iso = PyCdlib()
    iso.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=LABEL)
    for number, (name, content) in enumerate(sorted(files.items())):
        iso.add_fp(BytesIO(content), len(content), f"/FILE{number}.;1", rr_name=name, joliet_path=f"/{name}")
    made = BytesIO()
    iso.write_fp(made)
    iso.close()
    return made.getvalue()


class Seeds:
    """Where a host has the CDs of its machines' first boots: each for one run, and for its QEMU's eyes alone."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._gone: set[UUID] = set()  # that have been looked for since they were last there

    def hold(self, machine: UUID, files: Mapping[str, bytes]) -> str:
        """The path of the CD on the host; empty where there is nothing to tell."""
        if not files:
            return ""
        self._gone.discard(machine)
        here = self._connections
        return here.location.files.hold(here.mine(), _name(machine), image(files))

    def forget(self, machine: UUID) -> None:
        """Remove the CD of a machine whose run has ended."""
        if machine not in self._gone:
            self._connections.location.files.drop(self._connections.mine(), _name(machine))
            self._gone.add(machine)

    def eject(self, domain: Any) -> None:
        """Take the CD out of a running machine, which then can go to where it is not."""
        name = _name(UUID(bytes=domain.UUID()))
        for disk in etree.fromstring(domain.XMLDesc().encode(), PARSER).iterfind("devices/disk"):
            source = disk.find("source")
            if source is not None and (source.get("file") or "").endswith(f"/{name}"):
                disk.remove(source)
                flags = libvirt.VIR_DOMAIN_AFFECT_LIVE | libvirt.VIR_DOMAIN_DEVICE_MODIFY_FORCE
                domain.updateDeviceFlags(etree.tostring(disk, encoding="unicode"), flags)


def _name(machine: UUID) -> str:
    return f"seed-{machine}.iso"
