"""A machine that is asked to move ends on one host, whoever dies over it, and tells how far it is."""

import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from pytest_django import Settings

from tests.engine.conftest import DATABASE, Running, comes_to, ended, eventually, fresh
from tests.factories import machine
from vms.actions import cancelling, hosts, jobs, migration, power
from vms.domain.errors import Refusal
from vms.domain.hosts import Observation
from vms.domain.lifecycle import Status
from vms.domain.machine import MigrationMode
from vms.engine import crashpoints, progress, watcher, worker
from vms.hypervisors.base import Hypervisor, Progress, heedless
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import VM, AuditEvent, Cluster, Host, HostStatus, Job, User

pytestmark = DATABASE


class SlowHypervisor(MemoryHypervisor):
    """Moves a machine as slowly as it is told to: half of it, until somebody says go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def migrate(self, machine: UUID, to: Hypervisor, progress: Progress = heedless, **where: Any) -> Observation:
        while not self.go_on.wait(0.02):
            if not progress(50):
                raise Refusal("JOB_CANCELLED")
        return super().migrate(machine, to, progress, **where)


class Two:
    """Two hosts and their hypervisors, which outlive engines."""

    def __init__(self, cluster: Cluster, first: Host) -> None:
        self.here, self.there = first, Host.objects.create(name="other", cluster=cluster)
        self.drivers: dict[UUID, MemoryHypervisor] = {
            self.here.pk: SlowHypervisor(),
            self.there.pk: MemoryHypervisor(),
        }
        self.slow.go_on.set()

    @property
    def slow(self) -> SlowHypervisor:
        driver = self.drivers[self.here.pk]
        assert isinstance(driver, SlowHypervisor)
        return driver

    def owners(self, vm: VM) -> list[str]:
        """The hosts on which it runs, as their hypervisors say."""
        found = {host.name: self.drivers[host.pk].observe(vm.pk) for host in (self.here, self.there)}
        return [name for name, seen in found.items() if seen is not None and seen.status == Status.UP]


@pytest.fixture
def two(cluster: Cluster, host: Host) -> Two:
    return Two(cluster, host)


@pytest.fixture
def start(settings: Settings, two: Two) -> Iterator[Callable[[], Running]]:
    started: list[Running] = []

    def begin() -> Running:
        running = Running(settings.RUN_DIR, lambda asked: two.drivers[asked.pk])
        started.append(running)
        eventually(lambda: not Host.objects.exclude(status=HostStatus.UP).exists(), "both hosts are up")
        return running

    yield begin
    two.slow.go_on.set()
    for running in started:
        running.stop()


@pytest.fixture
def running_vm(start: Callable[[], Running], two: Two, vm: VM, admin: User) -> tuple[Running, VM]:
    """`vm`, up on the first host, with its engine."""
    engine = start()
    two.there.maintenance = True
    two.there.save(update_fields=["maintenance"])
    power.start(vm, by=admin)
    up = comes_to(vm, "up")
    two.there.maintenance = False
    two.there.save(update_fields=["maintenance"])
    return engine, up


def test_it_goes_on_on_the_other_host_with_the_run_it_had(
    running_vm: tuple[Running, VM], two: Two, admin: User
) -> None:
    _engine, vm = running_vm
    job = ended(migration.migrate(vm, by=admin))
    moved = comes_to(vm, "up")
    assert (job.state, moved.host, moved.host_name, moved.run) == ("finished", two.there, "other", vm.run)
    assert [(step.name, step.state) for step in job.steps.all()] == [("prepare", "finished"), ("migrate", "finished")]
    assert two.owners(vm) == ["other"]
    assert AuditEvent.objects.filter(code="VM_MIGRATION_DONE", entity_id=vm.pk).exists()
    assert ended(migration.migrate(moved, to=two.here, by=admin)).state == "finished"
    assert comes_to(vm, "up").host == two.here


def test_it_tells_how_far_it_is_and_stays_when_it_is_called_off(
    running_vm: tuple[Running, VM], two: Two, admin: User
) -> None:
    _engine, vm = running_vm
    two.slow.go_on.clear()
    job = migration.migrate(vm, by=admin)
    eventually(lambda: fresh(job).progress == 50, "half of it is done")
    assert fresh(vm).status == "migrating_from"
    migration.cancel(fresh(vm), by=admin)
    stayed = ended(job)
    assert (stayed.state, stayed.error, comes_to(vm, "up").host) == ("aborted", None, two.here)
    assert {step.state for step in stayed.steps.all()} == {"finished", "aborted"}
    assert not comes_to(vm, "up").failure
    with pytest.raises(Refusal, match="ACTION_TYPE_FAILED_VM_NOT_MIGRATING"):
        migration.cancel(fresh(vm), by=admin)


def test_its_host_does_other_work_meanwhile(running_vm: tuple[Running, VM], two: Two, admin: User) -> None:
    _engine, vm = running_vm
    two.slow.go_on.clear()
    moving = [migration.migrate(vm, by=admin)]
    for number in range(watcher.WORKERS + watcher.MOVERS):
        other = machine(f"other-{number}", by=admin, hosts=(two.here.pk,))
        ended(power.start(other, by=admin))
    assert fresh(moving[0]).active


def test_maintenance_moves_machines_away_or_does_nothing(running_vm: tuple[Running, VM], two: Two, admin: User) -> None:
    _engine, vm = running_vm
    stays = machine("stays", by=admin, migration=MigrationMode.USER_MIGRATABLE, hosts=(two.here.pk,))
    ended(power.start(stays, by=admin))
    with pytest.raises(Refusal) as no:
        hosts.deactivate(two.here, by=admin)
    assert (no.value.code, no.value.params["vm"]) == ("VDS_CANNOT_MAINTENANCE_VMS_STAY", "stays")
    assert (fresh(two.here).maintenance, Job.objects.filter(verb="migrate").count()) == (False, 0)
    ended(power.stop(comes_to(stays, "up"), by=admin))
    hosts.deactivate(two.here, by=admin)
    eventually(lambda: fresh(vm).host == two.there, "it has moved")
    assert comes_to(vm, "up").status == "up"
    assert fresh(two.here).shown_status == HostStatus.MAINTENANCE


class Died(BaseException):
    """The engine is gone; unlike an exception, nobody handles it."""


@pytest.mark.parametrize("point", ["claimed", "under_way", "called"])
def test_one_that_an_engine_died_over_ends_on_one_host(
    point: str,
    monkeypatch: pytest.MonkeyPatch,
    running_vm: tuple[Running, VM],
    start: Callable[[], Running],
    two: Two,
    admin: User,
) -> None:
    engine, vm = running_vm
    engine.stop()
    Host.objects.update(status=HostStatus.UP)  # as an engine leaves them that is killed
    job = migration.migrate(vm, by=admin)
    claimed = jobs.claim("dead engine", [], moving=[two.here.pk])
    assert claimed == job

    def crash(at_verb: str, at_point: str) -> None:
        if (at_verb, at_point) == ("migrate", point):
            raise Died

    for room in (worker, progress):
        monkeypatch.setattr(room, "crash_point", crash)
    for driver in two.drivers.values():
        driver.open(lambda _event: None)
    with pytest.raises(Died):
        worker.carry_out(claimed, two.slow, lambda host: two.drivers[host])
    for driver in two.drivers.values():
        driver.close()
    for room in (worker, progress):
        monkeypatch.setattr(room, "crash_point", crashpoints.crash_point)
    assert fresh(job).active
    start()
    assert ended(job).state == "finished"
    moved = comes_to(vm, "up")
    assert (moved.host, two.owners(vm), moved.run) == (two.there, ["other"], vm.run)


def test_a_destination_that_is_lost_leaves_it_where_it_was(
    running_vm: tuple[Running, VM], two: Two, admin: User
) -> None:
    _engine, vm = running_vm
    job = migration.migrate(vm, by=admin)
    two.drivers[two.there.pk].unplug()
    done = ended(job)
    if done.state == "failed":  # else it was quicker
        assert done.error is not None
        assert (done.error["code"], comes_to(vm, "up").host) == ("HOST_NOT_RESPONDING", two.here)
    two.drivers[two.there.pk].plug()


# -- other jobs


def test_a_job_that_waits_is_called_off_by_whoever_asked(
    start: Callable[[], Running], vm: VM, admin: User, carol: User
) -> None:
    job = power.start(vm, by=admin)
    with pytest.raises(Refusal, match="USER_NOT_AUTHORIZED"):
        cancelling.cancel(job, by=carol)
    cancelling.cancel(job, by=admin)
    assert (fresh(job).state, fresh(vm).status) == ("aborted", "down")
    with pytest.raises(Refusal, match="JOB_HAS_ENDED"):
        cancelling.cancel(fresh(job), by=admin)
    start()
    assert fresh(vm).status == "down"


# -- a machine that somebody else moves


def test_a_host_that_only_has_it_defined_says_nothing_of_one_that_runs_elsewhere(
    running_vm: tuple[Running, VM], two: Two, admin: User
) -> None:
    _engine, vm = running_vm
    there = two.drivers[two.there.pk]
    run = vm.run
    assert run is not None
    there.start(run)
    there.stop(vm.pk)
    power.reset(vm, by=admin)
    assert (comes_to(vm, "up").host, fresh(vm).observed) == (two.here, "up")


def test_one_that_somebody_else_moved_is_followed(running_vm: tuple[Running, VM], two: Two) -> None:
    _engine, vm = running_vm
    two.slow.migrate(vm.pk, two.drivers[two.there.pk])
    eventually(lambda: fresh(vm).host == two.there and fresh(vm).status == "up", "it is found there")
    assert fresh(vm).run == vm.run
