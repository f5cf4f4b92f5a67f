"""The headless rule: which graphics, which video, which serial line; headless is a console with no graphics."""

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Self

from .errors import Refusal
from .firmware import Firmware


class Protocol(StrEnum):
    """A graphics protocol; oVirt's console id is its name in hexadecimal."""

    SPICE = "spice"
    VNC = "vnc"


class Video(StrEnum):
    """A video card that a person may choose (oVirt's DisplayType without `none`); stored by name, never by ordinal."""

    QXL = "qxl"
    VGA = "vga"
    CIRRUS = "cirrus"
    BOCHS = "bochs"


class Level(StrEnum):
    """A cluster compatibility level; the values order as text."""

    V4_2 = "4.2"
    V4_3 = "4.3"
    V4_4 = "4.4"
    V4_5 = "4.5"
    V4_6 = "4.6"
    V4_7 = "4.7"
    V4_8 = "4.8"


Graphics = frozenset[Protocol]
HEADLESS: Final[Graphics] = frozenset()
VNC: Final[Graphics] = frozenset({Protocol.VNC})
SPICE: Final[Graphics] = frozenset({Protocol.SPICE})
SPICE_AND_VNC: Final[Graphics] = frozenset(Protocol)


class DisconnectAction(StrEnum):
    """What becomes of a guest whose last graphical console is left (oVirt: ConsoleDisconnectAction)."""

    NONE = "none"
    LOCK_SCREEN = "lock_screen"
    LOGOUT = "logout"
    SHUTDOWN = "shutdown"
    REBOOT = "reboot"


class SingleSignOn(StrEnum):
    """How a console's user is logged in inside the guest; the guest agent needs a channel of its own for it."""

    NONE = "none"
    GUEST_AGENT = "guest_agent"


class Recording(StrEnum):
    """When what the serial line says is written down: without a screen it is all that tells of a failed boot."""

    HEADLESS = "headless"
    ALWAYS = "always"
    NEVER = "never"


MONITORS: Final = (1, 2, 4)
DISCONNECT_DELAY: Final = (0, 1440)  # minutes
PROXY_LENGTH: Final = 255
# A scheme, a name or address (IPv6 in brackets), a port: what remote-viewer takes (spice-gtk: spice-proxy).
_PROXY: Final = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?")

# The layouts that QEMU's VNC server knows (qemu: pc-bios/keymaps).
KEYBOARD_LAYOUTS: Final = (
    *("ar", "cz", "da", "de", "de-ch", "en-gb", "en-us", "es", "et", "fi", "fo", "fr", "fr-be", "fr-ca", "fr-ch"),
    *("hr", "hu", "is", "it", "ja", "lt", "lv", "mk", "nl", "no", "pl", "pt", "pt-br", "ru", "sl", "sv", "th", "tr"),
)

_GRAPHICS_LABELS: Final[dict[Graphics, str]] = {
    HEADLESS: "None",
    VNC: "VNC",
    SPICE: "SPICE",
    SPICE_AND_VNC: "SPICE + VNC",
}
_VIDEO_LABELS: Final[dict[Video | None, str]] = {
    None: "None",
    Video.QXL: "QXL",
    Video.VGA: "VGA",
    Video.CIRRUS: "CIRRUS",
    Video.BOCHS: "Bochs",
}


class Frozen(StrEnum):
    """Why a field of the console has no effect at present."""

    HEADLESS = "headless"
    NEEDS_VNC = "needs_vnc"
    NEEDS_SPICE = "needs_spice"
    NEEDS_SPICE_AND_QXL = "needs_spice_and_qxl"
    NEEDS_SHUTDOWN = "needs_shutdown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a cluster and a firmware make possible; without a level (Blank, instance types) nothing is ruled out.

    Pairs: oVirt's osinfo-defaults.properties for x86.
    """

    level: Level | None = None
    firmware: Firmware = Firmware.BIOS
    server: bool = True
    protocols: Graphics = SPICE_AND_VNC

    def accepts(self, graphics: Graphics, video: Video) -> bool:
        return all(self._pairs(protocol, video) for protocol in graphics)

    def videos(self, graphics: Graphics) -> tuple[Video, ...]:
        """The cards that fit all the protocols, the recommended one first; none for no protocol."""
        if not graphics:
            return ()
        best = self.recommend(graphics)
        return (best, *(video for video in Video if video != best and self.accepts(graphics, video)))

    def recommend(self, graphics: Graphics) -> Video:
        """The card chosen when none fits: qxl with SPICE; for VNC vga, on a UEFI server from level 4.5 on bochs."""
        if Protocol.SPICE in graphics:
            return Video.QXL
        if self.server and self.level is not None and self._pairs(Protocol.VNC, Video.BOCHS):
            return Video.BOCHS
        return Video.VGA

    def check(self, console: "Console") -> None:
        """Refuse a console that this cluster cannot show."""
        if console.video is None:
            return
        self.require(console.graphics)
        if self.accepts(console.graphics, console.video):
            return
        uefi_would_help = replace(self, firmware=Firmware.UEFI).accepts(console.graphics, console.video)
        reason = "FIRMWARE" if uefi_would_help else "OS"
        raise Refusal(
            f"ACTION_TYPE_FAILED_ILLEGAL_VM_DISPLAY_TYPE_IS_NOT_SUPPORTED_BY_{reason}",
            "video_type",
            video=console.video_label,
            graphics=console.graphics_label,
            offered=", ".join(_VIDEO_LABELS[video] for video in self.videos(console.graphics)),
        )

    def require(self, graphics: Graphics) -> None:
        """Refuse protocols that no host of the cluster offers."""
        if graphics and not self.protocols:
            raise Refusal("NO_HOST_OFFERS_GRAPHICS", "protocol")
        if missing := graphics - self.protocols:
            raise Refusal("NO_HOST_OFFERS_PROTOCOL", "protocol", protocol=_GRAPHICS_LABELS[missing])

    def fit(self, graphics: Graphics, video: Video | None) -> tuple[Graphics, Video]:
        """The protocols and card to come back with: the wished ones if still offered, else VNC and its card."""
        if graphics and graphics <= self.protocols:
            if video is not None and self.accepts(graphics, video):
                return graphics, video
            return graphics, self.recommend(graphics)
        fallback = VNC if Protocol.VNC in self.protocols else self.protocols
        self.require(fallback or VNC)
        return fallback, self.recommend(fallback)

    def _pairs(self, protocol: Protocol, video: Video) -> bool:
        if self.level is None:
            return video == Video.QXL or protocol == Protocol.VNC
        match protocol, video:
            case _, Video.QXL:
                return True
            case Protocol.VNC, Video.VGA:
                return True
            case Protocol.VNC, Video.CIRRUS:
                return self.level <= Level.V4_2
            case Protocol.VNC, Video.BOCHS:
                return self.level >= Level.V4_5 and self.firmware.uefi
        return False


@dataclass(frozen=True, slots=True)
class Choice:
    """What a headless console showed before: kept so that un-ticking the box brings it back."""

    graphics: Graphics
    video: Video

    def __post_init__(self) -> None:
        if not self.graphics:
            raise Refusal("ACTION_TYPE_FAILED_GRAPHIC_TYPE_MUST_BE_SPECIFIED", "protocol")


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """How people reach a machine: graphics with video or neither, and beside them a serial line.

    The `wants_…` fields are choices that stay stored while nothing makes use of them; the property of the
    same name without the prefix says whether the guest gets the device. `disconnect_delay` is in minutes;
    `allow_reconnect` lets another person take a console over; `spice_proxy` overrides the installation's.
    """

    graphics: Graphics = VNC
    video: Video | None = Video.VGA
    serial: bool = False
    monitors: int = 1
    wants_usb: bool = False
    wants_smartcard: bool = False
    wants_sound: bool = False
    keyboard: str = ""
    wants_file_transfer: bool = True
    wants_copy_paste: bool = True
    disconnect_action: DisconnectAction = DisconnectAction.LOCK_SCREEN
    disconnect_delay: int = 0
    allow_reconnect: bool = False
    sso: SingleSignOn = SingleSignOn.GUEST_AGENT
    spice_proxy: str = ""
    recording: Recording = Recording.HEADLESS
    before: Choice | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if bool(self.graphics) != (self.video is not None):
            raise Refusal(
                "ACTION_TYPE_FAILED_ILLEGAL_VM_DISPLAY_TYPE_IS_NOT_SUPPORTED_BY_OS",
                "video_type",
                video=self.video_label,
                graphics=self.graphics_label,
                offered="",
            )
        if self.monitors not in MONITORS or (Protocol.VNC in self.graphics and self.monitors != 1):
            raise Refusal("ACTION_TYPE_FAILED_ILLEGAL_NUM_OF_MONITORS", "monitors", monitors=self.monitors)
        if self.keyboard and self.keyboard not in KEYBOARD_LAYOUTS:
            raise Refusal("VALIDATION_VM_INVALID_KEYBOARD_LAYOUT", "keyboard", layout=self.keyboard)
        if not DISCONNECT_DELAY[0] <= self.disconnect_delay <= DISCONNECT_DELAY[1]:
            allowed = f"{DISCONNECT_DELAY[0]} … {DISCONNECT_DELAY[1]}"
            raise Refusal("ILLEGAL_VALUE", "disconnect_delay", value=self.disconnect_delay, allowed=allowed)
        if self.spice_proxy and (len(self.spice_proxy) > PROXY_LENGTH or not _PROXY.fullmatch(self.spice_proxy)):
            value = self.spice_proxy[:40]
            raise Refusal("ILLEGAL_VALUE", "spice_proxy", value=value, allowed="an address like http://proxy:3128")
        if self.before and self.graphics:
            object.__setattr__(self, "before", None)

    # -- questions

    @property
    def headless(self) -> bool:
        return not self.graphics

    @property
    def recorded(self) -> bool:
        """Whether what the serial line says is written down."""
        wanted = self.headless if self.recording == Recording.HEADLESS else self.recording == Recording.ALWAYS
        return self.serial and wanted

    @property
    def usb(self) -> bool:
        """USB for devices of its user: off without a screen and without a serial line (oVirt: UpdateVm.updateUSB)."""
        return self.wants_usb and (self.serial or not self.headless)

    @property
    def redirection(self) -> bool:
        """USB redirection rides on SPICE: libvirt refuses a spicevmc device without it."""
        return self.usb and Protocol.SPICE in self.graphics

    @property
    def smartcard(self) -> bool:
        return self.wants_smartcard and Protocol.SPICE in self.graphics

    @property
    def sound(self) -> bool:
        return self.wants_sound and not self.headless

    @property
    def file_transfer(self) -> bool:
        return self.wants_file_transfer and Protocol.SPICE in self.graphics

    @property
    def copy_paste(self) -> bool:
        return self.wants_copy_paste and Protocol.SPICE in self.graphics

    @property
    def signs_on(self) -> bool:
        """Whether the guest agent logs a console's user in: only where there is a screen to log in on."""
        return self.sso == SingleSignOn.GUEST_AGENT and not self.headless

    @property
    def heads(self) -> int:
        """How many screens the guest sees; 0 when headless."""
        if self.headless:
            return 0
        return self.monitors if self.video == Video.QXL else 1

    @property
    def graphics_label(self) -> str:
        return _GRAPHICS_LABELS[self.graphics]

    @property
    def video_label(self) -> str:
        return _VIDEO_LABELS[self.video]

    def frozen_fields(self) -> dict[str, Frozen]:
        """Field → why a choice there has no effect now; the serial console is never among them."""
        if self.headless:
            return dict.fromkeys(_GRAPHICAL_FIELDS, Frozen.HEADLESS)
        frozen = {}
        if Protocol.VNC not in self.graphics:
            frozen["keyboard"] = Frozen.NEEDS_VNC
        if Protocol.SPICE not in self.graphics:
            frozen |= dict.fromkeys(_SPICE_FIELDS, Frozen.NEEDS_SPICE)
        if self.video != Video.QXL or Protocol.VNC in self.graphics:
            frozen["monitors"] = Frozen.NEEDS_SPICE_AND_QXL
        if self.disconnect_action != DisconnectAction.SHUTDOWN:
            frozen["disconnect_delay"] = Frozen.NEEDS_SHUTDOWN
        return frozen

    # -- changes

    def as_headless(self) -> Self:
        """No graphics and no video; what was shown is remembered, the serial line and every other choice stay."""
        if self.video is None:
            return self
        return replace(self, graphics=HEADLESS, video=None, before=Choice(self.graphics, self.video))

    def as_graphical(self, offer: Offer) -> Self:
        """What was shown before, if the cluster still offers it, else VNC and the card recommended for it."""
        if not self.headless:
            return self
        wished = self.before or Choice(VNC, offer.recommend(VNC))
        graphics, video = offer.fit(wished.graphics, wished.video)
        return self.with_display(graphics, video)

    def with_graphics(self, protocol: Protocol, offer: Offer) -> Self:
        """One more protocol; the first one brings a card, and a card that does not fit all protocols is replaced."""
        if protocol in self.graphics:
            raise Refusal(
                "ACTION_TYPE_FAILED_ONLY_ONE_DEVICE_WITH_THIS_GRAPHICS_ALLOWED", "protocol", protocol=protocol.upper()
            )
        return self.showing(self.graphics | {protocol}, self.video, offer)

    def without_graphics(self, protocol: Protocol) -> Self:
        """One protocol less; with the last one the card goes too and the console is headless."""
        if protocol not in self.graphics:
            raise Refusal("GRAPHICS_CONSOLE_NOT_FOUND", "protocol", protocol=protocol.upper())
        if self.graphics == {protocol}:
            return self.as_headless()
        return replace(self, graphics=self.graphics - {protocol})

    def showing(self, graphics: Graphics, video: Video | None, offer: Offer) -> Self:
        """Exactly these protocols; the card is kept if it fits them, else the recommended one is taken."""
        if not graphics:
            return self.as_headless()
        offer.require(graphics)
        fits = video is not None and offer.accepts(graphics, video)
        return self.with_display(graphics, video if fits else offer.recommend(graphics))

    def with_display(self, graphics: Graphics, video: Video | None) -> Self:
        """Exactly these protocols and this card; a number of monitors that VNC cannot show becomes 1."""
        monitors = 1 if Protocol.VNC in graphics else self.monitors
        return replace(self, graphics=graphics, video=video, monitors=monitors)


_SPICE_FIELDS: Final = ("usb", "smartcard", "file_transfer", "copy_paste", "spice_proxy")
_GRAPHICAL_FIELDS: Final = (
    *("video_type", "protocol", "keyboard", "disconnect_action", "disconnect_delay", "monitors", "sso"),
    *("allow_reconnect", "sound", *_SPICE_FIELDS),
)
