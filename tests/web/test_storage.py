"""Storage domains and disks in WebAdmin: pages, dialogs, and what they do."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.actions.test_disks import domain, hypervisor, work
from vms.actions import disks
from vms.domain.disks import GIB
from vms.models import VM, Disk, DiskAttachment, Host, Image, Job, Snapshot, StorageDomain, StorageStatus, User

__all__ = ["domain", "hypervisor", "work"]

pytestmark = pytest.mark.django_db
Work = Callable[[], None]


@pytest.fixture
def browser(admin: User, client: Client) -> Client:
    client.force_login(admin)
    return client


def said(answer: Any) -> str:
    return str(answer.content.decode())


def test_a_storage_domain_is_added_and_rests(browser: Client, host: Host, work: Work) -> None:
    center = host.cluster.data_center
    wish = {"name": "fast", "kind": "dir", "path": "/srv/fast", "data_center": center.pk, "host": host.pk, "spared": 5}
    assert browser.post("/storage/new", wish).status_code == 302
    work()
    made = StorageDomain.objects.get()
    page = f"/storage/{made.pk}/"
    assert "1024 GiB" in said(browser.get("/storage/"))
    assert all(text in said(browser.get(page)) for text in ("/srv/fast", "5 GiB", "10 %"))
    assert browser.post(f"{page}actions/maintenance").status_code == 302
    assert StorageDomain.objects.get().status == StorageStatus.MAINTENANCE
    assert browser.post(f"{page}remove").status_code == 302
    assert not StorageDomain.objects.exists()


def test_what_makes_no_storage_is_said_at_its_field(browser: Client, host: Host) -> None:
    center = host.cluster.data_center.pk
    good = {"name": "fast", "kind": "dir", "path": "/srv/fast", "data_center": center}
    for field, wrong in (
        ("name", {"name": "two words"}),
        ("path", {"path": "../etc"}),
        ("path", {"path": "/srv/a b"}),
        ("address", {"address": "server"}),
        ("address", {"kind": "netfs", "address": ""}),
        ("path", {"kind": "logical"}),
        ("kind", {"kind": "tape"}),
        ("low_space", {"low_space": "101"}),
        ("spared", {"spared": "some"}),
    ):
        answer = browser.post("/storage/new", {**good, **wrong})
        assert (answer.status_code, field in answer.context["form"].errors) == (422, True), wrong
    assert not StorageDomain.objects.exists()


def test_a_disk_is_made_for_a_machine_in_its_tab(browser: Client, vm: VM, domain: StorageDomain, work: Work) -> None:
    at = f"/vms/{vm.pk}/disks"
    form = browser.get(f"{at}/new").context["form"]
    assert (form["name"].value(), form["bootable"].value()) == ("web_Disk1", True)
    wish = {"name": "root", "disk_size": "2.5", "domain": domain.pk, "interface": "virtio", "format": "qcow2"}
    assert browser.post(f"{at}/new", {**wish, "sparse": "on", "active": "on", "bootable": "on"}).status_code == 302
    assert "Locked" in said(browser.get(at))
    work()
    page = said(browser.get(at))
    assert all(word in page for word in ("root", "2.5 GiB", "VirtIO", "local-storage", "bootable"))
    row = DiskAttachment.objects.get()
    assert row.disk.size == 5 * GIB // 2
    edit = f"{at}/{row.disk_id}/edit"
    changed = {"name": "system", "disk_size": "4", "interface": "sata", "active": "on"}
    assert browser.post(edit, changed).status_code == 302
    work()
    row.refresh_from_db()
    assert (row.disk.name, row.disk.size, row.interface, row.bootable) == ("system", 4 * GIB, "sata", False)
    answer = browser.post(edit, {**changed, "disk_size": "1"})
    assert (answer.status_code, "cannot become smaller" in said(answer)) == (422, True)
    assert browser.post(f"{at}/{row.disk_id}/deactivate").status_code == 302
    assert not DiskAttachment.objects.get().active
    assert "can be attached again" in said(browser.get(f"{at}/{row.disk_id}/detach"))
    assert browser.post(f"{at}/{row.disk_id}/detach").status_code == 302
    assert browser.post(f"{at}/attach", {"disk": row.disk_id, "interface": "virtio", "active": "on"}).status_code == 302
    assert browser.post(f"{at}/{row.disk_id}/detach", {"remove": "on"}).status_code == 302
    work()
    assert not Disk.objects.exists()


def test_disks_are_listed_found_copied_and_removed(
    browser: Client, vm: VM, domain: StorageDomain, admin: User, work: Work
) -> None:
    wish = {"name": "data", "disk_size": "1", "domain": domain.pk, "format": "qcow2", "sparse": "on"}
    assert browser.post("/disks/new", wish).status_code == 302
    row = disks.create_in(vm, "root", domain=domain, size=GIB, by=admin)
    work()
    page = said(browser.get("/disks/"))
    assert all(word in page for word in ("data", "root", f"/vms/{vm.pk}/disks"))
    found = browser.get("/disks/?q=vm_names+%3D+web").context["table"].rows
    assert [cells[0].text for cells in found] == ["root"]
    assert "There is no field" in said(browser.get("/disks/?q=colour+%3D+red"))
    disk = row.disk
    assert browser.post(f"/disks/{disk.pk}/copy", {"name": "twin", "domain": domain.pk}).status_code == 302
    work()
    twin = Disk.objects.get(name="twin")
    assert "twin" in said(browser.get(f"/disks/{twin.pk}/"))
    assert browser.post(f"/disks/{twin.pk}/remove").status_code == 302
    work()
    assert set(Disk.objects.values_list("name", flat=True)) == {"data", "root"}


def test_tasks_about_disks_lead_to_them(browser: Client, domain: StorageDomain, admin: User, work: Work) -> None:
    made = disks.create("data", domain=domain, size=GIB, by=admin)
    work()
    for verb, address in (("create_disk", f"/disks/{made.pk}/"), ("open_storage", f"/storage/{domain.pk}/")):
        task = Job.objects.get(verb=verb)
        assert address in said(browser.get(f"/tasks/{task.pk}/")), verb


def test_a_new_machine_gets_its_disk_in_the_same_dialog(
    browser: Client, vm: VM, domain: StorageDomain, work: Work
) -> None:
    form = browser.get("/vms/new").context["form"]
    posted = {name: form[name].value() for name in form.fields if form[name].value() not in (None, False)}
    assert "disk_size" not in posted
    made = browser.post("/vms/new", {**posted, "name": "plain"})
    assert made.status_code == 302, made.context["form"].errors
    answer = browser.post("/vms/new", {**posted, "name": "stored", "disk_size": "2", "disk_interface": "virtio_scsi"})
    assert answer.status_code == 302, answer.context["form"].errors
    work()
    row = VM.objects.get(name="stored").disk_attachments.get()
    assert (row.disk.size, row.interface, row.bootable) == (2 * GIB, "virtio_scsi", True)
    assert not VM.objects.get(name="plain").disk_attachments.exists()
    StorageDomain.objects.update(status=StorageStatus.MAINTENANCE)
    answer = browser.post("/vms/new", {**posted, "name": "nowhere", "disk_size": "2"})
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["disk_size"])


def test_a_snapshot_is_taken_looked_at_cloned_and_removed(
    browser: Client, vm: VM, domain: StorageDomain, admin: User, work: Work
) -> None:
    disks.create_in(vm, "root", domain=domain, size=GIB, by=admin)
    work()
    at = f"/vms/{vm.pk}/snapshots"
    assert "No snapshot yet" in said(browser.get(at))
    for path in ("snapshots/new", "disks/new", "disks/attach"):
        page = browser.get(f"/vms/{vm.pk}/{path}")
        assert all(f'name="{name}"' in said(page) for name in page.context["form"].fields), path
    assert browser.post(f"{at}/new", {"description": "before"}).status_code == 302
    work()
    kept = Snapshot.objects.get()
    assert "before" in said(browser.get(at))
    assert browser.post(f"{at}/{kept.pk}/clone", {"name": "twin"}).status_code == 302
    work()
    assert Image.objects.get(disk__attachments__vm__name="twin").parent is None
    assert browser.post(f"{at}/{kept.pk}/preview").status_code == 302
    work()
    assert "is previewed" in said(browser.get(at))
    assert browser.post(f"{at}/undo").status_code == 302
    work()
    assert "go back" not in said(browser.get(at))
    assert "no way back" in said(browser.get(f"{at}/{kept.pk}/remove"))
    assert browser.post(f"{at}/{kept.pk}/remove").status_code == 302
    work()
    assert not Snapshot.objects.exists()
