"""Deaths: a job that was begun and never ended, as a killed engine leaves it, has one effect all the same."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError

from tests.engine.conftest import DATABASE, Running, comes_to, ended, eventually, fresh
from tests.engine.faults import SlowHypervisor, count_calls, reason
from tests.factories import headless
from vms.actions import edit, jobs, power
from vms.domain.changes import Changes
from vms.engine import crashpoints, service, watcher, worker
from vms.engine.service import Engine
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import VM, Host, Job, User

pytestmark = DATABASE


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
