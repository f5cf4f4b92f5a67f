"""What every installation begins with: roles, the Default data center and cluster, Blank, and oVirt's instance types."""

from uuid import UUID

from django.db import migrations

from vms.domain.devices import devices
from vms.domain.machine import MachineSpec

BLANK = UUID(int=0)

# The ids are oVirt's, so that clients that name them find them.
ROLES = {
    "SuperUser": (
        "00000000-0000-0000-0000-000000000001",
        "Any operation on everything",
        True,
        (
            *("create_vm", "delete_vm", "edit_vm_properties", "run_vm", "stop_vm", "shut_down_vm", "reboot_vm"),
            *("reset_vm", "hibernate_vm", "connect_to_vm", "connect_to_serial_console", "create_template"),
            *("edit_template_properties", "delete_template", "create_vm_pool", "edit_vm_pool_configuration"),
            *("delete_vm_pool", "vm_pool_basic_operations", "manipulate_permissions", "manipulate_host", "login"),
            *("tag_management", "bookmark_management"),
        ),
    ),
    "UserVmManager": (
        "def00006-0000-0000-0000-def000000006",
        "Any operation on a virtual machine",
        False,
        (
            *("create_vm", "delete_vm", "edit_vm_properties", "run_vm", "stop_vm", "shut_down_vm", "reboot_vm"),
            *("reset_vm", "hibernate_vm", "connect_to_vm", "connect_to_serial_console", "login"),
        ),
    ),
    "UserRole": (
        "00000000-0000-0000-0001-000000000001",
        "Use of virtual machines and pools",
        False,
        (
            *("run_vm", "stop_vm", "shut_down_vm", "reboot_vm", "reset_vm", "hibernate_vm", "connect_to_vm"),
            *("vm_pool_basic_operations", "login"),
        ),
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
    for name, (key, description, administrative, permits) in ROLES.items():
        role = Role.objects.create(id=UUID(key), name=name, description=description, administrative=administrative)
        RolePermit.objects.bulk_create(RolePermit(role=role, action_group=permit) for permit in permits)


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
