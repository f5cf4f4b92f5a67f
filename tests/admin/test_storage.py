"""Storage and networks in Django admin: the same actions, with what is chosen once kept as it is."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.actions.test_disks import domain, hypervisor, work
from tests.admin.test_admin import form_of, root
from vms.models import AuditEvent, Cluster, Disk, Network, StorageDomain, VnicProfile

__all__ = ["domain", "hypervisor", "root", "work"]
pytestmark = pytest.mark.django_db
GIB = 1 << 30


def url(model: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:vms_{model._meta.model_name}_{page}", args=args)


def saved(web: Client, address: str, **values: Any) -> Any:
    return web.post(address, {**form_of(web, address), **values})


def errors(answer: Any) -> list[str]:
    return list(answer.context["adminform"].form.errors)


def test_a_storage_domain_is_made_changed_and_forgotten(root: Client, cluster: Cluster) -> None:
    wish = {"name": "vault", "data_center": str(cluster.data_center_id), "path": "/srv/vault"}
    assert saved(root, url(StorageDomain, "add"), **wish).status_code == 302
    row = StorageDomain.objects.get(name="vault")
    assert saved(root, url(StorageDomain, "change", row.pk), description="safe", path="/etc").status_code == 302
    row.refresh_from_db()
    assert (row.description, row.path) == ("safe", "/srv/vault")
    answer = root.post(url(StorageDomain, "delete", row.pk), {"post": "yes"}, follow=True)
    assert "vault" in answer.content.decode()
    assert StorageDomain.objects.filter(pk=row.pk).exists(), "the engine is at work on it"


def test_a_disk_is_made_larger_and_never_smaller(root: Client, domain: StorageDomain, work: Any) -> None:
    wish = {"name": "root", "domain": str(domain.pk), "size": 2 * GIB, "sparse": "on"}
    assert saved(root, url(Disk, "add"), **wish).status_code == 302
    work()
    change = url(Disk, "change", Disk.objects.get(name="root").pk)
    assert errors(saved(root, change, size=GIB)) == ["__all__"]
    assert saved(root, change, size=3 * GIB).status_code == 302
    work()
    assert Disk.objects.get(name="root").size == 3 * GIB


def test_a_network_reaches_every_cluster_and_has_a_profile(root: Client, cluster: Cluster) -> None:
    wish = {"name": "lab", "data_center": str(cluster.data_center_id), "kind": "isolated"}
    assert saved(root, url(Network, "add"), **wish).status_code == 302
    row = Network.objects.get(name="lab")
    assert list(row.clusters.all()) == [cluster]
    profile = VnicProfile.objects.get(network=row)
    assert saved(root, url(VnicProfile, "change", profile.pk), name="lab-guests").status_code == 302
    root.post(url(VnicProfile, "delete", profile.pk), {"post": "yes"})
    root.post(url(Network, "delete", row.pk), {"post": "yes"})
    assert not Network.objects.filter(name="lab").exists()
    codes = ["NETWORK_ADD_NETWORK", "UPDATE_VNIC_PROFILE", "REMOVE_VNIC_PROFILE", "NETWORK_REMOVE_NETWORK"]
    assert AuditEvent.objects.filter(code__in=codes).count() == len(codes)


def test_nonsense_is_an_error_of_its_field(root: Client, cluster: Cluster) -> None:
    center = str(cluster.data_center_id)
    assert errors(saved(root, url(Network, "add"), name="a b\x00", data_center=center)) == ["name"]
    assert errors(saved(root, url(StorageDomain, "add"), name="v", data_center=center, path="relative")) == ["path"]
    assert not Network.objects.filter(name__startswith="a").exists()
    assert not StorageDomain.objects.filter(name="v").exists()


def test_every_list_opens(root: Client) -> None:
    for model in ("storagedomain", "disk", "network", "vnicprofile", "macpool", "vmnic", "diskattachment", "snapshot"):
        assert root.get(reverse(f"admin:vms_{model}_changelist")).status_code == 200
