"""Two hosts on one machine: a libvirt daemon in a network namespace each, with a wire between them."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from vms.hypervisors.private import PrivateDaemon

NET = "10.99.7"
_NAMED = 'hostname "$0"; exec "$@"'


class NetworkedDaemon(PrivateDaemon):
    """A host of its own name and address; what it has of disks is what everybody has here, as on shared storage."""

    def __init__(self, home: Path, name: str, namespace: str, address: str, more: str) -> None:
        super().__init__(home)
        self.name, self.address = name, address
        network = ("nsenter", f"--net=/run/netns/{namespace}")
        self.entering = (*network, "unshare", "--mount", "--uts", "--propagation", "slave", "sh", "-c", _NAMED, name)
        self.options = ("--listen",)
        # The first line of a name counts, and these come before the daemon's own.
        self.settings = more.format(name=name) + f'listen_tcp = 1\nlisten_addr = "{address}"\nauth_tcp = "none"\n'

    @property
    def over_tcp(self) -> str:
        return f"qemu+tcp://{self.address}/system"


@contextlib.contextmanager
def two_hosts(home: Path, more: str = "") -> Iterator[tuple[NetworkedDaemon, NetworkedDaemon]]:
    """Two daemons that answer, at addresses that each other and we reach; they, their guests and the wire go again.

    `more` are settings of both, in which `{name}` is each one's own."""
    mark = uuid4().hex[:6]
    bridge = f"hwb{mark}"
    with contextlib.ExitStack() as stack:
        _ip("link", "add", bridge, "type", "bridge")
        stack.callback(_ip, "link", "del", bridge)
        _ip("addr", "add", f"{NET}.254/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        made = [_host(stack, home, bridge, mark, number, more) for number in (1, 2)]
        yield made[0], made[1]


def _host(stack: contextlib.ExitStack, home: Path, bridge: str, mark: str, number: int, more: str) -> NetworkedDaemon:
    namespace, outside, inside = f"hwn{mark}{number}", f"hwo{mark}{number}", f"hwi{mark}{number}"
    _ip("netns", "add", namespace)
    stack.callback(_ip, "netns", "del", namespace)
    _ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", namespace)
    stack.callback(_ip, "link", "del", outside)
    _ip("link", "set", outside, "master", bridge, "up")
    _ip("-n", namespace, "addr", "add", f"{NET}.{number}/24", "dev", inside)
    for device in ("lo", inside):
        _ip("-n", namespace, "link", "set", device, "up")
    daemon = NetworkedDaemon(home / f"host{number}", f"host{number}", namespace, f"{NET}.{number}", more)
    stack.callback(daemon.stop, guests=True)
    daemon.start()
    return daemon


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
