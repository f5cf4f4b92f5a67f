"""Bad input at the door: the fault bodies of oVirt, never a failure of the server, and nothing half done."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.api.caller import BASE, Answer, Caller
from tests.api.test_bodies import HOSTILE_JSON, HOSTILE_XML
from tests.factories import machine
from vms.actions import create
from vms.models import VM, AuditEvent, InstanceType, Job, Permission, Pool, Template, User
from vms.models.machines import BLANK

pytestmark = pytest.mark.django_db
# What reaches the database, or just does not; hostile bodies end before.
SQL = pytest.mark.sql

PLACE = {"cluster": {"name": "Default"}, "template": {"name": "Blank"}}
UNKNOWN = "12345678-1234-1234-1234-123456789abc"
MODELS = (VM, Template, Pool, InstanceType)


def state() -> Any:
    """All that somebody could have half done."""
    rows = [(row.pk, row.version, row.spec) for model in MODELS for row in model.objects.order_by("pk")]
    return rows, Job.objects.count(), AuditEvent.objects.count(), Permission.objects.count()


@pytest.fixture
def refused(api: Caller, vm: VM) -> Iterator[Callable[[Answer, int], tuple[str, str]]]:
    """Checks that an answer is a fault with this status; and at the end that nothing has been done."""
    before = state()

    def check(answer: Answer, status: int) -> tuple[str, str]:
        assert answer.status == status, answer.text
        reason, detail = answer.fault
        assert reason
        assert detail
        return reason, detail

    yield check
    assert state() == before


Check = Callable[[Answer, int], tuple[str, str]]

BAD_WORDS: list[tuple[dict[str, Any], str]] = [
    ({"display": {"type": "rdp"}}, "Invalid Enum value"),
    ({"display": {"type": ""}}, "Invalid Enum value"),
    ({"display": {"video_type": "none"}}, "Invalid Enum value"),
    ({"type": "mainframe"}, "Invalid Enum value"),
    ({"bios": {"type": "q35_coreboot"}}, "Invalid Enum value"),
    ({"bios": {"type": "q35_sea_bios"}, "tpm_enabled": True}, "Operation Failed"),
    ({"graphics_consoles": {"graphics_console": [{"protocol": "rdp"}]}}, "Invalid Enum value"),
    ({"memory": "much"}, "Invalid value"),
    ({"memory": "1.5"}, "Invalid value"),
    ({"memory": ""}, "Invalid value"),
    ({"memory": {"x": "1"}}, "Invalid value"),
    ({"memory": "9" * 30}, "Invalid value"),
    ({"memory": -1}, "Operation Failed"),
    ({"memory": 10**17}, "Operation Failed"),
    ({"memory": 1}, "Operation Failed"),
    ({"cpu": {"topology": {"cores": 0}}}, "Operation Failed"),
    ({"cpu": {"topology": {"cores": 100_000_000_000}}}, "Operation Failed"),
    ({"cpu": {"topology": {"cores": "two"}}}, "Invalid value"),
    ({"cpu": {"topology": "1"}}, "Invalid value"),
    ({"cpu": "fast"}, "Invalid value"),
    ({"console": {"enabled": "perhaps"}}, "Invalid value"),
    ({"console": {"enabled": {"x": "true"}}}, "Invalid value"),
    ({"console": "true"}, "Invalid value"),
    ({"stateless": "perhaps"}, "Invalid value"),
    ({"name": ""}, "Operation Failed"),
    ({"name": "a b"}, "Operation Failed"),
    ({"name": "a/../b"}, "Operation Failed"),
    ({"name": "x" * 65}, "Operation Failed"),
    ({"name": {"x": "1"}}, "Invalid value"),
    ({"description": "x" * 5000}, "Operation Failed"),
    ({"display": {"monitors": 3}}, "Operation Failed"),
    ({"display": {"monitors": 4}}, "Operation Failed"),
    ({"display": {"keyboard_layout": "klingon"}}, "Operation Failed"),
    ({"display": {"video_type": "bochs"}}, "Operation Failed"),
    ({"display": {"video_type": "cirrus"}}, "Operation Failed"),
    ({"display": "vnc"}, "Invalid value"),
    ({"graphics_consoles": "vnc"}, "Invalid value"),
    ({"graphics_consoles": {"graphics_console": [{}]}}, "Operation Failed"),
    ({"graphics_consoles": {"graphics_console": ["vnc"]}}, "Invalid value"),
    (
        {"graphics_consoles": {"graphics_console": [{"protocol": "vnc"}, {"protocol": "vnc"}]}},
        "Operation Failed",
    ),
    ({"os": {"kernel": "../../etc/passwd"}}, "Operation Failed"),
    ({"os": {"cmdline": "quiet"}}, "Operation Failed"),
    ({"instance_type": {"id": "1"}}, "Invalid value"),
    ({"instance_type": {"id": UNKNOWN}}, "Operation Failed"),
    ({"instance_type": {"name": "no such"}}, "Operation Failed"),
    ({"instance_type": "Tiny"}, "Invalid value"),
    ({"template": {"id": UNKNOWN}}, "Operation Failed"),
    ({"cluster": {"name": "no such"}}, "Operation Failed"),
]


@SQL
def test_a_bad_value_is_refused_when_a_machine_is_made(api: Caller, refused: Check) -> None:
    for body, reason in BAD_WORDS:
        answer = api.post("/vms", "vm", {"name": "made", **PLACE, **body})
        told = "Incomplete parameters" if body == {"name": ""} else reason
        assert refused(answer, 400)[0] == told, body


@SQL
def test_a_bad_value_is_refused_when_a_machine_is_changed(api: Caller, vm: VM, refused: Check) -> None:
    for body, reason in BAD_WORDS:
        answer = api.put(f"/vms/{vm.pk}", "vm", {"comment": "never stored", **body})
        assert refused(answer, 400)[0] == reason, body


@pytest.mark.parametrize("path", ["vms", "templates", "instancetypes", "vmpools"])
@pytest.mark.parametrize("body", [{}, {"name": ""}, {"comment": "no name"}])
def test_what_nothing_can_be_made_without_is_named(
    api: Caller, refused: Check, path: str, body: dict[str, Any]
) -> None:
    root = {"vms": "vm", "templates": "template", "instancetypes": "instance_type", "vmpools": "vm_pool"}[path]
    reason, detail = refused(api.post(f"/{path}", root, body), 400)
    assert (reason, "[name] required for add" in detail) == ("Incomplete parameters", True)


@pytest.mark.parametrize("lacking", ["cluster", "template"])
def test_a_machine_needs_a_cluster_and_a_template(api: Caller, refused: Check, lacking: str) -> None:
    body = {"name": "made", **PLACE}
    del body[lacking]
    assert refused(api.post("/vms", "vm", body), 400) == (
        "Incomplete parameters",
        f"Vm [{lacking}.id|name] required for add",
    )


@pytest.mark.parametrize("vm_of_it", [None, {}, {"id": UNKNOWN}, {"name": "no such"}, {"id": "x"}, "web"])
def test_a_template_needs_a_machine_that_there_is(api: Caller, refused: Check, vm_of_it: Any) -> None:
    body = {"name": "made"} if vm_of_it is None else {"name": "made", "vm": vm_of_it}
    refused(api.post("/templates", "template", body), 400)


@pytest.mark.parametrize(
    "body", [{"size": 0}, {"size": -1}, {"size": 1001}, {"size": "many"}, {"type": "endless"}, {"max_user_vms": 0}]
)
def test_a_pool_has_a_size_and_a_type_that_there_are(api: Caller, refused: Check, body: dict[str, Any]) -> None:
    refused(api.post("/vmpools", "vm_pool", {"name": "row", **PLACE, **body}), 400)


NO_IDS = (UNKNOWN, "0", "x", "%00", "..", "' OR 1=1", "9" * 40, "\u4e2d")


@SQL
@pytest.mark.parametrize(
    "path", ["vms", "templates", "instancetypes", "vmpools", "jobs", "hosts", "clusters", "events"]
)
def test_an_id_that_there_is_not_is_not_found(xml: Caller, vm: VM, path: str) -> None:
    for key in NO_IDS:
        answer = xml.get(f"/{path}/{key}")
        assert (answer.status, answer.root) == (404, "fault"), key


@pytest.mark.parametrize("verb", ["start", "stop", "clone", "ticket", "graphicsconsoles/766e63/ticket", "detach"])
def test_an_action_on_what_is_not_there_is_not_found(api: Caller, refused: Check, verb: str) -> None:
    answer = api.post(f"/vms/{UNKNOWN}/{verb}")
    refused(answer, 404)
    assert answer.at("status") == "failed"


@SQL
def test_a_name_that_is_used_is_a_conflict(api: Caller, vm: VM, refused: Check) -> None:
    reason, detail = refused(api.post("/vms", "vm", {"name": vm.name, **PLACE}), 409)
    assert (reason, detail) == ("Operation Failed", "[Name: This name is in use already.]")


@SQL
def test_the_name_of_a_pool_whose_machine_would_take_a_used_one_is_a_conflict(
    api: Caller, admin: User, vm: VM, refused: Check
) -> None:
    VM.objects.filter(pk=vm.pk).update(name="row-2")
    before = VM.objects.count()
    answer = api.post("/vmpools", "vm_pool", {"name": "row", "size": 2, **PLACE})
    assert (answer.status, VM.objects.count()) == (409, before)
    VM.objects.filter(pk=vm.pk).update(name="web")


def test_a_protected_machine_is_not_removed(api: Caller, admin: User, vm: VM) -> None:
    api.put(f"/vms/{vm.pk}", "vm", {"delete_protected": True})
    assert api.delete(f"/vms/{vm.pk}").status == 409
    assert VM.objects.filter(pk=vm.pk).exists()


@SQL
def test_blank_and_what_is_in_use_stay(api: Caller, admin: User, vm: VM, refused: Check) -> None:
    refused(api.delete(f"/templates/{BLANK}"), 409)
    refused(api.put(f"/templates/{BLANK}", "template", {"name": "mine"}), 409)


@SQL
def test_a_template_that_machines_are_made_of_stays(api: Caller, admin: User, vm: VM) -> None:
    used = create.template("used", vm=vm, by=admin)
    create.vm("user", cluster=vm.cluster, template=used, by=admin)
    assert api.delete(f"/templates/{used.pk}").status == 409


def test_a_machine_stays_in_its_cluster_and_with_its_template(api: Caller, admin: User, vm: VM) -> None:
    other = create.template("other", vm=vm, by=admin)
    before = state()
    assert api.put(f"/vms/{vm.pk}", "vm", {"template": {"id": str(other.pk)}}).status == 400
    assert state() == before


@pytest.mark.parametrize("body", [b"", b"<template><name>x</name></template>", b"<vms/>"])
def test_a_body_of_another_kind_is_refused(xml: Caller, vm: VM, body: bytes) -> None:
    before = state()
    answer = xml.send("post", "/vms", body)
    assert (answer.status, answer.root, state() == before) == (400, "fault", True)


ADDRESSES = ("/vms", "/templates", "/instancetypes", "/vmpools", "/vms/{vm}/start", "/vms/{vm}/graphicsconsoles")


@pytest.mark.parametrize("what", HOSTILE_XML)
def test_hostile_xml_is_a_fault_and_does_nothing(xml: Caller, vm: VM, what: str) -> None:
    before = state()
    addresses = ("/vms", f"/vms/{vm.pk}/graphicsconsoles", f"/vms/{vm.pk}/stop")
    for address in addresses[:2] if what == "nothing" else addresses:  # an action needs no body
        answer = xml.send("post", address, HOSTILE_XML[what])
        assert answer.status in {400, 413}
        assert answer.fault[0]
    assert state() == before


@pytest.mark.parametrize("what", HOSTILE_JSON)
@pytest.mark.parametrize("method", ["post", "put"])
def test_hostile_json_is_a_fault_and_does_nothing(admin: User, vm: VM, method: str, what: str) -> None:
    caller = Caller(admin, "json")
    before = state()
    answer = caller.send(method, "/vms" if method == "post" else f"/vms/{vm.pk}", HOSTILE_JSON[what])
    if what == "nothing" and method == "put":
        assert (answer.status, state()) == (200, before)  # nothing is to be changed
        return
    assert answer.status in {400, 413}
    assert answer.fault[0]
    assert state() == before


@SQL
@pytest.mark.parametrize(
    "query",
    [
        *("search=name%3D", "search=%3Dx", "search=nonsense%3Dx", "search=name%3E3", "search=name%3Da%20or"),
        *("search=sortby", "search=sortby%20secret", "search=sortby%20name%20upwards", "search=name%3D%22a"),
        *("search=name%3D%00", "max=%00", "search=a*b*c*d%3Dx", "search=Templates%3A", "search=status%3Dnonsense"),
    ],
)
def test_a_search_that_is_not_understood_is_refused_rather_than_widened(
    api: Caller, refused: Check, query: str
) -> None:
    refused(api.get(f"/vms?{query}"), 400)


@SQL
@pytest.mark.parametrize(
    "query",
    [
        *(
            "max=abc",
            "max=-5",
            f"max={'9' * 40}",
            "case_sensitive=perhaps",
            "follow=nonsense",
            "follow=a.b.c,,",
            "detail=x",
        ),
        *("search=", "follow=", "search=page%20999999999", f"search={'x' * 5000}", "search=%F0%9F%98%80", "current=?"),
        *("search=id%3Dx", "search=name%3Da*b*c*d", "unknown=1", "search=name%3D%25_%5C"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_not_heard(api: Caller, vm: VM, query: str) -> None:
    assert api.get(f"/vms?{query}").status == 200


@pytest.mark.parametrize("path", [";", ";;", ";=", ";max", ";max=1;max=2", ";" + "a" * 3000, "//" * 200, ";%00=1"])
def test_addresses_that_make_no_sense_break_nothing(xml: Caller, path: str) -> None:
    assert xml.get(f"/vms{path}").status < 500


@pytest.mark.parametrize("address", ADDRESSES)
def test_any_root_at_any_address_is_answered(xml: Caller, vm: VM, address: str) -> None:
    for root in ("vm", "template", "action", "x" * 300, "a-b", "fault"):
        answer = xml.send("post", address.format(vm=vm.pk), f"<{root}><name><name/></name><vm/></{root}>")
        assert answer.status < 500, root


@SQL
def test_an_edit_that_fails_at_its_last_field_has_changed_nothing(api: Caller, vm: VM, admin: User) -> None:
    machine("taken", by=admin)
    before = state()
    body = {"comment": "half", "memory": 2**31, "graphics_consoles": {}, "name": "taken"}
    assert api.put(f"/vms/{vm.pk}", "vm", body).status == 409
    assert state() == before


def test_the_server_s_own_failure_is_a_fault_that_gives_nothing_away(
    xml: Caller, vm: VM, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("vms.api.views.machines.remove", fail)
    answer = xml.delete(f"/vms/{vm.pk}")
    assert (answer.status, answer.root, "secret" in answer.text) == (500, "fault", False)


def test_a_door_to_nowhere_is_a_fault(xml: Caller) -> None:
    for path in ("/nowhere", "/vms/x/nowhere", "/diskbackups", "/users/x/y/z"):
        assert xml.get(path).fault == ("Operation Failed", "[There is no such resource.]")
    assert xml.send("get", f"{BASE}x").status == 404
