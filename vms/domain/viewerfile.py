"""The file that remote-viewer opens a console with (virt-viewer: man remote-viewer, CONNECTION FILE)."""

from collections.abc import Iterator
from typing import Final

from .console import Console, Protocol
from .hosts import Doorway, Endpoint
from .secret import Secret
from .viewing import DEFAULT, Options, without_effect

NO_PASSWORD: Final = Secret("")
CLOSED: Final = Doorway()
_NEW_LINE: Final = "\\n"
# What a slow line is spared (oVirt: WAN options).
_SPARED: Final = ("color-depth=16", "disable-effects=all")


def write(
    endpoint: Endpoint,
    *,
    title: str,
    password: Secret = NO_PASSWORD,
    options: Options = DEFAULT,
    console: Console | None = None,
    os: str = "other",
    doorway: Doorway = CLOSED,
) -> str:
    """The text of a `.vv` file for a console that listens; without a password the viewer asks for one.

    `title` is the machine's name, of which no rule lets a line break through; `console` is what its run shows.
    """
    lines = [
        "[virt-viewer]",
        f"type={endpoint.protocol}",
        f"host={endpoint.address}",
        *([f"port={endpoint.port}"] if endpoint.port != -1 else []),
        *(_secured(endpoint, doorway) if endpoint.tls_port != -1 else ()),
        *([f"password={password.reveal()}", "# The password is valid for a short time."] if password else []),
        "delete-this-file=1",
        f"fullscreen={options.full_screen:d}",
        f"title={title} - Press SHIFT+F12 to release the cursor",
        "toggle-fullscreen=shift+f11",
        "release-cursor=shift+f12",
        f"secure-attention=ctrl+alt+{'end' if options.map_keys else 'del'}",
        *(_spice(options, console, os) if console and endpoint.protocol == Protocol.SPICE else ()),
    ]
    return "\n".join(lines) + "\n"


def _secured(endpoint: Endpoint, doorway: Doorway) -> Iterator[str]:
    yield f"tls-port={endpoint.tls_port}"
    if doorway.authority:  # a file of keys has one line for each
        yield f"ca={doorway.authority.replace(chr(13), '').replace(chr(10), _NEW_LINE)}"
    if doorway.subject:
        yield f"host-subject={doorway.subject}"


def _spice(options: Options, console: Console, os: str) -> Iterator[str]:
    unused = without_effect(console, os)
    yield f"enable-smartcard={options.smartcard and 'smartcard' not in unused:d}"
    yield f"enable-usb-autoshare={options.share_usb and 'share_usb' not in unused:d}"
    if options.use_proxy and "use_proxy" not in unused:
        yield f"proxy={console.spice_proxy}"
    if options.slow_line and "slow_line" not in unused:
        yield from _SPARED
