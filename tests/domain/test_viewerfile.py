"""The file that a remote viewer opens a console with."""

from dataclasses import replace
from typing import Any

from vms.domain.console import SPICE, Console, Protocol, Video
from vms.domain.hosts import Doorway, Endpoint
from vms.domain.secret import Secret
from vms.domain.viewerfile import write
from vms.domain.viewing import Options


def lines(endpoint: Endpoint, **more: Any) -> list[str]:
    return write(endpoint, title="web", **more).splitlines()


def test_it_says_which_protocol_listens_where() -> None:
    told = lines(Endpoint(protocol=Protocol.VNC, address="10.0.0.1", port=5901))
    assert told[:4] == ["[virt-viewer]", "type=vnc", "host=10.0.0.1", "port=5901"]
    assert not [line for line in told if line.startswith(("tls-port", "password"))]


def test_a_port_that_does_not_listen_is_not_told() -> None:
    told = lines(Endpoint(protocol=Protocol.SPICE, address="host", tls_port=5902))
    assert "tls-port=5902" in told
    assert not [line for line in told if line.startswith("port")]


def test_a_password_is_told_where_there_is_one() -> None:
    endpoint = Endpoint(protocol=Protocol.VNC, address="host", port=5900)
    assert "password=secret" in lines(endpoint, password=Secret("secret"))


def test_where_the_host_has_certificates_the_viewer_is_told_whose() -> None:
    endpoint = Endpoint(protocol=Protocol.SPICE, address="host", tls_port=5902)
    doorway = Doorway(listen="10.0.0.1", secure=True, authority="-----BEGIN\r\nabc\n-----END", subject="CN=host")
    told = write(endpoint, title="web", doorway=doorway).splitlines()
    assert "ca=-----BEGIN\\nabc\\n-----END" in told
    assert "host-subject=CN=host" in told
    plain = replace(endpoint, port=5901, tls_port=-1)
    assert "ca=" not in write(plain, title="web", doorway=doorway), "it would be believed to be safe"


def test_it_names_the_machine_and_is_deleted_after_use() -> None:
    told = lines(Endpoint(protocol=Protocol.VNC, address="host", port=5900))
    assert "delete-this-file=1" in told
    assert [line for line in told if line.startswith("title=web ")]


SPICE_CONSOLE = Console(
    graphics=SPICE, video=Video.QXL, wants_usb=True, wants_smartcard=True, spice_proxy="http://proxy:3128"
)


def told(options: Options, console: Console = SPICE_CONSOLE, os: str = "windows_11") -> list[str]:
    protocol = next(iter(console.graphics))
    endpoint = Endpoint(protocol=protocol, address="host", port=5900)
    return write(endpoint, title="web", options=options, console=console, os=os).splitlines()


def test_each_option_is_told_to_the_viewer() -> None:
    off = told(Options(map_keys=False, share_usb=False, use_proxy=False, smartcard=False))
    on = told(Options(full_screen=True, slow_line=True))
    for line, other in (
        ("fullscreen=1", "fullscreen=0"),
        ("secure-attention=ctrl+alt+end", "secure-attention=ctrl+alt+del"),
        ("enable-smartcard=1", "enable-smartcard=0"),
        ("enable-usb-autoshare=1", "enable-usb-autoshare=0"),
    ):
        assert (line in on, other in off) == (True, True), line
    for line in ("proxy=http://proxy:3128", "color-depth=16", "disable-effects=all"):
        assert (line in on, line in off) == (True, False), line


def test_an_option_that_the_machine_has_nothing_for_is_not_told() -> None:
    bare = Console(graphics=SPICE, video=Video.QXL)
    lines_ = told(Options(slow_line=True), bare, "debian_12")
    assert "enable-usb-autoshare=0" in lines_
    assert "enable-smartcard=0" in lines_
    assert not [line for line in lines_ if line.startswith(("proxy", "color-depth"))]
    assert not [line for line in told(Options(), Console()) if line.startswith(("enable", "proxy"))], "VNC knows none"
