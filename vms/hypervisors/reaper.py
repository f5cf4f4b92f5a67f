"""Runs a program that leaves daemons behind, and takes note of the end of each of them.

libvirt believes a guest alive while its process id can be signalled, and that goes on until somebody has taken
note of its end. Not every first process of a container does so, or does so at once: without this, switching a
guest off takes seconds, or fails.
"""

import ctypes
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

__all__ = ["main"]

PR_SET_CHILD_SUBREAPER: Final = 36  # prctl(2)


def main(command: Sequence[str]) -> int:
    """Run `command` and return its exit code; a process stays behind for as long as its orphans live."""
    reading, writing = os.pipe()
    if os.fork() != 0:
        os.close(writing)
        return (os.read(reading, 1) or b"\1")[0]
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    code = subprocess.call(command)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):  # the caller reads to the end of what is printed
        os.dup2(null, stream)
    os.write(writing, bytes([code & 0xFF]))
    os.close(writing)
    _outlive_children()
    return 0


def _outlive_children() -> None:
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
