"""Pools: the machines they have, what an edit does to them, who takes one, and what becomes of it."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.actions.runs import asked, choosing, claimed, down, fresh, settled, started, tell, up
from tests.factories import headless, person
from vms.actions import consoles, create, pools, power, reports
from vms.actions.edit import edit
from vms.actions.remove import remove
from vms.domain.changes import Changes
from vms.domain.console import VNC, Protocol
from vms.domain.errors import Refusal
from vms.domain.hosts import Capabilities, Ended
from vms.domain.lifecycle import Status
from vms.domain.parts import Topology
from vms.domain.runonce import ConsoleChoice
from vms.models import (
    VM,
    AuditEvent,
    Cluster,
    Device,
    Host,
    InstanceType,
    Job,
    JobState,
    Permission,
    Pool,
    User,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

HEADLESS = Changes(console=headless)


@pytest.fixture
def pool(cluster: Cluster, host: Host, admin: User) -> Pool:
    """Two machines with VNC, for people of whom each may hold one."""
    return create.pool("desk", cluster=cluster, size=2, by=admin)


@pytest.fixture
def dora(pool: Pool) -> User:
    """May use the pool."""
    return person("dora", role="UserRole", pool=pool)


def names(pool: Pool) -> list[str]:
    return sorted(pool.vms.values_list("name", flat=True))


def devices_follow(vm: VM) -> bool:
    rows = set(Device.objects.filter(vm=vm, scope="configured").values_list("kind", flat=True))
    return ({"graphics", "video"} <= rows) != vm.console.headless


def holders(vm: VM) -> set[str]:
    return set(Permission.objects.filter(vm=vm).values_list("user__username", flat=True))


# -- made, and growing (engine-behaviour 11: 63, 64)


@pytest.mark.parametrize("stateful", [True, False])
def test_a_pool_of_a_headless_template_has_headless_machines_that_keep_their_state_as_it_says(
    cluster: Cluster, host: Host, admin: User, stateful: bool
) -> None:
    dark = create.template("dark", cluster=cluster, changes=HEADLESS, by=admin)
    changes = Changes(attributes={"stateful": stateful})
    made = create.pool("desk", cluster=cluster, template=dark, size=3, changes=changes, by=admin)
    assert [(vm.console.headless, vm.stateless, devices_follow(vm)) for vm in made.vms.all()] == [
        (True, not stateful, True)
    ] * 3


def test_an_edit_reaches_only_the_machines_that_are_added_with_it(pool: Pool, admin: User) -> None:
    edit(pool, replace(HEADLESS, attributes={"size": 3}), by=admin)
    assert [(vm.name, vm.console.headless) for vm in pool.vms.order_by("name")] == [
        ("desk-1", False),
        ("desk-2", False),
        ("desk-3", True),
    ]


def test_a_pool_grows_by_machines_of_its_present_shape(pool: Pool, admin: User) -> None:
    edit(pool, Changes(machine={"memory": 2048}, console=headless), by=admin)
    grown = pools.grow(pool, 2, by=admin)
    new = grown.vms.filter(name__in=("desk-3", "desk-4"))
    assert {(vm.memory, vm.console.headless, vm.stateless) for vm in new} == {(2048, True, True)}
    assert grown.size == 4


def test_a_shown_machine_of_a_pool_that_grows_back_to_graphics_has_all_its_devices(pool: Pool, admin: User) -> None:
    """oVirt's REST door makes such a pool unable to grow (engine-behaviour 8)."""
    edit(pool, HEADLESS, by=admin)
    consoles.attach(pool, Protocol.VNC, by=admin)
    pools.grow(pool, 1, by=admin)
    new = VM.objects.get(name="desk-3")
    assert (new.console.graphics, devices_follow(new)) == (VNC, True)


def test_numbers_go_on_after_the_highest_in_use(pool: Pool, admin: User, cluster: Cluster) -> None:
    create.vm("desk-11", cluster=cluster, by=admin)
    create.vm("desk-99-old", cluster=cluster, by=admin)
    pools.detach(VM.objects.get(name="desk-2"), by=admin)
    pools.grow(pool, 2, by=admin)
    assert names(pool) == ["desk-1", "desk-12", "desk-13"]


def test_a_pool_cannot_shrink(pool: Pool, admin: User) -> None:
    with pytest.raises(Refusal, match="CANNOT_DECREASE") as refused:
        edit(pool, Changes(attributes={"size": 1}), by=admin)
    with pytest.raises(Refusal, match="CANNOT_DECREASE"):
        pools.grow(pool, -1, by=admin)
    assert (refused.value.field, refused.value.params["size"], pool.size) == ("size", 2, 2)


def test_a_pool_cannot_grow_out_of_all_bounds(pool: Pool, admin: User) -> None:
    with pytest.raises(Refusal, match="ILLEGAL_VALUE") as refused:
        pools.grow(pool, 999, by=admin)
    assert (refused.value.field, pool.size) == ("size", 2)


def test_the_size_it_has_makes_no_difference(pool: Pool, admin: User) -> None:
    events = AuditEvent.objects.count()
    edit(pool, Changes(attributes={"size": 2}), by=admin)
    assert (pool.size, AuditEvent.objects.count()) == (2, events)


def test_an_edit_whose_growth_is_refused_is_not_half_done(pool: Pool, admin: User, host: Host) -> None:
    edit(pool, Changes(console=lambda console, offer: console.showing(VNC, None, offer)), by=admin)
    reports.host_seen(host, Capabilities(graphics=frozenset()))
    with pytest.raises(Refusal, match="NO_HOST_OFFERS_GRAPHICS"):
        edit(pool, Changes(machine={"memory": 4096}, attributes={"size": 3}), by=admin)
    assert (Pool.objects.get().memory, pool.size) == (1024, 2)


def test_growing_is_told_with_the_number(pool: Pool, admin: User) -> None:
    pools.grow(pool, 3, by=admin)
    event = AuditEvent.objects.filter(code="USER_UPDATE_VM_POOL_WITH_VMS").get()
    assert (event.before, event.after, event.params["count"]) == ({"size": 2}, {"size": 5}, 3)


# -- an edit of a pool, and the machines it has


def test_an_edit_reaches_the_machines_it_has_when_asked(pool: Pool, admin: User) -> None:
    changes = Changes(machine={"memory": 2048}, console=headless, apply_to_existing=True)
    edit(pool, changes, by=admin)
    assert [(vm.memory, vm.console.headless, devices_follow(vm)) for vm in pool.vms.all()] == [(2048, True, True)] * 2


def test_a_running_machine_has_it_with_its_next_start(pool: Pool, admin: User, host: Host) -> None:
    vm = up(VM.objects.get(name="desk-1"), host, by=admin)
    edit(pool, replace(HEADLESS, apply_to_existing=True), by=admin)
    running = fresh(vm)
    assert (running.pending, running.running_graphics, running.console.headless) == (True, "vnc", True)
    after = up(down(settled(vm, host), host), host, by=admin)
    assert (after.pending, after.running_graphics, after.running_console == after.console) == (False, "", True)


def test_the_machines_can_be_brought_to_the_pools_shape_later(pool: Pool, admin: User) -> None:
    edit(pool, HEADLESS, by=admin)
    edit(pool, Changes(apply_to_existing=True), by=admin)
    assert {vm.console.headless for vm in pool.vms.all()} == {True}


def test_the_machines_become_linked_as_their_pool_is(pool: Pool, admin: User) -> None:
    small = InstanceType.objects.get(name="Small")
    edit(pool, Changes(attributes={"instance_type": small}, apply_to_existing=True), by=admin)
    assert {(vm.instance_type, vm.memory) for vm in pool.vms.all()} == {(small, small.memory)}


def test_an_edit_that_a_machine_already_has_leaves_no_trace_on_it(pool: Pool, admin: User) -> None:
    edit(pool, Changes(attributes={"comment": "new"}, apply_to_existing=True), by=admin)
    assert {vm.version for vm in pool.vms.all()} == {1}


def test_each_machine_that_an_edit_reaches_tells_of_it(pool: Pool, admin: User) -> None:
    edit(pool, replace(HEADLESS, apply_to_existing=True), by=admin)
    told = AuditEvent.objects.filter(code="USER_UPDATE_VM", actor=admin, params={"pool": "desk"})
    assert sorted(event.entity_name for event in told) == ["desk-1", "desk-2"]


@pytest.mark.parametrize("kind", ["vm", "template", "instance_type"])
def test_only_a_pool_has_machines_to_bring_an_edit_to(cluster: Cluster, host: Host, admin: User, kind: str) -> None:
    where = {} if kind == "instance_type" else {"cluster": cluster}
    row = getattr(create, kind)("web", by=admin, **where)
    with pytest.raises(Refusal, match="ILLEGAL_VALUE") as refused:
        edit(row, Changes(apply_to_existing=True), by=admin)
    assert refused.value.field == "apply_to_existing"


@pytest.mark.parametrize(
    ("attributes", "code", "field"),
    [
        ({"pool_type": "manual"}, "CANNOT_CHANGE_POOL_TYPE", "pool_type"),
        ({"stateful": True}, "CANNOT_CHANGE_POOL_STATEFUL", "stateful"),
        ({"max_user_vms": 0}, "ILLEGAL_VALUE", "max_user_vms"),
        ({"max_user_vms": 1001}, "ILLEGAL_VALUE", "max_user_vms"),
        ({"max_user_vms": "3"}, "ILLEGAL_VALUE", "max_user_vms"),
        ({"use_latest_version": "perhaps"}, "ILLEGAL_VALUE", "use_latest_version"),
        ({"stateless": True}, "ILLEGAL_VALUE", "stateless"),
    ],
)
def test_what_a_pool_cannot_become_is_refused_at_its_field(
    pool: Pool, admin: User, attributes: dict[str, Any], code: str, field: str
) -> None:
    with pytest.raises(Refusal, match=code) as refused:
        edit(pool, Changes(attributes=attributes), by=admin)
    assert (refused.value.field, Pool.objects.get().version) == (field, 1)


def test_what_was_chosen_for_good_may_be_said_again(pool: Pool, admin: User) -> None:
    attributes = {"pool_type": "automatic", "stateful": False, "max_user_vms": 4}
    assert edit(pool, Changes(attributes=attributes), by=admin).max_user_vms == 4


@pytest.mark.parametrize("attributes", [{"pool_type": "magic"}, {"stateful": "yes"}, {"size": 3}])
def test_a_pool_of_an_unknown_sort_is_not_made(cluster: Cluster, admin: User, attributes: dict[str, Any]) -> None:
    with pytest.raises(Refusal, match="ILLEGAL_VALUE"):
        create.pool("odd", cluster=cluster, changes=Changes(attributes=attributes), by=admin)
    assert (Pool.objects.count(), VM.objects.count()) == (0, 0)


@pytest.mark.parametrize("attributes", [{"stateless": False}, {"use_latest_version": True}])
def test_a_machine_of_a_pool_is_as_stateless_and_new_as_its_pool(
    pool: Pool, admin: User, attributes: dict[str, Any]
) -> None:
    with pytest.raises(Refusal, match="VM_IN_POOL"):
        edit(VM.objects.get(name="desk-1"), Changes(attributes=attributes), by=admin)


def test_what_a_machine_of_a_pool_has_may_be_said_again(pool: Pool, admin: User) -> None:
    """As clients do that send back all that they have read."""
    vm = VM.objects.get(name="desk-1")
    changes = Changes(machine={"name": "desk-1", "memory": 1024}, attributes={"stateless": True, "comment": "mine"})
    assert edit(vm, changes, by=admin).comment == "mine"


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


@pytest.fixture
def mine(pool: Pool, dora: User) -> VM:
    """Taken by dora, off."""
    return pools.take(pool, by=dora, start=False)


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
    edit(pool, replace(HEADLESS, apply_to_existing=True), by=admin)
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


# -- leaving the pool


def test_a_machine_that_leaves_its_pool_is_an_ordinary_one(pool: Pool, mine: VM, admin: User) -> None:
    left = pools.detach(mine, by=admin)
    assert (left.pool, left.stateless, left.use_latest_version, holders(left)) == (None, False, False, {"dora"})
    assert names(pool) == ["desk-2"]
    assert edit(left, HEADLESS, by=admin).console.headless
    remove(left, by=admin)


def test_a_machine_that_left_is_no_longer_the_pools_to_take_back(mine: VM, dora: User, admin: User, host: Host) -> None:
    pools.detach(mine, by=admin)
    down(up(mine, host, by=dora), host)
    assert holders(mine) == {"dora"}


def test_a_machine_leaves_its_pool_only_while_it_is_off(mine: VM, admin: User, host: Host) -> None:
    up(mine, host, by=admin)
    with pytest.raises(Refusal, match="CANNOT_REMOVE_RUNNING_VM"):
        pools.detach(mine, by=admin)
    assert fresh(mine).pool is not None


# -- rights, and lists


def test_changing_a_pool_takes_the_right_to_edit_it(pool: Pool, mine: VM, dora: User) -> None:
    for attempt in (
        partial(pools.grow, pool, 1, by=dora),
        partial(pools.detach, mine, by=dora),
        partial(edit, pool, Changes(apply_to_existing=True), by=dora),
    ):
        with pytest.raises(Refusal, match="NOT_AUTHORIZED"):
            attempt()
    assert names(pool) == ["desk-1", "desk-2"]


def test_a_pool_is_made_of_what_its_maker_can_see(cluster: Cluster, host: Host, admin: User) -> None:
    far = Cluster.objects.create(name="far", data_center=cluster.data_center)
    secret = create.template("secret", cluster=far, by=admin)
    ida = person("ida", role="SuperUser", cluster=cluster)
    with pytest.raises(Refusal, match="NOT_AUTHORIZED"):
        create.pool("desk", cluster=cluster, template=secret, by=ida)
    assert create.pool("desk", cluster=cluster, by=ida).size == 1


def test_a_list_of_pools_counts_in_one_query(
    pool: Pool, mine: VM, admin: User, cluster: Cluster, host: Host, django_assert_num_queries: Any
) -> None:
    create.pool("lab", cluster=cluster, by=admin)
    up(VM.objects.get(name="desk-2"), host, by=admin)
    VM.objects.create(name="alone", cluster=cluster)
    with django_assert_num_queries(1):
        found = [(row.name, row.member_count, row.running_count, row.taken_count) for row in Pool.objects.counted()]
    assert found == [("desk", 2, 1, 1), ("lab", 1, 0, 0)]


def test_the_machines_of_a_pool_follow_its_instance_types_size(cluster: Cluster, host: Host, admin: User) -> None:
    chosen = create.instance_type("Odd", changes=Changes(machine={"memory": 640}), by=admin)
    made = create.pool("desk", cluster=cluster, instance_type=chosen, by=admin)
    edit(chosen, Changes(machine={"memory": 1280, "cpu": Topology(cores=2)}, console=headless), by=admin)
    pools.grow(made, 1, by=admin)
    assert [(vm.memory, vm.cores, vm.console.headless, vm.instance_type) for vm in made.vms.all()] == [
        (1280, 2, False, chosen)
    ] * 2
