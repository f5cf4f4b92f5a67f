"""Changing what is configured, for all four kinds alike; what runs keeps its present shape until it is restarted."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Final, TypeVar

from vms.domain import lifecycle
from vms.domain.changes import Changes
from vms.domain.console import Console
from vms.domain.errors import Refusal
from vms.domain.lifecycle import Status, Verb
from vms.domain.machine import FROM_INSTANCE_TYPE, FROM_TEMPLATE, LINKED, MachineSpec
from vms.libvirtxml.patch import BESIDE, PATCHED, UNPATCHED
from vms.models import VM, ActionGroup, Hardware, InstanceType, Pool, Template

from . import access, pools, power, templates
from ._action import action, all_locked, locked
from ._authorise import Actor, authorise, authorise_fields
from ._shape import fits, reshape

Row = TypeVar("Row", bound=Hardware)

GROUPS: Final[dict[type[Hardware], ActionGroup]] = {
    VM: ActionGroup.EDIT_VM_PROPERTIES,
    Template: ActionGroup.EDIT_TEMPLATE_PROPERTIES,
    Pool: ActionGroup.EDIT_VM_POOL_CONFIGURATION,
    InstanceType: ActionGroup.EDIT_TEMPLATE_PROPERTIES,
}
# Where a machine has its shape from; for the machines of a pool the pool decides.
_SOURCES: Final = frozenset({"template", "instance_type", "use_latest_version", "stateless"})
_CHOSEN_FOR_GOOD: Final = {
    "pool_type": "VM_POOL_CANNOT_CHANGE_POOL_TYPE",
    "stateful": "VM_POOL_CANNOT_CHANGE_POOL_STATEFUL_OPTION",
}


@action
def edit(row: Row, changes: Changes, *, by: Actor) -> Row:
    """Change a VM, template, pool or instance type; a running VM keeps its present shape until it is restarted.

    Refused when the row's version is newer than the one the editor saw. Choosing another instance type or template
    version inherits from it anew; what `changes` names besides wins over what is inherited, and another size than the
    instance type's makes it Custom. For a pool, `size` among the attributes says how many VMs it is to have; its VMs
    follow its template version, and everything else when `apply_to_existing` is set.
    """
    row = locked(row)
    authorise(by, GROUPS[type(row)], row)
    if changes.version is not None and changes.version != row.version:
        raise Refusal("ACTION_TYPE_FAILED_EDITED_MEANWHILE", None, name=row.name)
    if changes.apply_to_existing and not isinstance(row, Pool):
        raise Refusal("ILLEGAL_VALUE", "apply_to_existing", value="true", allowed="pools only")
    if isinstance(row, VM):
        lifecycle.require(Verb.EDIT, Status(row.status))
    before, attributes = row.spec, dict(changes.attributes)
    size = attributes.pop("size", None) if isinstance(row, Pool) else None
    _use_latest(row, attributes)
    changes = changes.in_cluster(row.cluster_firmware)
    spec = changes.apply_to(_inherited(row, before, attributes), row.offer)
    _leave_instance_type(row, before, spec, attributes)
    _require_allowed(row, before, spec, attributes, by)
    access.require_way_in(row, before.console, spec.console, accepted=changes.accept_lockout)
    version = _followed(row)
    reshape(row, spec, attributes, by=by)
    access.tell(row, before.console, spec.console, by=by)
    if isinstance(row, Pool):
        if changes.apply_to_existing or _followed(row) != version:
            pools.spread(row, everything=changes.apply_to_existing, by=by)
        if size is not None:
            pools.resize(row, size, by=by)
        if attributes.get("prestarted_vms"):
            pools.require_enough(row)
    elif any(getattr(before, name) != getattr(spec, name) for name in (*LINKED, "name")):
        _pass_on(row, by=by)
    return row


@action
def edit_and_restart(vm: VM, changes: Changes, *, by: Actor) -> VM:
    """Change a running VM and restart it, so that it has the changes at once; both or neither."""
    vm = edit(vm, changes, by=by)
    power.reboot(vm, by=by)
    return vm


def _use_latest(row: Hardware, attributes: dict[str, Any]) -> None:
    """Have a row that is to follow the latest version of its template begin with that."""
    if not isinstance(row, VM | Pool) or not attributes.keys() & (_SOURCES - {"instance_type"}):
        return
    # A pool has no such switch: its machines may always follow.
    latest, stateless = (attributes.get(name, getattr(row, name, True)) for name in ("use_latest_version", "stateless"))
    if latest and (stateless or getattr(row, "pool_id", None)):
        attributes["template"] = templates.newest(attributes.get("template", row.template))


def _inherited(row: Hardware, spec: MachineSpec, attributes: Mapping[str, Any]) -> MachineSpec:
    if not isinstance(row, VM | Pool):
        return spec
    template, instance_type = (
        attributes.get("template", row.template),
        attributes.get("instance_type", row.instance_type),
    )
    if template != row.template:
        if template.root_id != row.template.root_id:
            raise Refusal("ILLEGAL_VALUE", "template", value=str(template), allowed=f"a version of {row.template.name}")
        spec = spec.inherit(template.spec, FROM_TEMPLATE)
    elif instance_type == row.instance_type:
        return spec
    return spec.inherit(instance_type.spec, FROM_INSTANCE_TYPE) if instance_type else spec


def _leave_instance_type(row: Hardware, before: MachineSpec, spec: MachineSpec, attributes: dict[str, Any]) -> None:
    """Make the instance type Custom where the edit gives another size than its; the console never does."""
    if not isinstance(row, VM | Pool):
        return
    touched = any(getattr(before, name) != getattr(spec, name) for name in LINKED)
    chosen = attributes.get("instance_type", row.instance_type)
    if (touched or chosen != row.instance_type) and not fits(chosen, spec):
        attributes["instance_type"] = None


def _require_allowed(
    row: Hardware, before: MachineSpec, spec: MachineSpec, attributes: Mapping[str, Any], by: Actor
) -> None:
    """Refuse what this very row, or this person, may not change."""
    changed = {name for name, value in attributes.items() if value != getattr(row, name, None)}
    if isinstance(row, VM):
        authorise_fields(by, before, spec, row)
        if row.adopted:
            _require_patchable(row, before, spec)
    if isinstance(row, VM) and row.pool and (spec != before or changed & _SOURCES):
        raise Refusal("ACTION_TYPE_FAILED_VM_IN_POOL", None, pool=str(row.pool))
    if isinstance(row, Pool):
        for name in sorted(changed & _CHOSEN_FOR_GOOD.keys()):
            raise Refusal(_CHOSEN_FOR_GOOD[name], name, pool=row.name)
    if isinstance(row, Template) and spec.name != before.name:
        if row.built_in:
            raise Refusal("ACTION_TYPE_FAILED_OBJECT_IS_BUILT_IN", "name", name=row.name)
        if row.base_id:
            raise Refusal("ILLEGAL_VALUE", "name", value=spec.name, allowed="the name of the first version")


def _require_patchable(vm: VM, before: MachineSpec, after: MachineSpec) -> None:
    """Refuse what an adopted machine's own definition could not be patched with."""
    for part in fields(MachineSpec):
        if part.name not in PATCHED | BESIDE and getattr(before, part.name) != getattr(after, part.name):
            raise Refusal("ADOPTED_KEEPS_ITS_DEFINITION", part.name, name=vm.name)
    for part in fields(Console):
        if part.name in UNPATCHED and getattr(before.console, part.name) != getattr(after.console, part.name):
            raise Refusal("ADOPTED_KEEPS_ITS_DEFINITION", part.name.removeprefix("wants_"), name=vm.name)


def _followed(row: Hardware) -> object:
    return (row.template_id, row.use_latest_version) if isinstance(row, Pool) else None


def _pass_on(row: Hardware, *, by: Actor) -> None:
    """Bring an edit to what is bound to the row: the size of an instance type, the name of a template's versions."""
    if isinstance(row, InstanceType):
        for linked in (row.pools, row.vms):
            for user in all_locked(linked.all()):
                reshape(user, user.spec.inherit(row.spec, LINKED), {}, by=by, instance_type=row.name)
    if isinstance(row, Template):
        for version in all_locked(row.versions.all()):
            reshape(version, replace(version.spec, name=row.name), {}, by=by)
