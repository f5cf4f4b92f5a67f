"""Prepare for headless: the guest is taught to speak on its serial line, then the machine loses its screen.

A row tells how far it is; the engine goes on with each when its stage is over. What a stage asks for and that it was
asked for are one transaction, so an engine that is stopped anywhere goes on there, and nothing is done twice that
must not be.
"""

import logging
from contextlib import suppress
from typing import Any, Final

from django.db import DatabaseError
from django.utils import timezone

from vms.domain import lifecycle
from vms.domain.access import Seen
from vms.domain.errors import Refusal
from vms.domain.headless_guest import Task, read
from vms.domain.lifecycle import Status, Verb
from vms.domain.preparation import Goal, Outcome, Stage, Way
from vms.models import VM, ActionGroup, Job, JobState, Preparation, User

from . import power
from ._action import action, locked
from ._audit import coming_from, record
from ._authorise import ENGINE, authorise
from ._calling_off import call_job_off
from ._jobs import PREPARE_GUEST, PREPARE_OFFLINE
from ._offline import disks_of, possible_on, require_off
from ._stages import LATE, STEPS, answers, end, go_on, set_out, waits_for_its_turn

logger = logging.getLogger(__name__)

_NOT_FOUND: Final = 127  # how a shell says that there is no such program


@action
def begin(vm: VM, *, by: User, way: Way = Way.AGENT, alone: bool = False, may_power_off: bool = False) -> Preparation:
    """Prepare a machine that is off, or up; it is run once with VNC where its guest does not answer, or by the other
    way changed on its disks while it is off.

    Nobody is asked before the guest is changed when it is done `alone`. A running guest that does not answer is powered
    off where that is allowed (`may_power_off`), else it is refused; so is any before its disks are touched.
    """
    vm = locked(vm)
    authorise(by, ActionGroup.EDIT_VM_PROPERTIES, vm)
    authorise(by, ActionGroup.RUN_VM, vm)
    authorise(by, ActionGroup.SHUT_DOWN_VM, vm)
    if vm.stateless:
        raise Refusal("PREPARE_STATELESS", None, name=vm.name)
    if vm.pool:
        raise Refusal("ACTION_TYPE_FAILED_VM_IN_POOL", None, pool=str(vm.pool))
    if way == Way.OFFLINE and (no := no_offline(vm)):
        raise no
    _require_ready(vm, way, may_power_off=may_power_off)
    preparation = Preparation(vm=vm, way=way.value, alone=alone)
    preparation.before = vm.console
    set_out(preparation, vm, Goal.PREPARE, by=by, may_power_off=may_power_off)
    record(by, "USER_PREPARES_VM", vm)
    return preparation


@action
def confirm(preparation: Preparation, *, by: User) -> Preparation:
    """Whoever has read what would be changed in the guest says yes to it."""
    preparation = _mine(preparation, by=by)
    if not preparation.active or preparation.stage != Stage.CONFIRM:
        raise Refusal("PREPARE_NOT_NOW")
    go_on(preparation)
    return preparation


@action
def cancel(preparation: Preparation, *, by: User) -> Preparation:
    """Go no further; what has been changed already can be undone. A machine that ran for this alone is shut down."""
    preparation = _mine(preparation, by=by)
    if not preparation.active:
        raise Refusal("PREPARE_NOT_NOW")
    vm, job = preparation.vm, preparation.job
    if job is not None and job.verb in {PREPARE_GUEST, PREPARE_OFFLINE}:
        with suppress(Refusal):  # nothing stops an agent's program
            call_job_off(job, vm)
    # A program that is at work may come to its end all the same: then it is known that there is something to undo.
    end(preparation, Outcome.CANCELLED, job=job)
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
    if preparation.way == Way.OFFLINE and answers(vm):
        preparation.way = Way.AGENT.value
    if preparation.kept and preparation.way == Way.OFFLINE:
        possible_on(vm)
    elif preparation.kept:
        _require_ready(vm, Way.AGENT, may_power_off=may_power_off)
    set_out(preparation, vm, Goal.UNDO, by=by, may_power_off=may_power_off)
    if not preparation.kept:
        preparation.stage = Stage.CONFIGURE.value
        preparation.save(update_fields=["stage"])
    record(by, "USER_UNDOES_PREPARING_VM", vm)
    return preparation


def no_offline(vm: VM) -> Refusal | None:
    """Why a machine's disks could not be looked into while it is off; None where they could."""
    try:
        possible_on(vm)
        disks_of(vm)
    except Refusal as no:
        return no
    return None


def way_for(vm: VM) -> Way:
    """The way that is likelier to lead to the guest: onto its disks where no agent of it has ever answered."""
    return Way.OFFLINE if vm.agent == Seen.NEVER and no_offline(vm) is None else Way.AGENT


def reachable(vm: VM) -> bool:
    """Whether a way leads to a guest that answers without powering anything off."""
    return vm.status == Status.DOWN or answers(vm)


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
            if job.verb == PREPARE_OFFLINE:  # called off where the tasks are
                end(preparation, Outcome.CANCELLED)
                return
            raise Refusal("PREPARE_RUN_ENDED")
        if job is None or not job.active:
            STEPS[Stage(preparation.stage)](preparation, preparation.vm)
        late = preparation.until is not None and preparation.until < timezone.now()
        if late and preparation.active and not waits_for_its_turn(job):
            raise Refusal(LATE.get(Stage(preparation.stage), "GUEST_DID_NOT_REACT"))


@action
def _fail(key: Any, no: Refusal) -> None:
    preparation = _locked(key)
    if preparation is None:
        return
    with coming_from(None, preparation.correlation_id):
        end(preparation, Outcome.FAILED, error=no.as_document())
        told = no.as_document()
        record(
            ENGINE, "VM_PREPARING_FAILED", preparation.vm, severity="error", reason=told["code"], params=told["params"]
        )


def _require_ready(vm: VM, way: Way, *, may_power_off: bool) -> None:
    """Refuse a machine from which no way leads to a guest that answers, unless it may be powered off for that."""
    if reachable(vm) and not (way == Way.OFFLINE and vm.status != Status.DOWN):
        return
    if not lifecycle.allowed(Verb.SHUTDOWN, Status(vm.status)):
        raise Refusal("ACTION_TYPE_FAILED_VM_STATUS_ILLEGAL", None, verb=Verb.RUN_ONCE.value, status=vm.status)
    if way == Way.OFFLINE and not may_power_off:
        require_off(vm)
    if not may_power_off:
        raise Refusal("PREPARE_POWER_OFF_FIRST", "may_power_off", name=vm.name)


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
