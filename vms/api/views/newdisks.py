"""Disks that a body wants to be there: made anew, given, or as another machine's are."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from vms.actions.wishes import Wish
from vms.api.document import Node, Tree
from vms.api.faults import invalid
from vms.api.mapping import storage as table
from vms.api.mapping.draft import Draft, read
from vms.api.mapping.fields import Ref, listed, read_id
from vms.domain.disks import SECTOR, DiskFormat
from vms.models import Disk

from .base import Door
from .plain import columns

_HOW: Final = table.attachments("vm", "vms").entity.fields


def disk_columns(draft: Draft, row: Disk | None = None) -> dict[str, Any]:
    """The columns of a disk that a body names."""
    said = columns(draft, row)
    said.pop("initial_size", None)
    alias = said.pop("alias", None)
    said["name"] = said.get("name") or alias or (row.name if row else "")
    if "size" in said:
        said["size"] = -(-said["size"] // SECTOR) * SECTOR
    return said


def new_disk(door: Door, draft: Draft, default: str = "") -> dict[str, Any]:
    """The arguments of a disk's creation that a body names."""
    refs = draft.values.pop("reference", {})
    said = disk_columns(draft)
    said["name"] = said["name"] or default
    door.required(said["name"], "Disk", "name")
    door.required(said.get("size"), "Disk", "provisionedSize")
    ref = refs.get("domains") or refs.get("domain")
    domain = door.named("storagedomains", door.required(ref, "Disk", "storageDomains.storageDomain"), "storage_domain")
    # oVirt's own default: what is raw is written out at once, unless somebody says otherwise.
    said.setdefault("sparse", said.get("format") != DiskFormat.RAW or said.get("shareable", False))
    return {"domain": domain, **said}


def wished_disks(
    door: Door, tree: Tree, handed_down: set[UUID], path: str
) -> tuple[dict[UUID, Wish], list[Mapping[str, Any]]]:
    """Of the `disk_attachments` in a body: how those of the source are to lie, by their ids, and which come beside."""
    wishes: dict[UUID, Wish] = {}
    beside: list[Mapping[str, Any]] = []
    for number, node in enumerate(_attachments(tree), start=1):
        if not isinstance(node, Mapping):
            raise invalid(path, "…", "a list of disk_attachment")
        how = read(_HOW, node, filtered=door.telling.filtered).values.get("attribute", {})
        inner = door.element(node, "disk")
        key = read_id(inner["id"], f"{path}.disk.id") if inner.get("id") else None
        draft = read(table.DISK.fields, inner, filtered=door.telling.filtered)
        if key in handed_down and key is not None:
            wishes[key] = _wish(door, draft)
        elif key is not None:
            beside.append({"disk": door.named("disks", Ref("disk", id=key), "disk"), "how": how})
        else:
            name = door.body(path.partition(".")[0]).get("name", "")
            beside.append({**new_disk(door, draft, f"{name}_Disk{len(handed_down) + number}"), "how": how})
    return wishes, beside


def _attachments(tree: Tree) -> list[Node]:
    inside = tree.get("disk_attachments", "")
    return [] if isinstance(inside, Mapping) and "href" in inside else listed(inside, "disk_attachment", "vm")


def _wish(door: Door, draft: Draft) -> Wish:
    refs, said = draft.values.pop("reference", {}), draft.values.get("attribute", {})
    ref = refs.get("domains") or refs.get("domain")
    return Wish(
        domain=door.named("storagedomains", ref, "storage_domain") if ref else None,
        format=said.get("format"),
        sparse=said.get("sparse"),
        name=said.get("name") or said.get("alias") or "",
    )
