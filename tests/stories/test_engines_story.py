"""Real engines over real hosts and guests: one that is killed while a machine moves leaves nothing in between, and of
two the second takes over from one that was killed or stopped.
"""

import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django.plugin import DjangoDbBlocker

from tests.engine.conftest import fresh
from tests.factories import machine, person
from tests.hypervisors import obedient
from tests.hypervisors.conftest import SerialLine, real_libvirt, wait_until
from tests.hypervisors.hosts import NetworkedDaemon, two_hosts
from tests.stories.engines import EngineProcess, database_at, engines, postgresql
from vms.actions import migration, power
from vms.domain.console import Console, Offer
from vms.domain.parts import Boot
from vms.models import VM, Cluster, Host, HostStatus, Job, User

__all__ = ["real_libvirt"]

pytestmark = [pytest.mark.hypervisor, pytest.mark.guests]

TAKES_OVER_WITHIN = 10.0  # seconds
SEEN_WITHIN = 3.0  # seconds more, for what happened meanwhile


@pytest.fixture
def home() -> Iterator[Path]:
    # A short path: sockets below it have room for 107 bytes.
    made = Path(tempfile.mkdtemp(prefix="hw-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def daemons(real_libvirt: None, home: Path) -> Iterator[tuple[NetworkedDaemon, NetworkedDaemon]]:
    with two_hosts(home) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, home: Path, migrated_file: Path, django_db_blocker: DjangoDbBlocker
) -> Iterator[str]:
    """The URL of a database that this process and engines share."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            shutil.copy(migrated_file, home / "db.sqlite3")
            url = f"sqlite:///{home}/db.sqlite3"
        else:
            url = stack.enter_context(postgresql())
        stack.enter_context(django_db_blocker.unblock())
        stack.enter_context(database_at(url))
        call_command("migrate", verbosity=0)
        yield url


@pytest.fixture
def _hosts(database: str, daemons: tuple[NetworkedDaemon, NetworkedDaemon]) -> None:
    cluster = Cluster.objects.get(name="Default")
    for each in daemons:
        Host.objects.create(name=each.name, cluster=cluster, uri=each.over_tcp)


def all_up() -> bool:
    return not Host.objects.exclude(status=HostStatus.UP).exists()


def with_serial(_console: Console, _offer: Offer) -> Console:
    return Console(serial=True).as_headless()


def started(name: str, by: User) -> VM:
    """A headless machine that runs, on the first host."""
    second = Host.objects.get(name="host2")
    Host.objects.filter(pk=second.pk).update(maintenance=True)
    vm = machine(name, by=by, console=with_serial, memory=64, boot=Boot(kernel=obedient.NAME), hosts=())
    up(vm, by)
    Host.objects.filter(pk=second.pk).update(maintenance=False)
    return fresh(vm)  # type: ignore[no-any-return]


def up(vm: VM, by: User) -> None:
    power.start(fresh(vm), by=by)
    wait_until(lambda: fresh(vm).status == "up" and not fresh(vm).busy, 30, f"{vm} is up")


def on(daemon: NetworkedDaemon) -> dict[str, Any]:
    """The domains that a host has, running or not, by name."""
    import libvirt

    return {domain.name(): domain for domain in libvirt.open(daemon.uri).listAllDomains()}


def listens(domain: Any) -> None:
    """The guest does what it is told."""
    with SerialLine(domain) as line:
        line.send(obedient.ANYTHING)
        line.expect(obedient.ANYTHING)


# Where it is killed: as soon as somebody is at it, as soon as QEMU sends memory, and in the middle of that.
MOMENTS = ("begun", "sent", "half")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("_hosts")
def test_a_migration_that_an_engine_is_killed_over_leaves_its_machine_on_one_host_and_goes_on(
    daemons: tuple[NetworkedDaemon, NetworkedDaemon], database: str, home: Path
) -> None:
    here, there = daemons
    with engines(home, database, 1) as (engine,):
        engine.start()
        wait_until(all_up, 30, "both hosts are up")
        admin = person("admin", role="SuperUser")
        vm = started("moving", admin)
        for moment in MOMENTS:
            _killed_over(moment, fresh(vm), engine, here, there)
            here, there = there, here
        assert Job.objects.filter(verb="migrate").count() == len(MOMENTS), "nobody had to ask a second time"


def _killed_over(moment: str, vm: VM, engine: EngineProcess, here: NetworkedDaemon, there: NetworkedDaemon) -> None:
    """The machine is to move, the engine is killed at that moment, and the next one finishes what it began."""
    on(here)["moving"].migrateSetMaxSpeed(1)  # MiB a second
    admin = User.objects.get(username="admin")
    job = migration.migrate(vm, to=Host.objects.get(name=there.name), by=admin)
    wait_until(lambda: _reached(moment, job, here), 20, moment)
    engine.signal(signal.SIGKILL)
    assert fresh(job).state == "started", "nobody has said what became of it"
    if "moving" in on(here):
        on(here)["moving"].migrateSetMaxSpeed(1000)
    engine.start()
    wait_until(lambda: not fresh(job).active, 60, "the end of the migration")
    assert fresh(job).state == "finished", f"killed when {moment}: {fresh(job).error}"
    settled = wait_until(lambda: _at_rest(vm), 15, f"it is at rest: {engine.told()}")
    assert (settled.host_name, settled.run, settled.drift) == (there.name, vm.run, False), moment
    assert ("moving" in on(here), on(there)["moving"].isActive()) == (False, True), moment
    listens(on(there)["moving"])


def _reached(moment: str, job: Job, source: NetworkedDaemon) -> bool:
    import libvirt

    if moment == "begun":
        return bool(fresh(job).state == "started" and job.steps.filter(name="migrate").exists())
    told = on(source)["moving"].jobStats()
    if told.get("type") != libvirt.VIR_DOMAIN_JOB_UNBOUNDED:
        return False
    return bool(moment == "sent" or told.get("data_processed", 0) > 0)


def _at_rest(vm: VM) -> VM | None:
    row: VM = fresh(vm)
    return row if row.status == "up" and not row.busy else None


@pytest.mark.usefixtures("_hosts")
def test_a_second_engine_takes_over_from_one_that_is_killed_or_stopped(
    daemons: tuple[NetworkedDaemon, NetworkedDaemon], database: str, home: Path
) -> None:
    daemon = daemons[0]
    with engines(home, database, 2) as (first, second):
        first.start()
        second.start()
        wait_until(all_up, 30, "the hosts are up")
        assert (first.leads, second.leads) == (True, False)
        admin = person("admin", role="SuperUser")
        vm = started("guarded", admin)

        killed = time.monotonic()
        first.signal(signal.SIGKILL)
        _power_off(daemon)  # while nobody watches
        _taken_over(second, killed)
        _seen_down(vm, killed)

        first.start()
        up(vm, admin)
        stopped = time.monotonic()
        second.signal(signal.SIGSTOP)
        _taken_over(first, stopped)
        listens(on(daemon)["guarded"])
        assert fresh(vm).status == "up", "it ran on and is seen to"
        off = time.monotonic()
        _power_off(daemon)
        wait_until(lambda: fresh(vm).status == "down", 30, "the power-off")
        assert time.monotonic() - max(off, stopped + TAKES_OVER_WITHIN) <= SEEN_WITHIN

        second.signal(signal.SIGCONT)
        up(vm, admin)
        _stays(first, second, vm)


def _power_off(daemon: NetworkedDaemon) -> None:
    with SerialLine(on(daemon)["guarded"]) as line:
        line.send(obedient.POWER_OFF)
        wait_until(lambda: not on(daemon)["guarded"].isActive(), 10, "it is off")


def _taken_over(engine: EngineProcess, since: float) -> None:
    wait_until(lambda: engine.leads, 30, "the other one leads")
    assert time.monotonic() - since <= TAKES_OVER_WITHIN


def _seen_down(vm: VM, since: float) -> None:
    wait_until(lambda: fresh(vm).status == "down", 30, "the power-off")
    assert time.monotonic() - since <= TAKES_OVER_WITHIN + SEEN_WITHIN


def _stays(leader: EngineProcess, other: EngineProcess, vm: VM) -> None:
    """One that was stopped and goes on stands down: it says nothing of hosts and machines, and stays at hand."""
    wait_until(lambda: "leads no more" in other.told(), 20, "it stands down")
    assert (leader.leads, all_up(), fresh(vm).status) == (True, True, "up")
    leader.end()
    wait_until(lambda: other.leads, 10, "it leads again, at once")
    wait_until(all_up, 10, "the hosts are up")
    assert fresh(vm).status == "up"
