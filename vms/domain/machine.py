"""What a machine is made of: one frozen value that the rows expose, the drivers build, and the rules compare."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from typing import Final, Self
from uuid import UUID
from zoneinfo import available_timezones

from . import properties
from .console import Console, Level, Offer, Protocol
from .disks import Disk
from .errors import Refusal
from .firmware import Chipset, Firmware
from .networks import Nic
from .osinfo import DEFAULT, OPERATING_SYSTEMS, OperatingSystem
from .parts import Boot, BootOrder, Rng, SerialNumber, Topology, Watchdog, between

MEMORY_MIB: Final = (64, 4 * 1024 * 1024)
PRIORITY: Final = (1, 100)  # oVirt's low is 1, medium 50, high 100
CPU_SHARES: Final = (2, 262_144)  # what the kernel's scheduler takes; 1024 is an ordinary machine's part
IO_THREADS: Final = (0, 64)
NICS: Final = 8  # cards for which there is a place on the bus
HOST_PASSTHROUGH: Final = "host-passthrough"  # the guest sees the host's own processor

# oVirt's own rule for names, narrowed to what libvirt and a file system take too.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
NAME_LENGTH: Final = 64


class VmType(StrEnum):
    """What a machine is optimized for."""

    DESKTOP = "desktop"
    SERVER = "server"
    HIGH_PERFORMANCE = "high_performance"


class MigrationMode(StrEnum):
    """Who may move the machine to another host while it runs (oVirt: MigrationSupport, by its REST names)."""

    MIGRATABLE = "migratable"
    USER_MIGRATABLE = "user_migratable"
    PINNED = "pinned"


Address = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSpec:
    """Everything that a hypervisor must know to build a machine, and the engine to look after it; memory in MiB.

    `maximum_memory` and `guaranteed_memory` follow `memory` where they are None. `cpu_model` and `emulated_machine`
    are the host's choice where they are empty, `time_zone` the operating system's; `hosts` are those that it may start
    on, any for none. `cpu_shares` 0 leaves the scheduler's own weight; `restart` has it started again after a failure,
    `priority` says in which order.
    `machine` and `addresses` pin what the first start chose, so that no later change moves another device; another
    chipset begins anew. A `tpm` is a chip of the machine's own, which UEFI alone knows to use.
    """

    id: UUID
    name: str
    level: Level = Level.V4_8
    os: str = DEFAULT
    memory: int = 1024
    maximum_memory: int | None = None
    guaranteed_memory: int | None = None
    cpu: Topology = field(default_factory=Topology)
    cpu_model: str = ""
    emulated_machine: str = ""
    vm_type: VmType = VmType.SERVER
    firmware: Firmware = Firmware.BIOS
    tpm: bool = False
    time_zone: str = ""
    serial_number: SerialNumber = field(default_factory=SerialNumber)
    boot_order: BootOrder = field(default_factory=BootOrder)
    boot: Boot = field(default_factory=Boot)
    console: Console = field(default_factory=Console)
    start_paused: bool = False
    hosts: tuple[UUID, ...] = ()
    migration: MigrationMode = MigrationMode.MIGRATABLE
    restart: bool = False
    priority: int = 1
    watchdog: Watchdog | None = None
    cpu_shares: int = 0
    ballooning: bool = True
    io_threads: int = 0
    rng: Rng | None = field(default_factory=Rng)
    custom_properties: Mapping[str, str] = field(default_factory=dict)
    nics: tuple[Nic, ...] = ()
    disks: tuple[Disk, ...] = ()
    machine: str = ""
    addresses: Mapping[str, Address] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self.name)
        between("memory", self.memory, *MEMORY_MIB)
        self._check_memory()
        between("priority", self.priority, *PRIORITY)
        between("io_threads", self.io_threads, *IO_THREADS)
        if self.cpu_shares:
            between("cpu_shares", self.cpu_shares, *CPU_SHARES)
        self._check_words()
        self._check_board()
        between("nics", len(self.nics), 0, NICS)
        properties.check(self.custom_properties)

    @property
    def maximum(self) -> int:
        """The memory that the machine can be given while it runs, in MiB."""
        return self.maximum_memory or self.memory

    @property
    def guaranteed(self) -> int:
        """The memory that its host keeps for it in any case, in MiB."""
        return self.guaranteed_memory or self.memory

    @property
    def pinned_machine(self) -> str:
        """The machine type that its first start chose, as long as it has that chipset."""
        return self.machine if chipset_of(self.machine) == self.firmware.chipset else ""

    @property
    def pinned_addresses(self) -> Mapping[str, Address]:
        """Where its devices sit, as long as it has that chipset."""
        return self.addresses if self.pinned_machine or not self.machine else {}

    @property
    def operating_system(self) -> OperatingSystem:
        return OPERATING_SYSTEMS[self.os]

    def inherit(self, source: "MachineSpec", fields: Iterable[str]) -> Self:
        """This machine with the named fields of another (`FROM_TEMPLATE`, `FROM_INSTANCE_TYPE`)."""
        return replace(self, **{name: getattr(source, name) for name in fields})

    def offer(self, level: Level | None, protocols: frozenset[Protocol]) -> Offer:
        """What a cluster makes possible for this machine's firmware and type."""
        return Offer(level=level, firmware=self.firmware, server=self.vm_type == VmType.SERVER, protocols=protocols)

    def shape(self) -> dict[str, object]:
        """What a running guest cannot change, by the key under which a change is listed.

        Only what takes effect counts: a keyboard layout without VNC is None, so changing it leaves nothing pending.
        """
        return {
            "name": self.name,
            "os": self.os,
            "memory": self.memory,
            "maximum_memory": self.maximum if self.maximum > self.memory else 0,
            "cpu": (self.cpu.sockets, self.cpu.cores, self.cpu.threads),
            "cpu_model": self.cpu_model,
            "emulated_machine": self.emulated_machine,
            "vm_type": self.vm_type,
            "firmware": self.firmware,
            "tpm": self.tpm,
            "time_zone": self.time_zone,
            "serial_number": (self.serial_number.policy, self.serial_number.value),
            "boot_devices": self.boot_order.text,
            "boot_menu": self.boot_order.menu,
            "cd": self.boot.cd,
            "kernel": self.boot.kernel,
            "initrd": self.boot.initrd,
            "parameters": self.boot.parameters,
            **self._console_shape(),
            "watchdog": self.watchdog.action.value if self.watchdog else "",
            "cpu_shares": self.cpu_shares,
            "ballooning": self.ballooning,
            "io_threads": self.io_threads,
            "rng": (self.rng.source, self.rng.bytes, self.rng.period) if self.rng else (),
            "custom_properties": tuple(sorted(self.custom_properties.items())),
            "disks": tuple(sorted((disk.id, disk.interface, disk.bootable, disk.read_only) for disk in self.disks)),
            "nics": tuple(sorted((nic.shape for nic in self.nics if nic.plugged), key=str)),
        }

    def differs_from(self, running: "MachineSpec") -> tuple[str, ...]:
        """The keys of `shape()` that need a restart before a guest started as `running` has them."""
        theirs = running.shape()
        return tuple(
            key
            for key, value in self.shape().items()
            if value != theirs[key] and value is not None and theirs[key] is not None
        )

    def _console_shape(self) -> dict[str, object]:
        console = self.console
        vnc, spice = Protocol.VNC in console.graphics, Protocol.SPICE in console.graphics
        return {
            "headless": console.headless,
            "video_type": console.video_label,
            "graphics_protocol": console.graphics_label,
            "keyboard": console.keyboard if vnc else None,
            "monitors": console.heads or None,
            "usb": console.usb,
            "smartcard": console.smartcard if spice else None,
            "sso": None if console.headless else console.sso,
            "sound": None if console.headless else console.sound,
            "file_transfer": console.file_transfer if spice else None,
            "copy_paste": console.copy_paste if spice else None,
            "serial": console.serial,
            "recording": console.recording.value if console.serial else None,
        }

    def _check_memory(self) -> None:
        if self.maximum_memory is not None:
            between("maximum_memory", self.maximum_memory, self.memory, MEMORY_MIB[1])
        if self.guaranteed_memory is not None:
            between("guaranteed_memory", self.guaranteed_memory, 1, self.memory)

    def _check_board(self) -> None:
        if self.tpm and not self.firmware.uefi:
            raise Refusal("TPM_DEVICE_REQUESTED_ON_NON_UEFI", "tpm")
        chipset = self.firmware.chipset
        if self.emulated_machine and chipset_of(self.emulated_machine) not in {chipset, None}:
            value, allowed = self.emulated_machine[:40], f"a machine of the chipset {chipset.upper()}"
            raise Refusal("ILLEGAL_VALUE", "emulated_machine", value=value, allowed=allowed)

    def _check_words(self) -> None:
        if self.os not in OPERATING_SYSTEMS:
            raise Refusal("ILLEGAL_VALUE", "os", value=self.os[:40], allowed=", ".join(OPERATING_SYSTEMS))
        for name in ("cpu_model", "emulated_machine"):
            word = getattr(self, name)
            if word and not _WORD.fullmatch(word):
                raise Refusal("ILLEGAL_VALUE", name, value=word[:40], allowed="one of the names that hosts tell")
        if self.time_zone and self.time_zone not in time_zones():
            raise Refusal("ILLEGAL_VALUE", "time_zone", value=self.time_zone[:40], allowed="a name like Europe/Berlin")


# What a machine that is linked to an instance type has from it for as long as it is (oVirt enforces the same).
LINKED: Final = (
    *("memory", "maximum_memory", "guaranteed_memory", "cpu", "migration", "restart", "priority", "ballooning"),
    "io_threads",
)
FROM_INSTANCE_TYPE: Final = (
    *LINKED,
    *("cpu_model", "emulated_machine", "console", "boot_order", "watchdog", "rng"),
)
FROM_TEMPLATE: Final = (
    *FROM_INSTANCE_TYPE,
    *("os", "vm_type", "firmware", "tpm", "time_zone", "serial_number", "boot", "start_paused", "hosts", "cpu_shares"),
    "custom_properties",
)


def chipset_of(machine: str) -> Chipset | None:
    """The chipset that libvirt's name for a machine type has in it; None where it has none."""
    return next((chipset for chipset in Chipset if chipset in machine), None)


@cache
def time_zones() -> frozenset[str]:
    """The names of all time zones."""
    return frozenset(available_timezones())


def check_name(name: str, field_name: str = "name") -> None:
    """Refuse a name that oVirt, libvirt or a file system would not take."""
    if len(name) > NAME_LENGTH or not _NAME.fullmatch(name):
        raise Refusal(
            "ACTION_TYPE_FAILED_INVALID_CHARACTERS_IN_NAME", field_name, name=name[:NAME_LENGTH], length=NAME_LENGTH
        )
