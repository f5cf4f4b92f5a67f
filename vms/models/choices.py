"""What columns of machines may hold, each value with what people read for it, in oVirt's words."""

from enum import StrEnum
from itertools import permutations
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from vms.domain.console import DisconnectAction, Recording, SingleSignOn
from vms.domain.firmware import Firmware
from vms.domain.machine import MigrationMode, VmType
from vms.domain.parts import BootDevice, BootOrder, RngSource, SerialPolicy, WatchdogAction


def _choices(kind: type[StrEnum], *labels: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((member.value, label) for member, label in zip(kind, labels, strict=True))


FIRMWARES: Final = _choices(
    Firmware,
    _("Q35 Chipset with BIOS"),
    _("Q35 Chipset with UEFI"),
    _("Q35 Chipset with SecureBoot"),
    _("I440FX Chipset with BIOS"),
)
VM_TYPES: Final = (
    (VmType.DESKTOP.value, _("Desktop")),
    (VmType.SERVER.value, _("Server")),
    (VmType.HIGH_PERFORMANCE.value, _("High Performance")),
)
MIGRATIONS: Final = _choices(
    MigrationMode,
    _("Allow manual and automatic migration"),
    _("Allow manual migration only"),
    _("Do not allow migration"),
)
SERIAL_POLICIES: Final = _choices(SerialPolicy, _("None"), _("Host ID"), _("VM ID"), _("Custom serial number"))
DISCONNECT_ACTIONS: Final = _choices(
    DisconnectAction,
    _("No action"),
    _("Lock screen"),
    _("Logout user"),
    _("Shutdown virtual machine"),
    _("Reboot virtual machine"),
)
RECORDINGS: Final = _choices(Recording, _("While it is headless"), _("Always"), _("Never"))
SIGN_ONS: Final = _choices(SingleSignOn, _("Disable Single Sign On"), _("Use Guest Agent"))
WATCHDOG_ACTIONS: Final = _choices(
    WatchdogAction, _("No action"), _("Reset"), _("Power off"), _("Pause"), _("Dump and reset")
)
RNG_SOURCES: Final = _choices(RngSource, "/dev/urandom", "/dev/random", "/dev/hwrng")
BOOT_DEVICES: Final = _choices(BootDevice, _("Hard Disk"), "CD-ROM", _("Network (PXE)"))
BOOT_ORDERS: Final = tuple(
    BootOrder(devices=devices).text for count in (1, 2, 3) for devices in permutations(BootDevice, count)
)
