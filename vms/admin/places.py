"""Hosts and where they are, affinity."""

from django.contrib import admin

from vms.actions import affinity, affinity_labels, hosts, places
from vms.models import (
    AffinityGroup,
    AffinityLabel,
    Cluster,
    DataCenter,
    Host,
)

from .base import PlainAdmin


@admin.register(Host)
class HostAdmin(PlainAdmin):
    list_display = ("name", "cluster", "uri", "status", "maintenance", "reason")
    fields = ("name", "cluster", "uri", "username", "comment")
    make, edit, remove = hosts.create, hosts.edit, hosts.remove


@admin.register(Cluster)
class ClusterAdmin(PlainAdmin):
    list_display = ("name", "data_center", "level")
    fields = ("name", "data_center", "level", "description", "comment")
    make, edit, remove = places.create_cluster, places.edit_cluster, places.remove_cluster

    fixed = ("data_center",)


@admin.register(DataCenter)
class DataCenterAdmin(PlainAdmin):
    list_display = ("name", "description")
    fields = ("name", "description", "comment")
    make, edit, remove = places.create_data_center, places.edit_data_center, places.remove_data_center


@admin.register(AffinityGroup)
class AffinityGroupAdmin(PlainAdmin):
    list_display = ("name", "cluster", "vms_rule", "vms_enforcing", "hosts_rule", "hosts_enforcing", "priority")
    list_filter = ("cluster",)
    make, edit, remove = affinity.create, affinity.edit, affinity.remove

    fixed = ("cluster",)


@admin.register(AffinityLabel)
class AffinityLabelAdmin(PlainAdmin):
    list_display = ("name", "implicit")
    make, edit, remove = affinity_labels.create, affinity_labels.edit, affinity_labels.remove
