"""What a machine without a screen saves: the same guest with and without one, side by side, measured on its QEMU."""

import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from vms.domain.console import Console
from vms.domain.machine import MachineSpec
from vms.domain.parts import Boot
from vms.domain.runonce import Run
from vms.hypervisors.base import Hypervisor

MEMORY: Final = 192  # MiB, what the demonstration guest has
SETTLED: Final = 5.0  # percent of a processor, below which a guest is idle
SETTLES_WITHIN: Final = 300.0
BOOTS_WITHIN: Final = 120.0
LOOK: Final = 3.0
_TICK: Final = os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")

Say = Callable[[str], None]


class NotMeasured(Exception):
    """Why nothing could be measured, as a sentence."""


@dataclass(frozen=True)
class Use:
    """What a QEMU uses: MiB of memory (PSS), and percent of a processor."""

    memory: float
    cpu: float


def side_by_side(driver: Hypervisor, boot: Boot, seconds: int) -> tuple[Use, Use]:
    """What the guest uses headless and with VNC, both idle at the same time; nothing of them is left behind."""
    screen = Console(serial=True)
    consoles = {"headless": screen.as_headless(), "graphical": screen}
    specs = {
        name: MachineSpec(id=uuid4(), name=f"saving-{name}", memory=MEMORY, boot=boot, console=console)
        for name, console in consoles.items()
    }
    try:
        for spec in specs.values():
            driver.start(Run(base=spec, job=uuid4()))
        pids = {name: _pid(spec.id) for name, spec in specs.items()}
        _wait_until_booted(driver, [spec.id for spec in specs.values()])
        cpu = _busy_when_idle(pids, seconds)
        used = {name: Use(_memory(pid), cpu[name]) for name, pid in pids.items()}
    finally:
        for spec in specs.values():
            driver.stop(spec.id)
            driver.remove(spec.id)
    return used["headless"], used["graphical"]


def median(uses: list[Use]) -> Use:
    """The middle one of several, of each figure by itself."""
    return Use(statistics.median(use.memory for use in uses), statistics.median(use.cpu for use in uses))


def _pid(machine: UUID) -> int:
    for place in _PROC.glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has ended meanwhile
            continue
        if b"qemu" in words[0] and str(machine).encode() in words:
            return int(place.name)
    raise NotMeasured("the machine's QEMU does not run on this computer")


def _wait_until_booted(driver: Hypervisor, machines: list[UUID]) -> None:
    """Wait for their agents, which a guest may have been built without.

    A guest that waits for a processor of a busy host uses as little as one that is idle.
    """
    until = time.monotonic() + BOOTS_WITHIN
    while not all(driver.ask_guest(machine).agent for machine in machines) and time.monotonic() < until:
        time.sleep(LOOK)


def _busy_when_idle(pids: Mapping[str, int], seconds: float) -> dict[str, float]:
    until = time.monotonic() + SETTLES_WITHIN
    while max((busy := _busy(pids, seconds)).values()) > SETTLED:
        if time.monotonic() > until:
            raise NotMeasured(f"the guests were not idle within {SETTLES_WITHIN:.0f} seconds")
    return busy


def _busy(pids: Mapping[str, int], seconds: float) -> dict[str, float]:
    begun, before = time.monotonic(), {name: _ticks(pid) for name, pid in pids.items()}
    time.sleep(seconds)
    took = time.monotonic() - begun
    return {name: 100 * (_ticks(pid) - before[name]) / _TICK / took for name, pid in pids.items()}


def _ticks(pid: int) -> int:
    """Processor time in user and kernel mode; the name before it may hold blanks and brackets."""
    fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _memory(pid: int) -> float:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except PermissionError as error:
        raise NotMeasured("reading what another user's QEMU uses takes root") from error
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
