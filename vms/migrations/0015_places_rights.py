"""The rights on places and people, and those of programs that tell of what they do elsewhere."""

from uuid import UUID

from django.db import migrations

CLUSTER = ("edit_cluster_configuration", "delete_cluster", "create_host", "edit_host_configuration", "delete_host")
MORE: dict[str, tuple[str, ...]] = {
    "SuperUser": (
        *("create_storage_pool", "edit_storage_pool_configuration", "delete_storage_pool", "create_cluster"),
        *(*CLUSTER, "manipulate_users", "inject_external_events", "inject_external_tasks"),
    ),
    "DataCenterAdmin": ("edit_storage_pool_configuration", "delete_storage_pool", "create_cluster", *CLUSTER),
    "ClusterAdmin": CLUSTER,
    "HostAdmin": ("edit_host_configuration", "delete_host"),
}
# oVirt's roles for programs: id, description, what they allow beside a log-in.
ROLES = {
    "ExternalEventsCreator": (
        *("def0000c-0000-0000-0000-def000000012", "May tell of events that happened elsewhere"),
        ("inject_external_events",),
    ),
    "ExternalTasksCreator": (
        *("def0000c-0000-0000-0000-def000000013", "May tell of jobs that are done elsewhere"),
        ("inject_external_tasks",),
    ),
}


def load(apps, schema_editor):
    Role, RolePermit = apps.get_model("vms", "Role"), apps.get_model("vms", "RolePermit")
    permits = []
    for name, (key, description, groups) in ROLES.items():
        role = Role.objects.create(id=UUID(key), name=name, description=description, allows_viewing_children=False)
        permits += [RolePermit(role=role, action_group=group) for group in (*groups, "login")]
    for name, more in MORE.items():
        role = Role.objects.get(name=name)
        permits += [RolePermit(role=role, action_group=group) for group in more]
    RolePermit.objects.bulk_create(permits)


class Migration(migrations.Migration):
    dependencies = [("vms", "0014_places_and_jobs")]
    operations = [migrations.RunPython(load, migrations.RunPython.noop)]
