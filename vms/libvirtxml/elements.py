"""Building blocks for domain XML."""

from collections.abc import Mapping
from typing import Final

from lxml import etree

from vms.domain.firmware import Chipset
from vms.domain.machine import Address

Element = etree._Element
BRIDGE: Final = 1  # the bus that I440FX has beside its own
PARSER: Final = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)


def e(tag: str, *parts: Element | str | Mapping[str, str]) -> Element:
    """An element with attributes (a mapping), text (a string) and children, in the order given."""
    element = etree.Element(tag)
    for part in parts:
        if isinstance(part, str):
            element.text = part
        elif isinstance(part, Mapping):
            for name, value in part.items():
                element.set(name, value)
        else:
            element.append(part)
    return element


def behind_port(stored: Address | None, port: int, chipset: Chipset = Chipset.Q35) -> Element:
    """The address of a card: where it was before, else behind a root port, which on I440FX is a slot of its bridge."""
    if stored and stored.get("type") == "pci":
        return e("address", dict(stored))
    bus, slot = (port, 0) if chipset == Chipset.Q35 else (BRIDGE, port)
    return e("address", {"type": "pci", "domain": "0", "bus": str(bus), "slot": str(slot), "function": "0"})


def port_of(address: Address, chipset: Chipset) -> int:
    """The port that a card sits behind."""
    return int(address["bus" if chipset == Chipset.Q35 else "slot"], 0)


def on_root_bus(slot: int) -> Element:
    """The address of a card on the root bus itself."""
    return e("address", {"type": "pci", "domain": "0", "bus": "0", "slot": str(slot), "function": "0"})


def on_usb(port: int) -> Element:
    """The address of a device on the USB controller."""
    return e("address", {"type": "usb", "bus": "0", "port": str(port)})
