"""Between the console and its fields: what the fields show for a console, and what a person's choice makes of it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from vms.domain.changes import ConsoleChange
from vms.domain.console import (
    SPICE,
    SPICE_AND_VNC,
    VNC,
    Choice,
    Console,
    DisconnectAction,
    Graphics,
    Offer,
    Recording,
    SingleSignOn,
    Video,
)
from vms.domain.errors import Refusal

PROTOCOLS: Final[dict[str, Graphics]] = {"vnc": VNC, "spice": SPICE, "spice+vnc": SPICE_AND_VNC}
_PROTOCOL_OF: Final = {graphics: key for key, graphics in PROTOCOLS.items()}

# Fields that are stored as they are chosen → the name in `Console`, in the order of oVirt's dialog.
_PLAIN: Final = {
    "keyboard": "keyboard",
    "disconnect_action": "disconnect_action",
    "disconnect_delay": "disconnect_delay",
    "monitors": "monitors",
    "usb": "wants_usb",
    "smartcard": "wants_smartcard",
    "sso": "sso",
    "allow_reconnect": "allow_reconnect",
    "sound": "wants_sound",
    "spice_proxy": "spice_proxy",
    "file_transfer": "wants_file_transfer",
    "copy_paste": "wants_copy_paste",
    "serial": "serial",
    "recording": "recording",
}
_WORDS: Final = {"disconnect_action": DisconnectAction, "sso": SingleSignOn, "recording": Recording}
OF_SERIAL: Final = ("serial", "recording")
# What a pool's dialog has besides: a box for whether the address below it counts.
OVERRIDES: Final = "override_proxy"


def _in_order() -> tuple[str, ...]:
    plain = list(_PLAIN)
    plain.insert(plain.index("spice_proxy"), OVERRIDES)
    return ("headless", "video_type", "protocol", *plain)


CONSOLE_FIELDS: Final = _in_order()


def protocol_choices() -> list[tuple[str, str]]:
    return [(key, Console(graphics=graphics).graphics_label) for key, graphics in PROTOCOLS.items()]


def video_choices(graphics: Graphics, offer: Offer) -> list[tuple[str, str]]:
    return [(video.value, Console(graphics=graphics, video=video).video_label) for video in offer.videos(graphics)]


def console_values(console: Console, offer: Offer) -> dict[str, Any]:
    """What the fields show; those of a headless console show what un-ticking the box would bring back."""
    shown = _as_shown(console, offer)
    assert shown.video is not None
    stored = {name: getattr(console, attribute) for name, attribute in _PLAIN.items()}
    return {
        "headless": console.headless,
        "protocol": _PROTOCOL_OF[shown.graphics],
        "video_type": shown.video.value,
        OVERRIDES: bool(console.spice_proxy),
        **{name: value.value if name in _WORDS else value for name, value in stored.items()},
    }


def console_change(new: Mapping[str, Any], graphics: Graphics) -> ConsoleChange:
    """The change that the newly chosen values make; `graphics` is what the form shows, chosen now or before."""

    def change(console: Console, offer: Offer) -> Console:
        if new.get("headless", console.headless):
            console = console.as_headless()
        else:
            console = console.as_graphical(offer)
            if "video_type" in new:
                offer.require(graphics)
                console = console.with_display(graphics, Video(new["video_type"]))
            elif "protocol" in new:
                console = console.showing(graphics, console.video, offer)
        return replace(console, **_plain_of(new))

    return change


def console_drawn(sensible: Mapping[str, Any], video: Video | None, base: Console, offer: Offer) -> Console:
    """The console that an open dialog describes, whatever else it is still being told."""
    graphics = PROTOCOLS[sensible["protocol"]]
    fits = video is not None and offer.accepts(graphics, video)
    console = base.with_display(graphics, video if fits else offer.recommend(graphics))
    for name, value in _plain_of(sensible).items():
        try:
            console = replace(console, **{name: value})
        except Refusal:  # several monitors with VNC: told when it is saved
            continue
    return console.as_headless() if sensible["headless"] else console


def _plain_of(values: Mapping[str, Any]) -> dict[str, Any]:
    plain = {_PLAIN[name]: _WORDS.get(name, _as_it_is)(value) for name, value in values.items() if name in _PLAIN}
    if values.get(OVERRIDES) is False:
        plain["spice_proxy"] = ""
    return plain


def _as_it_is(value: Any) -> Any:
    return value


def _as_shown(console: Console, offer: Offer) -> Console:
    if console.headless:
        try:
            return console.as_graphical(offer)
        except Refusal:  # no host offers any; the fields still show what was there
            before = console.before or Choice(VNC, offer.recommend(VNC))
            return console.with_display(before.graphics, before.video)
    fits = console.video is not None and offer.accepts(console.graphics, console.video)
    return console if fits else console.with_display(console.graphics, offer.recommend(console.graphics))
