"""The CD of a first boot, in the XML of that run alone."""

from vms.domain.disks import Interface
from vms.domain.errors import Refusal
from vms.domain.machine import MachineSpec

from .elements import Element, e

_UNITS = (5, 4, 3, 2, 1)  # of the machine's own SATA controller; 0 is the drive that is always there


def write_seed(spec: MachineSpec, path: str) -> Element:
    """A drive of its own for it, on a port that no disk has."""
    taken = {disk.slot + 1 for disk in spec.disks if disk.interface == Interface.SATA}
    unit = next((unit for unit in _UNITS if unit not in taken), None)
    if unit is None:
        raise Refusal("ILLEGAL_VALUE", "disks", value="SATA", allowed="one port left for the CD of the first boot")
    return e(
        "disk",
        {"type": "file", "device": "cdrom"},
        e("driver", {"name": "qemu", "type": "raw"}),
        e("source", {"file": path}),
        e("target", {"dev": f"sd{chr(ord('a') + unit)}", "bus": "sata"}),
        e("readonly"),
        e("address", {"type": "drive", "controller": "0", "bus": "0", "target": "0", "unit": str(unit)}),
    )
