"""Clusters beside the Default one, and places where roles are held."""

from typing import Any

from vms.actions import reports
from vms.domain.console import Graphics
from vms.domain.hosts import Capabilities
from vms.models import VM, Cluster, DataCenter, Host


def cluster_offering(name: str, graphics: Graphics) -> Cluster:
    """A cluster in a data center of its own, with one host that is up and offers these protocols."""
    made = Cluster.objects.create(name=name, data_center=DataCenter.objects.create(name=name))
    reports.host_seen(Host.objects.create(name=name, cluster=made), Capabilities(graphics=graphics))
    return made


def place_of(vm: VM, place: str) -> dict[str, Any]:
    """Where a role is held, as the columns of a permission."""
    on = {"vm": vm, "cluster": vm.cluster, "data_center": vm.cluster.data_center}
    return {place: on[place]} if place in on else {}
