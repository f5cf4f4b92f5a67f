"""Which accelerator machines should run on: hardware's where it is one, else emulation.

A host can offer KVM and yet run a guest's kernel mode 170 times slower than emulation does (nested or
para-virtualised KVM). Neither /dev/kvm nor libvirt's list tells; a program that has to be through in time does.
"""

import logging
import os
import platform
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

__all__ = ["Accelerator", "Kind", "Setting", "cache_key", "probe", "program"]

log = logging.getLogger(__name__)

Setting = Literal["auto", "kvm", "tcg"]
Kind = Literal["kvm", "qemu"]

QEMU: Final = "qemu-system-x86_64"
LOOPS: Final = 20_000_000
LIMIT: Final = 1.0  # seconds; emulation takes 0.24 for the program, a useless KVM 21
SUCCESS: Final = 33  # isa-debug-exit ends QEMU with twice the written number and one
LOAD_ADDRESS: Final = 0x100000


@dataclass(frozen=True)
class Accelerator:
    """The type that a domain is given, and why: a code with the parameters of its sentence."""

    kind: Kind
    reason: str
    params: Mapping[str, str] = field(default_factory=dict)


def probe(
    setting: Setting,
    *,
    qemu_binary: str = QEMU,
    device: Path = Path("/dev/kvm"),
    limit: float = LIMIT,
) -> Accelerator:
    """Decide for this host: as set, or under `auto` KVM if it runs a program within `limit` seconds.

    Takes twice `limit` at most; its caller keeps the answer per `cache_key`.
    """
    if setting == "kvm":
        return Accelerator("kvm", "set")
    if setting == "tcg":
        return Accelerator("qemu", "set")
    chosen = _measured(qemu_binary, device, limit)
    log.info("accelerator %s: %s %s", chosen.kind, chosen.reason, dict(chosen.params))
    return chosen


def cache_key(qemu_binary: str = QEMU) -> str:
    """Name what an answer holds for: the kernel's release, QEMU's version, and whether KVM is open to us."""
    path = shutil.which(qemu_binary)
    if path is None:
        return f"{platform.release()} without QEMU"
    done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
    usable = os.access("/dev/kvm", os.R_OK | os.W_OK)
    return f"{platform.release()} {(done.stdout.splitlines() or ['?'])[0]} kvm={usable}"


def run_program(qemu_binary: str, accel: str, limit: float, *, loops: int = LOOPS) -> tuple[int | None, float]:
    """Run the program under QEMU; return its exit code, None when it was not through in time, and the seconds."""
    with tempfile.NamedTemporaryFile(suffix=".elf") as file:
        file.write(program(loops))
        file.flush()
        command = [
            qemu_binary,
            *("-accel", accel, "-machine", "pc", "-m", "16", "-nodefaults", "-no-user-config", "-no-reboot"),
            *("-display", "none", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-kernel", file.name),
        ]
        started = time.monotonic()
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as qemu:
            try:
                return qemu.wait(limit), time.monotonic() - started
            except subprocess.TimeoutExpired:
                qemu.kill()
                return None, time.monotonic() - started


def _measured(qemu_binary: str, device: Path, limit: float) -> Accelerator:
    path = shutil.which(qemu_binary)
    if path is None:
        return Accelerator("qemu", "qemu_missing", {"program": qemu_binary})
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError as refused:
        return Accelerator("qemu", "kvm_not_open", {"device": str(device), "detail": refused.strerror or ""})
    code, seconds = run_program(path, "kvm", limit)
    if code is None:  # once more: the answer is kept for long, and this machine may have been busy for a moment
        code, seconds = run_program(path, "kvm", limit)
    if code is None:
        return Accelerator("qemu", "kvm_too_slow", {"seconds": f"{limit:.1f}"})
    if code != SUCCESS:
        return Accelerator("qemu", "kvm_failed", {"code": str(code)})
    return Accelerator("kvm", "kvm_measured", {"seconds": f"{seconds:.2f}"})


def program(loops: int = LOOPS) -> bytes:
    """Assemble the program: a multiboot ELF image that enters long mode, counts down and ends QEMU with 33."""
    header = struct.pack("<III", 0x1BADB002, 0, -0x1BADB002 & 0xFFFFFFFF)  # Multiboot 1: magic, no flags, checksum
    code = LOAD_ADDRESS + 0x1000
    tables = LOAD_ADDRESS + 0x2000
    image = _padded(header, 0x1000) + _padded(_code(code, tables, loops), 0x1000) + _page_tables(tables)
    return _elf32(image, code)


def _code(start: int, tables: int, loops: int) -> bytes:
    entry = b"".join(
        (
            b"\xfa",  # cli
            b"\xb8" + struct.pack("<I", tables),  # mov eax, page tables
            b"\x0f\x22\xd8",  # mov cr3, eax
            b"\x0f\x20\xe0",  # mov eax, cr4
            b"\x83\xc8\x20",  # or eax, PAE
            b"\x0f\x22\xe0",  # mov cr4, eax
            b"\xb9\x80\x00\x00\xc0",  # mov ecx, EFER
            b"\x0f\x32",  # rdmsr
            b"\x0d\x00\x01\x00\x00",  # or eax, LME
            b"\x0f\x30",  # wrmsr
            b"\x0f\x20\xc0",  # mov eax, cr0
            b"\x0d\x00\x00\x00\x80",  # or eax, PG: long mode, still 32-bit code
            b"\x0f\x22\xc0",  # mov cr0, eax
        )
    )
    lgdt, far_jump = 7, 7
    long_mode = start + len(entry) + lgdt + far_jump
    count = b"".join(
        (
            b"\xb9" + struct.pack("<I", loops),  # mov ecx, loops
            b"\x48\x31\xc0",  # xor rax, rax
            b"\x48\x01\xc8",  # again: add rax, rcx
            b"\x48\xff\xc9",  # dec rcx
            b"\x75\xf8",  # jnz again
            b"\xb8\x10\x00\x00\x00",  # mov eax, 16: QEMU ends with 2 * 16 + 1
            b"\xe7\xf4",  # out 0xf4, eax
            b"\xf4",  # hlt
            b"\xeb\xfd",  # jmp to the hlt
        )
    )
    descriptors = long_mode + len(count)
    pointer = descriptors + 16
    return b"".join(
        (
            entry,
            b"\x0f\x01\x15" + struct.pack("<I", pointer),  # lgdt [pointer]
            b"\xea" + struct.pack("<IH", long_mode, 8),  # jmp 8:long_mode
            count,
            struct.pack("<QQ", 0, 0x00AF9A000000FFFF),  # no descriptor; 64-bit code, ring 0
            struct.pack("<HI", 15, descriptors),  # limit and base for lgdt
        )
    )


def _page_tables(start: int) -> bytes:
    """Map the first 2 MiB onto themselves: one entry in each of three levels, the last a large page."""
    present_writable, large = 0x3, 0x80
    levels = (start + 0x1000 | present_writable, start + 0x2000 | present_writable, large | present_writable)
    return b"".join(_padded(struct.pack("<Q", entry), 0x1000) for entry in levels)


def _elf32(image: bytes, entry: int) -> bytes:
    offset = 0x1000
    header = b"\x7fELF\x01\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIIIIIHHHHHH", 2, 3, 1, entry, 52, 0, 0, 52, 32, 1, 40, 0, 0
    )  # executable for i386, version, entry, program headers at 52, no sections
    load = struct.pack("<IIIIIIII", 1, offset, LOAD_ADDRESS, LOAD_ADDRESS, len(image), len(image), 7, 0x1000)
    return _padded(header + load, offset) + image


def _padded(content: bytes, size: int) -> bytes:
    return content.ljust(size, b"\0")
