"""What programs beside the engine tell of: events that happened elsewhere, and jobs that they do themselves (oVirt:
AddExternalEvent, AddExternalJob)."""

from typing import Any, Final

from django.db.models import Model
from django.utils import timezone

from vms.domain.errors import Refusal
from vms.models import ActionGroup, AuditEvent, Dismissal, Job, JobState, Step, User

from ._action import action, locked
from ._audit import correlation_id, record
from ._authorise import Actor, authorise
from ._plain import added

SEVERITIES: Final = ("normal", "warning", "error", "alert")
KINDS: Final = ("validating", "executing", "finalizing", "rebalancing_volume", "removing_bricks", "unknown")
LENGTH: Final = 4000  # characters of an event


@action
def add_event(text: str, *, severity: str = "normal", about: Model | None = None, by: User, **told: Any) -> AuditEvent:
    """Record what has happened elsewhere, about an object or not; `told` are the origin and the program's own id."""
    authorise(by, ActionGroup.INJECT_EXTERNAL_EVENTS, None)
    if not text or len(text) > LENGTH or not text.isprintable():
        raise Refusal("ILLEGAL_VALUE", "description", value=ascii(text[:40]), allowed="one line of printable text")
    if severity not in SEVERITIES:
        raise Refusal("ILLEGAL_VALUE", "severity", value=severity[:16], allowed=", ".join(SEVERITIES))
    return record(by, f"EXTERNAL_EVENT_{severity.upper()}", about or by, severity=severity, text=text, **told)


@action
def dismiss_event(event: AuditEvent, *, by: User) -> None:
    """Tell programs of an event no more (oVirt: RemoveAuditLogById); the trail keeps it, and who dismissed it."""
    authorise(by, ActionGroup.INJECT_EXTERNAL_EVENTS, None)
    if Dismissal.objects.get_or_create(event=event)[1]:
        record(by, "USER_DISMISS_EVENT", by, event=str(event.pk), kind=event.code)


@action
def add_job(description: str, *, auto_cleared: bool = True, by: User) -> Job:
    """A job that begins now and that its program ends."""
    authorise(by, ActionGroup.INJECT_EXTERNAL_TASKS, None)
    job = Job(
        external=True,
        description=_told(description),
        state=JobState.STARTED,
        exclusive=False,
        params={"auto_cleared": auto_cleared},
        created_by=by,
        correlation_id=correlation_id(),
    )
    added(job)
    return job


@action
def end_job(job: Job, *, succeeded: bool, by: Actor) -> Job:
    """A job is done or has failed; its steps that still run end with it."""
    job = _open(job, by)
    outcome = JobState.FINISHED if succeeded else JobState.FAILED
    job.state, job.finished_at = outcome, timezone.now()
    job.save(update_fields=["state", "finished_at"])
    job.steps.filter(state=JobState.STARTED).update(state=outcome, finished_at=job.finished_at)
    return job


@action
def clear_job(job: Job, *, by: Actor) -> None:
    """Forget a job with its steps."""
    job = locked(job)
    authorise(by, ActionGroup.INJECT_EXTERNAL_TASKS, None)
    _require_external(job)
    job.delete()


@action
def add_step(job: Job, description: str, *, kind: str = "unknown", by: Actor) -> Step:
    """A part of a job that begins now."""
    job = _open(job, by)
    if kind not in KINDS:
        raise Refusal("ILLEGAL_VALUE", "type", value=kind[:24], allowed=", ".join(KINDS))
    step = Step(job=job, number=job.steps.count() + 1, description=_told(description), kind=kind)
    added(step)
    return step


@action
def end_step(step: Step, *, succeeded: bool, by: Actor) -> Step:
    """A part of a job is done or has failed."""
    _open(step.job, by)
    step = locked(step)
    if step.state != JobState.STARTED:
        raise Refusal("JOB_HAS_ENDED", None, name=str(step))
    step.state = JobState.FINISHED if succeeded else JobState.FAILED
    step.finished_at = timezone.now()
    step.save(update_fields=["state", "finished_at"])
    return step


def _open(job: Job, by: Actor) -> Job:
    """A job that may be told of, locked."""
    job = locked(job)
    authorise(by, ActionGroup.INJECT_EXTERNAL_TASKS, None)
    _require_external(job)
    if not job.active:
        raise Refusal("JOB_HAS_ENDED", None, name=str(job))
    return job


def _require_external(job: Job) -> None:
    if not job.external:
        raise Refusal("JOB_IS_NOT_EXTERNAL", None, name=str(job))


def _told(description: str) -> str:
    if not description or not description.isprintable():
        allowed = "one line of printable text"
        raise Refusal("ILLEGAL_VALUE", "description", value=ascii(description[:40]), allowed=allowed)
    return description
