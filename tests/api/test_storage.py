"""Storage domains and disks over REST, as oVirt's clients write and read them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.actions.test_disks import domain, hypervisor, work
from tests.api.caller import Caller
from vms.actions import create, disks, snapshots, storage, transfers
from vms.api.mapping.fields import Reference
from vms.api.mapping.registry import COLLECTIONS
from vms.domain.disks import GIB
from vms.domain.transfers import Direction
from vms.models import VM, Disk, DiskAttachment, Host, StorageDomain, User

__all__ = ["domain", "hypervisor", "work"]

pytestmark = pytest.mark.django_db
Work = Callable[[], None]


def test_a_storage_domain_is_made_used_retired_and_forgotten(api: Caller, host: Host, work: Work) -> None:
    wish = {
        "name": "fast",
        "type": "data",
        "host": {"name": host.name},
        "storage": {"type": "localfs", "path": "/srv/fast"},
        "warning_low_space_indicator": "15",
        "critical_space_action_blocker": "5",
    }
    made = api.post("/storagedomains", "storage_domain", wish)
    assert made.status == 201, made.tree
    work()
    at = f"/storagedomains/{made.tree['id']}"
    told = api.get(at).tree
    assert (told["status"], told["storage"]["path"], told["available"]) == ("active", "/srv/fast", str(1024 * GIB))
    room = ("warning_low_space_indicator", "critical_space_action_blocker")
    assert [told[name] for name in room] == ["15", "5"]
    assert api.put(at, "storage_domain", {room[1]: "7"}).tree[room[1]] == "7"
    assert api.put(at, "storage_domain", {room[0]: "101"}).status == 400
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
    (then,) = api.get(f"{one}/disks").all("disk")
    (now,) = api.get(f"{at}/{api.get(at).all('snapshot')[0]['id']}/disks").all("disk")
    assert (then["id"], then["name"], then["image_id"] != now["image_id"]) == (now["id"], "web_Disk1", True)
    told = api.get(f"{at}?follow=disks.storage_domains,nics").all("snapshot")[1]
    assert f"'name': '{domain.name}'" in str(told["disks"]["disk"])
    assert told["nics"]["href"] == f"/ovirt-engine/api{one}/nics"
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


def test_a_machine_is_made_with_its_disks(api: Caller, vm: VM, admin: User, domain: StorageDomain, work: Work) -> None:
    place = {"storage_domains": {"storage_domain": [{"id": str(domain.pk)}]}}
    there = api.post("/disks", "disk", {"name": "there", "format": "raw", "provisioned_size": GIB, **place}).tree["id"]
    work()
    new = {"bootable": True, "interface": "virtio_scsi", "disk": {"format": "cow", "provisioned_size": GIB, **place}}
    wish = {
        "name": "made",
        "cluster": {"name": "Default"},
        "template": {"name": "Blank"},
        "disk_attachments": {"disk_attachment": [new, {"interface": "virtio", "active": True, "disk": {"id": there}}]},
    }
    made = api.post("/vms", "vm", wish)
    assert (made.status, made.tree["status"]) == (201, "image_locked")
    work()
    seen = {row.disk.name: (row.interface, row.bootable) for row in DiskAttachment.objects.all()}
    assert seen == {"made_Disk1": ("virtio_scsi", True), "there": ("virtio", False)}
    again = api.put(f"/vms/{made.tree['id']}", "vm", {"disk_attachments": wish["disk_attachments"]})
    assert (again.status, DiskAttachment.objects.count()) == (400, 2)
    bad = {**wish, "name": "bad", "disk_attachments": {"disk_attachment": [new, {"disk": {"id": there}}]}}
    assert (api.post("/vms", "vm", bad).status, Disk.objects.count()) == (409, 2), "nothing is half made"


def test_copies_lie_as_is_wished(api: Caller, vm: VM, admin: User, domain: StorageDomain, work: Work) -> None:
    storage.create("other", data_center=domain.data_center, path="/srv/other", by=admin)
    disks.create_in(vm, "root", domain=domain, size=GIB, by=admin)
    work()
    mine = str(Disk.objects.get().pk)
    other = {"storage_domains": {"storage_domain": [{"name": "other"}]}}
    raw = {"id": mine, "name": "golden-root", "format": "raw", "sparse": True, **other}
    body = {"name": "golden", "vm": {"id": str(vm.pk), "disk_attachments": {"disk_attachment": [{"disk": raw}]}}}
    assert api.post("/templates", "template", body).status == 201
    work()
    (told,) = api.get("/disks?search=name%3Dgolden-root&follow=storage_domains").all("disk")
    assert (told["format"], told["status"]) == ("raw", "ok")
    assert Disk.objects.get(name="golden-root").domain.name == "other"
    base = {"cluster": {"name": "Default"}, "template": {"name": "golden"}}
    assert api.post("/vms", "vm", {**base, "name": "thin"}).status == 201
    back = {
        "id": told["id"],
        "format": "raw",
        "sparse": False,
        "storage_domains": {"storage_domain": [{"name": domain.name}]},
    }
    wished = {"disk_attachments": {"disk_attachment": [{"disk": back}]}}
    assert api.post("/vms", "vm", {**base, "name": "full", **wished}).status == 201
    work()
    thin, full = (VM.objects.get(name=name).disk_attachments.get().disk for name in ("thin", "full"))
    assert (thin.format, thin.domain.name, thin.image and thin.image.parent_id is not None) == ("qcow2", "other", True)
    assert (full.format, full.sparse, full.domain, full.image and full.image.parent) == ("raw", False, domain, None)
    others = {
        "name": "bad",
        "vm": {"id": str(vm.pk), "disk_attachments": {"disk_attachment": [{"disk": {"id": told["id"]}}]}},
    }
    assert api.post("/templates", "template", others).status == 400


def test_images_come_and_go_by_transfers(
    api: Caller, domain: StorageDomain, work: Work, django_capture_on_commit_callbacks: Any
) -> None:
    place = {"storage_domains": {"storage_domain": [{"id": str(domain.pk)}]}}
    made = api.post("/disks", "disk", {"name": "data", "format": "raw", "provisioned_size": 4096 * 512, **place})
    disk = {"id": made.tree["id"]}
    early = api.post("/imagetransfers", "image_transfer", {"disk": disk})
    assert (early.status, "locked" in early.tree["detail"]) == (409, True)
    work()
    up = api.post("/imagetransfers", "image_transfer", {"image": disk, "inactivity_timeout": 30})
    assert (up.status, up.tree["direction"], up.tree["phase"]) == (201, "upload", "transferring")
    assert (up.tree["format"], up.tree["active"], up.tree["inactivity_timeout"]) == ("raw", "true", "30")
    assert up.tree["transfer_url"] == up.tree["proxy_url"]
    assert up.tree["transfer_url"].startswith(f"http://testserver/images/{up.tree['id']}-")
    at = f"/imagetransfers/{up.tree['id']}"
    assert (api.post(f"{at}/pause").status, api.get(at).tree["phase"]) == (200, "paused_user")
    assert "transfer_url" not in api.get(at).tree
    assert api.post(f"{at}/pause").status == 409
    for verb in ("resume", "extend"):
        assert api.post(f"{at}/{verb}").status == 200
    assert api.get(at).tree["transfer_url"] != up.tree["transfer_url"]
    with django_capture_on_commit_callbacks(execute=True):
        assert api.post(f"{at}/cancel").status == 200
    assert (api.get(at).tree["phase"], api.get(f"/disks/{disk['id']}").tree["status"]) == ("finished_cleanup", "ok")
    with django_capture_on_commit_callbacks(execute=True):
        down = api.post("/imagetransfers", "image_transfer", {"disk": disk, "direction": "download", "format": "cow"})
        work()
    told = api.get(f"/imagetransfers/{down.tree['id']}").tree
    assert (told["phase"], told["transfer_url"]) == ("transferring", down.tree["transfer_url"])
    with django_capture_on_commit_callbacks(execute=True):
        assert api.post(f"/imagetransfers/{down.tree['id']}/finalize").status == 200
    assert {each["phase"] for each in api.get("/imagetransfers").all("image_transfer")} == {
        *("finished_cleanup", "finished_success"),
    }
    for wish, status in (
        ({}, 400),
        ({"disk": disk, "direction": "sideways"}, 400),
        ({"disk": disk, "inactivity_timeout": -1}, 400),
        ({"disk": disk, "format": "cow"}, 400),
        ({"disk": disk, "backup": {"id": disk["id"]}}, 400),
        ({"disk": {"id": str(domain.pk)}}, 400),
        ({"snapshot": {"id": str(domain.pk)}}, 404),
    ):
        assert (wish, api.post("/imagetransfers", "image_transfer", wish).status) == (wish, status)


def test_whatever_can_be_followed_is_followed(
    api: Caller, vm: VM, admin: User, domain: StorageDomain, work: Work
) -> None:
    disks.create_in(vm, "root", domain=domain, size=GIB, by=admin)
    work()
    create.template("golden", vm=vm, by=admin)
    work()
    snapshots.take(vm, "before", by=admin)
    work()
    disk = disks.create("lone", domain=domain, size=GIB, by=admin)
    work()
    transfers.begin(Disk.objects.get(pk=disk.pk), Direction.UPLOAD, by=admin)
    for entity in COLLECTIONS.values():
        steps = {link.rel for link in entity.links} | {
            field.step for field in entity.fields if isinstance(field.type, Reference)
        }
        if steps and entity.rows is not None:
            answer = api.get(f"/{entity.collection}?follow={','.join(sorted(steps))}")
            assert (entity.name, answer.status) == (entity.name, 200), answer.text[:500]
    deep = "disk_attachments.disk.storage_domains.data_centers,snapshots.disks,nics.vnic_profile.network"
    answer = api.get(f"/vms/{vm.pk}?follow={deep}")
    assert (answer.status, answer.text.count(f">{domain.name}<" if api.language == "xml" else f'"{domain.name}"')) == (
        *(200, 1),
    )
