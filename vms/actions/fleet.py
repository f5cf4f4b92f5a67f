"""Many machines made headless or graphical in one run: by themselves or through their pool, and back again.

A run remembers of each machine what it changed, so that exactly that can be undone: a machine that somebody has changed
since stays as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
from django.db.models import Q, QuerySet

from vms.domain.access import Access
from vms.domain.changes import Changes
from vms.domain.console import Console, Offer
from vms.domain.errors import Refusal
from vms.domain.lifecycle import NOT_RUNNING, Status
from vms.models import VM, Job, Pool, Preparation, Step, User

from . import access, power, preparations
from .edit import edit

HEADLESS: Final = "headless"
GRAPHICAL: Final = "graphical"
RESTORE: Final = "restore"

Params = Mapping[str, Any]
Row = VM | Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What became of one machine: the restart that it led to, what was changed in it, its preparation."""

    led_to: Job | None = None
    changed: dict[str, Any] | None = None
    preparation: Preparation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a run would do to one machine; `no` is why it would be refused."""

    vm: VM
    now: Access
    after: Access | None = None
    changes: bool = False
    restart: bool = False
    no: Refusal | None = None


def headless(row: Row, by: User, params: Params) -> Converted:
    """Take the screen away; with `prepare` a guest is taught to live without one first."""
    if isinstance(row, VM) and params.get("prepare"):
        power_off = bool(params.get("may_power_off"))
        way = preparations.way_for(row)
        begun = preparations.begin(row, by=by, way=way, alone=True, may_power_off=power_off)
        return Converted(preparation=begun)
    return _convert(row, _wanted(HEADLESS, params), by, params)


def graphical(row: Row, by: User, params: Params) -> Converted:
    """Give the screen back that it had before."""
    return _convert(row, _wanted(GRAPHICAL, params), by, params)


def restore(row: Row, by: User, params: Params) -> Converted:
    """Undo what the run `of` changed in the machine; refused where somebody has changed it since."""
    step = Step.objects.filter(job=params["of"], machine=row.pk).first()
    if step is not None and step.preparation is not None and isinstance(row, VM):
        power_off = bool(params.get("may_power_off"))
        return Converted(preparation=preparations.undo(step.preparation, by=by, may_power_off=power_off))
    if step is None or step.changed is None:
        raise Refusal("FLEET_NOTHING_TO_UNDO")
    before, after = (msgspec.convert(step.changed[key], Console) for key in ("before", "after"))
    if row.console != after:
        raise Refusal("FLEET_CHANGED_SINCE", None, name=row.name)
    return _convert(row, lambda _console, _offer: before, by, {**params, "accept_lockout": True})


def undoable(job: Job) -> QuerySet[Step]:
    """The steps of a run that have changed something."""
    return job.steps.filter(~Q(changed=None) | ~Q(preparation=None))


def forecast(verb: str, vm: VM, params: Params, *, pooled: bool = False) -> Forecast:
    """What would become of a machine, without doing anything; `pooled` where its pool is converted with it."""
    now = access.of(vm)
    try:
        console = _wanted(verb, params)(vm.console, vm.offer())
    except Refusal as refused:
        return Forecast(vm=vm, now=now, no=refused)
    changes, after = console != vm.console, access.of(vm, console)
    no = None
    if changes and vm.pool is not None and not pooled:  # it is what its pool is
        no = Refusal("ACTION_TYPE_FAILED_VM_IN_POOL", None, pool=str(vm.pool))
    elif changes and after.locked_out and not now.locked_out and not params.get("accept_lockout"):
        no = Refusal("VM_WOULD_BE_LOCKED_OUT", "accept_lockout")
    run = vm.run if Status(vm.observed) not in NOT_RUNNING else None
    differs = run is not None and run.spec.console.graphics != console.graphics
    return Forecast(vm=vm, now=now, after=after, changes=changes, restart=differs, no=no)


def _wanted(verb: str, params: Params) -> Any:
    def without_screen(console: Console, _offer: Offer) -> Console:
        return replace(console, serial=console.serial or bool(params.get("serial"))).as_headless()

    def with_screen(console: Console, offer: Offer) -> Console:
        return console.as_graphical(offer)

    return with_screen if verb == GRAPHICAL else without_screen


def _convert(row: Row, wanted: Any, by: User, params: Params) -> Converted:
    before = row.console
    changed = None
    if wanted(before, row.offer()) != before:
        accepted = bool(params.get("accept_lockout"))
        to_all = isinstance(row, Pool)
        row = edit(row, Changes(console=wanted, accept_lockout=accepted, apply_to_existing=to_all), by=by)
        documents = (msgspec.to_builtins(console, order="deterministic") for console in (before, row.console))
        changed = dict(zip(("before", "after"), documents, strict=True))
    return Converted(changed=changed, led_to=_restarted(row, by) if params.get("restart") else None)


def _restarted(row: Row, by: User) -> Job | None:
    """A restart where the guest runs with another console than it is to have."""
    if not isinstance(row, VM) or Status(row.observed) in NOT_RUNNING or row.run is None:
        return None
    if row.run.spec.console.graphics == row.console.graphics:
        return None
    return power.reboot(row, by=by)
