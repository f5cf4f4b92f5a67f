"""Between a machine and its fields: what they show of each of its parts, and what a person's choices make of it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from vms.domain.console import Offer
from vms.domain.firmware import Firmware
from vms.domain.machine import MachineSpec, MigrationMode, VmType
from vms.domain.parts import (
    Boot,
    BootDevice,
    BootOrder,
    Rng,
    RngSource,
    SerialNumber,
    SerialPolicy,
    Topology,
    Watchdog,
    WatchdogAction,
)
from vms.domain.properties import PROPERTIES
from vms.models import Hardware

from .console import console_values

Values = dict[str, Any]

CPU: Final = ("sockets", "cores", "threads")
BOOT: Final = ("cd", "kernel", "initrd", "parameters")
PROPERTY: Final = "property_"
PROPERTY_FIELDS: Final = tuple(f"{PROPERTY}{name}" for name in PROPERTIES)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a `MachineSpec` and the fields that say it: plain values, in this order, both ways."""

    name: str
    fields: tuple[str, ...]
    show: Callable[[Any], tuple[Any, ...]]
    make: Callable[..., Any]

    def shown(self, spec: MachineSpec) -> Values:
        return dict(zip(self.fields, self.show(getattr(spec, self.name)), strict=True))

    def made(self, values: Mapping[str, Any]) -> Any:
        return self.make(*(values[name] for name in self.fields))


def _plain(name: str, make: Callable[[Any], Any] = lambda value: value, *, field: str = "") -> Part:
    return Part(name, (field or name,), lambda value: (value,), make)


def _hosts(chosen: Iterable[str]) -> tuple[UUID, ...]:
    return tuple(UUID(host) for host in sorted(chosen))


def _rng(source: str, amount: int | None, period: int | None) -> Rng | None:
    return Rng(source=RngSource(source), bytes=amount, period=period) if source else None


def _properties(*values: str) -> dict[str, str]:
    return {name: value for name, value in zip(PROPERTIES, values, strict=True) if value}


PARTS: Final = (
    _plain("os"),
    _plain("memory"),
    _plain("maximum_memory"),
    _plain("guaranteed_memory"),
    Part(
        "cpu",
        CPU,
        lambda cpu: (cpu.sockets, cpu.cores, cpu.threads),
        lambda sockets, cores, threads: Topology(sockets=sockets, cores=cores, threads=threads),
    ),
    _plain("cpu_model"),
    _plain("emulated_machine"),
    _plain("vm_type", VmType),
    _plain("firmware", Firmware),
    _plain("tpm"),
    _plain("time_zone"),
    Part(
        "serial_number",
        ("serial_policy", "serial_value"),
        lambda number: (number.policy.value, number.value),
        lambda policy, value: SerialNumber(policy=SerialPolicy(policy), value=value),
    ),
    Part(
        "boot_order",
        ("boot_devices", "boot_menu"),
        lambda order: (order.text, order.menu),
        lambda text, menu: BootOrder(devices=tuple(BootDevice(name) for name in text.split(",")), menu=menu),
    ),
    Part(
        "boot",
        BOOT,
        lambda boot: tuple(getattr(boot, name) for name in BOOT),
        lambda *values: Boot(**dict(zip(BOOT, values, strict=True))),
    ),
    _plain("start_paused"),
    Part("hosts", ("hosts",), lambda hosts: ([str(host) for host in sorted(hosts)],), _hosts),
    _plain("migration", MigrationMode),
    _plain("restart", field="high_availability"),
    _plain("priority"),
    Part(
        "watchdog",
        ("watchdog_action",),
        lambda watchdog: (watchdog.action.value if watchdog else "",),
        lambda action: Watchdog(action=WatchdogAction(action)) if action else None,
    ),
    _plain("cpu_shares"),
    _plain("ballooning"),
    _plain("io_threads"),
    Part(
        "rng",
        ("rng_source", "rng_bytes", "rng_period"),
        lambda rng: (rng.source.value, rng.bytes, rng.period) if rng else ("", None, None),
        _rng,
    ),
    Part(
        "custom_properties",
        PROPERTY_FIELDS,
        lambda given: tuple(given.get(name, "") for name in PROPERTIES),
        _properties,
    ),
)


def fields_of(names: Iterable[str]) -> tuple[str, ...]:
    """The fields of parts of a `MachineSpec` (`FROM_TEMPLATE`, `LINKED`), the console's left out."""
    wanted = frozenset(names)
    return tuple(field for part in PARTS if part.name in wanted for field in part.fields)


def values_of(spec: MachineSpec, offer: Offer) -> Values:
    """What the fields show for a machine, as plain data; numbers that follow another are None."""
    shown: Values = {"name": spec.name}
    for part in PARTS:
        shown |= part.shown(spec)
    plain = {name: value.value if hasattr(value, "value") else value for name, value in shown.items()}
    return {**plain, **console_values(spec.console, offer)}


def plain(value: Any) -> str:
    """A value of a field as it is posted, so that what was posted and what is stored can be compared."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ",".join(sorted(str(each) for each in value))
    return str(value)


def stored_spec(row: Hardware) -> MachineSpec:
    """The row's machine; one without a name yet gets a stand-in, as a machine cannot be nameless."""
    if row.name:
        return row.spec
    try:
        row.name = "new"
        return row.spec
    finally:
        row.name = ""
