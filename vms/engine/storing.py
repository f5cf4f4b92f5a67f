"""What jobs on storage do: each reads the rows that it is about, calls the host's store, and tells what came of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final
from uuid import UUID

from vms.actions._jobs import (
    CLOSE_STORAGE,
    COPY_DISK,
    CREATE_DISK,
    DROP_IMAGE,
    EXPORT_DISK,
    IMPORT_DISK,
    OPEN_STORAGE,
    REMOVE_DISK,
    RESIZE_DISK,
)
from vms.actions.outcomes import NOTHING, Told
from vms.domain.errors import Refusal
from vms.hypervisors.base import Hypervisor, Store
from vms.models import Disk, Image, Job, StorageDomain

from . import carrying
from .progress import progress_of
from .snapshotting import SNAPSHOTTING

Call = Callable[[Hypervisor, Job], Told]


def _open(hypervisor: Hypervisor, job: Job) -> Told:
    domain = StorageDomain.objects.filter(pk=job.machine).first()
    return Told(room=hypervisor.store.open(domain.storage)) if domain else NOTHING


def _close(hypervisor: Hypervisor, job: Job) -> Told:
    domain = StorageDomain.objects.filter(pk=job.machine).first()
    if domain is not None and domain.retired:
        hypervisor.store.close(domain.storage)
    return NOTHING


def _create(hypervisor: Hypervisor, job: Job) -> Told:
    disk, image = _at_hand(job)
    hypervisor.store.create(image.volume)
    return _told(hypervisor.store, disk, image)


def _copy(hypervisor: Hypervisor, job: Job) -> Told:
    disk, image = _at_hand(job)
    if image.parent is not None:  # what it still is a copy of
        whole = replace(image.volume, backing=None, sparse=disk.sparse)
        hypervisor.store.copy(whole, image.parent.volume, progress_of(job))
    return _told(hypervisor.store, disk, image)


def _resize(hypervisor: Hypervisor, job: Job) -> Told:
    disk, image = _at_hand(job)
    machine = UUID(job.params["machine"]) if job.params["machine"] else None
    hypervisor.store.resize(replace(image.volume, size=job.params["size"]), machine)
    return _told(hypervisor.store, disk, image)


def _remove(hypervisor: Hypervisor, job: Job) -> Told:
    disk = Disk.objects.select_related("domain").filter(pk=job.machine).first()
    if disk is None:
        return NOTHING
    for image in disk.images.order_by("-created_at"):  # the later ones begin as the earlier ones
        hypervisor.store.delete(disk.domain.storage, image.name)
    return Told(room=hypervisor.store.open(disk.domain.storage))


def _import(hypervisor: Hypervisor, job: Job) -> Told:
    disk, image = _at_hand(job)
    image = disk.images.filter(transfer=job.params["transfer"]).get() if "transfer" in job.params else image
    carrying.bring(hypervisor.store, job, image)
    return _told(hypervisor.store, disk, image)


def _export(hypervisor: Hypervisor, job: Job) -> Told:
    carrying.fetch(hypervisor.store, job)
    return NOTHING


def _drop_image(hypervisor: Hypervisor, job: Job) -> Told:
    disk, image = _at_hand(job)
    former = disk.images.filter(pk=job.params["image"], children=None).exclude(pk=image.pk).first()
    if former is not None:
        hypervisor.store.delete(disk.domain.storage, former.name)
    return Told(room=hypervisor.store.open(disk.domain.storage))


def _at_hand(job: Job) -> tuple[Disk, Image]:
    disk = Disk.objects.select_related("domain", "image__disk__domain", "image__parent__disk__domain")
    found = disk.filter(pk=job.machine).first()
    if found is None or found.image is None:
        raise Refusal("IMAGE_MISSING", None, image=job.machine_name)
    return found, found.image


def _told(store: Store, disk: Disk, image: Image) -> Told:
    used = {str(disk.pk): store.used(replace(image.volume, backing=None))}
    return Told(room=store.open(disk.domain.storage), used=used)


STORING: Final[dict[str, Call]] = {
    OPEN_STORAGE: _open,
    CLOSE_STORAGE: _close,
    CREATE_DISK: _create,
    COPY_DISK: _copy,
    IMPORT_DISK: _import,
    EXPORT_DISK: _export,
    DROP_IMAGE: _drop_image,
    RESIZE_DISK: _resize,
    REMOVE_DISK: _remove,
    **SNAPSHOTTING,
}
