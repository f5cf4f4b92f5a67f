"""Changing what is configured, for all four kinds alike; what runs keeps its present shape until it is restarted."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from vms.domain import lifecycle
from vms.domain.changes import Changes
from vms.domain.errors import Refusal
from vms.domain.lifecycle import NOT_RUNNING, Status, Verb
from vms.domain.machine import FROM_INSTANCE_TYPE, FROM_TEMPLATE, MachineSpec
from vms.models import VM, ActionGroup, Hardware, InstanceType, Pool, Template

from ._action import action, locked
from ._audit import changed_fields, record
from ._authorise import ENGINE, Actor, authorise
from ._devices import sync_devices
from ._jobs import SET_REBOOT, enqueue
from ._status import project
from .power import ends_with_reboot

Row = TypeVar("Row", bound=Hardware)

GROUPS: Final[dict[type[Hardware], ActionGroup]] = {
    VM: ActionGroup.EDIT_VM_PROPERTIES,
    Template: ActionGroup.EDIT_TEMPLATE_PROPERTIES,
    Pool: ActionGroup.EDIT_VM_POOL_CONFIGURATION,
    InstanceType: ActionGroup.EDIT_TEMPLATE_PROPERTIES,
}
CODES: Final[dict[type[Hardware], str]] = {
    VM: "USER_UPDATE_VM",
    Template: "USER_UPDATE_VM_TEMPLATE",
    Pool: "USER_UPDATE_VM_POOL",
    InstanceType: "USER_UPDATE_INSTANCE_TYPE",
}
# Plain attributes that an edit may set, beside the fields of the machine itself.
ATTRIBUTES: Final = ("description", "comment", "delete_protected", "template", "instance_type", "version_name")
_SOURCES: Final = frozenset({"template", "instance_type"})


@action
def edit(row: Row, changes: Changes, *, by: Actor) -> Row:
    """Change a VM, template, pool or instance type; a running VM keeps its present shape until it is restarted.

    Refused when the row's version is newer than the one the editor saw. Choosing another instance type or template
    version inherits from it anew; what `changes` names besides wins over what is inherited.
    """
    row = locked(row)
    authorise(by, GROUPS[type(row)], row)
    if changes.version is not None and changes.version != row.version:
        raise Refusal("ACTION_TYPE_FAILED_EDITED_MEANWHILE", None, name=row.name)
    if isinstance(row, VM):
        lifecycle.require(Verb.EDIT, Status(row.status))
        _require_own_shape(row, changes)
    if isinstance(row, Template) and row.built_in and changes.machine.get("name", row.name) != row.name:
        raise Refusal("ACTION_TYPE_FAILED_OBJECT_IS_BUILT_IN", "name", name=row.name)
    before, attributes = row.spec, {name: getattr(row, name, None) for name in changes.attributes}
    set_attributes(row, changes.attributes)
    spec = changes.apply_to(_inherited(row, before, attributes), row.offer)
    if _needs_check(before, spec):
        row.offer(spec).check(spec.console)
    row.spec = spec
    require_storable(row)
    was, now = changed_fields(before, spec)
    for name, old in attributes.items():
        if old != getattr(row, name):
            was[name], now[name] = _plain(old), _plain(getattr(row, name))
    if not now and before.console.before == spec.console.before:
        return row
    row.version += 1
    row.save(update_fields=[*row.SPEC_FIELDS, *changes.attributes, "version"])
    follow(row)
    record(by, CODES[type(row)], row, was, now)
    return row


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


def _require_own_shape(vm: VM, changes: Changes) -> None:
    if not vm.pool_id:
        return
    inherits = any(changes.attributes[name] != getattr(vm, name) for name in _SOURCES & changes.attributes.keys())
    if changes.machine or changes.console or inherits:
        raise Refusal("ACTION_TYPE_FAILED_VM_IN_POOL", None, pool=str(vm.pool))


def set_attributes(row: Hardware, attributes: Mapping[str, Any]) -> None:
    """Set plain attributes on an unsaved row; one that the row does not have is refused."""
    for name, value in attributes.items():
        if name not in ATTRIBUTES or not hasattr(row, name):
            raise Refusal("ILLEGAL_VALUE", name, value=str(value), allowed=", ".join(ATTRIBUTES))
        setattr(row, name, value)


def require_storable(row: Hardware) -> None:
    """Refuse a text that its column cannot hold: PostgreSQL would end in an error, SQLite would store anything."""
    for field in row._meta.concrete_fields:
        text = getattr(row, field.attname)
        if not isinstance(text, str):
            continue
        if field.max_length and len(text) > field.max_length:
            raise Refusal("ILLEGAL_VALUE", field.name, value=f"{text[:40]}…", allowed="a shorter text")
        if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise Refusal("ILLEGAL_VALUE", field.name, value=ascii(text[:40]), allowed="text that can be written")


def _inherited(row: Hardware, spec: MachineSpec, before: Mapping[str, Any]) -> MachineSpec:
    template, instance_type = getattr(row, "template", None), getattr(row, "instance_type", None)
    if "template" in before and template and template != before["template"]:
        old = before["template"]
        if (template.base_id or template.pk) != (old.base_id or old.pk):
            raise Refusal("ILLEGAL_VALUE", "template", value=str(template), allowed=f"a version of {old.name}")
        spec = spec.inherit(template.spec, FROM_TEMPLATE)
        if instance_type:
            spec = spec.inherit(instance_type.spec, FROM_INSTANCE_TYPE)
    if "instance_type" in before and instance_type and instance_type != before["instance_type"]:
        spec = spec.inherit(instance_type.spec, FROM_INSTANCE_TYPE)
    return spec


def _needs_check(before: MachineSpec, after: MachineSpec) -> bool:
    """Whether the display was touched: an edit of something else is not refused for a display that was there before."""
    return any(getattr(before, name) != getattr(after, name) for name in ("firmware", "vm_type")) or (
        before.console.graphics,
        before.console.video,
    ) != (after.console.graphics, after.console.video)


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | bool | None) else str(value)
