"""What a machine's network cards are plugged into, and the MAC addresses that they are known by."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError
from typing import Final
from uuid import UUID

from .errors import Refusal

MTU: Final = (68, 65_520)  # what IPv4 takes at least, and virtio at most
NAME_LENGTH: Final = 256  # oVirt's for networks
CARD_NAME_LENGTH: Final = 50
PREFIXES: Final = (8, 28)  # of a subnet that has room for its gateway and some guests

_NAME: Final = re.compile(r"\w[\w .:+-]*")
_CARD_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MAC: Final = re.compile(r"[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}")
_SOURCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_INTERFACE_LENGTH: Final = 15  # IFNAMSIZ less its final NUL
_NO_NETWORK: Final = UUID(int=0)
_MULTICAST: Final = 0x01_00_00_00_00_00


class NetworkKind(StrEnum):
    """What carries a network on a host.

    `AUTOMATIC` is NAT where the host can give that, and QEMU's user mode where it cannot. NAT and an isolated network
    are defined by us, each with DHCP; `LIBVIRT` and `BRIDGE` are there already, by their name on the host.
    """

    AUTOMATIC = "automatic"
    NAT = "nat"
    ISOLATED = "isolated"
    LIBVIRT = "libvirt"
    BRIDGE = "bridge"
    USER = "user"


OURS: Final = frozenset({NetworkKind.AUTOMATIC, NetworkKind.NAT, NetworkKind.ISOLATED})
THERE_ALREADY: Final = frozenset({NetworkKind.LIBVIRT, NetworkKind.BRIDGE})


class NicModel(StrEnum):
    """The card that the guest sees (oVirt: VmInterfaceType, as far as QEMU on q35 has them)."""

    VIRTIO = "virtio"
    E1000E = "e1000e"
    E1000 = "e1000"
    RTL8139 = "rtl8139"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A network as a host must know it: `source` is the name of what is there already, `subnet` (IPv4, empty for any
    that is free) that of a network of ours.
    """

    kind: NetworkKind = NetworkKind.USER
    network: UUID = _NO_NETWORK
    source: str = ""
    subnet: str = ""
    mtu: int | None = None

    def __post_init__(self) -> None:
        if (self.kind in THERE_ALREADY) != bool(self.source):
            allowed = "the name of a bridge or libvirt network of the hosts, and of nothing else"
            raise Refusal("ILLEGAL_VALUE", "source", value=self.source[:40], allowed=allowed)
        if self.source and not _SOURCE.fullmatch(self.source):
            raise Refusal("ILLEGAL_VALUE", "source", value=ascii(self.source[:40]), allowed="letters, digits and . _ -")
        if self.kind == NetworkKind.BRIDGE and len(self.source) > _INTERFACE_LENGTH:
            allowed = f"at most {_INTERFACE_LENGTH} characters"
            raise Refusal("ILLEGAL_VALUE", "source", value=self.source[:40], allowed=allowed)
        if self.mtu is not None and not MTU[0] <= self.mtu <= MTU[1]:
            raise Refusal("ILLEGAL_VALUE", "mtu", value=self.mtu, allowed="{} … {}".format(*MTU))
        if self.subnet:
            if self.kind not in OURS:
                allowed = "nothing for a network that is not ours"
                raise Refusal("ILLEGAL_VALUE", "subnet", value=self.subnet[:40], allowed=allowed)
            subnet(self.subnet)

    @property
    def libvirt_name(self) -> str:
        """What libvirt calls the network."""
        return f"hw-{self.network.hex[:12]}" if self.kind in OURS else self.source

    @property
    def bridge(self) -> str:
        """The name on the host of the bridge of a network of ours; no two installations have the same."""
        return f"hw{self.network.hex[:12]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Nic:
    """A network card: plugged in or kept aside, its link up or down, on a wire or (None) on none."""

    mac: str
    id: UUID | None = None
    name: str = "nic1"
    model: NicModel = NicModel.VIRTIO
    linked: bool = True
    plugged: bool = True
    wire: Wire | None = field(default_factory=Wire)

    @property
    def up(self) -> bool:
        """Whether the guest sees a carrier."""
        return self.linked and self.wire is not None

    @property
    def shape(self) -> tuple[object, ...]:
        """What the guest and its network notice of the card."""
        wire = self.wire
        on = (wire.kind, wire.source or (wire.network if wire.kind in OURS else None), wire.mtu) if wire else None
        return (self.mac, self.model, self.up, on)


def check_network_name(name: str) -> None:
    """Refuse a name that lists, searches and clients cannot carry."""
    if len(name) > NAME_LENGTH or not _NAME.fullmatch(name):
        code = "ACTION_TYPE_FAILED_INVALID_CHARACTERS_IN_NAME"
        raise Refusal(code, "name", name=ascii(name[:40]), length=NAME_LENGTH)


def check_card_name(name: str) -> None:
    """Refuse a card's name that oVirt would not take."""
    if len(name) > CARD_NAME_LENGTH or not _CARD_NAME.fullmatch(name):
        code = "ACTION_TYPE_FAILED_INVALID_CHARACTERS_IN_NAME"
        raise Refusal(code, "name", name=ascii(name[:40]), length=CARD_NAME_LENGTH)


def next_card_name(taken: Iterable[str]) -> str:
    """`nic1`, or the first number that is free."""
    names = set(taken)
    return next(name for number in range(1, len(names) + 2) if (name := f"nic{number}") not in names)


def subnet(text: str) -> IPv4Network:
    """A subnet as people write it; refused where it is none, or has no room for guests."""
    try:
        found = IPv4Network(text)
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        raise _no_subnet(text) from error
    if not PREFIXES[0] <= found.prefixlen <= PREFIXES[1] or found.is_multicast or found.is_loopback:
        raise _no_subnet(text)
    return found


def _no_subnet(text: str) -> Refusal:
    return Refusal("ILLEGAL_VALUE", "subnet", value=ascii(text[:40]), allowed="a subnet like 192.168.150.0/24")


def subnets(wire: Wire) -> list[IPv4Network]:
    """Where a network of ours may be put, the first one first: the one that was chosen, else private ones by its id."""
    if wire.subnet:
        return [subnet(wire.subnet)]
    first = wire.network.int % 120
    return [IPv4Network(f"192.168.{130 + (first + step * 7) % 120}.0/24") for step in range(24)]


# -- MAC addresses


def read_mac(text: str, name: str = "mac") -> str:
    """A MAC address in its usual form; refused where it is none, or that of a group rather than of a card."""
    plain = text.strip().lower()
    if not _MAC.fullmatch(plain):
        raise Refusal("ILLEGAL_VALUE", name, value=ascii(text[:40]), allowed="an address like 56:6f:1a:2b:00:01")
    mac = plain.replace("-", ":")
    if _number(mac) & _MULTICAST or not _number(mac):
        allowed = "the address of a card: its second digit is even, and it is not all zero"
        raise Refusal("ILLEGAL_VALUE", name, value=mac, allowed=allowed)
    return mac


@dataclass(frozen=True, slots=True)
class MacRange:
    """MAC addresses one after the other, both ends included; as texts they sort like as numbers."""

    first: str
    last: str

    def __post_init__(self) -> None:
        for end in (self.first, self.last):
            if read_mac(end, "ranges") != end:
                raise Refusal("ILLEGAL_VALUE", "ranges", value=end, allowed=read_mac(end, "ranges"))
        if self.first > self.last:
            told = f"{self.first} … {self.last}"
            raise Refusal("ILLEGAL_VALUE", "ranges", value=told, allowed="the lower address first")
        if self.first[:2] != self.last[:2]:
            told = f"{self.first} … {self.last}"
            raise Refusal("ILLEGAL_VALUE", "ranges", value=told, allowed="addresses that begin alike")

    def __contains__(self, mac: str) -> bool:
        return self.first <= mac <= self.last

    def after(self, mac: str) -> str | None:
        """The next address of the range; None at its end."""
        following = _text(_number(mac) + 1) if mac >= self.first else self.first
        return following if following <= self.last else None

    def free(self, taken: Iterable[str]) -> str | None:
        """The first address that is not taken; None when all are."""
        there = set(taken)
        mac: str | None = self.first
        while mac is not None and mac in there:
            mac = self.after(mac)
        return mac


def mac_of(machine: UUID, index: int) -> str:
    """A MAC address that belongs to one machine's card for ever, in QEMU's own range: what cards had before there were
    pools."""
    digest = hashlib.sha256(f"{machine}/nic/{index}".encode()).hexdigest()
    return "52:54:00:" + ":".join(digest[start : start + 2] for start in (0, 2, 4))


def _number(mac: str) -> int:
    return int(mac.replace(":", ""), 16)


def _text(number: int) -> str:
    digits = f"{number:012x}"
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))
