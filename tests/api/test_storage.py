"""Storage domains and disks over REST, as oVirt's clients write and read them."""

from collections.abc import Callable

import pytest

from tests.actions.test_disks import domain, hypervisor, work
from tests.api.caller import Caller
from vms.domain.disks import GIB
from vms.models import VM, Disk, DiskAttachment, Host, StorageDomain

__all__ = ["domain", "hypervisor", "work"]

pytestmark = pytest.mark.django_db
Work = Callable[[], None]


def test_a_storage_domain_is_made_used_retired_and_forgotten(api: Caller, host: Host, work: Work) -> None:
    wish = {
        "name": "fast",
        "type": "data",
        "host": {"name": host.name},
        "storage": {"type": "localfs", "path": "/srv/fast"},
    }
    made = api.post("/storagedomains", "storage_domain", wish)
    assert made.status == 201, made.tree
    work()
    at = f"/storagedomains/{made.tree['id']}"
    told = api.get(at).tree
    assert (told["status"], told["storage"]["path"], told["available"]) == ("active", "/srv/fast", str(1024 * GIB))
    center = f"/datacenters/{told['data_center']['id']}"
    assert api.post(f"{center}{at}/deactivate", "action", {}).status == 200
    assert api.get(f"{center}{at}").tree["status"] == "maintenance"
    assert api.delete(f"{center}{at}").status == 200
    assert (api.get(f"{center}{at}").status, api.get(at).tree["status"]) == (404, "unattached")
    again = api.post(f"{center}/storagedomains", "storage_domain", {"id": made.tree["id"]})
    assert again.status == 201
    work()
    assert api.get(f"{center}{at}").tree["status"] == "active"
    api.post(f"{center}{at}/deactivate", "action", {})
    assert api.delete(at).status == 200
    assert not StorageDomain.objects.exists()


def test_a_disk_is_made_for_a_machine_and_told_with_it(api: Caller, vm: VM, domain: StorageDomain, work: Work) -> None:
    wish = {
        "interface": "virtio",
        "bootable": True,
        "active": True,
        "disk": {
            "name": "root",
            "format": "cow",
            "provisioned_size": 2 * GIB,
            "storage_domains": {"storage_domain": [{"name": domain.name}]},
        },
    }
    made = api.post(f"/vms/{vm.pk}/diskattachments", "disk_attachment", wish)
    assert made.status == 201, made.tree
    disk = Disk.objects.get()
    assert made.tree["id"] == made.tree["disk"]["id"] == str(disk.pk)
    assert api.get(f"/vms/{vm.pk}").tree["status"] == "image_locked"
    work()
    told = api.get(f"/vms/{vm.pk}?follow=disk_attachments.disk").tree
    seen = told["disk_attachments"]["disk_attachment"]
    seen = seen[0] if isinstance(seen, list) else seen
    assert (told["status"], seen["bootable"], seen["disk"]["name"]) == ("down", "true", "root")
    (found,) = api.get("/disks?search=name%3Droot+and+Storage.name%3Dlocal-storage+and+vm_names%3Dweb").all("disk")
    assert (found["status"], found["format"], found["provisioned_size"]) == ("ok", "cow", str(2 * GIB))
    larger = {"bootable": False, "disk": {"provisioned_size": 3 * GIB}}
    changed = api.put(f"/vms/{vm.pk}/diskattachments/{disk.pk}", "disk_attachment", larger)
    assert (changed.status, changed.tree["bootable"]) == (200, "false")
    work()
    assert api.get(f"/disks/{disk.pk}").tree["provisioned_size"] == str(3 * GIB)
    assert api.delete(f"/vms/{vm.pk}/diskattachments/{disk.pk}").status == 200
    assert (DiskAttachment.objects.count(), Disk.objects.count()) == (0, 1)
    again = {"interface": "ide", "disk": {"id": str(disk.pk)}}
    assert api.post(f"/vms/{vm.pk}/diskattachments", "disk_attachment", again).tree["interface"] == "sata"
    assert api.delete(f"/vms/{vm.pk}/diskattachments/{disk.pk}?detach_only=false").status == 200
    work()
    assert api.get(f"/disks/{disk.pk}").status == 404


def test_a_disk_is_copied(api: Caller, domain: StorageDomain, work: Work) -> None:
    wish = {
        "alias": "data",
        "format": "raw",
        "sparse": True,
        "provisioned_size": GIB,
        "storage_domain": {"id": str(domain.pk)},
    }
    made = api.post("/disks", "disk", wish)
    assert made.status == 201, made.tree
    work()
    copied = api.post(f"/disks/{made.tree['id']}/copy", "action", {"disk": {"name": "twin"}})
    assert (copied.status, copied.tree["disk"]["name"]) == (200, "twin")
    work()
    assert {disk.name: disk.status for disk in Disk.objects.all()} == {"data": "ok", "twin": "ok"}


def test_a_machine_goes_without_its_disks_where_that_is_asked(
    api: Caller, vm: VM, domain: StorageDomain, work: Work
) -> None:
    wish = {
        "interface": "virtio",
        "disk": {"format": "cow", "provisioned_size": GIB, "storage_domain": {"name": domain.name}},
    }
    api.post(f"/vms/{vm.pk}/diskattachments", "disk_attachment", wish)
    work()
    assert api.delete(f"/vms/{vm.pk}?detach_only=true").status == 200
    assert Disk.objects.get().name == "web_Disk1"


def test_what_makes_no_disk_is_refused_by_its_element(api: Caller, vm: VM, domain: StorageDomain) -> None:
    good = {"name": "disk", "format": "cow", "provisioned_size": GIB, "storage_domain": {"name": domain.name}}
    bad = (
        ({**good, "provisioned_size": "much"}, "provisioned_size"),
        ({**good, "provisioned_size": 0}, "Size"),
        ({**good, "format": "vmdk"}, "format"),
        ({**good, "storage_domain": {"name": "nowhere"}}, "storage_domain"),
        ({name: value for name, value in good.items() if name != "storage_domain"}, "storageDomains"),
        ({**good, "content_type": "floppy"}, "content_type"),
        ({**good, "sparse": False}, "Thin Provision"),
    )
    for wish, word in bad:
        for path, root, body in (
            ("/disks", "disk", wish),
            (f"/vms/{vm.pk}/diskattachments", "disk_attachment", {"interface": "virtio", "disk": wish}),
        ):
            answer = api.post(path, root, body)
            assert (answer.status, word in answer.tree["detail"]) == (400, True), (path, wish, answer.tree)
    assert not Disk.objects.exists()


def test_snapshots_are_taken_gone_back_to_cloned_and_removed(
    api: Caller, vm: VM, domain: StorageDomain, work: Work
) -> None:
    wish = {
        "interface": "virtio",
        "disk": {"format": "cow", "provisioned_size": GIB, "storage_domain": {"name": domain.name}},
    }
    api.post(f"/vms/{vm.pk}/diskattachments", "disk_attachment", wish)
    work()
    at = f"/vms/{vm.pk}/snapshots"
    made = api.post(at, "snapshot", {"description": "before", "persist_memorystate": False})
    assert (made.status, made.tree["snapshot_status"]) == (201, "locked")
    one = f"{at}/{made.tree['id']}"
    work()
    assert (api.get(one).tree["snapshot_status"], api.get(one).tree["snapshot_type"]) == ("ok", "regular")
    assert [each["snapshot_type"] for each in api.get(at).all("snapshot")] == ["active", "regular"]
    place = {"cluster": {"name": "Default"}, "template": {"name": "Blank"}}
    clone = {"name": "twin", **place, "snapshots": {"snapshot": [{"id": made.tree["id"]}]}}
    assert api.post("/vms", "vm", clone).status == 201
    work()
    assert VM.objects.get(name="twin").disk_attachments.count() == 1
    assert api.post(f"/vms/{vm.pk}/previewsnapshot", "action", {"snapshot": {"id": made.tree["id"]}}).status == 200
    work()
    assert api.get(one).tree["snapshot_status"] == "in_preview"
    assert api.post(f"/vms/{vm.pk}/undosnapshot").status == 200
    work()
    assert api.post(f"{one}/restore").status == 200
    work()
    assert api.get(one).tree["snapshot_status"] == "ok"
    assert api.delete(one).status == 200
    work()
    assert [each["snapshot_type"] for each in api.get(at).all("snapshot")] == ["active"]


def test_a_text_in_place_of_an_element_is_refused(api: Caller, vm: VM, domain: StorageDomain) -> None:
    for path, root, body in (
        (f"/vms/{vm.pk}/diskattachments", "disk_attachment", {"interface": "virtio", "disk": "no disk"}),
        (f"/vms/{vm.pk}/previewsnapshot", "action", {"snapshot": "no snapshot"}),
    ):
        assert api.post(path, root, body).status == 400, path
