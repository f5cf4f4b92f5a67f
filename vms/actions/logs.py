"""What serial consoles said: written down by the engine's broker, read by whoever may use the console."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from django.conf import settings

from vms.domain.errors import Refusal
from vms.models import VM, ActionGroup, User

from ._authorise import authorise

_RUN: Final = re.compile(r"[0-9]{8}T[0-9]{12}")
_GAP: Final = "\n[… the log is too long: a part is left out here …]\n"


def runs(vm: VM) -> list[datetime]:
    """When the runs began whose serial lines were written down, the last one first."""
    return [datetime.strptime(run, "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC) for run in reversed(_runs(vm))]


def read(vm: VM, *, by: User) -> str:
    """What the line said since the last start, from the firmware's first line on; it may hold secrets."""
    authorise(by, ActionGroup.CONNECT_TO_SERIAL_CONSOLE, vm)
    found = _runs(vm)
    if not found:
        raise Refusal("NO_SERIAL_LOG", None, name=vm.name)
    place = settings.SERIAL_DIR / str(vm.pk)
    head, *tail = (place / f"{found[-1]}{part}" for part in (".log", ".tail.1", ".tail"))
    rest = "".join(map(_text, filter(Path.exists, tail)))
    return _text(head) + (_GAP if tail[0].exists() else "") + rest


def _text(path: Path) -> str:
    return path.read_bytes().decode(errors="replace")


def _runs(vm: VM) -> list[str]:
    """The names of the runs; those of whoever had a pool's machine before are nothing to whoever has it now."""
    place = settings.SERIAL_DIR / str(vm.pk)
    if not place.is_dir():
        return []
    found = sorted(path.stem for path in place.glob("*.log") if _RUN.fullmatch(path.stem))
    return found[-1:] if vm.pool_id else found
