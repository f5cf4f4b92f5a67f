"""One verb for many machines: a job whose steps are the machines, each with an outcome of its own.

Every machine is dealt with by the action that one machine is, with the rights of whoever asked, in a transaction of its
own together with what became of it: nothing is done twice, wherever the engine is stopped.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final
from uuid import uuid4

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from vms.domain.errors import Refusal
from vms.domain.lifecycle import Verb
from vms.models import VM, Job, JobState, Pool, Step, Tag, User
from vms.search.visible import runs_everything

from . import fleet, migration, power, tags
from ._action import action
from ._audit import coming_from, correlation_id, record
from ._authorise import ENGINE
from ._jobs import wake
from .fleet import Converted
from .remove import remove

logger = logging.getLogger(__name__)

MOST: Final = 10_000  # machines of one job
PREFIX: Final = "many_"
POOL: Final = "pool"  # a step's kind
_BATCH: Final = 1000

Params = Mapping[str, Any]
Done = Job | Converted | None


def _power(verb: Verb) -> Callable[[VM, User, Params], Done]:
    return lambda vm, by, _params: power.BY_VERB[verb](vm, by=by)


def _start(vm: VM, by: User, params: Params) -> Done:
    return power.start(vm, by=by, accept_lockout=bool(params.get("accept_lockout")))


def _migrate(vm: VM, by: User, _params: Params) -> Done:
    return migration.migrate(vm, by=by)


def _tagged(attach: Callable[..., None]) -> Callable[[VM, User, Params], Done]:
    def put(vm: VM, by: User, params: Params) -> Done:
        tag = Tag.objects.filter(pk=params["tag"]).first()
        if tag is None:
            raise Refusal("ACTION_TYPE_FAILED_VM_NOT_FOUND", "tag", name=str(params.get("tag_name", "")))
        attach(tag, vm, by=by)
        return None

    return put


def _remove(vm: VM, by: User, params: Params) -> Done:
    remove(vm, by=by)
    return None


VERBS: Final[dict[str, Callable[[Any, User, Params], Done]]] = {
    Verb.START: _start,
    **{verb: _power(verb) for verb in (Verb.SUSPEND, Verb.SHUTDOWN, Verb.STOP, Verb.REBOOT, Verb.RESET)},
    Verb.MIGRATE: _migrate,
    fleet.HEADLESS: fleet.headless,
    fleet.GRAPHICAL: fleet.graphical,
    fleet.RESTORE: fleet.restore,
    "attach_tag": _tagged(tags.attach),
    "detach_tag": _tagged(tags.detach),
    Verb.REMOVE: _remove,
}


@action
def ask(
    verb: str,
    machines: QuerySet[VM],
    *,
    by: User,
    expected: int | None = None,
    pool: Pool | None = None,
    **params: Any,
) -> Job:
    """Record what is to be done with these machines; which they are is settled now.

    Refused when there are others than the `expected` number, or more than one job may have. A `pool` whose machines
    they are comes first: they are what it is.
    """
    if verb not in VERBS:
        raise Refusal("ILLEGAL_VALUE", "verb", value=verb, allowed=", ".join(VERBS))
    chosen = list(machines.order_by("folded", "name").values_list("pk", "name")[: MOST + 1])
    if not chosen and pool is None:
        raise Refusal("MANY_NONE")
    if len(chosen) > MOST:
        raise Refusal("MANY_TOO_MANY", None, limit=MOST)
    if expected is not None and expected != len(chosen):
        raise Refusal("MANY_OTHERS_MEANWHILE", None, expected=expected, count=len(chosen))
    key = uuid4()
    job = Job.objects.create(
        id=key,
        machine=key,
        machine_name=str(len(chosen)),
        verb=f"{PREFIX}{verb}",
        params=params,
        created_by=by,
        correlation_id=correlation_id(),
    )
    if pool is not None:
        Step.objects.create(job=job, number=0, name=pool.name, machine=pool.pk, kind=POOL, state=JobState.QUEUED)
    Step.objects.bulk_create(
        (
            Step(job=job, number=number, name=name, machine=machine, state=JobState.QUEUED)
            for number, (machine, name) in enumerate(chosen, start=1)
        ),
        batch_size=_BATCH,
    )
    record(by, "USER_ASKED_FOR_MANY", job, verb=verb)
    transaction.on_commit(wake)
    return job


@action
def undo(job: Job, *, by: User, restart: bool = False) -> Job:
    """Record that what a run of the fleet has changed is to be changed back, in every machine and in its pool."""
    require_own(job, by)
    steps = fleet.undoable(job)
    pool = Pool.objects.filter(pk__in=steps.filter(kind=POOL).values("machine")).first()
    if job.active or not steps.exists():
        raise Refusal("FLEET_NOTHING_TO_UNDO")
    machines = VM.objects.filter(pk__in=steps.values("machine"))
    return ask(fleet.RESTORE, machines, by=by, pool=pool, of=str(job.pk), **({"restart": True} if restart else {}))


@action
def cancel(job: Job, *, by: User) -> None:
    """Leave the machines alone that have not had their turn yet; whoever asked may, and whoever runs everything."""
    require_own(job, by)
    ended = {"state": JobState.ABORTED, "finished_at": timezone.now()}
    if Job.objects.filter(pk=job.pk, state__in=(JobState.QUEUED, JobState.STARTED)).update(**ended):
        job.steps.filter(state=JobState.QUEUED).update(**ended)
        record(by, "USER_CANCELLED_MANY", job, verb=job.verb.removeprefix(PREFIX))


def require_own(job: Job, by: User) -> None:
    """Refuse somebody who has not asked for it and does not run everything."""
    if job.created_by_id != by.pk and not runs_everything(by):
        raise Refusal("MANY_NOT_YOURS")


def carry_on(job: Job) -> bool:
    """Deal with the next machine of a claimed job; False when there is none left, and the job is done."""
    mine = Job.objects.filter(pk=job.pk, state=JobState.STARTED, lease_owner=job.lease_owner)
    if not mine.exists():
        return False
    step = job.steps.filter(state=JobState.QUEUED).order_by("number").first()
    if step is None:
        _end(job, mine)
        return False
    with coming_from(None, job.correlation_id):
        try:
            _deal_with(step, job)
        except Refusal as no:
            _leave(step, JobState.FAILED, error=no.as_document())
        except Exception:
            logger.exception("job %s (%s %s) failed", job.pk, job.verb, step.name)
            _leave(step, JobState.FAILED, error=Refusal("ENGINE_FAILED").as_document())
    return True


@action
def _deal_with(step: Step, job: Job) -> None:
    """The machine and what became of it, in one transaction."""
    rows: QuerySet[Any] = Pool.objects.all() if step.kind == POOL else VM.objects.all()
    row = rows.filter(pk__in=[step.machine]).first()
    if row is None:
        raise Refusal("ACTION_TYPE_FAILED_VM_NOT_FOUND", None, name=step.name)
    if job.created_by is None:
        raise Refusal("MANY_NOT_YOURS")
    done = VERBS[job.verb.removeprefix(PREFIX)](row, job.created_by, job.params)
    told = {each.name: getattr(done, each.name) for each in fields(Converted)} if isinstance(done, Converted) else None
    if not _leave(step, JobState.FINISHED, **(told or {"led_to": done})):
        raise Refusal("MANY_CANCELLED")  # and roll back whatever was done


def _leave(step: Step, state: JobState, **columns: object) -> bool:
    """Take a step out of the queue; False when somebody has cancelled it."""
    columns = {"state": state, "finished_at": timezone.now(), **columns}
    return bool(Step.objects.filter(pk=step.pk, state=JobState.QUEUED).update(**columns))


@action
def _end(job: Job, mine: QuerySet[Job]) -> None:
    failed, count = job.steps.filter(state=JobState.FAILED).count(), job.steps.count()
    ended: dict[str, Any] = {"state": JobState.FINISHED, "finished_at": timezone.now(), "lease_until": None}
    if failed == count:
        ended |= {"state": JobState.FAILED, "error": Refusal("MANY_ALL_FAILED", None, count=count).as_document()}
    if mine.update(**ended):
        severity, verb = "warning" if failed else "normal", job.verb.removeprefix(PREFIX)
        with coming_from(None, job.correlation_id):
            record(ENGINE, "MANY_DONE", job, severity=severity, verb=verb, failed=failed)
