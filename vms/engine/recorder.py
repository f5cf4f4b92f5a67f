"""Serial lines on disk: a file for each run of a machine, its beginning kept whole, its end within bounds."""

import logging
import re
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from vms.domain.transcript import Retention

logger = logging.getLogger(__name__)

KEPT: Final = Retention()
BEFORE: Final = 60.0  # seconds that a run may have been recorded before its start was seen

_RUN: Final = re.compile(r"[0-9]{8}T[0-9]{12}")


class Recorder:
    """Writes down one run of a machine; a disk that is full ends the recording, and nothing else."""

    def __init__(self, directory: Path, machine: UUID, *, fresh: bool, retention: Retention = KEPT) -> None:
        self._retention = retention
        self._place = directory / str(machine)
        self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = runs(self._place)
        self._run = known[-1] if known and not fresh else datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        self._failed = False
        if fresh:
            prune(self._place, replace(retention, runs=retention.runs - 1))

    def write(self, said: bytes) -> None:
        if self._failed:
            return
        try:
            self._append(said)
        except OSError:
            self._failed = True
            logger.exception("the serial log of %s cannot be written", self._place.name)

    @property
    def began(self) -> float:
        """When the run began, in seconds of the epoch."""
        return began(self._run).timestamp()

    def said(self) -> bytes:
        """What the run has said so far, as far as it was kept."""
        parts = (self._place / f"{self._run}{part}" for part in (".log", ".tail.1", ".tail"))
        return b"".join(path.read_bytes() for path in parts if path.exists())

    def _append(self, said: bytes) -> None:
        most = self._retention.head
        head, tail = self._place / f"{self._run}.log", self._place / f"{self._run}.tail"
        size = head.stat().st_size if head.exists() else 0
        with head.open("ab") as file:
            file.write(said[: most - size])
        if rest := said[max(0, most - size) :]:
            if tail.exists() and tail.stat().st_size > self._retention.tail:
                tail.replace(tail.with_suffix(".tail.1"))
            with tail.open("ab") as file:
                file.write(rest)


def runs(place: Path) -> list[str]:
    """The runs of a machine that were written down, the oldest first; each is named after its beginning (UTC)."""
    if not place.is_dir():
        return []
    return sorted(path.stem for path in place.glob("*.log") if _RUN.fullmatch(path.stem))


@dataclass(frozen=True, slots=True)
class Heard:
    """The end of what a line has said in its present run, and when it spoke last (seconds since 1970)."""

    text: str
    at: float


def heard(directory: Path, machine: UUID, most: int, *, since: float) -> Heard | None:
    """At most so many bytes that the present run has said; None where none is written down that began, or has spoken,
    since then: what another run before it has said, however lately, is no news of this one.

    A run's file is begun a moment before its machine is."""
    place = directory / str(machine)
    if not (known := runs(place)):
        return None
    head, tail = (place / f"{known[-1]}{part}" for part in (".log", ".tail"))
    path = tail if tail.exists() else head
    told = path.stat()
    if told.st_mtime < since and began(known[-1]).timestamp() < since - BEFORE:
        return None
    with path.open("rb") as file:
        file.seek(max(0, told.st_size - most))
        return Heard(file.read().decode(errors="replace"), told.st_mtime)


def prune(place: Path, retention: Retention = KEPT) -> None:
    """Keep the last runs of a machine, and none that began too long ago."""
    oldest = (datetime.now(UTC) - timedelta(days=retention.days)).strftime("%Y%m%dT%H%M%S%f")
    known = runs(place)
    for run in known:
        if run < oldest or run in known[: len(known) - retention.runs]:
            for path in place.glob(f"{run}.*"):
                path.unlink(missing_ok=True)


def prune_all(directory: Path, retention: Retention = KEPT) -> None:
    """The same for every machine; one that never starts again is kept no longer, either."""
    for place in directory.iterdir() if directory.is_dir() else ():
        prune(place, retention)


def began(run: str) -> datetime:
    """When a run began, by its name."""
    return datetime.strptime(run, "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)


def forget(directory: Path, machine: UUID) -> None:
    """Nothing of a machine that has been removed is left."""
    shutil.rmtree(directory / str(machine), ignore_errors=True)
