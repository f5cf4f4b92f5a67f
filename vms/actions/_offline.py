"""Whether a machine's disks can be looked into while it is off: on which host, and which of them."""

from vms.domain.disks import Disk
from vms.domain.errors import Refusal
from vms.domain.hosts import Capabilities
from vms.domain.lifecycle import Status
from vms.models import VM, Host, HostStatus

from . import storage
from ._disks import attachments, value
from ._usable import require_usable


def possible_on(vm: VM) -> Host:
    """The host that reaches the machine's disks and can look into them; refused with the reason where none can."""
    rows = [row for row in attachments(vm) if row.active]
    if not rows:
        raise Refusal("OFFLINE_UNAVAILABLE", None, no_offline="disks")
    hosts: list[Host] = list(storage.hosts_of(rows[0].disk.domain).filter(maintenance=False, status=HostStatus.UP))
    if not hosts:
        raise Refusal("OFFLINE_UNAVAILABLE", None, no_offline="host")
    told = [host.capabilities or Capabilities() for host in hosts]
    able = [host for host, offered in zip(hosts, told, strict=True) if offered.no_offline is None]
    if not able:
        raise Refusal("OFFLINE_UNAVAILABLE", None, no_offline=str(told[0].no_offline))
    return next((host for host in able if host.pk == vm.host_id), able[0])


def require_off(vm: VM) -> None:
    """Refuse a machine that is not off: two systems would write to the same disks."""
    if vm.status != Status.DOWN:
        raise Refusal("PREPARE_MUST_BE_OFF", None, name=vm.name, status=vm.status)


def disks_of(vm: VM) -> tuple[Disk, ...]:
    """The disks that are looked into: those that it has alone and may write to. Refused where that would leave out the
    one that it starts from."""
    found = []
    for row in attachments(vm):
        if not row.active:
            continue
        require_usable(row.disk)
        if not row.read_only and not row.disk.shareable:
            found.append(value(row))
        elif row.bootable:
            raise Refusal("OFFLINE_READ_ONLY", None, name=row.disk.name)
    if not found:
        raise Refusal("OFFLINE_UNAVAILABLE", None, no_offline="disks")
    return tuple(found)
