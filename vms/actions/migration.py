"""Machines that move to another host while they run."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import QuerySet

from vms.domain import lifecycle
from vms.domain.affinity import Affinity
from vms.domain.errors import Refusal
from vms.domain.lifecycle import NOT_RUNNING, Status, Verb
from vms.domain.machine import MigrationMode
from vms.models import ACTIVE, VM, ActionGroup, Host, Job

from ._action import action, all_locked, locked
from ._affinity import affinity_of
from ._audit import record
from ._authorise import Actor, authorise
from ._calling_off import call_job_off
from ._jobs import enqueue
from ._placement import Destination, choose_destination, destinations
from ._status import project

__all__ = ["Destination", "away_from", "cancel", "companions", "destinations", "mend", "migrate", "under_way"]


@action
def migrate(vm: VM, *, to: Host | None = None, together: bool = False, by: Actor) -> Job:
    """Have a running machine go on on another host: the one that is named, else the best of its cluster.

    `together` takes those along that have to run where it runs; then all of them move, or none.
    """
    vm, beside = _locked_with_company(vm) if together else (locked(vm), [])
    authorise(by, ActionGroup.MIGRATE_VM, vm)
    affinity = affinity_of(vm.cluster, lock=True)
    return _all_move(beside, to, affinity, by=by)[vm.pk] if together else _move(vm, to, affinity, by=by)


@action
def mend(vm: VM, *, by: Actor) -> Job:
    """Have a machine that runs against an affinity rule go where it breaks none, or fewer wishes; where that cannot be
    alone, with those beside it that have to run where it runs."""
    vm, beside = _locked_with_company(vm)
    authorise(by, ActionGroup.MIGRATE_VM, vm)
    affinity = affinity_of(vm.cluster, lock=True)
    here = affinity.where.get(vm.pk)
    breaches = affinity.breaches(vm.pk, here) if here else []
    if not here or not breaches:
        raise Refusal("AFFINITY_IS_KEPT", None, name=vm.name)
    forbidden = affinity.forbids(vm.pk, here) is not None
    found = destinations(vm, affinity)
    if any(each.why_not is None and (forbidden or each.cost < affinity.cost(vm.pk, here)) for each in found):
        return _move(vm, None, affinity, by=by)
    if not forbidden:
        raise Refusal("AFFINITY_NOWHERE_BETTER", None, name=vm.name)
    return _all_move(beside, None, affinity, by=by)[vm.pk]


def companions(vm: VM) -> list[VM]:
    """The machines that run on the same host and have to, as enforcing affinity says."""
    return list(_beside(vm).exclude(pk=vm.pk).order_by("name"))


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
    running = list(all_locked(host.vms.exclude(observed__in=NOT_RUNNING)))
    leaving = [vm for vm in running if under_way(vm) is None]
    jobs, affinity = [], affinity_of(host.cluster, lock=True).without(vm.pk for vm in leaving)
    for vm in leaving:
        try:
            if vm.migration != MigrationMode.MIGRATABLE:
                raise Refusal(_FIXED[MigrationMode(vm.migration)], None, name=vm.name)
            jobs.append(_move(vm, None, affinity, by=by))
        except Refusal as no:
            raise Refusal(
                "VDS_CANNOT_MAINTENANCE_VMS_STAY", None, host=host.name, vm=vm.name, reason=no.code, params=no.params
            ) from no
        affinity = affinity.placed(vm.pk, _destination(jobs[-1]))
    return jobs


_FIXED = {
    MigrationMode.PINNED: "ACTION_TYPE_FAILED_VM_IS_PINNED_TO_HOST",
    MigrationMode.USER_MIGRATABLE: "ACTION_TYPE_FAILED_VM_IS_NON_MIGRTABLE_AND_IS_NOT_FORCED_BY_USER_TO_MIGRATE",
}


def _all_move(vms: Iterable[VM], to: Host | None, affinity: Affinity, *, by: Actor) -> dict[UUID, Job]:
    """Have locked machines that belong together go on elsewhere, one after the other; each follows those before it."""
    jobs: dict[UUID, Job] = {}
    moving = list(vms)
    affinity = affinity.without(vm.pk for vm in moving)
    for vm in moving:
        authorise(by, ActionGroup.MIGRATE_VM, vm)
        jobs[vm.pk] = _move(vm, to, affinity, by=by)
        affinity = affinity.placed(vm.pk, _destination(jobs[vm.pk]))
    return jobs


def _locked_with_company(vm: VM) -> tuple[VM, list[VM]]:
    """The machine, and it with those that run where it runs and have to; all of them locked, in the usual order."""
    found = list(all_locked(_beside(vm)))
    there = next((each for each in found if each.pk == vm.pk), None)
    return (there, found) if there else (locked(vm), [])


def _beside(vm: VM) -> QuerySet[VM]:
    affinity = affinity_of(vm.cluster)
    company = [key for key in affinity.company(vm.pk) if affinity.where.get(key) == vm.host_id or key == vm.pk]
    return VM.objects.filter(pk__in=company)


def _destination(job: Job) -> UUID:
    return UUID(job.params["to"])


def _move(vm: VM, to: Host | None, affinity: Affinity, *, by: Actor) -> Job:
    lifecycle.require(Verb.MIGRATE, Status(vm.status))
    if vm.migration == MigrationMode.PINNED:
        raise Refusal(_FIXED[MigrationMode.PINNED], None, name=vm.name)
    host = choose_destination(vm, to, affinity)
    paused = vm.observed == Status.PAUSED
    job = enqueue(vm, Verb.MIGRATE, by=by, host=vm.host, to=str(host.pk), to_name=host.name, paused=paused)
    project(vm)
    origin = vm.host.name if vm.host else ""
    record(by, "VM_MIGRATION_START", vm, origin=origin, host=host.name)
    return job
