"""The frame of every page, what it says of the engine, its errors, and the address that asks whether all is well."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.conf import settings as configured
from django.db import OperationalError
from django.template.loader import render_to_string
from django.test import Client
from django.utils.module_loading import import_string
from pytest_django import Settings

from vms.models import User
from vms.web import pages
from vms.wire import protocol

pytestmark = pytest.mark.django_db

ABSENT = "The engine is not running"


@pytest.fixture
def engine(settings: Settings) -> Iterator[None]:
    """Something that answers at the engine's socket."""
    listening = socket.socket(socket.AF_UNIX)
    with protocol.short_address(Path(settings.RUN_DIR) / protocol.SOCKET_NAME) as address:
        listening.bind(address)
    listening.listen()

    def answer() -> None:
        try:
            while True:
                connection, _peer = listening.accept()
                with connection:
                    protocol.receive(connection)
                    protocol.send(connection, {"type": "ok"})
        except OSError:
            return

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join(5)


def test_all_is_well(client: Client, engine: None) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "engine": "running"})


def test_pages_can_be_served_without_an_engine_and_that_is_told(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok", "engine": "not running"}


def test_a_database_that_is_away_is_told_with_503(client: Client) -> None:
    with mock.patch("vms.web.accounts.connection.cursor", side_effect=OperationalError("gone")):
        answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (503, "database does not answer")


def test_every_page_says_that_the_engine_is_away(web: Client, url: str) -> None:
    for path in ("/vms/", url, "/vms/new"):
        assert ABSENT in web.get(path).content.decode()


def test_no_page_says_so_while_it_is_there(web: Client, url: str, engine: None) -> None:
    for path in ("/vms/", url, "/vms/new"):
        assert ABSENT not in web.get(path).content.decode()


def test_an_open_list_learns_that_the_engine_has_come(web: Client, url: str, request: pytest.FixtureRequest) -> None:
    html = web.get("/vms/").content.decode()
    seen = html.split("seen=")[1].split('"')[0]
    request.getfixturevalue("engine")
    answer = web.get(f"/vms/rows?seen={seen}", headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert ABSENT not in answer.content.decode()


@pytest.mark.parametrize(("hypervisor", "told"), [("memory", True), ("auto", False)])
def test_playing_is_never_mistaken_for_running(
    hypervisor: str, told: bool, web: Client, url: str, settings: Settings
) -> None:
    settings.HYPERVISOR = hypervisor
    for path in ("/vms/", url, "/vms/new"):
        assert ("No real machines" in web.get(path).content.decode()) == told


def test_administrators_begin_on_the_dashboard(web: Client) -> None:
    assert '<h1 class="pf-v6-c-title pf-m-2xl">Dashboard</h1>' in web.get("/").content.decode()


def test_the_language_can_be_chosen(web: Client) -> None:
    web.post("/i18n/setlang/", {"language": "de", "next": "/vms/"})
    assert '<html lang="de">' in web.get("/vms/").content.decode()


def test_a_page_of_errors_needs_nothing_that_could_fail() -> None:
    html = render_to_string("500.html")
    assert "Something went wrong" in html
    source = (configured.BASE_DIR / "templates" / "500.html").read_text()
    assert "{%" not in source
    assert "{{" not in source


def test_an_unexpected_failure_is_that_page(web: Client, url: str) -> None:
    web.raise_request_exception = False
    with mock.patch("vms.web.facts.general", side_effect=RuntimeError("secret detail")):
        answer = web.get(url)
    assert answer.status_code == 500
    assert "Something went wrong" in answer.content.decode()
    assert "secret detail" not in answer.content.decode()


def test_the_handlers_that_the_settings_name_exist() -> None:
    for name in (configured.CSRF_FAILURE_VIEW, "vms.web.accounts.forbidden", "vms.web.accounts.not_found"):
        assert callable(import_string(name))


def test_the_style_sheet_of_the_design_system_is_the_declared_one(web: Client) -> None:
    assert "/vendor/patternfly-6.6.1/patternfly.min.css" in web.get("/vms/").content.decode()


def test_every_kind_of_refusal_has_a_status() -> None:
    from vms.domain.errors import Kind

    assert set(pages.STATUS) == set(Kind)


@pytest.mark.parametrize("here", ["", "not a url", "http://elsewhere/vms/", "\x00", "http://[", "javascript:x"])
def test_a_page_that_a_browser_claims_to_be_on_is_not_trusted(here: str, web: Client, url: str) -> None:
    headers: dict[str, Any] = {"HX-Request": "true", "HX-Current-URL": here}
    answer = web.post(url + "actions/start", headers=headers)
    assert answer.status_code == 200
    assert "elsewhere" not in answer.get("HX-Redirect", "")


def test_the_menu_leads_staff_to_django_admin(web: Client, admin: User) -> None:
    assert "/admin/" not in web.get("/vms/").content.decode()
    User.objects.filter(pk=admin.pk).update(is_staff=True)
    assert 'href="/admin/"' in web.get("/vms/").content.decode()
