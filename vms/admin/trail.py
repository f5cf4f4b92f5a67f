"""What only the engine and the actions write."""

from django.contrib import admin

from vms.models import (
    AuditEvent,
    Device,
    Job,
)

from .base import ReadOnlyAdmin


@admin.register(Device)
class DeviceAdmin(ReadOnlyAdmin):
    list_display = ("kind", "model", "scope", "vm", "template", "pool", "instance_type")
    list_filter = ("scope", "kind")
    list_select_related = ("vm", "template", "pool", "instance_type")


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "verb", "machine_name", "state", "created_by", "finished_at")
    list_filter = ("state", "verb")


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("at", "severity", "code", "entity_name", "actor_name", "address", "sequence")
    list_filter = ("severity", "code")
