"""Hosts whose screens viewers elsewhere reach: opened by whoever edits hosts, for the runs that begin afterwards."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from django.test import Client

from tests.actions.runs import fresh, seen, up
from tests.api.caller import Caller
from tests.consoles.engine import Consoles, engine
from tests.web.browser import controls
from vms.actions import hosts, reports, tickets, viewing
from vms.domain.console import Protocol
from vms.domain.errors import Refusal
from vms.domain.hosts import Endpoint
from vms.domain.lifecycle import Status
from vms.models import VM, AuditEvent, Host, Job, User

__all__ = ["engine"]

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

OPEN = {"console_listen": "0.0.0.0", "console_address": "host.example.org"}


def certificate() -> str:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ca")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    dated = made.not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return dated.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def listening(vm: VM, host: Host, address: str, **more: Any) -> VM:
    """The machine, seen with a screen that listens there."""
    endpoint = Endpoint(protocol=Protocol.VNC, address=address, port=5901, **more)
    reports.machine_seen(host, replace(seen(vm, Status.UP), endpoints=(endpoint,)))
    return fresh(vm)


def test_a_run_listens_where_its_host_says_when_it_begins(vm: VM, host: Host, admin: User, headless_vm: VM) -> None:
    up(vm, host, by=admin)
    assert Job.objects.get(verb="start").params["run"]["listen"] == "127.0.0.1"
    hosts.edit(host, by=admin, **OPEN, console_tls=True)
    up(headless_vm, host, by=admin)
    assert Job.objects.get(machine=headless_vm.pk).params["run"]["listen"] == "127.0.0.1", "there is nothing to reach"
    run = fresh(vm).run
    assert run is not None
    assert run.listen == "127.0.0.1"
    assert AuditEvent.objects.get(code="USER_UPDATE_VDS").after["console_listen"] == "0.0.0.0"


def test_viewers_are_told_the_address_that_they_reach(vm: VM, host: Host, admin: User, engine: Consoles) -> None:
    hosts.edit(host, by=admin, **OPEN, console_authority=certificate(), console_subject="CN=host")
    up(vm, host, by=admin)
    shown = listening(vm, host, "0.0.0.0", tls_port=5902)
    assert tickets.endpoint(shown, by=admin).address == "host.example.org"
    text = viewing.file(shown, Protocol.VNC, by=admin)
    told = ("host=host.example.org", "port=5901", "tls-port=5902", "host-subject=CN=host")
    assert set(told) <= set(text.splitlines())
    assert "\nca=-----BEGIN CERTIFICATE-----\\n" in text
    assert "host=127.0.0.1\n" in viewing.file(listening(vm, host, "127.0.0.1"), Protocol.VNC, by=admin)


def test_only_whoever_edits_hosts_opens_them_and_nonsense_is_refused(host: Host, admin: User, alice: User) -> None:
    with pytest.raises(Refusal, match="USER_NOT_AUTHORIZED"):
        hosts.edit(host, by=alice, **OPEN)
    for field, columns in (
        ("console_address", {"console_listen": "0.0.0.0"}),
        ("console_listen", {"console_listen": "here"}),
        ("console_authority", {"console_authority": "-----BEGIN CERTIFICATE-----\nnonsense"}),
        ("console_subject", {"console_subject": "a\nb"}),
    ):
        with pytest.raises(Refusal) as no:
            hosts.edit(host, by=admin, **columns)
        assert no.value.field == field
    host.refresh_from_db()
    assert (host.console_listen, host.console_authority) == ("127.0.0.1", "")


def test_the_dialog_and_rest_say_the_same(client: Client, host: Host, admin: User) -> None:
    client.force_login(admin)
    path = f"/hosts/{host.pk}/edit"
    data = controls(client.get(path).content.decode(), path).data
    assert data["console_listen"] == "127.0.0.1"
    assert client.post(path, {**data, "console_listen": "0.0.0.0"}).context["form"].errors.keys() == {"console_address"}
    assert client.post(path, {**data, **OPEN}).status_code == 302
    api = Caller(admin)
    told = api.get(f"/hosts/{host.pk}")
    assert (told.at("display/address"), told.at("display/listen")) == ("host.example.org", "0.0.0.0")
    pem = certificate()
    display = {"listen": "10.0.0.1", "secure": "true", "certificate": {"content": pem, "subject": "CN=h"}}
    assert api.put(f"/hosts/{host.pk}", "host", {"display": display}).status == 200
    host.refresh_from_db()
    assert (host.console_listen, host.console_tls, host.console_subject) == ("10.0.0.1", True, "CN=h")
    assert host.console_authority == pem.strip()
    assert api.put(f"/hosts/{host.pk}", "host", {"display": {"listen": "x"}}).status == 400
