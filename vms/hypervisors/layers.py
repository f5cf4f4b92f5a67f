"""Images of disks that lie one upon another, changed while a machine runs."""

import time
from collections.abc import Callable
from typing import Any, Final

import libvirt
from lxml import etree

from vms.domain.disks import Disk
from vms.domain.errors import Refusal
from vms.domain.runonce import Run
from vms.libvirtxml.disks import DiskAt, target
from vms.libvirtxml.elements import PARSER, e

from .base import Progress
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
    try:
        remember(domain, run)
    except libvirt.libvirtError:
        if domain.isActive():  # one that has just ended writes nowhere, and what it wrote lies in the new images
            raise


def pull(domain: Any, disk: Disk, base: str | None, progress: Progress) -> None:
    """Copy into the image that is written to all that lies between it and `base`; returns when that is done."""
    name = target(disk)

    def done() -> bool:
        return _chain(domain, name)[1:2] == ([base] if base else [])

    _merged(domain, name, done, lambda: domain.blockRebase(name, base, 0, 0), progress)


def push(domain: Any, disk: Disk, upper: str, lower: str, progress: Progress) -> None:
    """Copy what an image that is not written to holds into the one below it; returns when it is out of the chain."""
    name = target(disk)

    def done() -> bool:
        return upper not in _chain(domain, name)

    _merged(domain, name, done, lambda: domain.blockCommit(name, lower, upper, 0, 0), progress)


def _merged(domain: Any, name: str, done: Callable[[], bool], begin: Callable[[], object], progress: Progress) -> None:
    """Wait for a block job, begun here or by an engine that died over it. A job that has failed ends, too, and the
    guest then needs every image that it needed before: so what it needs now is what counts."""
    if not domain.blockJobInfo(name, 0):
        if done():
            return
        if not progress(0):
            raise Refusal("JOB_CANCELLED")
        begin()
    wanted = True
    while told := domain.blockJobInfo(name, 0):
        if not progress(min(99, 100 * told["cur"] // told["end"]) if told["end"] else 0):
            wanted = False
            domain.blockJobAbort(name, 0)
        time.sleep(POLL)
    if not domain.isActive():
        raise Refusal("HYPERVISOR_REFUSED", None, message="the machine ended meanwhile")
    if done():
        return
    if not wanted:
        raise Refusal("JOB_CANCELLED")
    raise Refusal("HYPERVISOR_REFUSED", None, message="the images could not be merged")


def _chain(domain: Any, name: str) -> list[str]:
    """The images that a running domain's disk rests on, the one that is written to first."""
    live = etree.fromstring(domain.XMLDesc().encode(), PARSER)
    (disk,) = (one for one in live.iterfind("devices/disk") if one.find(f"target[@dev='{name}']") is not None)
    found, here = [], disk
    while here is not None and (source := here.find("source")) is not None:
        found.append(str(source.get("file") or source.get("dev") or ""))
        here = here.find("backingStore")
    return found


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
