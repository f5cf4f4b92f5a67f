"""What follows for disks and storage when a job of theirs has ended, well or not; in that job's own transaction."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from vms.domain.disks import Room
from vms.domain.errors import Refusal
from vms.domain.lifecycle import Verb
from vms.models import VM, Disk, DiskAttachment, DiskStatus, Image, Job

from . import prestarting, snapshotted, stateless, storage, templates, transfers, uploads
from ._audit import record
from ._authorise import ENGINE
from ._disks import replugged, sync_disks
from ._jobs import (
    CLOSE_STORAGE,
    COMMIT_SNAPSHOT,
    COPY_DISK,
    CREATE_DISK,
    DROP_IMAGE,
    DROP_LAYERS,
    EXPORT_DISK,
    IMPORT_DISK,
    OPEN_STORAGE,
    PLUG,
    PREPARE_OFFLINE,
    PREVIEW_SNAPSHOT,
    REMOVE_DISK,
    REMOVE_SNAPSHOT,
    RESIZE_DISK,
    TAKE_SNAPSHOT,
    UNDO_SNAPSHOT,
    enqueue_on,
)
from ._usable import let_go, set_status


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a job on storage tells: the room that is left there, and the bytes that images take, by their disk."""

    room: Room | None = None
    used: dict[str, int] = field(default_factory=dict)


NOTHING: Final = Told()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What follows when a job of a verb was done, and when it came to nothing."""

    done: Callable[[Job, Told], None]
    failed: Callable[[Job, Refusal], None]


def _disk(job: Job) -> Disk | None:
    return Disk.objects.select_for_update().filter(pk=job.machine).first()


def _made(job: Job, told: Told) -> None:
    """The image is there."""
    disk = _disk(job)
    if disk is None or disk.image is None:
        return
    storage.note_room(disk.domain, told.room)
    source = _locked_source(job, disk.image)
    if job.verb == COPY_DISK:
        disk.image.parent = None
        disk.image.save(update_fields=["parent"])
    record(ENGINE, "USER_ADD_DISK_FINISHED_SUCCESS", disk)
    set_status(disk, DiskStatus.OK, failure=None, used=told.used.get(str(disk.pk), 0))
    _release(source)
    for row in disk.attachments.filter(template__isnull=False, template__disk_state=DiskStatus.OK):
        templates.disks_are_there(row.owner)


def _locked_source(job: Job, image: Image) -> Disk | None:
    """The disk that is locked for as long as it is copied."""
    return image.parent.disk if image.parent and job.params.get("locks") else None


def _not_made(job: Job, refusal: Refusal) -> None:
    """There is no image; the disk stays as something that tells why, to be removed. One that nobody wants any more, and
    no machine has, goes at once."""
    disk = _disk(job)
    if disk is None or disk.image is None:
        return
    source = _locked_source(job, disk.image)
    disk.image.delete()
    disk.image = None
    if refusal.code == "JOB_CANCELLED" and not disk.attachments.exists():
        record(ENGINE, "USER_ADD_DISK_CANCELLED", disk)
        let_go(disk)
    else:
        _fails(disk, "USER_ADD_DISK_FINISHED_FAILURE", refusal, DiskStatus.ILLEGAL)
    _release(source)


def _imported(job: Job, told: Told) -> None:
    uploads.drop(job)
    before = transfers.laid(job.params["transfer"]) if "transfer" in job.params else None
    _made(job, told)
    if before is not None and job.host is not None:
        enqueue_on(before.disk, DROP_IMAGE, by=ENGINE, host=job.host, exclusive=False, image=str(before.pk))


def _not_imported(job: Job, refusal: Refusal) -> None:
    uploads.drop(job)
    if "transfer" in job.params:
        transfers.failed(job.params["transfer"], refusal)
    else:
        _not_made(job, refusal)


def _image_dropped(job: Job, told: Told) -> None:
    """What lay there before something else was laid there is gone."""
    disk = _disk(job)
    if disk is not None:
        storage.note_room(disk.domain, told.room)
        if disk.image is None or str(disk.image.pk) != job.params["image"]:
            disk.images.filter(pk=job.params["image"], children=None).delete()


def _release(source: Disk | None) -> None:
    """What was copied may be used again, once nobody copies it any more."""
    if source is None or source.status != DiskStatus.LOCKED:
        return
    source = Disk.objects.select_for_update().get(pk=source.pk)
    others = Disk.objects.filter(image__parent__disk=source, status=DiskStatus.LOCKED).exclude(pk=source.pk)
    if not others.exists():
        set_status(source, DiskStatus.OK)


def _resized(job: Job, told: Told) -> None:
    disk = _disk(job)
    if disk is None or disk.image is None:
        return
    storage.note_room(disk.domain, told.room)
    disk.image.size = job.params["size"]
    disk.image.save(update_fields=["size"])
    used = told.used.get(str(disk.pk), disk.used)
    set_status(disk, DiskStatus.OK, failure=None, size=job.params["size"], used=used)


def _not_resized(job: Job, refusal: Refusal) -> None:
    if disk := _disk(job):
        _fails(disk, "USER_EXTENDED_DISK_SIZE_FAILURE", refusal, DiskStatus.OK)


def _removed(job: Job, told: Told) -> None:
    if disk := _disk(job):
        storage.note_room(disk.domain, told.room)
        record(ENGINE, "USER_FINISHED_REMOVE_DISK", disk)
        let_go(disk)


def _not_removed(job: Job, refusal: Refusal) -> None:
    """Perhaps a part of it is gone: nobody may start from it, and it may be removed again."""
    if disk := _disk(job):
        _fails(disk, "USER_FINISHED_FAILED_REMOVE_DISK", refusal, DiskStatus.ILLEGAL)


def _fails(disk: Disk, code: str, refusal: Refusal, status: DiskStatus) -> None:
    told = refusal.as_document()
    record(ENGINE, code, disk, severity="error", reason=told["code"], params=told["params"])
    set_status(disk, status, failure=told, image=disk.image)


def _plugged(job: Job, _told: Told) -> None:
    """The guest has let go of the disk that it was to be without."""
    without = job.params.get("without", "")
    vm = VM.objects.select_for_update().filter(pk=job.machine).first()
    row = DiskAttachment.objects.filter(vm=vm, disk=without).first() if without and vm else None
    if vm is None or row is None:
        return
    if job.params.get("detach"):
        record(ENGINE, "USER_DETACH_DISK_FROM_VM", vm, disk=row.disk.name)
        row.delete()
    else:
        row.active = False
        row.save(update_fields=["active"])
    _forget_in_run(vm, without)
    sync_disks(vm)


def _forget_in_run(vm: VM, disk: str) -> None:
    """The record of the run follows what was just done, before the host is looked at again."""
    vm.run = replugged(vm, disk)
    vm.save(update_fields=["running"])


def _after(follow: Callable[[Job], None]) -> Callable[[Job, Told], None]:
    """What follows, after the room that is left has been noted."""

    def done(job: Job, told: Told) -> None:
        row = DiskAttachment.objects.filter(vm=job.machine).select_related("disk__domain").first()
        if row is not None:
            storage.note_room(row.disk.domain, told.room)
        follow(job)

    return done


def _ignore(_job: Job, _what: object) -> None:
    """Nothing follows."""


def _not_started(job: Job, no: Refusal) -> None:
    stateless.not_started(job, no.code)
    prestarting.not_started(job, no)


OUTCOMES: Final[dict[str, Outcome]] = {
    OPEN_STORAGE: Outcome(lambda job, told: storage.opened(job, told.room), storage.not_opened),
    CLOSE_STORAGE: Outcome(_ignore, _ignore),
    CREATE_DISK: Outcome(_made, _not_made),
    COPY_DISK: Outcome(_made, _not_made),
    IMPORT_DISK: Outcome(_imported, _not_imported),
    EXPORT_DISK: Outcome(
        lambda job, _told: transfers.put_aside(job.params["transfer"]),
        lambda job, no: transfers.failed(job.params["transfer"], no),
    ),
    DROP_IMAGE: Outcome(_image_dropped, _ignore),
    RESIZE_DISK: Outcome(_resized, _not_resized),
    REMOVE_DISK: Outcome(_removed, _not_removed),
    TAKE_SNAPSHOT: Outcome(_after(snapshotted.taken), snapshotted.not_taken),
    PREVIEW_SNAPSHOT: Outcome(_after(snapshotted.previewed), snapshotted.not_previewed),
    COMMIT_SNAPSHOT: Outcome(_after(snapshotted.committed), snapshotted.stays),
    UNDO_SNAPSHOT: Outcome(_after(snapshotted.undone), snapshotted.stays),
    DROP_LAYERS: Outcome(_after(stateless.dropped), _ignore),
    Verb.START: Outcome(_ignore, _not_started),
    Verb.RUN_ONCE: Outcome(_ignore, lambda job, no: stateless.not_started(job, no.code)),
    REMOVE_SNAPSHOT: Outcome(_after(snapshotted.removed), snapshotted.stays),
    PLUG: Outcome(_plugged, _ignore),
    PREPARE_OFFLINE: Outcome(_ignore, _ignore),  # what follows, the preparation sees by itself
}
_IDLE: Final = Outcome(_ignore, _ignore)


def works_with_images(job: Job) -> bool:
    """Whether something lies on a storage because of it."""
    return job.verb in OUTCOMES.keys() - {Verb.START, Verb.RUN_ONCE, PLUG, OPEN_STORAGE, CLOSE_STORAGE}


def of(job: Job) -> Outcome:
    """What follows from a job; from most nothing does."""
    return OUTCOMES.get(job.verb, _IDLE)
