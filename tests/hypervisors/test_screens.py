"""The tunnel to a screen of a host behind SSH, with the real client: to where it listens there, and nowhere else."""

import asyncio
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncssh
import pytest

from vms.domain.console import Protocol
from vms.domain.errors import Refusal

pytest.importorskip("libvirt")
pytestmark = pytest.mark.needs("ssh")

GREETING = b"RFB 003.008\n"


class _Server(asyncssh.SSHServer):
    asked: list[tuple[str, int]] = []

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        self.asked.append((dest_host, dest_port))
        return True


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[str]:
    """The address of a host behind SSH, as libvirt is given it."""
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", str(tmp_path / "key")], check=True)
    ready, loop, at = threading.Event(), asyncio.new_event_loop(), dict[str, Any]()

    async def serve() -> None:
        keys = {"server_host_keys": [asyncssh.generate_private_key("ssh-ed25519")]}
        known = str(tmp_path / "key.pub")
        acceptor = await asyncssh.listen("127.0.0.1", 0, server_factory=_Server, authorized_client_keys=known, **keys)
        at["port"], at["end"] = acceptor.get_port(), asyncio.Event()
        ready.set()
        await at["end"].wait()
        acceptor.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    _Server.asked.clear()
    yield f"qemu+ssh://root@127.0.0.1:{at['port']}/system?no_verify=1&keyfile={tmp_path / 'key'}"
    loop.call_soon_threadsafe(at["end"].set)
    thread.join(10)


def domain(uri: str, listen: str, port: int) -> Any:
    """As much of a domain as is asked for its screen."""
    xml = f"<domain><devices><graphics type='vnc' port='{port}' listen='{listen}'/></devices></domain>"
    return SimpleNamespace(XMLDesc=lambda: xml, connect=lambda: SimpleNamespace(getURI=lambda: uri))


def test_a_screen_behind_ssh_is_opened_through_it_and_closed_with_it(ssh: str) -> None:
    from vms.hypervisors.screens import open_screen

    with socket.create_server(("127.0.0.1", 0)) as vnc:
        port = vnc.getsockname()[1]
        for listen in ("127.0.0.1", "0.0.0.0"):
            with closing(open_screen(domain(ssh, listen, port), Protocol.VNC)) as line:
                line.settimeout(20)
                there, _address = vnc.accept()
                there.sendall(GREETING)
                assert line.recv(12) == GREETING
                line.sendall(b"typed")
                assert there.recv(5) == b"typed"
            there.settimeout(10)
            assert there.recv(1) == b"", "the tunnel ends with its user"
            there.close()
    assert _Server.asked == [("127.0.0.1", port)] * 2


def test_a_host_that_no_way_leads_to_says_so() -> None:
    from vms.hypervisors.screens import open_screen

    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for uri, listen in (
        ("qemu+tcp://127.0.0.1/system", "127.0.0.1"),
        ("qemu+tls://127.0.0.1/system", "0.0.0.0"),
        ("qemu+ssh://root@127.0.0.1/system", "::1"),
    ):
        if uri.startswith("qemu+ssh"):
            with pytest.raises(Refusal, match="GRAPHICS_CONSOLE_NOT_FOUND"):
                open_screen(domain(uri, listen, port), Protocol.SPICE)
            continue
        with pytest.raises(Refusal, match="CONSOLE_OUT_OF_REACH"):
            open_screen(domain(uri, listen, port), Protocol.VNC)
