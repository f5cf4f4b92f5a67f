"""Cloning: another machine that is configured like the first, and is its own in everything else."""

from dataclasses import fields, replace
from typing import Any

import pytest

from tests.actions.runs import choosing, fresh, up
from tests.factories import headless, machine, person
from vms.actions import create, nics, pools, power
from vms.actions.edit import edit
from vms.actions.remove import remove
from vms.domain.changes import Changes
from vms.domain.console import HEADLESS, SPICE, VNC, Choice, Console, Level, Offer, Protocol, Video
from vms.domain.errors import Refusal
from vms.domain.firmware import Firmware
from vms.domain.machine import FROM_TEMPLATE, MachineSpec, VmType
from vms.domain.parts import Boot, Topology
from vms.domain.runonce import ConsoleChoice
from vms.models import VM, AuditEvent, Cluster, Host, InstanceType, Permission, Role, User, VnicProfile

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

# What makes two machines two; everything else of a machine is copied.
OWN = {"id", "name", "level", "nics", "disks", "machine", "addresses"}

CONSOLES = [
    Console(),
    Console(serial=True, keyboard="de", wants_sound=True),
    Console(graphics=SPICE, video=Video.QXL, monitors=4, wants_usb=True, wants_smartcard=True, wants_copy_paste=False),
    Console(graphics=HEADLESS, video=None, serial=True, wants_usb=True, before=Choice(SPICE, Video.QXL)),
    Console(graphics=HEADLESS, video=None, monitors=4),
]


def test_a_clone_has_every_part_of_the_machine_but_its_identity() -> None:
    """A part that is added to machines is copied, or is said here to be each machine's own."""
    assert {part.name for part in fields(MachineSpec)} - OWN == set(FROM_TEMPLATE)


@pytest.mark.parametrize("console", CONSOLES)
def test_a_clone_is_configured_like_the_machine(host: Host, admin: User, console: Console) -> None:
    parts: dict[str, Any] = {
        "memory": 3072,
        "cpu": Topology(sockets=2, cores=3),
        "vm_type": VmType.DESKTOP,
        "firmware": Firmware.UEFI,
        "boot": Boot(kernel="vmlinuz", initrd="initrd", parameters="quiet"),
        "start_paused": True,
    }
    vm = machine("web", by=admin, console=lambda _console, _offer: console, **parts)
    clone = create.clone(vm, "copy", by=admin)
    assert {name: getattr(clone.spec, name) for name in parts} == parts
    assert (clone.console, clone.console.before) == (console, console.before)
    assert clone.devices.count() == vm.devices.count()


def test_a_clone_of_a_headless_machine_is_headless_with_device_ids_of_its_own(headless_vm: VM, admin: User) -> None:
    clone = create.clone(headless_vm, "copy", by=admin)
    ours, theirs = (list(vm.devices.values_list("device_id", "kind")) for vm in (headless_vm, clone))
    assert clone.console.headless
    assert {kind for _id, kind in theirs}.isdisjoint({"graphics", "video"})
    assert {key for key, _kind in ours}.isdisjoint({key for key, _kind in theirs})


def test_a_clone_remembers_what_the_machine_showed_before_it_became_headless(vm: VM, admin: User) -> None:
    edit(vm, Changes(console=lambda console, offer: console.showing(SPICE, None, offer).as_headless()), by=admin)
    clone = create.clone(fresh(vm), "copy", by=admin)
    assert clone.console.as_graphical(Offer(level=Level.V4_8)).graphics == SPICE


def test_a_clone_has_an_address_of_its_own_in_the_network(vm: VM, admin: User) -> None:
    lan = nics.Card(name="lan", profile=VnicProfile.objects.get(), model="e1000e", linked=False)
    card = nics.add(vm, lan, by=admin)
    (copied,) = create.clone(fresh(vm), "copy", by=admin).cards.all()
    assert (copied.name, copied.profile, copied.model, copied.linked) == ("lan", card.profile, "e1000e", False)
    assert copied.pk != card.pk
    assert copied.mac != card.mac


def test_a_clone_of_a_protected_machine_can_be_removed(vm: VM, admin: User) -> None:
    attributes = {"delete_protected": True, "comment": "keep", "description": "the web", "stateless": True}
    edit(vm, Changes(attributes=attributes), by=admin)
    clone = create.clone(fresh(vm), "copy", by=admin)
    assert (clone.delete_protected, clone.comment, clone.description, clone.stateless) == (
        False,
        "keep",
        "the web",
        True,
    )
    remove(clone, by=admin)


def test_a_clone_of_a_running_machine_is_off_and_has_what_is_configured(vm: VM, host: Host, admin: User) -> None:
    up(vm, host, by=admin, overlay=choosing(ConsoleChoice.HEADLESS))
    edit(vm, Changes(machine={"memory": 2048}), by=admin)
    clone = create.clone(fresh(vm), "copy", by=admin)
    assert (clone.status, clone.memory, clone.console.graphics, clone.run, clone.pinned) == (
        "down",
        2048,
        VNC,
        None,
        {},
    )
    assert (clone.host, clone.pending, clone.run_once) == (None, False, False)


def test_a_clone_is_of_the_same_template_and_instance_type(cluster: Cluster, host: Host, admin: User) -> None:
    golden, small = create.template("golden", cluster=cluster, by=admin), InstanceType.objects.get(name="Small")
    vm = create.vm("web", cluster=cluster, template=golden, instance_type=small, by=admin)
    clone = create.clone(vm, "copy", by=admin)
    assert (clone.cluster, clone.template, clone.instance_type) == (cluster, golden, small)


def test_a_clone_takes_what_is_asked_for_besides(vm: VM, admin: User) -> None:
    changes = Changes(machine={"memory": 2048}, console=headless, attributes={"comment": "dark"})
    clone = create.clone(vm, "copy", changes=changes, by=admin)
    assert (clone.memory, clone.console.headless, clone.comment) == (2048, True, "dark")
    assert (fresh(vm).memory, fresh(vm).console.headless) == (1024, False)


def test_a_clone_of_a_pools_machine_is_an_ordinary_one(cluster: Cluster, host: Host, admin: User) -> None:
    pool = create.pool("desk", cluster=cluster, changes=Changes(console=headless), by=admin)
    clone = create.clone(pools.take(pool, by=admin, start=False), "mine", by=admin)
    assert (clone.pool, clone.stateless, clone.console.headless, pool.size) == (None, False, True, 1)
    assert edit(clone, Changes(machine={"memory": 2048}), by=admin).memory == 2048


@pytest.mark.parametrize("name", ["web", "a b", ""])
def test_a_clone_needs_a_name_of_its_own(vm: VM, admin: User, name: str) -> None:
    with pytest.raises(Refusal) as refused:
        create.clone(vm, name, by=admin)
    assert (refused.value.field, VM.objects.count()) == ("name", 1)


def test_a_machine_that_is_gone_is_not_cloned(vm: VM, admin: User) -> None:
    gone = fresh(vm)
    remove(vm, by=admin)
    with pytest.raises(Refusal, match="NOT_FOUND"):
        create.clone(gone, "copy", by=admin)


def test_whoever_clones_owns_the_clone_and_the_trail_names_the_source(vm: VM, alice: User, cluster: Cluster) -> None:
    Permission.objects.create(user=alice, role=Role.objects.get(name="UserVmManager"), cluster=cluster)
    clone = create.clone(vm, "copy", by=alice)
    held = Permission.objects.get(vm=clone)
    event = AuditEvent.objects.filter(code="USER_ADD_VM").latest("id")
    assert (held.user, held.role.name) == (alice, "UserVmManager")
    assert (event.actor, event.entity_name, event.params) == (alice, "copy", {"source": "web"})
    assert power.start(clone, by=alice).created_by == alice


def test_cloning_takes_a_right_on_the_cluster_and_on_what_is_cloned(vm: VM, alice: User, bob: User) -> None:
    """Alice owns the machine and may make none; ida may make some elsewhere and must not know of this one."""
    far = Cluster.objects.create(name="far", data_center=vm.cluster.data_center)
    ida = person("ida", role="UserVmManager", cluster=far)
    for who in (alice, bob, ida):
        with pytest.raises(Refusal, match="NOT_AUTHORIZED"):
            create.clone(vm, "copy", by=who)
    assert VM.objects.count() == 1


def test_who_may_make_machines_somewhere_clones_only_what_exists_for_him(vm: VM, cluster: Cluster) -> None:
    Role.objects.create(name="Maker").permits.create(action_group="create_vm")
    ida = person("ida", role="Maker", cluster=cluster)
    hidden = VM.objects.create(
        name="hidden", cluster=Cluster.objects.create(name="far", data_center=cluster.data_center)
    )
    with pytest.raises(Refusal, match="NOT_AUTHORIZED"):
        create.clone(hidden, "copy", by=ida)
    assert create.clone(vm, "copy", by=ida).name == "copy"


def test_a_clone_where_no_host_shows_it_is_refused(vnc_cluster: Cluster, admin: User) -> None:
    vm = create.vm("web", cluster=vnc_cluster, by=admin)
    shown = replace(vm.console, graphics=frozenset({Protocol.SPICE}), video=Video.QXL)
    vm.console = shown
    vm.save(update_fields=vm.CONSOLE_FIELDS)
    with pytest.raises(Refusal, match="NO_HOST_OFFERS_PROTOCOL"):
        create.clone(vm, "copy", by=admin)
    assert create.clone(vm, "copy", changes=Changes(console=headless), by=admin).console.headless
