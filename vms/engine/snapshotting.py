"""What jobs on snapshots do with images, of machines that are down and of those that run."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

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
from vms.domain.errors import Refusal
from vms.hypervisors.base import Hypervisor
from vms.models import VM, DiskAttachment, Image, Job, Snapshot

Call = Callable[[Hypervisor, Job], Told]


def _take(hypervisor: Hypervisor, job: Job) -> Told:
    layers = images_of(job)
    with _gone_if_refused(hypervisor, layers):
        for image in layers:
            hypervisor.store.create(image.volume)
        vm = VM.objects.filter(pk=job.machine).first()
        if job.params["live"] and vm is not None and vm.run is not None:
            hypervisor.write_elsewhere(written_into(vm.run, layers))
    return _told(hypervisor, layers)


def _preview(hypervisor: Hypervisor, job: Job) -> Told:
    layers = images_of(job)
    make_layers(hypervisor, layers)
    return _told(hypervisor, layers)


def make_layers(hypervisor: Hypervisor, layers: list[Image]) -> None:
    """Make all of the images or, where one cannot be, none."""
    with _gone_if_refused(hypervisor, layers):
        for image in layers:
            hypervisor.store.create(image.volume)


def _drop(hypervisor: Hypervisor, job: Job) -> Told:
    images = images_of(job)
    for image in images:
        hypervisor.store.delete(image.disk.domain.storage, image.name)
    return _told(hypervisor, images)


def _merge(hypervisor: Hypervisor, job: Job) -> Told:
    """Let what lies over a snapshot's images begin as what lies under them, and remove these."""
    snapshot = Snapshot.objects.filter(pk=job.params["snapshot"]).first()
    frozen = list(snapshot.images.select_related("disk__domain", "parent__disk__domain")) if snapshot else []
    for image in frozen:
        storage = image.disk.domain.storage
        if image.name not in hypervisor.store.names(storage):  # it was done before
            continue
        for child in image.children.filter(disk=image.disk).select_related("disk__domain"):
            _pull(hypervisor, job, image, child)
        hypervisor.store.delete(storage, image.name)
    return _told(hypervisor, frozen)


def _pull(hypervisor: Hypervisor, job: Job, image: Image, child: Image) -> None:
    row = DiskAttachment.objects.filter(vm=job.machine, disk=image.disk).select_related("disk__image").first()
    if job.params["live"] and row is not None and row.active:
        hypervisor.pull(job.machine, value(row), image.parent.volume if image.parent else None)
    else:
        hypervisor.store.rebase(replace(child.volume, backing=image.volume.backing))


@contextlib.contextmanager
def _gone_if_refused(hypervisor: Hypervisor, images: Iterable[Image]) -> Iterator[None]:
    """What was begun is gone when the host says no; when it does not answer, the job is begun again."""
    try:
        yield
    except Refusal as refusal:
        if refusal.code != "HOST_NOT_RESPONDING":
            for image in images:
                with contextlib.suppress(Refusal):
                    hypervisor.store.delete(image.disk.domain.storage, image.name)
        raise


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
