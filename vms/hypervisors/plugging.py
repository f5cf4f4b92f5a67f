"""Disks that come and go while a machine runs."""

import json
import time
from typing import Any, Final

import libvirt
from lxml import etree

from vms.domain.devices import devices
from vms.domain.disks import Interface
from vms.domain.document import run_to_document
from vms.domain.errors import Refusal
from vms.domain.runonce import Run
from vms.libvirtxml.disks import DiskAt, plugged, scsi_controller
from vms.libvirtxml.elements import PARSER
from vms.libvirtxml.write import NAMESPACE, PREFIX

LETS_GO_WITHIN: Final = 15.0  # seconds that a guest has to release a disk
LIVE: Final = libvirt.VIR_DOMAIN_AFFECT_LIVE


def give_disks(domain: Any, run: Run, disk_at: DiskAt) -> None:
    """Bring a running domain's disks to those of the run, and have its live definition carry the run."""
    spec, there = run.spec, _aliases(domain)
    wanted = {device.alias: device for device in devices(spec) if "disk" in device.params}
    for alias in there - wanted.keys():
        _take_out(domain, alias)
    for disk in spec.disks:
        alias = next(alias for alias, device in wanted.items() if device.params["disk"] == str(disk.id))
        if alias in there:
            continue
        if disk.interface == Interface.VIRTIO_SCSI:
            _ensure_controller(domain, run)
        domain.attachDeviceFlags(etree.tostring(plugged(spec, disk, disk_at), encoding="unicode"), LIVE)
    remember(domain, run)


def remember(domain: Any, run: Run) -> None:
    """Have the live definition carry the run, as a start does."""
    carried = etree.Element("run")
    carried.text = json.dumps(run_to_document(run), sort_keys=True)
    told = etree.tostring(carried, encoding="unicode")
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, told, PREFIX, NAMESPACE, LIVE)


def _aliases(domain: Any) -> set[str]:
    """The disks that are in it now, the CD drive left out."""
    live = etree.fromstring(domain.XMLDesc().encode(), PARSER)
    return {str(alias.get("name")) for alias in live.iterfind("devices/disk[@device='disk']/alias")}


def _take_out(domain: Any, alias: str) -> None:
    try:
        domain.detachDeviceAlias(alias, LIVE)
    except libvirt.libvirtError as error:
        if "already in the process of unplug" not in str(error):
            raise
    until = time.monotonic() + LETS_GO_WITHIN
    while alias in _aliases(domain):
        if time.monotonic() > until:
            raise Refusal("DISK_NOT_RELEASED", None)
        time.sleep(0.1)


def _ensure_controller(domain: Any, run: Run) -> None:
    live = etree.fromstring(domain.XMLDesc().encode(), PARSER)
    if live.find("devices/controller[@type='scsi']") is None:
        for controller in scsi_controller(run.spec):
            domain.attachDeviceFlags(etree.tostring(controller, encoding="unicode"), LIVE)
