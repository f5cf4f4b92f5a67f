"""The libvirt addresses of hosts: where they lead, and which of them lead to the same daemon."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

PORTS: Final = {"ssh": 22, "tls": 16514, "tcp": 16509}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What an address says: by which `transport` (empty, or `unix`, on this machine), to which machine and port (0:
    whichever is usual there), as whom, and whether to the daemon of the system or to a user's own."""

    transport: str
    machine: str
    port: int
    user: str
    session: bool
    socket: str = ""
    pki: str = ""

    @classmethod
    def of(cls, uri: str) -> "Way":
        """The way that a URI describes."""
        parts, more = urlsplit(uri), dict(parse_qsl(urlsplit(uri).query))
        return cls(
            transport=parts.scheme.partition("+")[2],
            machine=(parts.hostname or "").rstrip("."),
            port=parts.port or 0,
            user=parts.username or "",
            session=parts.path == "/session",
            socket=more.get("socket", ""),
            pki=more.get("pkipath", ""),
        )

    @property
    def usual_port(self) -> bool:
        """Whether it is the one that its transport has anyway."""
        return self.port in {0, PORTS.get(self.transport, 0)}

    @property
    def end(self) -> tuple[object, ...]:
        """The same for all addresses that lead to one daemon, as far as spelling tells: transports to the usual ports
        of a machine end at the same one there."""
        whose = (self.session, self.user if self.session else "")
        if not self.usual_port:
            return (*whose, self.machine, self.transport, self.port)
        return (*whose, self.machine, self.socket)
