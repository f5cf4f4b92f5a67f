"""Whatever is posted: an answer with a reason, never a failure, and nothing half done."""

from typing import Any, Final

import pytest
from django.test import Client

from tests.web.browser import controls
from tests.web.hostile import VALUES, filled, pour, shifted, survives
from vms.models import VM, Job

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

FIELDS: Final = (
    *("name", "description", "comment", "delete_protected", "memory", "sockets", "cores", "threads", "vm_type"),
    *("firmware", "kernel", "initrd", "parameters", "start_paused", "headless", "protocol", "video_type", "keyboard"),
    *("monitors", "usb", "smartcard", "sound", "file_transfer", "copy_paste", "serial"),
    *("template", "instance_type", "cluster"),
)
HIDDEN: Final = ("version", "state")


@pytest.mark.parametrize("path", ["edit", "/vms/new"])
def test_no_value_of_any_field_breaks_a_dialog(path: str, web: Client, url: str) -> None:
    address = path if path.startswith("/") else url + path
    data, fields = filled(web, address)
    assert fields >= set(FIELDS) - {"template", "instance_type", "cluster"}
    for values in shifted({*FIELDS, *fields}):
        pour(web, address, data, values)


@pytest.mark.parametrize("path", ["edit/preview", "/vms/new/preview"])
def test_no_value_of_any_field_breaks_a_preview(path: str, web: Client, url: str) -> None:
    address = path if path.startswith("/") else url + path
    _data, fields = filled(web, address.removesuffix("/preview"))
    assert all(survives(web.post(address, values)) for values in shifted({*FIELDS, *HIDDEN, *fields}))


@pytest.mark.parametrize("field", HIDDEN)
def test_no_value_that_the_page_keeps_breaks_the_edit(field: str, web: Client, url: str) -> None:
    data, _fields = filled(web, url + "edit")
    assert [value for value in VALUES if not survives(web.post(url + "edit", {**data, field: value}))] == []


@pytest.mark.stress
@pytest.mark.parametrize("path", ["edit", "/vms/new"])
def test_no_value_alone_in_any_field_breaks_a_dialog(path: str, web: Client, url: str) -> None:
    address = path if path.startswith("/") else url + path
    data, fields = filled(web, address)
    for name in {*FIELDS, *HIDDEN, *fields}:
        for value in VALUES:
            pour(web, address, data, {name: value})


@pytest.mark.parametrize("path", ["edit", "edit/preview", "run-once"])
@pytest.mark.parametrize("data", [{}, {"name": ["a", "b"]}, {"state": "a:b:c", "version": "1"}])
def test_no_form_at_all_breaks_nothing(data: dict[str, Any], path: str, web: Client, url: str) -> None:
    assert survives(web.post(url + path, data))


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"%", b"a=%ff%fe", b"&&&===", b"headless=on&headless=off"])
def test_a_body_that_is_no_form_breaks_nothing(body: bytes, web: Client, url: str) -> None:
    for path in ("edit", "edit/preview", "run-once", "actions/start"):
        answer = web.post(url + path, body, content_type="application/x-www-form-urlencoded")
        assert survives(answer)


@pytest.mark.parametrize(
    "path",
    [
        "/vms/00000000-0000-0000-0000-000000000000/",
        "/vms/not-a-uuid/",
        "/vms/%00/",
        "/vms/..%2f..%2fadmin/",
        "/vms/new/actions/start",
    ],
)
def test_an_address_that_leads_nowhere_is_a_page_that_says_so(path: str, web: Client) -> None:
    answer = web.get(path)
    assert answer.status_code == 404
    assert "Nothing is here, or nothing that you may see." in answer.content.decode()


def test_what_was_refused_has_left_nothing_behind(web: Client, url: str, vm: VM) -> None:
    before = VM.objects.values().get(pk=vm.pk)
    data = controls(web.get(url + "edit").content.decode(), url + "edit").data
    web.post(url + "edit", {**data, "description": "half", "memory": "1"})
    web.post(url + "run-once", {"console": "telnet"})
    assert (VM.objects.values().get(pk=vm.pk), Job.objects.count()) == (before, 0)
