"""Pools: the machines they have, what an edit does to them, and who may change one."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.actions.runs import down, fresh, settled, up
from tests.actions.shapes import HEADLESS_NOW
from tests.actions.trail import holders
from tests.factories import headless, person
from vms.actions import consoles, create, pools, reports
from vms.actions.edit import edit
from vms.actions.remove import remove
from vms.domain.changes import Changes
from vms.domain.console import VNC, Protocol
from vms.domain.errors import Refusal
from vms.domain.hosts import Capabilities
from vms.domain.parts import Topology
from vms.models import VM, AuditEvent, Cluster, Device, Host, InstanceType, Pool, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


def names(pool: Pool) -> list[str]:
    return sorted(pool.vms.values_list("name", flat=True))


def devices_follow(vm: VM) -> bool:
    rows = set(Device.objects.filter(vm=vm, scope="configured").values_list("kind", flat=True))
    return ({"graphics", "video"} <= rows) != vm.console.headless


# -- made, and growing (engine-behaviour 11: 63, 64)


@pytest.mark.parametrize("stateful", [True, False])
def test_a_pool_of_a_headless_template_has_headless_machines_that_keep_their_state_as_it_says(
    cluster: Cluster, host: Host, admin: User, stateful: bool
) -> None:
    dark = create.template("dark", cluster=cluster, changes=HEADLESS_NOW, by=admin)
    changes = Changes(attributes={"stateful": stateful})
    made = create.pool("desk", cluster=cluster, template=dark, size=3, changes=changes, by=admin)
    assert [(vm.console.headless, vm.stateless, devices_follow(vm)) for vm in made.vms.all()] == [
        (True, not stateful, True)
    ] * 3


def test_an_edit_reaches_only_the_machines_that_are_added_with_it(pool: Pool, admin: User) -> None:
    edit(pool, replace(HEADLESS_NOW, attributes={"size": 3}), by=admin)
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
    edit(pool, HEADLESS_NOW, by=admin)
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
    edit(pool, replace(HEADLESS_NOW, apply_to_existing=True), by=admin)
    running = fresh(vm)
    assert (running.pending, running.running_graphics, running.console.headless) == (True, "vnc", True)
    after = up(down(settled(vm, host), host), host, by=admin)
    assert (after.pending, after.running_graphics, after.running_console == after.console) == (False, "", True)


def test_the_machines_can_be_brought_to_the_pools_shape_later(pool: Pool, admin: User) -> None:
    edit(pool, HEADLESS_NOW, by=admin)
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
    edit(pool, replace(HEADLESS_NOW, apply_to_existing=True), by=admin)
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


# -- leaving the pool


def test_a_machine_that_leaves_its_pool_is_an_ordinary_one(pool: Pool, mine: VM, admin: User) -> None:
    left = pools.detach(mine, by=admin)
    assert (left.pool, left.stateless, left.use_latest_version, holders(left)) == (None, False, False, {"dora"})
    assert names(pool) == ["desk-2"]
    assert edit(left, HEADLESS_NOW, by=admin).console.headless
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
