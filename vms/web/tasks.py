"""What is being done: the list of tasks, the page of each with its steps, and the button that calls it off."""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from vms import messages
from vms.actions import cancelling, many
from vms.actions._jobs import (
    CLOSE_STORAGE,
    COPY_DISK,
    CREATE_DISK,
    DROP_IMAGE,
    EXPORT_DISK,
    IMPORT_DISK,
    OPEN_STORAGE,
    REMOVE_DISK,
    RESIZE_DISK,
)
from vms.domain.errors import Refusal
from vms.models import Job, JobState
from vms.routes import Access, route
from vms.search.visible import visible

from . import fleet, reasons
from .kinds import user_of
from .many import Task
from .overview import found_page
from .pages import complain, live, reply

Steps = Mapping[UUID, Mapping[str, int]]
# What jobs are about that are about no virtual machine.
_PAGES: Final = {
    **dict.fromkeys((OPEN_STORAGE, CLOSE_STORAGE), "storage_domain_detail"),
    **dict.fromkeys((CREATE_DISK, COPY_DISK, IMPORT_DISK, EXPORT_DISK), "disk_detail"),
    **dict.fromkeys((RESIZE_DISK, REMOVE_DISK, DROP_IMAGE), "disk_detail"),
}


@route(Access.ADMINISTRATOR)
@require_GET
def task_list(request: HttpRequest) -> HttpResponse:
    """What is being done and what was done, the latest first, with how far it is."""
    found = found_page(request, Job, ("created_at", "id"))
    rows = found["page"].rows
    steps = counted_steps(rows)
    context = {**found, "tasks": [line(job, steps) for job in rows], "at": reverse("tasks")}
    return live(request, "lists/tasks.html", "lists/_tasks.html", context, busy=any(job.active for job in rows))


@route(Access.ADMINISTRATOR)
@require_GET
def task(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A task with its steps; one over many machines with what became of each."""
    job = get_object_or_404(visible(Job, user_of(request)), pk=pk)
    no_cancel = reasons.why_not_cancelled(job, user_of(request)) if job.active else ""
    if job.many:
        told = {"task": Task(job).told(), "no_cancel": no_cancel, **fleet.undoing(job), **fleet.savings(job)}
        return live(request, "vms/task.html", "vms/_task.html", told, busy=job.active)
    context = {"task": line(job, {}), "steps": _steps(job), "no_cancel": no_cancel}
    return live(request, "lists/task.html", "lists/_task.html", context, busy=job.active)


@route(Access.ADMINISTRATOR)
@require_POST
def cancel_task(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Call a task off; of one over many machines, what has not had its turn."""
    job = get_object_or_404(visible(Job, user_of(request)), pk=pk)
    at = reverse("task", args=[pk])
    try:
        cancelling.cancel(job, by=user_of(request))
    except Refusal as no:
        return complain(request, no, at)
    done = _("What was left is cancelled.") if job.many else _("The task is called off.")
    return reply(request, done, at, stay=True)


@route(Access.ADMINISTRATOR)
@require_POST
def undo_task(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Undo a run over many machines: what it has changed, and nothing else."""
    job = get_object_or_404(visible(Job, user_of(request)), pk=pk)
    try:
        undone = many.undo(job, by=user_of(request), restart="restart" in request.POST)
    except Refusal as no:
        return complain(request, no, reverse("task", args=[pk]))
    done = _("The task was recorded; its report is on the page of the task.")
    return reply(request, done, reverse("task", args=[undone.pk]))


def counted_steps(rows: Iterable[Job]) -> Steps:
    """How many machines are in which state, of the jobs over many of them; one query, or none."""
    found: dict[UUID, dict[str, int]] = {}
    if many := {job.pk for job in rows if job.many}:
        counted = Job.objects.filter(pk__in=many).order_by().values_list("pk", "steps__state")
        for pk, state, count in counted.annotate(count=Count("steps")):
            found.setdefault(pk, {})[state] = count
    return found


def line(job: Job, counted: Steps) -> dict[str, Any]:
    """A task as lists tell it: what it is, how it stands, how far it is."""
    steps = counted.get(job.pk, {})
    total = sum(steps.values()) or (100 if job.progress is not None else 0)
    over = sum(steps.values()) - steps.get(JobState.QUEUED.value, 0) if steps else job.progress or 0
    return {
        "pk": job.pk,
        "at": job.created_at,
        "title": job.description or f"{messages.verb(job.verb)}: {job.machine_name}",
        "state": _("Being called off") if job.active and job.cancelling else JobState(job.state).label,
        "failed": job.state == JobState.FAILED,
        "active": job.active,
        "stops": job.active and not job.cancelling and cancelling.can_be_stopped(job),
        "reason": messages.job_error(job.error),
        "total": total,
        "over": over if job.state != JobState.FINISHED else total,
        "told": f"{over}/{total}" if steps else f"{job.progress}\N{NO-BREAK SPACE}%",
        "url": reverse("task", args=[job.pk]),
        "by": job.created_by.get_username() if job.created_by else _("engine"),
        "machine": "" if job.many or job.external else job.machine_name,
        "machine_url": reverse(_PAGES.get(job.verb, "vm_detail"), args=[job.machine]),
        "host": job.host.name if job.host else "",
        "finished_at": job.finished_at,
    }


def _steps(job: Job) -> list[dict[str, Any]]:
    return [
        {
            "name": step.description or messages.verb(step.name),
            "state": JobState(step.state).label,
            "at": step.at,
            "finished_at": step.finished_at,
        }
        for step in job.steps.all()
    ]
