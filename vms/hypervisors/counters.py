"""libvirt's statistics of a domain, as our counters."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import libvirt

from vms.domain.statistics import Counters, NicCounters

from .networks import targets

MEASURED: Final = (
    libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    | libvirt.VIR_DOMAIN_STATS_BALLOON
    | libvirt.VIR_DOMAIN_STATS_INTERFACE
    | libvirt.VIR_DOMAIN_STATS_BLOCK
)


def measured(connection: Any, domain: Any) -> Counters:
    """What a running domain has used, without waiting for what another call does with it: then it tells less."""
    flags = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
    ((_domain, told),) = connection.domainListGetStats([domain], MEASURED, flags)
    return counters(told, datetime.now(UTC), targets(domain))


def counters(told: Mapping[str, Any], at: datetime, cards: Mapping[str, str]) -> Counters:
    """Sum up typed parameters as they come: `net.0.rx.bytes`, `block.1.wr.bytes`; libvirt tells KiB and nanoseconds.

    `cards` are MAC addresses by the host's names for the cards.
    """
    available, unused = told.get("balloon.available"), told.get("balloon.unused")
    return Counters(
        at=at,
        cpu=told.get("cpu.time", 0) / 1e9,
        network=_sum(told, "net", ("rx.bytes", "tx.bytes")),
        disk=_sum(told, "block", ("rd.bytes", "wr.bytes")),
        memory_used=(available - unused) // 1024 if available is not None and unused is not None else None,
        nics={cards[name]: counted for name, counted in _nics(told) if name in cards},
    )


def _nics(told: Mapping[str, Any]) -> Iterator[tuple[str, NicCounters]]:
    for number in range(told.get("net.count", 0)):

        def count(*names: str, at: str = f"net.{number}") -> int:
            return sum(told.get(f"{at}.{name}", 0) for name in names)

        yield (
            told.get(f"net.{number}.name", ""),
            NicCounters(
                received=count("rx.bytes"),
                sent=count("tx.bytes"),
                receive_errors=count("rx.errs", "rx.drop"),
                send_errors=count("tx.errs", "tx.drop"),
            ),
        )


def _sum(told: Mapping[str, Any], kind: str, names: tuple[str, ...]) -> int:
    return sum(told.get(f"{kind}.{n}.{name}", 0) for n in range(told.get(f"{kind}.count", 0)) for name in names)
