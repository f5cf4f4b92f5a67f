"""Disks and the storage they lie on, from the wish to the image: through actions, jobs and an engine's worker."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.actions.runs import fresh
from vms.actions import disks, jobs, power, remove, snapshots, storage
from vms.domain.disks import GIB, MIB, DiskFormat, Interface, Room
from vms.domain.errors import Refusal
from vms.domain.lifecycle import Status
from vms.engine.watcher import emptied
from vms.engine.worker import carry_out
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import (
    VM,
    AuditEvent,
    Disk,
    DiskAttachment,
    DiskStatus,
    Host,
    Image,
    Job,
    StorageDomain,
    StorageStatus,
    User,
)


@pytest.fixture
def hypervisor() -> MemoryHypervisor:
    made = MemoryHypervisor()
    made.open(lambda _event: None)
    return made


@pytest.fixture
def work(host: Host, hypervisor: MemoryHypervisor) -> Callable[[], None]:
    """Has an engine's worker carry out all that waits."""

    def all_of_it() -> None:
        while (job := jobs.claim("engine", [host.pk])) is not None:
            carry_out(job, hypervisor)

    return all_of_it


@pytest.fixture
def domain(host: Host, work: Callable[[], None]) -> StorageDomain:
    """A storage domain that is active."""
    storage.ensure_one()
    work()
    return StorageDomain.objects.get()


def now(row: Any) -> Any:
    return type(row).objects.get(pk=row.pk)


def files(hypervisor: MemoryHypervisor, domain: StorageDomain) -> set[str]:
    return set(hypervisor.store.names(domain.storage))


def running(vm: VM) -> list[Any]:
    """The disks that its guest has now."""
    assert vm.run is not None
    return [one.id for one in vm.run.spec.disks]


def refused(code: str, act: Callable[..., Any], *args: Any, **how: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        act(*args, **how)
    assert caught.value.code == code
    return caught.value


def test_the_first_host_has_storage_by_itself_and_only_once(host: Host, work: Callable[[], None]) -> None:
    storage.ensure_one()
    assert StorageDomain.objects.get().status == StorageStatus.LOCKED
    work()
    storage.ensure_one()
    made = StorageDomain.objects.get()
    assert (made.status, made.host) == (StorageStatus.ACTIVE, host)
    assert made.capacity == 1024 * GIB


def test_storage_that_cannot_be_opened_tells_why(host: Host, hypervisor: MemoryHypervisor) -> None:
    storage.ensure_one()
    job = jobs.claim("engine", [host.pk])
    assert job is not None
    jobs.fail(job, Refusal("HYPERVISOR_REFUSED", None, message="no such directory"))
    made = StorageDomain.objects.get()
    assert made.status == StorageStatus.INACTIVE
    assert made.reason["params"]["message"] == "no such directory"


def test_a_machine_starts_with_a_disk_that_was_made_for_it(
    vm: VM, domain: StorageDomain, admin: User, hypervisor: MemoryHypervisor, work: Callable[[], None]
) -> None:
    row = disks.create_in(vm, "root", domain=domain, size=2 * GIB, how={"bootable": True}, by=admin)
    assert fresh(vm).status == Status.IMAGE_LOCKED
    refused("ACTION_TYPE_FAILED_VM_STATUS_ILLEGAL", power.start, vm, by=admin)
    work()
    disk = now(row.disk)
    assert (disk.status, fresh(vm).status) == (DiskStatus.OK, Status.DOWN)
    assert files(hypervisor, domain) == {disk.image.name}
    power.start(fresh(vm), by=admin)
    work()
    there = fresh(vm)
    assert there.status == Status.UP
    assert running(there) == [disk.pk]
    assert not there.pending


def test_a_disk_that_finds_no_room_leaves_no_file_and_tells_why(
    vm: VM, domain: StorageDomain, admin: User, hypervisor: MemoryHypervisor, work: Callable[[], None]
) -> None:
    hypervisor.store.capacity = GIB
    how: dict[str, Any] = {"format": DiskFormat.RAW, "sparse": False}
    row = disks.create_in(vm, "big", domain=domain, size=2 * GIB, by=admin, **how)
    work()
    disk = now(row.disk)
    assert (disk.status, disk.failure["code"], disk.image) == (DiskStatus.ILLEGAL, "STORAGE_FULL", None)
    assert fresh(vm).status == Status.IMAGE_ILLEGAL
    assert files(hypervisor, domain) == set()
    assert not Image.objects.exists()
    disks.remove(disk, by=admin)
    assert (Disk.objects.count(), fresh(vm).status) == (0, Status.DOWN)


def test_what_would_not_fit_in_any_case_is_refused_at_once(domain: StorageDomain, admin: User) -> None:
    code = "ACTION_TYPE_FAILED_DISK_SPACE_LOW_ON_STORAGE_DOMAIN"
    wish: dict[str, Any] = {"domain": domain, "size": 2048 * GIB, "format": DiskFormat.RAW, "sparse": False}
    assert refused(code, disks.create, "big", by=admin, **wish).field == "disk_size"
    assert (Disk.objects.count(), Job.objects.filter(verb="create_disk").count()) == (0, 0)


def test_little_room_is_told_once_and_what_is_spared_is_for_nothing_new(
    vm: VM, domain: StorageDomain, admin: User, hypervisor: MemoryHypervisor, work: Callable[[], None]
) -> None:
    storage.edit(domain, low_space=20, spared=100, by=admin)
    disks.create_in(vm, "thin", domain=domain, size=GIB, by=admin)
    work()
    low = AuditEvent.objects.filter(code="IRS_DISK_SPACE_LOW_DATA")
    for free, times in ((300, 0), (204, 1), (99, 1), (300, 1), (199, 2)):
        storage.looked_at([(now(domain), Room(capacity=1024 * GIB, available=free * GIB))])
        assert low.count() == times, free
    plain: dict[str, Any] = {"domain": now(domain), "size": 100 * GIB, "format": DiskFormat.RAW, "sparse": False}
    code = "ACTION_TYPE_FAILED_DISK_SPACE_LOW_ON_STORAGE_DOMAIN"
    assert refused(code, disks.create, "big", by=admin, **plain).params["spared"] == 100 * 1024
    storage.looked_at([(now(domain), Room(capacity=1024 * GIB, available=99 * GIB))])
    for act in (
        lambda: disks.create("thin", domain=now(domain), size=GIB, by=admin),
        lambda: snapshots.take(fresh(vm), "no", by=admin),
        lambda: disks.copy(Disk.objects.get(), "copy", by=admin),
    ):
        refused(code, act)
    for wrong in ({"low_space": 101}, {"spared": -1}):
        assert refused("ILLEGAL_VALUE", storage.edit, domain, by=admin, **wrong).field in wrong


def test_storage_that_has_gone_rests_and_is_back_by_itself(
    vm: VM, domain: StorageDomain, admin: User, host: Host, hypervisor: MemoryHypervisor, work: Callable[[], None]
) -> None:
    disk = disks.create_in(vm, "root", domain=domain, size=GIB, by=admin).disk
    work()
    events = AuditEvent.objects.filter(code="SYSTEM_DEACTIVATED_STORAGE_DOMAIN")
    gone = Refusal("HYPERVISOR_REFUSED", None, message="cannot open path '/srv/disks': No such file or directory")
    for _again in range(2):
        storage.looked_at([(now(domain), gone)])
    assert (now(domain).status, events.count()) == (StorageStatus.INACTIVE, 1)
    refused("ACTION_TYPE_FAILED_STORAGE_DOMAIN_STATUS_ILLEGAL", disks.copy, now(disk), "copy", by=admin)
    assert storage.to_look_at(host) == [domain]
    storage.looked_at([(domain, Room(capacity=GIB, available=GIB))])
    assert (now(domain).status, now(domain).reason) == (StorageStatus.ACTIVE, {})
    assert not emptied(hypervisor.store, storage.sample(domain))
    hypervisor.store.delete(domain.storage, now(disk).image.name)
    assert emptied(hypervisor.store, storage.sample(domain)), "nothing is mounted where it was"
    storage.deactivate(now(domain), by=admin)
    assert storage.to_look_at(host) == []
    storage.looked_at([(domain, Room(capacity=GIB, available=GIB))])
    assert now(domain).status == StorageStatus.MAINTENANCE, "an administrator wants it so"


def test_a_disk_comes_to_and_goes_from_a_running_machine(
    vm: VM, domain: StorageDomain, admin: User, hypervisor: MemoryHypervisor, work: Callable[[], None]
) -> None:
    power.start(vm, by=admin)
    work()
    row = disks.create_in(fresh(vm), "data", domain=domain, size=GIB, by=admin)
    assert not running(fresh(vm))
    work()

    def seen() -> list[Any]:
        seen = hypervisor.observe(vm.pk)
        assert seen is not None
        assert seen.run is not None
        return [one.id for one in seen.run.spec.disks]

    assert seen() == [row.disk_id]
    refused("ACTION_TYPE_FAILED_STILL_IN_USE", disks.remove, row.disk, by=admin)
    disks.edit_attachment(row, active=False, by=admin)
    work()
    assert (seen(), now(row).active) == ([], False)
    disks.edit_attachment(now(row), active=True, by=admin)
    work()
    assert seen() == [row.disk_id]
    disks.detach(now(row), by=admin)
    work()
    assert seen() == []
    assert not DiskAttachment.objects.exists()
    assert now(row.disk).status == DiskStatus.OK


def test_a_disk_that_a_guest_does_not_let_go_stays_with_it(
    vm: VM, domain: StorageDomain, admin: User, host: Host, work: Callable[[], None]
) -> None:
    row = disks.create_in(vm, "data", domain=domain, size=GIB, by=admin)
    work()
    power.start(fresh(vm), by=admin)
    work()
    disks.detach(now(row), by=admin)
    job = jobs.claim("engine", [host.pk])
    assert job is not None
    jobs.fail(job, Refusal("DISK_NOT_RELEASED"))
    assert now(row).active
    assert running(fresh(vm)) == [row.disk_id]


def test_a_sata_disk_waits_for_the_next_start(
    vm: VM, domain: StorageDomain, admin: User, work: Callable[[], None]
) -> None:
    power.start(vm, by=admin)
    work()
    row = disks.create_in(fresh(vm), "data", domain=domain, size=GIB, how={"interface": Interface.SATA}, by=admin)
    work()
    assert (fresh(vm).pending_changes, running(fresh(vm))) == (("disks",), [])
    power.stop(fresh(vm), by=admin)
    work()
    power.start(fresh(vm), by=admin)
    work()
    assert not fresh(vm).pending
    refused("HOT_PLUG_IS_NOT_SUPPORTED", disks.detach, now(row), by=admin)


def test_a_disk_belongs_to_one_machine_unless_it_is_shared(
    vm: VM, headless_vm: VM, domain: StorageDomain, admin: User, work: Callable[[], None]
) -> None:
    row = disks.create_in(vm, "own", domain=domain, size=GIB, by=admin)
    shared = disks.create("all", domain=domain, size=GIB, format=DiskFormat.RAW, shareable=True, by=admin)
    work()
    code = "ACTION_TYPE_FAILED_DISK_ALREADY_ATTACHED"
    for machine in (vm, headless_vm):
        refused(code, disks.attach, machine, row.disk, by=admin)
        disks.attach(machine, shared, by=admin)
        refused(code, disks.attach, machine, shared, by=admin)
    assert DiskAttachment.objects.count() == 3


def test_a_machine_starts_from_one_disk_alone(vm: VM, domain: StorageDomain, admin: User) -> None:
    disks.create_in(vm, "one", domain=domain, size=GIB, how={"bootable": True}, by=admin)
    other = disks.create_in(vm, "two", domain=domain, size=GIB, by=admin)
    code = "ACTION_TYPE_FAILED_VM_ALREADY_HAS_BOOTABLE_DISK"
    refused(code, disks.edit_attachment, other, bootable=True, by=admin)
    wish: dict[str, Any] = {"domain": domain, "size": GIB, "how": {"bootable": True}}
    refused(code, disks.create_in, vm, "three", by=admin, **wish)
    assert Disk.objects.count() == 2


def test_a_disk_grows_and_never_shrinks(domain: StorageDomain, admin: User, work: Callable[[], None]) -> None:
    disk = disks.create("data", domain=domain, size=GIB, by=admin)
    work()
    refused("ACTION_TYPE_FAILED_CANNOT_REDUCE_DISK_SIZE", disks.edit, disk, size=GIB // 2, by=admin)
    disks.edit(disk, size=3 * GIB, by=admin)
    assert now(disk).size == GIB
    work()
    assert (now(disk).size, now(disk).image.size, now(disk).status) == (3 * GIB, 3 * GIB, DiskStatus.OK)


def test_what_no_disk_can_be_is_refused_by_its_field(domain: StorageDomain, admin: User) -> None:
    good: dict[str, Any] = {"name": "disk", "domain": domain, "size": GIB}
    bad: tuple[tuple[str, dict[str, Any]], ...] = (
        ("name", {"name": "a\nb"}),
        ("name", {"name": "\ud800"}),
        ("name", {"name": ""}),
        ("disk_size", {"size": 0}),
        ("disk_size", {"size": GIB + 1}),
        ("disk_size", {"size": -MIB}),
        ("format", {"format": "vmdk"}),
        ("format", {"shareable": True}),
        ("sparse", {"sparse": False}),
        ("content", {"content": "floppy"}),
    )
    for field, wrong in bad:
        no = refused("ILLEGAL_VALUE", disks.create, by=admin, **{**good, **wrong})
        assert no.field == field, wrong
    assert not Disk.objects.exists()


def test_a_copy_has_its_own_image_and_locks_what_it_is_made_of(
    vm: VM, domain: StorageDomain, admin: User, hypervisor: MemoryHypervisor, work: Callable[[], None]
) -> None:
    row = disks.create_in(vm, "root", domain=domain, size=GIB, by=admin)
    work()
    hypervisor.store.contents[now(row.disk).image.name] = b"hello"
    made = disks.copy(row.disk, "copy", by=admin)
    assert {now(row.disk).status, now(made).status} == {DiskStatus.LOCKED}
    refused("ACTION_TYPE_FAILED_VM_STATUS_ILLEGAL", power.start, fresh(vm), by=admin)
    work()
    assert {now(row.disk).status, now(made).status} == {DiskStatus.OK}
    assert now(made).image.parent is None
    assert hypervisor.store.contents[now(made).image.name] == b"hello"


def test_the_disks_of_a_machine_go_with_it(
    vm: VM, domain: StorageDomain, admin: User, hypervisor: MemoryHypervisor, work: Callable[[], None]
) -> None:
    disks.create_in(vm, "root", domain=domain, size=GIB, by=admin)
    kept = disks.create("kept", domain=domain, size=GIB, by=admin)
    work()
    remove.remove(fresh(vm), by=admin)
    work()
    assert list(Disk.objects.all()) == [kept]
    assert files(hypervisor, domain) == {now(kept).image.name}


def test_storage_rests_only_when_no_machine_runs_on_it(
    vm: VM, domain: StorageDomain, admin: User, work: Callable[[], None]
) -> None:
    disks.create_in(vm, "root", domain=domain, size=GIB, by=admin)
    work()
    power.start(fresh(vm), by=admin)
    work()
    refused("ACTION_TYPE_FAILED_STILL_IN_USE", storage.deactivate, domain, by=admin)
    power.stop(fresh(vm), by=admin)
    work()
    storage.deactivate(domain, by=admin)
    code = "ACTION_TYPE_FAILED_STORAGE_DOMAIN_STATUS_ILLEGAL"
    refused(code, power.start, fresh(vm), by=admin)
    refused(code, disks.create, "other", domain=domain, size=GIB, by=admin)
    refused("ACTION_TYPE_FAILED_STILL_IN_USE", storage.remove, now(domain), by=admin)
    storage.activate(now(domain), by=admin)
    work()
    assert now(domain).status == StorageStatus.ACTIVE


def test_only_who_may_gives_disks(
    vm: VM, domain: StorageDomain, admin: User, alice: User, bob: User, carol: User, work: Callable[[], None]
) -> None:
    code = "USER_NOT_AUTHORIZED_TO_PERFORM_ACTION"
    for who in (alice, bob, carol):
        refused(code, disks.create, "mine", domain=domain, size=GIB, by=who)
    row = disks.create_in(vm, "root", domain=domain, size=GIB, by=admin)
    work()
    for who in (bob, carol):
        refused(code, disks.detach, row, by=who)
        refused(code, disks.edit, row.disk, size=2 * GIB, by=who)
        refused(code, disks.remove, row.disk, by=who)
    disks.edit(row.disk, size=2 * GIB, by=alice)
    assert set(Disk.objects.visible_to(alice)) == set(Disk.objects.visible_to(bob)) == {row.disk}
    assert not Disk.objects.visible_to(carol).exists()
