"""What a file that somebody brings is, by what it says itself; nothing in it is followed or guessed."""

import struct
from dataclasses import dataclass
from typing import Final

from .disks import DISK_SIZE, SECTOR, DiskFormat
from .errors import Refusal

HEAD: Final = 64 * 1024  # bytes of a file that tell what it is
_QCOW2: Final = b"QFI\xfb"
_ISO: Final = (32769, b"CD001")
# Beginnings of formats that would be taken for raw data, by their names.
_OTHERS: Final = {
    b"KDMV": "VMDK",
    b"# Disk DescriptorFile": "VMDK",
    b"vhdxfile": "VHDX",
    b"conectix": "VHD",
    b"QED\0": "QED",
    b"<<< ": "VDI",
    b"PK\x03\x04": "ZIP",
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"BZh": "bzip2",
}
_DATA_FILE: Final = 1 << 2  # incompatible feature: the data is in another file
_HEADER: Final = struct.Struct(">4sIQIIQI")  # magic, version, backing offset and size, cluster bits, size, encryption


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The format of a file, and the size in bytes of the disk in it."""

    format: DiskFormat
    size: int


def inspect(head: bytes, length: int, *, iso: bool) -> Found:
    """What a file is by its first `HEAD` bytes and its length; refused where it is not what it is brought as, or where
    it would have QEMU open another file."""
    if iso:
        at, mark = _ISO
        if head[at : at + len(mark)] != mark:
            raise _illegal("no_iso")
        return Found(format=DiskFormat.RAW, size=_whole(length))
    if head.startswith(_QCOW2):
        return Found(format=DiskFormat.QCOW2, size=_qcow2(head))
    for mark, name in _OTHERS.items():
        if head.startswith(mark):
            raise _illegal("other_format", name)
    return Found(format=DiskFormat.RAW, size=_whole(length))


def _qcow2(head: bytes) -> int:
    if len(head) < 104:
        raise _illegal("cut")
    _magic, version, backing, _size, _bits, size, encryption = _HEADER.unpack_from(head)
    (features,) = struct.unpack_from(">Q", head, 72)
    if version not in {2, 3}:
        raise _illegal("other_format", f"QCOW {version}")
    if backing:
        raise _illegal("backing")
    if version == 3 and features & _DATA_FILE:
        raise _illegal("data_file")
    if encryption:
        raise _illegal("encrypted")
    return _checked(size)


def _whole(length: int) -> int:
    return _checked(-(-length // SECTOR) * SECTOR)


def _checked(size: int) -> int:
    if not SECTOR <= size <= DISK_SIZE[1] or size % SECTOR:
        raise _illegal("size")
    return size


def _illegal(why: str, format: str = "") -> Refusal:
    return Refusal("IMAGE_ILLEGAL", "file", image_why=why, format=format)
