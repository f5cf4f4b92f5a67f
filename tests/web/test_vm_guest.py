"""The page on which a guest tells what it is: with who says so, since when, and why not where it does not."""

from datetime import UTC, datetime

import pytest
from django.test import Client

from tests.actions.runs import down, up
from tests.web.test_vm_detail import text_of
from vms.actions import guests
from vms.domain.guest import FileSystem, Guest, GuestAddress, GuestUser, Source, System, Told, Zone
from vms.models import VM, Host, User

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert(1)</script>"
DEBIAN = Guest(
    agent=True,
    fqdn="db.example.org",
    told=Told(
        agent_version="7.2.22",
        system=System(name="Debian GNU/Linux 12", version="12 (bookworm)", kernel="6.1.0-42", architecture="x86_64"),
        zone=Zone(name="CEST", offset=7200),
        users=(GuestUser(name=HOSTILE, since=datetime(2026, 7, 1, tzinfo=UTC)),),
        filesystems=(FileSystem(path="/", kind="ext4", total=4 * 2**30, used=2**30),),
    ),
    addresses={
        Source.AGENT: (
            GuestAddress(address="192.0.2.7", source=Source.AGENT, mac="52:54:00:00:00:01", interface="eth0"),
            GuestAddress(address="fe80::5", source=Source.AGENT),
        ),
        Source.LEASE: (GuestAddress(address="192.0.2.8", source=Source.LEASE),),
    },
)


@pytest.fixture
def told(vm: VM, host: Host, admin: User) -> VM:
    up(vm, host, by=admin)
    guests.seen(host, vm.pk, DEBIAN)
    return vm


def test_a_guest_shows_what_it_told_and_who_said_so(web: Client, url: str, told: VM) -> None:
    text = text_of(web, f"{url}guest")
    for part in (
        "Guest Agent Connected",
        "FQDN db.example.org",
        "Name Debian GNU/Linux 12",
        "Time Zone CEST (UTC+2)",
        "192.0.2.7 52:54:00:00:00:01 eth0 Guest agent",
        "192.0.2.8 – – DHCP lease",
        "fe80::5 (only on its own link)",
    ):
        assert part in text, part
    assert "/ ext4 1.0 GB (25%) 4.0 GB" in text
    assert HOSTILE not in web.get(f"{url}guest").content.decode()


def test_general_has_the_short_of_it(web: Client, url: str, told: VM) -> None:
    assert "Guest Agent Connected FQDN db.example.org IP Addresses 192.0.2.7, 192.0.2.8" in text_of(web, url)


@pytest.mark.parametrize("state", ["never ran", "runs", "answered before", "is off"])
def test_a_page_with_nothing_on_it_says_why(state: str, web: Client, url: str, vm: VM, host: Host, admin: User) -> None:
    if state != "never ran":
        up(vm, host, by=admin)
    if state in {"answered before", "is off"}:
        guests.seen(host, vm.pk, DEBIAN)
        guests.seen(host, vm.pk, Guest())
    if state == "is off":
        down(vm, host)
    text = text_of(web, f"{url}guest")
    assert {
        "never ran": "is not running",
        "runs": "No guest agent has answered. With the package qemu-guest-agent",
        "answered before": "has answered before, but does not now",
        "is off": "is not running",
    }[state] in text
    assert ("Debian GNU/Linux 12" in text) == (state in {"answered before", "is off"})
