"""Disks that people download: asked for in a dialog, prepared, fetched where the page says, and forgotten."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.actions.test_disks import domain, hypervisor, now, work
from tests.actions.test_transfers import committed, disk, kept
from tests.factories import person
from vms.actions import disks, transfers, uploads
from vms.domain.transfers import Direction, Phase
from vms.models import VM, Disk, Transfer, User

__all__ = ["committed", "disk", "domain", "hypervisor", "work"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(admin: User, client: Client) -> Client:
    client.force_login(admin)
    return client


def test_a_disk_is_downloaded(
    browser: Client, disk: Disk, committed: Callable[..., Any], django_capture_on_commit_callbacks: Any
) -> None:
    at = reverse("disk_download", args=[disk.pk])
    assert at in browser.get(reverse("disk_detail", args=[disk.pk])).content.decode()
    assert browser.get(at).context["form"].initial["format"] == "qcow2"
    to = browser.post(at, {"format": "raw"}).headers["Location"]
    row = Transfer.objects.get()
    assert to == reverse("download", args=[disk.pk, row.pk])
    waiting = browser.get(to).content.decode()
    assert ("/images/" in waiting, "do-cancel" in waiting, "do-done" in waiting) == (False, True, False)
    refused = browser.post(at, {"format": "raw"})
    assert (refused.status_code, "locked" in refused.content.decode()) == (422, True)
    committed()
    ready = browser.get(to)
    row = now(row)
    assert ready.context["fetch"] == f"/images/{transfers.ticket_of(row)}"
    assert ready.context["fetch"] in ready.content.decode()
    assert (row.inactivity_timeout, transfers.redeem(transfers.ticket_of(row))) == (3600, row)
    assert to in browser.get(reverse("disk_detail", args=[disk.pk])).content.decode()
    assert uploads.path_for(row).stat().st_size == disk.size
    with django_capture_on_commit_callbacks(execute=True):
        assert browser.post(f"{to}done").headers["Location"] == reverse("disk_detail", args=[disk.pk])
    assert (now(row).phase, kept()) == (Phase.FINISHED_SUCCESS, [])
    ended = browser.get(to).content.decode()
    assert ("/images/" in ended, "Nothing is left of it here" in ended) == (False, True)
    assert (browser.post(f"{to}done").status_code, browser.post(f"{to}again").status_code) == (302, 404)


def test_nobody_else_sees_or_ends_a_download(disk: Disk, admin: User, committed: Callable[..., Any]) -> None:
    row = committed(transfers.begin, disk, Direction.DOWNLOAD, by=admin)
    carol = Client()
    carol.force_login(person("carol"))
    to = reverse("download", args=[disk.pk, row.pk])
    for answer in (
        carol.get(to),
        carol.post(f"{to}cancel"),
        carol.get(reverse("disk_download", args=[disk.pk])),
        carol.post(reverse("disk_download", args=[disk.pk]), {"format": "raw"}),
    ):
        assert answer.status_code in {403, 404}
    assert now(row).phase == Phase.TRANSFERRING
    other = Disk.objects.create(name="other", domain=disk.domain, size=disk.size)
    browser = Client()
    browser.force_login(admin)
    assert browser.get(reverse("download", args=[other.pk, row.pk])).status_code == 404


def test_the_owner_of_a_machine_downloads_its_disks_in_the_portal(
    vm: VM, disk: Disk, alice: User, admin: User, committed: Callable[..., Any]
) -> None:
    disks.attach(vm, disk, by=admin)
    mine = Client()
    mine.force_login(alice)
    tab = reverse("portal:vm_disks", args=[vm.pk])
    at = reverse("portal:disk_download", args=[disk.pk])
    assert at in mine.get(tab).content.decode()
    to = mine.post(at, {"format": "qcow2"}).headers["Location"]
    assert to.startswith("/portal/disks/")
    committed()
    ready = mine.get(to)
    assert ready.context["fetch"] in ready.content.decode()
    assert "/portal" in ready.context["home"]
    assert mine.post(f"{to}done").headers["Location"] == tab
    assert Transfer.objects.get().phase == Phase.FINISHED_SUCCESS


def test_an_upload_that_a_program_has_left_is_given_up(
    browser: Client, disk: Disk, admin: User, django_capture_on_commit_callbacks: Any
) -> None:
    row = transfers.begin(disk, Direction.UPLOAD, by=admin)
    to = reverse("download", args=[disk.pk, row.pk])
    assert to in browser.get(reverse("disk_detail", args=[disk.pk])).content.decode()
    told = browser.get(to).content.decode()
    assert ("/images/" in told, "do-cancel" in told, "do-done" in told) == (False, True, False)
    assert browser.post(f"{to}done").status_code == 404
    with django_capture_on_commit_callbacks(execute=True):
        assert browser.post(f"{to}cancel").status_code == 302
    assert (now(row).phase, now(disk).status, kept()) == (Phase.FINISHED_CLEANUP, "ok", [])
