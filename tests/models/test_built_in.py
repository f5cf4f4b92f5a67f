"""What every installation begins with, under the ids and names that oVirt's clients know."""

import pytest
from django.core.management import call_command

from vms.domain.console import VNC, Console, Video
from vms.domain.devices import devices
from vms.models import ActionGroup, Cluster, DataCenter, Hardware, InstanceType, Permission, Role, Template, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

# engine-behaviour 1.6 and 8; ids, MiB and sockets as in oVirt's data files.
INSTANCE_TYPES = {
    "Tiny": ("00000003-0003-0003-0003-0000000000be", 512, 1),
    "Small": ("00000005-0005-0005-0005-0000000002e6", 2048, 1),
    "Medium": ("00000007-0007-0007-0007-00000000010a", 4096, 2),
    "Large": ("00000009-0009-0009-0009-0000000000f1", 8192, 2),
    "XLarge": ("0000000b-000b-000b-000b-00000000021f", 16384, 4),
}
# Name → id, administrative, allows viewing children.
ROLES = {
    "ExternalEventsCreator": ("def0000c-0000-0000-0000-def000000012", False, False),
    "ExternalTasksCreator": ("def0000c-0000-0000-0000-def000000013", False, False),
    "DiskCreator": ("def0000a-0000-0000-0000-def000000014", False, False),
    "DiskOperator": ("def0000a-0000-0000-0000-def00000000b", False, True),
    "StorageAdmin": ("def00003-0000-0000-0000-def000000003", True, True),
    "ClusterAdmin": ("def00001-0000-0000-0000-def000000001", True, True),
    "DataCenterAdmin": ("def00002-0000-0000-0000-def000000002", True, True),
    "HostAdmin": ("def00004-0000-0000-0000-def000000004", True, True),
    "InstanceCreator": ("def00011-0000-0000-0000-def000000011", False, False),
    "PowerUserRole": ("00000000-0000-0000-0001-000000000002", False, False),
    "BookmarkManager": ("def00011-0000-0000-0000-def000000014", True, False),
    "TagManager": ("def00011-0000-0000-0000-def000000013", True, False),
    "ReadOnlyAdmin": ("def0000c-0000-0000-0000-def00000000c", True, True),
    "SuperUser": ("00000000-0000-0000-0000-000000000001", True, True),
    "TemplateAdmin": ("def00008-0000-0000-0000-def000000008", True, True),
    "TemplateCreator": ("def0000a-0000-0000-0000-def00000000e", False, False),
    "TemplateOwner": ("def0000a-0000-0000-0000-def00000000f", False, True),
    "UserInstanceManager": ("def00012-0000-0000-0000-def000000012", False, False),
    "UserRole": ("00000000-0000-0000-0001-000000000001", False, True),
    "UserTemplateBasedVm": ("def00009-0000-0000-0000-def000000009", False, False),
    "UserVmManager": ("def00006-0000-0000-0000-def000000006", False, True),
    "UserVmRunTimeManager": ("def00006-0000-0000-0000-def000000011", False, False),
    "VmCreator": ("def0000a-0000-0000-0000-def00000000d", False, False),
    "VmPoolAdmin": ("def00007-0000-0000-0000-def000000007", True, True),
}
# The rights on places, hosts, people and what programs tell of are administrators' alone.
PLACES = {
    *("create_storage_pool", "edit_storage_pool_configuration", "delete_storage_pool", "create_cluster"),
    *("edit_cluster_configuration", "delete_cluster", "create_host", "edit_host_configuration", "delete_host"),
    *(
        "manipulate_affinity_groups",
        "manipulate_host",
        "manipulate_users",
        "inject_external_events",
        "inject_external_tasks",
    ),
}
# So are those on networks and MAC address pools.
NETWORKS = {
    *("create_storage_pool_network", "configure_storage_pool_network", "delete_storage_pool_network"),
    *("create_network_vnic_profile", "configure_network_vnic_profile", "delete_network_vnic_profile"),
    *("assign_cluster_network", "create_mac_pool", "edit_mac_pool", "delete_mac_pool"),
}
# Storage is administrators' too; what lies on it is not.
STORAGE = {
    *("create_storage_domain", "edit_storage_domain_configuration", "delete_storage_domain"),
    *("manipulate_storage_domain", "create_disk"),
}
DISKS = {"attach_disk", "configure_vm_storage", "delete_disk", "edit_disk_properties", "manipulate_vm_snapshots"}
# engine-behaviour 9: what some of its groups are granted to.
GRANTED = {
    "reconnect_to_vm": {"SuperUser"},
    "connect_to_serial_console": {"SuperUser", "UserVmManager", "UserInstanceManager"},
    "migrate_vm": {"SuperUser", "ClusterAdmin", "DataCenterAdmin", "UserVmManager"},
    "connect_to_vm": {
        *("SuperUser", "ClusterAdmin", "DataCenterAdmin", "UserVmManager", "UserInstanceManager"),
        *("UserVmRunTimeManager", "UserRole"),
    },
    "create_vm": {
        *("SuperUser", "ClusterAdmin", "DataCenterAdmin", "UserVmManager", "UserVmRunTimeManager", "PowerUserRole"),
        *("VmCreator", "VmPoolAdmin", "UserTemplateBasedVm"),
    },
    "create_template": {"SuperUser", "DataCenterAdmin", "PowerUserRole", "TemplateAdmin", "TemplateCreator"},
    "edit_template_properties": {"SuperUser", "DataCenterAdmin", "TemplateAdmin", "TemplateOwner"},
    "create_vm_pool": {"SuperUser", "ClusterAdmin", "DataCenterAdmin", "VmPoolAdmin"},
    "vm_pool_basic_operations": {"SuperUser", "ClusterAdmin", "DataCenterAdmin", "VmPoolAdmin", "UserRole"},
    "edit_admin_vm_properties": {"SuperUser", "ClusterAdmin", "DataCenterAdmin"},
    "configure_vm_network": {
        *("SuperUser", "ClusterAdmin", "DataCenterAdmin", "UserVmManager", "UserInstanceManager"),
        "UserVmRunTimeManager",
    },
    "create_storage_pool_network": {"SuperUser", "DataCenterAdmin"},
    "assign_cluster_network": {"SuperUser", "ClusterAdmin", "DataCenterAdmin"},
    "create_mac_pool": {"SuperUser"},
}


def test_the_instance_types_are_ovirts() -> None:
    found = {row.name: (str(row.pk), row.memory, row.sockets) for row in InstanceType.objects.all()}
    assert found == INSTANCE_TYPES


def test_blank_is_ovirts_and_belongs_to_no_cluster() -> None:
    blank = Template.objects.get()
    assert (str(blank.pk), blank.name, blank.cluster, blank.built_in) == (
        "00000000-0000-0000-0000-000000000000",
        "Blank",
        None,
        True,
    )


def test_the_roles_are_ovirts() -> None:
    told = {role.name: (str(role.pk), role.administrative, role.allows_viewing_children) for role in Role.objects.all()}
    assert told == ROLES


def test_what_a_group_allows_is_granted_to_ovirts_roles() -> None:
    told = {
        group: set(Role.objects.filter(permits__action_group=group).values_list("name", flat=True)) for group in GRANTED
    }
    assert told == GRANTED
    assert set(Role.objects.exclude(permits__action_group="login")) == set()


@pytest.mark.parametrize(
    ("role", "missing"),
    [
        ("SuperUser", set()),
        (
            "UserVmManager",
            {
                *("create_template", "edit_template_properties", "delete_template", "create_vm_pool"),
                *("edit_vm_pool_configuration", "delete_vm_pool", "vm_pool_basic_operations", "create_instance"),
                *("edit_admin_vm_properties", "change_vm_custom_properties", "reconnect_to_vm"),
                *("tag_management", "bookmark_management", "configure_template_network", *PLACES, *NETWORKS, *STORAGE),
            },
        ),
        (
            "UserRole",
            {
                *("create_vm", "delete_vm", "edit_vm_properties", "connect_to_serial_console", "create_template"),
                *("edit_template_properties", "delete_template", "create_vm_pool", "edit_vm_pool_configuration"),
                *("delete_vm_pool", "manipulate_permissions", "create_instance", "reconnect_to_vm"),
                *("edit_admin_vm_properties", "change_vm_custom_properties", "configure_vm_network", "migrate_vm"),
                *(
                    "tag_management",
                    "bookmark_management",
                    "configure_template_network",
                    *PLACES,
                    *NETWORKS,
                    *STORAGE,
                    *DISKS,
                ),
            },
        ),
    ],
)
def test_a_role_grants_what_ovirts_does(role: str, missing: set[str]) -> None:
    granted = set(Role.objects.get(name=role).permits.values_list("action_group", flat=True))
    assert granted == set(ActionGroup.values) - missing


def test_there_is_one_cluster_in_one_data_center() -> None:
    assert (DataCenter.objects.get().name, Cluster.objects.get().name) == ("Default", "Default")


def test_nobody_is_there_and_nobody_has_a_right() -> None:
    assert (User.objects.count(), Permission.objects.count()) == (0, 0)


@pytest.mark.parametrize("kind", [Template, InstanceType])
def test_what_is_built_in_shows_vnc_and_vga_as_ovirts_does(kind: type[Hardware]) -> None:
    assert {row.console for row in kind._default_manager.all()} == {Console(graphics=VNC, video=Video.VGA)}


@pytest.mark.parametrize("kind", [Template, InstanceType])
def test_what_is_built_in_has_its_device_rows(kind: type[Hardware]) -> None:
    for row in kind._default_manager.all():
        rows = row.devices.order_by("position").values_list("device_id", "kind", "model", "params")  # type: ignore[attr-defined]
        assert list(rows) == [(one.id, one.kind.value, one.model, one.params) for one in devices(row.spec)]


def test_every_change_of_a_model_has_its_migration() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
