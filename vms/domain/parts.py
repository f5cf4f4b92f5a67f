"""What a machine is made of beside its console: processors, boot, serial number, watchdog, randomness."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .errors import Refusal

CPUS: Final = 256
RNG_RATE: Final = (1, 1_000_000_000)

_BOOT_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SERIAL: Final = re.compile(r"[A-Za-z0-9 ._:/-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """Virtual CPUs: sockets x cores per socket x threads per core."""

    sockets: int = 1
    cores: int = 1
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("sockets", "cores", "threads"):
            between(name, getattr(self, name), 1, CPUS)
        between("sockets", self.total, 1, CPUS)

    @property
    def total(self) -> int:
        return self.sockets * self.cores * self.threads


class BootDevice(StrEnum):
    """Where the firmware looks for something to start, by oVirt's word."""

    HD = "hd"
    CDROM = "cdrom"
    NETWORK = "network"


@dataclass(frozen=True, slots=True, kw_only=True)
class BootOrder:
    """The devices that the firmware tries one after the other, and whether it shows a menu of them first."""

    devices: tuple[BootDevice, ...] = (BootDevice.HD,)
    menu: bool = False

    def __post_init__(self) -> None:
        if not self.devices or len(set(self.devices)) != len(self.devices):
            value = ", ".join(self.devices)
            raise Refusal("ILLEGAL_VALUE", "boot_devices", value=value, allowed="each device once, at least one")

    @property
    def text(self) -> str:
        return ",".join(self.devices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """A CD in the drive, and a kernel started directly, by the names of files in the engine's boot library; without a
    kernel the firmware decides."""

    cd: str = ""
    kernel: str = ""
    initrd: str = ""
    parameters: str = ""

    def __post_init__(self) -> None:
        for name in ("cd", "kernel", "initrd"):
            text = getattr(self, name)
            if text and not _BOOT_FILE.fullmatch(text):
                raise Refusal("ILLEGAL_VALUE", name, value=text, allowed="a file name in the boot library")
        for name in ("initrd", "parameters"):
            if getattr(self, name) and not self.kernel:
                raise Refusal("ILLEGAL_VALUE", name, value=getattr(self, name), allowed="nothing without a kernel")
        if not self.parameters.isprintable():
            raise Refusal("ILLEGAL_VALUE", "parameters", value=self.parameters, allowed="one line of printable text")

    @property
    def files(self) -> tuple[str, ...]:
        """The files that a start needs."""
        return tuple(filter(None, (self.cd, self.kernel, self.initrd)))


class SerialPolicy(StrEnum):
    """Which serial number the guest's SMBIOS shows (oVirt: SerialNumberPolicy)."""

    NONE = "none"
    HOST = "host"
    VM = "vm"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialNumber:
    """The serial number of the machine itself; `value` with the policy `custom` alone."""

    policy: SerialPolicy = SerialPolicy.NONE
    value: str = ""

    def __post_init__(self) -> None:
        if (self.policy == SerialPolicy.CUSTOM) != bool(self.value):
            allowed = "a serial number with the policy custom, and only with it"
            raise Refusal("ILLEGAL_VALUE", "serial_value", value=self.value, allowed=allowed)
        if self.value and not _SERIAL.fullmatch(self.value):
            allowed = "64 letters, digits, blanks and . _ : / - at most"
            raise Refusal("ILLEGAL_VALUE", "serial_value", value=self.value[:64], allowed=allowed)


class WatchdogAction(StrEnum):
    """What the hypervisor does when the guest has stopped feeding its watchdog (oVirt: WatchdogAction)."""

    NONE = "none"
    RESET = "reset"
    POWEROFF = "poweroff"
    PAUSE = "pause"
    DUMP = "dump"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchdog:
    """A watchdog card, i6300esb, the one that oVirt offers on x86."""

    action: WatchdogAction = WatchdogAction.NONE

    @property
    def model(self) -> str:
        return "i6300esb"


class RngSource(StrEnum):
    """Where on the host a guest's randomness comes from."""

    URANDOM = "urandom"
    RANDOM = "random"
    HWRNG = "hwrng"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rng:
    """A random number generator; at most `bytes` in each `period` of milliseconds where they are given."""

    source: RngSource = RngSource.URANDOM
    bytes: int | None = None
    period: int | None = None

    def __post_init__(self) -> None:
        if self.period is not None and self.bytes is None:
            raise Refusal("ILLEGAL_VALUE", "rng_period", value=self.period, allowed="nothing without bytes")
        for name in ("bytes", "period"):
            if (value := getattr(self, name)) is not None:
                between(f"rng_{name}", value, *RNG_RATE)


def between(name: str, value: int, low: int, high: int) -> None:
    """Refuse a number outside its range."""
    if not low <= value <= high:
        raise Refusal("ILLEGAL_VALUE", name, value=value, allowed=f"{low} … {high}")
