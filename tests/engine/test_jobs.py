"""Jobs from their recording to their outcome: carried out at once, and once."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from pytest_django import Settings

from tests.engine.conftest import DATABASE, Running, comes_to, ended, eventually
from tests.factories import headless, machine
from vms.actions import jobs, many, power, remove
from vms.domain.console import Offer
from vms.domain.errors import Refusal
from vms.domain.machine import MachineSpec
from vms.domain.runonce import ConsoleChoice, RunOnce
from vms.engine import service
from vms.engine.service import AnotherEngine, Engine
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import VM, Host, Job, JobState, User

pytestmark = DATABASE

FOREVER = 3600.0


def with_vnc(spec: MachineSpec, offer: Offer) -> RunOnce:
    return RunOnce.choose(ConsoleChoice.VNC, spec, offer)


# -- the life of a machine


def test_a_headless_machine_lives_its_life(engine: Running, headless_vm: VM, admin: User) -> None:
    power.start(headless_vm, by=admin)
    up = comes_to(headless_vm, "up")
    assert (up.running_graphics, up.endpoints, up.run_once) == ("", [], False)
    power.suspend(up, by=admin)
    suspended = comes_to(up, "suspended")
    power.resume(suspended, by=admin)
    resumed = comes_to(suspended, "up")
    assert (resumed.run, resumed.running_graphics) == (up.run, "")
    power.shutdown(resumed, by=admin)
    down = comes_to(resumed, "down")
    assert (down.run, down.ended, down.started_at) == (None, "guest", None)


def test_run_once_with_vnc_and_then_headless_again(engine: Running, headless_vm: VM, admin: User) -> None:
    power.run_once(headless_vm, with_vnc, by=admin)
    once = comes_to(headless_vm, "up")
    assert (once.run_once, once.running_graphics, once.running_video) == (True, "vnc", "vga")
    assert [endpoint["protocol"] for endpoint in once.endpoints] == ["vnc"]
    assert once.console.headless, "what is configured is untouched"
    power.stop(once, by=admin)
    down = comes_to(once, "down")
    assert (down.run_once, down.running_graphics, down.endpoints) == (False, "", [])
    power.start(down, by=admin)
    again = comes_to(down, "up")
    assert (again.run_once, again.running_graphics) == (False, "")


def test_a_paused_machine_goes_on_when_it_is_started(engine: Running, admin: User) -> None:
    vm = machine("paused", by=admin, start_paused=True)
    power.start(vm, by=admin)
    power.start(comes_to(vm, "paused"), by=admin)
    assert comes_to(vm, "up").run is not None


def test_a_removed_machine_is_forgotten_by_its_host(
    engine: Running, vm: VM, admin: User, hypervisor: MemoryHypervisor
) -> None:
    power.start(vm, by=admin)
    power.stop(comes_to(vm, "up"), by=admin)
    remove.remove(comes_to(vm, "down"), by=admin)
    eventually(lambda: hypervisor.observe(vm.pk) is None, "the host has forgotten it")


def test_each_verb_leaves_its_steps(engine: Running, vm: VM, admin: User) -> None:
    job = ended(power.start(vm, by=admin))
    assert (job.state, job.error, job.attempts) == ("finished", None, 1)
    assert [(step.name, step.state) for step in job.steps.all()] == [("start", "finished")]


# -- at once, and once


def test_a_job_is_begun_because_the_engine_was_woken(
    monkeypatch: pytest.MonkeyPatch, start_engine: Callable[..., Running], vm: VM, admin: User
) -> None:
    monkeypatch.setattr(service, "FALLBACK", FOREVER)
    monkeypatch.setattr(service, "HOUSEKEEPING", FOREVER)
    start_engine()
    asked = time.monotonic()
    assert ended(power.start(vm, by=admin)).state == "finished"
    assert time.monotonic() - asked < 2


def test_a_job_that_waited_for_its_host_is_begun_when_the_host_is_there(
    monkeypatch: pytest.MonkeyPatch, start_engine: Callable[..., Running], vm: VM, host: Host, admin: User
) -> None:
    monkeypatch.setattr(service, "FALLBACK", FOREVER)
    job = power.start(vm, by=admin)
    start_engine()
    assert ended(job).state == "finished"


def test_of_64_starts_at_once_one_has_an_effect(
    engine: Running, vm: VM, admin: User, hypervisor: MemoryHypervisor
) -> None:
    together = threading.Barrier(64)

    def attempt(_: int) -> str:
        together.wait()
        try:
            power.start(vm, by=admin)
        except Refusal as refusal:
            return refusal.code
        finally:
            connections.close_all()
        return "started"

    with ThreadPoolExecutor(64) as pool:
        outcomes = list(pool.map(attempt, range(64)))
    comes_to(vm, "up")
    assert outcomes.count("started") == 1
    assert set(outcomes) <= {
        "started",
        "ACTION_TYPE_FAILED_VM_STATUS_ILLEGAL",
        "ACTION_TYPE_FAILED_OBJECT_LOCKED",
    }
    assert (hypervisor.starts, Job.objects.filter(verb="start").count()) == (1, 1)


def test_machines_do_not_wait_for_each_other(engine: Running, admin: User, hypervisor: MemoryHypervisor) -> None:
    vms = [machine(f"vm-{n}", by=admin, console=headless) for n in range(8)]
    for vm in vms:
        power.start(vm, by=admin)
    for vm in vms:
        comes_to(vm, "up")
    assert hypervisor.starts == 8


def test_a_second_engine_is_turned_away(engine: Running, settings: Settings, hypervisor: MemoryHypervisor) -> None:
    with pytest.raises(AnotherEngine):
        Engine(settings.RUN_DIR, lambda _host: hypervisor).run()


def test_the_lock_is_free_when_the_engine_has_ended(start_engine: Callable[..., Running], vm: VM, admin: User) -> None:
    start_engine().stop()
    start_engine()
    power.start(vm, by=admin)
    assert comes_to(vm, "up").run is not None


# -- many machines


def test_a_job_over_many_machines_holds_up_none_of_a_single_one(engine: Running, admin: User, host: Host) -> None:
    machines = [machine(f"m{number}", by=admin) for number in range(6)]
    job = many.ask("start", VM.objects.filter(name__startswith="m"), by=admin)
    for vm in machines:
        comes_to(vm, "up")
    assert ended(job).state == JobState.FINISHED
    assert set(job.steps.values_list("state", flat=True)) == {"finished"}


def test_what_an_engine_left_of_many_the_next_one_does(start_engine: Callable[..., Running], admin: User) -> None:
    machine("m0", by=admin)
    job = many.ask("start", VM.objects.all(), by=admin)
    left = jobs.claim_many("dead")
    assert left is not None
    start_engine()
    assert ended(job).state == JobState.FINISHED
