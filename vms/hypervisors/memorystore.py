"""Storage in a dictionary: the same contract without a disk."""

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import BinaryIO, Final
from uuid import UUID

from vms.domain.disks import GIB, MIB, Backing, Disk, DiskFormat, Room, Storage, Volume
from vms.domain.errors import Refusal
from vms.domain.hosts import NoOffline

from .base import Progress, heedless

CAPACITY: Final = 1024 * GIB


def take_time(progress: Progress) -> None:
    """As long as it is wanted."""
    for percent in (0, 50, 99):
        if not progress(percent):
            raise Refusal("JOB_CANCELLED")


class MemoryStore:
    """Volumes that exist in this process only; what is sparse takes no room. `capacity` may be made smaller.

    One that is `forgetful` takes for there what it has not seen: another process, before it, may have made it.
    """

    def __init__(self, capacity: int = CAPACITY, *, forgetful: bool = False) -> None:
        self.capacity = capacity
        self._forgetful = forgetful
        self._lock = threading.RLock()
        self._pools: dict[UUID, dict[str, Volume]] = {}
        self.contents: dict[str, bytes] = {}
        # What the systems on disks answer when a program is run in them, as far as there are any.
        self.systems: Callable[[str, bool, Progress], str] | None = None

    def open(self, storage: Storage) -> Room:
        with self._lock:
            self._pools.setdefault(storage.id, {})
            return Room(capacity=self.capacity, available=self._left())

    def close(self, storage: Storage) -> None:
        """What lies there stays: the pool is opened again with it."""

    def run_in(self, run: UUID, disks: Sequence[Disk], program: str, *, write: bool, progress: Progress) -> str:
        if self.systems is None:
            raise Refusal("OFFLINE_UNAVAILABLE", None, no_offline=NoOffline.UNTOLD.value)
        for disk in disks:
            self._existing(disk.storage, disk.volume)
        return self.systems(program, write, progress)

    def names(self, storage: Storage) -> Collection[str]:
        with self._lock:
            return frozenset(self._pool(storage))

    def create(self, volume: Volume) -> None:
        with self._lock:
            pool = self._pool(volume.storage)
            if volume.backing is not None:
                self._existing(volume.storage, volume.backing.name)
            if volume.name not in pool:
                self._require_room(self._takes(volume))
                pool[volume.name] = volume

    def begins_as(self, volume: Volume) -> str | None:
        with self._lock:
            backing = self._existing(volume.storage, volume.name).backing
            return backing.name if backing else None

    def copy(self, volume: Volume, source: Volume, progress: Progress = heedless) -> None:
        with self._lock:
            self._existing(source.storage, source.name)
            self.delete(volume.storage, volume.name)
        take_time(progress)
        with self._lock:
            self._require_room(self._takes(volume))
            self._pool(volume.storage)[volume.name] = replace(volume, backing=None)
            self.contents[volume.name] = self._shown(source)

    def resize(self, volume: Volume, machine: UUID | None = None) -> None:
        with self._lock:
            there = self._existing(volume.storage, volume.name)
            self._require_room(self._takes(volume) - self._takes(there))
            self._pool(volume.storage)[volume.name] = replace(there, size=volume.size)

    def rebase(self, volume: Volume, progress: Progress = heedless) -> None:
        take_time(progress)
        with self._lock:
            there = self._existing(volume.storage, volume.name)
            if volume.backing is not None:
                self._existing(volume.storage, volume.backing.name)
            self.contents[volume.name] = self._shown(there)
            self._pool(volume.storage)[volume.name] = replace(there, backing=volume.backing)

    def push(self, upper: Volume, lower: Volume) -> None:
        """See `Hypervisor.push`."""
        with self._lock:
            pool = self._pool(lower.storage)
            self._existing(lower.storage, lower.name)
            self.contents[lower.name] = self.contents.get(upper.name, self.contents.get(lower.name, b""))
            for name, over in list(pool.items()):
                if over.backing is not None and over.backing.name == upper.name:
                    pool[name] = replace(over, backing=Backing(name=lower.name, format=lower.format))

    def delete(self, storage: Storage, name: str) -> None:
        with self._lock:
            self._pool(storage).pop(name, None)
            self.contents.pop(name, None)

    def used(self, volume: Volume) -> int:
        with self._lock:
            return self._takes(self._existing(volume.storage, volume.name))

    def write(self, volume: Volume, content: BinaryIO, progress: Progress = heedless) -> None:
        take_time(progress)
        with self._lock:
            data = content.read()
            self._require_room(len(data))
            self._pool(volume.storage)[volume.name] = volume
            self.contents[volume.name] = data

    def read(self, volume: Volume, into: BinaryIO) -> None:
        with self._lock:
            there = self._existing(volume.storage, volume.name)
            content = self.contents.get(volume.name, b"")
            into.write(content)
            rest = there.size - len(content) if there.format == DiskFormat.RAW else 0
            while rest > 0:  # what was never written
                rest -= into.write(bytes(min(rest, MIB)))

    def require(self, disk: Disk) -> None:
        """Refuse a disk whose image is not there."""
        self._existing(disk.storage, disk.volume)

    def _pool(self, storage: Storage) -> dict[str, Volume]:
        return self._pools.setdefault(storage.id, {})

    def _existing(self, storage: Storage, name: str) -> Volume:
        if name not in self._pool(storage) and self._forgetful:
            self._pool(storage)[name] = Volume(storage=storage, name=name, size=0)
        if name not in self._pool(storage):
            raise Refusal("IMAGE_MISSING", None, image=name)
        return self._pool(storage)[name]

    def _shown(self, volume: Volume) -> bytes:
        """What was written to it last, be it to one that it begins as."""
        there = self._existing(volume.storage, volume.name)
        if volume.name in self.contents or there.backing is None:
            return self.contents.get(volume.name, b"")
        return self._shown(self._existing(volume.storage, there.backing.name))

    def _takes(self, volume: Volume) -> int:
        return len(self.contents.get(volume.name, b"")) if volume.sparse else volume.size

    def _left(self) -> int:
        return self.capacity - sum(self._takes(volume) for pool in self._pools.values() for volume in pool.values())

    def _require_room(self, size: int) -> None:
        if size > self._left():
            raise Refusal("STORAGE_FULL", None, host="memory")
