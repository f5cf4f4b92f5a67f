"""The stages of a preparation, each called again until it goes on, and the row that tells how far it is."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from django.db.models import Q
from django.utils import timezone

from vms.domain import lifecycle
from vms.domain.access import Seen
from vms.domain.changes import Changes
from vms.domain.console import Console, Offer
from vms.domain.errors import Refusal
from vms.domain.headless_guest import Task
from vms.domain.lifecycle import NOT_RUNNING, Status, Verb
from vms.domain.preparation import PATHS, REACHED, WITHIN, Goal, Outcome, Stage, Way
from vms.domain.runonce import ConsoleChoice, RunOnce
from vms.models import VM, Job, Preparation, User

from . import power
from ._audit import correlation_id, record
from ._authorise import ENGINE
from ._changes import changed
from ._jobs import PREPARE_GUEST, PREPARE_OFFLINE, enqueue
from ._offline import disks_of, possible_on, require_off
from .edit import edit

AT_ONCE: Final = 4  # machines of fleets that are prepared at the same time: each boots twice


def _start(preparation: Preparation, vm: VM) -> None:
    by = _by(preparation)
    if preparation.alone and _crowded():
        _date(preparation)  # the time that it waits for its turn is not its own
        preparation.save(update_fields=["since", "until"])
    elif answers(vm):
        go_on(preparation)
    elif vm.status == Status.DOWN:
        go_on(preparation, power.run_once(vm, _with_screen, by=by))
    elif preparation.may_power_off and lifecycle.allowed(Verb.STOP, Status(vm.status)):
        _wait_for(preparation, power.stop(vm, by=by))


def waits_for_its_turn(job: Job | None) -> bool:
    """A look into disks waits until others are through, and is bounded itself."""
    return job is not None and job.active and job.verb == PREPARE_OFFLINE


def _wait_for_agent(preparation: Preparation, vm: VM) -> None:
    if Status(vm.observed) in NOT_RUNNING:
        raise Refusal("PREPARE_RUN_ENDED")
    if answers(vm):
        go_on(preparation)


def _look(preparation: Preparation, vm: VM) -> None:
    if preparation.job is None:
        _wait_for(preparation, _run_script(preparation, Task.LOOK))
    elif preparation.alone and preparation.encrypted:
        raise Refusal("PREPARE_ENCRYPTED")
    else:
        go_on(preparation)
        if preparation.alone:
            go_on(preparation)


def _change(preparation: Preparation, vm: VM) -> None:
    task = Task.CHANGE if preparation.goal == Goal.PREPARE else Task.UNDO
    if preparation.job is None:
        _wait_for(preparation, _run_script(preparation, task))
    else:
        go_on(preparation)


def _shut_down(preparation: Preparation, vm: VM) -> None:
    offline = preparation.way == Way.OFFLINE
    if offline and preparation.alone and _crowded():
        _date(preparation)
        preparation.save(update_fields=["since", "until"])
    elif Status(vm.observed) in NOT_RUNNING:
        go_on(preparation)
    elif preparation.job is None:
        off = power.stop if offline and preparation.may_power_off else power.shutdown
        _wait_for(preparation, off(vm, by=_by(preparation)))


def _configure(preparation: Preparation, vm: VM) -> None:
    def headless(console: Console, _offer: Offer) -> Console:
        return replace(console, serial=True).as_headless()

    undoing = preparation.goal == Goal.UNDO
    console = (lambda _console, _offer: preparation.before) if undoing else headless
    edit(vm, Changes(console=console, accept_lockout=True), by=_by(preparation))
    preparation.configured = not undoing
    preparation.save(update_fields=["configured"])
    go_on(preparation)


def _boot(preparation: Preparation, vm: VM) -> None:
    if preparation.goal == Goal.UNDO and not preparation.was_up:
        go_on(preparation)
    elif vm.status == Status.DOWN:
        go_on(preparation, power.start(vm, by=_by(preparation)))
    elif preparation.goal == Goal.UNDO:  # it was left to run: it has its console back with the next start
        go_on(preparation)


def _wait_for_login(preparation: Preparation, vm: VM) -> None:
    if Status(vm.observed) in NOT_RUNNING:
        raise Refusal("PREPARE_RUN_ENDED")
    if _prompt_seen(vm, preparation):
        go_on(preparation)
    elif vm.diagnosis and vm.diagnosis.finding.alarming and vm.booted_at and vm.booted_at >= preparation.since:
        raise Refusal("PREPARE_BOOT_STUCK", None, finding=vm.diagnosis.finding.value)


STEPS: Final[dict[Stage, Callable[[Preparation, VM], None]]] = {
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
LATE: Final = {Stage.AGENT: "PREPARE_AGENT_MISSING", Stage.LOGIN: "PREPARE_LOGIN_NOT_SEEN"}


def _crowded() -> bool:
    """Whether so many boot for a fleet that one more would only slow them down."""
    waiting = Q(way=Way.AGENT, stage=Stage.START) | Q(way=Way.OFFLINE, stage=Stage.SHUT_DOWN)
    return Preparation.objects.filter(outcome=Outcome.ACTIVE, alone=True).exclude(waiting).count() >= AT_ONCE


def answers(vm: VM) -> bool:
    """Whether its guest does, through its agent."""
    return vm.status == Status.UP and vm.agent == Seen.NOW


def _with_screen(spec: Any, offer: Offer) -> RunOnce:
    return RunOnce.choose(ConsoleChoice.VNC, spec, offer)


def _run_script(preparation: Preparation, task: Task) -> Job:
    vm, by = preparation.vm, _by(preparation)
    if preparation.way == Way.AGENT:
        return enqueue(vm, PREPARE_GUEST, by=by, host=vm.host, task=task.value)
    require_off(vm)
    disks_of(vm)
    return enqueue(vm, PREPARE_OFFLINE, by=by, host=possible_on(vm), task=task.value)


def _prompt_seen(vm: VM, preparation: Preparation) -> bool:
    return vm.login_seen_at is not None and vm.login_seen_at >= preparation.since


# -- the row


def _by(preparation: Preparation) -> User:
    if preparation.created_by is None:
        raise Refusal("MANY_NOT_YOURS")
    return preparation.created_by


def set_out(preparation: Preparation, vm: VM, goal: Goal, *, by: User, may_power_off: bool) -> None:
    """Begin, from the first stage on."""
    preparation.goal, preparation.stage = goal.value, _path(preparation, goal)[0].value
    preparation.outcome = Outcome.ACTIVE.value
    preparation.created_by, preparation.may_power_off = by, may_power_off
    preparation.correlation_id = correlation_id()
    preparation.was_up = vm.status != Status.DOWN
    preparation.job = preparation.error = preparation.finished_at = None
    _date(preparation)
    preparation.save()


def go_on(preparation: Preparation, job: Job | None = None) -> None:
    """To the next stage, which waits for the job that was asked for; after the last one it is done."""
    goal = Goal(preparation.goal)
    path = _path(preparation, goal)
    number = path.index(Stage(preparation.stage)) + 1
    if number == len(path):
        end(preparation, REACHED[goal])
        code = "VM_PREPARED" if goal == Goal.PREPARE else "VM_PREPARING_UNDONE"
        record(ENGINE, code, preparation.vm)
        return
    preparation.stage, preparation.job = path[number].value, job
    _date(preparation)
    preparation.save(update_fields=["stage", "job", "since", "until"])
    changed(preparation.vm)


def _path(preparation: Preparation, goal: Goal) -> tuple[Stage, ...]:
    return PATHS[goal, Way(preparation.way)]


def _wait_for(preparation: Preparation, job: Job) -> None:
    preparation.job = job
    preparation.save(update_fields=["job"])


def _date(preparation: Preparation) -> None:
    within = WITHIN.get(Stage(preparation.stage))
    preparation.since = timezone.now()
    preparation.until = preparation.since + within if within else None


def end(preparation: Preparation, outcome: Outcome, **columns: Any) -> None:
    """It came to this; `columns` are what else is to be remembered of it."""
    undone = {"kept": False, "configured": False} if outcome == Outcome.UNDONE else {}
    told = {"outcome": outcome.value, "finished_at": timezone.now(), "job": None, "until": None, **undone, **columns}
    Preparation.objects.filter(pk=preparation.pk).update(**told)
    changed(preparation.vm)
    for name, value in told.items():
        setattr(preparation, name, value)
