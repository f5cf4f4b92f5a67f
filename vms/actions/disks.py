"""Disks: made, given to machines and taken from them, made larger, copied, removed."""

from typing import Any, Final

from vms.domain import disks
from vms.domain.disks import HOT, DiskFormat, Interface
from vms.domain.errors import Refusal
from vms.domain.lifecycle import MIGRATING, Status
from vms.models import (
    VM,
    ActionGroup,
    Disk,
    DiskAttachment,
    DiskContent,
    DiskStatus,
    Image,
    Job,
    StorageDomain,
    Template,
)

from . import storage
from ._action import action, locked
from ._audit import record
from ._authorise import Actor, authorise
from ._disks import HOW, Owner, attachments, authorise_disk, owners_of, running, sync_disks
from ._jobs import COPY_DISK, CREATE_DISK, PLUG, REMOVE_DISK, RESIZE_DISK, enqueue, enqueue_on
from ._owning import own
from ._plain import added, changed
from ._storable import require_storable
from ._usable import let_go, made_of, require_no_snapshots, require_usable, set_status

_PLAIN: Final = ("name", "description", "kept")
# Nothing comes to or goes from a machine in these.
_CLOSED: Final = MIGRATING | {
    *(Status.SAVING_STATE, Status.RESTORING_STATE, Status.SUSPENDED, Status.UNKNOWN, Status.WAIT_FOR_LAUNCH),
}


@action
def create(
    name: str,
    *,
    domain: StorageDomain,
    size: int,
    format: DiskFormat = DiskFormat.QCOW2,
    sparse: bool = True,
    by: Actor,
    **columns: Any,
) -> Disk:
    """A new empty disk of so many bytes, locked until the engine has made it.

    `columns` are description, shareable and content.
    """
    authorise(by, ActionGroup.CREATE_DISK, domain)
    disk = Disk(name=name, domain=domain, size=size, format=format, sparse=sparse, blank=True, **columns)
    _check(disk)
    made = _begin(disk, CREATE_DISK, by=by)
    own(by, "DiskOperator", disk=made)
    return made


@action
def create_in(vm: VM, name: str, *, by: Actor, how: dict[str, Any] | None = None, **disk: Any) -> DiskAttachment:
    """A new disk that a machine has from the beginning; `how` its guest sees it, as in `attach`."""
    return attach(vm, create(name, by=by, **disk), by=by, **(how or {}))


@action
def attach(
    vm: VM,
    disk: Disk,
    *,
    interface: Interface = Interface.VIRTIO,
    bootable: bool = False,
    active: bool = True,
    read_only: bool = False,
    by: Actor,
) -> DiskAttachment:
    """Give a disk to a machine; one that runs gets it at once where its interface can, else with its next start."""
    vm, disk = locked(vm), locked(disk)
    authorise(by, ActionGroup.CONFIGURE_VM_STORAGE, vm)
    authorise_disk(by, ActionGroup.ATTACH_DISK, disk)
    _require_open(vm)
    _require_free(disk, vm)
    row = DiskAttachment(vm=vm, disk=disk, interface=interface, bootable=bootable, active=active, read_only=read_only)
    _seat(row)
    row.save(force_insert=True)
    Disk.objects.filter(pk=disk.pk, blank=True).update(blank=False)
    sync_disks(vm)
    record(by, "USER_ATTACH_DISK_TO_VM", vm, disk=disk.name)
    return row


@action
def edit_attachment(row: DiskAttachment, *, by: Actor, **columns: Any) -> DiskAttachment:
    """Change how a machine's guest sees a disk: interface, bootable, active, read_only.

    What a running guest cannot see change waits for its next start; a disk that is deactivated leaves it first.
    """
    vm = _machine_of(row)
    row = locked(row)
    authorise(by, ActionGroup.CONFIGURE_VM_STORAGE, vm)
    _require_open(vm)
    changes = {name: value for name, value in columns.items() if getattr(row, name) != value}
    if changes.get("active") is False and _plugged(vm, row):
        _take_out(vm, row, detach=False, by=by)
        del changes["active"]
    before = row.interface
    for name, value in changes.items():
        setattr(row, name, value)
    if row.interface != before or "bootable" in changes:
        _seat(row, keep=row.interface == before)
    if changes:
        row.save(update_fields=[*changes, "slot"])
        sync_disks(vm)
        record(by, "USER_UPDATE_VM_DISK", vm, disk=row.disk.name)
    return row


@action
def detach(row: DiskAttachment, *, by: Actor) -> None:
    """Take a disk from a machine; it stays where it lies. A running guest lets go of it first."""
    vm = _machine_of(row)
    row = locked(row)
    authorise(by, ActionGroup.CONFIGURE_VM_STORAGE, vm)
    _require_open(vm)
    require_no_snapshots(row.disk)
    if _plugged(vm, row):
        _take_out(vm, row, detach=True, by=by)
        return
    _drop(vm, row, by=by)


@action
def edit(disk: Disk, *, size: int | None = None, by: Actor, **columns: Any) -> Disk:
    """Change name or description, or have it made larger; smaller would lose what is written there."""
    disk = locked(disk)
    authorise_disk(by, ActionGroup.EDIT_DISK_PROPERTIES, disk)
    for name in columns.keys() - set(_PLAIN):
        if columns[name] != getattr(disk, name):
            raise Refusal("ILLEGAL_VALUE", name, value=str(columns[name])[:80], allowed=str(getattr(disk, name)))
    plain = {name: value for name, value in columns.items() if name in _PLAIN}
    if "name" in plain:
        disks.check_name(plain["name"])
    before, after = changed(disk, plain)
    if after:
        record(by, "USER_UPDATE_DISK", disk, before, after)
    if size is not None and size != disk.size:
        _grow(disk, size, by=by)
    return disk


@action
def copy(disk: Disk, name: str, *, domain: StorageDomain | None = None, by: Actor) -> Disk:
    """A disk with the same content on the same or another storage; no machine may be writing to it meanwhile."""
    disk = locked(disk)
    domain = domain or disk.domain
    authorise_disk(by, ActionGroup.EDIT_DISK_PROPERTIES, disk)
    authorise(by, ActionGroup.CREATE_DISK, domain)
    return copied(disk, name, domain=domain, by=by)


@action
def remove(disk: Disk, *, by: Actor) -> Job | None:
    """Remove a disk with all that is written on it; that of a template only together with it."""
    disk = locked(disk)
    authorise_disk(by, ActionGroup.DELETE_DISK, disk)
    owners = owners_of(disk)
    for owner in owners:
        if isinstance(owner, Template):
            raise Refusal("ACTION_TYPE_FAILED_DISK_IS_A_TEMPLATES", None, name=disk.name, template=str(owner))
        _require_open(owner)
        if running(owner) and any(one.id == disk.pk for one in (owner.run.base.disks if owner.run else ())):
            raise Refusal("ACTION_TYPE_FAILED_STILL_IN_USE", None, name=disk.name, users=owner.name)
    require_no_snapshots(disk)
    if inside := sorted(VM.objects.filter(cd=str(disk.pk)).values_list("name", flat=True))[:3]:
        raise Refusal("ACTION_TYPE_FAILED_STILL_IN_USE", None, name=disk.name, users=", ".join(inside))
    return discard(disk, by=by)


# -- for other actions


def discard(disk: Disk, *, by: Actor) -> Job | None:
    """Begin to remove a locked disk that nobody needs any more; None where there is nothing to be waited for."""
    if disk.status == DiskStatus.LOCKED:
        raise Refusal("ACTION_TYPE_FAILED_DISKS_LOCKED", None, name=disk.name)
    if users := made_of(disk):
        raise Refusal("ACTION_TYPE_FAILED_STILL_IN_USE", None, name=disk.name, users=", ".join(users))
    if not disk.images.exists():
        record(by, "USER_FINISHED_REMOVE_DISK", disk)
        let_go(disk)
        return None
    storage.require_active(disk.domain)
    job = enqueue_on(disk, REMOVE_DISK, by=by, host=storage.worker_of(disk.domain))
    set_status(disk, DiskStatus.LOCKED)
    return job


def exclusive_disks(owner: Owner) -> list[Disk]:
    """The disks that nobody else has, locked."""
    rows = Disk.objects.select_for_update(no_key=True, of=("self",)).filter(attachments__in=attachments(owner))
    return [disk for disk in rows.order_by("pk") if disk.attachments.count() == 1]


def copied(
    disk: Disk,
    name: str,
    *,
    domain: StorageDomain,
    image: Image | None = None,
    format: DiskFormat | None = None,
    sparse: bool | None = None,
    by: Actor,
) -> Disk:
    """Begin to copy a locked disk, as it is or as an earlier `image` of it was; `format` and `sparse` are its own
    unless others are named.

    Both are locked meanwhile, unless nobody writes to what is copied: a template's disk, or an earlier image.
    """
    require_usable(disk)
    storage.require_active(disk.domain)
    frozen = image is not None or disk.attachments.filter(template__isnull=False).exists()
    for owner in owners_of(disk):
        if isinstance(owner, VM) and running(owner) and not frozen:
            raise Refusal("ACTION_TYPE_FAILED_STILL_IN_USE", None, name=disk.name, users=owner.name)
    storage.worker_of(disk.domain)
    format = format or (DiskFormat.RAW if domain.storage.block else DiskFormat(disk.format))
    made = Disk(
        name=name,
        description=disk.description,
        domain=domain,
        size=image.size if image else disk.size,
        format=format,
        sparse=disk.sparse if sparse is None else sparse,
        content=disk.content,
    )
    _check(made)
    host = _reaching_both(disk.domain, domain)
    made = _begin(made, COPY_DISK, by=by, parent=image or disk.image, host=host, locks=not frozen)
    if not frozen:
        set_status(disk, DiskStatus.LOCKED)
    return made


def thin(disk: Disk, name: str, *, by: Actor) -> Disk:
    """Begin to make a disk that begins as a template's disk, and takes room only for what differs from it."""
    require_usable(disk)
    made = Disk(name=name, description=disk.description, domain=disk.domain, size=disk.size, sparse=True)
    _check(made)
    return _begin(made, CREATE_DISK, by=by, parent=disk.image)


def give(owner: Owner, disk: Disk, like: DiskAttachment) -> None:
    """Let an owner have a disk as another one has its."""
    plain = {name: getattr(like, name) for name in HOW}
    DiskAttachment.objects.create(disk=disk, **{"vm" if isinstance(owner, VM) else "template": owner}, **plain)


# -- inside


def _begin(disk: Disk, verb: str, *, by: Actor, parent: Image | None = None, host: Any = None, **told: Any) -> Disk:
    disk.domain = locked(disk.domain)  # else it could be put to rest meanwhile
    storage.require_active(disk.domain)
    storage.require_room(disk.domain, 0 if disk.sparse else disk.size)
    host = host or storage.worker_of(disk.domain)
    added(disk)
    # A CD is known to machines by its disk's id, as in oVirt, so its image has that, too.
    known = {"id": disk.pk} if disk.content == DiskContent.ISO else {}
    disk.image = Image.objects.create(disk=disk, format=disk.format, size=disk.size, parent=parent, **known)
    disk.save(update_fields=["image"])
    enqueue_on(disk, verb, by=by, host=host, **told)
    record(by, "USER_ADD_DISK", disk, domain=disk.domain.name)
    return disk


def _check(disk: Disk) -> None:
    disks.check_name(disk.name)
    disks.check_size(disk.size)
    if disk.format not in list(DiskFormat):
        raise Refusal("ILLEGAL_VALUE", "format", value=str(disk.format)[:20], allowed=", ".join(DiskFormat))
    if disk.content not in DiskContent.values:
        raise Refusal("ILLEGAL_VALUE", "content", value=str(disk.content)[:20], allowed=", ".join(DiskContent.values))
    if disk.domain.storage.block and disk.format != DiskFormat.RAW:
        raise Refusal("ILLEGAL_VALUE", "format", value=disk.format, allowed="raw, on a volume group")
    if disk.shareable and disk.format != DiskFormat.RAW:
        raise Refusal("ILLEGAL_VALUE", "format", value=disk.format, allowed="raw, for a disk that machines share")
    if not disk.sparse and disk.format != DiskFormat.RAW:
        raise Refusal("ILLEGAL_VALUE", "sparse", value="false", allowed="true, or the format raw")
    require_storable(disk)


def _grow(disk: Disk, size: int, *, by: Actor) -> None:
    if size < disk.size:
        raise Refusal("ACTION_TYPE_FAILED_CANNOT_REDUCE_DISK_SIZE", "disk_size", name=disk.name, size=disk.size >> 20)
    disks.check_size(size)
    require_usable(disk)
    if disk.attachments.filter(template__isnull=False).exists():
        raise Refusal("ILLEGAL_VALUE", "disk_size", value=str(size), allowed="the size that a template's disk has")
    storage.require_active(disk.domain)
    storage.require_room(disk.domain, 0 if disk.sparse else size - disk.size)
    user = next((owner for owner in owners_of(disk) if isinstance(owner, VM) and running(owner)), None)
    if user is not None:
        _require_open(user)
    host = user.host if user and user.host else storage.worker_of(disk.domain)
    enqueue_on(disk, RESIZE_DISK, by=by, host=host, size=size, machine=str(user.pk) if user else "")
    set_status(disk, DiskStatus.LOCKED)
    record(by, "USER_EXTENDED_DISK_SIZE", disk, size=size >> 20)


def _machine_of(row: DiskAttachment) -> VM:
    """The machine that has a disk, locked; a template's disks stay as they are."""
    if row.vm is None:
        raise Refusal("ACTION_TYPE_FAILED_DISK_IS_A_TEMPLATES", None, name=row.disk.name, template=str(row.template))
    return locked(row.vm)


def _require_open(vm: VM) -> None:
    if Status(vm.status) in _CLOSED:
        raise Refusal("ACTION_TYPE_FAILED_VM_STATUS_ILLEGAL", None, verb="plug", status=vm.status)


def _require_free(disk: Disk, vm: VM) -> None:
    if disk.status == DiskStatus.ILLEGAL:
        raise Refusal("ACTION_TYPE_FAILED_DISK_ILLEGAL", "disk", name=disk.name)
    if disk.content != DiskContent.DATA:
        raise Refusal("ILLEGAL_VALUE", "disk", value=disk.name, allowed="a disk with data; a CD goes into the drive")
    others = list(disk.attachments.select_related("vm", "template"))
    if any(row.template_id for row in others):
        raise Refusal("ACTION_TYPE_FAILED_DISK_IS_A_TEMPLATES", "disk", name=disk.name, template=str(others[0].owner))
    if any(row.vm_id == vm.pk for row in others) or (others and not disk.shareable):
        raise Refusal("ACTION_TYPE_FAILED_DISK_ALREADY_ATTACHED", "disk", name=disk.name, vm=str(others[0].owner))
    if disk.domain.data_center_id != vm.cluster.data_center_id:
        raise Refusal("ACTION_TYPE_FAILED_DISK_ELSEWHERE", "disk", name=disk.name, place=str(vm.cluster.data_center))


def _seat(row: DiskAttachment, *, keep: bool = False) -> None:
    """Find a place for a disk, and refuse a second one to start from."""
    if row.interface not in list(Interface):
        raise Refusal("ILLEGAL_VALUE", "interface", value=str(row.interface)[:20], allowed=", ".join(Interface))
    others = DiskAttachment.objects.filter(vm=row.vm).exclude(pk=row.pk)
    if row.bootable and (first := others.filter(bootable=True).first()):
        raise Refusal("ACTION_TYPE_FAILED_VM_ALREADY_HAS_BOOTABLE_DISK", "bootable", name=first.disk.name)
    if not keep:
        taken = set(others.filter(interface=row.interface).values_list("slot", flat=True))
        row.slot = disks.free_slot(taken, Interface(row.interface))


def _plugged(vm: VM, row: DiskAttachment) -> bool:
    """Whether the present run has the disk."""
    return running(vm) and vm.run is not None and any(one.id == row.disk_id for one in vm.run.base.disks)


def _take_out(vm: VM, row: DiskAttachment, *, detach: bool, by: Actor) -> None:
    has = next(one for one in (vm.run.base.disks if vm.run else ()) if one.id == row.disk_id)
    if has.interface not in HOT:
        raise Refusal("HOT_PLUG_IS_NOT_SUPPORTED", "interface", name=row.disk.name, interface=has.interface.upper())
    enqueue(vm, PLUG, by=by, host=vm.host, exclusive=False, without=str(row.disk_id), detach=detach)


def _drop(vm: VM, row: DiskAttachment, *, by: Actor) -> None:
    row.delete()
    sync_disks(vm)
    record(by, "USER_DETACH_DISK_FROM_VM", vm, disk=row.disk.name)


def _reaching_both(one: StorageDomain, other: StorageDomain) -> Any:
    both = set(storage.hosts_of(one)) & set(storage.hosts_of(other))
    host = storage.worker_of(other)
    if host in both:
        return host
    if (host := storage.worker_of(one)) in both:
        return host
    raise Refusal("ACTION_TYPE_FAILED_NO_VDS_IN_POOL", "domain", name=f"{one.name}, {other.name}")
