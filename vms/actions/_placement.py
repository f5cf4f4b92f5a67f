"""On which host a machine starts, or why on none."""

from vms.domain.console import Graphics
from vms.domain.errors import KINDS, Refusal
from vms.models import VM, Host, HostStatus


def choose_host(vm: VM, graphics: Graphics) -> Host:
    """A host of the machine's cluster that is up and offers the protocols; refused with the reason for there is none.

    A host that the engine has not looked at yet may be chosen: the job waits for it.
    """
    hosts = list(vm.cluster.hosts.order_by("name"))
    for status in (HostStatus.UP, HostStatus.CONNECTING):
        for host in hosts:
            offered = host.capabilities
            if host.status == status and (offered is None or graphics <= offered.graphics):
                return host
    for host in hosts:
        if host.reason.get("code") in KINDS:
            raise Refusal(host.reason["code"], None, **{**host.reason.get("params", {}), "host": host.name})
    if any(host.status == HostStatus.NON_RESPONSIVE for host in hosts):
        raise Refusal("HOST_NOT_RESPONDING", None, host=hosts[0].name)
    raise Refusal("ACTION_TYPE_FAILED_VDS_VM_CLUSTER", None, cluster=vm.cluster.name)
