"""On which host a machine starts, or why on none."""

from django.db.models import F, Sum
from django.db.models.functions import Coalesce

from vms.domain.errors import KINDS, Refusal
from vms.domain.lifecycle import NOT_RUNNING
from vms.domain.machine import MachineSpec
from vms.models import VM, Host, HostStatus


def choose_host(vm: VM, spec: MachineSpec) -> Host:
    """The host of the machine's cluster with the most memory left, among those that are up, that the machine may start
    on, and that have what it asks for; refused with the reason for there is none.

    A host that the engine has not looked at yet may be chosen: the job waits for it.
    """
    hosts = list(vm.cluster.hosts.filter(maintenance=False).order_by("name"))
    meant = [host for host in hosts if not spec.hosts or host.pk in spec.hosts]
    left = _memory_left(meant, vm)
    able = [host for host in meant if not _lacks(host, spec) and _room(left[host], spec)]
    for status in (HostStatus.UP, HostStatus.CONNECTING):
        if ready := [host for host in able if host.status == status]:
            return max(ready, key=lambda host: left[host] or 0)
    _refuse(vm, spec, hosts, meant)
    raise Refusal("ACTION_TYPE_FAILED_VDS_VM_CLUSTER", None, cluster=vm.cluster.name)


def _refuse(vm: VM, spec: MachineSpec, hosts: list[Host], meant: list[Host]) -> None:
    """Say why no host will do, as far as one reason stands out."""
    if hosts and not meant:
        raise Refusal("ACTION_TYPE_FAILED_VDS_VM_PINNED", "hosts", name=vm.name)
    up = [host for host in meant if host.status in {HostStatus.UP, HostStatus.CONNECTING}]
    for host in up:
        if lacking := _lacks(host, spec):
            raise Refusal("ACTION_TYPE_FAILED_VDS_VM_LACKS", None, host=host.name, lacking=lacking)
    if up:
        raise Refusal("ACTION_TYPE_FAILED_VDS_VM_MEMORY", "guaranteed_memory", memory=spec.guaranteed)
    for host in meant:
        if host.reason.get("code") in KINDS:
            raise Refusal(host.reason["code"], None, **{**host.reason.get("params", {}), "host": host.name})
    if any(host.status == HostStatus.NON_RESPONSIVE for host in meant):
        raise Refusal("HOST_NOT_RESPONDING", None, host=meant[0].name)


def _lacks(host: Host, spec: MachineSpec) -> str:
    offered = host.capabilities
    return offered.lacks(spec) if offered else ""


def _room(left: int | None, spec: MachineSpec) -> bool:
    return left is None or spec.guaranteed <= left


def _memory_left(hosts: list[Host], vm: VM) -> dict[Host, int | None]:
    """What each host could still guarantee, in MiB; None where the host has not told how much it has."""
    running = VM.objects.filter(host__in=hosts).exclude(observed__in=NOT_RUNNING).exclude(pk=vm.pk).order_by()
    promised = dict(running.values_list("host").annotate(promised=Sum(Coalesce(F("guaranteed_memory"), F("memory")))))
    told = {host: host.capabilities for host in hosts}
    return {host: offered.memory - promised.get(host.pk, 0) if offered else None for host, offered in told.items()}
