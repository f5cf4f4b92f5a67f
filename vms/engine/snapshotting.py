"""What jobs on snapshots do with images, of machines that are down and of those that run."""

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from vms.actions import snapshotted
from vms.actions._disks import value
from vms.actions._jobs import (
    COMMIT_SNAPSHOT,
    DROP_LAYERS,
    PREVIEW_SNAPSHOT,
    REMOVE_SNAPSHOT,
    TAKE_SNAPSHOT,
    UNDO_SNAPSHOT,
)
from vms.actions.outcomes import NOTHING, Told
from vms.actions.snapshotted import images_of, written_into
from vms.domain.disks import Disk
from vms.domain.errors import Refusal
from vms.domain.lifecycle import NOT_RUNNING
from vms.domain.runonce import Run
from vms.hypervisors.base import Hypervisor
from vms.models import VM, DiskAttachment, Image, Job, Snapshot

from .progress import progress_of

Call = Callable[[Hypervisor, Job], Told]


def _take(hypervisor: Hypervisor, job: Job) -> Told:
    layers = images_of(job)
    make_layers(hypervisor, layers)
    vm = VM.objects.filter(pk=job.machine).first()
    if job.params["live"] and vm is not None and vm.run is not None:
        try:
            hypervisor.write_elsewhere(written_into(vm.run, layers))
        except Refusal as refusal:
            # One that has ended meanwhile has written nothing into them, or all that it wrote last: they stay.
            if refusal.code == "HOST_NOT_RESPONDING" or _run_of(hypervisor, job) is not None:
                _gone(hypervisor, layers, refusal)
                raise
    return _told(hypervisor, layers)


def _preview(hypervisor: Hypervisor, job: Job) -> Told:
    layers = images_of(job)
    make_layers(hypervisor, layers)
    return _told(hypervisor, layers)


def make_layers(hypervisor: Hypervisor, layers: list[Image]) -> None:
    """Make all of the images or, where one cannot be, none."""
    try:
        for image in layers:
            hypervisor.store.create(image.volume)
    except Refusal as refusal:
        _gone(hypervisor, layers, refusal)
        raise


def _drop(hypervisor: Hypervisor, job: Job) -> Told:
    images = images_of(job)
    for image in images:
        hypervisor.store.delete(image.disk.domain.storage, image.name)
    return _told(hypervisor, images)


def _merge(hypervisor: Hypervisor, job: Job) -> Told:
    """Let what lies over a snapshot's images begin as what lies under them, and remove these."""
    snapshot = Snapshot.objects.filter(pk=job.params["snapshot"]).first()
    frozen = list(snapshot.images.select_related("disk__domain", "parent__disk__domain")) if snapshot else []
    run = _run_of(hypervisor, job)
    for image in frozen:
        _merge_one(hypervisor, job, image, run)
    return _told(hypervisor, frozen)


def _merge_one(hypervisor: Hypervisor, job: Job, image: Image, run: Run | None) -> None:
    """Whatever an engine that died over it has done is found out by what lies there, not by what rows say.

    What the machine writes to takes what it needs from the image; of an earlier one the image takes it, for that is
    what libvirt can do while a machine runs.
    """
    store, storage = hypervisor.store, image.disk.domain.storage
    there, child = store.names(storage), _over(image)
    if child is None:
        store.delete(storage, image.name)
        snapshotted.dropped(image)
        return
    above, live = _over(child), run is not None and any(disk.id == image.disk_id for disk in run.spec.disks)
    if above is not None and (child.name not in there or store.begins_as(above.volume) == image.name):
        _pushed(hypervisor, image, child)
        return
    if image.name in there:
        if above is not None and live:
            snapshotted.loses_itself(job)
            hypervisor.push(job.machine, _value(job, image), child.volume, image.volume, progress_of(job))
            _pushed(hypervisor, image, child)
            return
        if live:
            base = image.parent.volume if image.parent else None
            hypervisor.pull(job.machine, _value(job, image), base, progress_of(job))
        else:
            store.rebase(replace(child.volume, backing=image.volume.backing), progress_of(job))
    snapshotted.loses_itself(job)
    store.delete(storage, image.name)
    snapshotted.merged_up(image, child)


def _pushed(hypervisor: Hypervisor, image: Image, child: Image) -> None:
    hypervisor.store.delete(child.disk.domain.storage, child.name)
    snapshotted.merged_down(image, child)


def _over(image: Image) -> Image | None:
    """The image of the same disk that begins as this one."""
    return image.children.filter(disk=image.disk).select_related("disk__domain", "parent__disk__domain").first()


def _value(job: Job, image: Image) -> Disk:
    rows = DiskAttachment.objects.select_related("disk__image", "disk__domain")
    return value(rows.get(vm=job.machine, disk=image.disk))


def _run_of(hypervisor: Hypervisor, job: Job) -> Run | None:
    """What the job's machine runs with at this moment, by its host."""
    seen = hypervisor.observe(job.machine)
    return seen.run if seen is not None and seen.status not in NOT_RUNNING else None


def _gone(hypervisor: Hypervisor, images: Iterable[Image], refusal: Refusal) -> None:
    """What was begun is gone when the host says no; when it does not answer, the job is begun again."""
    if refusal.code != "HOST_NOT_RESPONDING":
        for image in images:
            with contextlib.suppress(Refusal):
                hypervisor.store.delete(image.disk.domain.storage, image.name)


def _told(hypervisor: Hypervisor, images: list[Image]) -> Told:
    return Told(room=hypervisor.store.open(images[0].disk.domain.storage)) if images else NOTHING


SNAPSHOTTING: Final[dict[str, Call]] = {
    TAKE_SNAPSHOT: _take,
    PREVIEW_SNAPSHOT: _preview,
    COMMIT_SNAPSHOT: _drop,
    UNDO_SNAPSHOT: _drop,
    DROP_LAYERS: _drop,
    REMOVE_SNAPSHOT: _merge,
}
