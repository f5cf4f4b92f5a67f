"""How a row gets its shape, whichever action gives it: made, edited, moved to a version, edited with its pool."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

from vms.domain.changes import Changes
from vms.domain.console import Offer
from vms.domain.errors import Refusal
from vms.domain.initialization import PREFIX, Initialization
from vms.domain.lifecycle import NOT_RUNNING, Status
from vms.domain.machine import LINKED, MachineSpec
from vms.models import VM, Hardware, InstanceType, Pool, PoolType, Template
from vms.models.pools import POOL_SIZE

from . import access
from ._audit import changed_fields, record
from ._authorise import ENGINE, Actor
from ._cards import Card, put
from ._devices import sync_devices
from ._jobs import SET_REBOOT, enqueue
from ._reboots import ends_with_reboot
from ._status import project
from ._storable import require_storable

CODES: Final[dict[type[Hardware], str]] = {
    VM: "USER_UPDATE_VM",
    Template: "USER_UPDATE_VM_TEMPLATE",
    Pool: "USER_UPDATE_VM_POOL",
    InstanceType: "USER_UPDATE_INSTANCE_TYPE",
}
# Plain attributes that may be set, beside the fields of the machine itself, and what is possible where not anything is.
_SWITCH: Final = (False, True)
ATTRIBUTES: Final[dict[str, Collection[object] | None]] = {
    **dict.fromkeys(("description", "comment", "template", "instance_type", "version_name", "kept")),
    "initialization_password": None,
    **dict.fromkeys(("delete_protected", "use_latest_version", "stateless", "stateful"), _SWITCH),
    "pool_type": tuple(PoolType.values),
    "max_user_vms": range(POOL_SIZE[0], POOL_SIZE[1] + 1),
    "prestarted_vms": range(POOL_SIZE[1] + 1),
}
# What the trail tells of only that it was changed: a first boot may hold secrets.
_SILENT: Final = frozenset({"kept", "initialization_password"})
Sources = Iterable[tuple[MachineSpec, tuple[str, ...]]]


def fill(
    row: Hardware,
    name: str,
    sources: Sources,
    changes: Changes,
    cards: Sequence[Card] = (),
    *,
    chosen_by: Actor | None = None,
) -> None:
    """Save a new row: what the sources hand down, a later one before an earlier, and then what `changes` names.

    Its network cards are chosen by somebody, or (None) copied.
    """
    spec, changes = MachineSpec(id=uuid4(), name=name), changes.in_cluster(row.cluster_firmware)
    for source, fields in sources:
        spec = spec.inherit(source, fields)
    spec = changes.apply_to(displayable(spec, row.offer(spec)), row.offer)
    row.offer(spec).check(spec.console)
    _require_tpm_offered(row, spec)
    row.id, row.spec = spec.id, spec
    access.require_way_in(row, None, spec.console, accepted=changes.accept_lockout)
    given = dict(changes.attributes)
    if "kept" in given:  # what is said is put to what was handed down
        given["kept"] = {**row.kept, **given["kept"]}
    set_attributes(row, given)
    if isinstance(row, VM | Pool) and not fits(row.instance_type, spec):
        row.instance_type = None
    require_storable(row)
    row.save(force_insert=True)
    if isinstance(row, VM | Template):
        put(row, cards, by=chosen_by)
    follow(row)


def hand_down_first_boot(source: Hardware, row: Hardware) -> None:
    """Have an unsaved row begin with what its source tells guests at their first boot."""
    row.kept = {path: value for path, value in source.kept.items() if path.startswith(PREFIX)}
    row.initialization_password = source.initialization_password or ""


def reshape(row: Hardware, spec: MachineSpec, attributes: Mapping[str, Any], *, by: Actor, **told: str) -> bool:
    """Give a locked row this machine and these attributes, and record it; False when it has them already."""
    before, old = row.spec, {name: getattr(row, name, None) for name in attributes}
    set_attributes(row, attributes)
    if _display_touched(before, spec):
        row.offer(spec).check(spec.console)
    if not before.tpm:
        _require_tpm_offered(row, spec)
    row.spec = spec
    require_storable(row)
    was, now = changed_fields(before, spec)
    for name, value in old.items():
        if value != getattr(row, name):
            was[name], now[name] = _plain(value), _plain(getattr(row, name))
            if name in _SILENT:
                was[name] = now[name] = "…"
    if not now and before.console.before == spec.console.before:
        return False
    row.version += 1
    row.save(update_fields=[*row.SPEC_FIELDS, *attributes, "version"])
    follow(row)
    record(by, CODES[type(row)], row, was, now, **told)
    return True


def follow(row: Hardware) -> None:
    """Bring what depends on a row's configuration up to date: device rows, projections, what a reboot will do."""
    sync_devices(row)
    if isinstance(row, VM):
        project(row)
        set_reboot(row)


def set_reboot(vm: VM) -> None:
    """Have the engine decide what a reboot inside the running guest does, when that has changed."""
    if Status(vm.observed) in NOT_RUNNING or vm.run is None or not vm.host_id:
        return
    if vm.cold_reboot != ends_with_reboot(vm):
        enqueue(vm, SET_REBOOT, by=ENGINE, host=vm.host, exclusive=False)


def set_attributes(row: Hardware, attributes: Mapping[str, Any]) -> None:
    """Set plain attributes on an unsaved row; one that the row does not have, or that cannot be, is refused."""
    for name, value in attributes.items():
        if name not in ATTRIBUTES or not hasattr(row, name):
            raise Refusal("ILLEGAL_VALUE", name, value=str(value), allowed=", ".join(ATTRIBUTES))
        possible = ATTRIBUTES[name]
        if possible is not None and value not in possible:
            raise Refusal("ILLEGAL_VALUE", name, value=str(value), allowed=_listed(possible))
        if name == "kept":
            Initialization.of(value)
        setattr(row, name, value)


def displayable(spec: MachineSpec, offer: Offer) -> MachineSpec:
    """The machine with a card that this cluster pairs with the inherited protocols."""
    graphics, video = spec.console.graphics, spec.console.video
    if video is None or offer.accepts(graphics, video):
        return spec
    return replace(spec, console=spec.console.with_display(graphics, offer.recommend(graphics)))


def fits(instance_type: InstanceType | None, spec: MachineSpec) -> bool:
    """Whether the machine has the size of the instance type, so that it may be linked to it."""
    return instance_type is None or all(getattr(instance_type.spec, name) == getattr(spec, name) for name in LINKED)


def _require_tpm_offered(row: Hardware, spec: MachineSpec) -> None:
    cluster = getattr(row, "cluster", None)
    if spec.tpm and cluster is not None and not cluster.offers_tpm:
        raise Refusal("TPM_DEVICE_REQUESTED_ON_UNSUPPORTED_PLATFORM", "tpm", cluster=cluster.name)


def _display_touched(before: MachineSpec, after: MachineSpec) -> bool:
    """An edit of something else is not refused for a display that was there before."""
    return any(getattr(before, name) != getattr(after, name) for name in ("firmware", "vm_type")) or (
        before.console.graphics,
        before.console.video,
    ) != (after.console.graphics, after.console.video)


def _listed(possible: Collection[object]) -> str:
    if isinstance(possible, range):
        return f"{possible[0]} … {possible[-1]}"
    return ", ".join(str(value).lower() for value in possible)


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | bool | None) else str(value)
