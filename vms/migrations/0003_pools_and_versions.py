"""Pools that people take machines from, machines that follow the versions of a template, and who owns a template."""

from uuid import UUID

from django.db import migrations, models


# oVirt's id; whoever makes a template holds it there.
TEMPLATE_OWNER = UUID("def0000a-0000-0000-0000-def00000000f")
PERMITS = ("edit_template_properties", "delete_template", "manipulate_permissions", "login")


def load(apps, schema_editor):
    Role, RolePermit = apps.get_model("vms", "Role"), apps.get_model("vms", "RolePermit")
    role = Role.objects.create(id=TEMPLATE_OWNER, name="TemplateOwner", description="Any operation on a template")
    RolePermit.objects.bulk_create(RolePermit(role=role, action_group=permit) for permit in PERMITS)


class Migration(migrations.Migration):
    dependencies = [
        ("vms", "0002_built_in"),
    ]

    operations = [
        migrations.AddField(
            model_name="pool",
            name="max_user_vms",
            field=models.PositiveSmallIntegerField(default=1, verbose_name="maximum number of VMs per user"),
        ),
        migrations.AddField(
            model_name="pool",
            name="pool_type",
            field=models.CharField(
                choices=[("automatic", "Automatic"), ("manual", "Manual")],
                default="automatic",
                max_length=12,
                verbose_name="pool type",
            ),
        ),
        migrations.AddField(
            model_name="pool",
            name="stateful",
            field=models.BooleanField(default=False, verbose_name="stateful pool"),
        ),
        migrations.AddField(
            model_name="pool",
            name="use_latest_version",
            field=models.BooleanField(default=False, verbose_name="latest template version"),
        ),
        migrations.AddField(
            model_name="vm",
            name="stateless",
            field=models.BooleanField(default=False, verbose_name="stateless"),
        ),
        migrations.AddField(
            model_name="vm",
            name="use_latest_version",
            field=models.BooleanField(default=False, verbose_name="latest template version"),
        ),
        migrations.AddConstraint(
            model_name="pool",
            constraint=models.CheckConstraint(
                condition=models.Q(("pool_type__in", ["automatic", "manual"])), name="pool_type_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="pool",
            constraint=models.CheckConstraint(
                condition=models.Q(("max_user_vms__range", (1, 1000))), name="pool_gives_each_user_some"
            ),
        ),
        migrations.RunPython(load, migrations.RunPython.noop),
    ]
