"""Consoles as their columns tell them; each is built once, for rows that are alike share one.

A `Console` is frozen, and building one judges all of it: a list of a hundred machines has a few kinds.
"""

from functools import lru_cache
from typing import Final

from vms.domain.console import (
    SPICE_AND_VNC,
    Choice,
    Console,
    DisconnectAction,
    Graphics,
    Protocol,
    Recording,
    SingleSignOn,
    Video,
)

NONE: Final = "none"
# What `last_graphics` and `running_graphics` hold.
GRAPHICS: Final[dict[str, Graphics]] = {
    "vnc": frozenset({Protocol.VNC}),
    "spice": frozenset({Protocol.SPICE}),
    "spice+vnc": SPICE_AND_VNC,
}


def word(graphics: Graphics) -> str:
    """How a column keeps protocols; empty for none."""
    return "+".join(sorted(graphics))


@lru_cache(maxsize=1024, typed=True)
def configured(
    card: str,
    vnc: bool,
    spice: bool,
    serial: bool,
    monitors: int,
    usb: bool,
    smartcard: bool,
    sound: bool,
    keyboard: str,
    file_transfer: bool,
    copy_paste: bool,
    disconnect_action: str,
    disconnect_delay: int,
    allow_reconnect: bool,
    sso: str,
    recording: str,
    spice_proxy: str,
    card_before: str,
    graphics_before: str,
) -> Console:
    """What `Hardware.CONSOLE_FIELDS` say, in their order."""
    shown = {Protocol.VNC: vnc, Protocol.SPICE: spice}
    return Console(
        graphics=frozenset(protocol for protocol, there in shown.items() if there),
        video=None if card == NONE else Video(card),
        serial=serial,
        monitors=monitors,
        wants_usb=usb,
        wants_smartcard=smartcard,
        wants_sound=sound,
        keyboard=keyboard,
        wants_file_transfer=file_transfer,
        wants_copy_paste=copy_paste,
        disconnect_action=DisconnectAction(disconnect_action),
        disconnect_delay=disconnect_delay,
        allow_reconnect=allow_reconnect,
        sso=SingleSignOn(sso),
        spice_proxy=spice_proxy,
        recording=Recording(recording),
        before=Choice(GRAPHICS[graphics_before], Video(card_before)) if graphics_before else None,
    )


@lru_cache(maxsize=64)
def running(graphics: str, video: str) -> Console:
    """A console that shows what a run does; of everything else it says nothing."""
    return Console(graphics=GRAPHICS.get(graphics, frozenset()), video=Video(video) if video else None)
