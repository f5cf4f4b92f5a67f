"""A real engine over many hosts and a real PostgreSQL: its connections do not run dry, its threads stay few, and hosts
that hang or are not there hold up none of the others.
"""

import shutil
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from tests.engine.conftest import fresh
from tests.factories import headless, machine, person
from tests.hypervisors.conftest import wait_until
from tests.stories.engines import EngineProcess, database_at, engines, postgresql
from vms.actions import power
from vms.models import VM, Cluster, Host, HostStatus, Job, User

pytestmark = pytest.mark.guests

HOSTS, HANGING, STARTED = 60, 4, 20
CONNECTIONS = 10  # of the engine to the database: what a new installation has
THREADS = 5  # of each host at most, on average
SEEN_WITHIN = 5.0  # seconds
HELD_UP = 4.0  # seconds that whoever waited for a host that hangs would lose


@pytest.fixture
def engine(django_db_blocker: DjangoDbBlocker) -> Iterator[EngineProcess]:
    home = Path(tempfile.mkdtemp(prefix="hw-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        url = stack.enter_context(postgresql())
        stack.enter_context(django_db_blocker.unblock())
        stack.enter_context(database_at(url))
        call_command("migrate", verbosity=0)
        yield stack.enter_context(engines(home, url, 1))[0]


@pytest.fixture
def hung() -> Iterator[list[str]]:
    """Addresses at which a daemon takes connections and says nothing, like one that is stopped."""
    with ExitStack() as stack:
        daemons = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(HANGING)]
        yield [f"qemu+tcp://127.0.0.1:{daemon.getsockname()[1]}/system" for daemon in daemons]


def test_sixty_hosts_of_which_some_hang(engine: EngineProcess, hung: list[str]) -> None:
    cluster, admin = Cluster.objects.get(name="Default"), person("admin", role="SuperUser")
    well = [Host.objects.create(name=f"host{number:02}", cluster=cluster) for number in range(HOSTS)]
    for number, uri in enumerate(hung):
        Host.objects.create(name=f"hung{number}", cluster=cluster, uri=uri)
    engine.start(HYPERVISOR="memory", DATABASE_CONNECTIONS=str(CONNECTIONS))
    began = time.monotonic()
    up = Host.objects.filter(status=HostStatus.UP)
    wait_until(lambda: up.count() == HOSTS, 60, "all that answer are up")
    wait_until(lambda: Host.objects.filter(status=HostStatus.NON_RESPONSIVE).count() == HANGING, 30, "the others not")
    assert time.monotonic() - began <= 2 * SEEN_WITHIN

    vms = [machine(f"m{host.name}", by=admin, console=headless, hosts=(host.pk,)) for host in well[:STARTED]]
    for vm in vms:
        power.start(vm, by=admin)
    wait_until(lambda: VM.objects.filter(status="up").count() == STARTED, 60, "a machine on each")
    assert not Job.objects.filter(state="failed").exists()
    taken = [_started_anew(vm, admin) for vm in vms[:5]]
    assert statistics.median(taken) < HELD_UP / 2, taken
    assert _connections() <= CONNECTIONS
    assert engine.threads <= THREADS * (HOSTS + HANGING)
    said = (engine.home / "engine.log").read_text()
    assert "PoolTimeout" not in said
    assert "database does not answer" not in said


def _started_anew(vm: VM, by: User) -> float:
    power.stop(fresh(vm), by=by)
    wait_until(lambda: (fresh(vm).status, fresh(vm).busy) == ("down", False), 10, "it is down")
    asked = time.monotonic()
    power.start(fresh(vm), by=by)
    wait_until(lambda: fresh(vm).status == "up", 10, "it is up")
    return time.monotonic() - asked


def _connections() -> int:
    """How many others there are to the database: the engine's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])
