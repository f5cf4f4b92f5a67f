"""Whatever is posted: an answer with a reason, never a failure, and nothing half done."""

from typing import Any, Final

import pytest
from django.test import Client

from tests.web.browser import controls
from vms.models import VM, Host, Job

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

VALUES: Final = (
    "",
    " ",
    "\x00",
    "abc",
    "-1",
    "0",
    "NaN",
    "1e309",
    "9" * 400,
    "9" * 5000,
    "<script>alert(1)</script>",
    "'; DROP TABLE vms_vm; --",
    "%(name)s %s {0} {{ vm }}",
    "../../../etc/passwd",
    "ü" * 300,
    "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    "\u202egnp.exe",
    "\r\nSet-Cookie: x=1",
    "x" * 60_000,
)
FIELDS: Final = (
    *("name", "description", "comment", "delete_protected", "memory", "sockets", "cores", "threads", "vm_type"),
    *("firmware", "kernel", "initrd", "parameters", "start_paused", "headless", "protocol", "video_type", "keyboard"),
    *("monitors", "usb", "smartcard", "sound", "file_transfer", "copy_paste", "serial", "version", "state"),
    *("template", "instance_type", "cluster"),
)


def survives(answer: Any) -> bool:
    return answer.status_code in {200, 302, 409, 422}


@pytest.mark.parametrize("field", FIELDS)
def test_no_value_of_any_field_breaks_the_edit(field: str, web: Client, url: str) -> None:
    data = controls(web.get(url + "edit").content.decode(), url + "edit").data
    failed = [value for value in VALUES if not survives(web.post(url + "edit", {**data, field: value}))]
    assert failed == []


@pytest.mark.parametrize("field", ["name", "cluster", "template", "instance_type", "state", "memory"])
def test_no_value_of_a_field_breaks_a_new_machine(field: str, web: Client, host: Host) -> None:
    data = controls(web.get("/vms/new").content.decode(), "/vms/new").data
    failed = [value for value in VALUES if not survives(web.post("/vms/new", {**data, field: value}))]
    assert failed == []


@pytest.mark.parametrize("path", ["edit/preview", "/vms/new", "/vms/new/preview"])
def test_nonsense_in_every_field_at_once_breaks_nothing(path: str, web: Client, url: str) -> None:
    address = path if path.startswith("/") else url + path
    failed = [value for value in VALUES if not survives(web.post(address, dict.fromkeys(FIELDS, value)))]
    assert failed == []


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
