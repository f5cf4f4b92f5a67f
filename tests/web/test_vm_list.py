"""The list: what a row says of a machine, that it keeps itself true, and what it costs."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from tests.actions.runs import choosing, claimed, fresh, tell, up
from tests.factories import headless, machine
from vms.actions import edit, jobs, power
from vms.domain.changes import Changes
from vms.domain.errors import Refusal
from vms.domain.lifecycle import Status
from vms.domain.runonce import ConsoleChoice
from vms.models import VM, Host, User
from vms.web import listing

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

HTMX = {"HX-Request": "true"}


def marked_up(web: Client, vm: VM) -> str:
    """A machine's row."""
    html = web.get("/vms/").content.decode()
    found = re.search(rf'<tr [^>]*id="vm-{vm.pk}".*?</tr>', html, re.DOTALL)
    assert found
    return found.group()


def row_of(web: Client, vm: VM) -> str:
    """The text of a machine's row, without its mark-up."""
    return " ".join(re.sub(r"<[^>]+>", " ", marked_up(web, vm)).split())


def cell_of(web: Client, vm: VM, label: str) -> str:
    html = web.get("/vms/").content.decode()
    row = html[html.index(f'id="vm-{vm.pk}"') :]
    cell = re.search(rf'data-label="{label}">(.*?)</td>', row, re.DOTALL)
    assert cell
    return " ".join(re.sub(r"<[^>]+>", " ", cell.group(1)).split())


def mark_of(html: str) -> str:
    found = re.search(r"seen=([0-9a-f.]+)", html)
    assert found
    return found.group(1)


def test_a_row_says_what_is_configured(web: Client, vm: VM) -> None:
    assert row_of(web, vm).startswith("web Down Default VNC VGA 1024 MiB 1")


def test_none_is_never_ambiguous(web: Client, vm: VM, headless_vm: VM) -> None:
    assert cell_of(web, headless_vm, "Graphics") == "None headless"
    assert cell_of(web, vm, "Graphics") == "VNC"


def test_a_run_that_shows_otherwise_is_told_beside_what_is_configured(
    web: Client, headless_vm: VM, host: Host, admin: User
) -> None:
    up(headless_vm, host, by=admin, overlay=choosing(ConsoleChoice.VNC))
    assert cell_of(web, headless_vm, "Graphics") == "None headless VNC (this run)"
    assert cell_of(web, headless_vm, "Video") == "None VGA (this run)"
    assert cell_of(web, headless_vm, "Status") == "Up run once"


def test_a_run_as_configured_is_told_once(web: Client, vm: VM, host: Host, admin: User) -> None:
    up(vm, host, by=admin)
    assert cell_of(web, vm, "Graphics") == "VNC"


def test_pending_changes_are_listed_by_name(web: Client, vm: VM, host: Host, admin: User) -> None:
    edit.edit(up(vm, host, by=admin), Changes(console=headless), by=admin)
    assert "A restart changes: Headless Mode, Video Type, Graphics Protocol" in web.get("/vms/").content.decode()


def test_the_last_failure_is_told_until_something_else_is_asked_for(
    web: Client, vm: VM, host: Host, admin: User
) -> None:
    power.start(vm, by=admin)
    jobs.fail(claimed(host), Refusal("BOOT_FILE_MISSING", "kernel", file="vmlinuz"))
    assert "Run failed. The boot library has no file vmlinuz." in row_of(web, vm)
    power.start(vm, by=admin)
    assert "failed" not in row_of(web, vm)


def test_what_cannot_be_done_says_why(web: Client, headless_vm: VM, vm: VM, host: Host, admin: User) -> None:
    up(headless_vm, host, by=admin)
    why = 'aria-disabled="true" aria-description="This virtual machine is headless: it has no graphical console."'
    assert f'aria-label="Console db" {why}' in marked_up(web, headless_vm)
    VM.objects.filter(pk=vm.pk).update(status="saving_state")
    why = 'aria-description="“Run” is not possible while the virtual machine is in status “Saving State”."'
    assert f'type="button" aria-label="Run web" aria-disabled="true" {why}' in marked_up(web, vm)


def test_everything_else_that_can_be_done_opens_from_the_row(web: Client, vm: VM) -> None:
    assert f'href="/vms/{vm.pk}/actions/" aria-label="Actions web"' in marked_up(web, vm)
    html = web.get(f"/vms/{vm.pk}/actions/").content.decode()
    for done in ("Run Once…", "Edit", "Clone…", "New Template…", "Remove", "Power Off"):
        assert f">{done}</span>" in html, done
    assert 'aria-describedby="why-its-stop"' in html


def test_a_start_that_has_not_happened_yet_can_be_called_off(web: Client, vm: VM, admin: User) -> None:
    power.start(vm, by=admin)
    assert f"/vms/{vm.pk}/actions/shutdown" in web.get("/vms/").content.decode()


# -- keeping itself true


def test_nothing_is_sent_while_nothing_has_changed(web: Client, vm: VM) -> None:
    seen = mark_of(web.get("/vms/").content.decode())
    assert web.get(f"/vms/rows?seen={seen}", headers=HTMX).status_code == 204


def test_only_the_row_that_changed_is_sent(web: Client, vm: VM, headless_vm: VM, host: Host, admin: User) -> None:
    seen = mark_of(web.get("/vms/").content.decode())
    up(vm, host, by=admin)
    html = web.get(f"/vms/rows?seen={seen}", headers=HTMX).content.decode()
    assert f'<tr hx-swap-oob="morph" class="pf-v6-c-table__tr" id="vm-{vm.pk}"' in html
    assert str(headless_vm.pk) not in html
    assert web.get(f"/vms/rows?seen={mark_of(html)}", headers=HTMX).status_code == 204


def test_another_machine_brings_the_whole_body(web: Client, vm: VM, admin: User) -> None:
    seen = mark_of(web.get("/vms/").content.decode())
    machine("another", by=admin)
    html = web.get(f"/vms/rows?seen={seen}", headers=HTMX).content.decode()
    assert 'id="vm-rows" hx-swap-oob="morph"' in html
    assert str(vm.pk) in html


def test_it_looks_every_second_while_something_is_under_way(web: Client, vm: VM, admin: User) -> None:
    assert "every 3s" in web.get("/vms/").content.decode()
    power.start(vm, by=admin)
    assert "every 1s" in web.get("/vms/").content.decode()


@pytest.mark.parametrize("seen", ["", "x", ".", "....", "00000000.1", "\x00", "%", "é" * 40, "9" * 5000])
def test_a_mark_that_nobody_made_brings_everything(seen: str, web: Client, vm: VM) -> None:
    answer = web.get("/vms/rows", {"seen": seen}, headers=HTMX)
    assert answer.status_code == 200
    assert str(vm.pk) in answer.content.decode()


# -- many machines


def test_a_long_list_goes_on_where_the_page_before_ended(
    web: Client, admin: User, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 3)
    for number in range(7):
        machine(f"m{number}", by=admin)
    seen, path = [], "/vms/"
    while path:
        html = web.get(path).content.decode()
        seen += re.findall(r'<a href="/vms/[0-9a-f-]+/">(m\d)</a>', html)
        following = re.search(r'href="(/vms/\?after=[^"]+)" rel="next"', html)
        path = following.group(1) if following else ""
    assert seen == [f"m{number}" for number in range(7)]


@pytest.mark.parametrize("after", ["\x00", "zzz", "é", "'; DROP TABLE vms_vm; --", "a" * 3000])
def test_a_page_that_nobody_asked_for_is_a_page(after: str, web: Client, vm: VM) -> None:
    assert web.get("/vms/", {"after": after}).status_code == 200


@pytest.mark.parametrize("number", [2, 30])
def test_the_list_costs_the_same_for_few_and_for_many(
    number: int, web: Client, admin: User, host: Host, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    for at in range(number):
        made = machine(f"m{at}", by=admin, console=headless if at % 2 else None)
        if at % 3 == 0:
            power.start(made, by=admin)
    with django_assert_max_num_queries(5):
        assert web.get("/vms/").content.decode().count("<tr ") == number + 1


def test_a_machine_of_another_day_is_shown_as_far_as_it_is_known(web: Client, vm: VM, host: Host) -> None:
    """It runs, but nobody knows what it was started with."""
    tell(vm, host, Status.UP)
    assert fresh(vm).run is None
    assert row_of(web, vm).startswith("web Up Default VNC VGA")


def test_a_long_list_and_its_refresh_ask_little(
    web: Client, admin: User, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    """Session and person are asked for every page; beyond that a list takes 4 queries at most, a refresh 3."""
    call_command("seed", vms=120, running=True, verbosity=0)
    with django_assert_max_num_queries(2 + 4):
        html = web.get("/vms/?q=sortby+status+desc").content.decode()
    assert html.count("<tr ") == 101
    assert len(html.encode()) < 150_000
    seen = mark_of(html)
    with django_assert_max_num_queries(2 + 3):
        web.get(f"/vms/rows?q=sortby+status+desc&seen={seen}", headers=HTMX)
