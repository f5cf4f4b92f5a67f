"""What is told of a machine beside what it is: its devices, its events, its jobs."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from vms import messages
from vms.messages import Text
from vms.models import VM, AuditEvent, Device, Hardware, Job, JobState, Scope

SHOWN: Final = 50


@dataclass(frozen=True)
class DeviceLine:
    """One device, and where it is: in the configuration, in the present run, or in both."""

    kind: Text
    model: str
    address: str
    params: list[tuple[str, Any]]
    configured: bool
    running: bool


@dataclass(frozen=True)
class EventLine:
    at: datetime
    text: str
    severity: str
    fields: str


@dataclass(frozen=True)
class JobLine:
    at: datetime
    verb: Text
    state: Text
    failed: bool
    reason: str


def devices(row: Any) -> list[DeviceLine]:
    """The devices in a stable order, each once."""
    scopes: dict[Any, dict[str, Device]] = {}
    for device in row.devices.order_by("position"):
        scopes.setdefault(device.device_id, {})[device.scope] = device
    return [_device(found) for found in scopes.values()]


def events(row: Hardware) -> list[EventLine]:
    """The latest events about a machine of any kind, the newest first."""
    return lines(AuditEvent.objects.filter(entity_id=row.pk).order_by("-id")[:SHOWN])


def lines(found: Iterable[AuditEvent]) -> list[EventLine]:
    """Events in sentences."""
    return [
        EventLine(
            event.at,
            messages.event(event.code, entity=event.entity_name, actor=event.actor_name, params=event.params),
            event.severity,
            # Sorted: PostgreSQL keeps no order of keys.
            ", ".join(sorted(str(messages.audited_field(key)) for key in event.after)),
        )
        for event in found
    ]


def jobs(vm: VM) -> list[JobLine]:
    """The latest jobs of the machine, the newest first."""
    return [
        JobLine(
            job.created_at,
            messages.verb(job.verb),
            JobState(job.state).label,
            job.state == JobState.FAILED,
            messages.job_error(job.error),
        )
        for job in Job.objects.filter(machine=vm.pk)[:SHOWN]
    ]


def _device(found: dict[str, Device]) -> DeviceLine:
    shown = found.get(Scope.RUNNING) or found[Scope.CONFIGURED]
    return DeviceLine(
        messages.DEVICES.get(shown.kind, shown.kind),  # type: ignore[call-overload]
        shown.model,
        _address(shown.address),
        sorted(shown.params.items()),
        Scope.CONFIGURED in found,
        Scope.RUNNING in found,
    )


def _address(address: dict[str, str]) -> str:
    """`pci 0000:00:02.0` for a PCI address, else the parts as they are."""
    if address.get("type") == "pci":
        parts = [int(address.get(name, "0"), 16) for name in ("domain", "bus", "slot", "function")]
        return "pci {:04x}:{:02x}:{:02x}.{:x}".format(*parts)
    return " ".join(f"{key}={value}" for key, value in sorted(address.items()))
