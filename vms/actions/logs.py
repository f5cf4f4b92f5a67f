"""What serial consoles said: written down by the engine's broker, read by whoever may use the console."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from vms.domain.errors import Refusal
from vms.domain.transcript import GAP, Transcript
from vms.models import VM, ActionGroup, AuditEvent, User

from . import rights
from ._authorise import authorise

_RUN: Final = re.compile(r"[0-9]{8}T[0-9]{12}")
# A run's beginning, and its end in two parts (`engine.recorder` writes them).
_HEAD, _ENDS = ".log", (".tail.1", ".tail")


@dataclass(frozen=True, slots=True)
class Kept:
    """A run whose serial line was written down; its name is the moment of its beginning."""

    name: str
    size: int

    @property
    def began(self) -> datetime:
        return datetime.strptime(self.name, "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)


def kept(vm: VM, *, by: User) -> list[Kept]:
    """The runs that somebody may read of, the last one first."""
    authorise(by, ActionGroup.CONNECT_TO_SERIAL_CONSOLE, vm)
    place, first = settings.SERIAL_DIR / str(vm.pk), since(vm, by)
    if not place.is_dir():
        return []
    found = sorted((path for path in place.glob(f"*{_HEAD}") if _RUN.fullmatch(path.stem)), reverse=True)
    runs = [Kept(path.stem, sum(part.stat().st_size for part in _parts(path))) for path in found]
    return [run for run in runs if first is None or run.began >= first]


def chosen(runs: list[Kept], name: str) -> Kept | None:
    """The run of that name; without a name the last one."""
    return next((run for run in runs if name in ("", run.name)), None)


def read(vm: VM, run: str = "", *, by: User) -> str:
    """What the line said in a run, or in the last one, from the firmware's first line on; it may hold secrets."""
    found = chosen(kept(vm, by=by), run)
    if found is None:
        raise Refusal("NO_SERIAL_LOG", None, name=vm.name)
    return _said(vm.pk, found.name)


def transcript(vm: VM, run: Kept) -> Transcript:
    """The lines of a run that `kept` told; read once while it says nothing new."""
    return _transcript(vm.pk, run.name, run.size)


def since(vm: VM, user: User) -> datetime | None:
    """From when on what a machine said is for somebody to read; None for all of it.

    A machine that was taken from a pool tells its holder nothing of who had it before, except whoever edits pools.
    """
    taken = AuditEvent.objects.filter(entity_id=vm.pk, code="USER_ATTACH_USER_TO_VM_FROM_POOL").order_by("-id")
    at = taken.values_list("at", flat=True).first()
    if at is None and vm.pool_id is not None:  # nobody took it: somebody was given a role on it
        at = vm.started_at or timezone.now()
    if at is None or rights.may(user, ActionGroup.EDIT_VM_POOL_CONFIGURATION, vm.cluster):
        return None
    return at


@lru_cache(maxsize=4)
def _transcript(machine: UUID, run: str, size: int) -> Transcript:
    return Transcript(_said(machine, run))


def _said(machine: UUID, run: str) -> str:
    head, *ends = _parts(settings.SERIAL_DIR / str(machine) / f"{run}{_HEAD}")
    gap = f"\n{GAP}\n" if any(end.suffix == ".1" for end in ends) else ""
    return _text(head) + gap + "".join(map(_text, ends))


def _parts(head: Path) -> list[Path]:
    return [head, *filter(Path.exists, (head.with_suffix(end) for end in _ENDS))]


def _text(path: Path) -> str:
    return path.read_bytes().decode(errors="replace")
