"""What guests tell is believed as far as it can be: one entry for an address, the best source, an age, clean text."""

from datetime import UTC, datetime, timedelta

import pytest

from vms.domain.guest import MANY, TEXT, Guest, GuestAddress, Source, Told, merged, text, valid_address

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
EARLIER = NOW - timedelta(minutes=7)


def address(value: str, source: Source = Source.AGENT, seen_at: datetime | None = None) -> GuestAddress:
    return GuestAddress(address=value, source=source, mac="52:54:00:00:00:01", seen_at=seen_at)


def told(*addresses: GuestAddress, **more: object) -> Guest:
    """An answer of the sources that these addresses have."""
    sources = {one.source for one in addresses}
    return Guest(
        agent=Source.AGENT in sources,
        addresses={source: tuple(one for one in addresses if one.source == source) for source in sources},
    )


def test_an_address_that_several_tell_of_is_there_once_by_the_most_believed() -> None:
    guest = told(address("10.0.0.5", Source.ARP), address("10.0.0.5", Source.LEASE), address("10.0.0.5"))
    (one,) = merged((), guest, NOW)
    assert (one.source, one.seen_at) == (Source.AGENT, NOW)


def test_what_a_source_told_before_stays_with_its_age_while_it_cannot_tell() -> None:
    before = (address("10.0.0.5", Source.AGENT, EARLIER),)
    after = merged(before, told(address("10.0.0.6", Source.LEASE)), NOW)
    assert {(one.address, one.seen_at) for one in after} == {("10.0.0.5", EARLIER), ("10.0.0.6", NOW)}


def test_what_a_source_does_not_tell_any_more_is_gone() -> None:
    before = (address("10.0.0.5", Source.LEASE, EARLIER),)
    assert merged(before, Guest(addresses={Source.LEASE: ()}), NOW) == ()


def test_addresses_that_others_can_use_come_first() -> None:
    guest = told(address("fe80::1"), address("2001:db8::5"), address("10.0.0.5"))
    assert [one.address for one in merged((), guest, NOW)] == ["10.0.0.5", "2001:db8::5", "fe80::1"]


def test_a_guest_cannot_fill_the_database() -> None:
    many = told(*(address(f"10.0.{n // 250}.{n % 250 + 1}") for n in range(1000)))
    assert len(merged((), many, NOW)) == MANY
    assert len(text("x" * 10_000)) == TEXT


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("web.example.org", "web.example.org"),
        ("two\nlines\0and\x1b[31mmore", "two lines and [31mmore"),
        ("\u202emoc.elpmaxe", "moc.elpmaxe"),
        (" padded ", "padded"),
    ],
)
def test_what_a_guest_says_is_one_line_that_can_be_shown(said: str, kept: str) -> None:
    assert text(said) == kept


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("10.0.0.5", "10.0.0.5"),
        ("2001:DB8:0::5", "2001:db8::5"),
        ("fe80::1%eth0", "fe80::1"),
        ("<script>", ""),
        ("10.0.0.256", ""),
        (None, ""),
    ],
)
def test_only_addresses_are_addresses(said: object, kept: str) -> None:
    assert valid_address(said) == kept


def test_the_agent_is_all_that_is_known_to_be_installed() -> None:
    assert Told(agent_version="7.2.22").applications == ("qemu-guest-agent-7.2.22",)
    assert Told().applications == ()
