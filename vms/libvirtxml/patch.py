"""Somebody else's definition with the little changed in it that we were asked for; all else stays as it is.

No other device moves: whatever has an address keeps it, and what is added has none, so that libvirt finds it a free
place.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from lxml import etree

from vms.domain.console import Protocol
from vms.domain.document import run_to_document
from vms.domain.hosts import Capabilities
from vms.domain.machine import MachineSpec
from vms.domain.parts import Boot
from vms.domain.runonce import Run

from .adopt import adopt
from .devices import write_devices
from .elements import PARSER, Element, e
from .write import NAMESPACE, PREFIX

# Fields of a machine that can be changed in a definition which is not ours.
PATCHED: Final = frozenset({"name", "memory", "cpu", "boot_order", "console"})
# What of a console cannot: these are devices of their own.
UNPATCHED: Final = frozenset({"wants_usb", "wants_smartcard", "wants_sound", "sso"})
# What follows a machine without being in its definition.
BESIDE: Final = frozenset(
    {"guaranteed_memory", "vm_type", "start_paused", "hosts", "migration", "restart", "priority", "level", "os"}
)


def patch(xml: str, spec: MachineSpec, host: Capabilities, *, run: Run | None = None, anew: bool = False) -> str:
    """The definition with what `spec` has otherwise; the very text where that is nothing.

    With `run` it is the XML of a start, which carries the run; `anew` writes the console as our rules have it even
    where it looks the same.
    """
    domain = etree.fromstring(xml.encode(), PARSER)
    there = adopt(xml)
    changed = [name for name in ("memory", "cpu", "boot_order") if there.parts[name] != getattr(spec, name)]
    for name in changed:
        _PATCHES[name](domain, spec)
    shown = there.console
    if anew or (shown.graphics, shown.video) != (spec.console.graphics, spec.console.video):
        changed.append("display")
        _display(domain, spec, host)
    if shown.serial != spec.console.serial:
        changed.append("serial")
        _serial(domain, serial=spec.console.serial)
    if run is not None:
        changed.append("run")
        _carry(domain, run)
    return etree.tostring(domain, encoding="unicode") if changed else xml


def _memory(domain: Element, spec: MachineSpec) -> None:
    for name in ("memory", "currentMemory"):
        _text(domain, name, str(spec.memory)).set("unit", "MiB")
    cells = domain.findall("cpu/numa/cell")
    if len(cells) == 1:
        cells[0].set("memory", str(spec.memory))
        cells[0].set("unit", "MiB")


def _cpu(domain: Element, spec: MachineSpec) -> None:
    vcpu = _text(domain, "vcpu", str(spec.cpu.total))
    if vcpu.get("current"):
        del vcpu.attrib["current"]
    for listed in domain.findall("vcpus"):
        domain.remove(listed)
    if (topology := domain.find("cpu/topology")) is not None:
        for name in ("sockets", "cores", "threads"):
            topology.set(name, str(getattr(spec.cpu, name)))
        for name in ("dies", "clusters"):
            if topology.get(name):
                topology.set(name, "1")
    elif spec.cpu.cores * spec.cpu.threads > 1:
        cpu = domain.find("cpu")
        if cpu is None:
            cpu = e("cpu")
            domain.append(cpu)
        told = {name: str(getattr(spec.cpu, name)) for name in ("sockets", "cores", "threads")}
        cpu.insert(0 if cpu.find("model") is None else 1, e("topology", told))


def _boot(domain: Element, spec: MachineSpec) -> None:
    system = domain.find("os")
    assert system is not None
    for boot in system.findall("boot"):
        system.remove(boot)
    for device in domain.iterfind("devices/*"):  # one order or the other: libvirt takes no mixture
        for boot in device.findall("boot"):
            device.remove(boot)
    for menu in system.findall("bootmenu"):
        system.remove(menu)
    system.extend(e("boot", {"dev": device.value}) for device in spec.boot_order.devices)
    if spec.boot_order.menu:
        system.append(e("bootmenu", {"enable": "yes"}))


def _display(domain: Element, spec: MachineSpec, host: Capabilities) -> None:
    devices = domain.find("devices")
    assert devices is not None
    for kind in ("graphics", "video"):
        for device in devices.findall(kind):
            devices.remove(device)
    if Protocol.SPICE not in spec.console.graphics:
        _drop_what_rides_on_spice(devices)
    screens = replace(spec, disks=(), nics=(), boot=Boot())
    ours = write_devices(screens, host, lambda name: name, lambda disk: disk.volume)
    for device in ours.findall("graphics") + ours.findall("video"):
        for address in device.findall("address"):
            device.remove(address)
        devices.append(device)


def _drop_what_rides_on_spice(devices: Element) -> None:
    """libvirt refuses these without SPICE."""
    for device in devices.findall("*[@type='spicevmc']"):
        devices.remove(device)
    for audio in devices.findall("audio[@type='spice']"):
        audio.set("type", "none")


def _serial(domain: Element, *, serial: bool) -> None:
    devices = domain.find("devices")
    assert devices is not None
    if not serial:
        for kind in ("serial", "console"):
            for device in devices.findall(kind):
                devices.remove(device)
        return
    devices.append(e("serial", {"type": "pty"}, e("target", {"port": "0"})))
    devices.append(e("console", {"type": "pty"}, e("target", {"type": "serial", "port": "0"})))


def _carry(domain: Element, run: Run) -> None:
    metadata = domain.find("metadata")
    if metadata is None:
        metadata = e("metadata")
        domain.insert(2, metadata)
    for before in metadata.findall(f"{{{NAMESPACE}}}run"):
        metadata.remove(before)
    carried = etree.SubElement(metadata, etree.QName(NAMESPACE, "run"), nsmap={PREFIX: NAMESPACE})
    carried.text = json.dumps(run_to_document(run), sort_keys=True)
    if run.volatile:
        _text(domain, "on_reboot", "destroy")


def _text(domain: Element, name: str, text: str) -> Element:
    element = domain.find(name)
    if element is None:
        element = e(name)
        domain.insert(2, element)
    element.text = text
    return element


_PATCHES: Final[dict[str, Callable[[Any, MachineSpec], None]]] = {"memory": _memory, "cpu": _cpu, "boot_order": _boot}
