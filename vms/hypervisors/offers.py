"""What a libvirt host offers, as its daemon tells."""

from typing import Any, Final

from lxml import etree

from vms.domain.console import Firmware
from vms.domain.console import Protocol as GraphicsProtocol
from vms.domain.hosts import Capabilities

from . import networks
from .connections import Location

USER_MODE_ALONE: Final = "NETWORKS=user"


def capabilities(connection: Any, location: Location) -> Capabilities:
    """The host's capabilities with the accelerator that was decided on."""
    told = etree.fromstring(connection.getDomainCapabilities(None, "x86_64", "q35", location.accelerator, 0).encode())
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
        firmwares=frozenset(
            {Firmware.BIOS, Firmware.UEFI} if "efi" in _values(told, "os", "firmware") else {Firmware.BIOS}
        ),
        machine=told.findtext("machine") or "q35",
        cpus=info[2],
        memory=info[1],
        hypervisor=f"QEMU {version // 1_000_000}.{version // 1000 % 1000}.{version % 1000}",
        emulator=told.findtext("path") or "",
        cpu_models=frozenset(model.text or "" for model in told.iterfind("cpu/mode[@name='custom']/model")),
        machines=frozenset(name for name in (machine.text or "" for machine in machines) if name.startswith("pc-q35-")),
        # A daemon of one user's has no control groups, and refuses what needs them (libvirt: qemuProcessStart).
        schedules=not connection.getURI().endswith("/session"),
        uuid=host.findtext("host/uuid") or "",
        networks=not why_none,
        networks_reason=why_none,
        bridges=networks.bridges(connection),
        libvirt_networks=networks.libvirt_networks(connection),
    )


def _values(told: Any, path: str, name: str) -> set[str]:
    return {value.text or "" for value in told.iterfind(f"{path}/enum[@name='{name}']/value")}
