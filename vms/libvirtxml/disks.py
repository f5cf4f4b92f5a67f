"""The disks of a machine as domain XML: each keeps its place, and says when the firmware is to look at it."""

from collections.abc import Callable, Iterator
from typing import Final

from vms.domain.devices import Device, DeviceKind, devices
from vms.domain.disks import Disk, Interface
from vms.domain.firmware import Chipset
from vms.domain.machine import MachineSpec
from vms.domain.parts import BootDevice

from .elements import Element, behind_port, e

DiskAt = Callable[[Disk], str]

CDROM: Final = "cdrom"
SCSI_PORT: Final = 12  # the root port of the SCSI controller; those after it are the disks' own
_BUS: Final = {Interface.VIRTIO: "virtio", Interface.VIRTIO_SCSI: "scsi", Interface.SATA: "sata"}
# Letters of the target names, which have to differ: the CD drive is sda, and both buses share the beginning.
_FIRST_LETTER: Final = {Interface.VIRTIO: 0, Interface.SATA: 1, Interface.VIRTIO_SCSI: 6}
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_BOOTS: Final = {BootDevice.CDROM: DeviceKind.DISK, BootDevice.NETWORK: DeviceKind.INTERFACE}


def named(disk: Disk) -> str:
    """In place of a path, where no host has been asked for it."""
    return disk.volume


def target(disk: Disk) -> str:
    """libvirt's short name of a disk in its machine."""
    number = _FIRST_LETTER[disk.interface] + disk.slot
    more, last = divmod(number, len(_LETTERS))
    letters = (_LETTERS[more - 1] if more else "") + _LETTERS[last]
    return f"{'vd' if disk.interface == Interface.VIRTIO else 'sd'}{letters}"


def disk_of(device: Device, spec: MachineSpec) -> Disk:
    """The disk that a device stands for."""
    return next(disk for disk in spec.disks if str(disk.id) == device.params["disk"])


def write_disk(device: Device, spec: MachineSpec, disk_at: DiskAt) -> Element:
    """A disk; a write that finds no room pauses the machine, as every other error does."""
    disk = disk_of(device, spec)
    kind, source = ("block", "dev") if disk.storage.block else ("file", "file")
    driver = {"name": "qemu", "type": disk.format.value, "error_policy": "stop", "discard": "unmap"}
    if disk.shareable:
        driver["cache"] = "none"
    element = e(
        "disk",
        {"type": kind, "device": "disk"},
        e("driver", driver),
        e("source", {source: disk_at(disk)}),
        e("target", {"dev": target(disk), "bus": _BUS[disk.interface]}),
        e("serial", str(disk.id)),
    )
    if disk.read_only:
        element.append(e("readonly"))
    if disk.shareable:
        element.append(e("shareable"))
    element.append(_address(disk, spec.firmware.chipset))
    return element


def plugged(spec: MachineSpec, disk: Disk, disk_at: DiskAt) -> Element:
    """A disk as it is put into a machine that runs."""
    device = next(one for one in devices(spec) if one.params.get("disk") == str(disk.id))
    element = write_disk(device, spec, disk_at)
    element.append(e("alias", {"name": device.alias}))
    return element


def scsi_controller(spec: MachineSpec) -> Iterator[Element]:
    """The controller of VirtIO-SCSI disks: in every machine that has disks, so that one can come while it runs."""
    if spec.disks:
        place = behind_port(None, SCSI_PORT, spec.firmware.chipset)
        yield e("controller", {"type": "scsi", "index": "0", "model": "virtio-scsi"}, place)


def boot_turns(spec: MachineSpec) -> dict[str, int]:
    """By alias, when the firmware looks at a device; empty where it has no disk or no say."""
    if spec.boot.kernel or not spec.disks:
        return {}
    order: list[str] = []
    for kind in spec.boot_order.devices:
        order += _of_kind(kind, spec)
    return {alias: turn for turn, alias in enumerate(order, start=1)}


def _of_kind(kind: BootDevice, spec: MachineSpec) -> list[str]:
    given = [device for device in devices(spec) if device.kind == _BOOTS.get(kind, DeviceKind.DISK)]
    if kind == BootDevice.NETWORK:
        return [device.alias for device in given]
    drives = [device for device in given if (device.model == CDROM) == (kind == BootDevice.CDROM)]
    return [device.alias for device in sorted(drives, key=lambda device: not device.params.get("bootable"))]


def _address(disk: Disk, chipset: Chipset) -> Element:
    if disk.interface == Interface.VIRTIO:
        return behind_port(None, SCSI_PORT + 1 + disk.slot, chipset)
    if disk.interface == Interface.SATA:
        return e("address", {"type": "drive", "controller": "0", "bus": "0", "target": "0", "unit": str(disk.slot + 1)})
    return e("address", {"type": "drive", "controller": "0", "bus": "0", "target": "0", "unit": str(disk.slot)})
