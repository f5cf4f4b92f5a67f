"""Runs that leave nothing behind, however they end: no file without a row, and what was there before is there again."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.actions.runs import fresh
from tests.actions.test_copies import full, golden, image_of
from tests.actions.test_disks import domain, files, hypervisor, refused, work
from tests.api.caller import Caller
from vms.actions import create, jobs, power, reports, snapshots
from vms.actions.edit import edit
from vms.domain.changes import Changes
from vms.domain.errors import Refusal
from vms.domain.lifecycle import Status
from vms.domain.runonce import RunOnce
from vms.forms import RunOnceForm
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import VM, Cluster, Host, Image, Job, Snapshot, SnapshotKind, StorageDomain, Template, User

__all__ = ["domain", "full", "golden", "hypervisor", "work"]

pytestmark = [pytest.mark.django_db]
Work = Callable[[], None]


@pytest.fixture
def lying(hypervisor: MemoryHypervisor, domain: StorageDomain) -> Callable[[], int]:
    """How many images there are; files and rows are the same ones."""

    def counted() -> int:
        assert files(hypervisor, domain) == {image.name for image in Image.objects.all()}
        return Image.objects.count()

    return counted


def write(hypervisor: MemoryHypervisor, vm: VM, text: bytes) -> None:
    """Its guest writes to the disk."""
    hypervisor.store.contents[image_of(vm).name] = text


def read(hypervisor: MemoryHypervisor, vm: VM) -> bytes:
    """What its guest finds there: what was written last, wherever that lies."""
    image: Image | None = image_of(vm)
    while image is not None:
        if text := hypervisor.store.contents.get(image.name):
            return text
        image = image.parent
    return b""


def once(vm: VM, by: User) -> Job:
    return power.run_once(fresh(vm), lambda _spec, _offer: RunOnce(), fleeting=True, by=by)


def is_as_before(vm: VM, hypervisor: MemoryHypervisor, lying: Callable[[], int]) -> bool:
    assert not Snapshot.objects.exists()
    return (lying(), read(hypervisor, fresh(vm)), fresh(vm).status) == (1, b"kept", Status.DOWN)


def test_what_a_stateless_run_writes_goes_with_it(
    full: VM, admin: User, work: Work, hypervisor: MemoryHypervisor, lying: Callable[[], int]
) -> None:
    write(hypervisor, full, b"kept")
    once(full, admin)
    work()
    vm = fresh(full)
    assert vm.run is not None
    assert ([disk.volume for disk in vm.run.base.disks], vm.pending) == ([image_of(vm).name], False)
    assert (lying(), read(hypervisor, vm)) == (2, b"kept")
    write(hypervisor, vm, b"lost")
    refused("ACTION_TYPE_FAILED_VM_IS_STATELESS", snapshots.take, vm, "now", by=admin)
    power.stop(vm, by=admin)
    work()
    assert is_as_before(full, hypervisor, lying)


def test_a_stateless_run_is_undone_by_the_engine_that_comes_after(
    full: VM, admin: User, work: Work, hypervisor: MemoryHypervisor, lying: Callable[[], int], host: Host
) -> None:
    """Nobody saw it end: the machine is found to be off."""
    write(hypervisor, full, b"kept")
    once(full, admin)
    work()
    write(hypervisor, full, b"lost")
    hypervisor.stop(full.pk)
    seen = hypervisor.observe(full.pk)
    assert seen is not None
    reports.machine_seen(host, seen)
    work()
    assert is_as_before(full, hypervisor, lying)


def test_a_start_that_is_called_off_or_fails_leaves_nothing(
    full: VM,
    admin: User,
    work: Work,
    hypervisor: MemoryHypervisor,
    lying: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(hypervisor, full, b"kept")
    once(full, admin)
    power.stop(fresh(full), by=admin)
    work()
    assert is_as_before(full, hypervisor, lying)
    monkeypatch.setattr(hypervisor.store, "create", _no_room)
    job = once(full, admin)
    work()
    assert (Job.objects.get(pk=job.pk).error or {})["code"] == "STORAGE_FULL"
    assert is_as_before(full, hypervisor, lying)


def _no_room(_volume: object) -> None:
    raise Refusal("STORAGE_FULL", None, host="memory")


def test_a_start_that_was_cut_off_goes_on_with_the_layers_that_are_there(
    full: VM, admin: User, work: Work, hypervisor: MemoryHypervisor, lying: Callable[[], int], host: Host
) -> None:
    write(hypervisor, full, b"kept")
    once(full, admin)
    job = jobs.claim("engine that dies", [host.pk])
    assert job is not None
    hypervisor.store.create(image_of(full).volume)
    jobs.reclaim("another engine")
    work()
    assert (fresh(full).status, lying()) == (Status.UP, 2)
    power.stop(fresh(full), by=admin)
    work()
    assert is_as_before(full, hypervisor, lying)


def test_a_stateless_machine_begins_anew_with_every_run(
    full: VM, admin: User, work: Work, hypervisor: MemoryHypervisor, lying: Callable[[], int]
) -> None:
    write(hypervisor, full, b"kept")
    edit(fresh(full), Changes(attributes={"stateless": True}), by=admin)
    for _again in range(2):
        power.start(fresh(full), by=admin)
        work()
        assert read(hypervisor, fresh(full)) == b"kept"
        write(hypervisor, full, b"lost")
        power.stop(fresh(full), by=admin)
        work()
        assert is_as_before(full, hypervisor, lying)


def test_three_machines_of_a_pool_revert(
    golden: Template, cluster: Cluster, admin: User, work: Work, hypervisor: MemoryHypervisor, lying: Callable[[], int]
) -> None:
    pool = create.pool("desk", cluster=cluster, template=golden, size=3, by=admin)
    work()
    before = lying()
    for member in pool.vms.all():
        power.start(member, by=admin)
    work()
    assert lying() == before + 3
    for member in pool.vms.all():
        write(hypervisor, member, b"lost")
        power.stop(member, by=admin)
    work()
    assert lying() == before
    assert {read(hypervisor, member) for member in pool.vms.all()} == {b""}


def test_programs_and_people_may_ask_for_a_stateless_run(full: VM, admin: User, work: Work) -> None:
    form = RunOnceForm(vm=fresh(full))
    assert "stateless" not in form.locked
    started = Caller(admin).post(f"/vms/{full.pk}/start", "action", {"vm": {"stateless": True}})
    assert (started.status, Snapshot.objects.get().kind) == (200, SnapshotKind.STATELESS)
    told: Any = Caller(admin).get(f"/vms/{full.pk}/snapshots").tree
    assert "stateless" in str(told)
