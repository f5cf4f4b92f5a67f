"""The storage of a libvirt host: each storage domain is a pool, each image of a disk a volume in it."""

import contextlib
import os
import re
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final
from uuid import UUID

import libvirt
from lxml import etree

from vms.domain.disks import MIB, Disk, Room, Storage, StorageKind, Volume
from vms.domain.errors import Refusal
from vms.domain.hosts import NoOffline
from vms.libvirtxml.pools import POOL_PREFIX, volume
from vms.libvirtxml.pools import pool as pool_xml

from .base import Progress, heedless
from .bootfiles import LocalFiles
from .connections import Connections
from .images import converted, reachable, rebased, waited
from .offers import why_not_offline
from .offline import OnDisk, run_offline

PART: Final = 256 * 1024  # bytes of a transfer at once
POLL: Final = 0.2  # seconds
_FULL: Final = ("No space left on device", "insufficient free space", "Not enough space")


class LibvirtStore:
    """See `base.Store` for what each verb promises."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def open(self, storage: Storage) -> Room:
        with self._refusals():
            pool = self._pool(storage)
            pool.refresh()
            _state, capacity, _allocation, available = pool.info()
            return Room(capacity=capacity, available=available)

    def close(self, storage: Storage) -> None:
        with self._refusals():
            pool = self._find(storage)
            if pool is None:
                return
            if pool.isActive():
                pool.destroy()
            pool.undefine()

    def names(self, storage: Storage) -> Collection[str]:
        with self._refusals():
            pool = self._pool(storage)
            pool.refresh()
            return frozenset(pool.listVolumes())

    def create(self, volume: Volume) -> None:
        with self._refusals():
            pool = self._pool(volume.storage)
            if self._volume(pool, volume.name) is None:
                with self._whole_or_gone(pool, volume.name):
                    pool.createXML(self._described(pool, volume))

    def begins_as(self, volume: Volume) -> str | None:
        with self._refusals():
            pool = self._pool(volume.storage)
            self._existing(pool, volume.name)
            pool.refresh()  # libvirt remembers what a header said when it looked last
            path = etree.fromstring(self._existing(pool, volume.name).XMLDesc()).findtext("backingStore/path")
            return PurePosixPath(path).name if path else None

    def copy(self, volume: Volume, source: Volume, progress: Progress = heedless) -> None:
        with self._refusals():
            pool, origin = self._pool(volume.storage), self._pool(source.storage)
            self._remove(pool, volume.name)
            there = self._existing(origin, source.name)
            with self._whole_or_gone(pool, volume.name):
                if isinstance(self._connections.location.files, LocalFiles) and reachable(there.path()):
                    made = pool.createXML(self._described(pool, volume))
                    converted(there.path(), source.format, made.path(), volume, progress)
                    return
                text = self._described(pool, volume)
                waited(lambda: pool.createXMLFrom(text, there), lambda: self._part(pool, volume, there), progress)

    def resize(self, volume: Volume, machine: UUID | None = None) -> None:
        with self._refusals():
            pool = self._pool(volume.storage)
            there = self._existing(pool, volume.name)
            if machine is not None:
                self._grow_live(machine, there.path(), volume.size)
            elif there.info()[1] < volume.size:
                there.resize(volume.size)

    def rebase(self, volume: Volume, progress: Progress = heedless) -> None:
        with self._refusals():
            path = self.place(volume)
            if not isinstance(self._connections.location.files, LocalFiles):
                # libvirt has no call for it, and the engine reaches no file there.
                raise Refusal("HYPERVISOR_REFUSED", None, message="images are merged here while the machine runs only")
            onto = (
                ["-b", self._backing_path(volume), "-F", volume.backing.format.value] if volume.backing else ["-b", ""]
            )
            rebased(path, volume.format, onto, progress)

    def delete(self, storage: Storage, name: str) -> None:
        with self._refusals():
            self._remove(self._pool(storage), name)

    def used(self, volume: Volume) -> int:
        with self._refusals():
            pool = self._pool(volume.storage)
            allocation: int = self._existing(pool, volume.name).info()[2]
            return allocation

    def write(self, volume: Volume, content: BinaryIO, progress: Progress = heedless) -> None:
        length, sent = content.seek(0, os.SEEK_END), 0
        content.seek(0)
        with self._refusals():
            pool, connection = self._pool(volume.storage), self._connections.mine()
            self._remove(pool, volume.name)
            with self._whole_or_gone(pool, volume.name):
                there = pool.createXML(self._described(pool, volume))
                stream = connection.newStream()
                # No length: a file's grows with what is written, whatever the volume was made for.
                gaps = volume.sparse and not volume.storage.block
                there.upload(stream, 0, 0, libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM if gaps else 0)
                with _ended(stream):
                    while rest := content.read(PART):
                        sent += len(rest)
                        if gaps and rest.count(0) == len(rest):  # takes no room
                            stream.sendHole(len(rest))
                            rest = b""
                        while rest:
                            rest = rest[stream.send(rest) :]
                        if not progress(99 * sent // length):
                            raise Refusal("JOB_CANCELLED")

    def read(self, volume: Volume, into: BinaryIO) -> None:
        with self._refusals():
            there = self._existing(self._pool(volume.storage), volume.name)
            stream = self._connections.mine().newStream()
            there.download(stream, 0, 0)
            with _ended(stream):
                while part := stream.recv(PART):
                    into.write(part)

    def run_in(self, run: UUID, disks: Sequence[Disk], program: str, *, write: bool, progress: Progress) -> str:
        location = self._connections.location
        with self._refusals():
            images = [OnDisk(Path(self.path(disk)), disk.format.value) for disk in disks]
        reason = why_not_offline(location)
        if reason is None and not all(os.access(image.path, os.R_OK | os.W_OK) for image in images):
            reason = NoOffline.ACCESS
        if reason is not None:
            raise Refusal("OFFLINE_UNAVAILABLE", None, no_offline=reason.value)
        emulated = location.accelerator != "kvm"
        place = location.storage / "offline" / str(run)
        return run_offline(place, images, program, write=write, emulated=emulated, progress=progress)

    # -- for machines

    def path(self, disk: Disk) -> str:
        """Where the host's QEMU finds a disk's image."""
        return str(self._existing(self._pool(disk.storage), disk.volume).path())

    def place(self, volume: Volume) -> str:
        """Where the host's QEMU finds a volume."""
        return str(self._existing(self._pool(volume.storage), volume.name).path())

    def _backing_path(self, volume: Volume) -> str:
        assert volume.backing is not None
        return str(self._existing(self._pool(volume.storage), volume.backing.name).path())

    def cd(self, name: str) -> str | None:
        """Where the CD lies that has this id, on whatever storage of ours; None where there is none."""
        if not _ID.fullmatch(name):
            return None
        for pool in self._connections.mine().listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE):
            if pool.name().startswith(POOL_PREFIX) and (there := self._volume(pool, f"{name}.raw")) is not None:
                return str(there.path())
        return None

    @contextlib.contextmanager
    def full_is_said(self, storage: Storage) -> Iterator[None]:
        """A block job that fails does not say why; where no room is left, that is why."""
        try:
            yield
        except Refusal as refusal:
            if refusal.code == "HYPERVISOR_REFUSED" and self.open(storage).available < MIB:
                raise Refusal("STORAGE_FULL", None, host=self._connections.name) from refusal
            raise

    # -- inside

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            with self._connections.refusals():
                yield
        except Refusal as refusal:
            said = str(refusal.params.get("message", ""))
            if any(word in said for word in _FULL):
                raise Refusal("STORAGE_FULL", None, host=self._connections.name, message=said) from refusal
            raise

    def _find(self, storage: Storage) -> Any:
        try:
            return self._connections.mine().storagePoolLookupByUUID(storage.id.bytes)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_STORAGE_POOL:
                return None
            raise

    def _pool(self, storage: Storage) -> Any:
        """The pool at work; made and started where it is not."""
        pool = self._find(storage)
        new = pool is None
        if new:
            pool = self._connections.mine().storagePoolDefineXML(pool_xml(storage, self._connections.location.storage))
        if not pool.isActive():
            # The directory, or the place to mount on, is made once: one that has gone since is missed, not replaced.
            if new and storage.kind != StorageKind.LVM:
                pool.build()
            pool.create()
            pool.setAutostart(1)
        return pool

    def _described(self, pool: Any, image: Volume) -> str:
        return volume(image, self._existing(pool, image.backing.name).path() if image.backing else None)

    def _volume(self, pool: Any, name: str) -> Any:
        """The volume; the pool is looked through again for one that another host, or nobody, has told of."""
        for _again in range(2):
            try:
                return pool.storageVolLookupByName(name)
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_STORAGE_VOL:
                    raise
            pool.refresh()
        return None

    def _existing(self, pool: Any, name: str) -> Any:
        there = self._volume(pool, name)
        if there is None:
            raise Refusal("IMAGE_MISSING", None, image=name)
        return there

    def _remove(self, pool: Any, name: str) -> None:
        there = self._volume(pool, name)
        while there is not None:
            try:
                there.delete(0)
                return
            except libvirt.libvirtError as error:
                # The daemon still copies for an engine that died over it: it ends, and then it can be removed.
                if "still being allocated" not in str(error):
                    raise
            time.sleep(POLL)

    def _part(self, pool: Any, volume: Volume, source: Any) -> int:
        """How much of a copy is there, in percent, as far as the room that it takes tells."""
        there, whole = self._volume(pool, volume.name), source.info()[2]
        return min(99, 100 * there.info()[2] // whole) if there is not None and whole else 0

    @contextlib.contextmanager
    def _whole_or_gone(self, pool: Any, name: str) -> Iterator[None]:
        """What was begun and could not be ended leaves nothing behind."""
        try:
            yield
        except BaseException:
            with contextlib.suppress(libvirt.libvirtError):
                self._remove(pool, name)
            raise

    def _grow_live(self, machine: UUID, path: str, size: int) -> None:
        domain = self._connections.mine().lookupByUUID(machine.bytes)
        if domain.blockInfo(path)[0] < size:
            domain.blockResize(path, size, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)


_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@contextlib.contextmanager
def _ended(stream: Any) -> Iterator[None]:
    """End a stream well, or tell the daemon that it was given up."""
    try:
        yield
        stream.finish()
    except BaseException:
        with contextlib.suppress(libvirt.libvirtError):
            stream.abort()
        raise
