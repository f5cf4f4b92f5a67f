"""Storage domains and disks, and the disks of machines: made, given, changed and removed."""

from typing import Any, Final

from rest_framework.response import Response

from vms.actions import disks, storage
from vms.api.document import Document
from vms.api.mapping import infrastructure
from vms.api.mapping import storage as table
from vms.api.mapping.draft import Draft, read
from vms.api.mapping.fields import TEXT, Field, Ref, Reference, read_id
from vms.api.mapping.follow import items_of, tell_one
from vms.domain.disks import StorageKind
from vms.models import Disk, DiskAttachment, Host, StorageDomain, StorageStatus
from vms.search import languages

from .actions import Acting
from .base import Door, done
from .collections import Resource
from .links import Linked, LinkedOne
from .newdisks import disk_columns, new_disk
from .plain import columns


def _make_domain(door: Door, draft: Draft) -> StorageDomain:
    name = door.required(draft.take("attribute", "name"), "StorageDomain", "name")
    refs = {word: draft.take("reference", word) for word in ("host", "data_center")}
    host: Host | None = door.named("hosts", refs["host"], "host") if refs["host"] else None
    center = door.named("datacenters", refs["data_center"], "data_center") if refs["data_center"] else None
    center = center or (host.cluster.data_center if host else None)
    said = columns(draft)
    door.required(said.get("kind"), "StorageDomain", "storage.type")
    # A client names the host that is to connect; only a directory is that host's alone.
    own = host if said["kind"] == StorageKind.DIRECTORY else None
    center = door.required(center, "StorageDomain", "host.id|name")
    return storage.create(name, data_center=center, host=own, by=door.user, **said)


def _edit_domain(door: Door, draft: Draft, row: StorageDomain) -> None:
    draft.values.pop("reference", None)
    storage.edit(row, by=door.user, **columns(draft, row))


def _remove_domain(door: Door, row: StorageDomain) -> None:
    storage.remove(row, by=door.user)


def _make_disk(door: Door, draft: Draft) -> Disk:
    return disks.create(by=door.user, **new_disk(door, draft))


def _edit_disk(door: Door, draft: Draft, row: Disk) -> None:
    draft.values.pop("reference", None)
    disks.edit(row, by=door.user, **disk_columns(draft, row))


def _remove_disk(door: Door, row: Disk) -> None:
    disks.remove(row, by=door.user)


STORAGE_DOMAINS: Final = Resource(
    entity=table.STORAGE_DOMAIN,
    language=languages.STORAGE_DOMAINS,
    create=_make_domain,
    edit=_edit_domain,
    remove=_remove_domain,
)
DISKS: Final = Resource(
    entity=table.DISK, language=languages.DISKS, create=_make_disk, edit=_edit_disk, remove=_remove_disk
)
RESOURCES: Final = (STORAGE_DOMAINS, DISKS)


class CopyDisk(Acting):
    """Another disk with the same content."""

    takes = (
        Field("disk/name", TEXT, to="action.name"),
        Field("storage_domain", Reference("storagedomains"), to="reference.domain"),
    )

    def post(self, request: Any, key: str) -> Response:
        """Begin to copy."""
        disk = self.row(DISKS.rows(self.user), key)
        action = self.body("action")
        refs = read(table.DISK.fields, {"storage_domain": action.get("storage_domain", "")}).values
        ref: Ref | None = refs.get("reference", {}).get("domain")
        domain = self.named("storagedomains", ref, "storage_domain") if ref else None
        wished = self.element(action, "disk")
        name = str(wished.get("name") or wished.get("alias") or f"{disk.name}-copy")
        made = disks.copy(disk, name, domain=domain, by=self.user)
        return done(disk=tell_one(table.DISK, made, self.telling))


# -- storage domains of a data center


class Attached(Linked):
    """The storage domains of a data center."""

    def post(self, request: Any, key: str) -> Response:
        """Take one in that was detached before."""
        center = self.owner(key)
        tree = self.body("storage_domain")
        ref = Ref(
            "storage_domain", id=read_id(tree["id"], "id") if tree.get("id") else None, name=str(tree.get("name", ""))
        )
        self.required(ref.id or ref.name, "StorageDomain", "id|name")
        domain = self.named("storagedomains", ref, "storage_domain")
        self.require_same("data_center", domain.data_center, center)
        if domain.status == StorageStatus.UNATTACHED:
            storage.activate(domain, by=self.user)
        told = tell_one(self.link.entity, self.row(STORAGE_DOMAINS.rows(self.user), str(domain.pk)), self.telling)
        return Response(Document("storage_domain", told), 201, headers={"Location": told["href"]})


class AttachedOne(LinkedOne):
    """A storage domain in its data center."""

    def delete(self, request: Any, key: str, inner: str) -> Response:
        """Take it out."""
        storage.detach(self.item(self.owner(key), inner), by=self.user)
        return done()


class OfAttached(Acting):
    """Whether a storage domain is at work."""

    def post(self, request: Any, key: str, inner: str) -> Response:
        """Activate it, or put it into maintenance."""
        center = self.row(infrastructure_rows(self.user), key)
        domain = self.row(STORAGE_DOMAINS.rows(self.user).filter(data_center=center), inner)
        self.body("action")
        {"activate": storage.activate, "deactivate": storage.deactivate}[self.verb](domain, by=self.user)
        return done()


def infrastructure_rows(user: Any) -> Any:
    """The data centers that somebody sees."""
    assert infrastructure.DATA_CENTER.rows is not None
    return infrastructure.DATA_CENTER.rows(user)


# -- disks of a machine


class Attachments(Linked):
    """The disks of a machine."""

    def post(self, request: Any, key: str) -> Response:
        """Attach a disk that is there, or one that is made for it."""
        vm = self.owner(key)
        tree = self.body("disk_attachment")
        draft = read(self.link.entity.fields, tree, filtered=self.telling.filtered)
        how = self.required(draft.values.get("attribute"), "DiskAttachment", "interface")
        inner = self.element(tree, "disk")
        if inner.get("id"):
            disk = self.named("disks", Ref("disk", id=read_id(inner["id"], "disk.id")), "disk")
            row = disks.attach(vm, disk, by=self.user, **how)
        else:
            wished = read(table.DISK.fields, inner, filtered=self.telling.filtered)
            number = vm.disk_attachments.count() + 1
            wish = new_disk(self, wished, f"{vm.name}_Disk{number}")
            row = disks.create_in(vm, how=how, by=self.user, **wish)
        told = tell_one(self.link.entity, self._item(vm, row), self.telling, self.place(vm))
        return Response(Document("disk_attachment", told), 201, headers={"Location": told["href"]})

    def _item(self, vm: Any, row: DiskAttachment) -> Any:
        return next(item for item in items_of(self.link, vm, self.telling) if item.row.pk == row.pk)


class Attachment(LinkedOne):
    """A disk that a machine has."""

    def put(self, request: Any, key: str, inner: str) -> Response:
        """Change how it has it, and the disk itself."""
        vm = self.owner(key)
        item = self.item(vm, inner)
        tree = self.body("disk_attachment")
        draft = read(self.link.entity.fields, tree, filtered=self.telling.filtered)
        if wished := self.element(tree, "disk"):
            _edit_disk(self, read(table.DISK.fields, wished, filtered=self.telling.filtered), item.row.disk)
        disks.edit_attachment(item.row, by=self.user, **draft.values.get("attribute", {}))
        return self.get(request, key, inner)

    def delete(self, request: Any, key: str, inner: str) -> Response:
        """Detach it; with `detach_only=false` the disk is removed, too."""
        row = self.item(self.owner(key), inner).row
        if self.flag("detach_only", default=True):
            disks.detach(row, by=self.user)
        else:
            disks.remove(row.disk, by=self.user)
        return done()
