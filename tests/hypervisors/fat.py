"""A volume that firmware can start from: FAT16 with one boot loader in it, and no tool that would have to be there."""

import struct
from math import ceil

SECTOR, CLUSTER = 512, 4096
_ROOT_SECTORS = 32
_FAT16 = 4085  # the fewest clusters for which it is one


def with_boot_loader(content: bytes) -> bytes:
    """A volume whose only file is EFI/BOOT/BOOTX64.EFI."""
    clusters = max(_FAT16 + 8, ceil(len(content) / CLUSTER) + 8)
    table = ceil((clusters + 2) * 2 / SECTOR)
    total = 1 + table + _ROOT_SECTORS + clusters * (CLUSTER // SECTOR)
    last = 4 + ceil(len(content) / CLUSTER) - 1
    chain = [0xFFF8, 0xFFFF, 0xFFFF, 0xFFFF, *range(5, last + 1), 0xFFFF]
    parts = (
        _boot_sector(total, table),
        struct.pack(f"<{len(chain)}H", *chain).ljust(table * SECTOR, b"\0"),
        _directory(("EFI", 2, 0)).ljust(_ROOT_SECTORS * SECTOR, b"\0"),
        _directory((".", 2, 0), ("..", 0, 0), ("BOOT", 3, 0)).ljust(CLUSTER, b"\0"),
        _directory((".", 3, 0), ("..", 2, 0), ("BOOTX64 EFI", 4, len(content))).ljust(CLUSTER, b"\0"),
        content,
    )
    return b"".join(parts).ljust(total * SECTOR, b"\0")


def _boot_sector(total: int, table: int) -> bytes:
    few, many = (total, 0) if total < 1 << 16 else (0, total)
    geometry = (SECTOR, CLUSTER // SECTOR, 1, 1, _ROOT_SECTORS * SECTOR // 32, few, 0xF8, table, 32, 2, 0, many)
    head = struct.pack("<3s8sHBHBHHBHHHII", b"\xeb\x3c\x90", b"MSDOS5.0", *geometry)
    named = struct.pack("<BBBI11s8s", 0x80, 0, 0x29, 1, b"BOOT       ", b"FAT16   ")
    return (head + named).ljust(SECTOR - 2, b"\0") + b"\x55\xaa"


def _directory(*entries: tuple[str, int, int]) -> bytes:
    """Entries of name, first cluster and size; without a size it is a directory."""
    return b"".join(
        struct.pack("<11sB14xHI", name.encode().ljust(11), 0x20 if size else 0x10, first, size)
        for name, first, size in entries
    )
