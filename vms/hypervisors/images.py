"""Asking QEMU's own tool what a file is, which somebody has brought who may mean no good."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

from vms.domain.disks import DiskFormat
from vms.domain.errors import Refusal

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
