"""Removing machines; what is protected, running, built in or still used stays."""

from typing import Final

from django.db.models import ProtectedError

from vms.domain import lifecycle
from vms.domain.errors import Refusal
from vms.domain.lifecycle import Status, Verb
from vms.models import ACTIVE, VM, ActionGroup, Hardware, InstanceType, Job, Pool, Template

from ._action import action, locked
from ._audit import record
from ._authorise import Actor, authorise
from ._jobs import UNDEFINE, enqueue
from .disks import discard, exclusive_disks

GROUPS: Final[dict[type[Hardware], ActionGroup]] = {
    VM: ActionGroup.DELETE_VM,
    Template: ActionGroup.DELETE_TEMPLATE,
    Pool: ActionGroup.DELETE_VM_POOL,
    InstanceType: ActionGroup.DELETE_TEMPLATE,
}
CODES: Final[dict[type[Hardware], str]] = {
    VM: "USER_REMOVE_VM_FINISHED",
    Template: "USER_REMOVE_VM_TEMPLATE",
    Pool: "USER_REMOVE_VM_POOL",
    InstanceType: "USER_REMOVE_INSTANCE_TYPE",
}


@action
def remove(row: Hardware, *, keep_disks: bool = False, by: Actor) -> None:
    """Remove a VM that is down, a template or instance type nobody needs, or a pool with its VMs, all down.

    Their disks go with them, but those that others share; with `keep_disks` a VM's stay where they lie.
    """
    row = locked(row)
    authorise(by, GROUPS[type(row)], row)
    if row.delete_protected:
        raise Refusal("ACTION_TYPE_FAILED_DELETE_PROTECTION_ENABLED", None, name=row.name)
    if isinstance(row, Template) and row.built_in:
        raise Refusal("ACTION_TYPE_FAILED_OBJECT_IS_BUILT_IN", None, name=row.name)
    if isinstance(row, VM):
        if row.pool_id:
            raise Refusal("ACTION_TYPE_FAILED_VM_IN_POOL", None, pool=str(row.pool))
        _release(row, by)
    if isinstance(row, Pool):
        for member in row.vms.select_for_update().order_by("pk"):
            _release(member, by)
            _delete(member, by=by)
    record(by, CODES[type(row)], row)
    try:
        _delete(row, keep_disks=keep_disks, by=by)
    except ProtectedError as error:
        users = sorted({str(user) for user in error.protected_objects})[:3]
        raise Refusal("ACTION_TYPE_FAILED_STILL_IN_USE", None, name=row.name, users=", ".join(users)) from error


def _delete(row: Hardware, *, keep_disks: bool = False, by: Actor) -> None:
    own = [] if keep_disks or not isinstance(row, VM | Template) else exclusive_disks(row)
    row.delete()
    for disk in own:
        discard(disk, by=by)


def _release(vm: VM, by: Actor) -> None:
    """Refuse a VM that runs or is being worked on; have its definition removed from the host that knows it."""
    lifecycle.require(Verb.REMOVE, Status(vm.status))
    if Job.objects.filter(machine=vm.pk, exclusive=True, state__in=ACTIVE).exists():
        raise Refusal("ACTION_TYPE_FAILED_OBJECT_LOCKED", None, name=vm.name)
    if vm.pinned and vm.host_id:
        enqueue(vm, UNDEFINE, by=by, host=vm.host, exclusive=False)
