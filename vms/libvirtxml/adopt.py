"""A domain that somebody else defined, as the nearest machine that our rules know, and what of it they do not know."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from lxml import etree

from vms.domain.console import VNC, Console, Graphics, Protocol, Video
from vms.domain.errors import Refusal
from vms.domain.firmware import Chipset, Firmware
from vms.domain.machine import MEMORY_MIB, NAME_LENGTH, chipset_of
from vms.domain.osinfo import DEFAULT, OPERATING_SYSTEMS
from vms.domain.parts import CPUS, BootDevice, BootOrder, Topology

from .elements import PARSER, Element
from .write import OSINFO


class Odd(StrEnum):
    """What our rules could not have made."""

    VIDEO_WITHOUT_GRAPHICS = "video_without_graphics"
    GRAPHICS_WITHOUT_VIDEO = "graphics_without_video"
    SEVERAL_VIDEOS = "several_videos"
    SEVERAL_GRAPHICS = "several_graphics"
    OTHER_GRAPHICS = "other_graphics"
    OTHER_VIDEO = "other_video"
    VGPU = "vgpu"
    OTHER_MACHINE = "other_machine"
    OTHER_ARCHITECTURE = "other_architecture"
    OTHER_NAME = "other_name"
    OTHER_MEMORY = "other_memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """A foreign domain: `parts` are fields of a `MachineSpec`, `odd` is what they leave out."""

    id: str
    name: str
    parts: dict[str, Any]
    odd: tuple[Odd, ...]

    @property
    def console(self) -> Console:
        console: Console = self.parts["console"]
        return console


@dataclass(frozen=True, slots=True)
class ForeignDevice:
    """One device as its definition tells it."""

    kind: str
    model: str
    details: str
    address: str


_CARDS: Final = {
    "vga": Video.VGA,
    "virtio": Video.VGA,
    "qxl": Video.QXL,
    "cirrus": Video.CIRRUS,
    "bochs": Video.BOCHS,
}
_UNITS: Final = {
    "b": 1,
    "bytes": 1,
    **{
        f"{letter}{unit}": base**power
        for power, letter in enumerate("kmgt", 1)
        for unit, base in (("b", 1000), ("ib", 1024))
    },
    **{letter: 1024**power for power, letter in enumerate("kmgt", 1)},
}
_BOOT: Final = {"hd": BootDevice.HD, "cdrom": BootDevice.CDROM, "network": BootDevice.NETWORK}


def adopt(xml: str) -> Adopted:
    """Read a definition; whatever it is, there is a machine for it."""
    domain = etree.fromstring(xml.encode(), PARSER)
    told = domain.findtext("name") or "domain"
    name, odd = plain_name(told), list(_oddities(domain))
    if name != told:
        odd.append(Odd.OTHER_NAME)
    memory = _mebibytes(domain.find("memory"))
    if memory != max(MEMORY_MIB[0], memory):
        odd.append(Odd.OTHER_MEMORY)
    return Adopted(
        id=domain.findtext("uuid") or "",
        name=name,
        parts={
            "memory": max(MEMORY_MIB[0], memory),
            "cpu": _topology(domain),
            "os": _system(domain),
            "firmware": _firmware(domain),
            "tpm": domain.find("devices/tpm") is not None and _firmware(domain).uefi,
            "boot_order": _boot_order(domain),
            "console": _console(domain),
            "ballooning": domain.find("devices/memballoon[@model='none']") is None,
        },
        odd=tuple(odd),
    )


def console_of(xml: str) -> Console:
    """The nearest console that our rules know: headless without graphics, whatever cards there are."""
    return _console(etree.fromstring(xml.encode(), PARSER))


def _console(domain: Element) -> Console:
    graphics = _protocols(domain)
    serial = domain.find("devices/serial") is not None or domain.find("devices/console") is not None
    if not graphics:
        return Console(serial=serial).as_headless()
    cards = [_CARDS[model] for model in _videos(domain) if model in _CARDS]
    return Console(graphics=graphics, video=cards[0] if cards else _default(graphics), serial=serial)


def plain_name(name: str) -> str:
    """A name that our rules take, as near as possible to one that libvirt took."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip("._-")[:NAME_LENGTH]
    return plain or "domain"


def in_order(xml: str) -> str:
    """The same definition with its controllers in one order, which libvirt turns round by itself at a start."""
    domain = etree.fromstring(xml.encode(), PARSER)
    for devices in domain.iterfind("devices"):
        controllers = devices.findall("controller")
        if not controllers:
            continue
        place = devices.index(controllers[0])
        controllers.sort(key=lambda each: (each.get("type") or "", int(each.get("index") or "0")))
        for controller in controllers:
            devices.remove(controller)
        devices[place:place] = controllers
    etree.indent(domain)
    return etree.tostring(domain, encoding="unicode") + "\n"


def devices_of(xml: str) -> list[ForeignDevice]:
    """Every device of a definition, as it stands there."""
    domain = etree.fromstring(xml.encode(), PARSER)
    return [_device(device) for device in domain.iterfind("devices/*") if device.tag != "emulator"]


def _device(device: Element) -> ForeignDevice:
    model = device.find("model")
    named = (
        device.get("model"),
        model.get("type") or model.get("name") if model is not None else None,
        device.get("type"),
    )
    return ForeignDevice(
        kind=str(device.tag),
        model=next(filter(None, named), "") or "",
        details=", ".join(_details(device)),
        address=_address(device.find("address")),
    )


def _details(device: Element) -> Iterator[str]:
    for path, attributes in (
        ("source", ("file", "dev", "name", "network", "bridge", "pool", "volume", "path")),
        ("target", ("dev", "name")),
        ("mac", ("address",)),
    ):
        if (element := device.find(path)) is not None:
            yield from (str(element.get(name)) for name in attributes if element.get(name))


def _address(address: Element | None) -> str:
    if address is None:
        return ""
    if address.get("type") == "pci":
        parts = [int(address.get(name) or "0", 0) for name in ("domain", "bus", "slot", "function")]
        return "pci {:04x}:{:02x}:{:02x}.{:x}".format(*parts)
    told = {str(key): str(value) for key, value in address.attrib.items()}
    return " ".join(f"{key}={value}" for key, value in sorted(told.items()))


def _oddities(domain: Element) -> Iterator[Odd]:
    kinds = [graphics.get("type") or "" for graphics in domain.iterfind("devices/graphics")]
    cards = _videos(domain)
    ours = [kind for kind in kinds if kind in set(Protocol)]
    questions = {
        Odd.VIDEO_WITHOUT_GRAPHICS: bool(cards) and not kinds,
        Odd.GRAPHICS_WITHOUT_VIDEO: bool(kinds) and not cards,
        Odd.SEVERAL_VIDEOS: len(cards) > 1,
        Odd.SEVERAL_GRAPHICS: len(ours) != len(set(ours)),
        Odd.OTHER_GRAPHICS: len(ours) != len(kinds),
        Odd.OTHER_VIDEO: any(card not in _CARDS for card in cards),
        Odd.VGPU: domain.find("devices/hostdev[@type='mdev']") is not None,
        Odd.OTHER_MACHINE: not any(chipset_of(each.get("machine") or "") for each in domain.iterfind("os/type")),
        Odd.OTHER_ARCHITECTURE: any((each.get("arch") or "x86_64") != "x86_64" for each in domain.iterfind("os/type")),
    }
    yield from (odd for odd, there in questions.items() if there)


def _protocols(domain: Element) -> Graphics:
    kinds = {graphics.get("type") for graphics in domain.iterfind("devices/graphics")}
    return frozenset(protocol for protocol in Protocol if protocol.value in kinds)


def _videos(domain: Element) -> list[str]:
    models = (model.get("type") or "" for model in domain.iterfind("devices/video/model"))
    return [model for model in models if model != "none"]


def _default(graphics: Graphics) -> Video:
    return Video.VGA if graphics == VNC else Video.QXL


def _mebibytes(memory: Element | None) -> int:
    if memory is None:
        return 0
    amount: int = int(float(memory.text or "0")) * _UNITS.get((memory.get("unit") or "KiB").lower(), 1024)
    return min(MEMORY_MIB[1], -(-amount // 1024**2))


def _topology(domain: Element) -> Topology:
    count = max(1, min(CPUS, int(domain.findtext("vcpu") or "1")))
    told = domain.find("cpu/topology")
    if told is not None:
        sockets, cores, threads = (int(told.get(name) or "1") for name in ("sockets", "cores", "threads"))
        try:
            if sockets * cores * threads == count:
                return Topology(sockets=sockets, cores=cores, threads=threads)
        except Refusal:
            pass
    return Topology(sockets=count)


def _system(domain: Element) -> str:
    told = domain.find(f"metadata/{{{OSINFO}}}libosinfo/{{{OSINFO}}}os")
    known = {system.osinfo: key for key, system in OPERATING_SYSTEMS.items() if system.osinfo}
    return known.get(told.get("id") or "", DEFAULT) if told is not None else DEFAULT


def _firmware(domain: Element) -> Firmware:
    system = domain.find("os")
    if system is None:
        return Firmware.BIOS
    loader = system.find("loader")
    if system.get("firmware") == "efi" or (loader is not None and loader.get("type") == "pflash"):
        keys = system.find("firmware/feature[@name='enrolled-keys'][@enabled='yes']")
        return Firmware.UEFI if keys is None else Firmware.SECURE
    machine = next((kind.get("machine") or "" for kind in system.iterfind("type")), "")
    return Firmware.I440FX if chipset_of(machine) == Chipset.I440FX else Firmware.BIOS


def _boot_order(domain: Element) -> BootOrder:
    devices = [_BOOT[dev] for boot in domain.iterfind("os/boot") if (dev := boot.get("dev") or "") in _BOOT]
    menu = domain.find("os/bootmenu[@enable='yes']") is not None
    return BootOrder(devices=tuple(dict.fromkeys(devices)) or (BootDevice.HD,), menu=menu)
