"""Jobs from their recording to their outcome: carried out once, at once, whatever dies in between."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connections
from pytest_django import Settings

from tests.engine.conftest import DATABASE, PATIENCE, Running, comes_to, ended, eventually, fresh
from tests.factories import headless, machine
from vms.actions import edit, jobs, many, power, remove
from vms.domain.changes import Changes
from vms.domain.console import Offer
from vms.domain.errors import Refusal
from vms.domain.hosts import Observation
from vms.domain.lifecycle import Verb
from vms.domain.machine import MachineSpec
from vms.domain.runonce import ConsoleChoice, Run, RunOnce
from vms.engine import crashpoints, service, watcher, worker
from vms.engine.service import AnotherEngine, Engine
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import VM, AuditEvent, Cluster, Host, HostStatus, Job, JobState, User

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


# -- deaths: a job that was begun and never ended, as a killed engine leaves it


class Died(BaseException):
    """The engine is gone; unlike an exception, nobody handles it."""


@pytest.fixture
def die_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Have the next job die at a crash point."""

    def arm(verb: str, point: str) -> None:
        def crash(at_verb: str, at_point: str) -> None:
            if (at_verb, at_point) == (verb, point):
                monkeypatch.setattr(worker, "crash_point", crashpoints.crash_point)
                raise Died

        monkeypatch.setattr(worker, "crash_point", crash)

    return arm


def dies(job: Job, host: Host, hypervisor: MemoryHypervisor) -> None:
    """Carry the job out as an engine does that dies over it."""
    claimed = jobs.claim("dead engine", [host.pk])
    assert claimed == job
    hypervisor.open(lambda _event: None)
    with pytest.raises(Died):
        worker.carry_out(claimed, hypervisor)
    hypervisor.close()
    assert fresh(job).active


@pytest.mark.parametrize("point", ["claimed", "called"])
def test_a_start_that_an_engine_died_over_has_one_effect(
    point: str,
    die_at: Callable[[str, str], None],
    start_engine: Callable[..., Running],
    vm: VM,
    host: Host,
    admin: User,
    hypervisor: MemoryHypervisor,
) -> None:
    job = power.start(vm, by=admin)
    die_at("start", point)
    dies(job, host, hypervisor)
    start_engine()
    run = comes_to(vm, "up").run
    assert (hypervisor.starts, ended(job).state, run and run.job) == (1, "finished", job.pk)


@pytest.mark.parametrize("point", ["claimed", "called"])
@pytest.mark.parametrize(
    ("verb", "status"), [("stop", "down"), ("shutdown", "down"), ("suspend", "suspended"), ("reset", "up")]
)
def test_a_verb_that_an_engine_died_over_is_done(
    verb: str,
    status: str,
    point: str,
    die_at: Callable[[str, str], None],
    start_engine: Callable[..., Running],
    vm: VM,
    host: Host,
    admin: User,
    hypervisor: MemoryHypervisor,
) -> None:
    engine = start_engine()
    power.start(vm, by=admin)
    comes_to(vm, "up")
    engine.stop()
    resets = count_calls(hypervisor, "reset")
    job = getattr(power, verb)(fresh(vm), by=admin)
    die_at(verb, point)
    dies(job, host, hypervisor)
    start_engine()
    comes_to(vm, status)
    done = ended(job)
    # A reset is never pressed twice: one that may have been done is given up instead.
    given_up = verb == "reset" and point == "called"
    assert (done.state, len(resets)) == ("failed" if given_up else "finished", int(verb == "reset"))
    assert reason(done) == ("ENGINE_FAILED" if given_up else None)


def test_a_cold_reboot_that_an_engine_died_over_ends_in_the_new_configuration(
    die_at: Callable[[str, str], None],
    start_engine: Callable[..., Running],
    vm: VM,
    host: Host,
    admin: User,
    hypervisor: MemoryHypervisor,
) -> None:
    engine = start_engine()
    power.start(vm, by=admin)
    edit.edit(comes_to(vm, "up"), Changes(console=headless), by=admin)
    comes_to(vm, "up")
    engine.stop()
    job = power.reboot(fresh(vm), by=admin)
    die_at("reboot", "called")
    dies(job, host, hypervisor)
    start_engine()
    eventually(lambda: fresh(vm).running_graphics == "" and fresh(vm).run, "the new configuration runs")
    assert (comes_to(vm, "up").pending, hypervisor.starts) == (False, 2)


def test_an_engine_of_the_same_process_id_takes_over(
    start_engine: Callable[..., Running], vm: VM, host: Host, admin: User
) -> None:
    """In a container the engine has the same process id each time."""
    job = power.start(vm, by=admin)
    owner = Engine(Path("/"), lambda _host: MemoryHypervisor())._owner
    assert jobs.claim(owner, [host.pk]) == job
    start_engine()
    assert ended(job).state == "finished"


@pytest.mark.parametrize("fault", [DatabaseError("the server has closed the connection"), RuntimeError("a defect")])
def test_a_job_that_its_worker_lost_sight_of_is_taken_up_again(
    fault: Exception, monkeypatch: pytest.MonkeyPatch, start_engine: Callable[..., Running], vm: VM, admin: User
) -> None:
    monkeypatch.setattr(watcher, "WORKERS", 1)  # by the same worker, which lives on
    monkeypatch.setattr(jobs, "LEASE", timedelta(seconds=1))
    lost: list[Job] = []
    carry_out = worker.carry_out

    def lose(job: Job, driver: Any, others: Any) -> bool:
        if not lost:
            lost.append(job)
            raise fault
        return carry_out(job, driver, others)

    monkeypatch.setattr(service, "carry_out", lose)
    start_engine()
    job = ended(power.start(vm, by=admin))
    assert (job.state, job.attempts) == ("finished", 2)


def test_a_lease_is_extended_while_its_job_is_at_hand(
    monkeypatch: pytest.MonkeyPatch, start_engine: Callable[..., Running], vm: VM, admin: User
) -> None:
    monkeypatch.setattr(jobs, "LEASE", timedelta(seconds=1.5))
    slow = SlowHypervisor()
    start_engine(slow)
    job = power.start(vm, by=admin)
    first = eventually(lambda: fresh(job).lease_until, "the job is begun")
    eventually(lambda: fresh(job).lease_until > first + timedelta(seconds=1.5), "its lease is extended")
    slow.go_on.set()
    assert (ended(job).attempts, slow.starts) == (1, 1)


# -- what goes wrong


def test_what_the_hypervisor_refuses_is_told_on_the_job(
    start_engine: Callable[..., Running], vm: VM, admin: User
) -> None:
    start_engine(FaultyHypervisor(Refusal("HYPERVISOR_REFUSED", None, message="no memory left")))
    job = ended(power.start(vm, by=admin))
    assert (job.state, reason(job)) == ("failed", "HYPERVISOR_REFUSED")
    assert job.error == Refusal("HYPERVISOR_REFUSED", None, message="no memory left").as_document()
    assert comes_to(vm, "down").run is None
    assert AuditEvent.objects.filter(code="USER_FAILED_START_VM", entity_id=vm.pk).exists()
    assert [step.state for step in job.steps.all()] == ["failed"]


def test_a_fault_of_our_own_ends_the_job_and_not_the_worker(
    start_engine: Callable[..., Running], vm: VM, headless_vm: VM, admin: User
) -> None:
    start_engine(FaultyHypervisor(ZeroDivisionError(), only=vm.pk))
    for _ in range(watcher.WORKERS + 1):
        job = ended(power.start(fresh(vm), by=admin))
        assert (job.state, reason(job)) == ("failed", "ENGINE_FAILED")
    power.start(headless_vm, by=admin)
    assert comes_to(headless_vm, "up").run is not None


def test_a_host_that_does_not_answer_is_asked_again_until_it_does(
    engine: Running, vm: VM, host: Host, admin: User, hypervisor: MemoryHypervisor
) -> None:
    hypervisor.unplug()
    job = power.start(vm, by=admin)
    eventually(lambda: fresh(host).status == HostStatus.NON_RESPONSIVE, "the host is missed")
    assert fresh(job).active, "the start waits for its host"
    hypervisor.plug()
    assert (ended(job).state, comes_to(vm, "up").status) == ("finished", "up")


def test_a_host_that_never_answers_a_job_is_given_up(start_engine: Callable[..., Running], vm: VM, admin: User) -> None:
    start_engine(FaultyHypervisor(Refusal("HOST_NOT_RESPONDING", None, host="deaf")))
    job = ended(power.start(vm, by=admin))
    assert (job.state, reason(job), job.attempts) == ("failed", "HOST_NOT_RESPONDING", worker.ATTEMPTS)


def test_a_host_that_falls_silent_while_it_refuses_is_one_that_does_not_answer(
    start_engine: Callable[..., Running], vm: VM, admin: User
) -> None:
    driver = SilentAfterRefusing()
    start_engine(driver)
    power.start(vm, by=admin)
    comes_to(vm, "up")
    driver.silent = True
    job = power.shutdown(fresh(vm), by=admin)
    assert (ended(job).state, reason(fresh(job)), fresh(job).attempts) == (
        "failed",
        "HOST_NOT_RESPONDING",
        worker.ATTEMPTS,
    )
    driver.silent = False
    power.stop(comes_to(vm, "up"), by=admin)
    assert comes_to(vm, "down").ended == "stopped"


def test_a_guest_that_does_not_follow_is_asked_again_and_then_given_up(
    monkeypatch: pytest.MonkeyPatch, start_engine: Callable[..., Running], vm: VM, admin: User
) -> None:
    monkeypatch.setattr(jobs, "ASK_EVERY", timedelta(seconds=0))
    monkeypatch.setitem(worker.PATIENCE, Verb.SHUTDOWN, timedelta(seconds=3))
    stubborn = StubbornHypervisor()
    start_engine(stubborn)
    power.start(vm, by=admin)
    comes_to(vm, "up")
    job = ended(power.shutdown(fresh(vm), by=admin))
    assert (job.state, reason(job), comes_to(vm, "up").status) == ("failed", "GUEST_DID_NOT_REACT", "up")
    assert stubborn.asked > 1


def test_power_off_overtakes_a_request_that_the_guest_does_not_follow(
    start_engine: Callable[..., Running], vm: VM, admin: User
) -> None:
    start_engine(StubbornHypervisor())
    power.start(vm, by=admin)
    request = power.shutdown(comes_to(vm, "up"), by=admin)
    eventually(lambda: fresh(request).state == JobState.WAITING, "the guest is asked")
    assert fresh(vm).status == "powering_down"
    power.stop(fresh(vm), by=admin)
    assert (comes_to(vm, "down").ended, ended(request).state) == ("stopped", "aborted")


# -- hypervisors that hang


def test_a_job_that_hangs_is_given_up_and_power_off_is_possible(
    monkeypatch: pytest.MonkeyPatch, start_engine: Callable[..., Running], vm: VM, admin: User
) -> None:
    monkeypatch.setattr(worker, "LIMIT", 0.2)
    hanging = HangingHypervisor()
    start_engine(hanging)
    power.start(vm, by=admin)
    job = ended(power.reset(comes_to(vm, "up"), by=admin))
    assert (job.state, reason(job)) == ("failed", "MACHINE_NOT_RESPONDING")
    power.stop(fresh(vm), by=admin)
    assert comes_to(vm, "down").ended == "stopped"
    hanging.go_on.set()
    assert fresh(job).state == "failed", "what it came to is not believed any more"


def test_many_jobs_that_hang_hold_up_neither_their_host_nor_another(
    monkeypatch: pytest.MonkeyPatch, start_engine: Callable[..., Running], cluster: Cluster, host: Host, admin: User
) -> None:
    monkeypatch.setattr(worker, "LIMIT", 0.2)
    other, hanging = Host.objects.create(name="other", cluster=cluster), HangingHypervisor()
    start_engine(hanging)
    eventually(lambda: fresh(other).status == HostStatus.UP, "the other host is up")
    vms = [machine(f"vm-{n}", by=admin, hosts=(host.pk,)) for n in range(watcher.WORKERS + 1)]
    for vm in vms:
        power.start(vm, by=admin)
    resets = [power.reset(comes_to(vm, "up"), by=admin) for vm in vms]
    elsewhere = machine("elsewhere", by=admin, hosts=(other.pk,))
    asked = time.monotonic()
    assert ended(power.start(elsewhere, by=admin)).state == "finished"
    assert time.monotonic() - asked < 2
    assert {reason(ended(job)) for job in resets} == {"MACHINE_NOT_RESPONDING"}
    here = machine("here", by=admin, hosts=(host.pk,))
    assert ended(power.start(here, by=admin)).state == "finished"
    hanging.go_on.set()


# -- the end of an engine


def test_a_polite_end_finishes_what_is_at_hand(
    start_engine: Callable[..., Running], vm: VM, headless_vm: VM, host: Host, admin: User
) -> None:
    slow = SlowHypervisor()
    engine = start_engine(slow)
    job = power.start(vm, by=admin)
    eventually(lambda: slow.begun.is_set(), "the start has begun")
    engine.engine.stop()
    later = power.start(headless_vm, by=admin)
    slow.go_on.set()
    asked = time.monotonic()
    engine.stop()
    assert time.monotonic() - asked < 5
    assert (fresh(job).state, fresh(later).state) == ("finished", "queued")
    assert (fresh(vm).status, fresh(host).status) == ("up", HostStatus.CONNECTING)


def test_an_idle_engine_ends_at_once(engine: Running) -> None:
    asked = time.monotonic()
    engine.stop()
    assert time.monotonic() - asked < 2


# -- hypervisors with a fault


class SlowHypervisor(MemoryHypervisor):
    """Starts a machine when it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = threading.Event(), threading.Event()

    def start(self, run: Run, **options: Any) -> Observation:
        self.begun.set()
        assert self.go_on.wait(PATIENCE)
        return super().start(run, **options)


class HangingHypervisor(MemoryHypervisor):
    """Resets no machine until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def reset(self, machine: UUID) -> None:
        self.go_on.wait(PATIENCE)


class FaultyHypervisor(MemoryHypervisor):
    """Starts no machine, or one not, with the fault that it is given."""

    def __init__(self, fault: Exception, only: UUID | None = None) -> None:
        super().__init__()
        self._fault, self._only = fault, only

    def start(self, run: Run, **options: Any) -> Observation:
        if self._only in {None, run.base.id}:
            raise self._fault
        return super().start(run, **options)


class SilentAfterRefusing(MemoryHypervisor):
    """Refuses to shut a machine down, and does not answer the question that follows."""

    silent = False
    _refused = False

    def shutdown(self, machine: UUID) -> None:
        if self.silent:
            self._refused = True
            raise Refusal("HYPERVISOR_REFUSED", None, message="domain is not running")
        super().shutdown(machine)

    def observe(self, machine: UUID) -> Observation | None:
        if self._refused and threading.current_thread().name.startswith("work"):
            self._refused = False
            raise Refusal("HOST_NOT_RESPONDING", None, host="silent")
        return super().observe(machine)


class StubbornHypervisor(MemoryHypervisor):
    """Its guests do not listen."""

    asked = 0

    def shutdown(self, machine: UUID) -> None:
        self.asked += 1


def reason(job: Job) -> str | None:
    """The code with which a job has failed."""
    return job.error["code"] if job.error else None


def count_calls(hypervisor: MemoryHypervisor, verb: str) -> list[UUID]:
    called: list[UUID] = []
    method = getattr(hypervisor, verb)

    def counted(machine: UUID) -> None:
        called.append(machine)
        method(machine)

    setattr(hypervisor, verb, counted)
    return called


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
