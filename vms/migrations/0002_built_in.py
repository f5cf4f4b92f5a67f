"""What every installation begins with: roles, the Default data center and cluster, Blank, and oVirt's instance types."""

from typing import Any
from uuid import UUID

from django.db import migrations

from vms.domain.devices import devices
from vms.domain.machine import MachineSpec

BLANK = UUID(int=0)

# Role: oVirt's id, administrative, allows viewing children, description; and the action groups that it grants beside a
# log-in (oVirt: 00500_insert_roles.sql, 00700_insert_roles_groups.sql), as far as there is something here to do.
ROLES: dict[str, tuple[Any, ...]] = {
    "SuperUser": (
        *("00000000-0000-0000-0000-000000000001", True, True, "Any operation on everything"),
        (
            *("create_vm", "create_instance", "delete_vm", "edit_vm_properties"),
            *("edit_admin_vm_properties", "change_vm_custom_properties", "run_vm", "stop_vm"),
            *("shut_down_vm", "reboot_vm", "reset_vm", "hibernate_vm", "connect_to_vm"),
            *("reconnect_to_vm", "connect_to_serial_console", "create_template"),
            *("edit_template_properties", "delete_template", "create_vm_pool"),
            *("edit_vm_pool_configuration", "delete_vm_pool", "vm_pool_basic_operations"),
            *("create_storage_pool", "edit_storage_pool_configuration", "delete_storage_pool"),
            *("create_cluster", "edit_cluster_configuration", "delete_cluster", "create_host"),
            *("edit_host_configuration", "delete_host", "manipulate_host", "manipulate_permissions"),
            *("manipulate_users", "inject_external_events", "inject_external_tasks", "tag_management"),
            *("bookmark_management",),
        ),
    ),
    "BookmarkManager": (
        *("def00011-0000-0000-0000-def000000014", True, False, "May keep searches for everybody"),
        ("bookmark_management",),
    ),
    "ClusterAdmin": (
        *("def00001-0000-0000-0000-def000000001", True, True, "All objects underneath a cluster"),
        (
            *("create_vm", "create_instance", "delete_vm", "edit_vm_properties"),
            *("edit_admin_vm_properties", "change_vm_custom_properties", "run_vm", "stop_vm"),
            *("shut_down_vm", "reboot_vm", "reset_vm", "hibernate_vm", "connect_to_vm", "create_vm_pool"),
            *("edit_vm_pool_configuration", "delete_vm_pool", "vm_pool_basic_operations"),
            *("edit_cluster_configuration", "delete_cluster", "create_host", "edit_host_configuration"),
            *("delete_host", "manipulate_host", "manipulate_permissions", "tag_management"),
            *("bookmark_management",),
        ),
    ),
    "DataCenterAdmin": (
        *("def00002-0000-0000-0000-def000000002", True, True, "All objects underneath a data center"),
        (
            *("create_vm", "create_instance", "delete_vm", "edit_vm_properties"),
            *("edit_admin_vm_properties", "change_vm_custom_properties", "run_vm", "stop_vm"),
            *("shut_down_vm", "reboot_vm", "reset_vm", "hibernate_vm", "connect_to_vm"),
            *("create_template", "edit_template_properties", "delete_template", "create_vm_pool"),
            *("edit_vm_pool_configuration", "delete_vm_pool", "vm_pool_basic_operations"),
            *("edit_storage_pool_configuration", "delete_storage_pool", "create_cluster"),
            *("edit_cluster_configuration", "delete_cluster", "create_host", "edit_host_configuration"),
            *("delete_host", "manipulate_host", "manipulate_permissions", "tag_management"),
            *("bookmark_management",),
        ),
    ),
    "HostAdmin": (
        *("def00004-0000-0000-0000-def000000004", True, True, "All operations on a host"),
        (
            *("edit_host_configuration", "delete_host", "manipulate_host", "tag_management"),
            *("bookmark_management",),
        ),
    ),
    "ReadOnlyAdmin": (
        *("def0000c-0000-0000-0000-def00000000c", True, True, "Sees everything and changes nothing"),
        (),
    ),
    "TagManager": (
        *("def00011-0000-0000-0000-def000000013", True, False, "May make tags and put them on things"),
        ("tag_management",),
    ),
    "TemplateAdmin": (
        *("def00008-0000-0000-0000-def000000008", True, True, "All operations on a template"),
        (
            *("create_template", "edit_template_properties", "delete_template", "manipulate_permissions"),
            *("tag_management", "bookmark_management"),
        ),
    ),
    "VmPoolAdmin": (
        *("def00007-0000-0000-0000-def000000007", True, True, "All operations on a pool"),
        (
            *("create_vm", "create_vm_pool", "edit_vm_pool_configuration", "delete_vm_pool"),
            *("vm_pool_basic_operations", "tag_management", "bookmark_management"),
        ),
    ),
    "ExternalEventsCreator": (
        *("def0000c-0000-0000-0000-def000000012", False, False, "May tell of events that happened elsewhere"),
        ("inject_external_events",),
    ),
    "ExternalTasksCreator": (
        *("def0000c-0000-0000-0000-def000000013", False, False, "May tell of jobs that are done elsewhere"),
        ("inject_external_tasks",),
    ),
    "InstanceCreator": (
        *("def00011-0000-0000-0000-def000000011", False, False, "May create virtual machines of instance types"),
        ("create_instance",),
    ),
    "PowerUserRole": (
        *("00000000-0000-0000-0001-000000000002", False, False, "May create virtual machines and templates"),
        ("create_vm", "create_instance", "create_template"),
    ),
    "TemplateCreator": (
        *("def0000a-0000-0000-0000-def00000000e", False, False, "May create templates"),
        ("create_template",),
    ),
    "TemplateOwner": (
        *("def0000a-0000-0000-0000-def00000000f", False, True, "Any operation on a template"),
        ("edit_template_properties", "delete_template", "manipulate_permissions"),
    ),
    "UserInstanceManager": (
        *("def00012-0000-0000-0000-def000000012", False, False, "Any operation on a virtual machine that is there"),
        (
            *("delete_vm", "edit_vm_properties", "run_vm", "stop_vm", "shut_down_vm", "reboot_vm"),
            *("reset_vm", "hibernate_vm", "connect_to_vm", "connect_to_serial_console"),
            *("manipulate_permissions",),
        ),
    ),
    "UserRole": (
        *("00000000-0000-0000-0001-000000000001", False, True, "Use of virtual machines and pools"),
        (
            *("run_vm", "stop_vm", "shut_down_vm", "reboot_vm", "reset_vm", "hibernate_vm"),
            *("connect_to_vm", "vm_pool_basic_operations"),
        ),
    ),
    "UserTemplateBasedVm": (
        *("def00009-0000-0000-0000-def000000009", False, False, "May create virtual machines of a template"),
        ("create_vm",),
    ),
    "UserVmManager": (
        *("def00006-0000-0000-0000-def000000006", False, True, "Any operation on a virtual machine"),
        (
            *("create_vm", "delete_vm", "edit_vm_properties", "run_vm", "stop_vm", "shut_down_vm"),
            *("reboot_vm", "reset_vm", "hibernate_vm", "connect_to_vm", "connect_to_serial_console"),
            *("manipulate_permissions",),
        ),
    ),
    "UserVmRunTimeManager": (
        *("def00006-0000-0000-0000-def000000011", False, False, "Any operation on a machine but its snapshots"),
        (
            *("create_vm", "delete_vm", "edit_vm_properties", "run_vm", "stop_vm", "shut_down_vm"),
            *("reboot_vm", "reset_vm", "hibernate_vm", "connect_to_vm", "manipulate_permissions"),
        ),
    ),
    "VmCreator": (
        *("def0000a-0000-0000-0000-def00000000d", False, False, "May create virtual machines"),
        ("create_vm", "create_instance"),
    ),
}

# name: id, memory in MiB, sockets, description
INSTANCE_TYPES = {
    "Tiny": ("00000003-0003-0003-0003-0000000000be", 512, 1, "Tiny instance type"),
    "Small": ("00000005-0005-0005-0005-0000000002e6", 2048, 1, "Small instance type"),
    "Medium": ("00000007-0007-0007-0007-00000000010a", 4096, 2, "Medium instance type"),
    "Large": ("00000009-0009-0009-0009-0000000000f1", 8192, 2, "Large instance type"),
    "XLarge": ("0000000b-000b-000b-000b-00000000021f", 16384, 4, "Extra large instance type"),
}


def load(apps, schema_editor):
    _load_roles(apps)
    DataCenter, Cluster = apps.get_model("vms", "DataCenter"), apps.get_model("vms", "Cluster")
    data_center = DataCenter.objects.create(name="Default", description="The default data center")
    Cluster.objects.create(name="Default", description="The default cluster", data_center=data_center)
    Template, InstanceType = apps.get_model("vms", "Template"), apps.get_model("vms", "InstanceType")
    blank = Template.objects.create(id=BLANK, name="Blank", description="Blank template")
    _load_devices(apps, "template", blank)
    for name, (key, memory, sockets, description) in INSTANCE_TYPES.items():
        row = InstanceType.objects.create(
            id=UUID(key), name=name, memory=memory, sockets=sockets, description=description
        )
        _load_devices(apps, "instance_type", row)


def _load_roles(apps):
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
    RolePermit.objects.bulk_create(permits)


def _load_devices(apps, owner, row):
    Device = apps.get_model("vms", "Device")
    Device.objects.bulk_create(
        Device(
            device_id=device.id,
            kind=device.kind.value,
            model=device.model,
            params=device.params,
            position=position,
            **{owner: row},
        )
        for position, device in enumerate(devices(MachineSpec(id=row.id, name=row.name, memory=row.memory)))
    )


class Migration(migrations.Migration):
    dependencies = [("vms", "0001_initial")]
    operations = [migrations.RunPython(load, migrations.RunPython.noop)]
