"""What a guest tells of itself is kept with its machine, as long as it is true, and counts as a way in."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from tests.actions.runs import down, up
from vms.actions import access, guests
from vms.domain.access import Proof, Rating, Seen, Way
from vms.domain.guest import FileSystem, Guest, GuestAddress, GuestUser, Source, System, Told
from vms.models import VM, Host, User

pytestmark = [pytest.mark.sql, pytest.mark.django_db]

DEBIAN = Guest(
    agent=True,
    fqdn="db.example.org",
    told=Told(
        agent_version="7.2.22",
        system=System(name="Debian GNU/Linux 12 (bookworm)", distribution="debian"),
        users=(GuestUser(name="root"),),
        filesystems=(FileSystem(path="/", kind="ext4", total=2**30, used=2**29),),
    ),
    addresses={
        Source.AGENT: (
            GuestAddress(address="192.0.2.7", source=Source.AGENT, mac="52:54:00:00:00:01", interface="eth0"),
            GuestAddress(address="fe80::5", source=Source.AGENT, mac="52:54:00:00:00:01", interface="eth0"),
        )
    },
)
SILENT = Guest()


@pytest.fixture
def running(headless_vm: VM, host: Host, admin: User) -> VM:
    """A machine without a screen and without a serial line, up."""
    up(headless_vm, host, by=admin)
    headless_vm.refresh_from_db()
    return headless_vm


@pytest.fixture
def tells(running: VM, host: Host) -> Callable[[Guest], VM]:
    def tell(guest: Guest) -> VM:
        guests.seen(host, running.pk, guest)
        running.refresh_from_db()
        return running

    return tell


def test_what_an_agent_tells_is_kept(tells: Callable[[Guest], VM]) -> None:
    vm = tells(DEBIAN)
    assert (vm.agent, vm.fqdn, vm.ip, vm.guest) == (Seen.NOW, "db.example.org", "192.0.2.7", DEBIAN.told)
    assert [(one.address, one.mac, one.source) for one in vm.addresses] == [
        ("192.0.2.7", "52:54:00:00:00:01", Source.AGENT),
        ("fe80::5", "52:54:00:00:00:01", Source.AGENT),
    ]
    assert all(one.seen_at for one in vm.addresses)
    assert vm.agent_seen_at is not None


def test_an_agent_that_is_silent_was_there_before(tells: Callable[[Guest], VM]) -> None:
    tells(DEBIAN)
    vm = tells(SILENT)
    assert (vm.agent, vm.fqdn, vm.ip) == (Seen.BEFORE, "db.example.org", "192.0.2.7"), "its answers stay, with an age"


def test_with_the_run_go_addresses_and_people_but_not_the_system(
    tells: Callable[[Guest], VM], running: VM, host: Host
) -> None:
    tells(DEBIAN)
    down(running, host)
    running.refresh_from_db()
    assert (running.agent, running.fqdn, running.ip, running.addresses) == (Seen.BEFORE, "", "", ())
    assert running.guest.users == ()
    assert running.guest.system == DEBIAN.told.system


def test_the_same_answer_again_writes_nothing(
    tells: Callable[[Guest], VM],
    running: VM,
    host: Host,
    django_assert_num_queries: DjangoAssertNumQueries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tells(DEBIAN)
    with django_assert_num_queries(1):
        assert not guests.seen(host, running.pk, DEBIAN)
    monkeypatch.setattr(guests, "REFRESH", timedelta())
    assert guests.seen(host, running.pk, DEBIAN), "now and then the ages are written"


def test_a_machine_that_is_off_or_on_another_host_tells_nothing(running: VM, host: Host, vm: VM) -> None:
    other = Host.objects.create(name="other", cluster=host.cluster)
    assert not guests.seen(other, running.pk, DEBIAN)
    assert not guests.seen(host, vm.pk, DEBIAN)


def test_more_addresses_than_there_is_room_for_are_cut_between_two(tells: Callable[[Guest], VM]) -> None:
    many = tuple(GuestAddress(address=f"2001:db8::{n:x}:1111:2222:3333", source=Source.AGENT) for n in range(1, 60))
    vm = tells(Guest(agent=True, addresses={Source.AGENT: many}))
    assert 0 < len(vm.ip) <= 255
    assert set(vm.ip.split()) < {one.address for one in vm.addresses}


def test_a_machine_whose_guest_answers_can_be_reached(tells: Callable[[Guest], VM], running: VM, host: Host) -> None:
    assert access.of(running).rating == Rating.LOCKED_OUT
    assert access.of(tells(DEBIAN)).ways[Way.GUEST] == Proof.PROVEN
    assert access.of(running).rating == Rating.ONE_WAY
    down(running, host)
    running.refresh_from_db()
    assert access.of(running).ways[Way.GUEST] == Proof.UNPROVEN
