"""How busy a machine is: counters as its hypervisor tells them, and the figures between two of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NicCounters:
    """What has gone through a network card since it was plugged in: bytes, and packets that were lost."""

    received: int = 0
    sent: int = 0
    receive_errors: int = 0
    send_errors: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What a running machine has used since it was started: seconds of CPU, bytes of network and disk; the memory that
    its guest uses at present in MiB, None where it does not tell. `nics` is by MAC address; user mode counts none."""

    at: datetime
    cpu: float = 0.0
    network: int = 0
    disk: int = 0
    memory_used: int | None = None
    nics: Mapping[str, NicCounters] = field(default_factory=dict)


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


def rate(before: int, now: int, seconds: float) -> float:
    """Bytes a second between two counts; nothing where it was counted anew."""
    return (now - before) / seconds if seconds > 0 and now >= before else 0.0
