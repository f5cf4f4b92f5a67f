"""Machines that move to another host while they run."""

from vms.domain import lifecycle
from vms.domain.errors import Refusal
from vms.domain.lifecycle import NOT_RUNNING, Status, Verb
from vms.domain.machine import MigrationMode
from vms.models import ACTIVE, VM, ActionGroup, Host, Job

from ._action import action, all_locked, locked
from ._audit import record
from ._authorise import Actor, authorise
from ._calling_off import call_job_off
from ._jobs import enqueue
from ._placement import Destination, choose_destination, destinations
from ._status import project

__all__ = ["Destination", "away_from", "cancel", "destinations", "migrate", "under_way"]


@action
def migrate(vm: VM, *, to: Host | None = None, by: Actor) -> Job:
    """Have a running machine go on on another host: the one that is named, else the roomiest of its cluster."""
    vm = locked(vm)
    authorise(by, ActionGroup.MIGRATE_VM, vm)
    return _move(vm, to, by=by)


@action
def cancel(vm: VM, *, by: Actor) -> Job:
    """Have it stay where it is; refused when it does not migrate."""
    vm = locked(vm)
    authorise(by, ActionGroup.MIGRATE_VM, vm)
    job = under_way(vm)
    if job is None:
        raise Refusal("ACTION_TYPE_FAILED_VM_NOT_MIGRATING", None, name=vm.name)
    call_job_off(job, vm)
    record(by, "VM_MIGRATION_CANCELLED", vm)
    return job


def under_way(vm: VM) -> Job | None:
    """The job that moves a machine at present."""
    return Job.objects.filter(machine=vm.pk, verb=Verb.MIGRATE, state__in=ACTIVE).first()


def away_from(host: Host, *, by: Actor) -> list[Job]:
    """Have every machine of a locked host that runs go on elsewhere; refused, with nothing begun, when one cannot."""
    jobs = []
    for vm in all_locked(host.vms.exclude(observed__in=NOT_RUNNING)):
        if under_way(vm) is not None:
            continue
        try:
            if vm.migration != MigrationMode.MIGRATABLE:
                raise Refusal(_FIXED[MigrationMode(vm.migration)], None, name=vm.name)
            jobs.append(_move(vm, None, by=by))
        except Refusal as no:
            raise Refusal(
                "VDS_CANNOT_MAINTENANCE_VMS_STAY", None, host=host.name, vm=vm.name, reason=no.code, params=no.params
            ) from no
    return jobs


_FIXED = {
    MigrationMode.PINNED: "ACTION_TYPE_FAILED_VM_IS_PINNED_TO_HOST",
    MigrationMode.USER_MIGRATABLE: "ACTION_TYPE_FAILED_VM_IS_NON_MIGRTABLE_AND_IS_NOT_FORCED_BY_USER_TO_MIGRATE",
}


def _move(vm: VM, to: Host | None, *, by: Actor) -> Job:
    lifecycle.require(Verb.MIGRATE, Status(vm.status))
    if vm.migration == MigrationMode.PINNED:
        raise Refusal(_FIXED[MigrationMode.PINNED], None, name=vm.name)
    host = choose_destination(vm, to)
    paused = vm.observed == Status.PAUSED
    job = enqueue(vm, Verb.MIGRATE, by=by, host=vm.host, to=str(host.pk), to_name=host.name, paused=paused)
    project(vm)
    origin = vm.host.name if vm.host else ""
    record(by, "VM_MIGRATION_START", vm, origin=origin, host=host.name)
    return job
