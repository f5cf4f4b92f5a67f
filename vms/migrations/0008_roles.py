"""oVirt's roles, as far as there is something here that they allow."""

from uuid import UUID

from django.db import migrations

POWER = ("run_vm", "stop_vm", "shut_down_vm", "reboot_vm", "reset_vm", "hibernate_vm")
VMS = ("create_vm", "create_instance", "delete_vm", "edit_vm_properties", *POWER, "connect_to_vm")
LABELS = ("tag_management", "bookmark_management")
ADMIN = (
    *LABELS,
    "edit_admin_vm_properties",
    "change_vm_custom_properties",
    "manipulate_host",
    "manipulate_permissions",
)
TEMPLATES = ("create_template", "edit_template_properties", "delete_template")
POOLS = ("create_vm_pool", "edit_vm_pool_configuration", "delete_vm_pool", "vm_pool_basic_operations")
OWNED = ("delete_vm", "edit_vm_properties", *POWER, "connect_to_vm", "manipulate_permissions")

# What a role allows beside a log-in: oVirt's id, administrative, allows viewing children, description, action groups
# (oVirt: 00500_insert_roles.sql, 00700_insert_roles_groups.sql).
ROLES = {
    "ClusterAdmin": (
        *("def00001-0000-0000-0000-def000000001", True, True, "All objects underneath a cluster"),
        (*VMS, *POOLS, *ADMIN),
    ),
    "DataCenterAdmin": (
        *("def00002-0000-0000-0000-def000000002", True, True, "All objects underneath a data center"),
        (*VMS, *TEMPLATES, *POOLS, *ADMIN),
    ),
    "HostAdmin": (
        *("def00004-0000-0000-0000-def000000004", True, True, "All operations on a host"),
        ("manipulate_host", *LABELS),
    ),
    "ReadOnlyAdmin": (
        *("def0000c-0000-0000-0000-def00000000c", True, True, "Sees everything and changes nothing"),
        (),
    ),
    "VmPoolAdmin": (
        *("def00007-0000-0000-0000-def000000007", True, True, "All operations on a pool"),
        ("create_vm", *POOLS, *LABELS),
    ),
    "TemplateAdmin": (
        *("def00008-0000-0000-0000-def000000008", True, True, "All operations on a template"),
        (*TEMPLATES, *LABELS, "manipulate_permissions"),
    ),
    "TagManager": (
        *("def00011-0000-0000-0000-def000000013", True, False, "May make tags and put them on things"),
        ("tag_management",),
    ),
    "BookmarkManager": (
        *("def00011-0000-0000-0000-def000000014", True, False, "May keep searches for everybody"),
        ("bookmark_management",),
    ),
    "PowerUserRole": (
        *("00000000-0000-0000-0001-000000000002", False, False, "May create virtual machines and templates"),
        ("create_vm", "create_instance", "create_template"),
    ),
    "VmCreator": (
        *("def0000a-0000-0000-0000-def00000000d", False, False, "May create virtual machines"),
        ("create_vm", "create_instance"),
    ),
    "InstanceCreator": (
        *("def00011-0000-0000-0000-def000000011", False, False, "May create virtual machines of instance types"),
        ("create_instance",),
    ),
    "TemplateCreator": (
        *("def0000a-0000-0000-0000-def00000000e", False, False, "May create templates"),
        ("create_template",),
    ),
    "UserTemplateBasedVm": (
        *("def00009-0000-0000-0000-def000000009", False, False, "May create virtual machines of a template"),
        ("create_vm",),
    ),
    "UserInstanceManager": (
        *("def00012-0000-0000-0000-def000000012", False, False, "Any operation on a virtual machine that is there"),
        (*OWNED, "connect_to_serial_console"),
    ),
    "UserVmRunTimeManager": (
        *("def00006-0000-0000-0000-def000000011", False, False, "Any operation on a machine but its snapshots"),
        ("create_vm", *OWNED),
    ),
}
# What the roles of the first migration allow besides.
MORE = {
    "SuperUser": ("create_instance", "reconnect_to_vm", "edit_admin_vm_properties", "change_vm_custom_properties"),
    "UserVmManager": ("manipulate_permissions",),
}


def load(apps, schema_editor):
    Role, RolePermit = apps.get_model("vms", "Role"), apps.get_model("vms", "RolePermit")
    permits = []
    for name, (key, administrative, children, description, groups) in ROLES.items():
        role = Role.objects.create(
            id=UUID(key),
            name=name,
            description=description,
            administrative=administrative,
            allows_viewing_children=children,
        )
        permits += [RolePermit(role=role, action_group=group) for group in (*groups, "login")]
    for name, groups in MORE.items():
        role = Role.objects.get(name=name)
        permits += [RolePermit(role=role, action_group=group) for group in groups]
    RolePermit.objects.bulk_create(permits)


class Migration(migrations.Migration):
    dependencies = [("vms", "0007_consoles")]
    operations = [migrations.RunPython(load, migrations.RunPython.noop)]
