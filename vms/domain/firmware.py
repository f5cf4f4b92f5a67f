"""What starts a guest, and the board that it is made for."""

from enum import StrEnum
from typing import Final


class Chipset(StrEnum):
    """The board that a machine is built on; a machine type's name has it."""

    Q35 = "q35"
    I440FX = "i440fx"


class Firmware(StrEnum):
    """What starts the guest and the board that it is made for (oVirt: BiosType); bochs needs UEFI, as a TPM does."""

    BIOS = "bios"
    UEFI = "uefi"
    SECURE = "secure"
    I440FX = "i440fx"

    @property
    def uefi(self) -> bool:
        return self in {Firmware.UEFI, Firmware.SECURE}

    @property
    def chipset(self) -> Chipset:
        return Chipset.I440FX if self == Firmware.I440FX else Chipset.Q35

    @property
    def label(self) -> str:
        """The name that it goes by everywhere."""
        return _FIRMWARE_LABELS[self]


_FIRMWARE_LABELS: Final = {
    Firmware.BIOS: "BIOS",
    Firmware.UEFI: "UEFI",
    Firmware.SECURE: "Secure Boot",
    Firmware.I440FX: "I440FX",
}
