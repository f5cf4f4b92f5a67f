"""What follows for a machine when a job on its snapshots has ended, well or not; in that job's own transaction."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from vms.domain.disks import DiskFormat
from vms.domain.errors import Refusal
from vms.domain.runonce import Run
from vms.models import VM, Disk, DiskAttachment, DiskStatus, Image, Job, Snapshot, SnapshotKind, SnapshotStatus

from . import snapshots
from ._action import action
from ._audit import record
from ._authorise import ENGINE
from ._disks import HOW, attachments, sync_disks
from ._usable import set_status

_ABOVE_ALL: Final = 1000  # added to places that are about to be given anew, each of which is used once


def images_of(job: Job) -> list[Image]:
    """The images that a job makes, or removes, the latest first: they begin as the earlier ones."""
    rows = Image.objects.select_related("disk__domain", "disk__image", "parent__disk__domain")
    return list(rows.filter(pk__in=job.params.get("images", ())).order_by("-created_at"))


def written_into(run: Run, images: Iterable[Image]) -> Run:
    """A run whose machine writes into these images."""
    by_disk = {image.disk_id: image for image in images}
    disks = tuple(
        replace(disk, volume=by_disk[disk.id].name, format=DiskFormat(by_disk[disk.id].format))
        if disk.id in by_disk
        else disk
        for disk in run.base.disks
    )
    return replace(run, base=replace(run.base, disks=disks))


def taken(job: Job) -> None:
    """What was is frozen, and the machine writes into what lies over it."""
    vm, snapshot = _at_hand(job)
    if vm is None or snapshot is None:
        return
    layers = images_of(job)
    for image in layers:
        freeze(image, snapshot)
    if vm.run is not None:
        vm.run = written_into(vm.run, layers)
        vm.save(update_fields=["running"])
    _set(snapshot, SnapshotStatus.OK)
    record(ENGINE, "USER_CREATE_SNAPSHOT_FINISHED_SUCCESS", vm, snapshot=snapshot.description)
    unlock(image.disk for image in layers)


def not_taken(job: Job, _refusal: Refusal) -> None:
    """There is no snapshot; the machine is as it was."""
    _vm, snapshot = _at_hand(job)
    if snapshot is not None:
        snapshot.delete()
    _forget(images_of(job))


def previewed(job: Job) -> None:
    """The machine is as it was."""
    vm, snapshot = _at_hand(job)
    before = Snapshot.objects.filter(pk=job.params["before"]).first()
    if vm is None or snapshot is None or before is None:
        return
    layers = images_of(job)
    for image in layers:
        freeze(image, before)
    _set(before, SnapshotStatus.OK)
    _set(snapshot, SnapshotStatus.IN_PREVIEW)
    _shape(vm, snapshot)
    record(ENGINE, "USER_TRY_BACK_TO_SNAPSHOT_FINISH_SUCCESS", vm, snapshot=snapshot.description)
    unlock(image.disk for image in layers)
    if job.params.get("commit"):
        snapshots.begin_commit(VM.objects.get(pk=vm.pk), snapshot, by=ENGINE)


def not_previewed(job: Job, _refusal: Refusal) -> None:
    """Nothing has changed."""
    Snapshot.objects.filter(pk=job.params["before"]).delete()
    _vm, snapshot = _at_hand(job)
    if snapshot is not None:
        _set(snapshot, SnapshotStatus.OK)
    _forget(images_of(job))


def committed(job: Job) -> None:
    """What came after the snapshot is gone."""
    vm, snapshot = _at_hand(job)
    if vm is None or snapshot is None:
        return
    disks = _delete(images_of(job))
    vm.snapshots.filter(created_at__gt=snapshot.created_at).delete()
    _set(snapshot, SnapshotStatus.OK)
    record(ENGINE, "USER_COMMIT_RESTORE_FROM_SNAPSHOT_FINISH_SUCCESS", vm, snapshot=snapshot.description)
    unlock([*disks, *(row.disk for row in attachments(vm))])


def undone(job: Job) -> None:
    """The machine is as before the preview."""
    vm, snapshot = _at_hand(job)
    before = vm.snapshots.filter(kind=SnapshotKind.BEFORE_PREVIEW).first() if vm else None
    if vm is None or snapshot is None or before is None:
        return
    for image in before.images.select_related("disk"):
        image.disk.image, image.disk.size = image, image.size
        image.disk.save(update_fields=["image", "size"])
    disks = _delete(images_of(job))
    _shape(vm, before)
    before.delete()
    _set(snapshot, SnapshotStatus.OK)
    record(ENGINE, "USER_UNDO_RESTORE_FROM_SNAPSHOT_FINISH_SUCCESS", vm, snapshot=snapshot.description)
    unlock(disks)


def removed(job: Job) -> None:
    """What the snapshot froze is part of what came after it."""
    vm, snapshot = _at_hand(job)
    if vm is None or snapshot is None:
        return
    record(ENGINE, "USER_REMOVE_SNAPSHOT_FINISHED_SUCCESS", vm, snapshot=snapshot.description)
    snapshot.delete()
    unlock(row.disk for row in attachments(vm))


@action
def loses_itself(job: Job) -> None:
    """From now on a snapshot that is being removed is not whole any more: it can only be removed."""
    Snapshot.objects.filter(pk=job.params["snapshot"]).update(failure=Refusal(snapshots.PARTLY_GONE).as_document())


@action
def merged_up(image: Image, child: Image) -> None:
    """What began as an image of a snapshot that is being removed has all of it now; the image is gone."""
    child.parent = image.parent
    child.save(update_fields=["parent"])
    image.delete()


@action
def merged_down(image: Image, child: Image) -> None:
    """An image of a snapshot that is being removed has all of the one over it now, and takes its place."""
    child.children.update(parent=image)
    image.snapshot, image.size = child.snapshot, child.size
    image.save(update_fields=["snapshot", "size"])
    child.delete()


@action
def dropped(image: Image) -> None:
    """An image that nothing begins as is gone."""
    image.delete()


def stays(job: Job, refusal: Refusal) -> None:
    """What was to be dropped or merged is there still, or a part of it; what was begun may be begun again."""
    vm, snapshot = _at_hand(job)
    if vm is None or snapshot is None:
        return
    before = vm.snapshots.filter(kind=SnapshotKind.BEFORE_PREVIEW).exists()
    told = refusal.as_document()
    if not snapshots.partly_gone(snapshot):
        # Nobody knows how much of what was to be dropped is gone, so that only the same way is open.
        snapshot.failure = {**told, "verb": job.verb} if before else told
    snapshot.status = SnapshotStatus.IN_PREVIEW if before else SnapshotStatus.OK
    snapshot.save(update_fields=["status", "failure"])
    unlock([*(row.disk for row in attachments(vm)), *(image.disk for image in images_of(job))])


def freeze(layer: Image, snapshot: Snapshot) -> None:
    """What a disk is at now belongs to the snapshot, and the layer is what it is at."""
    disk = Disk.objects.select_for_update().get(pk=layer.disk_id)
    if disk.image is not None:
        Image.objects.filter(pk=disk.image.pk).update(snapshot=snapshot)
    disk.image, disk.size = layer, layer.size
    disk.save(update_fields=["image", "size"])


def unlock(disks: Iterable[Disk]) -> None:
    """Let each disk be used again."""
    for key in {disk.pk for disk in disks}:
        disk = Disk.objects.select_for_update().filter(pk=key).first()
        if disk is not None and disk.status == DiskStatus.LOCKED:
            set_status(disk, DiskStatus.OK)


def _at_hand(job: Job) -> tuple[VM | None, Snapshot | None]:
    vm = VM.objects.select_for_update().filter(pk=job.machine).first()
    return vm, Snapshot.objects.select_for_update().filter(pk=job.params["snapshot"]).first()


def _shape(vm: VM, snapshot: Snapshot) -> None:
    """Configure a locked machine as a snapshot has it, but for its name and hosts; disks that came later leave it."""
    vm.spec = replace(snapshot.spec, name=vm.name, hosts=vm.spec.hosts)
    vm.save(update_fields=VM.SPEC_FIELDS)
    had = {row["disk"]: {name: row[name] for name in HOW} for row in snapshot.document["attachments"]}
    vm.disk_attachments.exclude(disk__in=had).delete()
    for row in vm.disk_attachments.all():
        DiskAttachment.objects.filter(pk=row.pk).update(slot=row.slot + _ABOVE_ALL, bootable=False)
    for disk, how in had.items():
        if Disk.objects.filter(pk=disk).exists():
            DiskAttachment.objects.update_or_create(vm=vm, disk_id=disk, defaults=how)
    sync_disks(vm)


def _forget(layers: list[Image]) -> None:
    disks = [image.disk for image in layers]
    Image.objects.filter(pk__in=[image.pk for image in layers]).delete()
    unlock(disks)


def _delete(images: list[Image]) -> list[Disk]:
    """Forget images, the latest first; the disks that they belonged to."""
    disks = [image.disk for image in images]
    for image in images:
        image.delete()
    return disks


def _set(snapshot: Snapshot, status: SnapshotStatus) -> None:
    snapshot.status, snapshot.failure = status, None
    snapshot.save(update_fields=["status", "failure"])
