"""An engine in this process over a hypervisor in a dictionary, with threads and a database that they share."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from pytest_django import Settings
from pytest_django.plugin import DjangoDbBlocker

from tests.actions.crowd import copied_database
from tests.databases import SERVER, database_in
from tests.hypervisors.conftest import wait_until
from vms.engine.service import Engine
from vms.hypervisors.base import Hypervisor
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import VM, Cluster, Host, HostStatus, Job

PATIENCE = 10.0  # seconds; what is waited for takes a fraction of one
DATABASE = pytest.mark.sql


@pytest.fixture
def db(migrated_file: Path, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A copy of the database, which all threads see; takes the place of the one that is rolled back.

    A server copies one faster than it empties thirty tables; and SQLite's in memory locks threads out at once instead
    of having them wait.
    """
    path = tmp_path / "db.sqlite3"
    if not SERVER:
        path.write_bytes(migrated_file.read_bytes())
    with django_db_blocker.unblock(), copied_database(tmp_path) if SERVER else database_in(path):
        yield


class Running:
    """An engine at work in threads of this process."""

    def __init__(self, run_dir: Path, hypervisor_for: Callable[[Host], Hypervisor]) -> None:
        self.engine = Engine(run_dir, hypervisor_for)
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="engine")
        self._thread.start()

    def stop(self) -> None:
        self.engine.stop()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the engine does not end"
        if self.failure:
            raise self.failure

    def _run(self) -> None:
        try:
            self.engine.run()
        except BaseException as failure:  # noqa: BLE001  # raised again in the test's thread
            self.failure = failure
        finally:
            connections.close_all()


@pytest.fixture
def hypervisor() -> MemoryHypervisor:
    """What the host of the tests runs; it outlives engines, as a real one does."""
    return MemoryHypervisor()


@pytest.fixture
def host(cluster: Cluster) -> Host:
    """A host that no engine has looked at yet."""
    return Host.objects.create(name="local", cluster=cluster)


@pytest.fixture
def start_engine(settings: Settings, host: Host, hypervisor: MemoryHypervisor) -> Iterator[Callable[..., Running]]:
    """Start an engine and wait until its host is up; its other hosts have drivers of their own. Ends with the test."""
    started: list[Running] = []

    def start(driver: Hypervisor = hypervisor, *, ready: bool = True) -> Running:
        running = Running(settings.RUN_DIR, lambda asked: driver if asked == host else MemoryHypervisor())
        started.append(running)
        if ready:
            eventually(lambda: fresh(host).status == HostStatus.UP, "the host is up")
        return running

    yield start
    for running in started:
        running.stop()


@pytest.fixture
def engine(start_engine: Callable[..., Running]) -> Running:
    return start_engine()


def fresh(row: Any) -> Any:
    """The row as it is now."""
    return type(row).objects.get(pk=row.pk)


def eventually(condition: Callable[[], Any], what: str) -> Any:
    return wait_until(condition, PATIENCE, what)


def ended(job: Job) -> Job:
    """The job, once nothing more happens to it."""
    eventually(lambda: not fresh(job).active, f"the end of {job}")
    done: Job = fresh(job)
    return done


def comes_to(vm: VM, status: str) -> VM:
    """The machine, once it is in that status and nobody is at work on it."""
    eventually(
        lambda: fresh(vm).status == status and not any(job.active for job in Job.objects.filter(machine=vm.pk)),
        f"{vm} {status}",
    )
    there: VM = fresh(vm)
    return there
