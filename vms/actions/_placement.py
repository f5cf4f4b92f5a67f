"""On which host a machine starts or goes on, or why on none."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from django.db.models import Q, QuerySet

from vms.domain.affinity import Affinity
from vms.domain.errors import KINDS, Refusal
from vms.domain.hosts import Capabilities
from vms.domain.lifecycle import NOT_RUNNING
from vms.domain.machine import MachineSpec
from vms.libvirtxml.adopt import adopt
from vms.models import VM, DiskAttachment, Domain, Host, HostStatus, Job, StorageDomain

from ._affinity import affinity_of, coming, refusal_of


@dataclass(frozen=True, slots=True)
class Destination:
    """A host that a running machine could move to, with the memory that it has left in MiB (None: it has not told) and
    how much it displeases affinity's wishes, or why it cannot."""

    host: Host
    left: int | None
    why_not: Refusal | None
    cost: float = 0.0


def choose_host(vm: VM, spec: MachineSpec) -> Host:
    """The host of the machine's cluster that suits affinity's wishes best, of these the one with the most memory left,
    among those that are up, that the machine may start on, that have what it asks for, and that no enforcing affinity
    forbids; refused with the reason for there is none.

    One that has kept the variables of the machine's UEFI goes before others; what a TPM keeps is nowhere else. A host
    that the engine has not looked at yet may be chosen: the job waits for it.
    """
    affinity = affinity_of(vm.cluster, lock=True)
    domains = _storage(spec)
    hosts = list(vm.cluster.hosts.filter(maintenance=False).order_by("name"))
    if vm.adopted:  # its definition is where it is, and so are its disks
        hosts = [host for host in hosts if host.pk == vm.host_id]
    meant = [host for host in hosts if not spec.hosts or host.pk in spec.hosts]
    meant = [host for host in meant if all(one.host_id in {None, host.pk} for one in domains)]
    if spec.tpm and vm.host_id and not (meant := [host for host in meant if host.pk == vm.host_id]):
        raise Refusal("TPM_ON_ANOTHER_HOST", None, name=vm.name, host=vm.host.name if vm.host else "")
    left, home = _memory_left(meant, vm), vm.host_id if spec.firmware.uefi else None
    able = [host for host in meant if not _lacks(host, spec) and _room(left[host], spec)]
    ready = [host for host in able if host.status in _READY]
    if allowed := [host for host in ready if affinity.forbids(vm.pk, host.pk) is None]:

        def worth(host: Host) -> tuple[int, float, bool, int]:
            return (_READY[host.status], affinity.cost(vm.pk, host.pk), host.pk != home, -(left[host] or 0))

        return min(allowed, key=worth)
    _refuse_for_affinity(vm, ready, affinity)
    _refuse(vm, spec, hosts, meant)
    raise Refusal("ACTION_TYPE_FAILED_VDS_VM_CLUSTER", None, cluster=vm.cluster.name)


# The states of hosts that a machine may be sent to, the better one first.
_READY: Final[dict[str, int]] = {HostStatus.UP: 0, HostStatus.CONNECTING: 1}


def destinations(vm: VM, affinity: Affinity | None = None) -> list[Destination]:
    """The other hosts of a running machine's cluster, those first that it can move to, of them those first that please
    affinity's wishes, then the roomiest.

    `affinity` is given where several machines move, and not all of them are where they are any more.
    """
    affinity = affinity_of(vm.cluster) if affinity is None else affinity
    hosts = [host for host in vm.cluster.hosts.order_by("name") if host.pk != vm.host_id]
    left = _memory_left(hosts, vm)
    stays = _stays(vm)
    found = [
        Destination(
            host, left[host], stays or _why_not_there(vm, host, left[host], affinity), affinity.cost(vm.pk, host.pk)
        )
        for host in hosts
    ]
    return sorted(found, key=lambda each: (each.why_not is not None, each.cost, -(each.left or 0)))


def choose_destination(vm: VM, wanted: Host | None, affinity: Affinity) -> Host:
    """Where a running machine moves to: the host that is wanted, else the best that it can go on on; refused with the
    reason why not."""
    if wanted is not None and wanted == vm.host:
        raise Refusal("ACTION_TYPE_FAILED_MIGRATION_TO_SAME_HOST", "host", host=wanted.name)
    if wanted is not None and wanted.cluster_id != vm.cluster_id:
        raise Refusal("ACTION_TYPE_FAILED_HOST_OTHER_CLUSTER", "host", host=wanted.name)
    found = [each for each in destinations(vm, affinity) if wanted is None or each.host == wanted]
    if not found:
        raise Refusal("ACTION_TYPE_FAILED_NO_HOST_TO_MOVE_TO", None, cluster=vm.cluster.name)
    if found[0].why_not is not None:
        no = found[0].why_not
        raise Refusal(no.code, "host" if wanted else None, **no.params)
    return found[0].host


def _stays(vm: VM) -> Refusal | None:
    """Why a running machine could move to no host at all: a disk lies where no other host reaches it."""
    bound = DiskAttachment.objects.filter(vm=vm, active=True, disk__domain__host__isnull=False)
    if (found := bound.select_related("disk__domain__host").first()) is None:
        return None
    there = found.disk.domain
    told = {"disk": found.disk.name, "storage": there.name, "host": there.host.name if there.host else ""}
    return Refusal("ACTION_TYPE_FAILED_DISK_ON_LOCAL_STORAGE", None, **told)


def _why_not_there(vm: VM, host: Host, left: int | None, affinity: Affinity) -> Refusal | None:
    """Why a running machine cannot move to a host of its cluster; None when it can."""
    run = vm.run
    spec = run.spec if run else vm.spec
    if host.maintenance:
        return Refusal("ACTION_TYPE_FAILED_VDS_IN_MAINTENANCE", None, host=host.name)
    there, here = host.capabilities, vm.host.capabilities if vm.host else None
    if host.status != HostStatus.UP or there is None:
        return Refusal("HOST_NOT_RESPONDING", None, host=host.name)
    if spec.hosts and host.pk not in spec.hosts:
        return Refusal("ACTION_TYPE_FAILED_HOST_NOT_CHOSEN", None, host=host.name)
    if elsewhere := next((one for one in _domains(spec) if one.host_id not in {None, host.pk}), None):
        return Refusal("ACTION_TYPE_FAILED_STORAGE_OF_ANOTHER_HOST", None, host=host.name, storage=elsewhere.name)
    if here is not None and here.accelerator != there.accelerator:
        return Refusal("ACTION_TYPE_FAILED_HOST_OTHER_ACCELERATOR", None, host=host.name, **_accelerators(here, there))
    machine = str(vm.pinned.get("machine", ""))
    lacking = there.lacks(spec) or (machine if there.machines and machine not in {"", *there.machines} else "")
    if lacking:
        return Refusal("ACTION_TYPE_FAILED_VDS_VM_LACKS", None, host=host.name, lacking=lacking)
    if not _room(left, spec):
        return Refusal(
            "ACTION_TYPE_FAILED_HOST_TOO_SMALL", None, host=host.name, left=max(0, left or 0), memory=spec.guaranteed
        )
    breach = affinity.forbids(vm.pk, host.pk)
    return refusal_of(breach, host) if breach else None


def _accelerators(here: Capabilities, there: Capabilities) -> dict[str, str]:
    return {"here": here.accelerator.upper(), "there": there.accelerator.upper()}


def _refuse_for_affinity(vm: VM, ready: list[Host], affinity: Affinity) -> None:
    """Say of each host that would do otherwise which rule forbids it."""
    breaches = [(host, affinity.forbids(vm.pk, host.pk)) for host in ready]
    reasons = [refusal_of(breach, host).as_document() for host, breach in breaches if breach is not None]
    if reasons:
        raise Refusal("ACTION_TYPE_FAILED_VDS_VM_AFFINITY", None, name=vm.name, reasons=reasons)


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


def _storage(spec: MachineSpec) -> list[StorageDomain]:
    """The domains that its disks lie on, some of which may be one host's alone; refused where one is not at work."""
    domains = _domains(spec)
    for domain in domains:
        if not domain.active:
            raise Refusal(
                "ACTION_TYPE_FAILED_STORAGE_DOMAIN_STATUS_ILLEGAL", None, name=domain.name, storage_status=domain.status
            )
    return domains


def _domains(spec: MachineSpec) -> list[StorageDomain]:
    if not spec.disks:
        return []
    return list(StorageDomain.objects.filter(pk__in={disk.storage.id for disk in spec.disks}))


def _lacks(host: Host, spec: MachineSpec) -> str:
    offered = host.capabilities
    return offered.lacks(spec) if offered else ""


def _room(left: int | None, spec: MachineSpec) -> bool:
    return left is None or spec.guaranteed <= left


def _memory_left(hosts: list[Host], vm: VM) -> dict[Host, int | None]:
    """What each host could still guarantee to a machine, in MiB, beside those that are on their way and all that run
    there, ours or not; None where the host has not told how much it has."""
    promised = dict.fromkeys((host.pk for host in hosts), 0)
    for host, definition in _unmanaged(hosts).values_list("host", "definition"):
        promised[host] += _memory_of(definition)
    moving = coming(Job.objects.exclude(machine=vm.pk))
    heading = {machine: host for machine, host in moving.items() if host in promised}
    there = Q(host__in=hosts) & ~Q(observed__in=NOT_RUNNING)
    counted = VM.objects.filter(there | Q(pk__in=heading)).exclude(pk=vm.pk).order_by()
    for key, host, guaranteed, memory in counted.values_list("pk", "host", "guaranteed_memory", "memory"):
        for at in {host, heading.get(key, host)} & promised.keys():
            promised[at] += guaranteed or memory
    told = {host: host.capabilities for host in hosts}
    return {host: offered.memory - promised[host.pk] if offered else None for host, offered in told.items()}


def _unmanaged(hosts: list[Host]) -> QuerySet[Domain]:
    """What runs on these hosts and is not ours."""
    running = Domain.objects.filter(host__in=hosts).exclude(status__in=NOT_RUNNING).exclude(definition="")
    return running.exclude(machine__in=VM.objects.values("pk")).order_by()


@lru_cache(maxsize=1024)
def _memory_of(definition: str) -> int:
    """The memory of a definition, in MiB; one that is the same as before is not read again."""
    memory: int = adopt(definition).parts["memory"]
    return memory
