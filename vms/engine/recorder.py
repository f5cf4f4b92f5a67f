"""Serial lines on disk: a file for each run of a machine, its beginning kept whole, its end within bounds."""

import logging
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

logger = logging.getLogger(__name__)

HEAD: Final = 1024 * 1024  # bytes of a run's beginning, firmware and kernel, that nothing pushes out
TAIL: Final = 1024 * 1024  # of what follows, at least so much of its end, at most twice that
RUNS: Final = 10
DAYS: Final = 30

_RUN: Final = re.compile(r"[0-9]{8}T[0-9]{12}")


class Recorder:
    """Writes down one run of a machine; a disk that is full ends the recording, and nothing else."""

    def __init__(self, directory: Path, machine: UUID, *, fresh: bool) -> None:
        self._place = directory / str(machine)
        self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = runs(self._place)
        self._run = known[-1] if known and not fresh else datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        self._failed = False
        if fresh:
            prune(self._place)

    def write(self, said: bytes) -> None:
        if self._failed:
            return
        try:
            self._append(said)
        except OSError:
            self._failed = True
            logger.exception("the serial log of %s cannot be written", self._place.name)

    def said(self) -> bytes:
        """What the run has said so far, as far as it was kept."""
        parts = (self._place / f"{self._run}{part}" for part in (".log", ".tail.1", ".tail"))
        return b"".join(path.read_bytes() for path in parts if path.exists())

    def _append(self, said: bytes) -> None:
        head, tail = self._place / f"{self._run}.log", self._place / f"{self._run}.tail"
        size = head.stat().st_size if head.exists() else 0
        with head.open("ab") as file:
            file.write(said[: HEAD - size])
        if rest := said[max(0, HEAD - size) :]:
            if tail.exists() and tail.stat().st_size > TAIL:
                tail.replace(tail.with_suffix(".tail.1"))
            with tail.open("ab") as file:
                file.write(rest)


def runs(place: Path) -> list[str]:
    """The runs of a machine that were written down, the oldest first; each is named after its beginning (UTC)."""
    if not place.is_dir():
        return []
    return sorted(path.stem for path in place.glob("*.log") if _RUN.fullmatch(path.stem))


def prune(place: Path) -> None:
    """Keep the last runs, and none that began too long ago."""
    oldest = (datetime.now(UTC) - timedelta(days=DAYS)).strftime("%Y%m%dT%H%M%S%f")
    known = runs(place)
    for run in known:
        if run < oldest or run in known[: -(RUNS - 1)]:
            for path in place.glob(f"{run}.*"):
                path.unlink(missing_ok=True)


def forget(directory: Path, machine: UUID) -> None:
    """Nothing of a machine that has been removed is left."""
    shutil.rmtree(directory / str(machine), ignore_errors=True)
