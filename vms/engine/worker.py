"""Carries out jobs: each verb calls its hypervisor, tells what became of it, and may be begun again after a crash."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import DatabaseError
from django.utils import timezone

from vms.actions import initial, jobs, preparations, reports, stateless
from vms.actions._disks import replugged
from vms.actions._jobs import DEFINE, NORMALISE, PLUG, PLUG_NICS, PREPARE_GUEST, PREPARE_OFFLINE, SET_REBOOT, UNDEFINE
from vms.actions._offline import disks_of
from vms.actions._reboots import ends_with_reboot
from vms.actions.outcomes import NOTHING, Told
from vms.domain.console import DisconnectAction
from vms.domain.document import run_from_document
from vms.domain.errors import Refusal
from vms.domain.headless_guest import Task, script
from vms.domain.hosts import Observation
from vms.domain.lifecycle import NOT_RUNNING, Status, Verb
from vms.hypervisors.base import Hypervisor
from vms.models import VM, Host, Job

from .borrowing import give_back
from .crashpoints import crash_point
from .progress import progress_of
from .snapshotting import make_layers
from .storing import STORING

logger = logging.getLogger(__name__)

# How long a guest has to follow a request before the job is given up and Power Off is the advice.
PATIENCE: Final[dict[str, timedelta]] = {Verb.SHUTDOWN: timedelta(minutes=5), Verb.REBOOT: timedelta(minutes=5)}
ATTEMPTS: Final = 5
# Seconds that a hypervisor may take for a verb before it counts as hanging: saving and restoring take as long as the
# memory is large; a hung QEMU is killed after ten seconds, and what it is asked takes for ever.
LIMITS: Final[dict[str, float]] = {
    Verb.START: 180.0,
    Verb.RUN_ONCE: 180.0,
    Verb.SUSPEND: 3600.0,
    Verb.RESUME: 3600.0,
    Verb.STOP: 60.0,
    Verb.MIGRATE: 6 * 3600.0,
    PREPARE_GUEST: 260.0,
    PREPARE_OFFLINE: 660.0,
    PLUG: 60.0,
    PLUG_NICS: 120.0,
}
SCRIPT_WITHIN: Final = 240.0  # seconds; update-grub takes two, under emulation on a busy host a hundred
LIMIT: Final = 20.0
# From so many percent on a look into disks is at the step.
OFFLINE_STEPS: Final = ((40, "find_system"), (70, "run_offline"), (95, "write_disks"))
STORES_WITHIN: Final = 6 * 3600.0  # copying takes as long as a disk is large

# What a call tells of storage, or how its machine is afterwards; else that is looked at.
Call = Callable[[Hypervisor, Job], Told | Observation | None]
Drivers = Callable[[UUID], Hypervisor]


def limit(job: Job) -> float:
    """The seconds after which a job that is not done hangs."""
    return LIMITS.get(job.verb, STORES_WITHIN if job.verb in STORING else LIMIT)


def nowhere_else(host: UUID) -> Hypervisor:
    """For whoever has one host alone."""
    raise Refusal("HOST_NOT_RESPONDING", None, host=str(host))


def carry_out(job: Job, hypervisor: Hypervisor, others: Drivers = nowhere_else) -> bool:
    """Do a claimed job and record its outcome; whatever goes wrong ends in a refusal on the job.

    `others` gives the driver of another host, refused for one that does not answer.
    False when the host did not answer. A database that does not answer is the caller's: the job's lease runs out.
    """
    crash_point(job.verb, "claimed")
    answered = True
    try:
        if job.verb == Verb.MIGRATE:
            _migrate(hypervisor, job, others)
        else:
            jobs.begin_step(job, job.verb)
            _call(job, hypervisor)
    except Refusal as refusal:
        answered = refusal.code != "HOST_NOT_RESPONDING"
        _give_up_or_retry(job, refusal)
    except DatabaseError:
        raise
    except Exception:
        logger.exception("job %s (%s) failed", job.pk, job.verb)
        jobs.fail(job, Refusal("ENGINE_FAILED"))
    crash_point(job.verb, "finished")
    return answered


def _call(job: Job, hypervisor: Hypervisor) -> None:
    give_back()
    try:
        told = CALLS[job.verb](hypervisor, job)
    except Refusal as refusal:
        if not _done_already(job, hypervisor, refusal):
            raise
        return
    crash_point(job.verb, "called")
    _conclude(job, hypervisor, told)


def _conclude(job: Job, hypervisor: Hypervisor, told: Told | Observation | None) -> None:
    if patience := PATIENCE.get(job.verb):
        jobs.wait(job, timezone.now() + patience)
        return
    if isinstance(told, Observation):
        jobs.finish(job, told)
    elif job.verb in STORING:
        jobs.finish(job, told=told or NOTHING)
    else:
        jobs.finish(job, hypervisor.observe(job.machine) if job.verb != UNDEFINE else None)


def _done_already(job: Job, hypervisor: Hypervisor, refusal: Refusal) -> bool:
    """A guest that was quicker than the request to power off has done what was asked."""
    if refusal.code != "HYPERVISOR_REFUSED" or not (job.verb == Verb.SHUTDOWN or _is_cold_reboot(job)):
        return False
    observation = hypervisor.observe(job.machine)
    if job.host is None or observation is None or observation.status not in NOT_RUNNING:
        return False
    # Reported as the answer to a request that waits: then a reboot goes on with the start.
    return jobs.wait(job, timezone.now() + PATIENCE[job.verb]) and reports.machine_seen(job.host, observation)


def _give_up_or_retry(job: Job, refusal: Refusal) -> None:
    if refusal.code == "JOB_CANCELLED":
        jobs.abort(job, refusal)
        return
    logger.warning("job %s (%s %s): %s %s", job.pk, job.verb, job.machine_name, refusal, refusal.params)
    # What was begun with images is ended, however long the host is away: else nobody would know what it has become.
    again = jobs.repeatable(job) and (job.attempts < ATTEMPTS or job.verb in STORING)
    if refusal.code == "HOST_NOT_RESPONDING" and again:
        jobs.retry(job)
    else:
        jobs.fail(job, refusal)


def _is_cold_reboot(job: Job) -> bool:
    return job.verb == Verb.REBOOT and bool(job.params.get("cold"))


def _start(hypervisor: Hypervisor, job: Job) -> Observation:
    run = run_from_document(job.params["run"])
    if run is None:
        raise Refusal("ENGINE_FAILED")
    start = hypervisor.start_own if job.params.get("own") else hypervisor.start
    # The job's id goes into the live definition: a start that was cut off is recognised when it is begun again.
    vm = VM.objects.filter(pk=job.machine).first()
    make_layers(hypervisor, stateless.layers(vm) if vm else [])
    seed = initial.files(vm, job) if vm else {}
    if vm is None or not seed:
        return start(replace(run, job=job.pk))
    seen = hypervisor.start(replace(run, job=job.pk), seed=seed)
    initial.told(vm, job)
    return seen


def _resume(hypervisor: Hypervisor, job: Job) -> Observation:
    return hypervisor.resume(job.machine)


def _shutdown(hypervisor: Hypervisor, job: Job) -> None:
    hypervisor.shutdown(job.machine)


def _stop(hypervisor: Hypervisor, job: Job) -> None:
    hypervisor.stop(job.machine)


def _reboot(hypervisor: Hypervisor, job: Job) -> None:
    if _is_cold_reboot(job):
        hypervisor.shutdown(job.machine)
    else:
        hypervisor.reboot(job.machine)


def _reset(hypervisor: Hypervisor, job: Job) -> None:
    hypervisor.reset(job.machine)


def _suspend(hypervisor: Hypervisor, job: Job) -> None:
    hypervisor.suspend(job.machine, progress_of(job))


def _migrate(hypervisor: Hypervisor, job: Job, others: Drivers) -> None:
    to = UUID(job.params["to"])
    there, host = others(to), Host.objects.filter(pk=to).first()
    vm = VM.objects.filter(pk=job.machine).first()
    if vm is not None and vm.run is not None:
        jobs.begin_step(job, "prepare")
        there.prepare(vm.run)
    jobs.begin_step(job, job.verb)
    address, listen = (host.migration_address, host.doorway.listen) if host else ("", "")
    arrived = hypervisor.migrate(job.machine, there, progress_of(job), address=address, listen=listen)
    if arrived.status == Status.PAUSED and not job.params.get("paused"):
        arrived = there.resume(job.machine)
    crash_point(job.verb, "called")
    jobs.finish(job, arrived, host=host)


def _set_reboot(hypervisor: Hypervisor, job: Job) -> None:
    vm = VM.objects.filter(pk=job.machine).first()
    if vm is not None and vm.run is not None:
        hypervisor.set_cold_reboot(job.machine, ends_with_reboot(vm))


def _plug_nics(hypervisor: Hypervisor, job: Job) -> None:
    """The machine's present run gets the cards that are configured now; all else stays as it was started."""
    vm = VM.objects.filter(pk=job.machine).first()
    run = vm.run if vm else None
    if vm is not None and run is not None:
        spec = vm.spec
        base = replace(run.base, nics=spec.nics, machine=spec.machine, addresses=spec.addresses)
        hypervisor.rewire(replace(run, base=base))


def _lock_screen(hypervisor: Hypervisor, job: Job) -> None:
    hypervisor.in_guest(job.machine, ("loginctl", "lock-sessions"))


def _log_out(hypervisor: Hypervisor, job: Job) -> None:
    hypervisor.in_guest(job.machine, ("loginctl", "terminate-seat", "seat0"))


def _prepare_guest(hypervisor: Hypervisor, job: Job) -> None:
    command = ("/bin/sh", "-c", script(Task(job.params["task"])))
    ran = hypervisor.run_in_guest(job.machine, command, within=SCRIPT_WITHIN)
    preparations.heard(job, ran.code, ran.said)


def _prepare_offline(hypervisor: Hypervisor, job: Job) -> None:
    vm, task = VM.objects.get(pk=job.machine), Task(job.params["task"])
    tell, steps = progress_of(job), list(OFFLINE_STEPS)

    def progress(percent: int) -> bool:
        while steps and percent >= steps[0][0]:
            jobs.begin_step(job, steps.pop(0)[1])
        return tell(percent)

    disks, write = disks_of(vm), task is not Task.LOOK
    said = hypervisor.store.run_in(job.pk, disks, script(task, offline=True), write=write, progress=progress)
    preparations.heard(job, 0, said)


def _define(hypervisor: Hypervisor, job: Job) -> None:
    hypervisor.define(VM.objects.get(pk=job.machine).spec, job.params.get("own", ""))


def _normalise(hypervisor: Hypervisor, job: Job) -> None:
    hypervisor.normalise(VM.objects.get(pk=job.machine).spec)


def _undefine(hypervisor: Hypervisor, job: Job) -> None:
    hypervisor.remove(job.machine)


def _plug(hypervisor: Hypervisor, job: Job) -> None:
    vm = VM.objects.filter(pk=job.machine).first()
    run = replugged(vm, job.params.get("without", "")) if vm is not None else None
    if run is not None:
        hypervisor.give_disks(run)


CALLS: Final[dict[str, Call]] = {
    Verb.START: _start,
    Verb.RUN_ONCE: _start,
    Verb.RESUME: _resume,
    Verb.SHUTDOWN: _shutdown,
    Verb.STOP: _stop,
    Verb.REBOOT: _reboot,
    Verb.RESET: _reset,
    Verb.SUSPEND: _suspend,
    SET_REBOOT: _set_reboot,
    UNDEFINE: _undefine,
    PREPARE_GUEST: _prepare_guest,
    PREPARE_OFFLINE: _prepare_offline,
    PLUG: _plug,
    DEFINE: _define,
    NORMALISE: _normalise,
    PLUG_NICS: _plug_nics,
    DisconnectAction.LOCK_SCREEN: _lock_screen,
    DisconnectAction.LOGOUT: _log_out,
    **STORING,
}
