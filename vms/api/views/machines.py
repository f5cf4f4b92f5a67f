"""The four kinds of machine: whose they are, how clients look for them, and how one is made of what a client sent."""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from vms.actions import create
from vms.actions.edit import edit
from vms.actions.remove import remove
from vms.api.faults import invalid, not_found
from vms.api.mapping import instance_type, template, vm, vm_pool
from vms.api.mapping.draft import Draft, refuse
from vms.api.mapping.entity import Entity
from vms.api.mapping.fields import listed, read_id
from vms.api.mapping.hardware import shown_console
from vms.domain.errors import Refusal
from vms.models import VM, InstanceType, Pool, Snapshot, Template
from vms.search import languages
from vms.search.language import Language

from .base import Door
from .collections import Resource
from .newdisks import wished_disks


def _make_vm(door: Door, draft: Draft) -> VM:
    name = door.required(draft.take("machine", "name"), "Vm", "name")
    refs = _references(door, draft)
    if snapshot := _snapshot(door):
        return create.from_snapshot(snapshot, name, changes=draft.changes(), by=door.user)
    cluster = door.required(refs.get("cluster"), "Vm", "cluster.id|name")
    template = door.required(refs.get("template"), "Vm", "template.id|name")
    wishes, beside = wished_disks(door, door.body("vm"), _disks_of(template), "vm.disk_attachments")
    return create.vm(
        name,
        cluster=cluster,
        template=template,
        instance_type=refs.get("instance_type"),
        clone=door.flag("clone"),
        changes=draft.changes(),
        new_disks=beside,
        wishes=wishes,
        by=door.user,
    )


def _disks_of(row: Any) -> set[UUID]:
    return set(row.disk_attachments.values_list("disk", flat=True))


def _snapshot(door: Door) -> Snapshot | None:
    """The snapshot that a body wants a clone of."""
    named = listed(door.body("vm").get("snapshots", ""), "snapshot", "vm.snapshots")
    if not named:
        return None
    key = read_id(named[0].get("id"), "snapshot.id") if isinstance(named[0], dict) else None
    found = Snapshot.objects.filter(pk=key, vm__in=VMS.rows(door.user)).first() if key else None
    if found is None:
        raise not_found("snapshot")
    return found


def _make_template(door: Door, draft: Draft) -> Template:
    name = door.required(draft.take("machine", "name"), "Template", "name")
    refs = _references(door, draft)
    source = door.required(refs.get("vm"), "Template", "vm.id|name")
    path = "template.vm.disk_attachments"
    wishes, beside = wished_disks(door, door.element(door.body("template"), "vm"), _disks_of(source), path)
    if beside:
        raise invalid(path, "…", "disks of the VM")
    return create.template(
        name,
        vm=source,
        wishes=wishes,
        cluster=refs.get("cluster"),
        base=refs.get("base"),
        version_name=draft.take("attribute", "version_name", ""),
        changes=draft.changes(),
        by=door.user,
    )


def _make_instance_type(door: Door, draft: Draft) -> InstanceType:
    name = door.required(draft.take("machine", "name"), "InstanceType", "name")
    _references(door, draft)
    return create.instance_type(name, changes=draft.changes(), by=door.user)


def _make_pool(door: Door, draft: Draft) -> Pool:
    name = door.required(draft.take("machine", "name"), "VmPool", "name")
    refs = _references(door, draft)
    return create.pool(
        name,
        cluster=door.required(refs.get("cluster"), "VmPool", "cluster.id|name"),
        template=door.required(refs.get("template"), "VmPool", "template.id|name"),
        instance_type=refs.get("instance_type"),
        size=draft.take("attribute", "size", 1),
        changes=draft.changes(),
        by=door.user,
    )


def _references(door: Door, draft: Draft) -> dict[str, Any]:
    """The rows that a body names, by the field's name; None where an element is empty.

    Hosts are values of the machine, and become so here.
    """
    named = draft.values.pop("reference", {})
    if (hosts := named.pop("hosts", None)) is not None:
        found = tuple(door.named("hosts", ref, "host").pk for ref in hosts)
        draft.values.setdefault("machine", {})["hosts"] = found
    return {name: ref and door.named(_COLLECTIONS.get(name, f"{name}s"), ref, name) for name, ref in named.items()}


_COLLECTIONS: Final = {"base": "templates", "instance_type": "instancetypes"}


def _edit(door: Door, draft: Draft, row: Any) -> None:
    if isinstance(row, VM):  # only a machine that is made can be made of one
        refuse(vm.MADE_OF, door.body("vm"))
    _refer(door, draft, row)
    edit(row, draft.changes(row, shown_console(row, door.telling), door.expected_version()), by=door.user)


def _remove(door: Door, row: Any) -> None:
    remove(row, keep_disks=isinstance(row, VM) and door.flag("detach_only"), by=door.user)


def _refer(door: Door, draft: Draft, row: Any) -> None:
    """What an edit may name: other sources of the same shape, but no other place."""
    refs = _references(door, draft)
    fixed = {"cluster": getattr(row, "cluster", None), "base": (row.base or row) if isinstance(row, Template) else None}
    for name, there in fixed.items():
        if (wanted := refs.pop(name, there)) != there:
            raise Refusal("ILLEGAL_VALUE", name, value=str(wanted), allowed=str(there))
    refs.pop("vm", None)
    attributes = draft.values.setdefault("attribute", {})
    attributes |= {name: source for name, source in refs.items() if source is not None or name == "instance_type"}


def _resource(entity: Entity, language: Language, create: Callable[[Door, Draft], Any]) -> Resource:
    """A kind of machine; they are changed and removed alike."""
    return Resource(entity=entity, language=language, create=create, edit=_edit, remove=_remove)


VMS: Final = _resource(vm.ENTITY, languages.VMS, _make_vm)
TEMPLATES: Final = _resource(template.ENTITY, languages.TEMPLATES, _make_template)
INSTANCE_TYPES: Final = _resource(instance_type.ENTITY, languages.INSTANCE_TYPES, _make_instance_type)
POOLS: Final = _resource(vm_pool.ENTITY, languages.POOLS, _make_pool)
