"""QEMU's own tool at work on images of this machine: what a file is, which somebody has brought who may mean no good,
and what takes long, so that one can see how far it is and call it off."""

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, Final

from vms.domain.disks import DiskFormat, Volume
from vms.domain.errors import Refusal

from .base import Progress

MEMORY: Final = 1024 * 1024 * 1024  # bytes that the tool may take
SECONDS: Final = 30


def verify(path: Path, format: DiskFormat) -> int | None:
    """The virtual size of an image that is of this format and refers to no other file; None without the tool.

    The tool is told the format, so that it tries no other, and is bounded: a header can ask for all memory.
    """
    tool, bound = shutil.which("qemu-img"), shutil.which("prlimit")
    if tool is None or bound is None:
        return None
    limits = [bound, f"--as={MEMORY}", f"--cpu={SECONDS}", "--core=0", "--"]
    asked = [*limits, tool, "info", "-U", "-f", format.value, "--output=json", "--", str(path)]
    try:
        done = subprocess.run(asked, capture_output=True, timeout=2 * SECONDS, check=False, env={"LANG": "C.UTF-8"})
        told: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        raise Refusal("IMAGE_ILLEGAL", "file", image_why="unreadable", format="") from None
    if "backing-filename" in told or "full-backing-filename" in told:
        raise Refusal("IMAGE_ILLEGAL", "file", image_why="backing", format="")
    if (told.get("format-specific") or {}).get("data", {}).get("data-file"):
        raise Refusal("IMAGE_ILLEGAL", "file", image_why="data_file", format="")
    return int(told["virtual-size"])


def convert(source: Path, format: DiskFormat, into: Path, wanted: DiskFormat) -> None:
    """The same content in another format; both are told, so that nothing is guessed."""
    asked = ["qemu-img", "convert", "-q", "-f", format.value, "-O", wanted.value, "--", str(source), str(into)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, env={**os.environ, "LANG": "C.UTF-8"})
    if done.returncode:
        said = done.stderr.strip()[-300:]
        full = "No space left" in said
        raise Refusal("STORAGE_FULL" if full else "HYPERVISOR_REFUSED", None, message=said, host="")


def reachable(path: str) -> bool:
    """Whether this process may read the images of a host, and the tool is there."""
    return os.access(path, os.R_OK) and shutil.which("qemu-img") is not None


def converted(source: str, format: DiskFormat, target: str, volume: Volume, progress: Progress) -> None:
    """Copy all that an image shows, backings included, into a new and empty volume at `target`."""
    # A block device holds what was there before; a new file reads as zeros, which need not be written.
    empty = [] if volume.storage.block or not volume.sparse else ["--target-is-zero"]
    layout = ["-f", format.value, "-O", volume.format.value]
    _run(["convert", "-p", "-n", "-t", "writeback", *empty, *layout, source, target], progress)


def rebased(path: str, format: DiskFormat, onto: list[str], progress: Progress) -> None:
    """Let an image that nobody has open begin as another one, or as none, and show what it showed."""
    _run(["rebase", "-p", "-f", format.value, *onto, path], progress)


def waited(call: Callable[[], object], part: Callable[[], int], progress: Progress) -> None:
    """Wait for a long call that nothing stops; what is not wanted any more is refused when it has ended."""
    outcome: Future[None] = Future()

    def settle() -> None:
        try:
            call()
            outcome.set_result(None)
        except BaseException as error:  # noqa: BLE001  # who waits for the outcome is told
            outcome.set_exception(error)

    if not progress(0):
        raise Refusal("JOB_CANCELLED")
    threading.Thread(target=settle, name="libvirt-copy", daemon=True).start()
    wanted = True
    while not wait([outcome], LOOK_EVERY).done:
        wanted = progress(part()) and wanted
    outcome.result()
    if not wanted:
        raise Refusal("JOB_CANCELLED")


def _run(command: list[str], progress: Progress) -> None:
    """Have qemu-img do something, and end with this process: the next engine begins it anew."""
    bound = [tool, "--pdeathsig", "KILL", "--"] if (tool := shutil.which("setpriv")) else []
    with subprocess.Popen(
        [*bound, "qemu-img", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_ENVIRONMENT
    ) as tool_at_work:
        assert tool_at_work.stdout is not None
        assert tool_at_work.stderr is not None
        try:
            while told := os.read(tool_at_work.stdout.fileno(), 4096):
                if (found := _PERCENT.findall(told)) and not progress(min(99, int(found[-1]))):
                    raise Refusal("JOB_CANCELLED")
        except BaseException:
            tool_at_work.kill()
            raise
        said = tool_at_work.stderr.read().decode(errors="replace").strip()
    if tool_at_work.returncode:
        raise Refusal("HYPERVISOR_REFUSED", None, message=(said or "qemu-img failed")[-300:])


LOOK_EVERY: Final = 0.5  # seconds
_PERCENT: Final = re.compile(rb"\((\d+)\.\d+/100%\)")
_ENVIRONMENT: Final = {"LANG": "C.UTF-8", "PATH": os.environ.get("PATH", os.defpath)}
