"""What a host can do, as its hypervisor tells, and what it says of the machines on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from .console import SPICE_AND_VNC, Firmware, Graphics, Protocol
from .lifecycle import Status
from .machine import HOST_PASSTHROUGH, Address, MachineSpec
from .runonce import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a host's hypervisor offers; `accelerator` is `kvm` or `qemu` (emulation) with the reason for it.

    `videos`, `cpu_models` and `machines` are libvirt's names; memory is in MiB; `schedules` tells whether the host's
    kernel weighs machines against each other for us (control groups), `uuid` is the host's own.
    """

    accelerator: str = "qemu"
    accelerator_reason: str = ""
    graphics: Graphics = SPICE_AND_VNC
    videos: frozenset[str] = frozenset({"vga", "virtio", "qxl", "cirrus", "bochs"})
    firmwares: frozenset[Firmware] = frozenset(Firmware)
    machine: str = "pc-q35-7.2"
    cpus: int = 1
    memory: int = 65_536
    hypervisor: str = ""
    emulator: str = "/usr/bin/qemu-system-x86_64"
    cpu_models: frozenset[str] = frozenset()
    machines: frozenset[str] = frozenset()
    schedules: bool = False
    uuid: str = ""

    def lacks(self, spec: MachineSpec) -> str:
        """What the machine asks for that the host does not have, by its own name; empty when it has all."""
        if missing := spec.console.graphics - self.graphics:
            return " + ".join(sorted(protocol.upper() for protocol in missing))
        if spec.firmware not in self.firmwares:
            return spec.firmware.upper()
        if spec.cpu_model and spec.cpu_model != HOST_PASSTHROUGH and spec.cpu_model not in self.cpu_models:
            return spec.cpu_model
        machine = spec.emulated_machine
        return machine if machine and machine not in self.machines else ""


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
    `addresses` are what the hypervisor chose, keyed by device alias; `cold_reboot` says that a reboot ends the run,
    `agent` that a guest agent is connected, which may still not answer.
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
