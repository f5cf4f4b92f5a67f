"""Machines that begin with disks of others: templates with disks, thin and full copies of them, clones, pools."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.actions.runs import fresh
from tests.actions.test_disks import domain, files, hypervisor, now, refused, work
from tests.api.caller import Caller
from vms.actions import create, disks, power
from vms.actions.remove import remove
from vms.domain.changes import Changes
from vms.domain.disks import GIB
from vms.domain.lifecycle import Status
from vms.forms import VMForm
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import VM, Cluster, Disk, DiskStatus, Image, StorageDomain, Template, User

__all__ = ["domain", "hypervisor", "work"]

pytestmark = [pytest.mark.django_db]
Work = Callable[[], None]
SYSTEM = b"system"


@pytest.fixture
def full(vm: VM, domain: StorageDomain, admin: User, work: Work) -> VM:
    """A machine with a disk to start from."""
    disks.create_in(vm, f"{vm.name}_Disk1", domain=domain, size=2 * GIB, how={"bootable": True}, by=admin)
    work()
    return fresh(vm)


@pytest.fixture
def golden(full: VM, admin: User, work: Work) -> Template:
    made = create.template("golden", vm=full, by=admin)
    work()
    return Template.objects.get(pk=made.pk)


def image_of(owner: Any) -> Image:
    image = disk_of(owner).image
    assert image is not None
    return image


def disk_of(owner: Any) -> Disk:
    return Disk.objects.get(attachments__in=owner.disk_attachments.all())


def test_a_template_has_a_copy_of_the_disk_and_both_are_locked_until_it_is_there(
    full: VM, admin: User, work: Work, hypervisor: MemoryHypervisor, domain: StorageDomain
) -> None:
    hypervisor.store.contents[image_of(full).name] = SYSTEM
    made = create.template("golden", vm=full, by=admin)
    assert (fresh(full).status, now(made).disk_state) == (Status.IMAGE_LOCKED, DiskStatus.LOCKED)
    refused("ACTION_TYPE_FAILED_DISKS_LOCKED", create.vm, "early", cluster=full.cluster, template=made, by=admin)
    work()
    assert (fresh(full).status, now(made).disk_state) == (Status.DOWN, DiskStatus.OK)
    theirs = disk_of(made)
    assert (theirs.name, theirs.size, image_of(made).parent) == ("golden_Disk1", 2 * GIB, None)
    assert [(disk.volume, disk.bootable) for disk in now(made).spec.disks] == [(image_of(made).name, True)]
    assert hypervisor.store.contents[image_of(made).name] == SYSTEM
    assert files(hypervisor, domain) == {image.name for image in Image.objects.all()}


def test_a_template_has_a_copy_that_nobody_changes(full: VM, golden: Template, admin: User) -> None:
    code = "ACTION_TYPE_FAILED_DISK_IS_A_TEMPLATES"
    refused(code, disks.remove, disk_of(golden), by=admin)
    refused(code, disks.attach, full, disk_of(golden), by=admin)
    refused(code, disks.detach, golden.disk_attachments.get(), by=admin)


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


def test_a_running_machine_is_made_no_template_of(full: VM, admin: User, work: Work) -> None:
    power.start(full, by=admin)
    work()
    refused("ACTION_TYPE_FAILED_STILL_IN_USE", create.template, "golden", vm=full, by=admin)
    assert (Template.objects.filter(name="golden").count(), Disk.objects.count()) == (0, 1)


def test_a_thin_machine_begins_as_the_template_and_keeps_that_from_being_removed(
    golden: Template, cluster: Cluster, admin: User, work: Work
) -> None:
    made = create.vm("thin", cluster=cluster, template=golden, by=admin)
    assert fresh(made).status == Status.IMAGE_LOCKED
    work()
    disk = disk_of(made)
    assert (disk.name, image_of(made).parent, made.template) == ("thin_Disk1", disk_of(golden).image, golden)
    refused("ACTION_TYPE_FAILED_STILL_IN_USE", remove, golden, by=admin)
    refused("ACTION_TYPE_FAILED_STILL_IN_USE", disks.discard, disk_of(golden), by=admin)
    power.start(fresh(made), by=admin)
    work()
    assert fresh(made).status == Status.UP


def test_a_full_copy_needs_its_template_no_longer(
    full: VM, golden: Template, admin: User, work: Work, hypervisor: MemoryHypervisor, domain: StorageDomain
) -> None:
    hypervisor.store.contents[image_of(golden).name] = SYSTEM
    made = create.vm("whole", cluster=full.cluster, template=golden, clone=True, by=admin)
    assert now(golden).disk_state == DiskStatus.OK
    work()
    assert image_of(made).parent is None
    assert hypervisor.store.contents[image_of(made).name] == SYSTEM
    remove(golden, by=admin)
    work()
    assert files(hypervisor, domain) == {image_of(one).name for one in (full, made)}
    assert Image.objects.count() == 2
    for machine in (full, made):
        remove(fresh(machine), by=admin)
    work()
    assert (Disk.objects.count(), Image.objects.count(), files(hypervisor, domain)) == (0, 0, set())


def test_a_clone_has_disks_of_its_own_and_takes_a_machine_that_is_down(
    full: VM, admin: User, hypervisor: MemoryHypervisor, work: Work
) -> None:
    hypervisor.store.contents[image_of(full).name] = SYSTEM
    made = create.clone(full, "twin", by=admin)
    refused("ACTION_TYPE_FAILED_DISKS_LOCKED", create.clone, fresh(full), "third", by=admin)
    work()
    assert disk_of(made) != disk_of(full)
    assert (disk_of(made).name, fresh(made).status) == ("twin_Disk1", Status.DOWN)
    assert hypervisor.store.contents[image_of(made).name] == SYSTEM
    power.start(fresh(full), by=admin)
    work()
    refused("ACTION_TYPE_FAILED_STILL_IN_USE", create.clone, fresh(full), "third", by=admin)
    assert not VM.objects.filter(name="third").exists()


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


def test_machines_of_a_pool_are_thin(golden: Template, cluster: Cluster, admin: User, work: Work) -> None:
    pool = create.pool("desk", cluster=cluster, template=golden, size=3, by=admin)
    work()
    members = pool.vms.all()
    assert {image_of(member).parent for member in members} == {disk_of(golden).image}
    assert {member.status for member in members} == {Status.DOWN}


def test_a_stateless_machine_goes_over_to_the_disks_of_a_new_version(
    full: VM, golden: Template, admin: User, work: Work, hypervisor: MemoryHypervisor, domain: StorageDomain
) -> None:
    latest = Changes(attributes={"stateless": True, "use_latest_version": True})
    made = create.vm("kiosk", cluster=full.cluster, template=golden, changes=latest, by=admin)
    work()
    newer = create.template("", vm=full, base=golden, by=admin)
    work()
    power.start(fresh(made), by=admin)
    work()
    power.stop(fresh(made), by=admin)
    work()
    assert image_of(made).parent == disk_of(newer).image
    assert files(hypervisor, domain) == {image.name for image in Image.objects.all()}


def test_a_client_may_ask_for_a_full_copy(golden: Template, cluster: Cluster, admin: User, work: Work) -> None:
    api = Caller(admin)
    body = {"cluster": {"name": cluster.name}, "template": {"id": str(golden.pk)}}
    for name, ending, parent in (("whole", "?clone=true", None), ("thin", "", disk_of(golden).image)):
        made = api.post(f"/vms{ending}", "vm", {**body, "name": name})
        work()
        assert image_of(VM.objects.get(pk=made.tree["id"])).parent == parent


def test_the_dialog_offers_thin_and_full_copies(golden: Template, admin: User) -> None:
    assert "allocation" not in VMForm(row=VM(), by=admin, initial={"template": str(golden.pk)}).locked
    assert "allocation" in VMForm(row=VM(), by=admin).locked
