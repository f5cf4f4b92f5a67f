"""Runs of machines as the engine tells of them: through jobs and observations, never by hand."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from vms.actions import jobs, power, reports
from vms.actions.power import Overlay
from vms.domain.console import Protocol
from vms.domain.document import run_from_document
from vms.domain.hosts import Ended, Endpoint, Observation
from vms.domain.lifecycle import Status
from vms.domain.runonce import ConsoleChoice, Run, RunOnce
from vms.models import VM, Host, Job, User

PORTS = {Protocol.VNC: 5900, Protocol.SPICE: 5901}


def choosing(choice: ConsoleChoice, **more: Any) -> Overlay:
    """What the dialog makes of a choice."""
    return lambda spec, offer: RunOnce.choose(choice, spec, offer, **more)


def claimed(host: Host, owner: str = "engine") -> Job:
    """The oldest job that waits for the host, taken by an engine."""
    job = jobs.claim(owner, [host.pk])
    assert job is not None
    return job


def seen(vm: VM, status: Status, *, run: Run | None = None, **more: Any) -> Observation:
    """What a hypervisor says of the machine, with the consoles that its run shows."""
    shown = sorted(run.spec.console.graphics) if run else ()
    endpoints = tuple(Endpoint(protocol=protocol, address="127.0.0.1", port=PORTS[protocol]) for protocol in shown)
    return Observation(id=vm.pk, name=vm.name, status=status, run=run, endpoints=endpoints, **more)


def tell(vm: VM, host: Host, status: Status, *, rebooted: bool = False, **more: Any) -> VM:
    """Report that the machine was seen so."""
    reports.machine_seen(host, seen(vm, status, **more), rebooted=rebooted)
    return fresh(vm)


def up(vm: VM, host: Host, *, by: User, overlay: Overlay | None = None, **more: Any) -> VM:
    """Start the machine, or run it once, and have the engine carry the start out."""
    if overlay:
        power.run_once(vm, overlay, by=by)
    else:
        power.start(vm, by=by)
    return started(vm, host, **more)


def started(vm: VM, host: Host, **more: Any) -> VM:
    """Carry out the start that is queued."""
    job = claimed(host)
    run = run_from_document(job.params["run"])
    assert run is not None
    run = Run(base=run.base, once=run.once, job=job.pk)
    observation = seen(vm, Status.UP, run=run, machine="pc-q35-7.2", cold_reboot=run.volatile, **more)
    assert jobs.finish(job, observation)
    return fresh(vm)


def down(vm: VM, host: Host, ended: Ended = Ended.GUEST) -> VM:
    """The machine is off, and why."""
    return tell(vm, host, Status.DOWN, ended=ended)


def settled(vm: VM, host: Host, status: Status = Status.UP) -> VM:
    """Carry out every job that waits for the host, none of which changes what is seen of the machine."""
    while (job := jobs.claim("engine", [host.pk])) is not None:
        jobs.finish(job)
    return fresh(vm)


def asked(host: Host) -> Job:
    """The engine has asked the guest for what the oldest job wants, and now waits for it."""
    job = claimed(host)
    assert jobs.wait(job, timezone.now() + timedelta(minutes=5))
    job.refresh_from_db()
    return job


def fresh(vm: VM) -> VM:
    return VM.objects.get(pk=vm.pk)
