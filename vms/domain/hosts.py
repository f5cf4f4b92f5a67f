"""What a host can do, as its hypervisor tells, and what it says of the machines on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from .console import SPICE_AND_VNC, Firmware, Graphics, Protocol
from .lifecycle import Status
from .machine import Address
from .runonce import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a host's hypervisor offers; `accelerator` is `kvm` or `qemu` (emulation) with the reason for it.

    `videos` are libvirt's model names; memory is in MiB.
    """

    accelerator: str = "qemu"
    accelerator_reason: str = ""
    graphics: Graphics = SPICE_AND_VNC
    videos: frozenset[str] = frozenset({"vga", "virtio", "qxl", "cirrus", "bochs"})
    firmwares: frozenset[Firmware] = frozenset(Firmware)
    machine: str = "pc-q35-7.2"
    cpus: int = 1
    memory: int = 1024
    hypervisor: str = ""
    emulator: str = "/usr/bin/qemu-system-x86_64"


class Ended(StrEnum):
    """Why a machine is not running any more."""

    GUEST = "guest"  # it powered itself off, or followed a shutdown request
    REBOOT = "reboot"  # its guest rebooted while a reboot ends the run
    STOPPED = "stopped"  # power off
    CRASHED = "crashed"  # its QEMU died
    SAVED = "saved"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a graphical console listens."""

    protocol: Protocol
    address: str
    port: int = -1
    tls_port: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a hypervisor says of one machine at one moment.

    `run` is rebuilt from the live definition: null when it is not running or not started by us. `machine` and
    `addresses` are what the hypervisor chose, keyed by device alias; `cold_reboot` says that a reboot ends the run.
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
