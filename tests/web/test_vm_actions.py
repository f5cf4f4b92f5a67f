"""The power buttons: each records what was asked for; what is refused is told, and nothing happens."""

from typing import Any

import pytest
from django.test import Client

from tests.actions.runs import up
from tests.factories import person
from tests.web.browser import controls
from vms.models import VM, Host, Job, User

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def test_run_records_a_start_and_says_so(web: Client, url: str) -> None:
    answer = web.post(url + "actions/start", follow=True)
    assert answer.redirect_chain == [(url, 302)]
    assert "“Run” was requested for web." in answer.content.decode()
    assert Job.objects.get().verb == "start"


def test_by_htmx_the_page_stays_and_looks_anew(web: Client, url: str) -> None:
    answer = web.post(url + "actions/start", headers={**HTMX, "HX-Current-URL": f"http://testserver{url}"})
    assert (answer.status_code, answer["HX-Trigger"]) == (200, '{"saved": {}}')


@pytest.mark.parametrize("verb", ["shutdown", "stop", "reboot", "reset", "suspend"])
def test_a_running_machine_takes_each_verb(verb: str, web: Client, url: str, vm: VM, host: Host, admin: User) -> None:
    up(vm, host, by=admin)
    web.post(f"{url}actions/{verb}")
    assert Job.objects.filter(verb=verb).exists()


@pytest.mark.parametrize("verb", ["shutdown", "stop", "reboot", "reset", "suspend", "resume"])
def test_a_verb_in_the_wrong_state_is_refused_with_the_reason(verb: str, web: Client, url: str) -> None:
    answer = web.post(f"{url}actions/{verb}", headers=HTMX)
    assert answer.status_code == 409
    assert "is not possible while the virtual machine is in status “Down”." in answer.content.decode()
    assert not Job.objects.exists()


def test_without_htmx_the_reason_is_on_the_page(web: Client, url: str) -> None:
    answer = web.post(url + "actions/reset", follow=True)
    assert "“Reset” is not possible" in answer.content.decode()


@pytest.mark.parametrize("verb", ["run_once", "edit", "remove", "explode", "set_reboot", "undefine"])
def test_what_is_no_power_button_is_not_there(verb: str, web: Client, url: str) -> None:
    assert web.post(f"{url}actions/{verb}").status_code == 404


def test_every_way_to_the_screen_of_a_headless_machine_is_refused_with_the_reason(
    web: Client, headless_vm: VM, host: Host, admin: User
) -> None:
    url = f"/vms/{up(headless_vm, host, by=admin).pk}/console/"
    for path in ("vnc/pass", "ticket", "viewer/vnc", "viewer/spice"):
        answer = web.post(f"{url}{path}", headers=HTMX)
        assert answer.status_code == 409, path
        assert "This virtual machine is headless: it has no graphical console." in answer.content.decode(), path
    assert "This virtual machine is headless" in web.get(url.rstrip("/")).content.decode()


def test_a_machine_that_no_host_can_run_says_so(web: Client, url: str, host: Host) -> None:
    Host.objects.update(status="non_responsive")
    answer = web.post(url + "actions/start", headers=HTMX)
    assert answer.status_code == 503
    assert "Host local does not respond." in answer.content.decode()


def test_a_missing_package_is_named(web: Client, url: str, host: Host) -> None:
    reason: dict[str, Any] = {"code": "HYPERVISOR_PACKAGE_MISSING", "params": {"package": "libvirt-daemon"}}
    Host.objects.update(status="down", reason=reason)
    answer = web.post(url + "actions/start", follow=True)
    assert "libvirt-daemon is missing" in answer.content.decode()


def test_whoever_may_look_but_not_act_is_told_so(vm: VM, url: str, client: Client) -> None:
    """The list of an auditor, say: an administrative role that grants nothing else."""
    from vms.models import Permission, Role, RolePermit

    role = Role.objects.create(name="Auditor", administrative=True)
    RolePermit.objects.create(role=role, action_group="login")
    erin = person("erin")
    Permission.objects.create(user=erin, role=role)
    client.force_login(erin)
    assert client.get(url).status_code == 200
    answer = client.post(url + "actions/start", headers=HTMX)
    assert answer.status_code == 403
    assert "Your roles do not allow you to run virtual machines here." in answer.content.decode()


# -- a machine that nobody could reach


def test_running_what_nobody_could_reach_asks_first(web: Client, headless_vm: VM) -> None:
    path = f"/vms/{headless_vm.pk}/actions/start"
    answer = web.post(path)
    html = answer.content.decode()
    assert (answer.status_code, Job.objects.count()) == (200, 0)
    assert "Locked out" in html
    assert f'href="/vms/{headless_vm.pk}/edit?tab=console&amp;cure=enable_serial"' in html
    assert f'href="/vms/{headless_vm.pk}/run-once?console=vnc"' in html
    web.post(path, controls(html, path).data)
    assert Job.objects.get().verb == "start"


def test_the_question_is_shown_as_a_dialog(web: Client, headless_vm: VM) -> None:
    answer = web.post(f"/vms/{headless_vm.pk}/actions/start", headers=HTMX)
    assert (answer["HX-Retarget"], answer["HX-Reswap"]) == ("#dialog", "innerHTML")
    assert answer.content.decode().strip().startswith("<form")


def test_a_machine_within_reach_starts_unasked(web: Client, url: str) -> None:
    assert web.post(url + "actions/start").status_code == 302
    assert Job.objects.get().verb == "start"
