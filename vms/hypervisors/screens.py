"""Ways to a running console, and pictures of it: for a host at hand a descriptor of QEMU's, so that nobody has to
listen anywhere; for one behind SSH a tunnel to where it listens; for any other, where it is open, as viewers go."""

import socket
import subprocess
import threading
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import libvirt

from vms.domain.console import Protocol
from vms.domain.errors import Refusal
from vms.domain.hosts import Endpoint
from vms.domain.picture import as_png
from vms.domain.runonce import LOOPBACK
from vms.libvirtxml.observe import observe

CONNECTS_WITHIN: Final = 10  # seconds
# Where a console that listens at all addresses of its host is found there.
_ANYWHERE: Final = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104
PICTURE: Final = 256 * 1024 * 1024  # bytes; the largest screens take less


def open_screen(domain: Any, screen: Protocol) -> socket.socket:
    """A connection to the console of an active domain; see `base.Hypervisor.open_screen`."""
    seen, uri = observe(domain.XMLDesc()), domain.connect().getURI()
    if screen not in seen.graphics:
        raise Refusal("GRAPHICS_CONSOLE_NOT_FOUND", "protocol", protocol=screen.upper())
    if not urlsplit(uri).hostname:
        descriptor = domain.openGraphicsFD(seen.graphics.index(screen), libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)
        return socket.socket(fileno=descriptor)
    found = next((console for console in seen.endpoints if console.protocol == screen), None)
    if found is not None and found.port > 0:
        if urlsplit(uri).scheme == "qemu+ssh":
            return _through(tunnel(uri, found.port, _ANYWHERE.get(found.address, found.address)))
        if not ip_address(found.address).is_loopback:
            return _straight(uri, found)
    raise Refusal("CONSOLE_OUT_OF_REACH", None, host=urlsplit(uri).hostname)


def screenshot(domain: Any) -> bytes:
    """What the screen of an active domain shows; see `base.Hypervisor.screenshot`."""
    if not observe(domain.XMLDesc()).graphics:
        raise Refusal("GRAPHICS_CONSOLE_NOT_FOUND", "protocol", protocol="")
    stream = domain.connect().newStream()
    domain.screenshot(stream, 0)
    drawn = bytearray()

    def keep(_stream: Any, piece: bytes, _opaque: Any) -> int:
        drawn.extend(piece)
        return len(piece) if len(drawn) <= PICTURE else -1

    try:
        stream.recvAll(keep, None)
        stream.finish()
        return as_png(bytes(drawn))
    except ValueError as error:
        raise Refusal("HYPERVISOR_REFUSED", None, message=str(error)) from error


def tunnel(uri: str, port: int, listening: str = LOOPBACK) -> list[str]:
    """The command whose input and output are a connection to a port of the host's own, the way that libvirt goes."""
    address, asked = urlsplit(uri), parse_qs(urlsplit(uri).query)
    options = ["-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECTS_WITHIN}"]
    if asked.get("no_verify") == ["1"]:
        options += ["-o", "StrictHostKeyChecking=no"]
    for flag, value in (("-p", address.port), ("-l", address.username), ("-i", asked.get("keyfile", [""])[0])):
        options += [flag, str(value)] if value else []
    there = f"[{listening}]:{port}" if ":" in listening else f"{listening}:{port}"
    return ["ssh", "-T", *options, "-W", there, "--", address.hostname or ""]


def _straight(uri: str, found: Endpoint) -> socket.socket:
    """To a host that lets in whoever has a ticket."""
    there = urlsplit(uri).hostname or "" if found.address in _ANYWHERE else found.address
    try:
        return socket.create_connection((there, found.port), CONNECTS_WITHIN / 2)
    except OSError as error:
        raise Refusal("CONSOLE_OUT_OF_REACH", None, host=urlsplit(uri).hostname) from error


def _through(command: list[str]) -> socket.socket:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(command, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=subprocess.DEVNULL)
    # It ends when either side hangs up; somebody has to notice.
    threading.Thread(target=process.wait, name="tunnel", daemon=True).start()
    return ours
