"""A real Debian on a disk, with GRUB, cloud-init, guest agent and SSH server, made once and kept in pytest's cache.

No loop device and no partition scan is needed: a container that has neither makes the image too. It boots like an
installed Debian, that is with GRUB in graphics mode and without a serial console; the other settings differ in GRUB's
configuration alone.
"""

import fcntl
import hashlib
import os
import re
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

__all__ = ["PASSWORD", "DebianUnavailable", "build", "overlay"]

PASSWORD: Final = "headless"
SIZE: Final = 1024**3  # bytes of the disk; blocks that hold nothing take no room
START: Final = 1024**2  # bytes before the partition; GRUB's core image lies there
SECTOR: Final = 512
BLOCK: Final = 64 * 1024
WEEK: Final = 7 * 86_400  # seconds
FILESYSTEM: Final = "8a3f0f6e-6d1c-4b51-9d3e-2f5d2f8a9b10"
SUITE: Final = "bookworm"
PACKAGES: Final = (
    "cloud-guest-utils",
    "cloud-init",
    "dbus",
    "e2fsprogs",
    "grub-pc-bin",
    "grub2-common",
    "iproute2",
    "libpam-systemd",
    "linux-image-cloud-amd64",
    "openssh-server",
    "qemu-guest-agent",
    "systemd-sysv",
    "udev",
)
LEFT_OUT: Final = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")

_SERIAL: Final = 'GRUB_TERMINAL="serial console"\nGRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"\n'
_CONSOLE: Final = 'GRUB_CMDLINE_LINUX="console=tty0 console=ttyS0,115200"\n'
#: What each image sets besides Debian's own defaults, in the words of /etc/default/grub.
SETTINGS: Final = {
    "default": "",  # GRUB in graphics mode: hangs where there is no video card
    "kernel-only": _CONSOLE,  # the usual advice, which is not enough
    "menu-only": _SERIAL,  # GRUB speaks on the serial line, the kernel does not
    "serial": _SERIAL + _CONSOLE,
    "waiting": _SERIAL + _CONSOLE + "GRUB_TIMEOUT=-1\n",
    "emergency": _SERIAL + _CONSOLE + 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX systemd.unit=emergency.target"\n',
    "panic": _SERIAL + _CONSOLE + 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX rdinit=/nowhere"\n',
}

_SETTLE: Final = Path(__file__).with_name("settle.sh")
_TOOLS: Final = ("mmdebstrap", "mke2fs", "debugfs", "qemu-img")


class DebianUnavailable(Exception):
    """Why no image can be made here, as a sentence's end."""


def build(cache: Path) -> dict[str, Path]:
    """Give an image for each of SETTINGS, made where it is missing or older than a week; takes about a minute then."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        place = cache / _key()
        if not place.exists():
            for old in cache.glob("debian-*"):
                if old.stat().st_mtime < time.time() - 2 * WEEK:  # another checkout may still use a young one
                    shutil.rmtree(old)
            _make(place)
    return {name: place / f"{name}.qcow2" for name in SETTINGS}


def overlay(base: Path, disk: Path) -> Path:
    """Make a disk that begins as `base` and leaves it untouched."""
    _run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(base), str(disk))
    return disk


def _key() -> str:
    recipe = (_SETTLE.read_bytes(), Path(__file__).read_bytes(), datetime.now(UTC).strftime("%G-%V").encode())
    return f"debian-{hashlib.sha256(b'|'.join(recipe)).hexdigest()[:16]}"


def _make(place: Path) -> None:
    if os.geteuid() != 0:
        raise DebianUnavailable("making a distribution's root directory takes root")
    if missing := [tool for tool in _TOOLS if not _found(tool)]:
        raise DebianUnavailable(f"{', '.join(missing)} is not installed")
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        work = Path(scratch)
        for name in ("settings", "configurations", "images"):
            (work / name).mkdir()
        for name, text in SETTINGS.items():
            (work / "settings" / name).write_text(text)
        _make_root(work)
        _make_disk(work / "root", work / "disk")
        for name in SETTINGS:
            _configure(work / "disk", work / "configurations" / name)
            _keep(work, name)
        (work / "images").replace(place)


def _make_root(work: Path) -> None:
    _run(
        "mmdebstrap",
        "--quiet",
        "--mode=root",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
        f"--customize-hook={_SETTLE}",
        SUITE,
        str(work / "root"),
        _mirror(),
        environment={
            "FILESYSTEM": FILESYSTEM,
            "PASSWORD": PASSWORD,
            "SETTINGS": str(work / "settings"),
            "CONFIGURATIONS": str(work / "configurations"),
        },
    )


def _make_disk(root: Path, disk: Path) -> None:
    """Write boot sector, GRUB's core image and one partition with an ext4 file system, as a whole disk."""
    filesystem = disk.with_suffix(".ext4")
    with filesystem.open("wb") as file:
        file.truncate(SIZE - START)
    _run("mke2fs", "-q", "-t", "ext4", "-U", FILESYSTEM, "-d", str(root), str(filesystem))
    sector = bytearray((root / "usr/lib/grub/i386-pc/boot.img").read_bytes())
    outside = b"\xfe\xff\xff"  # cylinder, head and sector that say: ask the numbers behind instead
    entry = struct.pack("<B3sB3sII", 0x80, outside, 0x83, outside, START // SECTOR, (SIZE - START) // SECTOR)
    sector[446:] = entry + bytes(48) + b"\x55\xaa"
    with disk.open("wb") as file:
        file.write(sector + (root / "boot/grub/core.img").read_bytes())
        file.truncate(SIZE)
    _run("dd", f"if={filesystem}", f"of={disk}", "bs=1M", f"seek={START // 1024**2}", "conv=notrunc,sparse")


def _configure(disk: Path, configuration: Path) -> None:
    """Put another GRUB configuration on the disk."""
    path = "/boot/grub/grub.cfg"
    commands = disk.with_suffix(".commands")
    commands.write_text(f"rm {path}\nwrite {configuration} {path}\n")
    _run("debugfs", "-w", "-f", str(commands), f"{disk}?offset={START}")


def _keep(work: Path, name: str) -> None:
    """Keep the first disk whole, and of the others the blocks that differ from it."""
    disk, first, image = work / "disk", work / "first", work / "images" / f"{name}.qcow2"
    if not first.exists():
        _run("cp", "--sparse=always", str(disk), str(first))
        _run("qemu-img", "convert", "-c", "-o", "compression_type=zstd", "-O", "qcow2", str(disk), str(image))
        return
    whole = f"{next(iter(SETTINGS))}.qcow2"
    _run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", whole, str(image), str(SIZE))
    for offset, block in _differences(first, disk):
        piece = work / "piece"
        piece.write_bytes(block)
        _run("qemu-io", "-f", "qcow2", "-c", f"write -q -s {piece} {offset} {len(block)}", str(image))


def _differences(one: Path, other: Path) -> Iterator[tuple[int, bytes]]:
    with one.open("rb") as before, other.open("rb") as after:
        for offset in range(0, SIZE, BLOCK):
            block = after.read(BLOCK)
            if before.read(BLOCK) != block:
                yield offset, block


def _mirror() -> str:
    """The address that this machine takes Debian's packages from."""
    told = _run("apt-get", "indextargets", "--format", "$(ORIGIN) $(CODENAME) $(SITE)", "Created-By: Packages")
    found = re.search(rf"^Debian {SUITE} (\S+)$", told, re.MULTILINE)
    if found is None:
        raise DebianUnavailable(f"this machine knows no source of Debian's {SUITE}")
    return found[1]


def _found(tool: str) -> str | None:
    return shutil.which(tool, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")


def _run(*command: str, environment: dict[str, str] | None = None) -> str:
    tool = _found(command[0]) or command[0]
    surroundings = os.environ | {"DEBIAN_FRONTEND": "noninteractive"} | (environment or {})
    done = subprocess.run([tool, *command[1:]], env=surroundings, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DebianUnavailable(f"{command[0]} says: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout
