"""Hosts that machines run on."""

from vms.models import Cluster, Host

from ._action import action
from ._audit import record
from ._authorise import ENGINE


@action
def ensure_one() -> None:
    """Where no host is known yet, this machine becomes one, in the first cluster."""
    if Host.objects.exists():
        return
    host = Host.objects.create(name="local", cluster=Cluster.objects.order_by("pk").select_for_update()[0])
    record(ENGINE, "USER_ADD_VDS", host)
