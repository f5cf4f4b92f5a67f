"""The file of an image on its way: read and written at any place, by many at once, its gaps kept."""

import ctypes
import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from .spans import Span, Wrong

_PUNCH: Final = 0x01 | 0x02  # FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE
_ZEROS: Final = bytes(1024 * 1024)
_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


class Content:
    """Held as long as a request works on it: whoever lays it on a storage waits for that."""

    def __init__(self, path: Path, *, writes: bool) -> None:
        try:
            self._file = os.open(path, os.O_RDWR if writes else os.O_RDONLY)
        except FileNotFoundError:
            raise Wrong(404, "The image is not there any more") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise Wrong(403, "The transfer is being finalized") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_why: object) -> None:
        os.close(self._file)

    @property
    def size(self) -> int:
        return os.fstat(self._file).st_size

    def read(self, span: Span) -> bytes:
        return os.pread(self._file, span.length, span.start)

    def write(self, at: int, data: bytes) -> None:
        """Write all of it; what is nothing but zeros takes no room."""
        if data.count(0) == len(data):
            self.zero(Span(at, len(data)))
            return
        with _room():
            rest = memoryview(data)
            while rest:
                done = os.pwrite(self._file, rest, at)
                rest, at = rest[done:], at + done

    def zero(self, span: Span) -> None:
        """Make these bytes zero."""
        if self.size < span.end:
            with _room():
                os.ftruncate(self._file, span.end)
        if not span.length or _libc.fallocate(self._file, _PUNCH, span.start, span.length) == 0:
            return
        with _room():  # a file system without gaps
            for start in range(span.start, span.end, len(_ZEROS)):
                os.pwrite(self._file, _ZEROS[: span.end - start], start)

    def flush(self) -> None:
        with _room():
            os.fdatasync(self._file)

    def extents(self) -> Iterator[tuple[Span, bool]]:
        """The image from its beginning to its end in pieces, each with whether it is a gap."""
        at, size = 0, self.size
        while at < size:
            data = self._next(at, os.SEEK_DATA, size)
            if data > at:
                yield Span(at, data - at), True
            at = self._next(data, os.SEEK_HOLE, size) if data < size else size
            if at > data:
                yield Span(data, at - data), False

    def _next(self, at: int, what: int, size: int) -> int:
        try:
            return min(os.lseek(self._file, at, what), size)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a gap until the end
                return size
            raise


@contextmanager
def _room() -> Iterator[None]:
    """Turns the end of the room into an answer."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise Wrong(507, "There is no room left for the image") from error
        raise
