"""What the tests of the actions share: other clusters."""

import pytest

from tests.actions.places import cluster_offering
from vms.domain.console import HEADLESS, VNC
from vms.models import Cluster


@pytest.fixture
def bare_cluster(db: None) -> Cluster:
    """A cluster whose host offers no graphics at all."""
    return cluster_offering("bare", HEADLESS)


@pytest.fixture
def vnc_cluster(db: None) -> Cluster:
    """A cluster whose host offers VNC, but no SPICE."""
    return cluster_offering("vnc", VNC)
