"""How a file of the boot library becomes one that a host's QEMU can open."""

import hashlib
import os
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import libvirt

from vms.domain.errors import Refusal


class BootFiles(Protocol):
    """How a file of the boot library becomes one that the host's QEMU can open."""

    def path(self, connection: Any, name: str) -> str:
        """The path on the host; refused when there is no such file."""

    def hold(self, connection: Any, name: str, content: bytes) -> str:
        """The path on the host of what only its QEMU may read, in place of any before of that name."""

    def drop(self, connection: Any, name: str) -> None:
        """Forget what was held; unknown names are left so."""


class LocalFiles:
    """For a daemon that runs as we do: its QEMU opens our files where they are."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, connection: Any, name: str) -> str:
        return str(_existing(self._directory, name))

    def hold(self, connection: Any, name: str, content: bytes) -> str:
        held = self._held(name)
        held.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        held.unlink(missing_ok=True)
        with os.fdopen(os.open(held, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        return str(held)

    def drop(self, connection: Any, name: str) -> None:
        self._held(name).unlink(missing_ok=True)

    def _held(self, name: str) -> Path:
        return self._directory.parent / "seeds" / name


class PoolFiles:
    """For every other daemon: its QEMU runs as another user or on another host, so files go through a storage pool."""

    POOL: Final = "headless-webadmin"
    TARGET: Final = "/var/lib/libvirt/headless-webadmin"

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._whole: set[str] = set()

    def path(self, connection: Any, name: str) -> str:
        source = _existing(self._directory, name)
        with source.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        pool = self._pool(connection)
        volume_name = f"{digest[:16]}-{name}"
        volume = self._there(pool, volume_name)
        if volume is None or (volume_name not in self._whole and self._digest(connection, volume) != digest):
            # Where somebody died over the upload before, there is a volume already, with a part in it.
            volume = volume or pool.createXML(
                f"<volume><name>{volume_name}</name><capacity>{source.stat().st_size}</capacity>"
                "<target><format type='raw'/><permissions><mode>0644</mode></permissions></target></volume>"
            )
            self._upload(connection, volume, source)
        self._whole.add(volume_name)
        return str(volume.path())

    def hold(self, connection: Any, name: str, content: bytes) -> str:
        self.drop(connection, name)
        volume = self._pool(connection).createXML(
            f"<volume><name>{name}</name><capacity>{len(content)}</capacity>"
            "<target><format type='raw'/><permissions><mode>0600</mode></permissions></target></volume>"
        )
        self._send(connection, volume, BytesIO(content), len(content))
        return str(volume.path())

    def drop(self, connection: Any, name: str) -> None:
        if volume := self._there(self._pool(connection), name):
            volume.delete()

    def _there(self, pool: Any, name: str) -> Any:
        pool.refresh()
        try:
            return pool.storageVolLookupByName(name)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_STORAGE_VOL:
                return None
            raise

    def _digest(self, connection: Any, volume: Any) -> str:
        stream = connection.newStream()
        volume.download(stream, 0, 0)
        received = hashlib.sha256()
        while part := stream.recv(256 * 1024):
            received.update(part)
        stream.finish()
        return received.hexdigest()

    def _upload(self, connection: Any, volume: Any, source: Path) -> None:
        with source.open("rb") as content:
            self._send(connection, volume, content, source.stat().st_size)

    def _send(self, connection: Any, volume: Any, content: BinaryIO, size: int) -> None:
        stream = connection.newStream()
        volume.upload(stream, 0, size)
        while rest := content.read(256 * 1024):
            while rest:
                rest = rest[stream.send(rest) :]
        stream.finish()

    def _pool(self, connection: Any) -> Any:
        try:
            pool = connection.storagePoolLookupByName(self.POOL)
        except libvirt.libvirtError:
            pool = connection.storagePoolDefineXML(
                f"<pool type='dir'><name>{self.POOL}</name><target><path>{self.TARGET}</path>"
                "<permissions><mode>0711</mode></permissions></target></pool>"
            )
            pool.setAutostart(1)
            pool.build()
        if not pool.isActive():
            pool.create()
        return pool


def _existing(directory: Path, name: str) -> Path:
    path = directory / name
    if not path.is_file():
        raise Refusal("BOOT_FILE_MISSING", "kernel", file=name)
    return path
