"""The CD of a first boot, in the XML of that run alone."""

from typing import Final

from vms.domain.disks import Interface
from vms.domain.errors import Refusal
from vms.domain.machine import MachineSpec

from .elements import Element, e

_UNITS: Final = (5, 4, 3, 2, 1)  # of the machine's own SATA controller; 0 is the drive that is always there
_BEYOND: Final = 255  # the unit on the SCSI controller, after all that disks can have


def write_seed(spec: MachineSpec, path: str) -> Element:
    """A drive of its own, on the bus that the guest is sure to know: kernels for clouds have no AHCI."""
    if any(disk.interface != Interface.SATA for disk in spec.disks):
        return _drive(path, "sdzz", "scsi", _BEYOND)
    taken = {disk.slot + 1 for disk in spec.disks}
    unit = next((unit for unit in _UNITS if unit not in taken), None)
    if unit is None:
        raise Refusal("ILLEGAL_VALUE", "disks", value="SATA", allowed="one port left for the CD of the first boot")
    return _drive(path, f"sd{chr(ord('a') + unit)}", "sata", unit)


def _drive(path: str, target: str, bus: str, unit: int) -> Element:
    return e(
        "disk",
        {"type": "file", "device": "cdrom"},
        e("driver", {"name": "qemu", "type": "raw"}),
        e("source", {"file": path}),
        e("target", {"dev": target, "bus": bus}),
        e("readonly"),
        e("address", {"type": "drive", "controller": "0", "bus": "0", "target": "0", "unit": str(unit)}),
    )
