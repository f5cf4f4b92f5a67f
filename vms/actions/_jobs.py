"""Jobs are recorded with the change that wants them; the engine is woken once that is committed."""

from typing import Any

from django.conf import settings
from django.db import transaction

from vms.domain.lifecycle import Verb
from vms.models import VM, Host, Job, JobState, User
from vms.wire.client import EngineClient

from ._audit import correlation_id
from ._authorise import Actor

# Verbs of the engine's own, beside those of `Verb`.
SET_REBOOT = "set_reboot"
UNDEFINE = "undefine"


def enqueue(vm: VM, verb: Verb | str, *, by: Actor, host: Host | None, exclusive: bool = True, **params: Any) -> Job:
    """Record a job in the present transaction; a second exclusive one violates a constraint and is refused."""
    job = Job.objects.create(
        machine=vm.pk,
        machine_name=vm.name,
        host=host,
        verb=str(verb),
        params=params,
        exclusive=exclusive,
        created_by=by if isinstance(by, User) else None,
        correlation_id=correlation_id(),
    )
    transaction.on_commit(wake)
    return job


def abort(vm: VM, *states: JobState, verbs: tuple[str, ...] = ()) -> bool:
    """End the machine's jobs in these states without carrying them out; False when the engine was quicker."""
    jobs = Job.objects.filter(machine=vm.pk, state__in=states)
    if verbs:
        jobs = jobs.filter(verb__in=verbs)
    return bool(jobs.update(state=JobState.ABORTED, exclusive=False))


def wake() -> None:
    EngineClient(settings.RUN_DIR).wake()
