"""Pools: growing, what an edit does to the machines they have, and taking a machine and giving it back."""

import re

from django.db.models import QuerySet

from vms.domain.changes import Changes
from vms.domain.errors import Refusal
from vms.domain.lifecycle import NOT_RUNNING, Status, Verb
from vms.domain.machine import FROM_TEMPLATE
from vms.models import VM, ActionGroup, Permission, Pool, PoolType, Role, User
from vms.models.pools import POOL_SIZE

from . import power, prestarting
from ._action import action, all_locked, locked
from ._audit import record
from ._authorise import ENGINE, Actor, authorise
from ._cards import copies
from ._copies import hand_down, refit
from ._shape import fill, hand_down_first_boot, reshape
from ._status import active_verb
from .templates import brought

HOLDER = "UserRole"  # what somebody who takes a machine becomes on it (oVirt: AttachUserToVmFromPoolAndRun)

_ENDING = frozenset({Verb.SHUTDOWN, Verb.STOP})


@action
def grow(pool: Pool, count: int, *, by: Actor) -> Pool:
    """Add so many VMs, as the pool is configured now; numbers go on after the highest in use."""
    pool = locked(pool)
    authorise(by, ActionGroup.EDIT_VM_POOL_CONFIGURATION, pool)
    resize(pool, pool.size + count, by=by)
    return pool


@action
def take(pool: Pool, *, by: User, start: bool = True) -> VM:
    """Give the person a VM of the pool that is nobody's: one that runs already, else one that is started now (oVirt:
    allocatevm)."""
    pool = locked(pool)
    authorise(by, ActionGroup.VM_POOL_BASIC_OPERATIONS, pool)
    mine = pool.vms.filter(pk__in=Permission.objects.filter(user=by).values("vm")).count()
    vm = _free_one(pool)
    require_another(pool, mine=mine, free=0 if vm is None else 1)
    assert vm is not None
    Permission.objects.create(user=by, role=Role.objects.get(name=HOLDER), vm=vm)
    record(by, "USER_ATTACH_USER_TO_VM_FROM_POOL", vm, pool=pool.name, user=by.get_username())
    if start and vm.status == Status.DOWN:  # else it was waiting
        power.start(vm, by=by)
    return VM.objects.get(pk=vm.pk)


def require_another(pool: Pool, *, mine: int, free: int) -> None:
    """Refuse one more VM to somebody who holds as many as one person may, or when none is free."""
    if mine >= pool.max_user_vms:
        no = "VM_POOL_CANNOT_ATTACH_TO_MORE_VMS_FROM_POOL"
        raise Refusal(no, None, pool=pool.name, limit=pool.max_user_vms)
    if free < 1:
        raise Refusal("ACTION_TYPE_FAILED_NO_AVAILABLE_POOL_VMS", None, pool=pool.name)


@action
def give_back(vm: VM, *, by: User) -> VM:
    """Let go of a VM that was taken; one that still runs is ended, since nobody else could.

    Its holder may, and for any holder whoever may edit the pool. A stateless VM is powered off, what it had in memory
    being of no use to anybody; a stateful one is asked to shut down.
    """
    vm = _pooled(vm)
    held = holders(vm)
    mine = held.filter(user=by)
    if mine.exists():
        authorise(by, ActionGroup.VM_POOL_BASIC_OPERATIONS, vm)
        _end(vm, by=by)
        _release(vm, mine, by=by)
    else:
        authorise(by, ActionGroup.EDIT_VM_POOL_CONFIGURATION, vm.pool)
        _end(vm, by=ENGINE)
        _release(vm, held, by=by)
    return VM.objects.get(pk=vm.pk)


def holders(vm: VM) -> QuerySet[Permission]:
    """The roles by which people hold a VM that they took from its pool."""
    return vm.permissions.filter(role__name=HOLDER)


@action
def detach(vm: VM, *, by: Actor) -> VM:
    """Take a VM out of its pool for good: an ordinary one from now on, which its holder keeps."""
    vm = _pooled(vm)
    authorise(by, ActionGroup.EDIT_VM_POOL_CONFIGURATION, vm.pool)
    if Status(vm.status) not in NOT_RUNNING:
        raise Refusal("VM_POOL_CANNOT_REMOVE_RUNNING_VM_FROM_POOL", None, name=vm.name)
    pool, vm.pool = str(vm.pool), None
    vm.stateless = vm.use_latest_version = False
    vm.version += 1
    vm.save(update_fields=["pool", "stateless", "use_latest_version", "version"])
    record(by, "USER_REMOVE_VM_FROM_POOL", vm, pool=pool)
    return vm


def run_ended(vm: VM) -> None:
    """What becomes of a locked VM whose run has ended: an automatic pool has it back, whoever held it."""
    refit(vm, by=ENGINE)
    prestarting.ended(vm)
    if vm.pool and vm.pool.pool_type == PoolType.AUTOMATIC:
        _release(vm, holders(vm), by=ENGINE)


def require_enough(pool: Pool) -> None:
    """Refuse to have more VMs wait than there are."""
    if pool.prestarted_vms > (size := pool.size):
        no = "ACTION_TYPE_FAILED_PRESTARTED_VMS_CANNOT_EXCEED_VMS_COUNT"
        raise Refusal(no, "prestarted_vms", pool=pool.name, size=size)


def resize(pool: Pool, size: int, *, by: Actor) -> None:
    """Bring a locked pool to this size; it cannot shrink (VMs leave it one by one)."""
    there = pool.size
    if size < there:
        raise Refusal("VM_POOL_CANNOT_DECREASE_VMS_FROM_POOL", "size", pool=pool.name, size=there)
    if size > there:
        add(pool, size - there, first=_highest_number(pool) + 1, by=by)
        record(by, "USER_UPDATE_VM_POOL_WITH_VMS", pool, {"size": there}, {"size": size}, count=size - there)


def add(pool: Pool, count: int, *, first: int = 1, by: Actor) -> None:
    """Make VMs as the pool is configured, numbered from `first`, with thin disks on its template's."""
    size = pool.size + count
    if not POOL_SIZE[0] <= size <= POOL_SIZE[1]:
        raise Refusal("ILLEGAL_VALUE", "size", value=size, allowed="{} … {}".format(*POOL_SIZE))
    shape, cards = [(pool.spec, FROM_TEMPLATE)], copies(pool.template)
    for number in range(first, first + count):
        row = VM(cluster=pool.cluster, template=pool.template, instance_type=pool.instance_type, pool=pool)
        row.use_latest_version, row.stateless = pool.use_latest_version, not pool.stateful
        hand_down_first_boot(pool, row)
        fill(row, f"{pool.name}-{number}", shape, Changes(), cards)
        hand_down(pool.template, row, clone=False, by=by)


def spread(pool: Pool, *, everything: bool, by: Actor) -> None:
    """Bring the VMs that a locked pool has to its template version, or to all that it is; what runs, at its next start.

    A version is what a whole pool runs (oVirt: UpdateVmPool.updatePoolVms); anything else reaches them when asked.
    """
    for vm in all_locked(pool.vms.all()):
        wanted = {"template": pool.template, "use_latest_version": pool.use_latest_version}
        if everything:
            spec, wanted["instance_type"] = vm.spec.inherit(pool.spec, FROM_TEMPLATE), pool.instance_type
        else:
            spec = brought(vm, pool.template) if vm.template_id != pool.template_id else vm.spec
        reshape(vm, spec, wanted, by=by, pool=pool.name)
        refit(vm, by=by)


def _free_one(pool: Pool) -> VM | None:
    """The first free VM, locked: one that is ready before one that is off, and one that somebody works on at this
    moment only when there is no other."""
    for free in (pool.vms.ready(), pool.vms.idle()):
        waiting_for_nobody = free.select_for_update(no_key=True, skip_locked=True).order_by("created_at", "pk")
        if vm := waiting_for_nobody.first():
            return vm
    return pool.vms.free().select_for_update(no_key=True).order_by("pk").first()


def _pooled(vm: VM) -> VM:
    vm = locked(vm)
    if vm.pool is None:
        raise Refusal("VM_POOL_CANNOT_DETACH_VM_NOT_ATTACHED_TO_POOL", None, name=vm.name)
    return vm


def _end(vm: VM, *, by: Actor) -> None:
    """Have the run end that a VM is in, or saved from; one that is ending already is left to that."""
    if vm.status == Status.DOWN or active_verb(vm) in _ENDING:
        return
    if vm.stateless:
        power.stop(vm, by=by)
    else:
        power.shutdown(vm, by=by)


def _release(vm: VM, held: QuerySet[Permission], *, by: Actor) -> None:
    people = sorted(held.values_list("user__username", flat=True))
    if not people:
        return
    held.delete()
    record(by, "USER_DETACH_USER_FROM_VM", vm, pool=str(vm.pool), user=", ".join(people))


def _highest_number(pool: Pool) -> int:
    """Names of VMs that have left the pool are still in use."""
    names = VM.objects.filter(name__startswith=f"{pool.name}-").values_list("name", flat=True)
    numbers = (re.fullmatch(rf"{re.escape(pool.name)}-(\d{{1,9}})", name) for name in names)
    return max((int(number[1]) for number in numbers if number), default=0)
