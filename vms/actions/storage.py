"""Storage domains: where disks lie, and what the engine tells of them."""

import re
from collections.abc import Iterable
from typing import Any, Final

from django.db.models import QuerySet

from vms.domain.disks import GIB, Room
from vms.domain.errors import Refusal
from vms.domain.lifecycle import NOT_RUNNING
from vms.models import (
    VM,
    ActionGroup,
    DataCenter,
    Disk,
    DiskStatus,
    Host,
    HostStatus,
    Image,
    Job,
    StorageDomain,
    StorageStatus,
)

from ._action import action, locked
from ._audit import record
from ._authorise import ENGINE, Actor, authorise
from ._changes import changed as tell
from ._jobs import CLOSE_STORAGE, OPEN_STORAGE, enqueue_on
from ._plain import added, changed, removed

DEFAULT: Final = "local-storage"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,50}")
SPARED: Final = (0, 1_000_000)  # GiB that a storage domain can be told to spare
OWN_SPARED: Final = 1  # GiB; the engine's own file system, where its database lies, too, must not be filled
_LOOKED_AFTER: Final = (StorageStatus.ACTIVE, StorageStatus.INACTIVE)
_SAMPLE: Final = 5  # images of which one at least has to be there
# What a domain is made of; another one is another domain.
_FIXED: Final = ("data_center", "host", "kind", "address", "path")


@action
def ensure_one() -> None:
    """Where no storage domain is known yet, a directory of the first host's becomes one."""
    host = Host.objects.select_related("cluster__data_center").order_by("pk").select_for_update(no_key=True).first()
    if host is None or StorageDomain.objects.exists():
        return
    center = host.cluster.data_center
    domain = StorageDomain(name=DEFAULT, data_center=center, host=host, spared=OWN_SPARED)
    added(domain)
    record(ENGINE, "USER_ADD_STORAGE_DOMAIN", domain)
    enqueue_on(domain, OPEN_STORAGE, by=ENGINE, host=host)


@action
def create(name: str, *, data_center: DataCenter, host: Host | None = None, by: Actor, **columns: Any) -> StorageDomain:
    """A new storage domain, which the engine opens by itself; with a `host` it is that host's alone.

    `columns` are kind, address, path, low_space, spared, description and comment.
    """
    authorise(by, ActionGroup.CREATE_STORAGE_DOMAIN, data_center)
    domain = StorageDomain(data_center=data_center, host=host, **_checked({"name": name, **columns}))
    if host is not None and host.cluster.data_center_id != data_center.pk:
        raise Refusal("ILLEGAL_VALUE", "host", value=host.name, allowed=f"a host of {data_center}")
    _require_new(domain)
    added(domain)
    record(by, "USER_ADD_STORAGE_DOMAIN", domain)
    enqueue_on(domain, OPEN_STORAGE, by=by, host=worker_of(domain))
    return domain


@action
def edit(domain: StorageDomain, *, by: Actor, **columns: Any) -> StorageDomain:
    """Change name, description, comment or the room that it is to have left; what it is made of stays."""
    domain = locked(domain)
    authorise(by, ActionGroup.EDIT_STORAGE_DOMAIN_CONFIGURATION, domain)
    for name in _FIXED:
        if columns.get(name, there := getattr(domain, name)) != there:
            raise Refusal("ILLEGAL_VALUE", name, value=str(columns[name])[:80], allowed=str(there or "–"))
    before, after = changed(domain, _checked(columns))
    if after:
        record(by, "USER_UPDATE_STORAGE_DOMAIN", domain, before, after)
    return domain


@action
def activate(domain: StorageDomain, *, by: Actor) -> Job:
    """Have the engine open it; it is active when that is done."""
    domain = locked(domain)
    authorise(by, ActionGroup.MANIPULATE_STORAGE_DOMAIN, domain)
    if domain.active:
        raise _status_illegal(domain)
    job = enqueue_on(domain, OPEN_STORAGE, by=by, host=worker_of(domain))
    changed(domain, {"status": StorageStatus.LOCKED, "retired": False, "reason": {}})
    record(by, "USER_ACTIVATED_STORAGE_DOMAIN", domain)
    return job


@action
def deactivate(domain: StorageDomain, *, by: Actor) -> StorageDomain:
    """Put it into maintenance: no disk on it is used, and its hosts leave it alone."""
    domain = locked(domain)
    authorise(by, ActionGroup.MANIPULATE_STORAGE_DOMAIN, domain)
    if domain.status in {StorageStatus.MAINTENANCE, StorageStatus.LOCKED}:
        raise _status_illegal(domain)
    if users := running_on(domain)[:3]:
        names = ", ".join(vm.name for vm in users)
        raise Refusal("ACTION_TYPE_FAILED_STILL_IN_USE", None, name=domain.name, users=names)
    changed(domain, {"status": StorageStatus.MAINTENANCE, "retired": True, "reason": {}})
    record(by, "USER_DEACTIVATED_STORAGE_DOMAIN", domain)
    for host in hosts_of(domain):
        enqueue_on(domain, CLOSE_STORAGE, by=by, host=host, exclusive=False)
    return domain


@action
def detach(domain: StorageDomain, *, by: Actor) -> StorageDomain:
    """Take a domain that rests out of its data center, until it is activated there again."""
    domain = locked(domain)
    authorise(by, ActionGroup.MANIPULATE_STORAGE_DOMAIN, domain)
    if domain.status != StorageStatus.MAINTENANCE:
        raise _status_illegal(domain)
    changed(domain, {"status": StorageStatus.UNATTACHED})
    record(by, "USER_DETACH_STORAGE_DOMAIN_FROM_POOL", domain)
    return domain


@action
def remove(domain: StorageDomain, *, by: Actor) -> None:
    """Forget a storage domain without disks that is in maintenance; its directory or volume group stays."""
    domain = locked(domain)
    authorise(by, ActionGroup.DELETE_STORAGE_DOMAIN, domain)
    if domain.status in {StorageStatus.ACTIVE, StorageStatus.LOCKED}:
        raise _status_illegal(domain)
    record(by, "USER_REMOVE_STORAGE_DOMAIN", domain)
    removed(domain)


def require_active(domain: StorageDomain) -> None:
    """Refuse what needs a storage domain that is not at work."""
    if not domain.active:
        raise _status_illegal(domain)


def require_room(domain: StorageDomain, size: int) -> None:
    """Refuse at once what would not fit in any case, and whatever is new where the rest is spared."""
    spared = domain.spared * GIB
    if domain.available is not None and size > domain.available - spared:
        mib = {"free": domain.available >> 20, "needed": size >> 20, "spared": spared >> 20}
        raise Refusal("ACTION_TYPE_FAILED_DISK_SPACE_LOW_ON_STORAGE_DOMAIN", "disk_size", name=domain.name, **mib)


def hosts_of(domain: StorageDomain) -> QuerySet[Host]:
    """The hosts that reach it."""
    if domain.host_id:
        return Host.objects.filter(pk=domain.host_id)
    return Host.objects.filter(cluster__data_center=domain.data_center_id).order_by("name")


def worker_of(domain: StorageDomain) -> Host:
    """The host that does what is to be done on it: one that answers, or will; refused where there is none."""
    if host := _ready(domain).first() or _ready(domain, HostStatus.CONNECTING).first():
        return host
    raise Refusal("ACTION_TYPE_FAILED_NO_VDS_IN_POOL", None, name=domain.name)


def running_on(domain: StorageDomain) -> QuerySet[VM]:
    """The machines that run with a disk on it."""
    attached = Disk.objects.filter(domain=domain, attachments__active=True).values("attachments__vm")
    return VM.objects.filter(pk__in=attached).exclude(observed__in=NOT_RUNNING).order_by("name")


# -- what the engine tells


def opened(job: Job, told: Any) -> None:
    """It could be opened; so much room is there."""
    domain = StorageDomain.objects.select_for_update().filter(pk=job.machine).first()
    if domain is None or domain.retired:
        return
    changed(domain, {"status": StorageStatus.ACTIVE, "reason": {}})
    note_room(domain, told)
    tell(domain)


def not_opened(job: Job, refusal: Refusal) -> None:
    """It could not be opened, and why."""
    domain = StorageDomain.objects.select_for_update().filter(pk=job.machine).first()
    if domain is not None and not domain.retired:
        changed(domain, {"status": StorageStatus.INACTIVE, "reason": refusal.as_document()})
        told = refusal.as_document()
        record(ENGINE, "STORAGE_ACTIVATE_FAILED", domain, severity="error", reason=told["code"], params=told["params"])


def note_room(domain: StorageDomain, room: Room | None) -> None:
    """So much room is there now; told to people when it becomes little."""
    if room is None or (domain.capacity, domain.available) == (room.capacity, room.available):
        return
    was_low = _is_low(domain)
    StorageDomain.objects.filter(pk=domain.pk).update(capacity=room.capacity, available=room.available)
    domain.capacity, domain.available = room.capacity, room.available
    if _is_low(domain) and not was_low:
        record(ENGINE, "IRS_DISK_SPACE_LOW_DATA", domain, severity="warning", free=room.available >> 20)


@action
def looked_at(seen: Iterable[tuple[StorageDomain, Room | Refusal]]) -> None:
    """The engine looked how much room there is; where it could not, the domain rests until it can."""
    for looked, told in seen:
        domain = StorageDomain.objects.select_for_update().filter(pk=looked.pk).first()
        if domain is None or domain.status not in _LOOKED_AFTER:
            continue
        if isinstance(told, Refusal):
            _missed(domain, told)
            continue
        if not domain.active:
            changed(domain, {"status": StorageStatus.ACTIVE, "reason": {}})
            record(ENGINE, "SYSTEM_ACTIVATED_STORAGE_DOMAIN", domain)
            tell(domain)
        note_room(domain, told)


def to_look_at(host: Host) -> list[StorageDomain]:
    """The domains that a host looks after: its own, and the shared ones that nobody else does."""
    own = StorageDomain.objects.filter(host=host, status__in=_LOOKED_AFTER)
    shared = StorageDomain.objects.filter(host=None, data_center=host.cluster.data_center_id, status__in=_LOOKED_AFTER)
    return [*own, *(domain for domain in shared if _ready(domain).first() == host)]


def sample(domain: StorageDomain) -> list[Image]:
    """Some images that lie there for certain, the latest first."""
    rows = Image.objects.select_related("disk__domain").filter(disk__domain=domain, disk__status=DiskStatus.OK)
    return list(rows.order_by("-created_at")[:_SAMPLE])


def _ready(domain: StorageDomain, status: HostStatus = HostStatus.UP) -> QuerySet[Host]:
    return hosts_of(domain).filter(maintenance=False, status=status)


def _missed(domain: StorageDomain, refusal: Refusal) -> None:
    reason = refusal.as_document()
    if domain.reason == reason:
        return
    changed(domain, {"status": StorageStatus.INACTIVE, "reason": reason})
    record(
        ENGINE,
        "SYSTEM_DEACTIVATED_STORAGE_DOMAIN",
        domain,
        severity="error",
        reason=reason["code"],
        params=reason["params"],
    )
    tell(domain)


def _is_low(domain: StorageDomain) -> bool:
    return 100 * (domain.available or 0) < domain.low_space * (domain.capacity or 0)


def _require_new(domain: StorageDomain) -> None:
    """Refuse one that is there already by another name: both would remove each other's disks."""
    domain.storage  # noqa: B018  (refuses what it cannot be made of)
    same = StorageDomain.objects.filter(kind=domain.kind, address=domain.address, path=domain.path)
    twin = (same if domain.host is None else same.filter(host=domain.host) | same.filter(host=None)).first()
    if twin is not None:
        raise Refusal("ILLEGAL_VALUE", "path", value=domain.path, allowed=f"what {twin.name} is not made of")


def _status_illegal(domain: StorageDomain) -> Refusal:
    return Refusal(
        "ACTION_TYPE_FAILED_STORAGE_DOMAIN_STATUS_ILLEGAL", None, name=domain.name, storage_status=domain.status
    )


def _checked(columns: dict[str, Any]) -> dict[str, Any]:
    if not _NAME.fullmatch(columns.get("name", DEFAULT)):
        allowed = "letters, digits, hyphens and underscores, 50 at most"
        raise Refusal("ILLEGAL_VALUE", "name", value=ascii(columns["name"][:50]), allowed=allowed)
    for name, (least, most) in {"low_space": (0, 100), "spared": SPARED}.items():
        if not least <= columns.get(name, least) <= most:
            raise Refusal("ILLEGAL_VALUE", name, value=str(columns[name])[:20], allowed=f"{least} … {most}")
    return columns
