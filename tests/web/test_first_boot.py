"""The tab Initial Run of the dialogs, and its box in Run Once."""

from typing import Any

import pytest
from django.test import Client

from tests.web.browser import controls
from vms.actions import initial
from vms.domain.secret import Secret
from vms.models import VM, Host, Job, Template, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh alice"
SECRET = "s3cret-of-alice"
TYPED = {
    "initialization_user_name": "alice",
    "initialization_root_password": SECRET,
    "initialization_authorized_ssh_keys": KEY,
    "initialization_host_name": "web.example.org",
    "initialization_timezone": "Europe/Berlin",
    "initialization_dns_servers": "192.0.2.53",
    "initialization_dns_search": "example.org",
    "initialization_nic_configurations": "nic1 192.0.2.10/24 192.0.2.1\r\nnic2 dhcp\r\nnic3 2001:db8::5/64",
    "initialization_prepare_headless": "on",
    "initialization_custom_script": "#!/bin/sh\r\ntrue\r\n",
}


def send(web: Client, path: str, **values: Any) -> Any:
    drawn = controls(web.get(path).content.decode(), path)
    return web.post(path, {**drawn.data, **values})


def test_what_is_typed_is_what_the_guest_is_told_and_the_password_comes_back_to_nobody(
    web: Client, vm: VM, admin: User
) -> None:
    path = f"/vms/{vm.pk}/edit"
    assert send(web, path, **TYPED).status_code == 302
    row = VM.objects.get(pk=vm.pk)
    told = initial.of(row)
    assert (told.user, told.password, told.keys) == ("alice", Secret(SECRET), (KEY,))
    assert (told.host_name, told.time_zone, told.dns) == ("web.example.org", "Europe/Berlin", ("192.0.2.53",))
    first, second, third = told.nics
    assert first.v4 is not None
    assert (first.v4.interface, first.v4.gateway) == ("192.0.2.10/24", "192.0.2.1")
    assert (second.v4, third.v6 and third.v6.interface) == (None, "2001:db8::5/64")
    assert (told.script, told.headless) == ("#!/bin/sh\ntrue\n", True)
    html = web.get(path).content.decode()
    assert SECRET not in html
    assert "nic1 192.0.2.10/24 192.0.2.1" in html
    # Saved again without a password it stays, and an emptied field says nothing any more.
    again = {**TYPED, "initialization_root_password": "", "initialization_host_name": ""}
    assert send(web, path, **again).status_code == 302
    told = initial.of(VM.objects.get(pk=vm.pk))
    assert (told.password, told.host_name) == (Secret(SECRET), "")


def test_a_refusal_is_said_at_its_field(web: Client, vm: VM, admin: User) -> None:
    for name, typed in (
        ("initialization_host_name", "not a host"),
        ("initialization_dns_servers", "somewhere"),
        ("initialization_authorized_ssh_keys", "my key"),
        ("initialization_nic_configurations", "nic1 everywhere"),
        ("initialization_timezone", "Mars/Phobos"),
    ):
        answer = send(web, f"/vms/{vm.pk}/edit", **{name: typed})
        assert (answer.status_code, set(answer.context["form"].errors)) == (422, {name})


def test_templates_have_the_tab_too(web: Client, admin: User) -> None:
    assert send(web, "/templates/new", name="base", **TYPED).status_code == 302
    assert initial.of(Template.objects.get(name="base")).user == "alice"


def test_run_once_offers_to_tell_again(web: Client, vm: VM, host: Host, admin: User) -> None:
    path = f"/vms/{vm.pk}/run-once"
    assert "initialize" not in controls(web.get(path).content.decode(), path).data, "there is nothing to tell"
    send(web, f"/vms/{vm.pk}/edit", **TYPED)
    assert controls(web.get(path).content.decode(), path).data["initialize"] == "on"
    assert send(web, path).status_code == 302
    assert Job.objects.get(verb="run_once").params["seed"]
