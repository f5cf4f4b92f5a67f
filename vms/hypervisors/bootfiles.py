"""How a file of the boot library becomes one that a host's QEMU can open."""

import hashlib
from pathlib import Path
from typing import Any, Final, Protocol

import libvirt

from vms.domain.errors import Refusal


class BootFiles(Protocol):
    """How a file of the boot library becomes one that the host's QEMU can open."""

    def path(self, connection: Any, name: str) -> str:
        """The path on the host; refused when there is no such file."""


class LocalFiles:
    """For a daemon that runs as we do: its QEMU opens our files where they are."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, connection: Any, name: str) -> str:
        return str(_existing(self._directory, name))


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
        stream = connection.newStream()
        volume.upload(stream, 0, source.stat().st_size)
        with source.open("rb") as content:
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
