"""Between the console and its fields: what the fields show for a console, and what a person's choice makes of it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from vms.domain.changes import ConsoleChange
from vms.domain.console import SPICE, SPICE_AND_VNC, VNC, Choice, Console, Graphics, Offer, Video
from vms.domain.errors import Refusal

PROTOCOLS: Final[dict[str, Graphics]] = {"vnc": VNC, "spice": SPICE, "spice+vnc": SPICE_AND_VNC}
_PROTOCOL_OF: Final = {graphics: key for key, graphics in PROTOCOLS.items()}

# Fields that are stored as they are chosen → the name in `Console`.
_PLAIN: Final = {
    "serial": "serial",
    "keyboard": "keyboard",
    "monitors": "monitors",
    "usb": "wants_usb",
    "smartcard": "wants_smartcard",
    "sound": "wants_sound",
    "file_transfer": "wants_file_transfer",
    "copy_paste": "wants_copy_paste",
}
CONSOLE_FIELDS: Final = ("headless", "protocol", "video_type", *_PLAIN)


def protocol_choices() -> list[tuple[str, str]]:
    return [(key, Console(graphics=graphics).graphics_label) for key, graphics in PROTOCOLS.items()]


def video_choices(graphics: Graphics, offer: Offer) -> list[tuple[str, str]]:
    return [(video.value, Console(graphics=graphics, video=video).video_label) for video in offer.videos(graphics)]


def console_values(console: Console, offer: Offer) -> dict[str, Any]:
    """What the fields show; those of a headless console show what un-ticking the box would bring back."""
    shown = _as_shown(console, offer)
    assert shown.video is not None
    return {
        "headless": console.headless,
        "protocol": _PROTOCOL_OF[shown.graphics],
        "video_type": shown.video.value,
        **{name: getattr(console, stored) for name, stored in _PLAIN.items()},
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
        return replace(console, **{_PLAIN[name]: value for name, value in new.items() if name in _PLAIN})

    return change


def _as_shown(console: Console, offer: Offer) -> Console:
    if console.headless:
        try:
            return console.as_graphical(offer)
        except Refusal:  # no host offers any; the fields still show what was there
            before = console.before or Choice(VNC, offer.recommend(VNC))
            return console.with_display(before.graphics, before.video)
    fits = console.video is not None and offer.accepts(console.graphics, console.video)
    return console if fits else console.with_display(console.graphics, offer.recommend(console.graphics))
