"""What a machine is made of: one frozen value that the rows expose, the drivers build, and the rules compare."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Self
from uuid import UUID

from .console import Console, Firmware, Level, Offer, Protocol
from .errors import Refusal

MEMORY_MIB: Final = (64, 4 * 1024 * 1024)
CPUS: Final = 256

# oVirt's own rule for names, narrowed to what libvirt and a file system take too.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_BOOT_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
NAME_LENGTH: Final = 64


class VmType(StrEnum):
    """What a machine is optimized for."""

    DESKTOP = "desktop"
    SERVER = "server"
    HIGH_PERFORMANCE = "high_performance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """Virtual CPUs: sockets x cores per socket x threads per core."""

    sockets: int = 1
    cores: int = 1
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("sockets", "cores", "threads"):
            _between(name, getattr(self, name), 1, CPUS)
        _between("sockets", self.total, 1, CPUS)

    @property
    def total(self) -> int:
        return self.sockets * self.cores * self.threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """A kernel started directly, by the names of files in the engine's boot library; empty: the firmware decides."""

    kernel: str = ""
    initrd: str = ""
    parameters: str = ""

    def __post_init__(self) -> None:
        for name in ("kernel", "initrd"):
            text = getattr(self, name)
            if text and not _BOOT_FILE.fullmatch(text):
                raise Refusal("ILLEGAL_VALUE", name, value=text, allowed="a file name in the boot library")
        for name in ("initrd", "parameters"):
            if getattr(self, name) and not self.kernel:
                raise Refusal("ILLEGAL_VALUE", name, value=getattr(self, name), allowed="nothing without a kernel")
        if not self.parameters.isprintable():
            raise Refusal("ILLEGAL_VALUE", "parameters", value=self.parameters, allowed="one line of printable text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Nic:
    """A virtio network card on the host's user-mode network: DHCP and outgoing connections."""

    mac: str


Address = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSpec:
    """Everything that a hypervisor must know to build a machine; memory in MiB.

    `machine` and `addresses` pin what the first start chose, so that no later change moves another device.
    """

    id: UUID
    name: str
    level: Level = Level.V4_8
    memory: int = 1024
    cpu: Topology = field(default_factory=Topology)
    vm_type: VmType = VmType.SERVER
    firmware: Firmware = Firmware.BIOS
    boot: Boot = field(default_factory=Boot)
    console: Console = field(default_factory=Console)
    start_paused: bool = False
    nics: tuple[Nic, ...] = ()
    machine: str = ""
    addresses: Mapping[str, Address] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self.name)
        _between("memory", self.memory, *MEMORY_MIB)

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
        console = self.console
        vnc, spice = Protocol.VNC in console.graphics, Protocol.SPICE in console.graphics
        return {
            "name": self.name,
            "memory": self.memory,
            "cpu": (self.cpu.sockets, self.cpu.cores, self.cpu.threads),
            "vm_type": self.vm_type,
            "firmware": self.firmware,
            "kernel": self.boot.kernel,
            "initrd": self.boot.initrd,
            "parameters": self.boot.parameters,
            "headless": console.headless,
            "video_type": console.video_label,
            "graphics_protocol": console.graphics_label,
            "keyboard": console.keyboard if vnc else None,
            "monitors": console.heads or None,
            "usb": console.usb,
            "smartcard": console.smartcard if spice else None,
            "sound": None if console.headless else console.sound,
            "file_transfer": console.file_transfer if spice else None,
            "copy_paste": console.copy_paste if spice else None,
            "serial": console.serial,
        }

    def differs_from(self, running: "MachineSpec") -> tuple[str, ...]:
        """The keys of `shape()` that need a restart before a guest started as `running` has them."""
        theirs = running.shape()
        return tuple(
            key
            for key, value in self.shape().items()
            if value != theirs[key] and value is not None and theirs[key] is not None
        )


FROM_INSTANCE_TYPE: Final = ("memory", "cpu", "console")
FROM_TEMPLATE: Final = (*FROM_INSTANCE_TYPE, "vm_type", "firmware", "boot", "start_paused")


def check_name(name: str, field_name: str = "name") -> None:
    """Refuse a name that oVirt, libvirt or a file system would not take."""
    if len(name) > NAME_LENGTH or not _NAME.fullmatch(name):
        raise Refusal(
            "ACTION_TYPE_FAILED_INVALID_CHARACTERS_IN_NAME", field_name, name=name[:NAME_LENGTH], length=NAME_LENGTH
        )


def mac_of(machine: UUID, index: int) -> str:
    """A MAC address that belongs to one machine's card for ever, in QEMU's own range."""
    digest = hashlib.sha256(f"{machine}/nic/{index}".encode()).hexdigest()
    return "52:54:00:" + ":".join(digest[start : start + 2] for start in (0, 2, 4))


def _between(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise Refusal("ILLEGAL_VALUE", name, value=value, allowed=f"{low} … {high}")
