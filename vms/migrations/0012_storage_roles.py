"""What the built-in roles may do with disks and storage."""

from typing import Any
from uuid import UUID

from django.db import migrations

_ON_MACHINES = ("configure_vm_storage", "manipulate_vm_snapshots", "edit_disk_properties", "attach_disk", "delete_disk")
_ON_STORAGE = (
    *("create_storage_domain", "edit_storage_domain_configuration", "delete_storage_domain"),
    *("manipulate_storage_domain", "create_disk", "attach_disk", "edit_disk_properties", "delete_disk"),
)
# What roles that are there may do with disks and storage (oVirt: 00700_insert_roles_groups.sql), as far as it is here.
PERMITS: dict[str, tuple[str, ...]] = {
    "SuperUser": (*_ON_STORAGE, "configure_vm_storage", "manipulate_vm_snapshots"),
    "DataCenterAdmin": (*_ON_STORAGE, "configure_vm_storage", "manipulate_vm_snapshots"),
    "ClusterAdmin": ("create_disk", *_ON_MACHINES),
    "UserVmManager": _ON_MACHINES,
    "UserInstanceManager": _ON_MACHINES,
    "UserVmRunTimeManager": tuple(group for group in _ON_MACHINES if group != "manipulate_vm_snapshots"),
    "PowerUserRole": ("create_disk",),
}
# Role: oVirt's id, administrative, allows viewing children, description; and what it grants.
ROLES: dict[str, tuple[Any, ...]] = {
    "StorageAdmin": (
        *("def00003-0000-0000-0000-def000000003", True, True, "All operations on storage domains and their disks"),
        (*_ON_STORAGE, "tag_management", "bookmark_management", "login"),
    ),
    "DiskCreator": (
        *("def0000a-0000-0000-0000-def000000014", False, False, "May create disks"),
        ("create_disk", "login"),
    ),
    "DiskOperator": (
        *("def0000a-0000-0000-0000-def00000000b", False, True, "Any operation on a disk that is there"),
        ("attach_disk", "edit_disk_properties", "delete_disk", "login"),
    ),
}


def give_rights(apps: Any, _schema_editor: Any) -> None:
    """Let the built-in roles do with disks what they may do in oVirt."""
    Role, RolePermit = apps.get_model("vms", "Role"), apps.get_model("vms", "RolePermit")
    for name, (key, administrative, viewing, description, _groups) in ROLES.items():
        Role.objects.create(
            id=UUID(key),
            name=name,
            administrative=administrative,
            allows_viewing_children=viewing,
            description=description,
        )
    granted = {**PERMITS, **{name: role[-1] for name, role in ROLES.items()}}
    roles = {role.name: role for role in Role.objects.filter(name__in=granted)}
    RolePermit.objects.bulk_create(
        RolePermit(role=roles[name], action_group=group) for name, groups in granted.items() for group in groups
    )


class Migration(migrations.Migration):
    dependencies = [("vms", "0011_storage")]
    operations = [migrations.RunPython(give_rights, migrations.RunPython.noop)]
