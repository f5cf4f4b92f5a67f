"""Jobs that somebody does not want any more."""

from typing import Final

from vms.domain.errors import Refusal
from vms.domain.lifecycle import Verb
from vms.models import VM, ActionGroup, Disk, Job, User

from . import many, power
from ._action import action
from ._audit import record
from ._authorise import authorise
from ._calling_off import call_job_off, require_cancellable
from ._disks import authorise_disk
from ._jobs import REMOVE_SNAPSHOT, TAKE_SNAPSHOT

GROUPS: Final[dict[str, ActionGroup]] = {
    **{verb.value: group for verb, group in power.GROUPS.items()},
    Verb.MIGRATE.value: ActionGroup.MIGRATE_VM,
    **dict.fromkeys((TAKE_SNAPSHOT, REMOVE_SNAPSHOT), ActionGroup.MANIPULATE_VM_SNAPSHOTS),
}


@action
def cancel(job: Job, *, by: User) -> None:
    """Call a job off: one that has not begun, or waits for its guest, ends at once, one that is being carried out as
    soon as its hypervisor has let go. Whoever asked for it may, and whoever may do the same with the machine."""
    if job.many:
        many.cancel(job, by=by)
        return
    vm = VM.objects.select_for_update().filter(pk=job.machine).first()
    require_allowed(job, vm, by)
    call_job_off(job, vm)
    if vm is not None:
        record(by, "USER_CANCELLED_JOB", vm, verb=job.verb)


def can_be_stopped(job: Job) -> bool:
    """Whether anything stops the job, whoever asks."""
    try:
        require_cancellable(job)
    except Refusal:
        return False
    return True


def require_possible(job: Job, *, by: User) -> None:
    """Refuse to call a job off that nothing stops any more, or for somebody who has no say in it."""
    require_cancellable(job)
    if job.many:
        many.require_own(job, by)
    else:
        require_allowed(job, VM.objects.filter(pk=job.machine).first(), by)


def require_allowed(job: Job, vm: VM | None, by: User) -> None:
    """Refuse somebody who has not asked for the job and could not have."""
    if job.created_by_id == by.pk:
        return
    if vm is not None and job.verb in GROUPS:
        authorise(by, GROUPS[job.verb], vm)
    elif disk := Disk.objects.filter(pk=job.machine).first():
        authorise_disk(by, ActionGroup.EDIT_DISK_PROPERTIES, disk)
    else:
        raise Refusal("JOB_NOT_YOURS")
