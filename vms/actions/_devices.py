"""Device rows follow the machine: made anew from its value whenever that changes."""

from typing import Final
from uuid import UUID

from vms.domain.devices import DeviceKind, devices
from vms.domain.machine import MachineSpec
from vms.models import VM, Device, Hardware, InstanceType, Pool, Scope, Template

_OWNERS: Final[dict[type[Hardware], str]] = {
    VM: "vm",
    Template: "template",
    Pool: "pool",
    InstanceType: "instance_type",
}


_SHOWN: Final = frozenset({DeviceKind.GRAPHICS, DeviceKind.VIDEO, DeviceKind.CONSOLE})


def sync_devices(row: Hardware) -> None:
    """Write the rows of what is configured, and for a running VM of what its present run has."""
    _write(row, Scope.CONFIGURED, row.spec)
    if isinstance(row, VM):
        run = row.run
        _write(row, Scope.RUNNING, run.spec if run else None)


def configured(row: Hardware) -> list[Device]:
    """The rows of what is configured, for a machine that has none yet."""
    return list(_rows(row, Scope.CONFIGURED, row.spec).values())


def _rows(row: Hardware, scope: Scope, spec: MachineSpec | None) -> dict[UUID, Device]:
    owner = _OWNERS[type(row)]
    given = devices(spec) if spec else ()
    if isinstance(row, VM) and row.adopted:  # all else is its host's definition's affair
        given = tuple(device for device in given if device.kind in _SHOWN)
    return {
        device.id: Device(
            device_id=device.id,
            scope=scope,
            kind=device.kind.value,
            model=device.model,
            params=device.params,
            address=dict(spec.addresses.get(device.alias, {})) if spec else {},
            position=position,
            **{owner: row},
        )
        for position, device in enumerate(given)
    }


def _write(row: Hardware, scope: Scope, spec: MachineSpec | None) -> None:
    owner, wanted = _OWNERS[type(row)], _rows(row, scope, spec)
    present = {device.device_id: device for device in Device.objects.filter(**{owner: row}, scope=scope)}
    stale = [there.key for key, there in present.items() if key not in wanted or _differs(there, wanted[key])]
    if stale:
        Device.objects.filter(key__in=stale).delete()
    fresh = [device for key, device in wanted.items() if key not in present or present[key].key in stale]
    if fresh:
        Device.objects.bulk_create(fresh)


def _differs(one: Device, other: Device) -> bool:
    return any(
        getattr(one, name) != getattr(other, name) for name in ("kind", "model", "params", "address", "position")
    )
