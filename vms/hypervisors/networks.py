"""Networks of a libvirt host: ours are started when a machine needs them; and cards are plugged while it runs."""

import contextlib
import json
import re
import threading
import time
from dataclasses import replace
from ipaddress import ip_interface
from typing import Any, Final
from uuid import uuid4

import libvirt
from lxml import etree

from vms.domain.devices import devices
from vms.domain.document import run_to_document
from vms.domain.errors import Refusal
from vms.domain.hosts import Capabilities
from vms.domain.machine import MachineSpec
from vms.domain.networks import NetworkKind, Nic, Wire, subnets
from vms.domain.runonce import Run
from vms.libvirtxml.elements import PARSER, Element, e
from vms.libvirtxml.nics import Card, by_alias, card, cards, carried, write_network, write_nics
from vms.libvirtxml.observe import observe
from vms.libvirtxml.write import NAMESPACE, PREFIX

UNPLUGGED_WITHIN: Final = 15.0  # seconds that a guest has to let go of a card
_LOOK_EVERY: Final = 0.05
_TAKEN: Final = re.compile(r"already in use|is already used|conflicts?")
_OURS: Final = re.compile(r"hw-?[0-9a-f]{12}")
# One daemon takes definitions of one network from several threads one after the other, and the second one fails.
_alone: Final = threading.Lock()


def why_none(connection: Any) -> str:
    """Why networks of ours cannot be carried here, in libvirt's words; empty where one has just been started."""
    wire = Wire(kind=NetworkKind.NAT, network=uuid4())
    reason = ""
    for at in subnets(wire):
        try:
            network = connection.networkCreateXML(write_network(wire, at, nat=True))
        except libvirt.libvirtError as error:
            reason = str(error)
            if not _TAKEN.search(reason):
                return reason
        else:
            network.destroy()
            return ""
    return reason


def bridges(connection: Any) -> frozenset[str] | None:
    """The bridges of the host that are not ours; None where its libvirt does not tell."""
    try:
        there = connection.listAllInterfaces(0)
        named = [each for each in there if not each.name().startswith(("vnet", "lo")) and not _is_ours(each.name())]
        return frozenset(each.name() for each in named if "type='bridge'" in each.XMLDesc().partition(">")[0])
    except libvirt.libvirtError:
        return None


def libvirt_networks(connection: Any) -> frozenset[str] | None:
    """The networks that the host's libvirt has beside ours; None where it does not tell."""
    try:
        names = [network.name() for network in connection.listAllNetworks(0)]
    except libvirt.libvirtError:
        return None
    return frozenset(name for name in names if not _is_ours(name))


def ensure(connection: Any, spec: MachineSpec, host: Capabilities) -> None:
    """Have the networks of the machine's cards run on the host."""
    wires = {nic.wire for nic in spec.nics if nic.plugged and nic.wire is not None}
    for wire in sorted(wires, key=lambda wire: str(wire.network)):
        kind = carried(wire, host)
        if kind in {NetworkKind.NAT, NetworkKind.ISOLATED}:
            with _alone:
                _ensure(connection, wire, nat=kind == NetworkKind.NAT)
        elif kind == NetworkKind.LIBVIRT:
            network = connection.networkLookupByName(wire.source)
            if not network.isActive():
                network.create()


def rewire(connection: Any, domain: Any, run: Run, host: Capabilities) -> None:
    """Bring a running domain's cards to those of `run`, and have it carry what it has now, also when a step fails."""
    ensure(connection, run.spec, host)
    live = domain.XMLDesc()
    before = observe(live).run or run
    now = by_alias(before.spec, devices(before.spec))
    wanted = by_alias(run.spec, devices(run.spec))
    there = {each.alias: each for each in cards(live)}
    elements = write_nics(run.spec, devices(run.spec), host)
    try:
        for alias in there.keys() - wanted.keys():
            _unplug(domain, there[alias])
            now.pop(alias, None)
        for alias, element in elements.items():
            _bring(domain, there.get(alias), element)
            now[alias] = wanted[alias]
    finally:
        _carry(domain, run, tuple(now.values()))


def targets(domain: Any) -> dict[str, str]:
    """MAC addresses by the host's names for the cards of a running domain."""
    return {each.target: each.mac for each in cards(domain.XMLDesc()) if each.target}


# -- inside


def _is_ours(name: str) -> bool:
    return _OURS.fullmatch(name) is not None


def _ensure(connection: Any, wire: Wire, *, nat: bool) -> None:
    network = _find(connection, wire)
    if network is not None and network.isActive():
        if not _differs(network, wire, nat=nat) or network.listAllPorts():
            return  # one that machines are on stays as it is until they have left
        network.destroy()
    elif network is not None and not _differs(network, wire, nat=nat):
        with contextlib.suppress(libvirt.libvirtError):  # its place may have been taken meanwhile
            network.create()
            return
    _begin(connection, wire, nat=nat)


def _begin(connection: Any, wire: Wire, *, nat: bool) -> None:
    for at in (places := subnets(wire)):
        network = connection.networkDefineXML(write_network(wire, at, nat=nat))
        try:
            network.create()
        except libvirt.libvirtError as error:
            if at == places[-1] or not _TAKEN.search(str(error)):
                network.undefine()
                raise
        else:
            network.setAutostart(1)
            return


def _find(connection: Any, wire: Wire) -> Any:
    try:
        return connection.networkLookupByUUID(wire.network.bytes)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_NETWORK:
            return None
        raise


def _differs(network: Any, wire: Wire, *, nat: bool) -> bool:
    told = etree.fromstring(network.XMLDesc().encode(), PARSER)
    address, mtu = told.find("ip"), told.find("mtu")
    size = int(mtu.get("size") or 0) if mtu is not None else None
    if size != wire.mtu or (told.find("forward") is not None) != nat:
        return True
    if not wire.subnet or address is None:
        return bool(wire.subnet)
    prefix = address.get("prefix") or address.get("netmask")
    return ip_interface(f"{address.get('address')}/{prefix}").network not in subnets(wire)


def _bring(domain: Any, there: Card | None, element: Element) -> None:
    wanted = card(element)
    if there is not None and _needs_another(there, wanted):
        _unplug(domain, there)
        there = None
    if there is None:
        domain.attachDeviceFlags(wanted.xml, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    elif (there.source, there.up) != (wanted.source, wanted.up):
        if element.find("link") is None:  # left out, it would stay as it is
            element.append(e("link", {"state": "up"}))
        element.extend(etree.fromstring(there.xml, PARSER).iterfind("boot"))  # its turn stays
        domain.updateDeviceFlags(card(element).xml, libvirt.VIR_DOMAIN_AFFECT_LIVE)


def _needs_another(there: Card, wanted: Card) -> bool:
    """Whether QEMU cannot change the card while it is plugged in: another model, address, MTU, or user mode or not."""
    user = "user" in {there.source[0], wanted.source[0]} and there.source[0] != wanted.source[0]
    return user or (there.mac, there.model, there.mtu) != (wanted.mac, wanted.model, wanted.mtu)


def _unplug(domain: Any, there: Card) -> None:
    """Take a card out, which the guest has to let go of."""
    with contextlib.suppress(libvirt.libvirtError):  # asked before, and not followed yet
        domain.detachDeviceFlags(there.xml, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    until = time.monotonic() + UNPLUGGED_WITHIN
    while any(each.alias == there.alias for each in cards(domain.XMLDesc())):
        if time.monotonic() > until:
            raise Refusal("GUEST_KEEPS_DEVICE", None, mac=there.mac)
        time.sleep(_LOOK_EVERY)


def _carry(domain: Any, run: Run, nics: tuple[Nic, ...]) -> None:
    carried_run = e("run", json.dumps(run_to_document(replace(run, base=replace(run.base, nics=nics))), sort_keys=True))
    text = etree.tostring(carried_run, encoding="unicode")
    flags = libvirt.VIR_DOMAIN_AFFECT_LIVE
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, text, PREFIX, NAMESPACE, flags)
