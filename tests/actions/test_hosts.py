"""Hosts that are lost and come back, and on which of them a machine starts."""

import pytest

from tests.actions.runs import choosing, down, fresh, tell, up
from tests.actions.shapes import HEADLESS_NOW
from tests.actions.trail import events, told
from vms import messages
from vms.actions import create, power, reports
from vms.domain.console import HEADLESS, SPICE_AND_VNC, VNC
from vms.domain.errors import Refusal
from vms.domain.hosts import Capabilities, Ended
from vms.domain.lifecycle import Status
from vms.domain.runonce import ConsoleChoice
from vms.models import VM, Cluster, Host, HostStatus, Job, JobState, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

LOST = Refusal("HOST_NOT_RESPONDING", None, host="local")


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
