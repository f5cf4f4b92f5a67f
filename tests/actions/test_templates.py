"""Versions of a template, and the machines that go over to the newest one, display and devices together."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.actions.places import cluster_offering
from tests.actions.runs import choosing, down, fresh, settled, up
from tests.factories import headless, person
from vms.actions import create, pools, templates
from vms.actions.edit import edit
from vms.actions.remove import remove
from vms.domain.changes import Changes
from vms.domain.console import SPICE, VNC, Video
from vms.domain.devices import devices
from vms.domain.errors import Refusal
from vms.domain.firmware import Firmware
from vms.domain.machine import VmType
from vms.domain.parts import Boot, Topology
from vms.domain.runonce import ConsoleChoice
from vms.models import VM, AuditEvent, Cluster, Host, InstanceType, Permission, Pool, Role, Template, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

HEADLESS = Changes(console=headless)
SHOWN = Changes(console=lambda console, offer: console.as_graphical(offer))
LATEST = {"use_latest_version": True}


@pytest.fixture
def golden(cluster: Cluster, host: Host, admin: User) -> Template:
    """A template with VNC."""
    return create.template("golden", cluster=cluster, by=admin)


@pytest.fixture
def version(golden: Template, admin: User) -> Callable[..., Template]:
    def made(changes: Changes = Changes(), **more: Any) -> Template:
        return create.template("golden", base=golden, changes=changes, by=admin, **more)

    return made


@pytest.fixture
def follower(golden: Template, cluster: Cluster, admin: User) -> VM:
    """A stateless machine that uses the latest version."""
    changes = Changes(attributes={**LATEST, "stateless": True})
    return create.vm("web", cluster=cluster, template=golden, changes=changes, by=admin)


@pytest.fixture
def desk(golden: Template, cluster: Cluster, admin: User) -> Pool:
    """A pool of two that uses the latest version."""
    changes = Changes(attributes=LATEST)
    return create.pool("desk", cluster=cluster, template=golden, size=2, changes=changes, by=admin)


def rows_are_its_devices(vm: VM) -> bool:
    rows = list(vm.devices.filter(scope="configured").order_by("position").values_list("device_id", flat=True))
    return rows == [device.id for device in devices(vm.spec)]


# -- a version


def test_a_version_has_the_name_and_the_next_number(version: Callable[..., Template], golden: Template) -> None:
    second, third = version(version_name="patched"), version()
    assert [(row.name, row.version_number, row.version_name, row.base) for row in (second, third)] == [
        ("golden", 2, "patched", golden),
        ("golden", 3, "", golden),
    ]


def test_a_version_of_a_version_belongs_to_the_same_family(
    version: Callable[..., Template], golden: Template, admin: User
) -> None:
    third = create.template("ignored", base=version(), by=admin)
    assert (third.name, third.version_number, third.base) == ("golden", 3, golden)
    assert [row.version_number for row in Template.objects.family(third)] == [1, 2, 3]
    assert templates.newest(golden) == third


def test_a_version_begins_as_the_one_before(version: Callable[..., Template], golden: Template, admin: User) -> None:
    edit(golden, Changes(machine={"memory": 640}), by=admin)
    second = version(HEADLESS)
    third = version()
    assert (second.memory, third.memory, third.console.headless) == (640, 640, True)


def test_a_version_of_a_machine_is_as_the_machine_is(
    version: Callable[..., Template], vm: VM, golden: Template, admin: User
) -> None:
    dark = edit(vm, Changes(console=lambda console, _: replace(console.as_headless(), serial=True)), by=admin)
    second = version(vm=dark)
    assert (second.console, second.console.before, second.name) == (dark.console, dark.console.before, "golden")


def test_a_version_has_devices_of_its_own(version: Callable[..., Template], golden: Template) -> None:
    ours, theirs = (set(row.devices.values_list("device_id", flat=True)) for row in (golden, version()))
    assert ours
    assert ours.isdisjoint(theirs)


def test_blank_has_no_versions(cluster: Cluster, admin: User) -> None:
    with pytest.raises(Refusal, match="BUILT_IN"):
        create.template("any", base=Template.objects.get(), cluster=cluster, by=admin)
    assert Template.objects.count() == 1


def test_a_version_changes_machines_so_it_takes_the_right_to_edit_the_template(
    golden: Template, cluster: Cluster, desk: Pool
) -> None:
    ida = person("ida", role="TemplateCreator", data_center=cluster.data_center)
    with pytest.raises(Refusal, match="NOT_AUTHORIZED"):
        create.template("golden", base=golden, changes=HEADLESS, by=ida)
    own = create.template("own", cluster=cluster, by=ida)
    assert create.template("own", base=own, by=ida).version_number == 2
    assert {vm.console.headless for vm in desk.vms.all()} == {False}


def test_whoever_makes_a_template_owns_it(golden: Template, admin: User) -> None:
    held = Permission.objects.get(template=golden)
    assert (held.user, held.role.name) == (admin, "TemplateOwner")


def test_a_new_name_of_a_template_is_its_versions_too(
    version: Callable[..., Template], golden: Template, admin: User
) -> None:
    second = version()
    edit(golden, Changes(machine={"name": "silver"}), by=admin)
    assert {row.name for row in Template.objects.family(second)} == {"silver"}
    assert create.template("silver", base=second, by=admin).version_number == 3


def test_a_version_has_no_name_of_its_own(version: Callable[..., Template], admin: User) -> None:
    second = version()
    with pytest.raises(Refusal, match="ILLEGAL_VALUE") as refused:
        edit(second, Changes(machine={"name": "silver"}), by=admin)
    assert refused.value.field == "name"
    assert edit(second, Changes(attributes={"version_name": "patched"}), by=admin).version_name == "patched"


def test_a_name_that_another_family_has_is_refused_for_all_versions(
    version: Callable[..., Template], golden: Template, cluster: Cluster, admin: User
) -> None:
    version()
    create.template("silver", cluster=cluster, by=admin)
    with pytest.raises(Refusal, match="NAME_ALREADY_USED"):
        edit(golden, Changes(machine={"name": "silver"}), by=admin)
    assert {row.name for row in Template.objects.family(golden)} == {"golden"}


def test_a_template_stays_while_it_has_versions_and_goes_after_them(
    version: Callable[..., Template], golden: Template, admin: User
) -> None:
    second = version()
    with pytest.raises(Refusal, match="STILL_IN_USE") as refused:
        remove(golden, by=admin)
    assert refused.value.params["users"] == "golden (2)"
    remove(second, by=admin)
    remove(golden, by=admin)
    assert Template.objects.count() == 1


def test_the_version_that_machines_follow_stays(version: Callable[..., Template], follower: VM, admin: User) -> None:
    with pytest.raises(Refusal, match="STILL_IN_USE"):
        remove(version(), by=admin)


# -- what follows the latest version (oVirt copies the devices without the display: engine-behaviour 8)


@pytest.mark.parametrize("kind", ["machine", "pool"])
def test_a_graphical_machine_becomes_headless_with_a_headless_version(
    version: Callable[..., Template], follower: VM, desk: Pool, kind: str
) -> None:
    second = version(HEADLESS)
    for vm in [fresh(follower)] if kind == "machine" else desk.vms.all():
        assert (vm.template, vm.console.headless, vm.console.video, rows_are_its_devices(vm)) == (
            second,
            True,
            None,
            True,
        )


@pytest.mark.parametrize("kind", ["machine", "pool"])
def test_a_headless_machine_gets_a_screen_with_a_version_that_has_one(
    version: Callable[..., Template], golden: Template, cluster: Cluster, admin: User, kind: str
) -> None:
    edit(golden, HEADLESS, by=admin)
    changes = Changes(attributes={**LATEST, "stateless": True})
    if kind == "machine":
        vm = create.vm("web", cluster=cluster, template=golden, changes=changes, by=admin)
    else:
        pooled = Changes(attributes=LATEST)
        vm = create.pool("desk", cluster=cluster, template=golden, changes=pooled, by=admin).vms.get()
    version(SHOWN)
    after = fresh(vm)
    assert (after.console.graphics, after.console.video, rows_are_its_devices(after)) == (VNC, Video.VGA, True)


def test_everything_comes_with_a_version(version: Callable[..., Template], follower: VM, desk: Pool) -> None:
    parts = {
        "memory": 3072,
        "cpu": Topology(sockets=2, cores=3),
        "vm_type": VmType.DESKTOP,
        "firmware": Firmware.UEFI,
        "boot": Boot(kernel="vmlinuz"),
        "start_paused": True,
    }
    version(Changes(machine=parts))
    for row in (fresh(follower), Pool.objects.get(), *desk.vms.all()):
        assert {name: getattr(row.spec, name) for name in parts} == parts


def test_a_running_machine_goes_over_with_its_next_start(
    version: Callable[..., Template], follower: VM, host: Host, admin: User
) -> None:
    up(follower, host, by=admin)
    version(HEADLESS)
    running = fresh(follower)
    assert (running.pending, running.running_graphics, running.console.headless) == (True, "vnc", True)
    again = up(down(settled(follower, host), host), host, by=admin)
    assert (again.pending, again.running_graphics) == (False, "")


def test_a_machine_that_runs_once_otherwise_goes_on_so_and_has_the_version_afterwards(
    version: Callable[..., Template], follower: VM, host: Host, admin: User
) -> None:
    up(follower, host, by=admin, overlay=choosing(ConsoleChoice.SPICE))
    version(HEADLESS)
    assert fresh(follower).running_graphics == "spice"
    down(settled(follower, host), host)
    assert up(follower, host, by=admin).running_graphics == ""


def test_a_machine_that_a_pool_gets_later_begins_with_the_newest_version(
    version: Callable[..., Template], desk: Pool, admin: User
) -> None:
    second = version(HEADLESS)
    pools.grow(desk, 1, by=admin)
    assert {(vm.template, vm.console.headless) for vm in desk.vms.all()} == {(second, True)}


@pytest.mark.parametrize("attributes", [{}, {"stateless": True}, LATEST])
def test_a_machine_that_keeps_its_state_or_its_version_stays_as_it_is(
    version: Callable[..., Template], golden: Template, cluster: Cluster, admin: User, attributes: dict[str, Any]
) -> None:
    vm = create.vm("web", cluster=cluster, template=golden, changes=Changes(attributes=attributes), by=admin)
    version(HEADLESS)
    assert (fresh(vm).template, fresh(vm).console.headless, fresh(vm).version) == (golden, False, 1)


def test_a_machine_that_keeps_its_state_may_be_told_to_follow_and_stays(
    version: Callable[..., Template], golden: Template, cluster: Cluster, admin: User
) -> None:
    vm = create.vm("web", cluster=cluster, template=golden, by=admin)
    version(HEADLESS)
    after = edit(vm, Changes(attributes=LATEST), by=admin)
    assert (after.template, after.console.headless) == (golden, False)


def test_a_machine_goes_over_when_it_begins_to_follow(
    version: Callable[..., Template], golden: Template, cluster: Cluster, admin: User
) -> None:
    vm = create.vm("web", cluster=cluster, template=golden, changes=Changes(attributes=LATEST), by=admin)
    second = version(HEADLESS)
    after = edit(vm, Changes(attributes={"stateless": True}), by=admin)
    assert (after.template, after.console.headless, rows_are_its_devices(after)) == (second, True, True)


def test_a_new_machine_that_follows_begins_with_the_newest_version(
    version: Callable[..., Template], golden: Template, cluster: Cluster, admin: User
) -> None:
    second = version(HEADLESS)
    vm = create.vm("web", cluster=cluster, template=golden, changes=Changes(attributes=LATEST), by=admin)
    pool = create.pool("desk", cluster=cluster, template=golden, changes=Changes(attributes=LATEST), by=admin)
    assert (vm.template, vm.console.headless) == (second, True)
    assert (pool.template, pool.vms.get().console.headless) == (second, True)


def test_a_follower_cannot_be_held_on_an_old_version(
    version: Callable[..., Template], golden: Template, follower: VM, admin: User
) -> None:
    second = version()
    assert edit(follower, Changes(attributes={"template": golden}), by=admin).template == second
    freed = edit(follower, Changes(attributes={"template": golden, "use_latest_version": False}), by=admin)
    version(HEADLESS)
    assert (freed.template, fresh(follower).console.headless) == (golden, False)


def test_what_an_instance_type_gave_stays_with_another_version(
    version: Callable[..., Template], golden: Template, cluster: Cluster, admin: User
) -> None:
    chosen = create.instance_type("Odd", changes=Changes(machine={"memory": 640}), by=admin)
    changes = Changes(attributes={**LATEST, "stateless": True})
    vm = create.vm("web", cluster=cluster, template=golden, instance_type=chosen, changes=changes, by=admin)
    edit(chosen, HEADLESS, by=admin)
    version(Changes(machine={"memory": 4096, "vm_type": VmType.DESKTOP}, console=headless))
    after = fresh(vm)
    assert (after.memory, after.console.graphics, after.instance_type, after.vm_type) == (640, VNC, chosen, "desktop")


def test_a_version_that_a_cluster_cannot_show_leaves_its_machines_and_tells_why(
    version: Callable[..., Template], golden: Template, follower: VM, admin: User
) -> None:
    far = cluster_offering("vnc", VNC)
    changes = Changes(attributes={**LATEST, "stateless": True})
    stuck = create.vm("far", cluster=far, template=golden, changes=changes, by=admin)
    second = version(Changes(console=lambda console, offer: console.showing(SPICE, None, offer)))
    event = AuditEvent.objects.get(code="VM_STAYS_WITH_TEMPLATE_VERSION")
    assert (fresh(stuck).template, fresh(stuck).console.graphics, rows_are_its_devices(fresh(stuck))) == (
        golden,
        VNC,
        True,
    )
    assert (event.entity_name, event.params["reason"]) == ("far", "NO_HOST_OFFERS_PROTOCOL")
    assert (fresh(follower).template, fresh(follower).console.graphics) == (second, SPICE)


def test_a_card_that_the_machines_cluster_does_not_know_is_replaced(
    version: Callable[..., Template], follower: VM, cluster: Cluster
) -> None:
    bochs = Changes(
        machine={"firmware": Firmware.UEFI}, console=lambda console, _offer: console.with_display(VNC, Video.BOCHS)
    )
    far = Cluster.objects.create(name="old", level="4.4", data_center=cluster.data_center)
    VM.objects.filter(pk=follower.pk).update(cluster=far)
    second = version(bochs)
    assert (fresh(follower).template, fresh(follower).console.video) == (second, Video.VGA)


def test_what_a_version_did_is_told_at_each_machine(
    version: Callable[..., Template], follower: VM, desk: Pool, admin: User
) -> None:
    version(HEADLESS)
    codes = AuditEvent.objects.filter(actor=admin, after__has_key="template").values_list("code", "entity_name")
    assert sorted(codes) == [
        ("USER_UPDATE_VM", "desk-1"),
        ("USER_UPDATE_VM", "desk-2"),
        ("USER_UPDATE_VM", "web"),
        ("USER_UPDATE_VM_POOL", "desk"),
    ]


# -- a pool and the version that it runs


def test_another_version_of_a_pool_reaches_its_machines(
    version: Callable[..., Template], golden: Template, cluster: Cluster, host: Host, admin: User
) -> None:
    """As in oVirt (UpdateVmPool.updatePoolVms): a pool runs one version; the rest reaches them when asked."""
    pool = create.pool("desk", cluster=cluster, template=golden, size=2, by=admin)
    vm = up(VM.objects.get(name="desk-1"), host, by=admin)
    second = version(HEADLESS)
    edit(pool, Changes(attributes={"template": second}, machine={"memory": 4096}), by=admin)
    assert [(one.template, one.console.headless, one.memory) for one in pool.vms.all()] == [(second, True, 1024)] * 2
    assert (fresh(vm).pending, fresh(vm).running_graphics) == (True, "vnc")


def test_a_pool_that_begins_to_follow_takes_its_machines_along(
    version: Callable[..., Template], golden: Template, cluster: Cluster, admin: User
) -> None:
    pool = create.pool("desk", cluster=cluster, template=golden, by=admin)
    version(HEADLESS)
    edit(pool, Changes(attributes=LATEST), by=admin)
    assert (pool.vms.get().use_latest_version, pool.vms.get().console.headless) == (True, True)
    third = version(SHOWN)
    assert (pool.vms.get().template, pool.vms.get().console.graphics) == (third, VNC)


def test_a_machine_that_left_its_pool_keeps_its_version(
    version: Callable[..., Template], desk: Pool, golden: Template, admin: User
) -> None:
    left = pools.detach(VM.objects.get(name="desk-1"), by=admin)
    version(HEADLESS)
    assert (fresh(left).template, fresh(left).console.headless) == (golden, False)


# -- what may be made of a template


def test_a_template_that_somebody_cannot_see_makes_him_no_machine(
    golden: Template, cluster: Cluster, host: Host, admin: User
) -> None:
    """He would read its kernel's parameters off the machine."""
    far = Cluster.objects.create(name="far", data_center=cluster.data_center)
    ida = person("ida", role="UserVmManager", cluster=far)
    with pytest.raises(Refusal, match="NOT_AUTHORIZED"):
        create.vm("web", cluster=far, template=golden, by=ida)
    Permission.objects.create(user=ida, role=Role.objects.get(name="UserRole"), template=golden)
    assert create.vm("web", cluster=far, template=golden, by=ida).template == golden
    assert create.vm("plain", cluster=far, instance_type=InstanceType.objects.first(), by=ida).template.built_in
