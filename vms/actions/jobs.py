"""How the engine takes jobs and says what became of them; each is a conditional update, so that one engine wins."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from vms.domain.errors import Refusal
from vms.domain.hosts import Observation
from vms.domain.lifecycle import Verb
from vms.models import VM, Host, Job, JobState, Step

from . import adoption, domains, outcomes
from ._action import action
from ._audit import coming_from, record
from ._authorise import ENGINE
from ._changes import changed
from ._jobs import PREPARE_OFFLINE
from ._status import project
from .many import PREFIX
from .outcomes import NOTHING, Told
from .reports import apply

LEASE: Final = timedelta(seconds=15)
ASK_EVERY: Final = timedelta(seconds=5)
LONG: Final = frozenset({Verb.MIGRATE.value, PREPARE_OFFLINE})  # verbs that hold up no other, and of which few run


def claim(owner: str, hosts: Collection[UUID], *, moving: Collection[UUID] = ()) -> Job | None:
    """Take the first waiting job of these hosts (highest priority, then oldest); None when there is none.

    Nobody else gets it. What takes `LONG` is taken from the hosts that have hands for such alone.
    """
    waiting = Job.objects.filter(state=JobState.QUEUED)
    takes_long = Q(verb__in=LONG)
    return _take(waiting.filter(Q(host__in=hosts) & ~takes_long | Q(host__in=moving) & takes_long), owner)


def claim_many(owner: str) -> Job | None:
    """Take the first waiting job over many machines; None when there is none. Nobody else gets it."""
    return _take(Job.objects.filter(state=JobState.QUEUED, verb__startswith=PREFIX), owner)


def _take(waiting: QuerySet[Job], owner: str) -> Job | None:
    for job in waiting.order_by("-priority", "created_at", "id")[:16]:
        taken = Job.objects.filter(pk=job.pk, state=JobState.QUEUED).update(
            state=JobState.STARTED,
            lease_owner=owner,
            lease_until=timezone.now() + LEASE,
            attempts=F("attempts") + 1,
        )
        if taken:
            job.refresh_from_db()
            return job
    return None


def extend(owner: str, at_hand: Collection[UUID]) -> None:
    """Say that the owner still works on these jobs; what it has lost sight of runs out and is queued again."""
    mine = Job.objects.filter(pk__in=at_hand, state=JobState.STARTED, lease_owner=owner)
    mine.update(lease_until=timezone.now() + LEASE)


@action
def reclaim(owner: str | None = None) -> int:
    """Queue again what another engine left behind: what its lease has run out on, or everything.

    With an owner: that one holds the engine's lock and has yet to begin, so whoever began a job is dead, even one of
    the same name (a process id comes again).
    """
    left = Job.objects.filter(state=JobState.STARTED, external=False)
    if owner is None:
        left = left.filter(lease_until__lt=timezone.now())
    for job in left.filter(verb__in=(Verb.RESET, Verb.REBOOT), steps__isnull=False).order_by("machine"):
        if not repeatable(job):
            fail(job, Refusal("ENGINE_FAILED"))
    return left.update(state=JobState.QUEUED, lease_owner="", lease_until=None)


def repeatable(job: Job) -> bool:
    """Whether doing it twice does no more than doing it once: a guest that reboots again loses what it began since."""
    return job.verb != Verb.RESET and (job.verb != Verb.REBOOT or bool(job.params.get("cold")))


def begin_step(job: Job, name: str) -> Step:
    """Record that a part of the job begins, and the one before it is done."""
    job.steps.filter(state=JobState.STARTED).update(state=JobState.FINISHED, finished_at=timezone.now())
    return Step.objects.create(job=job, number=job.steps.count() + 1, name=name)


def under_way(job: Job, percent: int) -> bool:
    """Record how far a job is; False when it is to be called off, or is ours no longer."""
    mine = Job.objects.filter(pk=job.pk, state=JobState.STARTED, lease_owner=job.lease_owner)
    if job.progress != percent and mine.update(progress=percent):
        job.progress = percent
        if vm := VM.objects.filter(pk=job.machine).first():
            changed(vm)
    return mine.filter(cancelling=False).exists()


@action
def abort(job: Job, refusal: Refusal) -> bool:
    """The job was called off, and nothing has come of it."""
    vm = _vm(job)
    if not _leave(job, JobState.ABORTED):
        return False
    if vm is not None:
        project(vm)
    outcomes.of(job).failed(job, refusal)
    return True


@action
def finish(job: Job, observation: Observation | None = None, host: Host | None = None, told: Told = NOTHING) -> bool:
    """The job is done; what was observed after it, on its host or the one that is named, or told of storage, is
    reported with it. False when it is no longer ours."""
    vm = _vm(job)
    if not _leave(job, JobState.FINISHED):
        return False
    if vm is not None:
        if observation is not None:
            apply(vm, observation, host or job.host)
            if (at := host or job.host) is not None:
                domains.settled(vm, at, job.verb, observation)
                adoption.read_again(vm)
        if host is not None:
            with coming_from(None, job.correlation_id):
                record(ENGINE, "VM_MIGRATION_DONE", vm, host=host.name)
        if observation is None:  # else that has done so
            project(vm)
    outcomes.of(job).done(job, told)
    return True


@action
def wait(job: Job, until: datetime) -> bool:
    """The guest has been asked and has until then to follow; other actions may overtake the job from now on."""
    vm = _vm(job)
    again = timezone.now() + ASK_EVERY
    until = job.deadline or until
    if not _leave(job, JobState.WAITING, exclusive=False, deadline=until, lease_until=again, finished_at=None):
        return False
    if vm is not None:
        project(vm)
    return True


@action
def fail(job: Job, refusal: Refusal) -> bool:
    """The job came to nothing, for the reason that the refusal names."""
    vm = _vm(job)
    if not _leave(job, JobState.FAILED, error=refusal.as_document()):
        return False
    _failed(job, vm)
    outcomes.of(job).failed(job, refusal)
    return True


@action
def retry(job: Job) -> bool:
    """Back into the queue: the host went away before it could say whether the job was done."""
    return bool(
        Job.objects.filter(pk=job.pk, state=JobState.STARTED, lease_owner=job.lease_owner).update(
            state=JobState.QUEUED, lease_owner="", lease_until=None
        )
    )


def ask_again() -> int:
    """Queue anew the requests for a power-off that a guest has not followed: one that was booting did not hear it."""
    unheard = Job.objects.filter(state=JobState.WAITING, lease_until__lt=timezone.now())
    asks = Q(verb=Verb.SHUTDOWN) | Q(verb=Verb.REBOOT, params__cold=True)
    return unheard.filter(asks).update(state=JobState.QUEUED, lease_owner="", lease_until=None)


@action
def expire() -> int:
    """End the jobs whose guests have not followed in time; returns how many."""
    # Machines are locked in the order of their ids, as by everybody who locks several.
    late = Job.objects.filter(state=JobState.WAITING, deadline__lt=timezone.now()).order_by("machine")
    ended = 0
    for job in late:
        vm = _vm(job)
        changed = Job.objects.filter(pk=job.pk, state=JobState.WAITING).update(
            state=JobState.FAILED, error=Refusal("GUEST_DID_NOT_REACT").as_document(), finished_at=timezone.now()
        )
        if changed:
            ended += 1
            job.refresh_from_db()
            _failed(job, vm)
    return ended


def _failed(job: Job, vm: VM | None) -> None:
    if vm is None:
        return
    project(vm)
    told = job.error or {}
    with coming_from(None, job.correlation_id):
        code = f"USER_FAILED_{job.verb.upper()}_VM"
        record(ENGINE, code, vm, severity="error", reason=told.get("code"), params=told.get("params"))


def _vm(job: Job) -> VM | None:
    """The job's machine, locked; None when it has been removed."""
    return VM.objects.select_for_update().filter(pk=job.machine).first()


def _leave(job: Job, state: JobState, **columns: object) -> bool:
    columns = {"finished_at": timezone.now(), "lease_until": None, **columns}
    mine = Job.objects.filter(pk=job.pk, state=JobState.STARTED, lease_owner=job.lease_owner)
    left = mine.update(state=state, **columns)
    if left:
        domains.written(job.machine)
        job.refresh_from_db()
        outcome = state if state in {JobState.FAILED, JobState.ABORTED} else JobState.FINISHED
        job.steps.filter(state=JobState.STARTED).update(state=outcome, finished_at=timezone.now())
    return bool(left)
