"""Machines as they were: snapshots taken, gone back to for a look or for good, and removed."""

from collections.abc import Iterable
from typing import Any, Final

from vms.domain.disks import DiskFormat
from vms.domain.document import spec_to_document
from vms.domain.errors import Refusal
from vms.domain.lifecycle import Status
from vms.models import (
    VM,
    ActionGroup,
    Disk,
    DiskStatus,
    Host,
    Image,
    Job,
    Snapshot,
    SnapshotKind,
    SnapshotStatus,
    User,
)

from . import storage
from ._action import action, locked
from ._audit import record
from ._authorise import Actor, authorise
from ._disks import HOW, attachments, running
from ._jobs import COMMIT_SNAPSHOT, PREVIEW_SNAPSHOT, REMOVE_SNAPSHOT, TAKE_SNAPSHOT, UNDO_SNAPSHOT, enqueue
from ._storable import require_storable
from ._usable import require_usable, set_status

PARTLY_GONE: Final = "SNAPSHOT_PARTLY_GONE"
_TAKES: Final = frozenset({Status.DOWN, Status.UP, Status.PAUSED})


@action
def take(vm: VM, description: str, *, by: Actor) -> Snapshot:
    """Keep a machine as it is now, configuration and disks; what it has in memory is not kept."""
    vm = _ready(vm, by, TAKE_SNAPSHOT, _TAKES)
    _require_no_preview(vm)
    if vm.snapshots.filter(kind=SnapshotKind.STATELESS).exists():
        raise Refusal("ACTION_TYPE_FAILED_VM_IS_STATELESS", None, name=vm.name)
    made = begin(vm, description, by=by)
    record(by, "USER_CREATE_SNAPSHOT", vm, snapshot=description)
    live = running(vm)
    layers = lay_over(vm, None)
    if not layers:
        _set(made, SnapshotStatus.OK)
        return made
    _enqueue(vm, TAKE_SNAPSHOT, made, by=by, images=keys(layers), live=live)
    return made


@action
def preview(snapshot: Snapshot, *, commit: bool = False, by: Actor) -> Snapshot:
    """Let a machine that is down be as it was, for a look: what it is now is kept until that is committed or undone.

    With `commit` it is committed at once: the machine is as it was for good, and later snapshots are gone.
    """
    vm = _ready(snapshot.vm, by, PREVIEW_SNAPSHOT, frozenset({Status.DOWN}))
    snapshot = _usable(snapshot)
    _require_no_preview(vm)
    require_whole(snapshot)
    snapshot.spec  # noqa: B018  (refused here rather than when the disks are prepared)
    before = begin(vm, snapshot.description, kind=SnapshotKind.BEFORE_PREVIEW, by=by)
    layers = lay_over(vm, snapshot)
    record(by, "USER_TRY_BACK_TO_SNAPSHOT", vm, snapshot=snapshot.description)
    _set(snapshot, SnapshotStatus.LOCKED)
    _enqueue(vm, PREVIEW_SNAPSHOT, snapshot, by=by, images=keys(layers), before=str(before.pk), commit=commit)
    return snapshot


@action
def commit(vm: VM, *, by: Actor) -> Snapshot:
    """Let a machine stay as the snapshot that is previewed; what came after that is gone."""
    vm = _ready(vm, by, COMMIT_SNAPSHOT, frozenset({Status.DOWN}))
    return begin_commit(vm, _previewed(vm, COMMIT_SNAPSHOT), by=by)


@action
def undo(vm: VM, *, by: Actor) -> Snapshot:
    """Let a machine be as it was before the preview; what was written during that is gone."""
    vm = _ready(vm, by, UNDO_SNAPSHOT, frozenset({Status.DOWN}))
    snapshot = _previewed(vm, UNDO_SNAPSHOT)
    images = [row.disk.image for row in attachments(vm) if row.disk.image and not row.disk.shareable]
    lock(image.disk for image in images)
    _set(snapshot, SnapshotStatus.LOCKED)
    _enqueue(vm, UNDO_SNAPSHOT, snapshot, by=by, images=keys(images))
    return snapshot


@action
def remove(snapshot: Snapshot, *, by: Actor) -> Job | None:
    """Forget how a machine was; how it is, and its other snapshots, stay, whether it runs or not."""
    vm = _ready(snapshot.vm, by, REMOVE_SNAPSHOT, _TAKES)
    snapshot = _usable(snapshot)
    _require_no_preview(vm)
    frozen = list(snapshot.images.select_related("disk"))
    for image in frozen:
        # What is copied, and what begins as it: neither may lose it, nor have the next image in its place.
        others = image.children.exclude(disk=image.disk) | Image.objects.filter(parent__parent=image).exclude(
            disk=image.disk
        )
        if others.exists():
            raise Refusal("ACTION_TYPE_FAILED_STILL_IN_USE", None, name=str(snapshot), users=others[0].disk.name)
    record(by, "USER_REMOVE_SNAPSHOT", vm, snapshot=snapshot.description)
    if not frozen:
        snapshot.delete()
        return None
    lock(image.disk for image in frozen)
    _set(snapshot, SnapshotStatus.LOCKED)
    return _enqueue(vm, REMOVE_SNAPSHOT, snapshot, by=by)


# -- for other actions


def partly_gone(snapshot: Snapshot) -> bool:
    """Whether its removal was begun and came to nothing, so that it is not whole any more."""
    return (snapshot.failure or {}).get("code") == PARTLY_GONE


def require_whole(snapshot: Snapshot) -> None:
    """Refuse to let a machine be as in a snapshot that is not whole."""
    if partly_gone(snapshot):
        raise Refusal(PARTLY_GONE)


def begin(vm: VM, description: str, *, kind: SnapshotKind = SnapshotKind.REGULAR, by: Actor) -> Snapshot:
    """A new row for a locked machine as it is configured now."""
    rows = [{"disk": str(row.disk_id), **{name: getattr(row, name) for name in HOW}} for row in attachments(vm)]
    made = Snapshot(
        vm=vm,
        description=description,
        kind=kind,
        document={"spec": spec_to_document(vm.spec), "attachments": rows},
        created_by=by if isinstance(by, User) else None,
    )
    if not description.strip() or not description.isprintable():
        allowed = "one line of printable text"
        raise Refusal("ILLEGAL_VALUE", "description", value=ascii(description[:40]), allowed=allowed)
    require_storable(made)
    made.save(force_insert=True)
    return made


def lay_over(vm: VM, snapshot: Snapshot | None) -> list[Image]:
    """New images over those that the machine's disks are at, or over those that a snapshot froze; their disks are
    locked until these have been made."""
    below = [row.disk.image for row in attachments(vm) if not row.disk.shareable]
    if snapshot is not None:
        below = list(snapshot.images.select_related("disk__domain", "disk__image"))
    layers = []
    for image in below:
        if image is None:
            raise Refusal("ACTION_TYPE_FAILED_DISK_ILLEGAL", None, name=vm.name)
        disk = locked(image.disk)
        require_usable(disk)
        storage.require_active(disk.domain)
        storage.require_room(disk.domain, 0)
        if disk.domain.storage.block:
            raise Refusal("ACTION_TYPE_FAILED_NO_SNAPSHOTS_ON_BLOCKS", None, name=disk.name)
        size = disk.size if snapshot is None else image.size
        layers.append(Image.objects.create(disk=disk, parent=image, format=DiskFormat.QCOW2, size=size))
    lock(image.disk for image in layers)
    return layers


def begin_commit(vm: VM, snapshot: Snapshot, *, by: Actor) -> Snapshot:
    """Begin to drop all that came after a snapshot that is previewed."""
    doomed = [image for row in attachments(vm) for image in _beside(row.disk)]
    lock(image.disk for image in doomed)
    _set(snapshot, SnapshotStatus.LOCKED)
    _enqueue(vm, COMMIT_SNAPSHOT, snapshot, by=by, images=keys(doomed))
    return snapshot


def host_of(vm: VM) -> Host | None:
    """Where the machine runs, or who reaches the storage of its disks."""
    if running(vm) and vm.host:
        return vm.host
    row = attachments(vm).first()
    return storage.worker_of(row.disk.domain) if row else vm.cluster.hosts.filter(maintenance=False).first()


def keys(images: Iterable[Image]) -> list[str]:
    """Images as the parameters of jobs name them."""
    return [str(image.pk) for image in images]


def lock(disks: Iterable[Disk]) -> None:
    """Lock each disk, for a job that works on it."""
    for key in {disk.pk for disk in disks}:
        set_status(locked(Disk(pk=key)), DiskStatus.LOCKED)


# -- inside


def _beside(disk: Disk) -> list[Image]:
    """The images of a disk on which that does not rest any more."""
    kept, image = set(), disk.image
    while image is not None:
        kept.add(image.pk)
        image = image.parent
    return list(disk.images.exclude(pk__in=kept).order_by("-created_at"))


def _ready(vm: VM, by: Actor, verb: str, statuses: frozenset[Status]) -> VM:
    vm = locked(vm)
    authorise(by, ActionGroup.MANIPULATE_VM_SNAPSHOTS, vm)
    if Status(vm.status) not in statuses:
        raise Refusal("ACTION_TYPE_FAILED_VM_STATUS_ILLEGAL", None, verb=verb, status=vm.status)
    return vm


def _usable(snapshot: Snapshot) -> Snapshot:
    snapshot = locked(snapshot)
    if snapshot.status == SnapshotStatus.LOCKED or snapshot.kind != SnapshotKind.REGULAR:
        raise Refusal("ACTION_TYPE_FAILED_VM_SNAPSHOT_LOCKED", None)
    return snapshot


def _require_no_preview(vm: VM) -> None:
    if vm.snapshots.filter(kind=SnapshotKind.BEFORE_PREVIEW).exists():
        raise Refusal("ACTION_TYPE_FAILED_VM_IN_PREVIEW", None, name=vm.name)


def _previewed(vm: VM, verb: str) -> Snapshot:
    """The snapshot that is previewed; a way from there that has been begun, and was cut off, is the only one left."""
    found = vm.snapshots.select_for_update(no_key=True).filter(status=SnapshotStatus.IN_PREVIEW).first()
    if found is None:
        raise Refusal("ACTION_TYPE_FAILED_VM_SNAPSHOT_NOT_IN_PREVIEW", None, name=vm.name)
    if found.failure and (begun := found.failure.get("verb", verb)) != verb:
        raise Refusal("SNAPSHOT_HALF_DONE", None, name=vm.name, verb=begun)
    return found


def _enqueue(vm: VM, verb: str, snapshot: Snapshot, *, by: Actor, **params: Any) -> Job:
    return enqueue(vm, verb, by=by, host=host_of(vm), snapshot=str(snapshot.pk), **params)


def _set(snapshot: Snapshot, status: SnapshotStatus) -> None:
    snapshot.status = status
    snapshot.save(update_fields=["status"])
