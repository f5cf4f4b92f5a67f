"""Making machines: from Blank, a template or an instance type, which hand down what they are, console included."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any
from uuid import UUID

from vms.domain.changes import Changes
from vms.domain.errors import Refusal
from vms.domain.machine import FROM_INSTANCE_TYPE, FROM_TEMPLATE
from vms.models import (
    VM,
    ActionGroup,
    Cluster,
    Hardware,
    InstanceType,
    Pool,
    Snapshot,
    Template,
)
from vms.models.machines import BLANK

from . import access, pools, templates
from ._action import action, locked
from ._audit import record
from ._authorise import Actor, authorise, authorise_fields, require_visible
from ._cards import Card, copies
from ._copies import hand_down
from ._owning import own
from ._shape import Sources, fill, hand_down_first_boot
from .handing import hand_down_from, make_all
from .snapshots import require_whole
from .wishes import Wish


@action
def vm(
    name: str,
    *,
    cluster: Cluster,
    template: Template | None = None,
    instance_type: InstanceType | None = None,
    clone: bool = False,
    changes: Changes = Changes(),
    cards: Sequence[Card] | None = None,
    new_disks: Sequence[Mapping[str, Any]] = (),
    wishes: Mapping[UUID, Wish] = MappingProxyType({}),
    by: Actor,
) -> VM:
    """A new VM: everything from the template, size and console from the instance type, then what `changes` names.

    Its network cards are `cards`; None for those of the template. `new_disks` are made besides what that hands down,
    which lie as `wishes` say.
    Its disks take room only for what differs from the template's; with `clone` they are copies, and it needs the
    template no longer. With `use_latest_version` among its attributes the newest version of the template is taken,
    whichever is named; a size that is not the instance type's makes it Custom. Its maker becomes its UserVmManager.
    """
    authorise(by, ActionGroup.CREATE_VM, cluster, *([ActionGroup.CREATE_INSTANCE] if instance_type else []))
    template = _version(template, changes)
    require_visible(by, ActionGroup.CREATE_VM, template)
    row = VM(cluster=cluster, template=_blank() if clone else template, instance_type=instance_type)
    hand_down_first_boot(template, row)
    chosen = copies(template) if cards is None else cards
    fill(row, name, _sources(row, template, instance_type), changes, chosen, chosen_by=None if cards is None else by)
    authorise_fields(by, template.spec, row.spec, cluster)
    hand_down(template, row, clone=clone, wishes=wishes, by=by)
    make_all(row, new_disks, by=by)
    own(by, "UserVmManager", vm=row)
    record(by, "USER_ADD_VM", row, template=str(template), instance_type=str(row.instance_type or ""))
    access.tell(row, None, row.console, by=by)
    return row


@action
def clone(vm: VM, name: str, *, changes: Changes = Changes(), by: Actor) -> VM:
    """A VM like another, as that is configured; with devices, disks, addresses and an owner of its own, in no pool.

    Its disks are copies in full, for which the other one has to be off.
    """
    vm = locked(vm)
    authorise(by, ActionGroup.CREATE_VM, vm.cluster)
    require_visible(by, ActionGroup.CREATE_VM, vm)
    row = VM(cluster=vm.cluster, template=vm.template, instance_type=vm.instance_type)
    row.description, row.comment = vm.description, vm.comment
    if not vm.pool_id:
        row.stateless, row.use_latest_version = vm.stateless, vm.use_latest_version
    hand_down_first_boot(vm, row)
    fill(row, name, [(vm.spec, FROM_TEMPLATE)], changes, copies(vm))
    authorise_fields(by, vm.spec, row.spec, vm.cluster)
    hand_down(vm, row, by=by)
    own(by, "UserVmManager", vm=row)
    record(by, "USER_ADD_VM", row, source=vm.name)
    access.tell(row, None, row.console, by=by)
    return row


@action
def from_snapshot(snapshot: Snapshot, name: str, *, changes: Changes = Changes(), by: Actor) -> VM:
    """A VM like another was when a snapshot of it was taken, whatever that does meanwhile; its disks are copies."""
    vm = locked(snapshot.vm)
    authorise(by, ActionGroup.CREATE_VM, vm.cluster)
    require_visible(by, ActionGroup.CREATE_VM, vm)
    require_whole(snapshot)
    row = VM(cluster=vm.cluster, template=vm.template)
    row.description, row.comment = vm.description, vm.comment
    fill(row, name, [(snapshot.spec, FROM_TEMPLATE)], changes, copies(vm))
    authorise_fields(by, snapshot.spec, row.spec, vm.cluster)
    hand_down_from(snapshot, row, by=by)
    own(by, "UserVmManager", vm=row)
    record(by, "USER_ADD_VM", row, source=f"{vm.name}, {snapshot.description}")
    access.tell(row, None, row.console, by=by)
    return row


@action
def template(
    name: str,
    *,
    vm: VM | None = None,
    cluster: Cluster | None = None,
    base: Template | None = None,
    version_name: str = "",
    changes: Changes = Changes(),
    wishes: Mapping[UUID, Wish] = MappingProxyType({}),
    by: Actor,
) -> Template:
    """A template of a VM, or of nothing but what `changes` names; headless and serial console are carried over.

    It has copies of the VM's disks, for which that has to be off, as `wishes` say where they say something. With
    `base` it is the next version of that template, under its name; without a VM it begins as the version before.
    Whatever uses the latest version goes over to it with its next start.
    """
    cluster = cluster or (vm or base or Template()).cluster
    authorise(by, ActionGroup.CREATE_TEMPLATE, cluster.data_center if cluster else None)
    if vm:
        authorise(by, ActionGroup.EDIT_VM_PROPERTIES, vm)
    row = Template(cluster=cluster, version_name=version_name)
    before = _become_version(row, base, by) if base else _blank()
    source = vm or before
    hand_down_first_boot(source, row)
    shape = [(vm.spec, FROM_TEMPLATE)] if vm else _sources(row, before)
    fill(row, base.name if base else name, shape, changes, copies(source))
    if vm or base:
        hand_down(source, row, wishes=wishes, by=by)
    own(by, "TemplateOwner", template=row)
    record(by, "USER_ADD_VM_TEMPLATE", row, vm=str(vm or ""), version=row.version_number)
    access.tell(row, None, row.console, by=by)
    if base:
        templates.spread(row, by=by)
    return row


@action
def instance_type(name: str, *, changes: Changes = Changes(), by: Actor) -> InstanceType:
    """An instance type; it belongs to no cluster, so making one takes the right on the whole system."""
    authorise(by, ActionGroup.CREATE_TEMPLATE, None)
    row = InstanceType()
    fill(row, name, [], changes)
    record(by, "USER_ADD_INSTANCE_TYPE", row)
    access.tell(row, None, row.console, by=by)
    return row


@action
def pool(
    name: str,
    *,
    cluster: Cluster,
    template: Template | None = None,
    instance_type: InstanceType | None = None,
    size: int = 1,
    changes: Changes = Changes(),
    by: Actor,
) -> Pool:
    """A pool and its VMs, named after it and numbered from 1; all inherit its console."""
    authorise(by, ActionGroup.CREATE_VM_POOL, cluster)
    template = _version(template, changes)
    require_visible(by, ActionGroup.CREATE_VM_POOL, template)
    row = Pool(cluster=cluster, template=template, instance_type=instance_type)
    hand_down_first_boot(template, row)
    fill(row, name, _sources(row, template, instance_type), changes)
    pools.add(row, size, by=by)
    pools.require_enough(row)
    record(by, "USER_ADD_VM_POOL", row, size=size)
    access.tell(row, None, row.console, by=by)
    return row


def _version(template: Template | None, changes: Changes) -> Template:
    template = template or _blank()
    return templates.newest(template) if changes.attributes.get("use_latest_version") else template


def _become_version(row: Template, base: Template, by: Actor) -> Template:
    """Make the new row the next version of a template, and give the version before; one at a time gets a number."""
    root = locked(base.base or base)
    authorise(by, ActionGroup.EDIT_TEMPLATE_PROPERTIES, root)
    if root.built_in:
        raise Refusal("ACTION_TYPE_FAILED_OBJECT_IS_BUILT_IN", "name", name=root.name)
    row.base, row.version_number = root, templates.next_number(root)
    return templates.newest(root)


def _sources(row: Hardware, template: Template, instance_type: InstanceType | None = None) -> Sources:
    sources = [(template.spec_in(row.cluster_firmware), FROM_TEMPLATE)]
    return [*sources, (instance_type.spec, FROM_INSTANCE_TYPE)] if instance_type else sources


def _blank() -> Template:
    return Template.objects.get(pk=BLANK)
