"""What is observed of machines, and what follows from it; never a change of configuration."""

from typing import Any
from uuid import uuid4

import pytest
from pytest_django import DjangoAssertNumQueries

from tests.actions.runs import asked, choosing, down, fresh, seen, tell, up
from tests.actions.trail import events, last_event, queued
from vms.actions import power, reports
from vms.domain.console import VNC
from vms.domain.errors import Refusal
from vms.domain.hosts import Capabilities, Ended, Observation
from vms.domain.lifecycle import NOT_RUNNING, Status
from vms.domain.runonce import ConsoleChoice
from vms.models import VM, AuditEvent, Cluster, Host, HostStatus, JobState, User
from vms.web import panels

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


# -- what is no news


def test_a_look_that_finds_everything_as_it_was_writes_nothing(
    running: VM, headless_vm: VM, host: Host, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    observation = seen(running, Status.UP, run=running.run, machine="pc-q35-7.2")
    with django_assert_num_queries(1):
        assert reports.machine_seen(host, observation)
    off = seen(headless_vm, Status.DOWN)
    reports.machine_seen(host, off)
    with django_assert_num_queries(1):
        assert reports.machine_seen(host, off)
    assert tell(running, host, Status.PAUSED, run=running.run, machine="pc-q35-7.2").status == "paused"


def test_a_reboot_or_a_job_that_waits_is_news_however_alike_the_machine_looks(
    running: VM, host: Host, admin: User
) -> None:
    power.reboot(running, by=admin)
    job = asked(host)
    tell(running, host, Status.UP, run=running.run, machine="pc-q35-7.2", rebooted=True)
    job.refresh_from_db()
    assert job.state == JobState.FINISHED


def test_a_host_that_was_added_twice_is_refused_and_the_first_one_goes_on(host: Host, cluster: Cluster) -> None:
    reports.host_seen(host, Capabilities(uuid="one-machine"))
    twin = Host.objects.create(name="twin", cluster=cluster, uri="qemu+ssh://root@localhost/system")
    with pytest.raises(Refusal, match="SAME_UUID") as refused:
        reports.host_seen(twin, Capabilities(uuid="one-machine"))
    reports.host_lost(twin, refused.value)
    twin.refresh_from_db()
    host.refresh_from_db()
    assert (twin.status, twin.reason["params"], host.status) == ("non_operational", {"name": "local"}, HostStatus.UP)
    reports.host_seen(host, Capabilities(uuid="one-machine"))
    host.delete()
    reports.host_seen(twin, Capabilities(uuid="one-machine"))
    assert (twin.status, twin.reason) == (HostStatus.UP, {})


def test_hosts_that_do_not_tell_who_they_are_are_not_taken_for_one(host: Host, cluster: Cluster) -> None:
    reports.host_seen(Host.objects.create(name="other", cluster=cluster), Capabilities())
    assert Host.objects.filter(status=HostStatus.UP).count() == 2


# -- up


def test_a_machine_that_is_up_shows_its_run_its_host_and_where_its_consoles_are(running: VM, host: Host) -> None:
    assert (running.status, running.observed, running.host) == ("up", "up", host)
    assert (running.running_graphics, running.running_video, running.run_once) == ("vnc", "vga", False)
    assert [(one["protocol"], one["address"], one["port"]) for one in running.endpoints] == [("vnc", "127.0.0.1", 5900)]


def test_a_headless_machine_that_is_up_has_no_console_anywhere(headless_vm: VM, host: Host, admin: User) -> None:
    after = up(headless_vm, host, by=admin)
    assert after.status == "up"
    assert (after.endpoints, after.running_graphics, after.running_video) == ([], "", "")


def test_run_once_fills_in_the_console_of_a_headless_machine_and_the_end_empties_it(
    headless_vm: VM, host: Host, admin: User
) -> None:
    once = up(headless_vm, host, by=admin, overlay=choosing(ConsoleChoice.SPICE_AND_VNC))
    assert (once.run_once, once.running_graphics, once.running_video) == (True, "spice+vnc", "qxl")
    assert {one["protocol"] for one in once.endpoints} == {"spice", "vnc"}
    assert once.console.headless
    after = down(once, host)
    assert (after.run_once, after.running_graphics, after.running_video, after.endpoints) == (False, "", "", [])
    assert up(after, host, by=admin).running_graphics == ""


def test_run_once_headless_hides_the_console_of_a_graphical_machine(vm: VM, host: Host, admin: User) -> None:
    once = up(vm, host, by=admin, overlay=choosing(ConsoleChoice.HEADLESS))
    assert (once.run_once, once.running_graphics, once.endpoints, once.console.graphics) == (True, "", [], VNC)


@pytest.mark.parametrize("choice", ConsoleChoice)
def test_what_is_observed_never_changes_what_is_configured(
    vm: VM, host: Host, admin: User, choice: ConsoleChoice
) -> None:
    def configured() -> list[Any]:
        row = fresh(vm)
        return [row.version, *(getattr(row, name) for name in VM.SPEC_FIELDS)]

    before = configured()
    once = up(vm, host, by=admin, overlay=choosing(choice, serial=True))
    for status in (Status.PAUSED, Status.UP, Status.REBOOT_IN_PROGRESS, Status.UP):
        once = tell(once, host, status, run=once.run)
        assert configured() == before
    down(once, host)
    assert configured() == before


def test_the_beginning_of_a_run_stays_the_same_until_it_ends(running: VM, host: Host) -> None:
    began = running.started_at
    assert began is not None
    assert tell(running, host, Status.PAUSED, run=running.run).started_at == began
    assert down(running, host).started_at is None


def test_a_machine_that_runs_without_our_record_is_up_all_the_same(vm: VM, host: Host) -> None:
    """Somebody started it with virsh."""
    after = tell(vm, host, Status.UP)
    assert (after.status, after.run, after.pending, after.running_graphics) == ("up", None, False, "")


def test_a_machine_that_is_not_ours_is_left_alone(vm: VM, host: Host) -> None:
    stranger = Observation(id=uuid4(), name="stranger", status=Status.UP)
    assert reports.machine_seen(host, stranger) is False
    assert VM.objects.count() == 1


@pytest.mark.parametrize("status", [status for status in Status if status not in NOT_RUNNING])
def test_every_running_state_is_shown_as_it_is_observed(running: VM, host: Host, status: Status) -> None:
    after = tell(running, host, status, run=running.run)
    assert (after.status, after.running_graphics) == (status.value, "vnc")


def test_the_run_is_taken_from_what_lives_when_both_are_known(running: VM, host: Host, admin: User) -> None:
    """The database was put back from a copy: the live definition knows better."""
    run = running.run
    VM.objects.filter(pk=running.pk).update(running=None)
    assert tell(running, host, Status.UP, run=run).run == run


# -- down


@pytest.mark.parametrize("ended", [Ended.GUEST, Ended.STOPPED, Ended.CRASHED, Ended.UNKNOWN])
def test_a_machine_that_has_ended_is_down_and_says_why(running: VM, host: Host, ended: Ended) -> None:
    after = down(running, host, ended)
    assert (after.status, after.ended, after.run, after.endpoints) == ("down", ended.value, None, [])
    assert (after.host, after.pinned["machine"]) == (host, "pc-q35-7.2")
    event = last_event()
    assert (event.code, event.params["ended"]) == (
        "VM_DOWN_ERROR" if ended == Ended.CRASHED else "VM_DOWN",
        ended.value,
    )
    assert event.severity == ("error" if ended == Ended.CRASHED else "normal")


def test_an_end_is_told_once(running: VM, host: Host) -> None:
    for _ in range(3):
        down(running, host)
    assert len(events("VM_DOWN")) == 1


@pytest.mark.parametrize("ended", [Ended.GUEST, Ended.STOPPED, Ended.CRASHED, Ended.UNKNOWN])
def test_a_machine_that_has_ended_by_itself_stays_so(running: VM, host: Host, ended: Ended) -> None:
    down(running, host, ended)
    assert queued(running) == []


def test_a_machine_that_its_host_does_not_know_is_down(running: VM, host: Host) -> None:
    reports.machine_missing(host, running.pk)
    assert (fresh(running).status, fresh(running).ended) == ("down", "unknown")


def test_a_machine_is_not_missed_where_it_never_was(running: VM, cluster: Cluster) -> None:
    other = Host.objects.create(name="other", cluster=cluster)
    reports.machine_missing(other, running.pk)
    assert fresh(running).status == "up"


def test_a_suspended_machine_keeps_its_run_and_shows_no_console(running: VM, host: Host) -> None:
    after = tell(running, host, Status.SUSPENDED, ended=Ended.SAVED)
    assert (after.status, after.run, after.started_at) == ("suspended", running.run, running.started_at)
    assert (after.running_graphics, after.running_video, after.endpoints) == ("", "", [])


def test_a_suspended_machine_that_is_thrown_away_has_no_run_left(running: VM, host: Host) -> None:
    tell(running, host, Status.SUSPENDED, ended=Ended.SAVED)
    assert down(running, host).run is None


def test_nothing_of_a_run_is_believed_of_a_machine_that_is_off(running: VM, host: Host) -> None:
    """Whatever a hypervisor goes on telling."""
    for status in (Status.SUSPENDED, Status.DOWN):
        after = tell(running, host, status, run=running.run, cold_reboot=True)
        assert (after.endpoints, after.cold_reboot, after.running_graphics) == ([], False, "")


def test_a_run_stays_known_when_the_live_definition_does_not_tell_it(running: VM, host: Host) -> None:
    assert tell(running, host, Status.PAUSED).run == running.run


def test_a_machine_that_its_disks_hold_up_says_why_and_what_helps(vm: VM, host: Host, admin: User) -> None:
    there = up(vm, host, by=admin)
    paused = tell(there, host, Status.PAUSED, run=there.run, ended=Ended.NO_SPACE)
    assert (paused.status, "Make room" in panels.failure(paused)) == (Status.PAUSED, True)
    tell(there, host, Status.PAUSED, run=there.run, ended=Ended.NO_SPACE)
    goes_on = tell(there, host, Status.UP, run=there.run)
    assert (goes_on.status, panels.failure(goes_on)) == (Status.UP, "")
    codes = ("VM_PAUSED_ENOSPC", "VM_RECOVERED_FROM_PAUSE_ERROR")
    assert [AuditEvent.objects.filter(code=code).count() for code in codes] == [1, 1]
    by_hand = tell(there, host, Status.PAUSED, run=there.run)
    assert panels.failure(by_hand) == ""
