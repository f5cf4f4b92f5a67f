"""libvirt's statistics of a domain, as our counters."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import libvirt

from vms.domain.statistics import Counters

MEASURED: Final = (
    libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    | libvirt.VIR_DOMAIN_STATS_BALLOON
    | libvirt.VIR_DOMAIN_STATS_INTERFACE
    | libvirt.VIR_DOMAIN_STATS_BLOCK
)


def counters(told: Mapping[str, Any], at: datetime) -> Counters:
    """Sum up typed parameters as they come: `net.0.rx.bytes`, `block.1.wr.bytes`; libvirt tells KiB and nanoseconds."""
    available, unused = told.get("balloon.available"), told.get("balloon.unused")
    return Counters(
        at=at,
        cpu=told.get("cpu.time", 0) / 1e9,
        network=_sum(told, "net", ("rx.bytes", "tx.bytes")),
        disk=_sum(told, "block", ("rd.bytes", "wr.bytes")),
        memory_used=(available - unused) // 1024 if available is not None and unused is not None else None,
    )


def _sum(told: Mapping[str, Any], kind: str, names: tuple[str, ...]) -> int:
    return sum(told.get(f"{kind}.{n}.{name}", 0) for n in range(told.get(f"{kind}.count", 0)) for name in names)
