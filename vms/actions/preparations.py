"""Prepare for headless: the guest is taught to speak on its serial line, then the machine loses its screen.

A row tells how far it is; the engine goes on with each when its stage is over. What a stage asks for and that it was
asked for are one transaction, so an engine that is stopped anywhere goes on there, and nothing is done twice that
must not be.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from django.db import DatabaseError
from django.utils import timezone

from vms.domain import lifecycle
from vms.domain.access import Seen
from vms.domain.changes import Changes
from vms.domain.console import Console, Offer
from vms.domain.errors import Refusal
from vms.domain.headless_guest import Task, read
from vms.domain.lifecycle import NOT_RUNNING, Status, Verb
from vms.domain.preparation import PATHS, REACHED, WITHIN, Goal, Outcome, Stage
from vms.domain.runonce import ConsoleChoice, RunOnce
from vms.models import VM, ActionGroup, Job, JobState, Preparation, User

from . import power
from ._action import action, locked
from ._audit import coming_from, correlation_id, record
from ._authorise import ENGINE, authorise
from ._changes import changed
from ._jobs import PREPARE_GUEST, call_off, enqueue
from .edit import edit

logger = logging.getLogger(__name__)

AT_ONCE: Final = 4  # machines of fleets that are prepared at the same time: each boots twice
_NOT_FOUND: Final = 127  # how a shell says that there is no such program


@action
def begin(vm: VM, *, by: User, alone: bool = False, may_power_off: bool = False) -> Preparation:
    """Prepare a machine that is off, or up; it is run once with VNC where its guest does not answer.

    Nobody is asked before the guest is changed when it is done `alone`. A running guest that does not answer is powered
    off where that is allowed (`may_power_off`), else it is refused.
    """
    vm = locked(vm)
    authorise(by, ActionGroup.EDIT_VM_PROPERTIES, vm)
    authorise(by, ActionGroup.RUN_VM, vm)
    authorise(by, ActionGroup.SHUT_DOWN_VM, vm)
    if vm.stateless:
        raise Refusal("PREPARE_STATELESS", None, name=vm.name)
    if vm.pool:
        raise Refusal("ACTION_TYPE_FAILED_VM_IN_POOL", None, pool=str(vm.pool))
    _require_ready(vm, may_power_off=may_power_off)
    preparation = Preparation(vm=vm, alone=alone)
    preparation.before = vm.console
    _set_out(preparation, vm, Goal.PREPARE, by=by, may_power_off=may_power_off)
    record(by, "USER_PREPARES_VM", vm)
    return preparation


@action
def confirm(preparation: Preparation, *, by: User) -> Preparation:
    """Whoever has read what would be changed in the guest says yes to it."""
    preparation = _mine(preparation, by=by)
    if not preparation.active or preparation.stage != Stage.CONFIRM:
        raise Refusal("PREPARE_NOT_NOW")
    _go_on(preparation)
    return preparation


@action
def cancel(preparation: Preparation, *, by: User) -> Preparation:
    """Go no further; what has been changed already can be undone. A machine that ran for this alone is shut down."""
    preparation = _mine(preparation, by=by)
    if not preparation.active:
        raise Refusal("PREPARE_NOT_NOW")
    vm, job = preparation.vm, preparation.job
    if job is not None and job.verb == PREPARE_GUEST:
        call_off(Job.objects.filter(pk=job.pk, state=JobState.QUEUED))
    _end(preparation, Outcome.CANCELLED)
    record(by, "USER_CANCELLED_PREPARING_VM", vm)
    if not preparation.was_up and vm.run_once and Status(vm.status) in {Status.UP, Status.POWERING_UP}:
        power.shutdown(vm, by=by)
    return preparation


@action
def undo(preparation: Preparation, *, by: User, may_power_off: bool = False) -> Preparation:
    """Put back what it has changed, in the guest and in the machine; it runs afterwards if it runs now."""
    preparation = _mine(preparation, by=by)
    vm = preparation.vm
    latest = vm.preparations.first()
    if not preparation.undoable or latest != preparation:
        raise Refusal("PREPARE_NOTHING_KEPT", None, message="")
    authorise(by, ActionGroup.RUN_VM, vm)
    if preparation.kept:
        _require_ready(vm, may_power_off=may_power_off)
    _set_out(preparation, vm, Goal.UNDO, by=by, may_power_off=may_power_off)
    if not preparation.kept:
        preparation.stage = Stage.CONFIGURE.value
        preparation.save(update_fields=["stage"])
    record(by, "USER_UNDOES_PREPARING_VM", vm)
    return preparation


def reachable(vm: VM) -> bool:
    """Whether a way leads to a guest that answers without powering anything off."""
    return vm.status == Status.DOWN or _answers(vm)


def heard(job: Job, code: int, said: str) -> None:
    """What the script said in the guest; refused where it could not do what it is for."""
    rows = Preparation.objects.filter(job=job)
    if code == _NOT_FOUND:
        raise Refusal("PREPARE_NOT_LINUX", None, message=said[-200:])
    answer = read(said)
    told: dict[str, Any] = {"loader": answer.loader or "", "kept": answer.kept, "encrypted": answer.encrypted}
    if job.params["task"] == Task.LOOK:
        told |= {"changes": answer.changes, "changed": answer.changed}
    if job.params["task"] == Task.UNDO:
        told["yours"] = list(answer.yours)
    rows.update(**told)


def advance() -> int:
    """Go on with every preparation whose stage is over; returns how many are under way."""
    under_way = Preparation.objects.filter(outcome=Outcome.ACTIVE).exclude(stage=Stage.CONFIRM)
    keys = list(under_way.order_by("created_at", "vm").values_list("pk", flat=True))
    for key in keys:
        try:
            _advance(key)
        except Refusal as no:
            _fail(key, no)
        except DatabaseError:
            raise
        except Exception:  # one that goes wrong ends, and holds up neither the others nor the engine
            logger.exception("preparation %s failed", key)
            _fail(key, Refusal("ENGINE_FAILED"))
    return len(keys)


@action
def _advance(key: Any) -> None:
    preparation = _locked(key)
    if preparation is None:
        return
    with coming_from(None, preparation.correlation_id):
        job = preparation.job
        if job is not None and job.state == JobState.FAILED:
            error = job.error or {}
            raise Refusal(error.get("code", "ENGINE_FAILED"), None, **error.get("params", {}))
        if job is not None and job.state == JobState.ABORTED:
            raise Refusal("PREPARE_RUN_ENDED")
        if job is None or not job.active:
            _STEPS[Stage(preparation.stage)](preparation, preparation.vm)
        late = preparation.until is not None and preparation.until < timezone.now()
        if late and preparation.active:
            raise Refusal(_LATE.get(Stage(preparation.stage), "GUEST_DID_NOT_REACT"))


@action
def _fail(key: Any, no: Refusal) -> None:
    preparation = _locked(key)
    if preparation is None:
        return
    with coming_from(None, preparation.correlation_id):
        _end(preparation, Outcome.FAILED, error=no.as_document())
        told = no.as_document()
        record(
            ENGINE, "VM_PREPARING_FAILED", preparation.vm, severity="error", reason=told["code"], params=told["params"]
        )


# -- the stages; each is called again until it goes on


def _start(preparation: Preparation, vm: VM) -> None:
    by = _by(preparation)
    if preparation.alone and _crowded():
        _date(preparation)  # the time that it waits for its turn is not its own
        preparation.save(update_fields=["since", "until"])
    elif _answers(vm):
        _go_on(preparation)
    elif vm.status == Status.DOWN:
        _go_on(preparation, power.run_once(vm, _with_screen, by=by))
    elif preparation.may_power_off and lifecycle.allowed(Verb.STOP, Status(vm.status)):
        _wait_for(preparation, power.stop(vm, by=by))


def _wait_for_agent(preparation: Preparation, vm: VM) -> None:
    if Status(vm.observed) in NOT_RUNNING:
        raise Refusal("PREPARE_RUN_ENDED")
    if _answers(vm):
        _go_on(preparation)


def _look(preparation: Preparation, vm: VM) -> None:
    if preparation.job is None:
        _wait_for(preparation, _run_script(vm, Task.LOOK, by=_by(preparation)))
    elif preparation.alone and preparation.encrypted:
        raise Refusal("PREPARE_ENCRYPTED")
    else:
        _go_on(preparation)
        if preparation.alone:
            _go_on(preparation)


def _change(preparation: Preparation, vm: VM) -> None:
    task = Task.CHANGE if preparation.goal == Goal.PREPARE else Task.UNDO
    if preparation.job is None:
        _wait_for(preparation, _run_script(vm, task, by=_by(preparation)))
    else:
        _go_on(preparation)


def _shut_down(preparation: Preparation, vm: VM) -> None:
    if Status(vm.observed) in NOT_RUNNING:
        _go_on(preparation)
    elif preparation.job is None:
        _wait_for(preparation, power.shutdown(vm, by=_by(preparation)))


def _configure(preparation: Preparation, vm: VM) -> None:
    def headless(console: Console, _offer: Offer) -> Console:
        return replace(console, serial=True).as_headless()

    undoing = preparation.goal == Goal.UNDO
    console = (lambda _console, _offer: preparation.before) if undoing else headless
    edit(vm, Changes(console=console, accept_lockout=True), by=_by(preparation))
    preparation.configured = not undoing
    preparation.save(update_fields=["configured"])
    _go_on(preparation)


def _boot(preparation: Preparation, vm: VM) -> None:
    if preparation.goal == Goal.UNDO and not preparation.was_up:
        _go_on(preparation)
    elif vm.status == Status.DOWN:
        _go_on(preparation, power.start(vm, by=_by(preparation)))
    elif preparation.goal == Goal.UNDO:  # it was left to run: it has its console back with the next start
        _go_on(preparation)


def _wait_for_login(preparation: Preparation, vm: VM) -> None:
    if Status(vm.observed) in NOT_RUNNING:
        raise Refusal("PREPARE_RUN_ENDED")
    if _prompt_seen(vm, preparation):
        _go_on(preparation)
    elif vm.diagnosis and vm.diagnosis.finding.alarming and vm.booted_at and vm.booted_at >= preparation.since:
        raise Refusal("PREPARE_BOOT_STUCK", None, finding=vm.diagnosis.finding.value)


_STEPS: Final[dict[Stage, Callable[[Preparation, VM], None]]] = {
    Stage.START: _start,
    Stage.AGENT: _wait_for_agent,
    Stage.LOOK: _look,
    Stage.CONFIRM: lambda _preparation, _vm: None,
    Stage.CHANGE: _change,
    Stage.SHUT_DOWN: _shut_down,
    Stage.CONFIGURE: _configure,
    Stage.BOOT: _boot,
    Stage.LOGIN: _wait_for_login,
}
_LATE: Final = {Stage.AGENT: "PREPARE_AGENT_MISSING", Stage.LOGIN: "PREPARE_LOGIN_NOT_SEEN"}


def _crowded() -> bool:
    """Whether so many boot for a fleet that one more would only slow them down."""
    others = Preparation.objects.filter(outcome=Outcome.ACTIVE, alone=True).exclude(stage=Stage.START)
    return others.count() >= AT_ONCE


def _answers(vm: VM) -> bool:
    return vm.status == Status.UP and vm.agent == Seen.NOW


def _require_ready(vm: VM, *, may_power_off: bool) -> None:
    """Refuse a machine from which no way leads to a guest that answers, unless it may be powered off for that."""
    if reachable(vm):
        return
    if not lifecycle.allowed(Verb.SHUTDOWN, Status(vm.status)):
        raise Refusal("ACTION_TYPE_FAILED_VM_STATUS_ILLEGAL", None, verb=Verb.RUN_ONCE.value, status=vm.status)
    if not may_power_off:
        raise Refusal("PREPARE_POWER_OFF_FIRST", "may_power_off", name=vm.name)


def _with_screen(spec: Any, offer: Offer) -> RunOnce:
    return RunOnce.choose(ConsoleChoice.VNC, spec, offer)


def _run_script(vm: VM, task: Task, *, by: User) -> Job:
    return enqueue(vm, PREPARE_GUEST, by=by, host=vm.host, task=task.value)


def _prompt_seen(vm: VM, preparation: Preparation) -> bool:
    return vm.login_seen_at is not None and vm.login_seen_at >= preparation.since


# -- the row


def _locked(key: Any) -> Preparation | None:
    """A preparation that is under way, with its machine, both locked, the machine first; None when it is over."""
    found = Preparation.objects.filter(pk=key).first()
    if found is None:
        return None
    vm = locked(found.vm)
    preparation = Preparation.objects.select_for_update().filter(pk=key, outcome=Outcome.ACTIVE).first()
    if preparation is not None:
        preparation.vm = vm
    return preparation


def _mine(preparation: Preparation, *, by: User) -> Preparation:
    vm = locked(preparation.vm)
    authorise(by, ActionGroup.EDIT_VM_PROPERTIES, vm)
    preparation = Preparation.objects.select_for_update().get(pk=preparation.pk)
    preparation.vm = vm
    return preparation


def _by(preparation: Preparation) -> User:
    if preparation.created_by is None:
        raise Refusal("MANY_NOT_YOURS")
    return preparation.created_by


def _set_out(preparation: Preparation, vm: VM, goal: Goal, *, by: User, may_power_off: bool) -> None:
    preparation.goal, preparation.stage, preparation.outcome = goal.value, PATHS[goal][0].value, Outcome.ACTIVE.value
    preparation.created_by, preparation.may_power_off = by, may_power_off
    preparation.correlation_id = correlation_id()
    preparation.was_up = vm.status != Status.DOWN
    preparation.job = preparation.error = preparation.finished_at = None
    _date(preparation)
    preparation.save()


def _go_on(preparation: Preparation, job: Job | None = None) -> None:
    """To the next stage, which waits for the job that was asked for; after the last one it is done."""
    goal = Goal(preparation.goal)
    path = PATHS[goal]
    number = path.index(Stage(preparation.stage)) + 1
    if number == len(path):
        _end(preparation, REACHED[goal])
        code = "VM_PREPARED" if goal == Goal.PREPARE else "VM_PREPARING_UNDONE"
        record(ENGINE, code, preparation.vm)
        return
    preparation.stage, preparation.job = path[number].value, job
    _date(preparation)
    preparation.save(update_fields=["stage", "job", "since", "until"])
    changed(preparation.vm)


def _wait_for(preparation: Preparation, job: Job) -> None:
    preparation.job = job
    preparation.save(update_fields=["job"])


def _date(preparation: Preparation) -> None:
    within = WITHIN.get(Stage(preparation.stage))
    preparation.since = timezone.now()
    preparation.until = preparation.since + within if within else None


def _end(preparation: Preparation, outcome: Outcome, **columns: Any) -> None:
    undone = {"kept": False, "configured": False} if outcome == Outcome.UNDONE else {}
    told = {"outcome": outcome.value, "finished_at": timezone.now(), "job": None, "until": None, **undone, **columns}
    Preparation.objects.filter(pk=preparation.pk).update(**told)
    changed(preparation.vm)
    for name, value in told.items():
        setattr(preparation, name, value)
