"""What ends a job that is not wanted any more: in the queue at once, under way where its hypervisor lets go."""

from typing import Final

from django.db.models import Q

from vms.domain.errors import Refusal
from vms.domain.lifecycle import Verb
from vms.models import VM, Job, JobState

from . import outcomes
from ._jobs import COPY_DISK, IMPORT_DISK, PREPARE_OFFLINE, REMOVE_SNAPSHOT, call_off
from ._status import project

# What a hypervisor lets go of half way, with nothing changed by it.
LETS_GO: Final = frozenset(
    {Verb.MIGRATE.value, Verb.SUSPEND.value, COPY_DISK, IMPORT_DISK, REMOVE_SNAPSHOT, PREPARE_OFFLINE}
)


def require_cancellable(job: Job) -> None:
    """Refuse for a job that has ended, that a program does itself, or that nothing stops any more."""
    if job.external or not job.active:
        raise Refusal("JOB_HAS_ENDED", None, name=str(job))
    # One that works with images and waits for its host again has done nobody knows how much there.
    begun = job.state == JobState.STARTED or (job.attempts > 0 and outcomes.works_with_images(job))
    if begun and not job.many and job.verb not in LETS_GO:
        raise Refusal("JOB_CANNOT_BE_CANCELLED", None, verb=job.verb)


def call_job_off(job: Job, vm: VM | None) -> None:
    """End a job of a locked machine, or have whoever carries it out end it."""
    require_cancellable(job)
    begun = Job.objects.filter(pk=job.pk, verb__in=LETS_GO)
    if outcomes.works_with_images(job):
        begun = begun.filter(Q(state=JobState.STARTED) | Q(state=JobState.QUEUED, attempts__gt=0))
    else:
        begun = begun.filter(state=JobState.STARTED)
    if begun.update(cancelling=True):
        return
    waiting = Job.objects.filter(pk=job.pk, state__in=(JobState.QUEUED, JobState.WAITING))
    if not call_off(waiting):
        raise Refusal("JOB_CANNOT_BE_CANCELLED", None, verb=job.verb)
    if vm is not None:
        project(vm)
    if not job.attempts:
        outcomes.of(job).failed(job, Refusal("JOB_CANCELLED"))
