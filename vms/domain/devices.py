"""Everything that a guest would see: one list, from which rows, XML, tabs and previews are made."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

from .console import Protocol, Video
from .machine import MachineSpec
from .networks import Nic

REDIRECTIONS: Final = 4  # oVirt's NumberOfUSBSlots
OUR_ALIAS: Final = "ua-"  # libvirt takes an alias from outside only with this beginning


class DeviceKind(StrEnum):
    """oVirt's VmDeviceGeneralType, by the word its Devices tab shows."""

    GRAPHICS = "graphics"
    VIDEO = "video"
    CONSOLE = "console"
    CONTROLLER = "controller"
    REDIR = "redir"
    SMARTCARD = "smartcard"
    SOUND = "sound"
    CHANNEL = "channel"
    INPUT = "input"
    INTERFACE = "interface"
    BALLOON = "balloon"
    DISK = "disk"
    WATCHDOG = "watchdog"
    RNG = "rng"
    TPM = "tpm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device of one machine; the same machine always gives the same id to the same device."""

    id: UUID
    kind: DeviceKind
    model: str
    params: dict[str, str | int | bool] = field(default_factory=dict)

    @property
    def alias(self) -> str:
        """libvirt's name for it."""
        return f"{OUR_ALIAS}{self.id}"


def devices(spec: MachineSpec) -> tuple[Device, ...]:
    """The devices that `spec` gives its guest, in a stable order; a headless console has neither graphics nor video."""
    seen: dict[tuple[DeviceKind, str], int] = {}

    def device(kind: DeviceKind, model: str, params: Params, key: UUID | None = None) -> Device:
        index = seen.get((kind, model), 0)
        seen[kind, model] = index + 1
        # What comes and goes while others stay is named by itself and not by its turn.
        word = f"disk/{params['disk']}" if "disk" in params else f"{kind}/{model}/{index}"
        return Device(id=key or uuid5(spec.id, word), kind=kind, model=model, params=params)

    return (
        *(device(*parts) for parts in _parts(spec)),
        *(device(DeviceKind.INTERFACE, nic.model.value, _card(nic), nic.id) for nic in spec.nics if nic.plugged),
        *(device(*parts) for parts in _further(spec)),
    )


Params = dict[str, str | int | bool]
Part = tuple[DeviceKind, str, Params]


def _card(nic: Nic) -> Params:
    return {"name": nic.name, "mac": nic.mac, "linked": nic.up}


def _parts(spec: MachineSpec) -> Iterator[Part]:
    yield from _graphical(spec)
    console = spec.console
    if console.serial:
        yield DeviceKind.CONSOLE, "serial", {}
    if console.usb or not console.headless:
        yield DeviceKind.CONTROLLER, "usb", {"model": "qemu-xhci"}
    if Protocol.VNC in console.graphics:
        # A tablet keeps the pointer where the viewer's is; it needs the controller above (ovirt 7aa5141c0a1).
        yield DeviceKind.INPUT, "tablet", {}
    if console.redirection:
        yield from [(DeviceKind.REDIR, "spicevmc", {})] * REDIRECTIONS
    if console.smartcard:
        yield DeviceKind.SMARTCARD, "smartcard", {}
    if console.sound:
        yield DeviceKind.SOUND, "ich9", {}
    yield DeviceKind.CHANNEL, "unix", {"name": "org.qemu.guest_agent.0"}
    if console.signs_on:
        # The agent that logs people in listens on a channel of its own (oVirt: ovirt-guest-agent).
        yield DeviceKind.CHANNEL, "unix", {"name": "ovirt-guest-agent.0"}
    if Protocol.SPICE in console.graphics:
        yield DeviceKind.CHANNEL, "spicevmc", {"name": "com.redhat.spice.0"}


def _further(spec: MachineSpec) -> Iterator[Part]:
    yield DeviceKind.DISK, "cdrom", {"file": spec.boot.cd} if spec.boot.cd else {}
    for disk in spec.disks:
        how = {name: True for name in ("bootable", "read_only", "shareable") if getattr(disk, name)}
        yield DeviceKind.DISK, disk.interface.value, {"disk": str(disk.id), **how}
    if spec.ballooning:
        yield DeviceKind.BALLOON, "memballoon", {"model": "virtio"}
    if spec.rng:
        rate = {"bytes": spec.rng.bytes, "period": spec.rng.period}
        limits: dict[str, str | int | bool] = {name: value for name, value in rate.items() if value is not None}
        yield DeviceKind.RNG, "virtio", {"source": spec.rng.source.value, **limits}
    if spec.watchdog:
        yield DeviceKind.WATCHDOG, spec.watchdog.model, {"action": spec.watchdog.action.value}
    if spec.tpm:
        yield DeviceKind.TPM, "tpm-crb", {"version": "2.0"}


def _graphical(spec: MachineSpec) -> Iterator[Part]:
    console = spec.console
    # VNC first, SPICE last: the last one gets the sound (ovirt e06859fef6c).
    for protocol in (Protocol.VNC, Protocol.SPICE):
        if protocol in console.graphics:
            keyboard: dict[str, str | int | bool] = (
                {"keyboard": console.keyboard} if protocol == Protocol.VNC and console.keyboard else {}
            )
            yield DeviceKind.GRAPHICS, protocol.value, keyboard
    if console.video == Video.QXL:
        heads = console.heads
        # KiB (oVirt: VideoDeviceSettings): a QXL card for a Linux guest carries all heads on one PCI device.
        yield (
            DeviceKind.VIDEO,
            "qxl",
            {"heads": heads, "vram": 32768 * heads, "ram": 65536 * heads, "vgamem": 16384 * heads},
        )
    elif console.video is not None:
        yield DeviceKind.VIDEO, console.video.value, {"heads": 1, "vram": 16384}
