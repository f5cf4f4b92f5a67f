"""Making machines: from Blank, a template or an instance type, which hand down what they are, console included."""

from dataclasses import replace
from typing import Final
from uuid import uuid4

from vms.domain.changes import Changes
from vms.domain.console import Offer
from vms.domain.errors import Refusal
from vms.domain.machine import FROM_INSTANCE_TYPE, FROM_TEMPLATE, MachineSpec
from vms.models import VM, ActionGroup, Cluster, Hardware, InstanceType, Permission, Pool, Role, Template, User
from vms.models.machines import BLANK

from ._action import action
from ._audit import record
from ._authorise import Actor, authorise
from .edit import follow, require_storable, set_attributes

POOL_SIZE: Final = (1, 1000)  # oVirt's MaxVmsInPool


@action
def vm(
    name: str,
    *,
    cluster: Cluster,
    template: Template | None = None,
    instance_type: InstanceType | None = None,
    changes: Changes = Changes(),
    by: Actor,
) -> VM:
    """A new VM: everything from the template, size and console from the instance type, then what `changes` names.

    Its maker becomes its UserVmManager.
    """
    authorise(by, ActionGroup.CREATE_VM, cluster)
    row = _vm(name, cluster, template or _blank(), instance_type, changes)
    _own(row, by)
    record(by, "USER_ADD_VM", row, template=str(row.template), instance_type=str(instance_type or ""))
    return row


@action
def template(
    name: str, *, vm: VM | None = None, cluster: Cluster | None = None, changes: Changes = Changes(), by: Actor
) -> Template:
    """A template of a VM, or of nothing but what `changes` names; headless and serial console are carried over."""
    cluster = cluster or (vm.cluster if vm else None)
    authorise(by, ActionGroup.CREATE_TEMPLATE, cluster.data_center if cluster else None)
    if vm:
        authorise(by, ActionGroup.EDIT_VM_PROPERTIES, vm)
    row = Template(cluster=cluster)
    _fill(row, name, [(vm.spec, FROM_TEMPLATE)] if vm else [(_blank().spec, FROM_TEMPLATE)], changes)
    record(by, "USER_ADD_VM_TEMPLATE", row, vm=str(vm or ""))
    return row


@action
def instance_type(name: str, *, changes: Changes = Changes(), by: Actor) -> InstanceType:
    """An instance type; it belongs to no cluster, so making one takes the right on the whole system."""
    authorise(by, ActionGroup.CREATE_TEMPLATE, None)
    row = InstanceType()
    _fill(row, name, [], changes)
    record(by, "USER_ADD_INSTANCE_TYPE", row)
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
    if not POOL_SIZE[0] <= size <= POOL_SIZE[1]:
        raise Refusal("ILLEGAL_VALUE", "size", value=size, allowed="{} … {}".format(*POOL_SIZE))
    template = template or _blank()
    row = Pool(cluster=cluster, template=template, instance_type=instance_type)
    _fill(row, name, _sources(template, instance_type), changes)
    for number in range(1, size + 1):
        _pool_vm(row, number)
    record(by, "USER_ADD_VM_POOL", row, size=size)
    return row


def _vm(name: str, cluster: Cluster, template: Template, instance_type: InstanceType | None, changes: Changes) -> VM:
    row = VM(cluster=cluster, template=template, instance_type=instance_type)
    _fill(row, name, _sources(template, instance_type), changes)
    return row


def _pool_vm(pool: Pool, number: int) -> VM:
    row = VM(cluster=pool.cluster, template=pool.template, instance_type=pool.instance_type, pool=pool)
    _fill(row, f"{pool.name}-{number}", [(pool.spec, FROM_TEMPLATE)], Changes())
    return row


Sources = list[tuple[MachineSpec, tuple[str, ...]]]


def _sources(template: Template, instance_type: InstanceType | None) -> Sources:
    sources: Sources = [(template.spec, FROM_TEMPLATE)]
    if instance_type:
        sources.append((instance_type.spec, FROM_INSTANCE_TYPE))
    return sources


def _fill(row: Hardware, name: str, sources: Sources, changes: Changes) -> None:
    spec = MachineSpec(id=uuid4(), name=name)
    for source, fields in sources:
        spec = spec.inherit(source, fields)
    spec = changes.apply_to(_displayable(spec, row.offer(spec)), row.offer)
    row.offer(spec).check(spec.console)
    row.id, row.spec = spec.id, spec
    set_attributes(row, changes.attributes)
    require_storable(row)
    row.save(force_insert=True)
    follow(row)


def _displayable(spec: MachineSpec, offer: Offer) -> MachineSpec:
    """The machine with a card that this cluster pairs with the inherited protocols."""
    graphics, video = spec.console.graphics, spec.console.video
    if video is None or offer.accepts(graphics, video):
        return spec
    return replace(spec, console=spec.console.with_display(graphics, offer.recommend(graphics)))


def _own(row: VM, by: Actor) -> None:
    if isinstance(by, User):
        Permission.objects.create(user=by, role=Role.objects.get(name="UserVmManager"), vm=row)


def _blank() -> Template:
    return Template.objects.get(pk=BLANK)
