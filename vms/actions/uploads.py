"""Images and CDs that people bring: looked at, kept beside until the engine has laid them on a storage."""

import contextlib
import shutil
import time
from pathlib import Path
from typing import BinaryIO, Final
from uuid import uuid4

from django.conf import settings
from django.db import transaction

from vms.domain.disks import DiskFormat, check_name
from vms.domain.errors import Refusal
from vms.domain.images import HEAD, Found, inspect
from vms.models import ACTIVE, ActionGroup, Disk, DiskContent, Image, Job, StorageDomain, Transfer

from . import storage
from ._action import action, locked
from ._audit import record
from ._authorise import Actor, authorise
from ._jobs import IMPORT_DISK, enqueue_on
from ._plain import added

FORGOTTEN_AFTER: Final = 3600.0  # seconds; nobody waits for a file so old that no job names


def bring(
    name: str, content: BinaryIO, *, domain: StorageDomain, iso: bool = False, description: str = "", by: Actor
) -> Disk:
    """A new disk with what is in a file; refused where that is not what it is brought as.

    Whoever may not create disks on the storage is refused before a byte is kept; what was kept is gone when anything
    is refused.
    """
    authorise(by, ActionGroup.CREATE_DISK, domain)
    check_name(name)
    head, length = content.read(HEAD), content.seek(0, 2)
    found = inspect(head, length, iso=iso)
    content.seek(0)
    kept = _keep(content, length)
    try:
        return _record(name, kept, found, domain=domain, iso=iso, description=description, length=length, by=by)
    except BaseException:
        kept.unlink(missing_ok=True)
        raise


@action
def _record(
    name: str,
    kept: Path,
    found: Found,
    *,
    domain: StorageDomain,
    iso: bool,
    description: str,
    length: int,
    by: Actor,
) -> Disk:
    domain = locked(domain)
    storage.require_active(domain)
    storage.require_room(domain, length)
    if domain.storage.block and found.format != DiskFormat.RAW:
        raise Refusal("ILLEGAL_VALUE", "file", value=found.format, allowed="raw, on a volume group")
    content = DiskContent.ISO if iso else DiskContent.DATA
    disk = Disk(name=name, description=description, domain=domain, size=found.size, content=content)
    disk.format, disk.sparse = found.format, True
    added(disk)
    # A CD is known to machines by its disk's id, as in oVirt, so its image has that, too.
    image = Image(disk=disk, format=found.format, size=found.size, **({"id": disk.pk} if iso else {}))
    image.save(force_insert=True)
    disk.image = image
    disk.save(update_fields=["image"])
    enqueue_on(disk, IMPORT_DISK, by=by, host=storage.worker_of(domain), file=kept.name)
    record(by, "USER_ADD_DISK", disk, domain=domain.name)
    return disk


def path_of(job: Job) -> Path:
    """The file that an import lays on a storage."""
    return _place() / Path(str(job.params["file"])).name


def path_for(transfer: Transfer) -> Path:
    """Where the image of a transfer is kept on its way."""
    return _place() / f"{transfer.pk}.img"


def room_for(length: int) -> Path:
    """The directory for images on their way, which is made where it is not; refused where so much does not fit."""
    place = _place()
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    if shutil.disk_usage(place).free < length + 64 * HEAD:
        raise Refusal("STORAGE_FULL", "file", host="")
    return place


def tidy() -> None:
    """Remove the files that no job needs any more: what was being kept when a process died."""
    if not _place().is_dir():
        return
    needed = {path_of(job).name for job in Job.objects.filter(verb=IMPORT_DISK, state__in=ACTIVE)}
    needed |= {path_for(transfer).name for transfer in Transfer.objects.open()}
    for path in _place().iterdir():
        with contextlib.suppress(OSError):
            if path.name not in needed and path.stat().st_mtime < time.time() - FORGOTTEN_AFTER:
                path.unlink()


def drop(job: Job) -> None:
    """Remove the file of an import that has ended, once that is certain."""
    transaction.on_commit(lambda: path_of(job).unlink(missing_ok=True))


def _keep(content: BinaryIO, length: int) -> Path:
    path = room_for(length) / f"{uuid4()}.part"
    try:
        with path.open("xb") as into:
            shutil.copyfileobj(content, into, 1024 * 1024)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _place() -> Path:
    place: Path = settings.UPLOAD_DIR
    return place
