"""Ends that are followed by a start: reboots into what is configured now, and highly available machines."""

import pytest

from tests.actions.runs import asked, choosing, claimed, down, fresh, seen, settled, started, tell, up
from tests.actions.shapes import HEADLESS_NOW
from tests.actions.trail import events, last_event, queued, told
from vms import messages
from vms.actions import jobs, power, reports
from vms.actions.edit import edit
from vms.domain.changes import Changes
from vms.domain.hosts import Ended
from vms.domain.lifecycle import Status
from vms.domain.runonce import ConsoleChoice
from vms.models import VM, Host, HostStatus, Job, JobState, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


# -- reboots (engine-behaviour 11: 42, 48)


def test_a_cold_reboot_ends_in_a_start_of_what_is_configured_now(running: VM, host: Host, admin: User) -> None:
    edit(running, HEADLESS_NOW, by=admin)
    settled(running, host)
    power.reboot(running, by=admin)
    asked(host)
    down(running, host, Ended.GUEST)
    start = Job.objects.get(machine=running.pk, state=JobState.QUEUED)
    assert (start.verb, start.created_by) == ("start", None)
    assert start.params["run"]["base"]["console"]["graphics"] == []
    assert last_event().actor_name == "engine"
    after = started(running, host)
    assert (after.status, after.pending, after.running_graphics) == ("up", False, "")


def test_the_request_for_a_reboot_ends_with_the_reboot(running: VM, host: Host, admin: User) -> None:
    power.reboot(running, by=admin)
    job = asked(host)
    tell(running, host, Status.UP, rebooted=True, run=running.run)
    job.refresh_from_db()
    assert (job.state, queued(running)) == ("finished", [])


def test_a_look_that_saw_no_reboot_ends_no_request_for_one(running: VM, host: Host, admin: User) -> None:
    power.reboot(running, by=admin)
    job = asked(host)
    tell(running, host, Status.UP, run=running.run)
    job.refresh_from_db()
    assert job.state == "waiting"


def test_a_guest_that_reboots_with_something_pending_is_started_anew(running: VM, host: Host, admin: User) -> None:
    edit(running, HEADLESS_NOW, by=admin)
    settled(running, host)
    down(running, host, Ended.REBOOT)
    assert queued(running) == ["start"]
    assert started(running, host).running_graphics == ""


def test_a_volatile_run_once_ends_with_the_guests_reboot(headless_vm: VM, host: Host, admin: User) -> None:
    once = up(headless_vm, host, by=admin, overlay=choosing(ConsoleChoice.VNC, volatile=True))
    assert queued(once) == []
    down(once, host, Ended.REBOOT)
    after = started(once, host)
    assert (after.run_once, after.running_graphics) == (False, "")


def test_a_reboot_that_ended_long_ago_starts_nothing(vm: VM, host: Host) -> None:
    """The hypervisor remembers the reason; only the end of a run counts, not every look at it."""
    for _ in range(2):
        tell(vm, host, Status.DOWN, ended=Ended.REBOOT)
    assert queued(vm) == []


def test_a_reboot_starts_the_machine_once(running: VM, host: Host) -> None:
    for _ in range(3):
        down(running, host, Ended.REBOOT)
    assert queued(running) == ["start"]


def test_a_machine_that_crashed_instead_of_rebooting_is_not_started_again(running: VM, host: Host, admin: User) -> None:
    """oVirt: only a normal exit is followed by a start (engine-behaviour 4)."""
    power.reboot(running, by=admin)
    job = asked(host)
    down(running, host, Ended.CRASHED)
    job.refresh_from_db()
    assert (job.state, queued(running)) == ("finished", [])


def test_a_restart_that_is_refused_is_told_with_its_reason(running: VM, host: Host, admin: User) -> None:
    host.status, host.reason = HostStatus.MAINTENANCE, {}
    host.save()
    down(running, host, Ended.REBOOT)
    event = last_event()
    assert (event.code, fresh(running).status) == ("USER_FAILED_START_VM", "down")
    assert messages.sentence("ACTION_TYPE_FAILED_VDS_VM_CLUSTER", {"cluster": "Default"}) in told(event)


def test_a_guest_that_powers_off_ends_the_request_to_shut_down(running: VM, host: Host, admin: User) -> None:
    power.shutdown(running, by=admin)
    job = asked(host)
    assert fresh(running).status == "powering_down"
    down(running, host)
    job.refresh_from_db()
    assert (job.state, fresh(running).status, queued(running)) == ("finished", "down", [])
    assert job.finished_at is not None


def test_a_power_off_overtakes_a_reboot_that_waits(running: VM, host: Host, admin: User) -> None:
    power.reboot(running, by=admin)
    job = asked(host)
    power.stop(running, by=admin)
    job.refresh_from_db()
    assert job.state == "aborted"
    assert jobs.finish(claimed(host), seen(running, Status.DOWN, ended=Ended.STOPPED))
    assert (queued(running), fresh(running).status) == ([], "down")


# -- what a reboot inside the guest is to do


def test_a_run_that_ends_with_a_reboot_already_needs_nothing_set(running: VM, host: Host, admin: User) -> None:
    edit(running, HEADLESS_NOW, by=admin)
    settled(running, host)
    tell(running, host, Status.UP, run=running.run, cold_reboot=True)
    assert queued(running) == []


def test_what_the_hypervisor_forgot_is_set_again(running: VM, host: Host, admin: User) -> None:
    edit(running, HEADLESS_NOW, by=admin)
    settled(running, host)
    tell(running, host, Status.UP, run=running.run, cold_reboot=False)
    assert queued(running) == ["set_reboot"]


# -- highly available machines


def failing(vm: VM, admin: User, host: Host) -> VM:
    edit(vm, Changes(machine={"restart": True, "priority": 50}), by=admin)
    return up(fresh(vm), host, by=admin)


@pytest.mark.parametrize("ended", [Ended.CRASHED, Ended.UNKNOWN])
def test_a_highly_available_machine_that_failed_is_started_again(vm: VM, host: Host, admin: User, ended: Ended) -> None:
    vm = down(failing(vm, admin, host), host, ended)
    assert (queued(vm), vm.status) == (["start"], "wait_for_launch")
    (event,) = events("HA_VM_FAILED")
    assert told(event) == f"Highly available {vm.name} failed; it is started again."


def test_a_highly_available_machine_that_somebody_stopped_stays_down(vm: VM, host: Host, admin: User) -> None:
    for ended in (Ended.STOPPED, Ended.GUEST):
        vm = down(failing(vm, admin, host), host, ended)
        assert (queued(vm), vm.status) == ([], "down")


def test_a_machine_that_is_not_highly_available_stays_down_when_it_failed(running: VM, host: Host) -> None:
    assert queued(down(running, host, Ended.CRASHED)) == []


def test_a_machine_that_fails_each_time_is_left_alone_after_some_tries(vm: VM, host: Host, admin: User) -> None:
    vm = failing(vm, admin, host)
    for _ in range(reports.TRIES):
        vm = started(down(vm, host, Ended.CRASHED), host)
    assert queued(down(vm, host, Ended.CRASHED)) == []
    assert "stays down until somebody looks" in told(events("EXCEEDED_MAXIMUM_NUM_OF_RESTART_HA_VM_ATTEMPTS")[0])
