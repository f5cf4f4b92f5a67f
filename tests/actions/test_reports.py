"""What is observed, and what follows from it: states, ends, restarts, lost hosts; never a change of configuration."""

from typing import Any
from uuid import uuid4

import pytest
from pytest_django import DjangoAssertNumQueries

from tests.actions.runs import asked, choosing, claimed, down, fresh, seen, settled, started, tell, up
from tests.factories import headless
from vms import messages
from vms.actions import create, jobs, power, reports
from vms.actions.edit import edit
from vms.domain.changes import Changes
from vms.domain.console import HEADLESS, SPICE_AND_VNC, VNC
from vms.domain.errors import Refusal
from vms.domain.hosts import Capabilities, Ended, Observation
from vms.domain.lifecycle import NOT_RUNNING, Status
from vms.domain.runonce import ConsoleChoice
from vms.models import VM, AuditEvent, Cluster, Host, HostStatus, Job, JobState, User
from vms.web import panels

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

HEADLESS_NOW = Changes(console=headless)
LOST = Refusal("HOST_NOT_RESPONDING", None, host="local")


@pytest.fixture
def running(vm: VM, host: Host, admin: User) -> VM:
    return up(vm, host, by=admin)


def events(code: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(code=code))


def last_event() -> AuditEvent:
    event = AuditEvent.objects.first()
    assert event is not None
    return event


def told(event: AuditEvent) -> str:
    """The sentence that people read."""
    return messages.event(event.code, entity=event.entity_name, actor=event.actor_name, params=event.params)


def queued(vm: VM) -> list[str]:
    return list(Job.objects.filter(machine=vm.pk, state=JobState.QUEUED).values_list("verb", flat=True))


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


# -- hosts


def test_a_lost_host_leaves_its_machines_unknown_but_not_those_that_were_off(
    running: VM, headless_vm: VM, host: Host, admin: User
) -> None:
    down(up(headless_vm, host, by=admin), host)
    reports.host_lost(host, LOST)
    assert (fresh(running).status, fresh(headless_vm).status) == ("unknown", "down")
    assert fresh(running).run == running.run


def test_a_machine_that_reappears_is_as_it_was(running: VM, host: Host) -> None:
    reports.host_lost(host, LOST)
    after = tell(running, host, Status.UP, run=running.run)
    assert (after.status, after.running_graphics, after.started_at) == ("up", "vnc", running.started_at)


def test_a_machine_that_did_not_survive_its_hosts_absence_is_down(running: VM, host: Host) -> None:
    reports.host_lost(host, LOST)
    reports.machine_missing(host, running.pk)
    assert (fresh(running).status, len(events("VM_DOWN"))) == ("down", 1)


def test_a_suspended_machine_stays_so_without_its_host(running: VM, host: Host) -> None:
    tell(running, host, Status.SUSPENDED, ended=Ended.SAVED)
    reports.host_lost(host, LOST)
    assert fresh(running).status == "suspended"


def test_a_loss_is_told_once_with_its_reason(host: Host) -> None:
    for _ in range(3):
        reports.host_lost(host, LOST)
    (event,) = events("VDS_FAILURE")
    assert event.severity == "error"
    assert messages.refusal(LOST) in told(event)


def test_another_reason_is_told_anew(host: Host) -> None:
    reports.host_lost(host, LOST)
    reports.host_lost(host, Refusal("HYPERVISOR_PACKAGE_MISSING", None, package="libvirt-daemon"))
    assert (len(events("VDS_FAILURE")), Host.objects.get().status) == (2, "down")


def test_a_host_that_is_back_says_so_once_and_forgets_the_reason(host: Host) -> None:
    reports.host_lost(host, LOST)
    before = len(events("VDS_DETECTED"))
    for _ in range(2):
        reports.host_seen(host, Capabilities(graphics=HEADLESS))
    back = Host.objects.get()
    assert (back.status, back.reason, len(events("VDS_DETECTED"))) == ("up", {}, before + 1)
    assert back.capabilities == Capabilities(graphics=HEADLESS)


def test_the_engine_that_goes_leaves_its_hosts_unwatched(host: Host, cluster: Cluster) -> None:
    lost = Host.objects.create(name="lost", cluster=cluster)
    reports.host_lost(lost, LOST)
    reports.engine_stopped([host, lost])
    assert {one.name: one.status for one in Host.objects.all()} == {"local": "connecting", "lost": "non_responsive"}


def test_what_is_believed_of_a_host_is_what_was_seen_there(running: VM, headless_vm: VM, host: Host) -> None:
    assert reports.expected(host) == {running.pk: Status.UP}
    down(running, host)
    assert reports.expected(host) == {running.pk: Status.DOWN}


# -- where a machine starts


def test_a_machine_starts_on_a_host_that_offers_what_it_shows(
    vm: VM, cluster: Cluster, host: Host, admin: User
) -> None:
    Host.objects.filter(pk=host.pk).delete()
    for name, graphics in (("a-bare", HEADLESS), ("b-both", SPICE_AND_VNC)):
        reports.host_seen(Host.objects.create(name=name, cluster=cluster), Capabilities(graphics=graphics))
    dark = create.vm("dark", cluster=cluster, changes=HEADLESS_NOW, by=admin)
    assert [power.start(one, by=admin).host.name for one in (vm, dark)] == ["b-both", "a-bare"]  # type: ignore[union-attr]


def test_a_host_that_is_up_is_taken_before_one_that_nobody_has_looked_at(
    vm: VM, cluster: Cluster, host: Host, admin: User
) -> None:
    Host.objects.create(name="a-new", cluster=cluster)
    assert power.start(vm, by=admin).host == host


def test_a_host_that_nobody_has_looked_at_is_waited_for(vm: VM, host: Host, admin: User) -> None:
    reports.engine_stopped([host])
    assert power.start(vm, by=admin).host == host


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (Refusal("HYPERVISOR_PACKAGE_MISSING", None, package="libvirt-daemon"), "HYPERVISOR_PACKAGE_MISSING"),
        (LOST, "HOST_NOT_RESPONDING"),
    ],
)
def test_a_start_says_what_its_host_lacks(vm: VM, host: Host, admin: User, refusal: Refusal, code: str) -> None:
    reports.host_lost(host, refusal)
    with pytest.raises(Refusal, match=code) as refused:
        power.start(vm, by=admin)
    assert refused.value.params.items() >= {**refusal.params, "host": "local"}.items()
    assert (Job.objects.count(), fresh(vm).status) == (0, "down")


@pytest.mark.parametrize("status", [HostStatus.MAINTENANCE, HostStatus.DOWN])
def test_a_host_that_is_not_to_be_used_is_not(vm: VM, host: Host, admin: User, status: str) -> None:
    Host.objects.update(status=status)
    with pytest.raises(Refusal, match="VDS_VM_CLUSTER"):
        power.start(vm, by=admin)


def test_a_cluster_without_hosts_says_so(vm: VM, host: Host, admin: User) -> None:
    host.delete()
    with pytest.raises(Refusal, match="VDS_VM_CLUSTER"):
        power.start(vm, by=admin)


def test_a_machine_whose_host_is_gone_is_not_locked_by_a_job_that_nobody_takes(
    running: VM, host: Host, admin: User
) -> None:
    host.delete()
    with pytest.raises(Refusal, match="VDS_VM_CLUSTER"):
        power.stop(running, by=admin)
    assert not Job.objects.filter(machine=running.pk, state=JobState.QUEUED).exists()


def test_a_start_is_refused_where_the_cluster_has_lost_what_it_showed(vm: VM, host: Host, admin: User) -> None:
    reports.host_seen(host, Capabilities(graphics=HEADLESS))
    with pytest.raises(Refusal, match="NO_HOST_OFFERS_GRAPHICS"):
        power.start(vm, by=admin)
    assert power.run_once(vm, choosing(ConsoleChoice.HEADLESS), by=admin).verb == "run_once"


def test_a_run_once_that_no_host_offers_is_refused_at_the_protocol(headless_vm: VM, host: Host, admin: User) -> None:
    reports.host_seen(host, Capabilities(graphics=VNC))
    with pytest.raises(Refusal, match="NO_HOST_OFFERS_PROTOCOL") as refused:
        power.run_once(headless_vm, choosing(ConsoleChoice.SPICE), by=admin)
    assert refused.value.field == "protocol"


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
