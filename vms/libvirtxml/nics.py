"""Network cards and the networks behind them as libvirt XML, and what live XML says of cards."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Final

from lxml import etree

from vms.domain.devices import OUR_ALIAS, Device, DeviceKind
from vms.domain.hosts import Capabilities
from vms.domain.machine import Address, MachineSpec
from vms.domain.networks import NetworkKind, Nic, Wire

from .elements import PARSER, Element, behind_port, e, port_of

_PORTS: Final = (*range(5, 12), 25)  # the root ports that cards sit behind: between them and the last are the disks
_LEASE: Final = {"expiry": "12", "unit": "hours"}


def write_nic(nic: Nic, host: Capabilities, alias: str, address: Element) -> Element:
    """A card at its place: without a wire it is on user mode with its link down, which every host has."""
    element = e("interface", *_source(nic.wire, host))
    if nic.mac:  # a machine that is not made yet has none
        element.append(e("mac", {"address": nic.mac}))
    element.append(e("model", {"type": nic.model.value}))
    if nic.wire is not None and nic.wire.mtu:
        element.append(e("mtu", {"size": str(nic.wire.mtu)}))
    if not nic.up:
        element.append(e("link", {"state": "down"}))
    element.append(address)
    element.append(e("alias", {"name": alias}))
    return element


def carried(wire: Wire | None, host: Capabilities) -> NetworkKind:
    """What carries a wire on this host: `AUTOMATIC` is NAT or user mode there."""
    if wire is None:
        return NetworkKind.USER
    if wire.kind == NetworkKind.AUTOMATIC:
        return NetworkKind.NAT if host.networks else NetworkKind.USER
    return wire.kind


def write_nics(spec: MachineSpec, given: Iterable[Device], host: Capabilities) -> dict[str, Element]:
    """The machine's cards by their aliases, each where it was before; a new one is behind the first root port that is
    free, so that a card which is taken out moves no other one."""
    cards = by_alias(spec, given)
    chipset, pinned = spec.firmware.chipset, spec.pinned_addresses
    kept = {alias: address for alias in cards if _on_bus(address := pinned.get(alias))}
    taken = {port_of(address, chipset) for address in kept.values() if address}
    free = (port for port in _PORTS if port not in taken)
    return {
        alias: write_nic(nic, host, alias, behind_port(kept.get(alias), 0 if alias in kept else next(free), chipset))
        for alias, nic in cards.items()
    }


def by_alias(spec: MachineSpec, given: Iterable[Device]) -> dict[str, Nic]:
    """The cards that are plugged in by libvirt's names for them; `given` are the machine's devices."""
    plugged = (nic for nic in spec.nics if nic.plugged)
    return dict(zip((each.alias for each in given if each.kind == DeviceKind.INTERFACE), plugged, strict=True))


def _on_bus(address: Address | None) -> bool:
    return address is not None and address.get("type") == "pci"


def _source(wire: Wire | None, host: Capabilities) -> Iterator[Element | Mapping[str, str]]:
    kind = carried(wire, host)
    if wire is None or kind == NetworkKind.USER:
        yield {"type": "user"}
    elif kind == NetworkKind.BRIDGE:
        yield {"type": "bridge"}
        yield e("source", {"bridge": wire.source})
    else:
        yield {"type": "network"}
        yield e("source", {"network": wire.libvirt_name})


def write_network(wire: Wire, at: IPv4Network, *, nat: bool) -> str:
    """A network of ours: a bridge of its own with DHCP on it, and with a way out by NAT."""
    first, last = at.network_address + 2, at.broadcast_address - 1
    network = e(
        "network",
        e("name", wire.libvirt_name),
        e("uuid", str(wire.network)),
        e("bridge", {"name": wire.bridge, "stp": "on", "delay": "0"}),
    )
    if nat:
        network.append(e("forward", {"mode": "nat"}))
    if wire.mtu:
        network.append(e("mtu", {"size": str(wire.mtu)}))
    leases = e("dhcp", e("range", {"start": str(first), "end": str(last)}, e("lease", _LEASE)))
    network.append(e("ip", {"address": str(at.network_address + 1), "prefix": str(at.prefixlen)}, leases))
    etree.indent(network)
    return etree.tostring(network, encoding="unicode") + "\n"


@dataclass(frozen=True, slots=True)
class Card:
    """A card of a live domain: its whole element as text, how it is connected, its link, and the host's name for it."""

    alias: str
    mac: str
    model: str
    source: tuple[str, str]
    up: bool
    mtu: str
    target: str
    xml: str


def cards(xml: str) -> tuple[Card, ...]:
    """The network cards of live domain XML, ours alone."""
    found = []
    for element in etree.fromstring(xml.encode(), PARSER).iterfind("devices/interface"):
        alias = element.find("alias")
        if alias is not None and (alias.get("name") or "").startswith(OUR_ALIAS):
            found.append(card(element))
    return tuple(found)


def card(element: Element) -> Card:
    """What an `<interface>` says."""

    def told(path: str, name: str) -> str:
        inside = element.find(path)
        return (inside.get(name) or "") if inside is not None else ""

    kind = element.get("type") or ""
    return Card(
        alias=told("alias", "name"),
        mac=told("mac", "address"),
        model=told("model", "type"),
        source=(kind, told("source", kind) if kind in {"network", "bridge"} else ""),
        up=told("link", "state") != "down",
        mtu=told("mtu", "size"),
        target=told("target", "dev"),
        xml=etree.tostring(element, encoding="unicode"),
    )
