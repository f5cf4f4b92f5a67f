"""Verbs that change whether and how a VM runs; each records a job that the engine carries out."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from vms.domain import lifecycle
from vms.domain.console import Offer
from vms.domain.document import run_to_document
from vms.domain.lifecycle import Status, Verb
from vms.domain.machine import MachineSpec
from vms.domain.runonce import Run, RunOnce
from vms.models import VM, ActionGroup, Job, JobState

from . import access, initial, stateless
from ._action import action, locked
from ._audit import record
from ._authorise import Actor, authorise, authorise_fields
from ._disputes import require_undisputed
from ._jobs import call_off, enqueue, requests
from ._placement import choose_host
from ._reboots import ends_with_reboot
from ._status import project

GROUPS: Final = {
    Verb.START: ActionGroup.RUN_VM,
    Verb.RUN_ONCE: ActionGroup.RUN_VM,
    Verb.RESUME: ActionGroup.RUN_VM,
    Verb.SHUTDOWN: ActionGroup.SHUT_DOWN_VM,
    Verb.STOP: ActionGroup.STOP_VM,
    Verb.REBOOT: ActionGroup.REBOOT_VM,
    Verb.RESET: ActionGroup.RESET_VM,
    Verb.SUSPEND: ActionGroup.HIBERNATE_VM,
}

_CODES = {
    Verb.START: "USER_STARTED_VM",
    Verb.RUN_ONCE: "USER_STARTED_VM",
    Verb.RESUME: "USER_RESUME_VM",
    Verb.SHUTDOWN: "USER_INITIATED_SHUTDOWN_VM",
    Verb.STOP: "USER_STOP_VM",
    Verb.REBOOT: "USER_REBOOT_VM",
    Verb.RESET: "USER_RESET_VM",
    Verb.SUSPEND: "USER_SUSPEND_VM",
}

Overlay = Callable[[MachineSpec, Offer], RunOnce]


@action
def start(vm: VM, *, by: Actor, accept_lockout: bool = True, initialize: bool | None = None) -> Job:
    """Start a VM as it is configured; a paused or suspended one is resumed (oVirt: RunVm).

    Its guest is told of its first boot where it is that, or as `initialize` says.

    Refused for one that nobody could reach, unless that is accepted: doors for people ask first.
    """
    vm = locked(vm)
    if lifecycle.allowed(Verb.RESUME, Status(vm.status)):
        return _request(vm, Verb.RESUME, by=by)
    return _launch(vm, Verb.START, None, by=by, accept_lockout=accept_lockout, initialize=initialize)


@action
def run_once(
    vm: VM,
    overlay: Overlay,
    *,
    by: Actor,
    accept_lockout: bool = True,
    initialize: bool | None = None,
    otherwise: initial.Otherwise | None = None,
    fleeting: bool = False,
) -> Job:
    """Start a VM one time with an overlay; what is configured stays and comes back by itself.

    `overlay` builds the `RunOnce` from the locked machine and what its cluster offers; `otherwise` is what the guest is
    told at this boot in place of what is configured. What a `fleeting` run writes to the disks goes with it.
    """
    return _launch(
        locked(vm),
        Verb.RUN_ONCE,
        overlay,
        by=by,
        accept_lockout=accept_lockout,
        initialize=True if otherwise else initialize,
        otherwise=otherwise,
        fleeting=fleeting,
    )


@action
def resume(vm: VM, *, by: Actor) -> Job:
    """Let a paused or suspended VM go on as it was."""
    return _request(locked(vm), Verb.RESUME, by=by)


@action
def shutdown(vm: VM, *, by: Actor) -> Job:
    """Ask the guest to power off; a VM that is not up has nobody to ask and is stopped (oVirt: ShutdownVm)."""
    vm = locked(vm)
    # A guest that was asked to reboot is still there to be asked: pulling the plug would cost its data.
    asked = {Status.UP, Status.POWERING_UP, Status.POWERING_DOWN, Status.REBOOT_IN_PROGRESS}
    if Status(vm.status) in asked:
        return _request(vm, Verb.SHUTDOWN, by=by)
    authorise(by, GROUPS[Verb.SHUTDOWN], vm)
    return _stop(vm, by=by)


@action
def stop(vm: VM, *, by: Actor) -> Job:
    """Power off at once; discards a suspended state, and calls off a start that the engine has not begun."""
    return _stop(locked(vm), by=by)


@action
def reboot(vm: VM, *, by: Actor) -> Job:
    """Ask the guest to reboot; with changes pending, or a run once that ends with a reboot, it starts anew instead."""
    vm = locked(vm)
    return _request(vm, Verb.REBOOT, by=by, cold=ends_with_reboot(vm))


@action
def reset(vm: VM, *, by: Actor) -> Job:
    """Press the reset button; applies nothing and asks nobody."""
    return _request(locked(vm), Verb.RESET, by=by)


@action
def suspend(vm: VM, *, by: Actor) -> Job:
    """Save the VM's state and stop it; the next start goes on from there."""
    return _request(locked(vm), Verb.SUSPEND, by=by)


# The verbs that need nothing but the machine; doors offer them by these names.
BY_VERB: Final[dict[Verb, Callable[..., Job]]] = {
    Verb.START: start,
    Verb.RESUME: resume,
    Verb.SHUTDOWN: shutdown,
    Verb.STOP: stop,
    Verb.REBOOT: reboot,
    Verb.RESET: reset,
    Verb.SUSPEND: suspend,
}


def _launch(
    vm: VM,
    verb: Verb,
    overlay: Overlay | None,
    *,
    by: Actor,
    accept_lockout: bool,
    initialize: bool | None = None,
    otherwise: initial.Otherwise | None = None,
    fleeting: bool = False,
) -> Job:
    authorise(by, GROUPS[verb], vm)
    lifecycle.require(verb, Status(vm.status))
    stateless.end(vm)  # of a run whose end nobody could tell
    if fleeting or vm.stateless:
        stateless.begin(vm, by=by)
    spec, offer = vm.spec, vm.offer()
    run = Run(base=spec, once=overlay(spec, offer) if overlay else None)
    authorise_fields(by, spec, run.spec, vm)
    console = run.spec.console
    require_undisputed(vm)
    if overlay or not vm.adopted:  # what an adopted one shows is its own affair
        offer.check(console)
    access.require_way_in(vm, None, console, accepted=accept_lockout)
    host = choose_host(vm, run.spec)
    if not console.headless:
        run = replace(run, listen=host.doorway.listen, secure=host.doorway.secure)
    more = {"own": True} if vm.adopted else {}
    initial.of(vm, otherwise)  # refused here, not when the engine begins
    if initial.wanted(vm, initialize):
        more["seed"] = True
    job = _enqueue(vm, verb, by=by, host=host, run=run_to_document(run), **more)
    initial.seal(job, otherwise)
    access.tell(vm, None, console, by=by)
    return job


def _stop(vm: VM, *, by: Actor) -> Job:
    authorise(by, GROUPS[Verb.STOP], vm)
    lifecycle.require(Verb.STOP, Status(vm.status))
    queued = Job.objects.filter(machine=vm.pk, state=JobState.QUEUED, verb__in=(Verb.START, Verb.RUN_ONCE)).first()
    if queued and call_off(Job.objects.filter(pk=queued.pk, state=JobState.QUEUED)):
        stateless.end(vm)
        project(vm)
        record(by, _CODES[Verb.STOP], vm)
        queued.refresh_from_db()
        return queued
    call_off(requests(vm))
    return _enqueue(vm, Verb.STOP, by=by, host=vm.host)


def _request(vm: VM, verb: Verb, *, by: Actor, **params: Any) -> Job:
    authorise(by, GROUPS[verb], vm)
    lifecycle.require(verb, Status(vm.status))
    call_off(requests(vm))
    return _enqueue(vm, verb, by=by, host=vm.host, **params)


def _enqueue(vm: VM, verb: Verb, *, by: Actor, **params: Any) -> Job:
    job = enqueue(vm, verb, by=by, **params)
    project(vm)
    record(by, _CODES[verb], vm, verb=verb.value)
    return job
