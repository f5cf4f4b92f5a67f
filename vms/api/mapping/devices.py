"""What hangs on a machine beside its consoles: told of the machine itself, or always empty here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from django.utils import timezone

from vms.api.document import Long
from vms.domain.lifecycle import NOT_RUNNING, Status
from vms.domain.parts import Watchdog, WatchdogAction
from vms.models import VM, Hardware, Statistic

from .entity import MOST_IDS, Entity, Items, Link, of_each
from .fields import BOOLEAN, TEXT, Field, Reference, Schema, Telling, Type, Words, list_of, object_of


def bare(name: str, collection: str, plural: str = "", **more: Any) -> Entity:
    """A type of which there is nothing yet; its words are known all the same."""
    return Entity(name=name, collection=collection, plural=plural or f"{name}s", own=(), **more)


def empty(name: str, rel: str, element: str = "") -> Link:
    """A sub-collection that is always empty here."""
    return Link(rel=rel, entity=bare(name, rel), element=element)


def _hanging(name: str, items: Items, *own: Field, on: tuple[str, str] = ("vm", "vms")) -> Link:
    """Things that hang on one kind of owner, each of which tells whose it is."""
    owner, collection = on
    told = (*own, Field(owner, Reference(collection), lambda it: it.owner))
    rel = f"{name}s"
    return Link(rel=rel, entity=Entity(name=name, collection=rel, plural=rel, own=told), items=items)


@dataclass(frozen=True, slots=True)
class Reported:
    """A network interface as the guest tells of it, with its addresses."""

    vm_id: UUID
    name: str
    mac: str
    addresses: tuple[str, ...]

    @property
    def pk(self) -> UUID:
        return uuid5(self.vm_id, f"reported/{self.name}/{self.mac}")


def reported(row: VM, _telling: Telling) -> Iterable[Reported]:
    """The network interfaces that its guest tells of."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in row.addresses:
        found.setdefault((one.interface or "eth0", one.mac), []).append(one.address)
    return [Reported(row.pk, name, mac, tuple(addresses)) for (name, mac), addresses in found.items()]


class _Ips(Type):
    endless = True

    def schema(self) -> Schema:
        return list_of("ip", object_of(address=TEXT.schema(), version={"type": "string", "enum": ["v4", "v6"]}))

    def tell(self, value: tuple[str, ...], telling: Telling) -> Any:
        return {"ip": [{"address": each, "version": "v6" if ":" in each else "v4"} for each in value]}


REPORTED_DEVICE: Final = Entity(
    name="reported_device",
    collection="reporteddevices",
    plural="reported_devices",
    own=(
        Field("name", TEXT, lambda it: it.name),
        Field("type", TEXT, lambda _it: "network"),
        Field("mac/address", TEXT, lambda it: it.mac or None),
        Field("ips", _Ips(), lambda it: it.addresses),
        Field("vm", Reference("vms"), lambda it: it.vm_id),
    ),
)
REPORTED_DEVICES: Final = Link(rel="reporteddevices", entity=REPORTED_DEVICE, items=of_each(reported))


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody at the machine: its console's user, or somebody who has logged in inside the guest."""

    owner: UUID
    user_id: UUID | None
    name: str

    @property
    def pk(self) -> UUID:
        return uuid5(self.owner, f"session/{self.user_id or self.name}")


def _sessions(row: VM, _telling: Telling) -> Iterable[Session]:
    if row.console_user_id:
        yield Session(row.pk, row.console_user_id, "")
    for user in row.guest.users:
        yield Session(row.pk, None, user.name)


SESSIONS: Final = _hanging(
    *("session", of_each(_sessions)),
    Field("console_user", BOOLEAN, lambda it: it.user_id is not None),
    Field("user", Reference("users"), lambda it: it.user_id),
    Field("name", TEXT, lambda it: it.name or None),
)


@dataclass(frozen=True, slots=True)
class Application:
    """What the guest tells to be installed in it."""

    owner: UUID
    name: str

    @property
    def pk(self) -> UUID:
        return uuid5(self.owner, f"application/{self.name}")


APPLICATIONS: Final = _hanging(
    "application",
    of_each(lambda row, _telling: [Application(row.pk, name) for name in row.guest.applications]),
    Field("name", TEXT, lambda it: it.name),
)


@dataclass(frozen=True, slots=True)
class Drive:
    """The CD drive of a machine, with what lies in it; every machine has one, as in oVirt."""

    owner: UUID
    file: str

    @property
    def pk(self) -> UUID:
        return UUID(int=0)


def _drives(row: Hardware, telling: Telling) -> Iterable[Drive]:
    run = row.run if isinstance(row, VM) and telling.current else None
    yield Drive(row.pk, run.spec.boot.cd if run else row.cd)


@dataclass(frozen=True, slots=True)
class Guard:
    """The watchdog of a machine."""

    owner: UUID
    action: WatchdogAction

    @property
    def pk(self) -> UUID:
        return uuid5(self.owner, "watchdog")


def _guards(row: Hardware, _telling: Telling) -> Iterable[Guard]:
    if row.watchdog_action:
        yield Guard(row.pk, WatchdogAction(row.watchdog_action))


_MODEL: Final = Words({Watchdog().model: Watchdog().model})
_ACTION: Final = Words({action.value: action for action in WatchdogAction})


def cdroms(name: str, collection: str) -> Link:
    """The CD drive of one kind of machine."""
    own = (Field("name", TEXT, lambda _it: "cdrom"), Field("file/id", TEXT, lambda it: it.file or None, "boot.cd"))
    return _hanging("cdrom", of_each(_drives), *own, on=(name, collection))


def watchdogs(name: str, collection: str) -> Link:
    """The watchdog of one kind of machine."""
    own = (
        Field("model", _MODEL, lambda _it: Watchdog().model, "watchdog.model"),
        Field("action", _ACTION, lambda it: it.action, "watchdog.action"),
    )
    return _hanging("watchdog", of_each(_guards), *own, on=(name, collection))


@dataclass(frozen=True, slots=True)
class Figure:
    """One statistic of one owner."""

    collection: str
    owner: UUID
    name: str
    description: str
    unit: str
    value: float

    @property
    def pk(self) -> UUID:
        return uuid5(self.owner, f"statistic/{self.name}")


class _Values(Type):
    def schema(self) -> Schema:
        return list_of("value", object_of(datum={"type": "number"}))

    def tell(self, value: float, telling: Telling) -> Any:
        return {"value": [{"datum": Long(value) if isinstance(value, int) else value}]}


def _figures_of(owners: Sequence[VM], _telling: Telling) -> Mapping[Any, Sequence[Figure]]:
    """Of each machine its memory, and of one that runs the last minute that was measured; one query for all."""
    latest: dict[Any, Statistic] = {}
    running = [vm.pk for vm in owners if Status(vm.observed) not in NOT_RUNNING]
    for start in range(0, len(running), MOST_IDS):
        measured = Statistic.objects.filter(vm__in=running[start : start + MOST_IDS], at__gte=timezone.now() - _FRESH)
        # The oldest first, so that the latest stays.
        latest |= {one.vm_id: one for one in measured.order_by("at")}
    return {vm.pk: tuple(_figures(vm, latest.get(vm.pk))) for vm in owners}


_FRESH: Final = timedelta(minutes=5)


def _figures(vm: VM, last: Statistic | None) -> Iterable[Figure]:
    memory = vm.memory * 1024 * 1024
    yield Figure("vms", vm.pk, "memory.installed", "Total memory configured", "bytes", memory)
    if last is None:
        return
    yield Figure("vms", vm.pk, "cpu.current.total", "Current total CPU used", "percent", round(last.cpu, 1))
    yield Figure("vms", vm.pk, "network.bytes.current", "Network traffic", "bytes_per_second", round(last.network))
    yield Figure("vms", vm.pk, "disk.bytes.current", "Disk traffic", "bytes_per_second", round(last.disk))
    if last.memory is not None:
        yield Figure(
            "vms", vm.pk, "memory.used", "Memory used by the guest", "bytes", round(memory * last.memory / 100)
        )
        yield Figure("vms", vm.pk, "memory.usage", "Share of the memory used", "percent", round(last.memory, 1))


def statistics(name: str, collection: str, figures: Items) -> Link:
    """The statistics of one type."""
    own = (
        Field("name", TEXT, lambda it: it.name),
        Field("description", TEXT, lambda it: it.description),
        Field("kind", TEXT, lambda _it: "gauge"),
        Field("type", TEXT, lambda it: "integer" if isinstance(it.value, int) else "decimal"),
        Field("unit", TEXT, lambda it: it.unit),
        Field("values", _Values(), lambda it: it.value),
    )
    return _hanging("statistic", figures, *own, on=(name, collection))


STATISTICS: Final = statistics("vm", "vms", _figures_of)
