"""The snapshots of a machine; as it is now is what oVirt calls its active one."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from vms.models import Snapshot, SnapshotKind, SnapshotStatus

from .entity import MOST_IDS, Entity, Link
from .fields import BOOLEAN, TEXT, TIME, Field, Reference, Telling, Words


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
)
LINK: Final = Link(rel="snapshots", entity=ENTITY, items=_found)
