"""Run Once: an overlay that lies on a machine for one run and reverts by itself."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self
from uuid import UUID

from .console import HEADLESS, SPICE, SPICE_AND_VNC, VNC, Graphics, Offer, Video
from .machine import MachineSpec


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
    reboots").
    """

    graphics: Graphics | None = None
    video: Video | None = None
    keyboard: str | None = None
    serial: bool | None = None
    start_paused: bool | None = None
    volatile: bool = False

    @classmethod
    def choose(
        cls,
        choice: ConsoleChoice,
        spec: MachineSpec,
        offer: Offer,
        *,
        keyboard: str | None = None,
        serial: bool | None = None,
        start_paused: bool | None = None,
        volatile: bool = False,
    ) -> Self:
        """The overlay for a choice in the dialog, with a card that fits it; refused where it is not offered."""
        graphics = choice.graphics
        video = None
        if graphics is None:
            offer.require(spec.console.graphics)
        else:
            video = spec.console.showing(graphics, spec.console.video, offer).video
        return cls(
            graphics=graphics,
            video=video,
            keyboard=keyboard,
            serial=serial,
            start_paused=start_paused,
            volatile=volatile,
        )

    def overlay(self, spec: MachineSpec) -> MachineSpec:
        """The machine as this one run starts it; the machine itself is untouched."""
        console = spec.console
        if self.graphics is not None:
            console = (
                console.as_headless()
                if not self.graphics
                else replace(console.with_display(self.graphics, self.video or console.video), before=None)
            )
        if self.keyboard is not None:
            console = replace(console, keyboard=self.keyboard)
        if self.serial is not None:
            console = replace(console, serial=self.serial)
        paused = spec.start_paused if self.start_paused is None else self.start_paused
        return replace(spec, console=console, start_paused=paused)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a machine: what was configured when it was started, what was laid over it, and by which job."""

    base: MachineSpec
    once: RunOnce | None = None
    job: UUID | None = None

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
