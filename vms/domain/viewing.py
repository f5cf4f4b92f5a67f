"""How a person opens graphical consoles: in the browser or in a viewer, and what a viewer is told (oVirt: Console
Options)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .console import Console, Graphics, Protocol
from .osinfo import OPERATING_SYSTEMS, Family


class Opener(StrEnum):
    """What opens a console: the browser by itself, or a viewer of the person's own."""

    BROWSER = "browser"
    VNC = "vnc"
    SPICE = "spice"

    @property
    def protocol(self) -> Protocol:
        """What it speaks."""
        return Protocol.SPICE if self is Opener.SPICE else Protocol.VNC

    @property
    def native(self) -> bool:
        """Whether it takes a viewer's file."""
        return self is not Opener.BROWSER


class NoEffect(StrEnum):
    """Why an option has no effect on a machine."""

    NEEDS_SPICE = "needs_spice"
    NO_PROXY = "no_proxy"
    NO_USB = "no_usb"
    NO_SMARTCARD = "no_smartcard"
    NOT_WINDOWS = "not_windows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person has chosen; without an opener the browser where it can, else a viewer.

    `map_keys` has Ctrl+Alt+End arrive as Ctrl+Alt+Del, which desktops keep for themselves. The last four are told to
    SPICE's viewer alone.
    """

    opener: Opener | None = None
    full_screen: bool = False
    map_keys: bool = True
    share_usb: bool = True
    use_proxy: bool = True
    smartcard: bool = True
    slow_line: bool = False

    def opens(self, graphics: Graphics) -> Opener | None:
        """What opens a console that shows these protocols: what was chosen if it can, else the first that can; None
        for a headless one."""
        able = openers(graphics)
        return self.opener if self.opener in able else next(iter(able), None)


DEFAULT: Final = Options()


def openers(graphics: Graphics) -> tuple[Opener, ...]:
    """What can open a console that shows these protocols, the most convenient one first."""
    return tuple(opener for opener in Opener if opener.protocol in graphics)


def without_effect(console: Console, os: str) -> Mapping[str, NoEffect]:
    """Option → why it has no effect on this console, whatever opens it."""
    if Protocol.SPICE not in console.graphics:
        return dict.fromkeys(_OF_SPICE, NoEffect.NEEDS_SPICE)
    why = {
        "share_usb": (NoEffect.NO_USB, console.redirection),
        "use_proxy": (NoEffect.NO_PROXY, bool(console.spice_proxy)),
        "smartcard": (NoEffect.NO_SMARTCARD, console.smartcard),
        "slow_line": (NoEffect.NOT_WINDOWS, OPERATING_SYSTEMS[os].family == Family.WINDOWS),
    }
    return {option: reason for option, (reason, used) in why.items() if not used}


_OF_SPICE: Final = ("share_usb", "use_proxy", "smartcard", "slow_line")
