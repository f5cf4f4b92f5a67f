"""What ends a job that is not wanted any more: in the queue at once, under way where its hypervisor lets go."""

from typing import Final

from vms.domain.errors import Refusal
from vms.domain.lifecycle import Verb
from vms.models import VM, Job, JobState

from ._jobs import call_off
from ._status import project

# What a hypervisor lets go of half way, with nothing changed by it.
LETS_GO: Final = frozenset({Verb.MIGRATE.value, Verb.SUSPEND.value})


def require_cancellable(job: Job) -> None:
    """Refuse for a job that has ended, that a program does itself, or that nothing stops any more."""
    if job.external or not job.active:
        raise Refusal("JOB_HAS_ENDED", None, name=str(job))
    if job.state == JobState.STARTED and not job.many and job.verb not in LETS_GO:
        raise Refusal("JOB_CANNOT_BE_CANCELLED", None, verb=job.verb)


def call_job_off(job: Job, vm: VM | None) -> None:
    """End a job of a locked machine, or have whoever carries it out end it."""
    require_cancellable(job)
    if call_off(Job.objects.filter(pk=job.pk, state__in=(JobState.QUEUED, JobState.WAITING))):
        if vm is not None:
            project(vm)
        return
    if not Job.objects.filter(pk=job.pk, state=JobState.STARTED, verb__in=LETS_GO).update(cancelling=True):
        raise Refusal("JOB_CANNOT_BE_CANCELLED", None, verb=job.verb)
