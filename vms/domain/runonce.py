"""Run Once: an overlay that lies on a machine for one run and reverts by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Self
from uuid import UUID

from .console import HEADLESS, SPICE, SPICE_AND_VNC, VNC, Console, Graphics, Offer, Video
from .machine import MachineSpec
from .parts import Boot, BootOrder

LOOPBACK: Final = "127.0.0.1"


class ConsoleChoice(StrEnum):
    """The console of one run, as the dialog offers it."""

    AS_CONFIGURED = "as_configured"
    HEADLESS = "headless"
    VNC = "vnc"
    SPICE = "spice"
    SPICE_AND_VNC = "spice_and_vnc"

    @property
    def graphics(self) -> Graphics | None:
        return _GRAPHICS[self]


_GRAPHICS: dict[ConsoleChoice, Graphics | None] = {
    ConsoleChoice.AS_CONFIGURED: None,
    ConsoleChoice.HEADLESS: HEADLESS,
    ConsoleChoice.VNC: VNC,
    ConsoleChoice.SPICE: SPICE,
    ConsoleChoice.SPICE_AND_VNC: SPICE_AND_VNC,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOnce:
    """What one run does otherwise; None keeps what is configured.

    `volatile` ends the overlay with the first reboot instead of with the run ("Rollback this configuration during
    reboots"). `boot` is the CD and the kernel line together, as one dialog shows them.
    """

    graphics: Graphics | None = None
    video: Video | None = None
    keyboard: str | None = None
    file_transfer: bool | None = None
    copy_paste: bool | None = None
    serial: bool | None = None
    boot_order: BootOrder | None = None
    boot: Boot | None = None
    cpu_model: str | None = None
    emulated_machine: str | None = None
    hosts: tuple[UUID, ...] | None = None
    custom_properties: Mapping[str, str] | None = None
    start_paused: bool | None = None
    volatile: bool = False

    @classmethod
    def choose(cls, choice: ConsoleChoice, spec: MachineSpec, offer: Offer, **otherwise: Any) -> Self:
        """The overlay for a choice in the dialog, with a card that fits it; refused where it is not offered.

        `otherwise` names the other fields of the overlay.
        """
        graphics = choice.graphics
        video = None
        if graphics is None:
            offer.require(spec.console.graphics)
        else:
            video = spec.console.showing(graphics, spec.console.video, offer).video
        return cls(graphics=graphics, video=video, **otherwise)

    def overlay(self, spec: MachineSpec) -> MachineSpec:
        """The machine as this one run starts it; the machine itself is untouched."""
        return replace(spec, console=self._console(spec.console), **self._chosen(_MACHINE_FIELDS))

    def _console(self, console: Console) -> Console:
        if self.graphics is not None and not self.graphics:
            console = console.as_headless()
        elif self.graphics is not None:
            console = replace(console.with_display(self.graphics, self.video or console.video), before=None)
        return replace(console, **self._chosen(_CONSOLE_FIELDS))

    def _chosen(self, fields: Mapping[str, str]) -> dict[str, Any]:
        chosen = {theirs: getattr(self, ours) for ours, theirs in fields.items()}
        return {name: value for name, value in chosen.items() if value is not None}


# Field of the overlay → field that it covers.
_CONSOLE_FIELDS: Final = {
    "keyboard": "keyboard",
    "serial": "serial",
    "file_transfer": "wants_file_transfer",
    "copy_paste": "wants_copy_paste",
}
_MACHINE_FIELDS: Final = {
    name: name
    for name in (
        *("boot_order", "boot", "cpu_model", "emulated_machine", "hosts", "custom_properties", "start_paused"),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a machine: what was configured when it was started, what was laid over it, and by which job.

    `listen` is the address at which its screens listen on their host, `secure` whether SPICE's does so by TLS alone.
    """

    base: MachineSpec
    once: RunOnce | None = None
    job: UUID | None = None
    listen: str = LOOPBACK
    secure: bool = False

    def __post_init__(self) -> None:
        if self.once:
            self.once.overlay(self.base)  # refused here, not when the run has begun or its document is read again

    @property
    def spec(self) -> MachineSpec:
        """What the guest was started with."""
        return self.once.overlay(self.base) if self.once else self.base

    @property
    def volatile(self) -> bool:
        return self.once is not None and self.once.volatile
