"""What a libvirt host offers, as its daemon tells."""

import os
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import libvirt
from lxml import etree

from vms.domain.addresses import Way
from vms.domain.console import Protocol as GraphicsProtocol
from vms.domain.errors import Refusal
from vms.domain.firmware import Chipset, Firmware
from vms.domain.hosts import Capabilities, NoOffline

from . import networks
from .appliance import why_none
from .bootfiles import PoolFiles
from .connections import Location

USER_MODE_ALONE: Final = "NETWORKS=user"
_TYPES: Final = tuple(f"pc-{chipset}-" for chipset in Chipset)
# The first with all that we call: `guestInfo` (5.7), bochs (5.6), firmware chosen by libvirt (5.2); of early 2020, and
# the oldest that a distribution still maintains (Ubuntu 20.04).
OLDEST: Final = 6_000_000


def capabilities(connection: Any, location: Location) -> Capabilities:
    """The host's capabilities with the accelerator that was decided on; refused where its libvirt is too old."""
    require_new_enough(connection, location)
    told, legacy = _of_machine(connection, location, "q35"), _of_legacy(connection, location)
    host = etree.fromstring(connection.getCapabilities().encode())
    machines = host.iterfind("guest/arch[@name='x86_64']/machine")
    info = connection.getInfo()
    version = connection.getVersion()
    graphics = _values(told, "devices/graphics", "type")
    why_none = networks.why_none(connection) if location.networks else USER_MODE_ALONE
    return Capabilities(
        accelerator=location.accelerator,
        accelerator_reason=location.accelerator_reason,
        graphics=frozenset(protocol for protocol in GraphicsProtocol if protocol.value in graphics),
        videos=frozenset(_values(told, "devices/video", "modelType")),
        firmwares=frozenset(_firmwares(told, legacy)),
        tpm=_emulates_tpm(told),
        legacy_machine=legacy,
        machine=told.findtext("machine") or "q35",
        cpus=info[2],
        memory=info[1],
        hypervisor=f"QEMU {_version(version)}",
        emulator=told.findtext("path") or "",
        cpu_models=frozenset(model.text or "" for model in told.iterfind("cpu/mode[@name='custom']/model")),
        machines=frozenset(name for name in (machine.text or "" for machine in machines) if name.startswith(_TYPES)),
        # A daemon of one user's has no control groups, and refuses what needs them (libvirt: qemuProcessStart).
        schedules=not Way.of(connection.getURI()).session,
        uuid=host.findtext("host/uuid") or "",
        networks=not why_none,
        networks_reason=why_none,
        bridges=networks.bridges(connection),
        libvirt_networks=networks.libvirt_networks(connection),
        no_offline=why_not_offline(location),
    )


def why_not_offline(location: Location) -> NoOffline | None:
    """Why the disks of machines that are off cannot be looked into from here; None where they can."""
    if urlsplit(location.uri).hostname:
        return NoOffline.REMOTE
    if os.geteuid() != 0 and isinstance(location.files, PoolFiles):
        return NoOffline.ACCESS
    lacking = why_none()
    return NoOffline(lacking) if lacking else None


def _of_machine(connection: Any, location: Location, machine: str) -> Any:
    return etree.fromstring(connection.getDomainCapabilities(None, "x86_64", machine, location.accelerator, 0).encode())


def _of_legacy(connection: Any, location: Location) -> str:
    """The newest machine type with the old chipset; empty where QEMU has none any more."""
    try:
        return _of_machine(connection, location, "pc").findtext("machine") or ""
    except libvirt.libvirtError:
        return ""


def _firmwares(told: Any, legacy: str) -> Iterator[Firmware]:
    yield Firmware.BIOS
    if legacy:
        yield Firmware.I440FX
    if "efi" in _values(told, "os", "firmware"):
        yield Firmware.UEFI
        if "yes" in _values(told, "os/loader", "secure"):
            yield Firmware.SECURE


def _emulates_tpm(told: Any) -> bool:
    """Whether the host's QEMU and its swtpm make one that our machines have."""
    wanted = {"model": "tpm-crb", "backendModel": "emulator", "backendVersion": "2.0"}
    return all(value in _values(told, "devices/tpm", name) for name, value in wanted.items())


def require_new_enough(connection: Any, location: Location) -> None:
    """Refuse a libvirt that lacks what we call."""
    if (there := connection.getLibVersion()) < OLDEST:
        told = {"version": _version(there), "needed": _version(OLDEST)}
        raise Refusal("HOST_TOO_OLD", None, host=Way.of(location.uri).machine or "localhost", **told)


def _version(number: int) -> str:
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"


def _values(told: Any, path: str, name: str) -> set[str]:
    return {value.text or "" for value in told.iterfind(f"{path}/enum[@name='{name}']/value")}
