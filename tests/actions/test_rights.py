"""Who may do what: every verb against every role on every place, and every kind against every group."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from tests.actions.places import place_of
from tests.actions.runs import choosing, tell, up
from tests.factories import headless, person
from vms.actions import consoles, create, migration, pools, power, reports
from vms.actions._authorise import ENGINE, authorise
from vms.actions.edit import edit
from vms.actions.remove import remove
from vms.domain.changes import Changes
from vms.domain.console import Protocol
from vms.domain.errors import Kind, Refusal
from vms.domain.hosts import Capabilities
from vms.domain.lifecycle import Status, Verb
from vms.domain.runonce import ConsoleChoice, RunOnce
from vms.models import (
    VM,
    ActionGroup,
    Cluster,
    DataCenter,
    Hardware,
    Host,
    InstanceType,
    Permission,
    Pool,
    Role,
    RolePermit,
    Template,
    User,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

Act = Callable[[VM, User], object]

# verb: the state it wants, what it does, and the roles that may (engine-behaviour 9, 11: 69)
OWNERS, USERS = {"SuperUser", "UserVmManager"}, {"SuperUser", "UserVmManager", "UserRole"}
VERBS: dict[str, tuple[str, Act, set[str]]] = {
    "start": ("down", lambda vm, by: power.start(vm, by=by), USERS),
    "run_once": ("down", lambda vm, by: power.run_once(vm, choosing(ConsoleChoice.VNC), by=by), USERS),
    "resume": ("paused", lambda vm, by: power.resume(vm, by=by), USERS),
    "start_paused": ("paused", lambda vm, by: power.start(vm, by=by), USERS),
    "shutdown": ("up", lambda vm, by: power.shutdown(vm, by=by), USERS),
    "shutdown_paused": ("paused", lambda vm, by: power.shutdown(vm, by=by), USERS),
    "stop": ("up", lambda vm, by: power.stop(vm, by=by), USERS),
    "reboot": ("up", lambda vm, by: power.reboot(vm, by=by), USERS),
    "reset": ("up", lambda vm, by: power.reset(vm, by=by), USERS),
    "suspend": ("up", lambda vm, by: power.suspend(vm, by=by), USERS),
    "migrate": ("up", lambda vm, by: moved(vm, by), OWNERS),
    "edit": ("down", lambda vm, by: edit(vm, Changes(console=headless), by=by), OWNERS),
    "attach": ("down", lambda vm, by: consoles.attach(vm, Protocol.SPICE, by=by), OWNERS),
    "detach": ("up", lambda vm, by: consoles.detach(vm, Protocol.VNC, by=by), OWNERS),
    "remove": ("down", lambda vm, by: remove(vm, by=by), OWNERS),
}
ROLES = ("SuperUser", "UserVmManager", "UserRole")
PLACES = ("vm", "cluster", "data_center", "system")


def moved(vm: VM, by: User) -> object:
    there, _made = Host.objects.get_or_create(name="other", cluster=vm.cluster)
    reports.host_seen(there, Capabilities())
    return migration.migrate(vm, to=there, by=by)


def in_state(vm: VM, host: Host, status: str, by: User) -> VM:
    if status == "down":
        return vm
    running = up(vm, host, by=by)
    return running if status == "up" else tell(running, host, Status.PAUSED, run=running.run)


def allows(act: Callable[[], object]) -> bool:
    try:
        act()
    except Refusal as refusal:
        if refusal.code != "USER_NOT_AUTHORIZED_TO_PERFORM_ACTION":
            raise
        return False
    return True


@pytest.fixture
def machines(vm: VM, host: Host, admin: User) -> dict[str, VM]:
    """One machine for each state that a verb wants, all in one cluster."""
    parked = {"up": "running", "paused": "waiting"}
    return {"down": vm} | {
        state: in_state(create.vm(name, cluster=vm.cluster, by=ENGINE), host, state, admin)
        for state, name in parked.items()
    }


def may(machines: dict[str, VM], who: Any) -> set[str]:
    """The verbs that somebody is let do; each is undone before the next is tried."""
    found = set()
    for verb, (state, act, _roles) in VERBS.items():
        with transaction.atomic():
            if allows(partial(act, machines[state], who)):
                found.add(verb)
            transaction.set_rollback(True)
    return found


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_what_it_grants_wherever_it_is_held(machines: dict[str, VM], role: str, place: str) -> None:
    dora = person("dora")
    for vm in machines.values():
        person("dora", role=role, **place_of(vm, place))
    assert may(machines, dora) == {verb for verb, (_state, _act, roles) in VERBS.items() if role in roles}


def test_a_right_somewhere_else_is_no_right_here(machines: dict[str, VM], admin: User) -> None:
    other = DataCenter.objects.create(name="other")
    elsewhere = Cluster.objects.create(name="elsewhere", data_center=other)
    neighbour = create.vm("neighbour", cluster=machines["up"].cluster, by=admin)
    places: list[dict[str, Any]] = [{"data_center": other}, {"cluster": elsewhere}, {"vm": neighbour}]
    eve = person("eve")
    for on in places:
        person("eve", role="SuperUser", **on)
    assert may(machines, eve) == set()


@pytest.mark.parametrize("who", ["admin", "carol", "root", "gone", "gone root", "engine"])
def test_people_without_a_role_and_those_above_roles(
    machines: dict[str, VM], admin: User, carol: User, who: str
) -> None:
    people: dict[str, Any] = {
        "admin": admin,
        "carol": carol,
        "root": User.objects.create_superuser("root"),
        "gone": person("gone", role="SuperUser"),
        "gone root": User.objects.create_superuser("gone root"),
        "engine": ENGINE,
    }
    User.objects.filter(username__startswith="gone").update(is_active=False)
    for name in ("gone", "gone root"):
        people[name].refresh_from_db()
    assert may(machines, people[who]) == (set(VERBS) if who in {"admin", "root", "engine"} else set())


def test_the_refusal_says_which_right_is_missing(vm: VM, bob: User) -> None:
    with pytest.raises(Refusal) as refused:
        edit(vm, Changes(console=headless), by=bob)
    assert (refused.value.kind, refused.value.params) == (Kind.FORBIDDEN, {"permit": "edit_vm_properties"})


def test_who_may_not_is_told_so_before_anything_else(vm: VM, carol: User) -> None:
    """No stranger learns a state, a version or what a cluster offers."""
    VM.objects.filter(pk=vm.pk).update(status="up", observed="up", delete_protected=True)
    assert not allows(lambda: edit(vm, Changes(version=99), by=carol))
    assert not allows(lambda: power.start(vm, by=carol))
    assert not allows(lambda: remove(vm, by=carol))


def test_every_verb_of_the_lifecycle_is_in_the_matrix() -> None:
    assert {verb.value for verb in Verb} <= set(VERBS)


def test_a_lost_role_is_lost_at_once(vm: VM, bob: User) -> None:
    Permission.objects.filter(user=bob).delete()
    assert not VM.objects.visible_to(bob).exists()
    assert not allows(lambda: power.start(vm, by=bob))


def test_the_last_state_counts_not_the_object_in_hand(vm: VM, host: Host, bob: User, admin: User) -> None:
    """Somebody holds a row from before: the right is asked of the row as it is now."""
    stale = VM.objects.get(pk=vm.pk)
    far = Cluster.objects.create(name="far", data_center=DataCenter.objects.create(name="far"))
    person("quin", role="UserRole", cluster=stale.cluster)
    VM.objects.filter(pk=vm.pk).update(cluster=far)
    assert not allows(lambda: power.start(stale, by=User.objects.get(username="quin")))


# -- each verb by its own group

GROUPS = {
    "start": {ActionGroup.RUN_VM},
    "run_once": {ActionGroup.RUN_VM},
    "resume": {ActionGroup.RUN_VM},
    "start_paused": {ActionGroup.RUN_VM},
    "shutdown": {ActionGroup.SHUT_DOWN_VM},
    "shutdown_paused": {ActionGroup.SHUT_DOWN_VM, ActionGroup.STOP_VM},
    "stop": {ActionGroup.STOP_VM},
    "reboot": {ActionGroup.REBOOT_VM},
    "reset": {ActionGroup.RESET_VM},
    "suspend": {ActionGroup.HIBERNATE_VM},
    "migrate": {ActionGroup.MIGRATE_VM},
    "edit": {ActionGroup.EDIT_VM_PROPERTIES},
    "attach": {ActionGroup.EDIT_VM_PROPERTIES},
    "detach": {ActionGroup.EDIT_VM_PROPERTIES},
    "remove": {ActionGroup.DELETE_VM},
}


def granting(*groups: ActionGroup) -> Role:
    """A role that grants these groups and nothing else."""
    role, made = Role.objects.get_or_create(name=f"only {hash(frozenset(groups))}")
    if made:
        RolePermit.objects.bulk_create(RolePermit(role=role, action_group=group) for group in groups)
    return role


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_needs_its_own_groups_and_no_other(machines: dict[str, VM], verb: str) -> None:
    state, act, _roles = VERBS[verb]
    vm = machines[state]
    for missing in GROUPS[verb]:
        fay = person(f"fay-{missing}")
        Permission.objects.create(user=fay, role=granting(*(set(ActionGroup) - {missing})), vm=vm)
        assert not allows(partial(act, vm, fay))
    gus = person("gus")
    Permission.objects.create(user=gus, role=granting(*GROUPS[verb]), vm=vm)
    assert allows(partial(act, vm, gus))


# -- making, and the other three kinds

CREATION: dict[str, tuple[ActionGroup, tuple[str, ...]]] = {
    "vm": (ActionGroup.CREATE_VM, ("cluster", "data_center", "system")),
    "template": (ActionGroup.CREATE_TEMPLATE, ("data_center", "system")),
    "pool": (ActionGroup.CREATE_VM_POOL, ("cluster", "data_center", "system")),
    "instance_type": (ActionGroup.CREATE_TEMPLATE, ("system",)),
}


@pytest.mark.parametrize("place", ["cluster", "data_center", "system"])
@pytest.mark.parametrize("kind", CREATION)
def test_making_takes_its_group_above_what_is_made(cluster: Cluster, host: Host, kind: str, place: str) -> None:
    group, places = CREATION[kind]
    on = {"cluster": cluster, "data_center": cluster.data_center}
    held = {place: on[place]} if place in on else {}
    hal = person("hal")
    Permission.objects.create(user=hal, role=granting(group), **held)
    where = {} if kind == "instance_type" else {"cluster": cluster}
    assert allows(lambda: getattr(create, kind)("made", by=hal, **where)) == (place in places)


@pytest.mark.parametrize("kind", CREATION)
def test_making_takes_no_other_group(cluster: Cluster, host: Host, kind: str) -> None:
    group, _places = CREATION[kind]
    hal = person("hal")
    for other in set(ActionGroup) - {group}:
        Permission.objects.create(user=hal, role=granting(other))
    where = {} if kind == "instance_type" else {"cluster": cluster}
    assert not allows(lambda: getattr(create, kind)("made", by=hal, **where))


def test_a_template_of_a_machine_takes_the_right_to_edit_the_machine(vm: VM, cluster: Cluster, bob: User) -> None:
    Permission.objects.create(user=bob, role=granting(ActionGroup.CREATE_TEMPLATE), data_center=cluster.data_center)
    assert not allows(lambda: create.template("golden", vm=vm, by=bob))
    Permission.objects.create(user=bob, role=granting(ActionGroup.EDIT_VM_PROPERTIES), vm=vm)
    assert allows(lambda: create.template("golden", vm=vm, by=bob))


OTHERS: dict[str, tuple[type[Hardware], ActionGroup, ActionGroup]] = {
    "template": (Template, ActionGroup.EDIT_TEMPLATE_PROPERTIES, ActionGroup.DELETE_TEMPLATE),
    "pool": (Pool, ActionGroup.EDIT_VM_POOL_CONFIGURATION, ActionGroup.DELETE_VM_POOL),
    "instance_type": (InstanceType, ActionGroup.EDIT_TEMPLATE_PROPERTIES, ActionGroup.DELETE_TEMPLATE),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_the_other_kinds_are_edited_and_removed_by_their_own_groups(
    cluster: Cluster, host: Host, admin: User, kind: str
) -> None:
    _model, editing, removing = OTHERS[kind]
    where = {} if kind == "instance_type" else {"cluster": cluster}
    row = getattr(create, kind)("made", by=admin, **where)
    ida = person("ida")
    Permission.objects.create(user=ida, role=granting(editing), **{kind: row})
    assert allows(lambda: edit(row, Changes(console=headless), by=ida))
    assert not allows(lambda: remove(row, by=ida))
    Permission.objects.create(user=ida, role=granting(removing), **{kind: row})
    assert allows(lambda: remove(row, by=ida))


@pytest.mark.parametrize("kind", OTHERS)
def test_a_role_of_users_edits_no_other_kind(cluster: Cluster, host: Host, admin: User, kind: str) -> None:
    where = {} if kind == "instance_type" else {"cluster": cluster}
    row = getattr(create, kind)("made", by=admin, **where)
    ida = person("ida", role="UserVmManager")
    person("ida", role="UserRole")
    assert not allows(lambda: edit(row, Changes(console=headless), by=ida))
    assert not allows(lambda: remove(row, by=ida))


def test_who_may_use_a_pool_may_use_the_machine_that_he_took_alone(cluster: Cluster, host: Host, admin: User) -> None:
    """Otherwise he could open those that other people have taken."""
    pool = create.pool("desk", cluster=cluster, size=2, by=admin)
    jon = person("jon", role="UserRole", pool=pool)
    mine = pools.take(pool, by=jon, start=False)
    assert [vm for vm in pool.vms.all() if allows(partial(power.start, vm, by=jon))] == [mine]
    assert list(VM.objects.visible_to(jon)) == [mine]


def test_nobody_may_anything_on_the_system_without_a_role_there(vm: VM, alice: User, admin: User) -> None:
    root, engine = User.objects.create_superuser("root"), ENGINE
    for who, allowed in ((alice, False), (admin, True), (root, True), (engine, True)):
        assert allows(partial(authorise, who, ActionGroup.MANIPULATE_HOST, None)) == allowed


def test_hosts_and_custom_properties_take_rights_of_their_own(vm: VM, host: Host, alice: User, admin: User) -> None:
    fields = {"hosts": (host.pk,), "custom_properties": {"kvm_hidden": "true"}}
    deeds: dict[str, Callable[[dict[str, Any], User], object]] = {
        "edit": lambda parts, by: edit(vm, Changes(machine=parts), by=by),
        "run": lambda parts, by: power.run_once(vm, lambda _spec, _offer: RunOnce(**parts), by=by),
        "make": lambda parts, by: create.vm("made", cluster=vm.cluster, changes=Changes(machine=parts), by=by),
        "clone": lambda parts, by: create.clone(vm, "made", changes=Changes(machine=parts), by=by),
    }
    person("alice", role="VmCreator", cluster=vm.cluster)
    for name, value in fields.items():
        for deed in deeds.values():
            with pytest.raises(Refusal, match="USER_NOT_AUTHORIZED") as refused:
                deed({name: value}, alice)
            assert refused.value.field == name
            with transaction.atomic():
                deed({name: value}, admin)
                transaction.set_rollback(True)
