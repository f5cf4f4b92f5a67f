"""Machines of pools that people take, give back, and lose when their run ends."""

from dataclasses import replace

import pytest

from tests.actions.runs import asked, choosing, claimed, down, fresh, settled, started, tell, up
from tests.actions.shapes import HEADLESS_NOW
from tests.actions.trail import holders
from tests.factories import person
from vms.actions import create, pools, power, reports
from vms.actions.edit import edit
from vms.domain.changes import Changes
from vms.domain.errors import Refusal
from vms.domain.hosts import Ended
from vms.domain.lifecycle import Status
from vms.domain.runonce import ConsoleChoice
from vms.models import VM, AuditEvent, Cluster, Host, Job, JobState, Permission, Pool, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


# -- taking one


def test_whoever_takes_a_machine_may_use_it_and_it_starts(pool: Pool, dora: User, host: Host) -> None:
    vm = pools.take(pool, by=dora)
    assert (vm.name, vm.status, holders(vm)) == ("desk-1", "wait_for_launch", {"dora"})
    assert started(vm, host).status == "up"
    assert list(VM.objects.visible_to(dora)) == [vm]


def test_a_machine_can_be_taken_without_a_start(pool: Pool, dora: User) -> None:
    assert pools.take(pool, by=dora, start=False).status == "down"
    assert Job.objects.count() == 0


def test_nobody_gets_a_machine_that_somebody_has_or_that_runs(pool: Pool, dora: User, admin: User, host: Host) -> None:
    eric = person("eric", role="UserRole", pool=pool)
    assert pools.take(pool, by=dora, start=False).name == "desk-1"
    up(VM.objects.get(name="desk-2"), host, by=admin)
    with pytest.raises(Refusal, match="NO_AVAILABLE_POOL_VMS"):
        pools.take(pool, by=eric)
    assert not Permission.objects.filter(user=eric, vm__isnull=False).exists()


def test_a_machine_that_the_engine_is_not_done_with_is_not_free_yet(
    pool: Pool, dora: User, admin: User, host: Host
) -> None:
    """Its host may tell that it is off before the job that did it ends."""
    vm = up(VM.objects.get(name="desk-1"), host, by=admin)
    power.stop(vm, by=admin)
    claimed(host)
    assert down(vm, host).status == "down"
    assert pools.take(pool, by=dora, start=False).name == "desk-2"


def test_a_suspended_machine_is_nobodys_to_take(pool: Pool, dora: User) -> None:
    """It would go on with what somebody else had on the screen."""
    VM.objects.filter(pool=pool).update(observed=Status.SUSPENDED, status=Status.SUSPENDED)
    with pytest.raises(Refusal, match="NO_AVAILABLE_POOL_VMS"):
        pools.take(pool, by=dora)


def test_nobody_holds_more_than_the_pool_allows(pool: Pool, dora: User, admin: User) -> None:
    pools.take(pool, by=dora, start=False)
    with pytest.raises(Refusal, match="CANNOT_ATTACH_TO_MORE") as refused:
        pools.take(pool, by=dora)
    assert refused.value.params["limit"] == 1
    edit(pool, Changes(attributes={"max_user_vms": 2}), by=admin)
    assert pools.take(pool, by=dora, start=False).name == "desk-2"


def test_what_somebody_holds_of_other_pools_does_not_count(pool: Pool, dora: User, cluster: Cluster) -> None:
    other = create.pool("lab", cluster=cluster, by=person("admin"))
    Permission.objects.create(user=dora, role=Permission.objects.get(user=dora).role, pool=other)
    pools.take(pool, by=dora, start=False)
    assert pools.take(other, by=dora, start=False).name == "lab-1"


def test_taking_takes_the_right_to(pool: Pool, carol: User) -> None:
    with pytest.raises(Refusal, match="NOT_AUTHORIZED"):
        pools.take(pool, by=carol)
    assert not VM.objects.taken().exists()


def test_a_machine_that_cannot_start_is_not_taken(pool: Pool, dora: User, host: Host) -> None:
    reports.host_lost(host, Refusal("HOST_NOT_RESPONDING", None, host="local"))
    events = AuditEvent.objects.count()
    with pytest.raises(Refusal, match="HOST_NOT_RESPONDING"):
        pools.take(pool, by=dora)
    assert (VM.objects.taken().count(), AuditEvent.objects.count()) == (0, events)


def test_taking_is_told(pool: Pool, dora: User) -> None:
    pools.take(pool, by=dora, start=False)
    event = AuditEvent.objects.get(code="USER_ATTACH_USER_TO_VM_FROM_POOL")
    assert (event.actor, event.entity_name, event.params) == (dora, "desk-1", {"pool": "desk", "user": "dora"})


# -- giving it back


def test_a_machine_given_back_can_be_taken_again(pool: Pool, mine: VM, dora: User) -> None:
    pools.give_back(mine, by=dora)
    assert (holders(mine), pools.take(pool, by=dora, start=False)) == (set(), mine)


def test_a_stateless_machine_that_runs_is_powered_off_when_it_is_given_back(mine: VM, dora: User, host: Host) -> None:
    up(mine, host, by=dora)
    pools.give_back(mine, by=dora)
    assert (claimed(host).verb, holders(mine)) == ("stop", set())


def test_a_stateful_machine_that_runs_is_asked_to_shut_down(cluster: Cluster, host: Host, admin: User) -> None:
    changes = Changes(attributes={"stateful": True})
    made = create.pool("desk", cluster=cluster, changes=changes, by=admin)
    vm = up(pools.take(made, by=admin, start=False), host, by=admin)
    pools.give_back(vm, by=admin)
    asked(host)
    assert (Job.objects.get(exclusive=False).verb, VM.objects.free().count()) == ("shutdown", 0)
    off = down(vm, host)
    assert list(VM.objects.free()) == [off]


@pytest.mark.parametrize("stateful", [True, False])
def test_what_a_machine_was_suspended_with_ends_with_giving_it_back(
    cluster: Cluster, host: Host, admin: User, stateful: bool
) -> None:
    changes = Changes(attributes={"stateful": stateful})
    made = create.pool("desk", cluster=cluster, changes=changes, by=admin)
    vm = up(pools.take(made, by=admin, start=False), host, by=admin)
    tell(vm, host, Status.SUSPENDED, ended=Ended.SAVED)
    pools.give_back(vm, by=admin)
    assert claimed(host).verb == "stop"


def test_a_start_that_nobody_has_begun_is_called_off(mine: VM, dora: User) -> None:
    power.start(mine, by=dora)
    pools.give_back(mine, by=dora)
    assert (Job.objects.get().state, fresh(mine).status, holders(mine)) == (JobState.ABORTED, "down", set())


def test_a_machine_that_is_shutting_down_can_be_given_back_meanwhile(mine: VM, dora: User, host: Host) -> None:
    power.shutdown(up(mine, host, by=dora), by=dora)
    asked(host)
    pools.give_back(mine, by=dora)
    assert (Job.objects.exclude(verb="start").count(), holders(mine)) == (1, set())


def test_a_machine_at_whose_start_the_engine_works_stays_with_its_holder(mine: VM, dora: User, host: Host) -> None:
    power.start(mine, by=dora)
    claimed(host)
    with pytest.raises(Refusal, match="OBJECT_LOCKED"):
        pools.give_back(mine, by=dora)
    assert holders(mine) == {"dora"}


def test_only_its_holder_and_whoever_edits_the_pool_may_give_a_machine_back(
    pool: Pool, mine: VM, admin: User, host: Host
) -> None:
    up(mine, host, by=admin)
    eric = person("eric", role="UserRole", pool=pool)
    with pytest.raises(Refusal, match="NOT_AUTHORIZED"):
        pools.give_back(mine, by=eric)
    assert (holders(mine), fresh(mine).status) == ({"dora"}, "up")
    pools.give_back(mine, by=admin)
    assert (holders(mine), claimed(host).verb) == (set(), "stop")


def test_a_holder_may_give_back_what_he_could_no_longer_take(mine: VM, dora: User) -> None:
    Permission.objects.filter(user=dora, pool__isnull=False).delete()
    pools.give_back(mine, by=dora)
    assert holders(mine) == set()


def test_a_machine_of_no_pool_cannot_be_given_back(vm: VM, admin: User) -> None:
    with pytest.raises(Refusal, match="NOT_ATTACHED_TO_POOL"):
        pools.give_back(vm, by=admin)
    with pytest.raises(Refusal, match="NOT_ATTACHED_TO_POOL"):
        pools.detach(vm, by=admin)


def test_giving_back_is_told(mine: VM, dora: User) -> None:
    pools.give_back(mine, by=dora)
    event = AuditEvent.objects.get(code="USER_DETACH_USER_FROM_VM")
    assert (event.actor, event.entity_name, event.params) == (dora, "desk-1", {"pool": "desk", "user": "dora"})


# -- when a run ends


@pytest.mark.parametrize("ended", [Ended.GUEST, Ended.STOPPED, Ended.CRASHED, Ended.UNKNOWN])
def test_an_automatic_pool_has_its_machine_back_when_the_run_has_ended(
    mine: VM, dora: User, host: Host, ended: Ended
) -> None:
    up(mine, host, by=dora)
    down(mine, host, ended)
    event = AuditEvent.objects.get(code="USER_DETACH_USER_FROM_VM")
    assert (holders(mine), event.actor_name, list(VM.objects.taken())) == (set(), "engine", [])


def test_a_manual_pool_leaves_its_machine_to_the_holder(cluster: Cluster, host: Host, admin: User) -> None:
    made = create.pool("desk", cluster=cluster, changes=Changes(attributes={"pool_type": "manual"}), by=admin)
    vm = up(pools.take(made, by=admin, start=False), host, by=admin)
    down(vm, host)
    assert holders(vm) == {"admin"}


@pytest.mark.parametrize("status", [Status.SUSPENDED, Status.PAUSED, Status.UNKNOWN])
def test_a_run_that_goes_on_later_keeps_its_holder(mine: VM, dora: User, host: Host, status: Status) -> None:
    up(mine, host, by=dora)
    tell(mine, host, status)
    assert holders(mine) == {"dora"}


def test_a_reboot_that_starts_the_machine_anew_keeps_its_holder(
    pool: Pool, mine: VM, dora: User, admin: User, host: Host
) -> None:
    up(mine, host, by=dora)
    edit(pool, replace(HEADLESS_NOW, apply_to_existing=True), by=admin)
    power.reboot(settled(mine, host), by=dora)
    asked(host)
    down(mine, host)
    assert holders(mine) == {"dora"}
    assert started(mine, host).running_graphics == ""


def test_looking_at_a_machine_that_is_off_takes_it_from_nobody(mine: VM, host: Host) -> None:
    tell(mine, host, Status.DOWN)
    assert holders(mine) == {"dora"}


def test_a_taken_machine_comes_back_as_it_was(mine: VM, dora: User, host: Host) -> None:
    """Nobody but the pool shapes it, so that nothing has to be reverted but the run."""
    up(mine, host, by=dora, overlay=choosing(ConsoleChoice.HEADLESS, serial=True))
    assert fresh(mine).running_graphics == ""
    back = down(mine, host)
    shape = replace(back.spec, machine="", addresses={})
    assert (shape, back.run, back.run_once, back.pending) == (mine.spec, None, False, False)
    assert not back.devices.filter(scope="running").exists()


def test_a_run_once_is_one_run(pool: Pool, mine: VM, dora: User, host: Host) -> None:
    up(mine, host, by=dora, overlay=choosing(ConsoleChoice.HEADLESS))
    down(mine, host)
    again = pools.take(pool, by=dora)
    assert (again, started(again, host).running_graphics) == (mine, "vnc")
