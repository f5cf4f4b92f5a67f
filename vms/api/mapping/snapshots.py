"""The snapshots of a machine; as it is now is what oVirt calls its active one."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_OID, UUID, uuid5

from vms.domain.networks import Nic
from vms.models import VM, Disk, Image, Snapshot, SnapshotKind, SnapshotStatus

from .entity import MOST_IDS, Entity, Link, of_each
from .fields import BOOLEAN, TEXT, TIME, Field, Reference, Telling, Words
from .storage import DISK


@dataclass(frozen=True, slots=True)
class Kept:
    """One way a machine is or was; `row` is None for as it is now."""

    vm_id: UUID
    at: datetime
    row: Snapshot | None = None

    @property
    def pk(self) -> UUID:
        return self.row.pk if self.row else uuid5(self.vm_id, "snapshot/active")


_KINDS: Final = {
    SnapshotKind.REGULAR: "regular",
    SnapshotKind.BEFORE_PREVIEW: "preview",
    SnapshotKind.STATELESS: "stateless",
}
_STATUS: Final = Words({status.value: status for status in SnapshotStatus})


def _found(owners: Sequence[Any], _telling: Telling) -> Mapping[Hashable, Sequence[Any]]:
    found: dict[Hashable, list[Kept]] = {vm.pk: [Kept(vm.pk, vm.created_at)] for vm in owners}
    ids = [vm.pk for vm in owners]
    for start in range(0, len(ids), MOST_IDS):
        for row in Snapshot.objects.filter(vm__in=ids[start : start + MOST_IDS]):
            found[row.vm_id].append(Kept(row.vm_id, row.created_at, row))
    return found


@dataclass(frozen=True, slots=True)
class Frozen:
    """A disk as it was: everything of the disk's but the image that it had."""

    disk: Disk
    image: Image

    def __getattr__(self, name: str) -> Any:
        return getattr(self.disk, name)

    @property
    def image_id(self) -> UUID:
        return self.image.pk

    @property
    def size(self) -> int:
        return self.image.size


def _images(kept: Kept) -> Iterable[Image]:
    rows = Image.objects.select_related("disk__domain").order_by("disk__name", "pk")
    if kept.row is not None:
        return rows.filter(snapshot=kept.row)
    current = Disk.objects.filter(attachments__vm=kept.vm_id, image__isnull=False).values("image")
    return rows.filter(pk__in=current)


def _disks(kept: Kept, _telling: Telling) -> Iterable[Frozen]:
    return [Frozen(image.disk, image) for image in _images(kept)]


def _cards(kept: Kept, _telling: Telling) -> Iterable[Any]:
    spec = kept.row.spec if kept.row is not None else VM.objects.get(pk=kept.vm_id).spec
    return [Card(nic) for nic in spec.nics]


@dataclass(frozen=True, slots=True)
class Card:
    """A network card as it was; the address tells those apart that had no id."""

    nic: Nic

    @property
    def pk(self) -> UUID:
        return self.nic.id or uuid5(NAMESPACE_OID, self.nic.mac)


DISKS: Final = Entity(name="disk", collection="disks", plural="disks", own=DISK.own)
CARDS: Final = Entity(
    name="nic",
    collection="nics",
    plural="nics",
    own=(
        Field("name", TEXT, lambda it: it.nic.name),
        Field("interface", TEXT, lambda it: it.nic.model.value),
        Field("linked", BOOLEAN, lambda it: it.nic.linked),
        Field("plugged", BOOLEAN, lambda it: it.nic.plugged),
        Field("mac/address", TEXT, lambda it: it.nic.mac),
    ),
)
ENTITY: Final = Entity(
    name="snapshot",
    collection="snapshots",
    plural="snapshots",
    own=(
        Field("description", TEXT, lambda it: it.row.description if it.row else "Active VM", "attribute.description"),
        Field("snapshot_type", TEXT, lambda it: _KINDS[it.row.kind] if it.row else "active"),
        Field("snapshot_status", _STATUS, lambda it: it.row.status if it.row else SnapshotStatus.OK),
        Field("persist_memorystate", BOOLEAN, lambda _it: False),
        Field("date", TIME, lambda it: it.at),
        Field("vm", Reference("vms"), lambda it: it.vm_id),
    ),
    links=(
        Link(rel="disks", entity=DISKS, items=of_each(_disks)),
        Link(rel="nics", entity=CARDS, items=of_each(_cards)),
    ),
)
LINK: Final = Link(rel="snapshots", entity=ENTITY, items=_found)
