"""What a host can do, as its hypervisor tells, and what it says of the machines on it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from uuid import UUID

from .console import SPICE_AND_VNC, Console, Graphics, Protocol
from .errors import Refusal
from .firmware import Chipset, Firmware
from .lifecycle import Status
from .machine import HOST_PASSTHROUGH, Address, MachineSpec
from .networks import NetworkKind, Wire
from .runonce import LOOPBACK, Run

SUBJECT_LENGTH: Final = 255
_ADDRESS: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}")


class NoOffline(StrEnum):
    """What keeps a host from looking into the disks of machines that are off."""

    UNTOLD = "untold"  # it has not said that it can
    REMOTE = "remote"  # its disks lie where the engine's programs do not reach
    ACCESS = "access"  # they are another user's
    PROGRAM = "program"
    KERNEL = "kernel"  # the appliance would have none to boot


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a host's hypervisor offers; `accelerator` is `kvm` or `qemu` (emulation) with the reason for it.

    `videos`, `cpu_models` and `machines` are libvirt's names, `machine` and `legacy_machine` the ones it takes for each
    chipset; `tpm` tells whether the host emulates one (swtpm); memory is in MiB; `schedules` tells whether the host's
    kernel weighs machines against each other for us (control groups), `uuid` is the host's own. `networks` tells
    whether networks of ours can be carried there, with the reason why not; `bridges` and `libvirt_networks` are there
    already, None where nobody could tell. `no_offline` is why the disks of machines that are off are not looked into.
    """

    accelerator: str = "qemu"
    accelerator_reason: str = ""
    graphics: Graphics = SPICE_AND_VNC
    videos: frozenset[str] = frozenset({"vga", "virtio", "qxl", "cirrus", "bochs"})
    firmwares: frozenset[Firmware] = frozenset(Firmware)
    tpm: bool = False
    machine: str = "pc-q35-7.2"
    legacy_machine: str = "pc-i440fx-7.2"
    cpus: int = 1
    memory: int = 65_536
    hypervisor: str = ""
    emulator: str = "/usr/bin/qemu-system-x86_64"
    cpu_models: frozenset[str] = frozenset()
    machines: frozenset[str] = frozenset()
    schedules: bool = False
    uuid: str = ""
    networks: bool = False
    networks_reason: str = ""
    bridges: frozenset[str] | None = None
    libvirt_networks: frozenset[str] | None = None
    no_offline: NoOffline | None = NoOffline.UNTOLD

    def machine_for(self, firmware: Firmware) -> str:
        """The machine type that the host takes for the firmware's chipset."""
        return self.machine if firmware.chipset == Chipset.Q35 else self.legacy_machine

    def lacks(self, spec: MachineSpec) -> str:
        """What the machine asks for that the host does not have, by its own name; empty when it has all."""
        if missing := spec.console.graphics - self.graphics:
            return " + ".join(sorted(protocol.upper() for protocol in missing))
        if spec.firmware not in self.firmwares:
            return spec.firmware.label
        if spec.tpm and not self.tpm:
            return "TPM"
        if spec.cpu_model and spec.cpu_model != HOST_PASSTHROUGH and spec.cpu_model not in self.cpu_models:
            return spec.cpu_model
        machine = spec.emulated_machine
        if machine and machine not in self.machines:
            return machine
        wires = (nic.wire for nic in spec.nics if nic.plugged and nic.wire is not None)
        return next(filter(None, map(self.lacks_wire, wires)), "")

    def lacks_wire(self, wire: Wire) -> str:
        """What carries a network and is not on this host; empty when it is, or nobody could tell."""
        match wire.kind:
            case NetworkKind.BRIDGE:
                return wire.source if self.bridges is not None and wire.source not in self.bridges else ""
            case NetworkKind.LIBVIRT:
                there = self.libvirt_networks
                return wire.source if there is not None and wire.source not in there else ""
            case NetworkKind.NAT | NetworkKind.ISOLATED if not self.networks:
                return "NAT" if wire.kind == NetworkKind.NAT else "DHCP"
        return ""


class Ended(StrEnum):
    """Why a machine is not running any more; by the last two it is paused, and goes on when that is cured."""

    GUEST = "guest"  # it powered itself off, or followed a shutdown request
    REBOOT = "reboot"  # its guest rebooted while a reboot ends the run
    STOPPED = "stopped"  # power off
    CRASHED = "crashed"  # its QEMU died
    SAVED = "saved"
    UNKNOWN = "unknown"
    NO_SPACE = "enospc"  # a write of its guest found no room
    IO_ERROR = "eio"  # a disk of its guest could not be read or written


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a graphical console listens."""

    protocol: Protocol
    address: str
    port: int = -1
    tls_port: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Doorway:
    """How viewers elsewhere reach the screens of a host; as long as it listens on its loopback they do not.

    `address` is what they are told, `secure` that the host's QEMU has certificates: `authority` (PEM) made them, for
    `subject`. An address that stands for all of the host's is told to nobody.
    """

    listen: str = LOOPBACK
    address: str = ""
    secure: bool = False
    authority: str = ""
    subject: str = ""

    def __post_init__(self) -> None:
        listening = _ip(self.listen)
        if listening is None:
            raise Refusal("ILLEGAL_VALUE", "console_listen", value=self.listen[:60], allowed="an IP address")
        if self.address and not _ADDRESS.fullmatch(self.address):
            allowed = "a name or an IP address"
            raise Refusal("ILLEGAL_VALUE", "console_address", value=self.address[:60], allowed=allowed)
        if listening.is_unspecified and not self.address:
            allowed = "the name or IP address by which viewers reach the host"
            raise Refusal("ILLEGAL_VALUE", "console_address", value="", allowed=allowed)
        if len(self.subject) > SUBJECT_LENGTH or not self.subject.isprintable():
            allowed = "a subject like C=DE,O=Example,CN=host.example.org"
            raise Refusal("ILLEGAL_VALUE", "console_subject", value=self.subject[:60], allowed=allowed)

    @property
    def open(self) -> bool:
        """Whether anybody elsewhere reaches them."""
        listening = _ip(self.listen)
        return listening is not None and not listening.is_loopback

    def told(self, endpoint: Endpoint) -> Endpoint:
        """Where a screen listens, as viewers are told: a run that began before the doorway was opened stays closed."""
        listening = _ip(endpoint.address)
        if listening is None or listening.is_loopback:
            return endpoint
        return replace(endpoint, address=self.address or self.listen)


def _ip(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a hypervisor says of one machine at one moment.

    `run` is rebuilt from the live definition: null when it is not running or not started by us. `machine` and
    `addresses` are what the hypervisor chose, keyed by device alias; `cold_reboot` says that a reboot ends the run,
    `agent` that a guest agent is connected, which may still not answer. `console` is the nearest that our rules know to
    what it shows; `definition` is what it would be started with by its hypervisor alone, in that one's own words.
    """

    id: UUID
    name: str
    status: Status
    ended: Ended | None = None
    run: Run | None = None
    endpoints: tuple[Endpoint, ...] = ()
    machine: str = ""
    addresses: Mapping[str, Address] = field(default_factory=dict)
    cold_reboot: bool = False
    agent: bool = False
    console: Console | None = None
    definition: str = field(default="", compare=False)
