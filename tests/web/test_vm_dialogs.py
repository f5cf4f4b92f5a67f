"""The dialogs, as pages and as fragments: made, changed, run once, removed; refused with the field and kept open."""

from typing import Any

import pytest
from django.test import Client

from tests.actions.runs import up
from tests.factories import headless
from tests.web.browser import controls, ticked
from tests.web.kinds import GRAPHICAL
from vms.actions import edit, reports
from vms.domain.changes import Changes
from vms.domain.console import HEADLESS, VNC, Protocol
from vms.domain.hosts import Capabilities
from vms.models import VM, Host, InstanceType, Job, User

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def opened(web: Client, path: str, action: str = "", **given: Any) -> dict[str, str]:
    """What the browser holds of a page's form."""
    return controls(web.get(path, **given).content.decode(), action or path).data


def html_of(answer: Any) -> str:
    return str(answer.content.decode())


# -- editing


def test_saving_as_a_page_leads_to_the_machine_and_says_so(web: Client, url: str, vm: VM) -> None:
    answer = web.post(url + "edit", ticked(opened(web, url + "edit"), description="mine"), follow=True)
    assert answer.redirect_chain == [(url, 302)]
    assert "web was saved." in html_of(answer)
    assert VM.objects.get(pk=vm.pk).description == "mine"


def test_saving_as_a_dialog_keeps_the_page_beneath_and_has_it_look_anew(web: Client, url: str) -> None:
    data = ticked(opened(web, url + "edit"), description="mine")
    beneath = {**HTMX, "HX-Current-URL": "http://testserver/vms/"}
    answer = web.post(url + "edit", data, headers=beneath)
    assert (answer.status_code, answer["HX-Trigger"]) == (200, '{"saved": {}}')
    assert 'id="toasts"' in html_of(answer)
    assert "web was saved." in html_of(answer)


def test_saving_the_page_itself_with_htmx_leaves_it(web: Client, url: str) -> None:
    beneath = {**HTMX, "HX-Current-URL": f"http://testserver{url}edit"}
    answer = web.post(url + "edit", opened(web, url + "edit"), headers=beneath)
    assert answer["HX-Redirect"] == url


def test_a_dialog_is_the_fragment_of_its_page(web: Client, url: str) -> None:
    page, fragment = html_of(web.get(url + "edit")), html_of(web.get(url + "edit", headers=HTMX))
    assert "<html" in page
    assert "<html" not in fragment
    assert fragment.strip().startswith("<form")


def test_a_page_that_the_browser_restores_is_whole(web: Client, url: str) -> None:
    restored = web.get(url + "edit", headers={**HTMX, "HX-History-Restore-Request": "true"})
    assert "<html" in html_of(restored)


def test_ticking_headless_is_drawn_by_the_server(web: Client, url: str) -> None:
    data = ticked(opened(web, url + "edit"), "headless", "accept_lockout")
    drawn = controls(html_of(web.post(url + "edit/preview", data, headers=HTMX)))
    assert drawn.disabled == {*GRAPHICAL, "tpm"}  # for want of UEFI
    assert "serial" not in drawn.disabled


def test_what_is_greyed_out_is_described_by_its_reason(web: Client, url: str) -> None:
    html = html_of(
        web.post(url + "edit/preview", ticked(opened(web, url + "edit"), "headless", "accept_lockout"), headers=HTMX)
    )
    assert 'id="headless-reason" hidden>Not used while Headless Mode is on.</p>' in html
    assert html.count('aria-describedby="headless-reason"') == len(GRAPHICAL)


def test_unticking_in_the_open_dialog_brings_back_what_was_chosen(web: Client, url: str) -> None:
    chosen = ticked(opened(web, url + "edit"), protocol="spice")
    data = controls(html_of(web.post(url + "edit/preview", chosen))).data
    data = controls(
        html_of(web.post(url + "edit/preview", ticked(data, "headless", "accept_lockout"))), url + "edit"
    ).data
    data = controls(html_of(web.post(url + "edit/preview", ticked(data, headless=None))), url + "edit").data
    assert (data["protocol"], data["video_type"], "headless" in data) == ("spice", "qxl", False)


def test_a_preview_saves_and_judges_nothing(web: Client, url: str, vm: VM) -> None:
    answer = web.post(
        url + "edit/preview", ticked(opened(web, url + "edit"), "headless", "accept_lockout", name="", memory="abc")
    )
    assert answer.status_code == 200
    assert "Nothing was saved" not in html_of(answer)
    assert VM.objects.get(pk=vm.pk).console == vm.console


def test_saved_headless_it_is_headless_and_keeps_its_serial_console(web: Client, url: str, vm: VM) -> None:
    web.post(url + "edit", ticked(opened(web, url + "edit"), "serial"))
    web.post(url + "edit", ticked(opened(web, url + "edit"), "headless", "accept_lockout"))
    console = VM.objects.get(pk=vm.pk).console
    assert (console.graphics, console.video, console.serial) == (HEADLESS, None, True)


def test_usb_that_goes_off_is_told_before_saving(web: Client, url: str) -> None:
    data = controls(html_of(web.post(url + "edit/preview", ticked(opened(web, url + "edit"), protocol="spice")))).data
    html = html_of(web.post(url + "edit/preview", ticked(data, "usb", "headless", "accept_lockout")))
    assert "USB will be switched off:" in html
    assert "USB will be switched off:" not in html_of(web.post(url + "edit/preview", ticked(data, "usb")))


def test_what_is_refused_keeps_the_dialog_open_with_the_error_at_its_field(web: Client, url: str) -> None:
    data = ticked(opened(web, url + "edit"), memory="1", name="<script>", cores="0")
    for headers in ({}, HTMX):
        answer = web.post(url + "edit", data, headers=headers)
        assert answer.status_code == 422
        html = html_of(answer)
        assert 'id="id_memory_error"' in html
        assert 'aria-describedby="id_memory_error"' in html
        assert 'data-tabs="general"' in html
        assert 'id="id_name_error"' in html
        assert 'value="<script>"' not in html


def test_the_tab_of_the_first_error_is_opened(web: Client, url: str) -> None:
    answer = web.post(url + "edit", ticked(opened(web, url + "edit"), cores="0"))
    assert 'data-tabs="system"' in html_of(answer)


def test_an_error_that_the_basic_view_shows_leaves_it_basic(web: Client, url: str) -> None:
    html = html_of(web.post(url + "edit", ticked(opened(web, url + "edit"), memory="1")))
    assert "data-tabs" not in html
    assert 'id="id_memory_error"' in html


def test_a_tab_can_be_linked_to(web: Client, url: str) -> None:
    assert 'data-tabs="console"' in html_of(web.get(url + "edit?tab=console"))


@pytest.mark.parametrize("tab", ['"><script>', "\x00", "none", "é"])
def test_a_tab_that_does_not_exist_does_no_harm(tab: str, web: Client, url: str) -> None:
    answer = web.get(url + "edit", {"tab": tab})
    assert answer.status_code == 200
    assert "><script>" not in html_of(answer)


def test_two_people_who_edit_at_once_lose_nothing(web: Client, url: str, vm: VM, admin: User) -> None:
    data = opened(web, url + "edit")
    edit.edit(vm, Changes(machine={"memory": 4096}), by=admin)
    answer = web.post(url + "edit", ticked(data, memory="2048"))
    assert answer.status_code == 422
    assert "was changed by somebody else while you edited it" in html_of(answer)
    assert VM.objects.get(pk=vm.pk).memory == 4096


def test_a_running_machine_keeps_its_shape(web: Client, url: str, vm: VM, host: Host, admin: User) -> None:
    up(vm, host, by=admin)
    data = ticked(opened(web, url + "edit"), "headless", "accept_lockout")
    web.post(url + "edit", {**data, "confirmed": "save"})
    after = VM.objects.get(pk=vm.pk)
    assert (after.console.headless, after.pending, after.running_graphics) == (True, True, "vnc")


def test_a_protocol_that_no_host_offers_is_refused_with_the_reason(web: Client, url: str, host: Host) -> None:
    reports.host_seen(host, Capabilities(graphics=VNC))
    answer = web.post(url + "edit", ticked(opened(web, url + "edit"), protocol="spice"))
    assert answer.status_code == 422
    assert "No host of the cluster offers SPICE." in html_of(answer)


# -- making


def test_a_new_machine_is_made_and_shown(web: Client, host: Host) -> None:
    answer = web.post("/vms/new", ticked(opened(web, "/vms/new"), "headless", "accept_lockout", name="n1"))
    made = VM.objects.get(name="n1")
    assert answer["Location"] == f"/vms/{made.pk}/"
    assert made.console.headless


def test_made_in_a_dialog_it_is_shown_on_its_page(web: Client, host: Host) -> None:
    beneath = {**HTMX, "HX-Current-URL": "http://testserver/vms/"}
    answer = web.post("/vms/new", ticked(opened(web, "/vms/new"), name="n1"), headers=beneath)
    assert answer["HX-Redirect"] == f"/vms/{VM.objects.get(name='n1').pk}/"


def test_a_name_that_is_taken_is_an_error_of_the_name(web: Client, vm: VM) -> None:
    answer = web.post("/vms/new", ticked(opened(web, "/vms/new"), name="web"))
    assert answer.status_code == 422
    assert "This name is in use already." in html_of(answer)
    assert VM.objects.count() == 1


def test_choosing_an_instance_type_shows_its_size(web: Client, host: Host) -> None:
    large = InstanceType.objects.get(name="Large")
    data = ticked(opened(web, "/vms/new"), instance_type=str(large.pk), name="n1")
    drawn = controls(html_of(web.post("/vms/new/preview", data, headers=HTMX))).data
    assert (drawn["memory"], drawn["name"]) == ("8192", "n1")


# -- running once


def run_once(web: Client, url: str, **chosen: Any) -> Any:
    return web.post(url + "run-once", ticked(opened(web, url + "run-once"), "accept_lockout", **chosen))


@pytest.mark.parametrize(
    ("choice", "graphics"),
    [
        ("as_configured", None),
        ("headless", []),
        ("vnc", ["vnc"]),
        ("spice", ["spice"]),
        ("spice_and_vnc", ["spice", "vnc"]),
    ],
)
def test_run_once_starts_with_the_chosen_console(choice: str, graphics: Any, web: Client, url: str) -> None:
    run_once(web, url, console=choice)
    assert Job.objects.get().params["run"]["once"]["graphics"] == graphics


def test_what_is_configured_is_chosen_to_begin_with(
    web: Client, url: str, vm: VM, headless_vm: VM, admin: User
) -> None:
    assert opened(web, url + "run-once")["console"] == "vnc"
    assert opened(web, f"/vms/{headless_vm.pk}/run-once", "run-once")["console"] == "headless"
    edit.edit(vm, Changes(console=lambda console, offer: console.with_graphics(Protocol.SPICE, offer)), by=admin)
    assert opened(web, url + "run-once")["console"] == "spice_and_vnc"


def test_a_link_can_choose_vnc(web: Client, headless_vm: VM) -> None:
    path = f"/vms/{headless_vm.pk}/run-once"
    assert opened(web, path + "?console=vnc", path)["console"] == "vnc"
    assert opened(web, path + "?console=\x00", path)["console"] == "headless"


def test_run_once_says_what_else_holds_for_this_run(web: Client, url: str) -> None:
    run_once(web, url, keyboard="de", serial="on", start_paused="on", volatile="on")
    once = Job.objects.get().params["run"]["once"]
    assert (once["keyboard"], once["serial"], once["start_paused"], once["volatile"]) == ("de", True, True, True)


def test_what_no_host_offers_cannot_be_chosen_for_a_run(web: Client, url: str, host: Host) -> None:
    reports.host_seen(host, Capabilities(graphics=VNC))
    html = html_of(web.get(url + "run-once"))
    assert html.count("No host of the cluster offers SPICE.") == 2
    assert controls(html, "run-once").disabled == {"console", "stateless", "file_transfer", "copy_paste"}
    answer = run_once(web, url, console="spice")
    assert answer.status_code == 422
    assert not Job.objects.exists()


def test_run_once_of_a_running_machine_is_refused_in_the_dialog(
    web: Client, url: str, vm: VM, host: Host, admin: User
) -> None:
    up(vm, host, by=admin)
    answer = run_once(web, url, console="vnc")
    assert answer.status_code == 422
    assert "“Run Once” is not possible while the virtual machine is in status “Up”." in html_of(answer)


@pytest.mark.parametrize(
    ("field", "value"),
    [("console", "telnet"), ("console", ""), ("keyboard", "klingon"), ("serial", "maybe"), ("console", "\x00")],
)
def test_nonsense_in_run_once_is_an_error_of_its_field(field: str, value: str, web: Client, url: str) -> None:
    answer = run_once(web, url, **{field: value})
    assert answer.status_code == 422
    assert f'id="id_{field}_error"' in html_of(answer)
    assert not Job.objects.exists()


# -- removing


def test_removing_asks_first_and_then_leads_to_the_list(web: Client, url: str, vm: VM) -> None:
    assert "This cannot be undone." in html_of(web.get(url + "remove"))
    assert VM.objects.filter(pk=vm.pk).exists()
    assert web.post(url + "remove")["Location"] == "/vms/"
    assert not VM.objects.filter(pk=vm.pk).exists()


def test_what_cannot_be_removed_says_why(web: Client, url: str, vm: VM, admin: User) -> None:
    edit.edit(vm, Changes(attributes={"delete_protected": True}), by=admin)
    html = html_of(web.get(url + "remove"))
    assert "is protected against deletion" in html
    assert '<button class="pf-v6-c-button pf-m-danger"' not in html
    assert "is protected against deletion" in html_of(web.post(url + "remove", follow=True))
    assert VM.objects.filter(pk=vm.pk).exists()


def test_a_refused_removal_in_a_dialog_is_told_on_the_page(web: Client, url: str, vm: VM, admin: User) -> None:
    edit.edit(vm, Changes(attributes={"delete_protected": True}, console=headless), by=admin)
    answer = web.post(url + "remove", headers={**HTMX, "HX-Current-URL": f"http://testserver{url}"})
    assert answer.status_code == 409
    assert 'hx-swap-oob="beforeend"' in html_of(answer)
