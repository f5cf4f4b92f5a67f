"""What the tests of the actions share: other clusters, and passwords that cost no time."""

import pytest
from pytest_django import Settings

from vms.actions import reports
from vms.domain.console import HEADLESS, VNC, Graphics
from vms.domain.hosts import Capabilities
from vms.models import Cluster, DataCenter, Host


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Settings) -> None:
    """Nobody logs in here."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def cluster_offering(name: str, graphics: Graphics) -> Cluster:
    """A cluster in a data center of its own, with one host that is up and offers these protocols."""
    made = Cluster.objects.create(name=name, data_center=DataCenter.objects.create(name=name))
    reports.host_seen(Host.objects.create(name=name, cluster=made), Capabilities(graphics=graphics))
    return made


@pytest.fixture
def bare_cluster(db: None) -> Cluster:
    """A cluster whose host offers no graphics at all."""
    return cluster_offering("bare", HEADLESS)


@pytest.fixture
def vnc_cluster(db: None) -> Cluster:
    """A cluster whose host offers VNC, but no SPICE."""
    return cluster_offering("vnc", VNC)
