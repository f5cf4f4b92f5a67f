"""What every data center begins with: a network with its profile; and the card that every machine had becomes a row."""

import secrets
from itertools import count
from uuid import UUID, uuid4, uuid5

from django.db import migrations

from vms.domain.networks import mac_of

BLANK = "00000000-0000-0000-0000-000000000000"
DEFAULT_MAC_POOL = "7459bb0b-536f-55a0-bc45-ccb4978f90ed"
MANAGEMENT = "ovirtmgmt"
# Action groups by those that a role grants already (oVirt: 00700_insert_roles_groups.sql).
WITH = {
    "edit_vm_properties": ("configure_vm_network",),
    "edit_template_properties": ("configure_template_network",),
    "edit_storage_pool_configuration": (
        *("create_storage_pool_network", "configure_storage_pool_network", "delete_storage_pool_network"),
        *("create_network_vnic_profile", "configure_network_vnic_profile", "delete_network_vnic_profile"),
    ),
    "edit_cluster_configuration": ("assign_cluster_network",),
    "create_storage_pool": ("create_mac_pool", "edit_mac_pool", "delete_mac_pool"),
}


def load(apps, schema_editor):
    _load_permits(apps)
    models = {name: apps.get_model("vms", name) for name in ("MacPool", "DataCenter", "Network", "VnicProfile", "VM")}
    first = f"56:6f:{secrets.randbelow(256):02x}:{secrets.randbelow(256):02x}"
    models["MacPool"].objects.create(
        id=UUID(DEFAULT_MAC_POOL),
        name="Default",
        description="Default MAC pool",
        ranges=[[f"{first}:00:00", f"{first}:ff:ff"]],
    )
    profiles = {}
    # Machines that are there already stay on what they were on.
    kind = "user" if models["VM"].objects.exists() else "automatic"
    for center in models["DataCenter"].objects.all():
        network = models["Network"].objects.create(
            id=uuid4(), data_center=center, name=MANAGEMENT, description="Management Network", kind=kind
        )
        for cluster in center.clusters.all():
            apps.get_model("vms", "ClusterNetwork").objects.create(network=network, cluster=cluster)
        profiles[center.pk] = models["VnicProfile"].objects.create(network=network, name=MANAGEMENT)
    _load_cards(apps, profiles)


def _load_permits(apps):
    RolePermit = apps.get_model("vms", "RolePermit")
    held = list(RolePermit.objects.filter(action_group__in=WITH).values_list("role", "action_group"))
    granted = {(role, more) for role, group in held for more in WITH[group]}
    RolePermit.objects.bulk_create(RolePermit(role_id=role, action_group=group) for role, group in sorted(granted))


def _load_cards(apps, profiles):
    VmNic, Device = apps.get_model("vms", "VmNic"), apps.get_model("vms", "Device")
    any_profile, used = next(iter(profiles.values()), None), set()
    for vm in apps.get_model("vms", "VM").objects.select_related("cluster").iterator():
        # Of thousands two had the same until now: the later one gets another.
        mac = next(mac for number in count() if (mac := mac_of(vm.id, number)) not in used)
        used.add(mac)
        card = VmNic(id=uuid5(vm.id, "interface/virtio/0"), vm=vm, name="nic1", mac=mac, position=1)
        card.profile = profiles.get(vm.cluster.data_center_id, any_profile)
        card.save(force_insert=True)
        told = {"name": card.name, "mac": card.mac, "linked": True}
        Device.objects.filter(device_id=card.id).update(params=told)
    for template in apps.get_model("vms", "Template").objects.exclude(pk=BLANK).select_related("cluster"):
        card = VmNic(id=uuid5(template.id, "interface/virtio/0"), template=template, name="nic1", position=1)
        center = template.cluster.data_center_id if template.cluster else None
        card.profile = profiles.get(center, any_profile)
        card.save(force_insert=True)
        told = {"name": card.name, "mac": "", "linked": True}
        place = Device.objects.filter(template=template).count()
        Device.objects.create(
            device_id=card.id, kind="interface", model="virtio", params=told, position=place, template=template
        )


class Migration(migrations.Migration):
    dependencies = [("vms", "0014_networks")]
    operations = [migrations.RunPython(load, migrations.RunPython.noop)]
