"""What a running guest tells of itself, and what its network tells of it: believed, but never trusted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import Final, Self

# A guest says what it likes: so much of it is kept.
TEXT: Final = 255
MANY: Final = 64


class Source(StrEnum):
    """Who tells of an address; the first is believed most."""

    AGENT = "agent"
    LEASE = "lease"  # the DHCP server of a virtual network
    ARP = "arp"  # the host's table of neighbours


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestAddress:
    """An IP address of a guest, by whom it was told and when last."""

    address: str
    source: Source
    mac: str = ""
    interface: str = ""
    seen_at: datetime | None = None

    @property
    def reaches(self) -> bool:
        """Whether anybody beyond the guest's own link could use it."""
        address = ip_address(self.address)
        return not (address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast)


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """An operating system as it names itself: Debian GNU/Linux, 12 (bookworm), its kernel and processor."""

    name: str = ""
    version: str = ""
    distribution: str = ""
    kernel: str = ""
    architecture: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A guest's time zone; `offset` in seconds east of Greenwich."""

    name: str = ""
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestUser:
    """Somebody who has logged in inside the guest."""

    name: str
    domain: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystem:
    """A mounted file system; sizes in bytes, None where the guest does not tell."""

    path: str
    kind: str = ""
    total: int | None = None
    used: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What outlasts a run: the guest will be the same when it is started again."""

    agent_version: str = ""
    system: System = System()
    zone: Zone = Zone()
    filesystems: tuple[FileSystem, ...] = ()
    users: tuple[GuestUser, ...] = ()

    @property
    def applications(self) -> tuple[str, ...]:
        """What is installed, as far as QEMU's agent tells: itself."""
        return (f"qemu-guest-agent-{self.agent_version}",) if self.agent_version else ()

    def after_the_run(self) -> Self:
        """With nobody in it."""
        return replace(self, users=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """One answer to the question what a guest is; `agent` says whether its agent took part.

    `addresses` has an entry for each source that could tell, even if it told of none.
    """

    agent: bool = False
    fqdn: str = ""
    told: Told = Told()
    addresses: Mapping[Source, tuple[GuestAddress, ...]] = field(default_factory=dict)


def merged(before: Iterable[GuestAddress], guest: Guest, at: datetime) -> tuple[GuestAddress, ...]:
    """The addresses after an answer, the most believed source of each, those first that others could use.

    What a source told before is kept with its age while it cannot tell; what it does not tell any more is gone.
    """
    known = [one for one in before if one.source not in guest.addresses]
    fresh = [replace(one, seen_at=at) for told in guest.addresses.values() for one in told]
    best: dict[str, GuestAddress] = {}
    for one in sorted((*fresh, *known), key=lambda one: list(Source).index(one.source)):
        best.setdefault(one.address, one)
    return tuple(sorted(best.values(), key=lambda one: (not one.reaches, ip_address(one.address).version)))[:MANY]


def text(value: object, length: int = TEXT) -> str:
    """What a guest says, on one line of characters that can be shown and stored."""
    return "".join(each if each.isprintable() else " " for each in str(value)[: length * 2]).strip()[:length]


def valid_address(value: object) -> str:
    """An address in its usual form; empty for what is none."""
    try:
        return str(ip_address(str(value).partition("%")[0]))
    except ValueError:
        return ""
