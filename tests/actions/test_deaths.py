"""Whatever the engine is doing with images when it dies, or when the storage says no: what lies there is what the
database says, nothing stays locked, and what was written is there. Every call of a job is a place to die at."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest

from tests.actions.runs import fresh
from tests.actions.test_disks import domain, files, hypervisor, now, refused, work
from tests.actions.test_stateless import read, write
from tests.factories import machine
from vms.actions import create, disks, jobs, power, snapshots, uploads
from vms.actions.remove import remove
from vms.domain.changes import Changes
from vms.domain.disks import MIB
from vms.domain.errors import Refusal
from vms.domain.lifecycle import Status
from vms.domain.runonce import RunOnce
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import (
    ACTIVE,
    VM,
    Cluster,
    Disk,
    DiskStatus,
    Host,
    Image,
    Job,
    Snapshot,
    SnapshotStatus,
    StorageDomain,
    Template,
    User,
)

__all__ = ["domain", "hypervisor", "work"]

pytestmark = pytest.mark.django_db
Work = Callable[[], None]
Act = Callable[[VM, User, Work], Any]

CHANGES = ("create", "copy", "write", "resize", "rebase", "delete")  # what a store does
LIVE = ("write_elsewhere", "pull", "push", "start")  # what a host does with the images of machines


class Died(BaseException):
    """The engine is gone; unlike an exception, nobody handles it."""


class Fate:
    """Lets the engine die at the call that it is told to, before or after that is done; or the host say no."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, hypervisor: MemoryHypervisor) -> None:
        self.calls, self._at, self._strike = 0, -1, self._die
        for thing, names in ((hypervisor.store, CHANGES), (hypervisor, LIVE)):
            for name in names:
                monkeypatch.setattr(thing, name, self._mortal(getattr(thing, name)))

    def arm(self, at: int, how: str = "before") -> None:
        self.calls, self._at, self._how = 0, at, how

    @property
    def struck(self) -> bool:
        return self.calls > self._at

    def _die(self, before: bool) -> None:
        if self._how == "refused" and before:
            raise Refusal("HYPERVISOR_REFUSED", None, message="Input/output error")
        if self._how == ("before" if before else "after"):
            raise Died

    def _mortal(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def mortal(*args: Any, **how: Any) -> Any:
            here = self.calls == self._at
            self.calls += 1
            if here:
                self._die(True)
            done = call(*args, **how)
            if here:
                self._die(False)
            return done

        return mortal


@pytest.fixture
def fate(monkeypatch: pytest.MonkeyPatch, hypervisor: MemoryHypervisor) -> Fate:
    return Fate(monkeypatch, hypervisor)


# -- what may be being done


def running(vm: VM, by: User, work: Work) -> VM:
    power.start(fresh(vm), by=by)
    work()
    return fresh(vm)


def taken(vm: VM, by: User, work: Work) -> Snapshot:
    made = snapshots.take(fresh(vm), "was", by=by)
    work()
    return made


def two(vm: VM, by: User, work: Work) -> list[Snapshot]:
    return [taken(vm, by, work) for _number in range(2)]


def previewed(vm: VM, by: User, work: Work) -> Snapshot:
    first, _second = taken(vm, by, work), taken(vm, by, work)
    snapshots.preview(first, by=by)
    work()
    return first


def golden(vm: VM, by: User, work: Work) -> Template:
    made = create.template(f"{vm.name}-golden", vm=fresh(vm), by=by)
    work()
    there: Template = now(made)
    return there


def disk_of(vm: VM) -> Disk:
    return vm.disk_attachments.get().disk


def make_thin(template: Template, by: User) -> VM:
    cluster = Cluster.objects.get(name="Default")
    return create.vm(f"{template.name}-thin", cluster=cluster, template=template, changes=Changes(), by=by)


# What is there before, and what is then done; each with a machine that has one disk.
SCENES: dict[str, tuple[Act, Callable[[VM, Any, User], Any]]] = {
    "create a disk": (
        lambda *_all: None,
        lambda vm, _was, by: disks.create("more", domain=disk_of(vm).domain, size=MIB, by=by),
    ),
    "upload": (
        lambda *_all: None,
        lambda vm, _was, by: uploads.bring("image", BytesIO(bytes(MIB)), domain=disk_of(vm).domain, by=by),
    ),
    "copy a disk": (lambda *_all: None, lambda vm, _was, by: disks.copy(disk_of(vm), "copy", by=by)),
    "resize": (lambda *_all: None, lambda vm, _was, by: disks.edit(disk_of(vm), size=64 * MIB, by=by)),
    "make a template": (
        lambda *_all: None,
        lambda vm, _was, by: create.template(f"{vm.name}-t", vm=fresh(vm), by=by),
    ),
    "make a thin machine": (golden, lambda _vm, template, by: make_thin(template, by)),
    "clone": (lambda *_all: None, lambda vm, _was, by: create.clone(fresh(vm), f"{vm.name}-clone", by=by)),
    "take": (taken, lambda vm, _was, by: snapshots.take(fresh(vm), "now", by=by)),
    "take while it runs": (running, lambda vm, _was, by: snapshots.take(fresh(vm), "now", by=by)),
    "preview": (taken, lambda _vm, was, by: snapshots.preview(was, by=by)),
    "restore": (taken, lambda _vm, was, by: snapshots.preview(was, commit=True, by=by)),
    "commit": (previewed, lambda vm, _was, by: snapshots.commit(fresh(vm), by=by)),
    "undo": (previewed, lambda vm, _was, by: snapshots.undo(fresh(vm), by=by)),
    "clone a snapshot": (taken, lambda vm, was, by: create.from_snapshot(was, f"{vm.name}-was", by=by)),
    "remove the first": (two, lambda _vm, was, by: snapshots.remove(was[0], by=by)),
    "remove the last": (two, lambda _vm, was, by: snapshots.remove(was[-1], by=by)),
    "remove the first while it runs": (
        lambda vm, by, work: (running(vm, by, work), two(vm, by, work))[1],
        lambda _vm, was, by: snapshots.remove(was[0], by=by),
    ),
    "remove the last while it runs": (
        lambda vm, by, work: (running(vm, by, work), two(vm, by, work))[1],
        lambda _vm, was, by: snapshots.remove(was[-1], by=by),
    ),
    "run stateless": (
        lambda *_all: None,
        lambda vm, _was, by: power.run_once(fresh(vm), lambda _spec, _offer: RunOnce(), fleeting=True, by=by),
    ),
    "remove the machine": (taken, lambda vm, _was, by: remove(fresh(vm), by=by)),
}


# Before a call is after the last one, but for what some jobs write down between two.
FATES = [
    (scene, how)
    for scene in SCENES
    for how in ("before", "after", "refused")
    if how != "before" or scene.endswith("while it runs")
]


@pytest.mark.parametrize(("scene", "how"), FATES)
def test_what_is_there_is_what_the_database_says(
    scene: str,
    how: str,
    fate: Fate,
    domain: StorageDomain,
    admin: User,
    host: Host,
    hypervisor: MemoryHypervisor,
    work: Work,
) -> None:
    prepare, act = SCENES[scene]
    for at in range(20):
        fate.arm(1000)
        vm = machine(f"vm{at}", by=admin)
        disks.create_in(vm, "root", domain=domain, size=MIB, how={"bootable": True}, by=admin)
        work()
        write(hypervisor, fresh(vm), b"kept")
        was = prepare(vm, admin, work)
        fate.arm(at, how)
        act(vm, was, admin)
        dies(work)
        struck = fate.struck
        fate.arm(1000)
        jobs.reclaim("engine")
        work()
        if how == "refused":
            does_it_again(vm, admin, work)
        agrees(hypervisor, domain)
        if VM.objects.filter(pk=vm.pk).exists():
            assert read(hypervisor, fresh(vm)) == b"kept"
        if not struck:
            assert at > 0, "nothing was struck at all"
            return
    pytest.fail("it never comes to its end")


def dies(work: Work) -> None:
    try:
        work()
    except Died:
        assert Job.objects.filter(state="started").exists()


def does_it_again(vm: VM, by: User, work: Work) -> None:
    """Somebody looks at what failed, and has done again what can be, or has removed what came to nothing."""
    for snapshot in Snapshot.objects.exclude(failure=None):
        begun = (snapshot.failure or {}).get("verb", "")
        if snapshots.partly_gone(snapshot) and fresh(vm).status == Status.DOWN:
            refused("SNAPSHOT_PARTLY_GONE", snapshots.preview, snapshot, by=by)
            refused("SNAPSHOT_PARTLY_GONE", create.from_snapshot, snapshot, "lost", by=by)
        if begun:
            ways = {"commit_snapshot": snapshots.commit, "undo_snapshot": snapshots.undo}
            way = ways.pop(begun)
            refused("SNAPSHOT_HALF_DONE", *ways.values(), fresh(vm), by=by)
            way(fresh(vm), by=by)
        else:
            snapshots.remove(snapshot, by=by)
    for template in Template.objects.filter(disk_state=DiskStatus.ILLEGAL):
        remove(template, by=by)
    for disk in Disk.objects.filter(status=DiskStatus.ILLEGAL):
        disks.remove(disk, by=by)
    work()


def agrees(hypervisor: MemoryHypervisor, domain: StorageDomain) -> None:
    """No file without a row, no row without a file, each begins as its row says; nothing is locked, nothing waits."""
    images = Image.objects.select_related("parent", "disk__domain")
    assert files(hypervisor, domain) == {image.name for image in images}
    for image in images:
        assert hypervisor.store.begins_as(image.volume) == (image.parent and image.parent.name)
    assert not Disk.objects.exclude(status=DiskStatus.OK).exists()
    assert not Snapshot.objects.filter(status=SnapshotStatus.LOCKED).exists()
    assert not Snapshot.objects.exclude(failure=None).exists()
    assert not Job.objects.filter(state__in=ACTIVE).exists()
