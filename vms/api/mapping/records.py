"""What is being done and what has happened: jobs with their steps, and events."""

from functools import partial
from typing import Final

from vms import messages
from vms.models import ACTIVE, AuditEvent, Job, JobState, Step
from vms.search.visible import visible

from .entity import Entity, Link, related
from .fields import BOOLEAN, NUMBER, TEXT, TIME, Field, Reference
from .types import JOB_STATUS


def _state(it: Job | Step) -> str:
    return JobState.STARTED.value if it.state in ACTIVE else it.state


def _told(job: Job) -> str:
    verb = str(messages.verb(job.verb))
    error = messages.job_error(job.error)
    return f"{verb}: {job.machine_name}" + (f" ({error})" if error else "")


def _sentence(event: AuditEvent) -> str:
    return messages.event(event.code, entity=event.entity_name, actor=event.actor_name, params=event.params)


STEP: Final = Entity(
    name="step",
    collection="steps",
    plural="steps",
    own=(
        Field("description", TEXT, lambda it: str(messages.VERBS.get(it.name, it.name))),
        Field("number", NUMBER, lambda it: it.number),
        Field("type", TEXT, lambda _it: "executing"),
        Field("status", JOB_STATUS, _state),
        Field("external", BOOLEAN, lambda _it: False),
        Field("start_time", TIME, lambda it: it.at),
        Field("end_time", TIME, lambda it: it.finished_at),
        Field("job", Reference("jobs"), lambda it: it.job_id),
    ),
)

JOB: Final = Entity(
    name="job",
    collection="jobs",
    plural="jobs",
    own=(
        Field("description", TEXT, _told),
        Field("status", JOB_STATUS, _state),
        Field("auto_cleared", BOOLEAN, lambda _it: False),
        Field("external", BOOLEAN, lambda _it: False),
        Field("start_time", TIME, lambda it: it.created_at),
        Field("end_time", TIME, lambda it: it.finished_at),
        Field("owner", Reference("users"), lambda it: it.created_by_id),
    ),
    rows=partial(visible, Job),
    links=(Link(rel="steps", entity=STEP, items=related(lambda _user: Step.objects.all(), "job_id")),),
)

# What an event is about, by the kind that the audit trail names.
_ABOUT: Final = {"vm": "vms", "template": "templates", "cluster": "clusters", "host": "hosts"}

EVENT: Final = Entity(
    name="event",
    collection="events",
    plural="events",
    rows=partial(visible, AuditEvent),
    own=(
        Field("name", TEXT, lambda it: it.code),
        Field("description", TEXT, _sentence),
        Field("severity", TEXT, lambda it: it.severity),
        Field("time", TIME, lambda it: it.at),
        Field("index", NUMBER, lambda it: it.pk),
        Field("correlation_id", TEXT, lambda it: it.correlation_id or None),
        Field("user", Reference("users"), lambda it: it.actor_id),
        *(
            Field(kind, Reference(collection), lambda it, kind=kind: it.entity_id if it.entity_kind == kind else None)  # type: ignore[misc]
            for kind, collection in _ABOUT.items()
        ),
    ),
)
