"""The pages of one machine: what it is, what it has, how it is reached, what happened to it."""

import re
from dataclasses import replace

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.actions.runs import choosing, claimed, down, up
from tests.factories import headless, machine
from vms.actions import edit, jobs, power
from vms.domain.changes import Changes
from vms.domain.errors import Refusal
from vms.domain.hosts import Ended
from vms.domain.runonce import ConsoleChoice
from vms.models import VM, Host, User

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def text_of(web: Client, path: str) -> str:
    html = re.sub(r"<head>.*?</head>", "", web.get(path).content.decode(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.mark.parametrize("tab", ["", "devices", "console", "console/serial", "console/viewer", "events"])
def test_each_page_shows_itself_with_and_without_a_run(
    tab: str, web: Client, url: str, vm: VM, host: Host, admin: User
) -> None:
    assert "web" in text_of(web, url + tab)
    up(vm, host, by=admin)
    assert "Up" in text_of(web, url + tab)


def test_general_says_what_is_configured(web: Client, url: str) -> None:
    text = text_of(web, url)
    assert "Graphics protocol VNC Video Type VGA Serial Console Disabled USB Disabled" in text
    assert "Memory Size 1024 MiB CPU Topology 1 (1:1:1)" in text


def test_general_of_a_headless_machine_says_none_and_headless(web: Client, headless_vm: VM) -> None:
    text = text_of(web, f"/vms/{headless_vm.pk}/")
    assert "Graphics protocol None headless Video Type None" in text
    assert "Number of Monitors" not in text


def test_general_tells_what_this_run_shows_otherwise(web: Client, headless_vm: VM, host: Host, admin: User) -> None:
    up(headless_vm, host, by=admin, overlay=choosing(ConsoleChoice.SPICE_AND_VNC))
    assert "None headless SPICE + VNC (this run)" in text_of(web, f"/vms/{headless_vm.pk}/")


def test_pending_changes_are_told_old_and_new_with_a_restart(
    web: Client, url: str, vm: VM, host: Host, admin: User
) -> None:
    running = up(vm, host, by=admin)
    edit.edit(running, Changes(console=headless, machine={"memory": 2048}), by=admin)
    text = text_of(web, url)
    assert "Memory Size: 1024 MiB becomes 2048 MiB" in text
    assert "Headless Mode: Disabled becomes Enabled" in text
    assert "Restart now" in text


def test_nothing_is_pending_when_it_was_edited_back(web: Client, url: str, vm: VM, host: Host, admin: User) -> None:
    running = edit.edit(up(vm, host, by=admin), Changes(machine={"memory": 2048}), by=admin)
    edit.edit(running, Changes(machine={"memory": 1024}), by=admin)
    assert "Pending changes" not in text_of(web, url)


def test_a_failed_start_is_told_with_its_reason(web: Client, url: str, vm: VM, host: Host, admin: User) -> None:
    power.start(vm, by=admin)
    jobs.fail(claimed(host), Refusal("HYPERVISOR_REFUSED", None, message="no space left"))
    assert "Run failed. The hypervisor refused: no space left." in text_of(web, url)


def test_how_the_last_run_ended_is_told(web: Client, url: str, vm: VM, host: Host, admin: User) -> None:
    down(up(vm, host, by=admin), host, Ended.CRASHED)
    assert "Down crashed" in text_of(web, url)


def test_each_verb_that_is_not_possible_stays_focusable_and_says_why(web: Client, url: str) -> None:
    html = web.get(url).content.decode()
    for verb in ("suspend", "shutdown", "stop", "reboot", "reset"):
        assert re.search(rf'id="do-{verb}" type="button" aria-disabled="true" aria-describedby="why-{verb}"', html)
        assert re.search(rf'role="tooltip" id="why-{verb}">“[^<]+” is not possible', html)
    assert 'id="do-start" type="submit"' in html


def test_a_suspended_machine_offers_to_resume(web: Client, url: str, vm: VM) -> None:
    VM.objects.filter(pk=vm.pk).update(status="suspended", observed="suspended")
    assert 'id="do-resume" type="submit"' in web.get(url).content.decode()


def test_a_page_that_has_not_changed_sends_nothing(web: Client, url: str, vm: VM, host: Host, admin: User) -> None:
    found = re.search(r"seen=([0-9a-f]+)", web.get(url).content.decode())
    assert found
    assert web.get(f"{url}?seen={found.group(1)}", headers=HTMX).status_code == 204
    up(vm, host, by=admin)
    answer = web.get(f"{url}?seen={found.group(1)}", headers=HTMX)
    assert answer.status_code == 200
    assert answer.content.decode().startswith('<div id="live"')


def test_a_fragment_and_a_page_are_not_mixed_up_by_caches(web: Client, url: str) -> None:
    assert "HX-Request" in web.get(url)["Vary"]


# -- consoles


def test_a_headless_machine_says_why_it_has_no_console_and_what_to_do(web: Client, headless_vm: VM) -> None:
    html = web.get(f"/vms/{headless_vm.pk}/console").content.decode()
    assert "This virtual machine is headless: it has no graphical console." in html
    assert f'href="/vms/{headless_vm.pk}/run-once?console=vnc"' in html
    assert f'href="/vms/{headless_vm.pk}/edit?tab=console"' in html


def test_the_console_button_of_a_headless_machine_leads_to_the_reason(web: Client, headless_vm: VM) -> None:
    html = web.get(f"/vms/{headless_vm.pk}/").content.decode()
    assert re.search(rf'id="do-console" href="/vms/{headless_vm.pk}/console#open" aria-disabled="true"', html)


def test_a_machine_that_is_off_can_be_run_from_there(web: Client, url: str) -> None:
    html = web.get(url + "console").content.decode()
    assert "The virtual machine is not running" in html
    assert 'id="do-run-console"' in html


def test_an_open_console_says_where_it_listens(web: Client, url: str, vm: VM, host: Host, admin: User) -> None:
    up(vm, host, by=admin)
    assert "Address: 127.0.0.1:5900" in text_of(web, url + "console/viewer")


def test_a_screen_that_waits_for_a_restart_offers_it(web: Client, headless_vm: VM, host: Host, admin: User) -> None:
    running = up(headless_vm, host, by=admin)
    edit.edit(running, Changes(console=lambda console, offer: console.as_graphical(offer)), by=admin)
    html = web.get(f"/vms/{headless_vm.pk}/console").content.decode()
    assert "it gets its graphical console with a restart" in html
    assert 'id="do-restart-console"' in html


# -- devices and events


def test_the_devices_of_a_headless_machine_hold_no_screen(web: Client, headless_vm: VM) -> None:
    text = text_of(web, f"/vms/{headless_vm.pk}/devices")
    assert "No video or graphics device is configured (headless)." in text
    assert "Graphics vnc" not in text


def test_the_devices_of_this_run_are_told_beside_the_configured_ones(
    web: Client, headless_vm: VM, host: Host, admin: User
) -> None:
    up(headless_vm, host, by=admin, overlay=choosing(ConsoleChoice.VNC))
    text = text_of(web, f"/vms/{headless_vm.pk}/devices")
    assert "Graphics vnc No Yes" in text
    assert "Video vga heads: 1 vram: 16384 No Yes" in text


def test_events_tell_what_happened_in_sentences(web: Client, url: str, vm: VM, host: Host, admin: User) -> None:
    edit.edit(vm, Changes(console=headless), by=admin)
    up(vm, host, by=admin)
    text = text_of(web, url + "events")
    assert "web was created by admin." in text
    assert "The configuration of web was changed by admin. (Graphics Protocol, Video Type)" in text
    assert "admin started web (Run)." in text
    assert "Run: Finished" in text


# -- the serial line


def test_a_machine_without_a_serial_line_says_so_and_how_to_get_one(web: Client, url: str) -> None:
    html = web.get(url + "console/serial").content.decode()
    assert "web has no serial console." in html
    assert f'href="{url}edit?tab=console"' in html


def test_a_headless_machine_leads_from_its_missing_screen_to_its_serial_line(web: Client, admin: User) -> None:
    vm = machine("quiet", by=admin, console=lambda console, _offer: replace(console.as_headless(), serial=True))
    assert f'href="/vms/{vm.pk}/console/serial"' in web.get(f"/vms/{vm.pk}/console").content.decode()
    html = web.get(f"/vms/{vm.pk}/console/serial").content.decode()
    assert f'data-socket="/consoles/{vm.pk}/serial"' in html


# -- what a page costs


def test_a_page_of_one_machine_takes_eight_queries_at_most(
    web: Client, url: str, vm: VM, headless_vm: VM, host: Host, admin: User
) -> None:
    """Beside the session and who it belongs to; running with changes pending, and headless beside it."""
    edit.edit(up(vm, host, by=admin), Changes(console=headless, machine={"memory": 2048}), by=admin)
    pages = [(page, tab) for page in (url, f"/vms/{headless_vm.pk}/") for tab in ("", "devices", "events", "console")]
    taken = {}
    for page, tab in pages:
        with CaptureQueriesContext(connection) as queries:
            assert web.get(page + tab).status_code == 200
        asked = [query["sql"] for query in queries if not re.search(r'FROM "(django_session|vms_user)"', query["sql"])]
        taken[page, tab] = len(asked)
    assert {where: count for where, count in taken.items() if count > 8} == {}
