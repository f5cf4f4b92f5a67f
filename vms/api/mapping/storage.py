"""Storage domains, disks, and which machine has which."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from vms.api.document import Long, Node
from vms.domain.disks import DiskFormat, Interface, StorageKind
from vms.models import Disk, DiskAttachment, DiskContent, DiskStatus, StorageDomain, StorageStatus

from .devices import empty
from .entity import MOST_IDS, Entity, Items, Link, related
from .fields import BOOLEAN, NUMBER, TEXT, Field, Reference, References, Telling, Type, Words
from .kept import Word
from .people import permissions_on


class _Bytes(Type):
    endless = True

    def tell(self, value: Any, telling: Telling) -> Node:
        return Long(value)

    def read(self, node: Node, path: str) -> Any:
        return NUMBER.read(node, path)


BYTES: Final = _Bytes()
# What is no word of oVirt's is told by the nearest that there is: a volume group is storage of blocks.
KIND: Final = Words({"localfs": StorageKind.DIRECTORY, "nfs": StorageKind.NFS, "fcp": StorageKind.LVM})
FORMAT: Final = Words({"cow": DiskFormat.QCOW2, "raw": DiskFormat.RAW})
# q35 has no IDE controller: who asks for one has the next best, as in oVirt's own import.
INTERFACE: Final = Words({each.value: each for each in Interface} | {"ide": Interface.SATA})
_STATUS: Final = Words({status.value: status for status in StorageStatus})
_DISK_STATUS: Final = Words({status.value: status for status in DiskStatus})
_CONTENT: Final = Words({content.value: content for content in DiskContent})


class _Domains(References):
    """The storage domains of a disk, of which it has one."""

    def read(self, node: Node, path: str) -> Any:
        found = super().read(node, path)
        return found[0] if found else None


DISK: Final = Entity(
    name="disk",
    collection="disks",
    plural="disks",
    own=(
        Field("name", TEXT, lambda it: it.name, "attribute.name"),
        Field("alias", TEXT, lambda it: it.name, "attribute.alias"),
        Field("description", TEXT, lambda it: it.description, "attribute.description"),
        Field("status", _DISK_STATUS, lambda it: it.status),
        Field("provisioned_size", BYTES, lambda it: it.size, "attribute.size"),
        Field("actual_size", BYTES, lambda it: it.used),
        Field("total_size", BYTES, lambda it: it.used),
        Field("initial_size", BYTES, to="attribute.initial_size"),
        Field("format", FORMAT, lambda it: it.format, "attribute.format"),
        Field("sparse", BOOLEAN, lambda it: it.sparse, "attribute.sparse"),
        Field("shareable", BOOLEAN, lambda it: it.shareable, "attribute.shareable"),
        Field("content_type", _CONTENT, lambda it: it.content, "attribute.content"),
        Field("storage_type", TEXT, lambda _it: "image"),
        Field("propagate_errors", BOOLEAN, lambda it: it.kept.get("propagate_errors", False), "kept.propagate_errors"),
        Field(
            "wipe_after_delete", BOOLEAN, lambda it: it.kept.get("wipe_after_delete", False), "kept.wipe_after_delete"
        ),
        Field("backup", TEXT, lambda _it: "none"),
        Field("image_id", TEXT, lambda it: it.image_id and str(it.image_id)),
        Field(
            "storage_domains",
            _Domains("storagedomains", "storage_domain"),
            lambda it: [it.domain_id],
            "reference.domains",
        ),
        Field("storage_domain", Reference("storagedomains"), to="reference.domain"),
    ),
    rows=lambda user: Disk.objects.visible_to(user),
    links=(permissions_on("disk"), empty("statistic", "statistics")),
    actions=("copy",),
    not_offered=("lun_storage/logical_units",),
)


def _used(it: StorageDomain) -> int | None:
    return None if it.capacity is None or it.available is None else it.capacity - it.available


STORAGE_DOMAIN: Final = Entity(
    name="storage_domain",
    collection="storagedomains",
    plural="storage_domains",
    own=(
        Field("name", TEXT, lambda it: it.name, "attribute.name"),
        Field("comment", TEXT, lambda it: it.comment, "attribute.comment"),
        Field("description", TEXT, lambda it: it.description, "attribute.description"),
        Field("status", _STATUS, lambda it: it.status),
        Field("external_status", TEXT, lambda _it: "ok"),
        Field("type", Word("data", "iso", "export"), lambda _it: "data", "kept.type"),
        Field("master", BOOLEAN, lambda _it: False),
        Field("available", BYTES, lambda it: it.available),
        Field("used", BYTES, _used),
        Field("committed", BYTES, _used),
        Field("storage/type", KIND, lambda it: it.kind, "attribute.kind"),
        Field("storage/path", TEXT, lambda it: it.path, "attribute.path"),
        Field("storage/address", TEXT, lambda it: it.address or None, "attribute.address"),
        Field("storage_format", TEXT, lambda _it: "v5"),
        Field(
            "wipe_after_delete", BOOLEAN, lambda it: it.kept.get("wipe_after_delete", False), "kept.wipe_after_delete"
        ),
        Field(
            *("discard_after_delete", BOOLEAN),
            *(lambda it: it.kept.get("discard_after_delete", False), "kept.discard_after_delete"),
        ),
        Field("backup", BOOLEAN, lambda it: it.kept.get("backup", False), "kept.backup"),
        Field(
            *("warning_low_space_indicator", NUMBER),
            *(lambda it: it.low_space, "attribute.low_space"),
        ),
        Field(
            *("critical_space_action_blocker", NUMBER),
            *(lambda it: it.spared, "attribute.spared"),
        ),
        Field("data_center", Reference("datacenters"), lambda it: it.data_center_id, "reference.data_center"),
        Field("data_centers", References("datacenters", "data_center"), lambda it: [it.data_center_id]),
        Field("host", Reference("hosts"), lambda it: it.host_id, "reference.host"),
    ),
    rows=lambda user: StorageDomain.objects.visible_to(user),
    links=(
        Link(
            rel="disks",
            entity=DISK,
            items=related(lambda user: Disk.objects.visible_to(user), "domain_id"),
        ),
        permissions_on("storage_domain"),
        empty("template", "templates"),
        empty("vm", "vms"),
        empty("file", "files"),
        empty("disk_profile", "diskprofiles"),
    ),
)


@dataclass(frozen=True, slots=True)
class Attached:
    """A disk as a machine has it; clients know it by the disk's id."""

    row: DiskAttachment

    @property
    def pk(self) -> UUID:
        return self.row.disk_id


def _attached(column: str) -> Items:
    def found(owners: Sequence[Any], _telling: Telling) -> Mapping[Hashable, Sequence[Any]]:
        by_owner: dict[Hashable, list[Any]] = {}
        ids = [owner.pk for owner in owners]
        for start in range(0, len(ids), MOST_IDS):
            rows = DiskAttachment.objects.filter(**{f"{column}__in": ids[start : start + MOST_IDS]})
            for row in rows.order_by("-bootable", "interface", "slot"):
                by_owner.setdefault(getattr(row, column), []).append(Attached(row))
        return by_owner

    return found


def attachments(name: str, collection: str) -> Link:
    """The disks of one kind of machine."""
    entity = Entity(
        name="disk_attachment",
        collection="diskattachments",
        plural="disk_attachments",
        own=(
            Field("interface", INTERFACE, lambda it: it.row.interface, "attribute.interface"),
            Field("bootable", BOOLEAN, lambda it: it.row.bootable, "attribute.bootable"),
            Field("active", BOOLEAN, lambda it: it.row.active, "attribute.active"),
            Field("read_only", BOOLEAN, lambda it: it.row.read_only, "attribute.read_only"),
            Field("pass_discard", BOOLEAN, lambda _it: True),
            Field("uses_scsi_reservation", BOOLEAN, lambda _it: False),
            Field("disk", Reference("disks"), lambda it: it.row.disk_id),
            Field(name, Reference(collection), lambda it: getattr(it.row, f"{name}_id")),
        ),
    )
    return Link(rel="diskattachments", entity=entity, items=_attached(f"{name}_id"))
