"""Disks that go from a machine to its template and from there to machines, thin or as copies."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.actions.runs import fresh
from tests.actions.test_disks import domain, files, hypervisor, now, refused, work
from vms.actions import create, disks, power
from vms.actions.remove import remove
from vms.domain.disks import GIB
from vms.domain.lifecycle import Status
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import VM, Disk, DiskStatus, Host, Image, StorageDomain, Template, User

__all__ = ["domain", "hypervisor", "work"]

Work = Callable[[], None]


@pytest.fixture
def template(vm: VM, domain: StorageDomain, admin: User, hypervisor: MemoryHypervisor, work: Work) -> Template:
    """A template of a machine that has a disk with something on it."""
    row = disks.create_in(vm, "root", domain=domain, size=GIB, how={"bootable": True}, by=admin)
    work()
    hypervisor.store.contents[now(row.disk).image.name] = b"system"
    made = create.template("golden", vm=fresh(vm), by=admin)
    assert now(made).disk_state == DiskStatus.LOCKED
    assert fresh(vm).status == Status.IMAGE_LOCKED
    work()
    assert fresh(vm).status == Status.DOWN
    there: Template = now(made)
    return there


def image_of(owner: Any) -> Image:
    image: Image = owner.disk_attachments.get().disk.image
    return image


def test_a_template_has_a_copy_that_nobody_changes(
    template: Template, vm: VM, admin: User, hypervisor: MemoryHypervisor
) -> None:
    image = image_of(template)
    assert (template.disk_state, image.parent, image != image_of(vm)) == (DiskStatus.OK, None, True)
    assert hypervisor.store.contents[image.name] == b"system"
    row = template.disk_attachments.get()
    assert row.bootable
    code = "ACTION_TYPE_FAILED_DISK_IS_A_TEMPLATES"
    refused(code, disks.remove, row.disk, by=admin)
    refused(code, disks.attach, vm, row.disk, by=admin)
    refused(code, disks.detach, row, by=admin)


def test_a_machine_of_it_begins_as_it_is_and_keeps_it_from_being_removed(
    template: Template, vm: VM, admin: User, host: Host, work: Work
) -> None:
    made = create.vm("thin", cluster=vm.cluster, template=template, by=admin)
    assert fresh(made).status == Status.IMAGE_LOCKED
    work()
    assert image_of(made).parent == image_of(template)
    power.start(fresh(made), by=admin)
    work()
    assert fresh(made).status == Status.UP
    refused("ACTION_TYPE_FAILED_STILL_IN_USE", remove, template, by=admin)


def test_a_machine_with_cloned_disks_depends_on_nothing(
    template: Template, vm: VM, admin: User, hypervisor: MemoryHypervisor, domain: StorageDomain, work: Work
) -> None:
    made = create.vm("whole", cluster=vm.cluster, template=template, clone=True, by=admin)
    work()
    assert image_of(made).parent is None
    assert hypervisor.store.contents[image_of(made).name] == b"system"
    for machine in (made, vm):
        remove(fresh(machine), by=admin)
    remove(now(template), by=admin)
    work()
    assert (Disk.objects.count(), Image.objects.count(), files(hypervisor, domain)) == (0, 0, set())


def test_the_machines_of_a_pool_begin_as_its_template_is(template: Template, vm: VM, admin: User, work: Work) -> None:
    pool = create.pool("row", cluster=vm.cluster, template=template, size=2, by=admin)
    work()
    assert {image_of(machine).parent for machine in pool.vms.all()} == {image_of(template)}
    assert {machine.status for machine in pool.vms.all()} == {Status.DOWN}


def test_a_clone_has_copies_and_takes_a_machine_that_is_down(
    template: Template, vm: VM, admin: User, hypervisor: MemoryHypervisor, work: Work
) -> None:
    made = create.clone(fresh(vm), "twin", by=admin)
    refused("ACTION_TYPE_FAILED_DISKS_LOCKED", create.clone, fresh(vm), "third", by=admin)
    work()
    assert hypervisor.store.contents[image_of(made).name] == b"system"
    power.start(fresh(vm), by=admin)
    work()
    refused("ACTION_TYPE_FAILED_STILL_IN_USE", create.clone, fresh(vm), "third", by=admin)
    assert not VM.objects.filter(name="third").exists()


def test_a_template_that_finds_no_room_is_illegal_and_leaves_the_machine_alone(
    vm: VM, domain: StorageDomain, admin: User, hypervisor: MemoryHypervisor, work: Work
) -> None:
    row = disks.create_in(vm, "root", domain=domain, size=GIB, format="raw", sparse=False, by=admin)
    work()
    hypervisor.store.capacity = GIB
    domain.refresh_from_db()
    StorageDomain.objects.update(available=2 * GIB)
    made = create.template("golden", vm=fresh(vm), by=admin)
    work()
    assert (now(made).disk_state, fresh(vm).status) == (DiskStatus.ILLEGAL, Status.DOWN)
    assert files(hypervisor, domain) == {now(row.disk).image.name}


def test_a_new_machine_has_the_disks_that_are_wished_for_or_is_not_made(
    vm: VM, domain: StorageDomain, admin: User, work: Work
) -> None:
    wish = {"domain": domain, "size": GIB}
    made = create.vm("wished", cluster=vm.cluster, new_disks=[wish, wish], by=admin)
    work()
    rows = made.disk_attachments.order_by("-bootable")
    assert [(row.disk.name, row.bootable) for row in rows] == [("wished_Disk1", True), ("wished_Disk2", False)]
    refused("ILLEGAL_VALUE", create.vm, "other", cluster=vm.cluster, new_disks=[{**wish, "size": 1}], by=admin)
    assert not VM.objects.filter(name="other").exists()
