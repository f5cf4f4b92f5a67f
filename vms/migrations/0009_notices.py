"""Warnings are counted on every page, and PostgreSQL tells open pages of every change."""

from django.db import migrations, models

FUNCTION = """
CREATE OR REPLACE FUNCTION vms_ring() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('vms_changed', '');
    RETURN NULL;
END $$
"""
TRIGGER = """
CREATE TRIGGER vms_changed AFTER INSERT ON vms_change FOR EACH STATEMENT EXECUTE FUNCTION vms_ring()
"""


def ring(apps, schema_editor):
    """Heard once for each transaction, when it is committed: PostgreSQL sees to that."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FUNCTION)
        schema_editor.execute(TRIGGER)


def silence(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP TRIGGER vms_changed ON vms_change")
        schema_editor.execute("DROP FUNCTION vms_ring()")


class Migration(migrations.Migration):
    dependencies = [("vms", "0008_console_doorway")]

    operations = [
        migrations.AddIndex(
            model_name="auditevent", index=models.Index(fields=["severity", "id"], name="event_by_severity")
        ),
        migrations.RunPython(ring, silence),
    ]
