"""Networks and addresses: what can be, and what is refused with the reason."""

from uuid import UUID

import pytest

from vms.domain.errors import Refusal
from vms.domain.hosts import Capabilities
from vms.domain.machine import NICS, MachineSpec
from vms.domain.networks import (
    MacRange,
    NetworkKind,
    Nic,
    Wire,
    check_card_name,
    check_network_name,
    next_card_name,
    read_mac,
    subnets,
)

ID = UUID("0d6f2c1e-9a55-4b5e-8f43-0c3a3e0d5a11")


def refused(call: object, *arguments: object, **named: object) -> str:
    """The field that a refusal is about."""
    with pytest.raises(Refusal) as no:
        call(*arguments, **named)  # type: ignore[operator]
    return no.value.field or ""


def test_an_address_is_read_however_it_is_written() -> None:
    assert {read_mac(text) for text in ("56:6F:1A:2B:00:01", "56-6f-1a-2b-00-01", " 56:6f:1a:2b:00:01 ")} == {
        "56:6f:1a:2b:00:01"
    }


@pytest.mark.parametrize(
    "text",
    [
        *("", "56:6f:1a:2b:00", "56:6f:1a:2b:00:0g", "566f1a2b0001", "00:00:00:00:00:00", "56:6f:1a:2b:00:01\n56"),
        *("01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "57:6f:1a:2b:00:01", "\u06656:6f:1a:2b:00:01"),
    ],
)
def test_what_is_no_address_of_a_card_is_refused(text: str) -> None:
    assert refused(read_mac, text) == "mac"


def test_a_range_goes_on_after_an_address_and_ends() -> None:
    few = MacRange("56:6f:00:00:00:fe", "56:6f:00:00:01:00")
    assert few.after("") == "56:6f:00:00:00:fe"
    assert few.after("56:6f:00:00:00:ff") == "56:6f:00:00:01:00"
    assert few.after("56:6f:00:00:01:00") is None
    assert "56:6f:00:00:00:ff" in few
    assert "56:6f:00:00:01:01" not in few


def test_a_range_finds_the_gap_and_nothing_when_it_is_full() -> None:
    few = MacRange("56:6f:00:00:00:00", "56:6f:00:00:00:02")
    assert few.free(["56:6f:00:00:00:00", "56:6f:00:00:00:02"]) == "56:6f:00:00:00:01"
    assert few.free([f"56:6f:00:00:00:0{n}" for n in range(3)]) is None


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("56:6f:00:00:00:02", "56:6f:00:00:00:01"),
        ("56:6F:00:00:00:00", "56:6f:00:00:00:01"),
        ("56:6f:00:00:00:00", "58:6f:00:00:00:01"),
        ("01:00:00:00:00:00", "01:00:00:00:00:01"),
        ("", ""),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(first: str, last: str) -> None:
    assert refused(MacRange, first, last) == "ranges"


@pytest.mark.parametrize(
    ("named", "field"),
    [
        ({"kind": NetworkKind.BRIDGE}, "source"),
        ({"kind": NetworkKind.LIBVIRT}, "source"),
        ({"kind": NetworkKind.NAT, "source": "br0"}, "source"),
        ({"kind": NetworkKind.BRIDGE, "source": "br 0"}, "source"),
        ({"kind": NetworkKind.BRIDGE, "source": "br0;reboot"}, "source"),
        ({"kind": NetworkKind.BRIDGE, "source": "a-name-of-16-letters"}, "source"),
        ({"kind": NetworkKind.BRIDGE, "source": "br0", "subnet": "10.0.0.0/24"}, "subnet"),
        ({"kind": NetworkKind.NAT, "subnet": "10.0.0.1/24"}, "subnet"),
        ({"kind": NetworkKind.NAT, "subnet": "10.0.0.0/31"}, "subnet"),
        ({"kind": NetworkKind.NAT, "subnet": "224.0.0.0/8"}, "subnet"),
        ({"kind": NetworkKind.NAT, "subnet": "fd00::/64"}, "subnet"),
        ({"kind": NetworkKind.NAT, "mtu": 67}, "mtu"),
        ({"kind": NetworkKind.NAT, "mtu": 65521}, "mtu"),
    ],
)
def test_a_network_that_no_host_could_carry_is_refused(named: dict[str, object], field: str) -> None:
    assert refused(Wire, **named) == field


def test_a_network_of_ours_is_called_by_its_id_on_the_hosts() -> None:
    ours, bridge = Wire(kind=NetworkKind.NAT, network=ID), Wire(kind=NetworkKind.LIBVIRT, network=ID, source="lab")
    assert (ours.libvirt_name, ours.bridge) == ("hw-0d6f2c1e9a55", "hw0d6f2c1e9a55")
    assert len(ours.bridge) <= 15
    assert bridge.libvirt_name == "lab"


def test_the_chosen_subnet_is_the_only_one_and_others_are_private_and_many() -> None:
    chosen = Wire(kind=NetworkKind.NAT, network=ID, subnet="10.7.0.0/24")
    assert [str(each) for each in subnets(chosen)] == ["10.7.0.0/24"]
    tried = subnets(Wire(kind=NetworkKind.NAT, network=ID))
    assert len(set(tried)) == len(tried) > 8
    assert all(each.is_private for each in tried)


@pytest.mark.parametrize("name", ["", " lan", "lan\n", "la\0n", "a" * 257, "<b>", "lan\u202e"])
def test_a_name_with_odd_bytes_is_refused(name: str) -> None:
    assert refused(check_network_name, name) == "name"
    assert refused(check_card_name, name) == "name"


def test_cards_are_numbered_by_the_first_free_number() -> None:
    assert [next_card_name(taken) for taken in ((), ("nic1",), ("nic2",), ("nic1", "lan", "nic2"))] == [
        *("nic1", "nic2", "nic1", "nic3"),
    ]


def test_a_machine_has_as_many_cards_as_there_is_room_for() -> None:
    cards = tuple(Nic(mac=f"56:6f:00:00:00:0{n}") for n in range(NICS + 1))
    assert refused(MachineSpec, id=ID, name="web", nics=cards) == "nics"


def test_a_card_without_a_wire_or_link_shows_no_carrier() -> None:
    assert Nic(mac="56:6f:00:00:00:01").up
    assert not Nic(mac="56:6f:00:00:00:01", wire=None).up
    assert not Nic(mac="56:6f:00:00:00:01", linked=False).up


def test_a_host_lacks_what_carries_a_network_and_is_not_there() -> None:
    def lacks(wire: Wire, **offered: object) -> str:
        spec = MachineSpec(id=ID, name="web", nics=(Nic(mac="56:6f:00:00:00:01", wire=wire),))
        return Capabilities(**offered).lacks(spec)  # type: ignore[arg-type]

    bridge = Wire(kind=NetworkKind.BRIDGE, source="br0")
    assert lacks(bridge, bridges=frozenset({"br1"})) == "br0"
    assert lacks(bridge, bridges=frozenset({"br0"})) == ""
    assert lacks(bridge) == "", "nobody could tell"
    assert lacks(Wire(kind=NetworkKind.LIBVIRT, source="lab"), libvirt_networks=frozenset()) == "lab"
    assert lacks(Wire(kind=NetworkKind.NAT, network=ID)) == "NAT"
    assert lacks(Wire(kind=NetworkKind.NAT, network=ID), networks=True) == ""
    assert lacks(Wire(kind=NetworkKind.AUTOMATIC, network=ID)) == "", "user mode is as good"


def test_a_card_that_is_kept_aside_asks_for_nothing() -> None:
    card = Nic(mac="56:6f:00:00:00:01", plugged=False, wire=Wire(kind=NetworkKind.BRIDGE, source="br0"))
    spec = MachineSpec(id=ID, name="web", nics=(card,))
    assert Capabilities(bridges=frozenset()).lacks(spec) == ""
