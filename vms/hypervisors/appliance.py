"""libguestfs's appliance: a small system of its own that looks into the disks of a machine that is off.

What lies on such a disk may mean no good; a kernel that this host lets touch it is not this host's. The appliance is
driven through guestfish, which has no bindings that would have to match this Python.
"""

import contextlib
import os
import queue
import re
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

__all__ = ["Appliance", "Gone", "No", "why_none"]

PROGRAMS: Final = ("guestfish", "qemu-img", "qemu-io", "setpriv", "stdbuf")
KERNELS: Final = Path("/boot")
MODULES: Final = Path("/lib/modules")
POLL: Final = 0.5  # seconds between two looks whether anybody still wants it
ENDS_WITHIN: Final = 30.0  # seconds for the appliance to write what it holds and to switch itself off
_LIMIT: Final = 256 * 1024  # characters of an answer; a longer one is nonsense of the guest's
_ERROR: Final = re.compile(r"^(?:\*stdin\*:\d+: )?libguestfs: error: (.*)$", re.MULTILINE)
_SAFE: Final = re.compile(r"[A-Za-z0-9/][A-Za-z0-9._:/@+-]*")


class No(Exception):
    """The appliance refuses a command; its words say why."""


class Gone(Exception):
    """The appliance takes too long (`hangs`), or nobody wants it any more."""

    def __init__(self, *, hangs: bool) -> None:
        super().__init__(hangs)
        self.hangs = hangs


def why_none() -> str:
    """What keeps this machine from having an appliance: `program` or `kernel` is missing; empty when nothing does."""
    if any(shutil.which(program) is None for program in PROGRAMS):
        return "program"
    if os.environ.get("SUPERMIN_KERNEL") or os.environ.get("LIBGUESTFS_PATH"):
        return ""
    images = (image for image in KERNELS.glob("vmlinuz-*") if os.access(image, os.R_OK))
    return "" if any((MODULES / image.name.removeprefix("vmlinuz-")).is_dir() for image in images) else "kernel"


class Appliance:
    """One run of guestfish in a directory of its own, within which the images lie; ends with the `with` block.

    `wanted` is asked all the time and told how far it is; `within` seconds everything has to be through.
    """

    def __init__(self, place: Path, wanted: Callable[[], bool], *, within: float, emulated: bool) -> None:
        self._place, self._wanted = place, wanted
        self._until = time.monotonic() + within
        self._mark = f"::{secrets.token_hex(8)}"  # no guest can guess where an answer ends
        settings = {"LIBGUESTFS_BACKEND_SETTINGS": "force_tcg"} if emulated else {}
        # Killed with the thread that waits for it: an engine that dies leaves nothing behind that writes.
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", "stdbuf", "-oL", "guestfish"],
            cwd=place,
            env={**os.environ, "LC_ALL": "C.UTF-8", "LIBGUESTFS_BACKEND": "direct", **settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            bufsize=1,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), name="guestfish", daemon=True)
        self._reader.start()

    def __enter__(self) -> "Appliance":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        end_all(self._place)
        self._reader.join(ENDS_WITHIN)
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()

    def ask(self, command: str, *words: str) -> str:
        """What a command answers. Words that may mean something to guestfish are refused: many come from the guest."""
        if bad := next((word for word in words if not _SAFE.fullmatch(word)), None):
            raise No(f"{bad!r} is no name")
        assert self._process.stdin is not None
        # With a minus a command that fails does not end guestfish.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"-{' '.join([command, *words])}\necho {self._mark}\n")
        said = "".join(self._answer())
        if errors := _ERROR.findall(said):
            raise No(" ".join(errors))
        return said.strip("\n")

    def shut_down(self) -> None:
        """Have everything written to the images, and end well."""
        self._until = max(self._until, time.monotonic() + ENDS_WITHIN)
        self.ask("umount-all")
        self.ask("shutdown")
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(ENDS_WITHIN)

    def _answer(self) -> Iterator[str]:
        length = 0
        while True:
            if time.monotonic() > self._until:
                raise Gone(hangs=True)
            if not self._wanted():
                raise Gone(hangs=False)
            with contextlib.suppress(queue.Empty):
                line = self._lines.get(timeout=POLL)
                if line.startswith(self._mark):
                    return
                if not line:
                    raise No("guestfish has ended")
                length += len(line)
                if length < _LIMIT:
                    yield line

    def _read(self, said: IO[str]) -> None:
        for line in said:
            self._lines.put(line)
        self._lines.put("")


def end_all(place: Path) -> None:
    """End whatever still has images of that directory open: the QEMU of an appliance outlives guestfish by seconds."""
    deadline = time.monotonic() + ENDS_WITHIN
    while users := [pid for pid in _others() if _has_open(pid, place)]:
        for pid in users:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            return
        time.sleep(POLL / 10)


def _others() -> list[int]:
    pids = (int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit())
    return [pid for pid in pids if pid != os.getpid()]


def _has_open(pid: int, place: Path) -> bool:
    with contextlib.suppress(OSError):
        return any(place in each.readlink().parents for each in Path(f"/proc/{pid}/fd").iterdir())
    return False
