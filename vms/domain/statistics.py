"""How busy a machine is: counters as its hypervisor tells them, and the figures between two of them."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What a running machine has used since it was started: seconds of CPU, bytes of network and disk; the memory that
    its guest uses at present in MiB, None where it does not tell."""

    at: datetime
    cpu: float = 0.0
    network: int = 0
    disk: int = 0
    memory_used: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Between two moments: percent of all virtual CPUs and of the memory, bytes a second of network and disk."""

    cpu: float
    memory: float | None
    network: float
    disk: float


def between(before: Counters, now: Counters, *, cpus: int, memory: int) -> Figures | None:
    """The figures of the time between; None where the machine was started anew, or a clock was set back."""
    seconds = (now.at - before.at).total_seconds()
    if seconds <= 0 or now.cpu < before.cpu or now.network < before.network or now.disk < before.disk:
        return None
    used = None if now.memory_used is None else min(100.0, 100 * now.memory_used / memory)
    return Figures(
        cpu=min(100.0, 100 * (now.cpu - before.cpu) / seconds / cpus),
        memory=used,
        network=(now.network - before.network) / seconds,
        disk=(now.disk - before.disk) / seconds,
    )
