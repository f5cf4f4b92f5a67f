"""Images between the place where they wait for HTTP and the storage: looked at, turned into another format, put."""

import errno
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

from vms.actions import uploads
from vms.domain.disks import SECTOR, DiskFormat, Volume
from vms.domain.errors import Refusal
from vms.domain.images import HEAD, inspect
from vms.hypervisors.base import Store
from vms.hypervisors.images import convert, verify
from vms.models import DiskContent, Image, Job, Transfer

from .progress import progress_of

_BLOCK: Final = 64 * 1024  # bytes; what is all zero in so many is left out of a file


def bring(store: Store, job: Job, image: Image) -> None:
    """Lay what was uploaded on the storage; refused where it is not what it was brought as."""
    path = uploads.path_of(job)
    if not path.is_file():
        raise Refusal("IMAGE_MISSING", None, image=job.machine_name)
    came, wanted = DiskFormat(job.params.get("format", image.format)), DiskFormat(image.format)
    with _full(), _alone(path) as file:
        _look(file, path, came, image)
        if came == wanted:
            store.write(replace(image.volume, backing=None), file, progress_of(job))
            return
        with _beside(path) as turned:
            convert(path, came, turned, wanted)
            with turned.open("rb") as content:
                store.write(replace(image.volume, backing=None), content, progress_of(job))


def fetch(store: Store, job: Job) -> None:
    """Put what is on a disk aside, in one piece and in the format that is wanted, without the room of its gaps."""
    row = Transfer.objects.select_related("image__disk__domain", "image__parent__disk__domain")
    transfer = row.filter(pk=job.params["transfer"]).first()
    if transfer is None or transfer.image is None:
        raise Refusal("IMAGE_MISSING", None, image=job.machine_name)
    source, wanted = transfer.image.volume, DiskFormat(transfer.format)
    path = uploads.path_for(transfer)
    with _full(), _one_piece(store, source, wanted, job) as volume:
        if volume.format == wanted:
            _read(store, volume, path)
            return
        with _beside(path) as plain:
            _read(store, volume, plain)
            convert(plain, volume.format, path, wanted)


@contextmanager
def _one_piece(store: Store, source: Volume, wanted: DiskFormat, job: Job) -> Iterator[Volume]:
    """A volume that needs no other, with the same content; where none is there it is made and goes again."""
    if source.backing is None:
        yield source
        return
    made = replace(source, name=f"{job.params['transfer']}.{wanted}", format=wanted, backing=None, sparse=True)
    store.copy(made, source, progress_of(job))
    try:
        yield made
    finally:
        store.delete(made.storage, made.name)


def _look(file: BinaryIO, path: Path, format: DiskFormat, image: Image) -> None:
    length = file.seek(0, 2)
    file.seek(0)
    found = inspect(file.read(HEAD), length, iso=image.disk.content == DiskContent.ISO)
    file.seek(0)
    if found.format != format:
        raise Refusal("IMAGE_ILLEGAL", "file", image_why="other_format", format=found.format.upper())
    size = verify(path, format)
    if size is not None and -(-size // SECTOR) * SECTOR != image.size:
        raise Refusal("IMAGE_ILLEGAL", "file", image_why="size", format="")


def _read(store: Store, volume: Volume, path: Path) -> None:
    path.unlink(missing_ok=True)
    with path.open("xb") as file:
        store.read(volume, _Gaps(file))  # type: ignore[arg-type]
        file.truncate()


class _Gaps:
    """Writes a file without what is zero in it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        """Write, or go on behind."""
        for start in range(0, len(data), _BLOCK):
            block = data[start : start + _BLOCK]
            if block.count(0) == len(block):
                self._file.seek(len(block), 1)
            else:
                self._file.write(block)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)


@contextmanager
def _alone(path: Path) -> Iterator[BinaryIO]:
    """The file, into which nobody writes any more: requests hold it, too, and end when their transfer does."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    made = path.with_suffix(".turned")
    made.unlink(missing_ok=True)
    try:
        yield made
    finally:
        made.unlink(missing_ok=True)


@contextmanager
def _full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Refusal("STORAGE_FULL", None, host="") from error
        raise
