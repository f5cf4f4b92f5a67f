"""Whoever asks why a machine does not come up is told on its page, with what would help."""

import pytest
from django.test import Client

from tests.actions.runs import up
from tests.web.test_vm_detail import text_of
from vms.domain.doctor import Diagnosis, Finding
from vms.models import VM, Host, User

pytestmark = pytest.mark.django_db


def has_come_to(vm: VM, finding: Finding, words: str = "") -> None:
    vm.diagnosis = Diagnosis(finding=finding, after=47, words=words)
    vm.save(update_fields=VM.BOOT_FIELDS)


@pytest.fixture
def running(headless_vm: VM, host: Host, admin: User) -> VM:
    return up(headless_vm, host, by=admin)


def test_a_hang_is_told_with_its_cures(web: Client, running: VM) -> None:
    has_come_to(running, Finding.GRUB_HANGS)
    page = web.get(f"/vms/{running.pk}/").content.decode()
    assert "GRUB hangs in graphics mode" in page
    assert f'href="/vms/{running.pk}/run-once?console=vnc"' in page
    assert "Boot GRUB hangs in graphics mode after 47 s" in text_of(web, f"/vms/{running.pk}/")


def test_every_finding_has_its_page(web: Client, running: VM) -> None:
    for finding in Finding:
        has_come_to(running, finding, "<b>why</b>")
        page = web.get(f"/vms/{running.pk}/").content.decode()
        assert ('id="boot-panel"' in page) == finding.needs_attention
        assert "<b>why</b>" not in page


def test_a_machine_that_came_up_says_so_in_a_line(web: Client, running: VM) -> None:
    has_come_to(running, Finding.LOG_IN)
    assert "Boot Log-in prompt on the serial line after 47 s" in text_of(web, f"/vms/{running.pk}/")
