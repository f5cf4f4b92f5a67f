"""What oVirt's clients may say of a console, and what it becomes of ours (facts: DisplayHelper.java)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from vms.domain.console import (
    HEADLESS,
    SPICE,
    VNC,
    Console,
    DisconnectAction,
    Graphics,
    Offer,
    Protocol,
    Recording,
    SingleSignOn,
    Video,
)
from vms.domain.errors import Refusal

# Which protocol a card alone stands for.
PROTOCOLS: Final[dict[Video, Graphics]] = {Video.QXL: SPICE, Video.VGA: VNC, Video.CIRRUS: VNC, Video.BOCHS: VNC}

# Ours → the stored choice.
_CHOICES: Final[dict[str, str]] = {
    "serial": "serial",
    "monitors": "monitors",
    "keyboard": "keyboard",
    "usb": "wants_usb",
    "smartcard": "wants_smartcard",
    "sound": "wants_sound",
    "file_transfer": "wants_file_transfer",
    "copy_paste": "wants_copy_paste",
    "disconnect_action": "disconnect_action",
    "disconnect_delay": "disconnect_delay",
    "reconnect": "allow_reconnect",
    "proxy": "spice_proxy",
    "sso": "sso",
    "recording": "recording",
}
# Told is whether the guest gets it, not what is stored.
_EFFECTIVE: Final = frozenset({"usb", "sound"})


def first(graphics: Graphics) -> Protocol | None:
    """The protocol that oVirt reports where there are two: SPICE."""
    return next((protocol for protocol in (Protocol.SPICE, Protocol.VNC) if protocol in graphics), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a client wants of a console; None keeps it as it is.

    `graphics` is the whole set of consoles (our extension), `type` and `video` are oVirt's display. What an edit only
    repeats of `shown`, the console that a GET tells, is no wish: a document that is put back changes nothing.
    """

    graphics: Graphics | None = None
    type: Protocol | None = None
    video: Video | None = None
    serial: bool | None = None
    monitors: int | None = None
    keyboard: str | None = None
    usb: bool | None = None
    smartcard: bool | None = None
    sound: bool | None = None
    file_transfer: bool | None = None
    copy_paste: bool | None = None
    disconnect_action: DisconnectAction | None = None
    disconnect_delay: int | None = None
    reconnect: bool | None = None
    proxy: str | None = None
    sso: SingleSignOn | None = None
    recording: Recording | None = None
    shown: Console | None = None

    def __call__(self, console: Console, offer: Offer) -> Console:
        return replace(self._displayed(console, offer), **self._choices())

    def _displayed(self, console: Console, offer: Offer) -> Console:
        graphics = self.display(offer) if self.graphics is None else self.graphics
        if graphics is None:
            return console
        if graphics and self.video:
            offer.require(graphics)
            return console.with_display(graphics, self.video)
        return console.showing(graphics, console.video, offer)

    def display(self, offer: Offer) -> Graphics | None:
        """The protocols that type and video ask for; the video decides where the two do not go together."""
        if self._repeats():
            return None
        wanted = frozenset({self.type}) if self.type else HEADLESS
        if self.video is None or (wanted and offer.accepts(wanted, self.video)):
            return wanted or None
        return PROTOCOLS[self.video]

    def _repeats(self) -> bool:
        if self.shown is None or self.shown.headless:
            return False
        return self.type in (None, first(self.shown.graphics)) and self.video in (None, self.shown.video)

    def _choices(self) -> dict[str, Any]:
        return {
            choice: value
            for name, choice in _CHOICES.items()
            if (value := getattr(self, name)) is not None
            and (self.shown is None or value != getattr(self.shown, name if name in _EFFECTIVE else choice))
        }


def consoles(protocols: Iterable[Protocol]) -> Graphics:
    """The set of consoles that a list names; refused when it names one twice."""
    found = list(protocols)
    for protocol in set(found):
        if found.count(protocol) > 1:
            code = "ACTION_TYPE_FAILED_ONLY_ONE_DEVICE_WITH_THIS_GRAPHICS_ALLOWED"
            raise Refusal(code, "protocol", protocol=protocol.upper())
    return frozenset(found)
