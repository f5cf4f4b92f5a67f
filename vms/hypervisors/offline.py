"""Programs that are run in the system on a machine's disks while the machine is off.

Everything is written into images laid over the disks, and only what has come to a good end is written on into these,
begun anew where somebody died over it: whatever hangs, fails or is killed, a disk is as it was or wholly changed.
"""

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vms.domain.errors import Refusal

from .appliance import Appliance, Gone, No, end_all
from .base import Progress

__all__ = ["OnDisk", "run_offline"]

WITHIN: Final = 480.0  # seconds; 36 under emulation on an idle machine, of which 12 are the appliance's own boot
STARTED, FOUND, MOUNTED, RAN, WRITTEN = 40, 60, 70, 90, 95  # percent that are done then
ROOM: Final = 16 * 1024 * 1024  # bytes that are left alone on a storage besides what is written there
WORDS: Final = 250  # characters of what somebody else says about it
_SAID, _SCRIPT = "said", "program"
_UPLOADED: Final = "/.headless-webadmin"
_NEEDED: Final = frozenset({"/", "/usr", "/var", "/etc", "/boot"})
_ENCRYPTED: Final = frozenset({"crypto_LUKS", "BitLocker"})
_EXT: Final = re.compile(r"ext[234]")
_STATE: Final = re.compile(r"^Filesystem state: *(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class OnDisk:
    """Where the image of a disk lies that is written to, and how it is laid out."""

    path: Path
    format: str


def run_offline(
    place: Path, disks: Sequence[OnDisk], program: str, *, write: bool, emulated: bool, progress: Progress
) -> str:
    """What a shell's program says that runs as root in the system on these disks; with `write` its changes last.

    `place` is a directory for this one run alone: called again with it after a crash, it ends what was begun. Refused
    with `JOB_CANCELLED` when `progress` says so, nothing written then.
    """
    end_all(place)
    said = place / _SAID
    if not said.exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(mode=0o700, parents=True)
        with _gone_unless_whole(place):
            told = _run(place, disks, program, emulated=emulated, progress=progress)
            if not write:
                shutil.rmtree(place)
                return told
            _require_room(place, disks)
            (place / "saying").write_text(told)
            (place / "saying").replace(said)  # from here on it will be written, whoever dies
    progress(WRITTEN)
    for number in range(len(disks)):
        _tool("qemu-img", "commit", "-q", "-d", "-f", "qcow2", str(_layer(place, number)))
    told = said.read_text()
    shutil.rmtree(place)
    return told


@contextlib.contextmanager
def _gone_unless_whole(place: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def _layer(place: Path, number: int) -> Path:
    return place / f"{number}.qcow2"


def _run(place: Path, disks: Sequence[OnDisk], program: str, *, emulated: bool, progress: Progress) -> str:
    (place / _SCRIPT).write_text(program)
    for number, disk in enumerate(disks):
        _tool("qemu-io", "-f", disk.format, "-c", "read 0 512", str(disk.path))  # no where somebody writes to it
        _tool(
            "qemu-img",
            "create",
            "-q",
            "-f",
            "qcow2",
            "-F",
            disk.format,
            "-b",
            str(disk.path),
            str(_layer(place, number)),
        )
    at = [0]
    try:
        with Appliance(place, lambda: progress(at[0]), within=WITHIN, emulated=emulated) as appliance:
            for number in range(len(disks)):
                appliance.ask("add-drive", _layer(place, number).name, "format:qcow2")
            appliance.ask("run")
            at[0] = STARTED
            root = _root(appliance)
            at[0] = FOUND
            _mount(appliance, root)
            at[0] = MOUNTED
            said = _carried_out(appliance)
            at[0] = RAN
            appliance.shut_down()
            return said
    except Gone as gone:
        raise Refusal("OFFLINE_HANGS" if gone.hangs else "JOB_CANCELLED", None, seconds=int(WITHIN)) from None
    except (No, subprocess.TimeoutExpired) as no:
        raise Refusal("OFFLINE_FAILED", None, message=str(no)[-WORDS:]) from None


def _root(appliance: Appliance) -> str:
    """The device with the one Linux that there is."""
    found = [line.partition(": ")[::2] for line in appliance.ask("list-filesystems").splitlines()]
    if any(kind == "swsuspend" for _device, kind in found):
        raise Refusal("OFFLINE_HIBERNATED")
    for device, kind in found:
        if _EXT.fullmatch(kind):
            _require_sound(appliance, device)
    systems = appliance.ask("inspect-os").split()
    linux = [root for root in systems if appliance.ask("inspect-get-type", root) == "linux"]
    if not systems and _encrypted(appliance):
        raise Refusal("OFFLINE_ENCRYPTED")
    if not linux:
        names = [appliance.ask("inspect-get-product-name", root) for root in systems]
        raise Refusal("OFFLINE_NOT_LINUX", None, message=", ".join(names)[:WORDS])
    if len(linux) > 1:
        raise Refusal("OFFLINE_SEVERAL", None, number=len(linux))
    return linux[0]


def _encrypted(appliance: Appliance) -> bool:
    """Whether a part of the disks is locked by a passphrase; such are not listed among the file systems."""
    devices = " ".join(appliance.ask(listed) for listed in ("list-partitions", "list-devices", "lvs")).split()
    for device in devices:
        with contextlib.suppress(No):
            if appliance.ask("vfs-type", device) in _ENCRYPTED:
                return True
    return False


def _require_sound(appliance: Appliance, device: str) -> None:
    """Refuse a file system that has to be checked; a journal is played back, as the next boot would."""
    state = _STATE.search(appliance.ask("tune2fs-l", device))
    if state is not None and state[1].strip() != "clean":
        raise Refusal("OFFLINE_FILE_SYSTEM", None, device=device, message=state[1].strip())


def _mount(appliance: Appliance, root: str) -> None:
    lines = appliance.ask("inspect-get-mountpoints", root).splitlines()
    for at, device in sorted(line.partition(": ")[::2] for line in lines):
        try:
            appliance.ask("mount", device, at)
        except No as no:
            if at in _NEEDED:
                raise Refusal("OFFLINE_FILE_SYSTEM", None, device=device, message=str(no)[-WORDS:]) from None


def _carried_out(appliance: Appliance) -> str:
    try:
        appliance.ask("upload", _SCRIPT, _UPLOADED)
    except No as no:
        raise Refusal("PREPARE_READ_ONLY", None, message=str(no)[-WORDS:]) from None
    try:
        return appliance.ask(f'command "/bin/sh {_UPLOADED}"')
    finally:
        with contextlib.suppress(No, Gone):
            appliance.ask("rm-f", _UPLOADED)


def _require_room(place: Path, disks: Sequence[OnDisk]) -> None:
    """Refuse before anything is written what would not have room to be written whole."""
    needed: dict[Path, int] = {}
    for number, disk in enumerate(disks):
        if disk.path.is_file():
            taken = _layer(place, number).stat().st_blocks * 512
            needed[disk.path.parent] = needed.get(disk.path.parent, ROOM) + taken
    for directory, size in needed.items():
        if shutil.disk_usage(directory).free < size:
            raise Refusal("STORAGE_FULL", None, host="", message=str(directory))


def _tool(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip()
        if " lock" in said:
            raise Refusal("OFFLINE_DISK_IN_USE")
        raise Refusal("OFFLINE_FAILED", None, message=said[-WORDS:])
