"""Storage and networks."""

from typing import Any

from django.contrib import admin

from vms.actions import disks, networks, storage
from vms.models import (
    DataCenter,
    Disk,
    DiskAttachment,
    MacPool,
    Network,
    Snapshot,
    StorageDomain,
    User,
    VmNic,
    VnicProfile,
)

from .base import PlainAdmin, ReadOnlyAdmin


@admin.register(StorageDomain)
class StorageDomainAdmin(PlainAdmin):
    list_display = ("name", "kind", "data_center", "host", "status", "capacity", "available")
    list_filter = ("status", "kind")
    fields = (
        *("name", "data_center", "host", "kind", "address", "path", "low_space", "spared"),
        *("description", "comment"),
    )
    fixed = ("data_center", "host", "kind", "address", "path")
    make, edit, remove = storage.create, storage.edit, storage.remove


@admin.register(Disk)
class DiskAdmin(PlainAdmin):
    """Disks are made, made larger and removed by the engine, a moment after the page says so."""

    list_display = ("name", "domain", "size", "format", "status", "shareable")
    list_filter = ("status", "format", "content")
    fields = ("name", "domain", "size", "format", "sparse", "shareable", "content", "description")
    fixed = ("domain", "format", "sparse", "shareable", "content")
    make, edit, remove = disks.create, disks.edit, disks.remove


def _network(*, data_center: DataCenter, by: User, **columns: Any) -> Network:
    """A network that reaches all clusters of its data center; WebAdmin lets one choose."""
    return networks.create(data_center=data_center, clusters=data_center.clusters.all(), by=by, **columns)


@admin.register(Network)
class NetworkAdmin(PlainAdmin):
    list_display = ("name", "data_center", "kind", "source", "mtu")
    list_filter = ("kind",)
    fields = ("name", "data_center", "kind", "source", "subnet", "mtu", "description", "comment")
    fixed = ("data_center",)
    make, edit, remove = staticmethod(_network), networks.edit, networks.remove


@admin.register(VnicProfile)
class VnicProfileAdmin(PlainAdmin):
    list_display = ("name", "network", "public")
    list_select_related = ("network",)
    fields = ("name", "network", "public", "description", "comment")
    fixed = ("network",)
    make, edit, remove = networks.create_profile, networks.edit_profile, networks.remove_profile


@admin.register(MacPool)
class MacPoolAdmin(ReadOnlyAdmin):
    list_display = ("name", "ranges", "description")


@admin.register(VmNic)
class VmNicAdmin(ReadOnlyAdmin):
    list_display = ("name", "vm", "template", "profile", "mac", "linked", "plugged")
    list_select_related = ("vm", "template", "profile__network")


@admin.register(DiskAttachment)
class DiskAttachmentAdmin(ReadOnlyAdmin):
    list_display = ("disk", "vm", "template", "interface", "bootable", "active")
    list_select_related = ("disk", "vm", "template")


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyAdmin):
    list_display = ("vm", "description", "created_at", "status")
    list_select_related = ("vm",)
