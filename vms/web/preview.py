"""What saving makes of a machine: its devices, from the list that its domain XML is written from, and that XML."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any, Final

from vms import messages
from vms.domain.devices import Device, devices
from vms.domain.hosts import Capabilities
from vms.domain.machine import MachineSpec
from vms.libvirtxml.write import write
from vms.messages import Text
from vms.models import Hardware

KEPT, ADDED, REMOVED, CHANGED = "kept", "added", "removed", "changed"
_MARKS: Final = {"+": ADDED, "-": REMOVED, "@": "place"}


@dataclass(frozen=True)
class DeviceLine:
    """One device, and what becomes of it."""

    kind: Text
    model: str
    params: str
    fate: str


@dataclass(frozen=True)
class XmlLine:
    text: str
    mark: str


def device_lines(before: MachineSpec | None, after: MachineSpec) -> list[DeviceLine]:
    """The devices of `after`, and where there is a machine before it what is added, changed and removed."""
    old = {device.id: device for device in devices(before)} if before else {}
    new = devices(after)
    gone = [device for key, device in old.items() if key not in {device.id for device in new}]
    return [
        *(_line(device, REMOVED) for device in gone),
        *(_line(device, _fate(old.get(device.id), device, first=before is None)) for device in new),
    ]


def xml_lines(row: Hardware, before: MachineSpec | None, after: MachineSpec) -> list[XmlLine]:
    """The difference in the domain XML, as a host of the machine's cluster would be given it."""
    host = _host(row)
    old = write(before, host).splitlines() if before else []
    return _difference(old, write(after, host).splitlines())


def text_lines(before: str, after: str) -> list[XmlLine]:
    """The difference between two domain XMLs."""
    return _difference(before.splitlines(), after.splitlines())


def _difference(before: list[str], after: list[str]) -> list[XmlLine]:
    lines = unified_diff(before, after, lineterm="", n=2)
    return [XmlLine(line, _MARKS.get(line[:1], "")) for line in lines if not line.startswith(("---", "+++"))]


def _host(row: Any) -> Capabilities:
    """What a host can do: the one that the machine is on, else any of its cluster that has told, else anything."""
    cluster = getattr(row, "cluster", None)
    hosts = [getattr(row, "host", None), *(cluster.hosts.all() if cluster else ())]
    told: Iterator[Capabilities] = (host.capabilities for host in hosts if host and host.capabilities)
    return next(told, Capabilities())


def _fate(old: Device | None, new: Device, *, first: bool) -> str:
    if old is None:
        return KEPT if first else ADDED
    return KEPT if old.params == new.params else CHANGED


def _line(device: Device, fate: str) -> DeviceLine:
    params = ", ".join(f"{key} {value}" for key, value in sorted(device.params.items()))
    # What a channel is for tells more than how it is made.
    model = str(device.params.get("name", device.model))
    return DeviceLine(messages.DEVICES[device.kind], model, params, fate)
