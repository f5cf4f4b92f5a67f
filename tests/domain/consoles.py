"""Every console that there can be, and every offer that a cluster can make."""

from collections.abc import Iterator
from dataclasses import fields
from itertools import product

from vms.domain.console import (
    HEADLESS,
    MONITORS,
    SPICE,
    SPICE_AND_VNC,
    VNC,
    Console,
    Graphics,
    Level,
    Offer,
    Protocol,
    Video,
)
from vms.domain.firmware import Firmware

GRAPHICS = (HEADLESS, VNC, SPICE, SPICE_AND_VNC)
DISPLAYS: list[tuple[Graphics, Video | None]] = [(HEADLESS, None), *product(GRAPHICS[1:], Video)]
OFFERS = [
    Offer(level=level, firmware=firmware, protocols=protocols)
    for level, firmware, protocols in product((None, *Level), Firmware, GRAPHICS[1:])
]
MODERN = Offer(level=Level.V4_8)
NOTHING = Offer(level=Level.V4_8, protocols=HEADLESS)
FLAGS = (False, True)


def consoles() -> Iterator[Console]:
    for (graphics, video), serial, usb, smartcard, sound, extras, monitors in product(
        DISPLAYS, FLAGS, FLAGS, FLAGS, FLAGS, FLAGS, MONITORS
    ):
        if Protocol.VNC in graphics and monitors != 1:
            continue
        yield Console(
            graphics=graphics,
            video=video,
            serial=serial,
            monitors=monitors,
            wants_usb=usb,
            wants_smartcard=smartcard,
            wants_sound=sound,
            keyboard="de" if extras else "",
            wants_file_transfer=extras,
            wants_copy_paste=not extras,
        )


EVERY = tuple(consoles())
GRAPHICAL = tuple(console for console in EVERY if not console.headless)
PLAIN = tuple(Console(graphics=graphics, video=video) for graphics, video in DISPLAYS)


def choices_of(console: Console) -> dict[str, object]:
    """Everything that neither the box nor a protocol may change."""
    return {
        entry.name: getattr(console, entry.name)
        for entry in fields(console)
        if entry.name not in {"graphics", "video", "monitors", "before"}
    }


def accepted(console: Console, offer: Offer) -> bool:
    return (
        console.video is not None
        and console.graphics <= offer.protocols
        and offer.accepts(console.graphics, console.video)
    )
