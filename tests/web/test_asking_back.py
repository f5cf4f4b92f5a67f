"""An edit of a running machine asks back, field by field; nothing is saved before the answer."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from tests.actions.runs import up
from tests.web.browser import controls, ticked
from tests.web.kinds import HTMX, html_of, opened, plain_text
from vms.actions import edit, reports
from vms.domain.changes import Changes
from vms.domain.console import VNC, Console, DisconnectAction
from vms.domain.firmware import Firmware
from vms.domain.hosts import Capabilities
from vms.domain.machine import MachineSpec, MigrationMode
from vms.domain.parts import Boot, BootOrder, Rng, SerialNumber, SerialPolicy, Topology, Watchdog
from vms.forms import VMForm
from vms.forms.parts import PARTS
from vms.models import VM, Host, Job, User
from vms.web.asking import LIVE

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


@pytest.fixture
def path(url: str, vm: VM, host: Host, admin: User) -> str:
    """The dialog of a machine that runs with VNC and USB."""
    edit.edit(vm, Changes(console=lambda console, _offer: Console(wants_usb=True)), by=admin)
    up(vm, host, by=admin)
    return f"{url}edit"


def asked(web: Client, path: str, *boxes: str, **chosen: Any) -> tuple[str, dict[str, str]]:
    """What is asked back, and what the browser holds of the question."""
    html = html_of(web.post(path, ticked(opened(web, path), *boxes, **chosen)))
    return plain_text(html), controls(html, path).data


def stored(vm: VM) -> VM:
    return VM.objects.get(pk=vm.pk)


def test_what_needs_a_restart_is_told_old_and_new_and_not_saved(web: Client, path: str, vm: VM) -> None:
    text, _data = asked(web, path, "headless", "accept_lockout", memory="2048", description="mine")
    assert "Nothing has been saved yet." in text
    assert "Applied at once Description: nothing becomes mine" in text
    for told in (
        "Memory Size: 1024 MiB becomes 2048 MiB",
        "Headless Mode: Disabled becomes Enabled",
        "Video Type: VGA becomes None",
        "Graphics Protocol: VNC becomes None",
        "USB Policy: Enabled becomes Disabled",
    ):
        assert told in text.partition("Applied with a restart")[2]
    assert "Graphical console : none: headless (goes)" in text
    assert (stored(vm).memory, stored(vm).description, stored(vm).pending) == (1024, "", False)


def test_saved_it_waits_for_the_restart(web: Client, path: str, vm: VM) -> None:
    _text, data = asked(web, path, "headless", "accept_lockout", memory="2048")
    assert web.post(path, {**data, "confirmed": "save"}).status_code == 302
    after = stored(vm)
    assert (after.console.headless, after.memory, after.pending, after.running_graphics) == (True, 2048, True, "vnc")
    assert not Job.objects.filter(verb="reboot").exists()


def test_saved_and_restarted_in_one_go(web: Client, path: str, vm: VM) -> None:
    _text, data = asked(web, path, memory="2048")
    answer = web.post(path, {**data, "confirmed": "restart"}, follow=True)
    assert "web was saved and restarts now." in html_of(answer)
    assert stored(vm).memory == 2048
    assert Job.objects.get(verb="reboot").params["cold"] is True


def test_what_cannot_restart_is_not_saved_either(web: Client, path: str, vm: VM) -> None:
    VM.objects.filter(pk=vm.pk).update(status="paused", observed="paused")
    text, data = asked(web, path, memory="2048")
    assert "“Reboot” is not possible while the virtual machine is in status “Paused”." in text
    answer = web.post(path, {**data, "confirmed": "restart"})
    assert (answer.status_code, stored(vm).memory) == (422, 1024)


def test_cancelled_the_dialog_is_open_again_with_what_was_typed(web: Client, path: str, vm: VM) -> None:
    _text, data = asked(web, path, memory="2048", description="mine")
    html = html_of(web.post(f"{path}/preview", data, headers=HTMX))
    again = controls(html, path).data
    assert (again["memory"], again["description"], stored(vm).memory) == ("2048", "mine", 1024)


def test_what_a_running_guest_need_not_know_of_is_saved_unasked(web: Client, path: str, vm: VM) -> None:
    chosen = {"description": "mine", "migration": "pinned", "disconnect_action": "logout"}
    answer = web.post(path, ticked(opened(web, path), "high_availability", **chosen))
    assert (answer.status_code, stored(vm).description, stored(vm).pending) == (302, "mine", False)


def test_edited_back_there_is_nothing_to_ask(web: Client, path: str, vm: VM, admin: User) -> None:
    edit.edit(vm, Changes(machine={"memory": 2048}), by=admin)
    assert web.post(path, ticked(opened(web, path), memory="1024")).status_code == 302
    assert not stored(vm).pending


def test_what_waited_before_is_told_besides(web: Client, path: str, vm: VM, admin: User) -> None:
    edit.edit(vm, Changes(machine={"memory": 2048}), by=admin)
    text, _data = asked(web, path, threads="2")
    restart, _heading, waiting = text.partition("Waiting for a restart already")
    assert "CPU Topology: 1 (1:1:1) becomes 2 (1:1:2)" in restart
    assert "Memory Size: 1024 MiB becomes 2048 MiB" in waiting


def test_a_machine_that_is_down_is_saved_unasked(web: Client, url: str, vm: VM) -> None:
    assert web.post(f"{url}edit", ticked(opened(web, f"{url}edit"), memory="2048")).status_code == 302


def test_an_answer_that_comes_too_late_saves_nothing_and_keeps_what_was_typed(
    web: Client, path: str, vm: VM, admin: User
) -> None:
    _text, data = asked(web, path, memory="2048", description="mine")
    edit.edit(vm, Changes(machine={"cpu": Topology(cores=4)}), by=admin)
    answer = web.post(path, {**data, "confirmed": "save"})
    again = controls(html_of(answer), path).data
    assert (answer.status_code, stored(vm).memory, again["memory"], again["cores"]) == (422, 1024, "2048", "4")


def test_a_host_that_lost_spice_meanwhile_refuses_with_the_reason(web: Client, path: str, vm: VM, host: Host) -> None:
    _text, data = asked(web, path, protocol="spice", video_type="qxl", memory="2048")
    reports.host_seen(host, Capabilities(graphics=VNC))
    answer = web.post(path, {**data, "confirmed": "save"})
    assert answer.status_code == 422
    assert "No host of the cluster offers SPICE." in html_of(answer)
    assert (stored(vm).memory, controls(html_of(answer), path).data["memory"]) == (1024, "2048")


def test_a_tampered_answer_is_an_ordinary_save(web: Client, path: str, vm: VM) -> None:
    _text, data = asked(web, path, memory="2048")
    web.post(path, {**data, "confirmed": "\x00 format"})
    assert (stored(vm).memory, Job.objects.filter(verb="reboot").exists()) == (2048, False)


def test_the_question_is_a_dialog_for_htmx_and_a_page_without(web: Client, path: str) -> None:
    data = ticked(opened(web, path), memory="2048")
    assert html_of(web.post(path, data, headers=HTMX)).strip().startswith("<form")
    assert "<html" in html_of(web.post(path, data))


OTHER: dict[str, Any] = {
    "os": "debian_12",
    "memory": 2048,
    "maximum_memory": 4096,
    "guaranteed_memory": 512,
    "cpu": Topology(cores=2),
    "cpu_model": "host-passthrough",
    "emulated_machine": "pc-q35-7.2",
    "vm_type": "desktop",
    "firmware": Firmware.UEFI,
    "tpm": True,
    "time_zone": "Europe/Berlin",
    "serial_number": SerialNumber(policy=SerialPolicy.VM),
    "boot_order": BootOrder(menu=True),
    "boot": Boot(cd="x.iso", kernel="k"),
    "start_paused": True,
    "hosts": (uuid4(),),
    "migration": MigrationMode.PINNED,
    "restart": True,
    "priority": 50,
    "watchdog": Watchdog(),
    "cpu_shares": 512,
    "ballooning": False,
    "io_threads": 2,
    "rng": Rng(bytes=1),
    "custom_properties": {"kvm_hidden": "true"},
}


def test_every_part_either_waits_for_a_restart_or_is_told_as_applied_at_once() -> None:
    """A field added to the machine must be in one of the two lists, never in neither and never in both."""
    spec = MachineSpec(id=uuid4(), name="x", firmware=Firmware.SECURE, console=Console())
    assert {part.name for part in PARTS} == set(OTHER)
    for part in PARTS:
        changed = replace(spec, **{part.name: OTHER[part.name]})
        waits = changed.shape() != spec.shape()
        assert waits != bool(set(part.fields) & LIVE), part.name
    screen = MachineSpec(id=spec.id, name="x", console=Console(disconnect_action=DisconnectAction.REBOOT))
    assert screen.shape() == replace(spec, firmware=Firmware.BIOS).shape()


def test_every_live_field_is_one_of_the_dialog(vm: VM, admin: User) -> None:
    assert set(VMForm(row=vm, by=admin).fields) >= LIVE


def test_headless_is_told_in_the_list_and_on_the_page_while_it_waits(web: Client, path: str, vm: VM) -> None:
    _text, data = asked(web, path, "headless", "accept_lockout")
    web.post(path, {**data, "confirmed": "save"})
    for page in ("/vms/", f"/vms/{vm.pk}/"):
        text = html_of(web.get(page))
        assert [name for name in ("Headless Mode", "Video Type", "Graphics Protocol") if name not in text] == []
