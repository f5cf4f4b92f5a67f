"""A bell between the processes of one machine: whoever has changed something rings, and every hub looks at once.

Nothing is said but that there is something: what it is stands in the database. A bell that is not heard costs a while,
never a change.
"""

import contextlib
import os
import socket
from itertools import count
from pathlib import Path
from typing import Final

DIRECTORY: Final = "bells"
_numbers = count(1)


def ring(run_dir: Path) -> None:
    """Ring every bell that somebody waits at; those that were left behind are taken down."""
    try:
        directory = os.open(run_dir / DIRECTORY, os.O_PATH | os.O_DIRECTORY)
    except OSError:
        return  # nobody has ever waited here
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as hand:
            for path in (run_dir / DIRECTORY).iterdir():
                _strike(hand, directory, path.name)
    finally:
        os.close(directory)


def _strike(hand: socket.socket, directory: int, name: str) -> None:
    try:
        hand.sendto(b"!", f"/proc/self/fd/{directory}/{name}")
    except BlockingIOError:
        pass  # it rings already
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=directory)


class Bell:
    """A bell of one's own in `run_dir`; it hangs from the first wait until it is closed."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / DIRECTORY / f"{os.getpid()}-{next(_numbers)}"
        self._ear: socket.socket | None = None

    def open(self) -> None:
        """Hang it up; an `OSError` says why it cannot."""
        if self._ear is not None:
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        directory = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            ear.bind(f"/proc/self/fd/{directory}/{self._path.name}")
        except OSError:
            ear.close()
            raise
        finally:
            os.close(directory)
        self._ear = ear

    def wait(self, seconds: float) -> bool:
        """Whether it has rung since the last time, or does within that time."""
        self.open()
        assert self._ear is not None
        self._ear.settimeout(seconds)
        try:
            self._ear.recv(16)
        except TimeoutError:
            return False
        self._ear.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while self._ear.recv(16):
                pass
        return True

    def close(self) -> None:
        """Take it down."""
        if self._ear is not None:
            self._ear.close()
            self._ear = None
            self._path.unlink(missing_ok=True)
