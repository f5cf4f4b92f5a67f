"""Snapshots: taken of machines that run or are down, gone back to, kept or not, removed, and nothing left behind."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from tests.actions.runs import fresh, tell
from tests.actions.test_disks import domain, files, hypervisor, now, refused, work
from tests.factories import headless
from vms.actions import disks, edit, jobs, power, snapshots
from vms.actions.remove import remove
from vms.domain.changes import Changes
from vms.domain.console import VNC, Console, Offer, Video
from vms.domain.disks import GIB
from vms.domain.errors import Refusal
from vms.domain.lifecycle import Status
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import VM, Disk, DiskStatus, Host, Image, Snapshot, SnapshotStatus, StorageDomain, User

__all__ = ["domain", "hypervisor", "work"]

Work = Callable[[], None]


def graphical(console: Console, _offer: Offer) -> Console:
    return console.with_display(VNC, Video.VGA)


@pytest.fixture
def disk(vm: VM, domain: StorageDomain, admin: User, work: Work) -> Disk:
    """The disk of `vm`, which is down."""
    row = disks.create_in(vm, "root", domain=domain, size=GIB, how={"bootable": True}, by=admin)
    work()
    there: Disk = now(row.disk)
    return there


def taken(vm: VM, words: str, by: User, work: Work) -> Snapshot:
    made = snapshots.take(fresh(vm), words, by=by)
    work()
    there: Snapshot = now(made)
    assert there.status == SnapshotStatus.OK
    return there


def chain(disk: Disk) -> list[Image]:
    """The images that a disk rests on, the one that is written to first."""
    found, image = [], now(disk).image
    while image is not None:
        found.append(image)
        image = image.parent
    return found


def test_a_snapshot_freezes_what_is_and_the_machine_writes_over_it(
    vm: VM, disk: Disk, admin: User, hypervisor: MemoryHypervisor, domain: StorageDomain, work: Work
) -> None:
    first = chain(disk)[0]
    made = snapshots.take(fresh(vm), "before the update", by=admin)
    assert fresh(vm).status == Status.IMAGE_LOCKED
    refused("ACTION_TYPE_FAILED_VM_STATUS_ILLEGAL", power.start, fresh(vm), by=admin)
    work()
    over, under = chain(disk)
    assert (under, now(under).snapshot, now(over).snapshot) == (first, made, None)
    assert files(hypervisor, domain) == {over.name, under.name}
    assert (fresh(vm).status, fresh(vm).spec.disks[0].volume) == (Status.DOWN, over.name)
    refused("ACTION_TYPE_FAILED_DISK_HAS_SNAPSHOTS", disks.remove, disk, by=admin)
    refused("ACTION_TYPE_FAILED_DISK_HAS_SNAPSHOTS", disks.detach, disk.attachments.get(), by=admin)


def test_a_running_machine_goes_over_to_the_new_images(
    vm: VM, disk: Disk, admin: User, hypervisor: MemoryHypervisor, work: Work
) -> None:
    power.start(fresh(vm), by=admin)
    work()
    taken(vm, "live", admin, work)
    seen = hypervisor.observe(vm.pk)
    assert seen is not None
    assert seen.run is not None
    assert [one.volume for one in seen.run.spec.disks] == [chain(disk)[0].name]
    assert (fresh(vm).status, fresh(vm).pending) == (Status.UP, False)


def test_a_snapshot_taken_headless_restores_headless_and_the_reverse(
    vm: VM, disk: Disk, admin: User, work: Work
) -> None:
    edit.edit(fresh(vm), Changes(console=headless), by=admin)
    bare = taken(vm, "headless", admin, work)
    edit.edit(fresh(vm), Changes(console=graphical, machine={"memory": 2048}), by=admin)
    screen = taken(vm, "with a screen", admin, work)
    snapshots.preview(bare, by=admin)
    work()
    assert (fresh(vm).console.headless, fresh(vm).memory, fresh(vm).devices.filter(kind="video").count()) == (
        True,
        1024,
        0,
    )
    snapshots.undo(fresh(vm), by=admin)
    work()
    assert (fresh(vm).console.headless, fresh(vm).memory) == (False, 2048)
    edit.edit(fresh(vm), Changes(console=headless), by=admin)
    snapshots.preview(screen, commit=True, by=admin)
    work()
    assert (fresh(vm).console.graphics, fresh(vm).memory) == (VNC, 2048)


def test_a_preview_is_undone_without_a_trace(
    vm: VM, disk: Disk, admin: User, hypervisor: MemoryHypervisor, domain: StorageDomain, work: Work
) -> None:
    snapshot = taken(vm, "one", admin, work)
    images, there = chain(disk), files(hypervisor, domain)
    late = disks.create_in(fresh(vm), "late", domain=domain, size=GIB, by=admin)
    work()
    snapshots.preview(snapshot, by=admin)
    work()
    assert now(snapshot).status == SnapshotStatus.IN_PREVIEW
    assert chain(disk)[1:] == images[1:]
    assert [row.disk for row in fresh(vm).disk_attachments.all()] == [disk]
    power.start(fresh(vm), by=admin)
    work()
    refused("ACTION_TYPE_FAILED_VM_STATUS_ILLEGAL", snapshots.undo, fresh(vm), by=admin)
    power.stop(fresh(vm), by=admin)
    work()
    for act in (lambda: snapshots.take(fresh(vm), "no", by=admin), lambda: snapshots.preview(now(snapshot), by=admin)):
        refused("ACTION_TYPE_FAILED_VM_IN_PREVIEW", act)
    snapshots.undo(fresh(vm), by=admin)
    work()
    assert chain(disk) == images
    assert files(hypervisor, domain) == {*there, now(late.disk).image.name}
    assert {row.disk for row in fresh(vm).disk_attachments.all()} == {disk, late.disk}
    assert list(Snapshot.objects.all()) == [snapshot]


def test_what_came_after_a_snapshot_is_gone_when_that_is_committed(
    vm: VM, disk: Disk, admin: User, hypervisor: MemoryHypervisor, domain: StorageDomain, work: Work
) -> None:
    first, _second = taken(vm, "one", admin, work), taken(vm, "two", admin, work)
    snapshots.preview(first, by=admin)
    work()
    snapshots.commit(fresh(vm), by=admin)
    work()
    assert list(Snapshot.objects.all()) == [first]
    assert (
        files(hypervisor, domain)
        == {image.name for image in chain(disk)}
        == {image.name for image in Image.objects.all()}
    )
    assert (len(chain(disk)), now(disk).status, fresh(vm).status) == (2, DiskStatus.OK, Status.DOWN)
    refused("ACTION_TYPE_FAILED_VM_SNAPSHOT_NOT_IN_PREVIEW", snapshots.commit, fresh(vm), by=admin)


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("number", [0, 5, 9])
def test_a_snapshot_is_removed_wherever_it_is_in_a_chain_of_ten(
    vm: VM,
    disk: Disk,
    admin: User,
    hypervisor: MemoryHypervisor,
    domain: StorageDomain,
    work: Work,
    number: int,
    running: bool,
) -> None:
    if running:
        power.start(fresh(vm), by=admin)
        work()
    ten = [taken(vm, f"number {number}", admin, work) for number in range(10)]
    writes = chain(disk)[0]
    snapshots.remove(ten[number], by=admin)
    work()
    assert list(Snapshot.objects.all()) == [one for one in ten if one != ten[number]]
    assert [now(image).snapshot for image in reversed(chain(disk))] == [*Snapshot.objects.all(), None]
    assert chain(disk)[0] == writes
    assert files(hypervisor, domain) == {image.name for image in chain(disk)}
    for over, under in pairwise(chain(disk)):
        assert hypervisor.store.begins_as(over.volume) == under.name
    assert (now(disk).status, fresh(vm).status) == (DiskStatus.OK, Status.UP if running else Status.DOWN)


def test_a_snapshot_that_finds_no_room_leaves_the_machine_as_it_was(
    vm: VM, disk: Disk, admin: User, host: Host, hypervisor: MemoryHypervisor, domain: StorageDomain, work: Work
) -> None:
    before = chain(disk)
    snapshots.take(fresh(vm), "no room", by=admin)
    job = jobs.claim("engine", [host.pk])
    assert job is not None
    jobs.fail(job, Refusal("STORAGE_FULL", None, host="local"))
    assert (chain(disk), Image.objects.count(), Snapshot.objects.count()) == (before, 1, 0)
    assert (now(disk).status, fresh(vm).status) == (DiskStatus.OK, Status.DOWN)


def test_a_machine_that_is_migrating_takes_no_snapshot(vm: VM, disk: Disk, admin: User, host: Host) -> None:
    tell(vm, host, Status.MIGRATING_FROM)
    refused("ACTION_TYPE_FAILED_VM_STATUS_ILLEGAL", snapshots.take, fresh(vm), "moving", by=admin)
    assert not Snapshot.objects.exists()


def test_a_machine_goes_with_its_snapshots(
    vm: VM, disk: Disk, admin: User, hypervisor: MemoryHypervisor, domain: StorageDomain, work: Work
) -> None:
    taken(vm, "one", admin, work)
    remove(fresh(vm), by=admin)
    work()
    rows: list[Any] = [model.objects.count() for model in (Disk, Image, Snapshot)]
    assert (rows, files(hypervisor, domain)) == ([0, 0, 0], set())


def test_only_who_may_takes_snapshots(vm: VM, disk: Disk, bob: User, alice: User, admin: User, work: Work) -> None:
    code = "USER_NOT_AUTHORIZED_TO_PERFORM_ACTION"
    refused(code, snapshots.take, fresh(vm), "mine", by=bob)
    mine = taken(vm, "mine", alice, work)
    for act in (snapshots.preview, snapshots.remove):
        refused(code, act, mine, by=bob)


def test_a_machine_without_disks_is_kept_at_once(vm: VM, admin: User, host: Host) -> None:
    made = snapshots.take(vm, "bare", by=admin)
    assert made.status == SnapshotStatus.OK
    for words in ("", "two\nlines", " "):
        assert refused("ILLEGAL_VALUE", snapshots.take, fresh(vm), words, by=admin).field == "description"
