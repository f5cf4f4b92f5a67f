"""What the tests of the actions share: other clusters, a machine that runs, and a pool with its people."""

import pytest

from tests.actions.places import cluster_offering
from tests.actions.runs import up
from tests.factories import person
from vms.actions import create, pools
from vms.domain.console import HEADLESS, VNC
from vms.models import VM, Cluster, Host, Pool, User


@pytest.fixture
def bare_cluster(db: None) -> Cluster:
    """A cluster whose host offers no graphics at all."""
    return cluster_offering("bare", HEADLESS)


@pytest.fixture
def vnc_cluster(db: None) -> Cluster:
    """A cluster whose host offers VNC, but no SPICE."""
    return cluster_offering("vnc", VNC)


@pytest.fixture
def running(vm: VM, host: Host, admin: User) -> VM:
    """A machine that is up, with VNC."""
    return up(vm, host, by=admin)


@pytest.fixture
def pool(cluster: Cluster, host: Host, admin: User) -> Pool:
    """Two machines with VNC, for people of whom each may hold one."""
    return create.pool("desk", cluster=cluster, size=2, by=admin)


@pytest.fixture
def dora(pool: Pool) -> User:
    """May use the pool."""
    return person("dora", role="UserRole", pool=pool)


@pytest.fixture
def mine(pool: Pool, dora: User) -> VM:
    """Taken by dora, off."""
    return pools.take(pool, by=dora, start=False)
