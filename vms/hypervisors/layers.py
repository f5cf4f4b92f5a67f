"""Images of disks that lie one upon another, changed while a machine runs."""

import time
from typing import Any, Final

import libvirt
from lxml import etree

from vms.domain.disks import Disk
from vms.domain.errors import Refusal
from vms.domain.runonce import Run
from vms.libvirtxml.disks import DiskAt, target
from vms.libvirtxml.elements import PARSER, e

from .plugging import remember

_AT_ONCE: Final = (
    libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
    | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA
    | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT
    | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC
)
POLL: Final = 0.2  # seconds


def write_elsewhere(domain: Any, run: Run, disk_at: DiskAt) -> None:
    """Have a running domain write into the images that the run names, all at one moment."""
    sources = _sources(domain)
    wanted = {target(disk): (disk, disk_at(disk)) for disk in run.spec.disks if target(disk) in sources}
    moved = {name: told for name, told in wanted.items() if sources[name] != told[1]}
    if moved:
        told = e("disks")
        for name in sources:
            told.append(_moved(name, *moved[name]) if name in moved else e("disk", {"name": name, "snapshot": "no"}))
        xml = etree.tostring(e("domainsnapshot", told), encoding="unicode")
        domain.snapshotCreateXML(xml, _AT_ONCE)
    remember(domain, run)


def pull(domain: Any, disk: Disk, base: str | None) -> None:
    """Copy into the image that is written to all that lies between it and `base`; returns when that is done."""
    name = target(disk)
    if not domain.blockJobInfo(name, 0):
        domain.blockRebase(name, base, 0, 0)
    while domain.blockJobInfo(name, 0):
        time.sleep(POLL)
    if not domain.isActive():
        raise Refusal("HYPERVISOR_REFUSED", None, message="the machine ended meanwhile")


def _sources(domain: Any) -> dict[str, str]:
    """The images that a running domain writes into, by its names of the disks."""
    live = etree.fromstring(domain.XMLDesc().encode(), PARSER)
    found = {}
    for disk in live.iterfind("devices/disk[@device='disk']"):
        source, there = disk.find("source"), disk.find("target")
        if source is not None and there is not None:
            found[str(there.get("dev"))] = str(source.get("file") or source.get("dev") or "")
    return found


def _moved(name: str, disk: Disk, path: str) -> Any:
    how = {"name": name, "snapshot": "external", "type": "file"}
    return e("disk", how, e("driver", {"type": disk.format.value}), e("source", {"file": path}))
