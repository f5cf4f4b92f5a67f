"""What happens on a host shows in the database, whoever did it and whoever was away meanwhile."""

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError

from tests.engine.conftest import DATABASE, Running, comes_to, ended, eventually, fresh
from tests.factories import headless
from vms.actions import edit, power, reports
from vms.domain.changes import Changes
from vms.domain.console import Console, Offer
from vms.domain.errors import Refusal
from vms.domain.hosts import Capabilities
from vms.domain.machine import MachineSpec
from vms.domain.runonce import ConsoleChoice, Run, RunOnce
from vms.engine import watcher
from vms.engine.watcher import GLANCE_EVERY, RETRY_AFTER
from vms.hypervisors.base import Event, Listener
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import VM, AuditEvent, Cluster, Device, Host, HostStatus, Job, Scope, User

pytestmark = DATABASE

AGREED_WITHIN = 5.0  # seconds


def graphical(console: Console, offer: Offer) -> Console:
    return console.as_graphical(offer)


def once(choice: ConsoleChoice, **options: Any) -> Callable[[MachineSpec, Offer], RunOnce]:
    return lambda spec, offer: RunOnce.choose(choice, spec, offer, **options)


@pytest.fixture
def running_vm(engine: Running, vm: VM, admin: User) -> VM:
    """`vm`, with its screen, up."""
    power.start(vm, by=admin)
    return comes_to(vm, "up")


# -- what guests do by themselves


def test_a_guest_that_powers_off_is_down(running_vm: VM, hypervisor: MemoryHypervisor) -> None:
    hypervisor.guest_powers_off(running_vm.pk)
    down = comes_to(running_vm, "down")
    assert (down.ended, down.run, down.running_graphics, down.endpoints) == ("guest", None, "", [])
    assert not Device.objects.filter(vm=running_vm, scope=Scope.RUNNING).exists()


def test_a_guest_that_crashes_is_down_with_an_error(running_vm: VM, hypervisor: MemoryHypervisor) -> None:
    hypervisor.guest_crashes(running_vm.pk)
    assert comes_to(running_vm, "down").ended == "crashed"
    assert AuditEvent.objects.get(code="VM_DOWN_ERROR", entity_id=running_vm.pk).severity == "error"


def test_an_event_shows_at_once(
    monkeypatch: pytest.MonkeyPatch, start_engine: Callable[..., Running], vm: VM, hypervisor: MemoryHypervisor
) -> None:
    monkeypatch.setattr(watcher, "GLANCE_EVERY", 3600.0)
    start_engine()
    hypervisor.start(Run(base=vm.spec, job=uuid4()))
    happened = time.monotonic()
    comes_to(vm, "up")
    assert time.monotonic() - happened < 1


def test_an_event_that_is_lost_shows_at_the_next_glance(running_vm: VM, hypervisor: MemoryHypervisor) -> None:
    deafen(hypervisor)
    hypervisor.guest_crashes(running_vm.pk)
    assert comes_to(running_vm, "down").ended == "crashed"


def test_a_reboot_with_nothing_pending_stays_within_the_run(
    running_vm: VM, hypervisor: MemoryHypervisor, admin: User
) -> None:
    job = power.reboot(running_vm, by=admin)
    assert ended(job).state == "finished"
    assert (comes_to(running_vm, "up").run, hypervisor.starts) == (running_vm.run, 1)


# -- pending changes


def test_a_guests_own_reboot_ends_in_the_new_configuration(
    running_vm: VM, hypervisor: MemoryHypervisor, admin: User
) -> None:
    edit.edit(running_vm, Changes(console=headless), by=admin)
    eventually(lambda: fresh(running_vm).cold_reboot, "a reboot would end the run")
    before = comes_to(running_vm, "up")
    assert (before.pending, before.running_graphics) == (True, "vnc")
    hypervisor.guest_reboots(running_vm.pk)
    eventually(lambda: fresh(running_vm).running_graphics == "" and fresh(running_vm).run, "it runs headless")
    after = comes_to(running_vm, "up")
    assert (after.pending, after.cold_reboot, after.endpoints, hypervisor.starts) == (False, False, [], 2)


def test_changes_that_are_taken_back_leave_a_reboot_warm(
    running_vm: VM, hypervisor: MemoryHypervisor, admin: User
) -> None:
    edit.edit(running_vm, Changes(console=headless), by=admin)
    eventually(lambda: fresh(running_vm).cold_reboot, "a reboot would end the run")
    edit.edit(fresh(running_vm), Changes(console=graphical), by=admin)
    eventually(lambda: not fresh(running_vm).cold_reboot, "a reboot would not end the run any more")
    assert not comes_to(running_vm, "up").pending
    hypervisor.guest_reboots(running_vm.pk)
    assert (comes_to(running_vm, "up").run, hypervisor.starts) == (running_vm.run, 1)


def test_a_person_who_reboots_gets_the_new_configuration(
    running_vm: VM, hypervisor: MemoryHypervisor, admin: User
) -> None:
    edit.edit(running_vm, Changes(console=headless), by=admin)
    job = power.reboot(fresh(running_vm), by=admin)
    eventually(lambda: fresh(running_vm).running_graphics == "" and fresh(running_vm).run, "it runs headless")
    assert (ended(job).state, comes_to(running_vm, "up").pending, hypervisor.starts) == ("finished", False, 2)


def test_a_reset_applies_nothing(running_vm: VM, hypervisor: MemoryHypervisor, admin: User) -> None:
    edit.edit(running_vm, Changes(console=headless), by=admin)
    eventually(lambda: fresh(running_vm).cold_reboot, "a reboot would end the run")
    ended(power.reset(fresh(running_vm), by=admin))
    after = comes_to(running_vm, "up")
    assert (after.pending, after.running_graphics, hypervisor.starts) == (True, "vnc", 1)


def test_a_power_off_applies_without_starting(running_vm: VM, hypervisor: MemoryHypervisor, admin: User) -> None:
    edit.edit(running_vm, Changes(console=headless), by=admin)
    power.stop(comes_to(running_vm, "up"), by=admin)
    assert (comes_to(running_vm, "down").pending, hypervisor.starts) == (False, 1)
    power.start(fresh(running_vm), by=admin)
    assert comes_to(running_vm, "up").running_graphics == ""


def test_an_edit_of_a_suspended_machine_asks_nothing_of_its_host(running_vm: VM, admin: User) -> None:
    power.suspend(running_vm, by=admin)
    suspended = comes_to(running_vm, "suspended")
    edit.edit(suspended, Changes(console=headless), by=admin)
    assert not Job.objects.filter(machine=running_vm.pk, verb="set_reboot").exists()
    power.resume(fresh(running_vm), by=admin)
    eventually(lambda: fresh(running_vm).cold_reboot, "a reboot would end the old run")
    assert comes_to(running_vm, "up").pending
    assert not Job.objects.filter(machine=running_vm.pk, state="failed").exists()


def test_a_volatile_run_once_ends_with_the_guests_reboot(
    engine: Running, headless_vm: VM, hypervisor: MemoryHypervisor, admin: User
) -> None:
    power.run_once(headless_vm, once(ConsoleChoice.VNC, volatile=True), by=admin)
    assert comes_to(headless_vm, "up").running_graphics == "vnc"
    hypervisor.guest_reboots(headless_vm.pk)
    eventually(lambda: fresh(headless_vm).running_graphics == "" and fresh(headless_vm).run, "it runs headless")
    assert not comes_to(headless_vm, "up").run_once


def test_run_once_outlasts_the_guests_reboot(
    engine: Running, headless_vm: VM, hypervisor: MemoryHypervisor, admin: User
) -> None:
    power.run_once(headless_vm, once(ConsoleChoice.SPICE_AND_VNC), by=admin)
    before = comes_to(headless_vm, "up")
    hypervisor.guest_reboots(headless_vm.pk)
    ended(power.reboot(fresh(headless_vm), by=admin))
    after = comes_to(headless_vm, "up")
    assert (after.run, after.run_once, after.running_graphics) == (before.run, True, "spice+vnc")


# -- hosts that come and go


def test_a_host_that_is_gone_leaves_its_machines_unknown_and_gives_them_back(
    running_vm: VM, host: Host, hypervisor: MemoryHypervisor
) -> None:
    hypervisor.unplug()
    eventually(lambda: fresh(host).status == HostStatus.NON_RESPONSIVE, "the host is missed")
    assert (fresh(running_vm).status, fresh(running_vm).run) == ("unknown", running_vm.run)
    assert fresh(host).reason["code"] == "HOST_NOT_RESPONDING"
    hypervisor.plug()
    back = time.monotonic()
    assert comes_to(running_vm, "up").run == running_vm.run
    assert time.monotonic() - back < AGREED_WITHIN
    assert (fresh(host).status, fresh(host).reason) == (HostStatus.UP, {})


def test_a_host_that_is_away_for_long_is_found_again_as_quickly(
    running_vm: VM, host: Host, hypervisor: MemoryHypervisor
) -> None:
    """The pauses between attempts grow, but not beyond what people would wait."""
    hypervisor.unplug()
    eventually(lambda: fresh(host).status == HostStatus.NON_RESPONSIVE, "the host is missed")
    attempts = count_openings(hypervisor)
    eventually(lambda: len(attempts) > 2, "several attempts to reach it")
    hypervisor.plug()
    back = time.monotonic()
    comes_to(running_vm, "up")
    assert time.monotonic() - back < AGREED_WITHIN


def test_what_happened_while_the_host_was_away_shows_when_it_is_back(
    running_vm: VM, headless_vm: VM, host: Host, hypervisor: MemoryHypervisor
) -> None:
    hypervisor.unplug()
    eventually(lambda: fresh(host).status == HostStatus.NON_RESPONSIVE, "the host is missed")
    deafen(hypervisor)
    hypervisor.plug()
    hypervisor.guest_crashes(running_vm.pk)
    hypervisor.start(Run(base=headless_vm.spec, job=uuid4()))
    assert (comes_to(running_vm, "down").ended, comes_to(headless_vm, "up").host_id) == ("crashed", host.pk)


def test_what_happened_while_no_engine_looked_shows_when_one_does(
    start_engine: Callable[..., Running], vm: VM, headless_vm: VM, admin: User, hypervisor: MemoryHypervisor
) -> None:
    engine = start_engine()
    power.start(vm, by=admin)
    comes_to(vm, "up")
    engine.stop()
    hypervisor.guest_crashes(vm.pk)
    hypervisor.start(Run(base=headless_vm.spec, job=uuid4()))
    begun = time.monotonic()
    start_engine()
    assert (comes_to(vm, "down").ended, comes_to(headless_vm, "up").status) == ("crashed", "up")
    assert time.monotonic() - begun < AGREED_WITHIN


def test_a_run_once_is_recognised_by_an_engine_that_did_not_start_it(
    start_engine: Callable[..., Running], headless_vm: VM, admin: User
) -> None:
    engine = start_engine()
    power.run_once(headless_vm, once(ConsoleChoice.VNC), by=admin)
    before = comes_to(headless_vm, "up")
    engine.stop()
    VM.objects.filter(pk=headless_vm.pk).update(observed="down", status="down", running=None, run_once=False)
    start_engine()
    after = comes_to(headless_vm, "up")
    assert (after.run, after.run_once, after.running_graphics) == (before.run, True, "vnc")


def test_a_machine_that_its_host_has_forgotten_is_off(running_vm: VM, hypervisor: MemoryHypervisor) -> None:
    deafen(hypervisor)
    hypervisor.stop(running_vm.pk)
    hypervisor.remove(running_vm.pk)
    assert comes_to(running_vm, "down").run is None


def test_machines_that_are_not_ours_are_left_alone(
    engine: Running, hypervisor: MemoryHypervisor, vm: VM, admin: User
) -> None:
    stranger = MachineSpec(id=uuid4(), name="stranger")
    hypervisor.start(Run(base=stranger))
    power.start(vm, by=admin)
    comes_to(vm, "up")
    assert VM.objects.count() == 1
    seen = hypervisor.observe(stranger.id)
    assert seen is not None
    assert seen.status == "up"


def test_missing_software_is_told_by_name(
    start_engine: Callable[..., Running], vm: VM, host: Host, admin: User
) -> None:
    start_engine(WithoutSoftware(), ready=False)
    eventually(lambda: fresh(host).status == HostStatus.DOWN, "the host is down")
    assert fresh(host).reason == {"code": "HYPERVISOR_PACKAGE_MISSING", "params": {"package": "libvirt-daemon"}}
    with pytest.raises(Refusal, match="HYPERVISOR_PACKAGE_MISSING") as refused:
        power.start(vm, by=admin)
    assert refused.value.params["package"] == "libvirt-daemon"


def test_a_console_is_refused_where_the_host_offers_none(
    start_engine: Callable[..., Running], cluster: Cluster, vm: VM, headless_vm: VM, admin: User
) -> None:
    start_engine(MemoryHypervisor(Capabilities(graphics=frozenset())))
    with pytest.raises(Refusal, match="NO_HOST_OFFERS_GRAPHICS"):
        edit.edit(fresh(headless_vm), Changes(console=graphical), by=admin)
    power.start(headless_vm, by=admin)
    assert comes_to(headless_vm, "up").running_graphics == ""


def test_a_host_that_is_added_is_watched(engine: Running, cluster: Cluster) -> None:
    added = Host.objects.create(name="second", cluster=cluster)
    eventually(lambda: fresh(added).status == HostStatus.UP, "the new host is up")


# -- a database that comes and goes


def test_a_database_that_does_not_answer_for_a_moment_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, running_vm: VM, hypervisor: MemoryHypervisor
) -> None:
    failures: list[None] = []
    machine_seen = reports.machine_seen

    def fail_once(*args: Any, **kwargs: Any) -> bool:
        if not failures:
            failures.append(None)
            raise DatabaseError("the server has closed the connection")
        return machine_seen(*args, **kwargs)

    monkeypatch.setattr(reports, "machine_seen", fail_once)
    hypervisor.guest_powers_off(running_vm.pk)
    assert comes_to(running_vm, "down").ended == "guest"
    assert failures


def test_nothing_is_waited_for_so_long_that_database_and_host_disagree() -> None:
    assert 1 <= GLANCE_EVERY <= AGREED_WITHIN / 2
    assert RETRY_AFTER[0] <= RETRY_AFTER[1] <= AGREED_WITHIN / 2


# -- hosts with a fault


class WithoutSoftware(MemoryHypervisor):
    def open(self, listener: Listener) -> None:
        raise Refusal("HYPERVISOR_PACKAGE_MISSING", None, package="libvirt-daemon")


def deafen(hypervisor: MemoryHypervisor) -> None:
    """Lose every event from now on."""
    assert hypervisor.alive or not hypervisor._plugged
    opened = hypervisor.open

    def mute(_event: Event) -> None:
        """Heard by nobody."""

    hypervisor._listener = mute
    hypervisor.open = lambda listener: opened(mute)  # type: ignore[method-assign]


def count_openings(hypervisor: MemoryHypervisor) -> list[None]:
    attempts: list[None] = []
    opened = hypervisor.open

    def counted(listener: Listener) -> None:
        attempts.append(None)
        opened(listener)

    hypervisor.open = counted  # type: ignore[method-assign]
    return attempts
