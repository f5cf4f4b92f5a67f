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
    if job.external:
        return job.description
    verb = str(messages.verb(job.verb))
    error = messages.job_error(job.error)
    return f"{verb}: {job.machine_name}" + (f" ({error})" if error else "")


def _sentence(event: AuditEvent) -> str:
    return messages.event(event.code, entity=event.entity_name, actor=event.actor_name, params=event.params)


STEP: Final = Entity(
    name="step",
    collection="steps",
    plural="steps",
    actions=("end",),
    own=(
        Field(
            *("description", TEXT),
            *(lambda it: it.description or str(messages.VERBS.get(it.name, it.name)), "attribute.description"),
        ),
        Field("number", NUMBER, lambda it: it.number),
        Field("type", TEXT, lambda it: it.kind, "attribute.kind"),
        Field("status", JOB_STATUS, _state),
        Field("external", BOOLEAN, lambda it: bool(it.description)),
        Field("start_time", TIME, lambda it: it.at),
        Field("end_time", TIME, lambda it: it.finished_at),
        Field("job", Reference("jobs"), lambda it: it.job_id),
    ),
)

JOB: Final = Entity(
    name="job",
    collection="jobs",
    plural="jobs",
    actions=("clear", "end"),
    own=(
        Field("description", TEXT, _told, "attribute.description"),
        Field("status", JOB_STATUS, _state),
        Field("auto_cleared", BOOLEAN, lambda it: bool(it.params.get("auto_cleared")), "attribute.auto_cleared"),
        Field("external", BOOLEAN, lambda it: it.external),
        Field("start_time", TIME, lambda it: it.created_at),
        Field("end_time", TIME, lambda it: it.finished_at),
        Field("owner", Reference("users"), lambda it: it.created_by_id),
    ),
    rows=partial(visible, Job),
    links=(Link(rel="steps", entity=STEP, items=related(lambda _user: Step.objects.all(), "job_id")),),
)

# What an event is about, by the kind that the audit trail names.
_ABOUT: Final = {
    "vm": ("vm", "vms"),
    "template": ("template", "templates"),
    "cluster": ("cluster", "clusters"),
    "datacenter": ("data_center", "datacenters"),
    "host": ("host", "hosts"),
}

EVENT: Final = Entity(
    name="event",
    collection="events",
    plural="events",
    rows=lambda user: visible(AuditEvent, user).filter(dismissal=None),
    own=(
        Field("name", TEXT, lambda it: it.code),
        Field("description", TEXT, _sentence, "attribute.description"),
        Field("severity", TEXT, lambda it: it.severity, "attribute.severity"),
        Field("origin", TEXT, lambda it: it.params.get("origin", "oVirt"), "attribute.origin"),
        Field("custom_id", NUMBER, lambda it: it.params.get("custom_id"), "attribute.custom_id"),
        Field("time", TIME, lambda it: it.at),
        Field("index", NUMBER, lambda it: it.pk),
        Field("correlation_id", TEXT, lambda it: it.correlation_id or None),
        Field("user", Reference("users"), lambda it: it.actor_id),
        *(
            Field(
                name,
                Reference(collection),
                lambda it, kind=kind: it.entity_id if it.entity_kind == kind else None,  # type: ignore[misc]
                f"reference.{name}",
            )
            for kind, (name, collection) in _ABOUT.items()
        ),
    ),
)
