"""The wizard's page: what it promises, what it asks, how far it is, and who may."""

from dataclasses import replace

import pytest
from django.test import Client
from django.utils import timezone

from tests.actions.runs import fresh, up
from tests.web.test_vm_detail import text_of
from vms.actions import disks, preparations, storage
from vms.domain.disks import GIB
from vms.domain.hosts import Capabilities, NoOffline
from vms.domain.preparation import Outcome, Stage, Way
from vms.models import VM, Disk, DiskStatus, Host, Job, Preparation, StorageDomain, StorageStatus, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(vm: VM) -> str:
    return f"/vms/{vm.pk}/prepare"


@pytest.fixture
def asked(vm: VM, admin: User) -> Preparation:
    """One that waits for somebody to read what would be changed."""
    preparation = preparations.begin(vm, by=admin)
    told = {"stage": Stage.CONFIRM, "loader": "debian", "changed": True, "changes": "+++ /etc/x\n+<b>new</b>\n-old"}
    Preparation.objects.update(**told)
    preparation.refresh_from_db()
    return preparation


def test_the_page_says_what_will_happen_and_begins_it(web: Client, page: str, vm: VM) -> None:
    text = text_of(web, page)
    assert "It is run once with VNC" in text
    assert "Power it off" not in text, "it is off"
    assert 'GRUB_TERMINAL="serial console"' in text, "and how it is done by hand"
    answer = web.post(page)
    assert (answer.status_code, answer["Location"]) == (302, page)
    text = text_of(web, page)
    assert "Run with a screen at work" in text
    assert "Log-in prompt on the serial line to do" in text


def test_a_running_guest_that_does_not_answer_is_powered_off_only_when_that_is_ticked(
    web: Client, page: str, vm: VM, host: Host, admin: User
) -> None:
    up(vm, host, by=admin)
    assert "its guest agent does not answer" in text_of(web, page)
    assert "would have to be powered off" in text_of_answer(web.post(page, follow=True))
    assert not Preparation.objects.exists()
    web.post(page, {"may_power_off": "1"})
    assert Preparation.objects.get().may_power_off


def text_of_answer(answer: object) -> str:
    return " ".join(getattr(answer, "content", b"").decode().split())


def test_the_change_is_shown_before_anybody_says_yes(web: Client, page: str, asked: Preparation) -> None:
    shown = web.get(page).content.decode()
    assert "GRUB 2 of Debian or Ubuntu" in shown
    assert '<span class="app-xml__line app-xml__line--added">+&lt;b&gt;new&lt;/b&gt;' in shown
    assert "Its disk is encrypted" not in shown
    Preparation.objects.update(encrypted=True)
    assert "Its disk is encrypted" in text_of(web, page)
    web.post(f"{page}/confirm")
    asked.refresh_from_db()
    assert asked.stage == Stage.CHANGE
    web.post(f"{page}/cancel")
    asked.refresh_from_db()
    assert asked.outcome == Outcome.CANCELLED


def test_how_it_ended_is_told_with_the_reason_and_can_be_undone(
    web: Client, page: str, asked: Preparation, vm: VM
) -> None:
    Job.objects.all().delete()
    no = {"code": "PREPARE_LOGIN_NOT_SEEN", "params": {}}
    ended = {"outcome": Outcome.FAILED, "stage": Stage.LOGIN, "error": no, "kept": True, "finished_at": timezone.now()}
    Preparation.objects.update(**ended)
    text = text_of(web, page)
    for part in ("It could not be prepared.", "no log-in prompt has stood", "Start headless done", "failed", "Undo"):
        assert part in text, part
    web.post(f"{page}/undo", {"may_power_off": "1"})
    assert "Undo the preparation" in text_of(web, page)
    assert fresh(vm).preparations.get().active


def test_a_step_that_is_not_there_is_no_page(web: Client, page: str, vm: VM) -> None:
    assert web.post(f"{page}/confirm").status_code == 404, "nothing has begun"
    web.post(page)
    assert web.post(f"{page}/explode").status_code == 404
    assert web.get(f"{page}/confirm").status_code == 405


def test_its_owner_prepares_it_in_userportal_and_others_do_not(vm: VM, alice: User, bob: User, carol: User) -> None:
    at = f"/portal/vms/{vm.pk}/prepare"
    client = Client()
    for person, status in ((alice, 200), (bob, 200), (carol, 404)):
        client.force_login(person)
        assert client.get(at).status_code == status, person
    client.force_login(bob)
    assert 'id="do-begin"' not in client.get(at).content.decode()
    client.post(at)
    assert not Preparation.objects.exists()
    client.force_login(alice)
    client.post(at)
    assert Preparation.objects.get().created_by == alice


def test_disks_are_offered_where_the_host_reaches_them_and_else_it_is_said_why_not(
    web: Client, page: str, vm: VM, host: Host, admin: User
) -> None:
    assert "It has no disk of its own" in text_of(web, page)
    with_disk(vm, admin)
    assert "libguestfs is not installed where the engine runs" in said_by(web, page, host, NoOffline.PROGRAM)
    assert "is another machine than the engine" in said_by(web, page, host, NoOffline.REMOTE)
    assert 'value="offline" disabled' in web.get(page).content.decode()
    web.post(page, {"way": "offline"})
    assert not Preparation.objects.exists(), "and nothing else is done in its place"
    assert "They are written to in one go" in said_by(web, page, host, None)
    assert 'value="offline" checked' in web.get(page).content.decode(), "no agent of it has ever answered"
    web.post(page, {"way": "offline"})
    assert Preparation.objects.get().way == Way.OFFLINE
    assert "Machine is off at work" in text_of(web, page)


def said_by(web: Client, page: str, host: Host, reason: NoOffline | None) -> str:
    """What the page says after the host has told what keeps it from looking into disks."""
    host.capabilities = replace(Capabilities(), no_offline=reason)
    host.save(update_fields=["capability_document"])
    return text_of(web, page)


def with_disk(vm: VM, by: User) -> None:
    storage.ensure_one()
    StorageDomain.objects.update(status=StorageStatus.ACTIVE)
    disks.create_in(vm, "root", domain=StorageDomain.objects.get(), size=GIB, by=by)
    Job.objects.all().delete()
    Disk.objects.update(status=DiskStatus.OK)
    VM.objects.update(disk_state=DiskStatus.OK, status="down")
