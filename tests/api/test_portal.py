"""oVirt's VM Portal over JSON: what it asks while it starts, in its order, and how it reads the answers."""

import re
from typing import Any

import pytest
from django.test import Client

from tests.actions.runs import up
from tests.api.caller import VNC_ID, Caller
from vms.models import VM, Host, User

pytestmark = pytest.mark.django_db

# As its sources ask while it starts (facts: rest-protocol.md, section 4).
OPTIONS = (
    *("MaxNumOfVmSockets", "MaxNumOfCpuPerSocket", "MaxNumOfThreadsPerCpu", "MaxNumOfVmCpus"),
    *("UserSessionTimeOutInterval", "DefaultGeneralTimeZone", "DefaultWindowsTimeZone", "WebSocketProxy"),
    *("SpiceUsbAutoShare", "ClientModeVncDefault", "ClientModeSpiceDefault", "ClientModeConsoleDefault"),
)
MACHINES = (
    "/vms;max=20?detail=current_graphics_consoles&current=true&search=SORTBY NAME ASC page 1"
    "&follow=graphics_consoles,cdroms,sessions,nics.reporteddevices,permissions,snapshots"
)


@pytest.fixture(params=["administrator", "user"])
def portal(request: pytest.FixtureRequest, vm: VM, admin: User, alice: User) -> Caller:
    """Somebody's portal."""
    return Caller(admin if request.param == "administrator" else alice, "json")


def read(portal: Caller, path: str, **headers: str) -> dict[str, Any]:
    answer = portal.get(path, **headers)
    assert answer.status == 200, (path, answer.text)
    return answer.response.json()  # type: ignore[no-any-return]


def test_it_starts(portal: Caller, vm: VM, headless_vm: VM, host: Host, admin: User) -> None:
    up(vm, host, by=admin)
    root = read(portal, "/")
    version = root["product_info"]["version"]
    assert all(int(version[part]) for part in ("major", "minor", "build"))
    administrator = portal.user.get_username() == "admin"
    assert portal.get("/permissions", Filter="false").status == (200 if administrator else 403)
    for name in OPTIONS:
        option = read(portal, f"/options/{name}")
        assert [each["version"] for each in option["values"]["system_option_value"]] == ["general"], name
    user = root["authenticated_user"]["id"]
    for path in (
        *(f"/users/{user}", f"/users/{user}/groups", f"/users/{user}/options", "/groups", "/operatingsystems"),
        *("/roles?follow=permits", "/hosts", "/datacenters?follow=storage_domains,permissions"),
        "/templates?follow=nics,disk_attachments.disk,permissions",
        *("/clusters?follow=networks,permissions", "/vnicprofiles?follow=network,permissions", "/events?max=10"),
    ):
        read(portal, path, Filter="true")


def test_it_shows_the_machines(portal: Caller, vm: VM, headless_vm: VM, host: Host, admin: User) -> None:
    up(vm, host, by=admin)
    told = {each["name"]: each for each in read(portal, MACHINES, Filter="true")["vm"]}
    shown = told["web"]
    consoles = shown["graphics_consoles"]["graphics_console"]
    assert [(each["id"], each["protocol"], each["port"]) for each in consoles] == [(VNC_ID, "vnc", "5900")]
    assert "methods" in shown["sso"]
    switches = [shown["run_once"], shown["stateless"], shown["delete_protected"], shown["usb"]["enabled"]]
    assert set(switches) <= {"true", "false"}  # it asks each for its lower case
    assert all(isinstance(moment, int) and moment > 10**12 for moment in (shown["creation_time"], shown["start_time"]))
    assert (type(shown["memory"]), shown["cpu"]["topology"]["cores"]) == (int, "1")
    assert shown["large_icon"]["id"] == shown["small_icon"]["id"]
    icon = read(portal, f"/icons/{shown['large_icon']['id']}")
    assert icon["media_type"].startswith("image/")
    if "db" in told:
        assert told["db"]["graphics_consoles"].get("graphics_console", []) == []
        assert "display" not in told["db"]


def test_it_acts_with_empty_bodies_and_xml_ones(portal: Caller, vm: VM, host: Host, admin: User) -> None:
    begun = portal.post(f"/vms/{vm.pk}/start")
    assert (begun.status, begun.response.json()["status"]) == (200, "complete")
    refused = portal.post(f"/vms/{vm.pk}/start").response.json()
    # It shows `detail`, or that of the fault inside an action.
    assert (refused["status"], refused["fault"]["detail"].startswith("[")) == ("failed", True)
    client = Client()
    stopped = client.post(
        f"/ovirt-engine/api/vms/{vm.pk}/stop",
        "<action/>",
        content_type="application/xml",
        headers={"Authorization": f"Bearer {portal.token}", "Accept": "application/json"},
    )
    assert (stopped.status_code, stopped.json()["status"]) == (200, "complete")


def test_it_makes_edits_and_removes_a_machine(vm: VM, admin: User) -> None:
    portal = Caller(admin, "json")
    body = {
        "name": "portal",
        "template": {"id": "00000000-0000-0000-0000-000000000000"},
        "cluster": {"id": str(vm.cluster_id)},
        "memory": 512 << 20,
        "cpu": {"topology": {"cores": 2, "sockets": 1, "threads": 1}},
        "os": {"type": "other_linux", "boot": {"devices": {"device": ["hd", "cdrom"]}}},
        "status": "down",
    }
    made = portal.post("/vms?clone=true&clone_permissions=true", "vm", body)
    assert made.status == 201, made.text
    told = made.response.json()
    assert (told["memory"], told["os"]["boot"]["devices"]["device"]) == (512 << 20, ["hd", "cdrom"])
    changed = portal.put(f"/vms/{told['id']}", "vm", {**told, "memory": 768 << 20, "description": "edited"})
    assert (changed.status, changed.response.json()["memory"]) == (200, 768 << 20)
    assert portal.delete(f"/vms/{told['id']};detach_only=false").status == 200


def test_what_the_go_client_cannot_do_without_is_told_even_when_it_is_empty(xml: Caller, vm: VM, host: Host) -> None:
    """go-ovirt-client fails on a missing element (facts: section 2.3); terraform's provider is built on it."""
    (told,) = xml.get("/vms").all("vm")
    for path in (
        *("id", "name", "comment", "description", "cluster/id", "template/id", "status", "type", "os/type", "memory"),
        *("memory_policy", "cpu/topology/cores", "cpu/topology/threads", "cpu/topology/sockets", "console/enabled"),
    ):
        place: Any = told
        for step in path.split("/"):
            assert step in place, path
            place = place[step]
    (console,) = xml.get(f"/vms/{vm.pk}/graphicsconsoles").all("graphics_console")
    assert console["vm"]["id"] == str(vm.pk)
    (template,) = xml.get("/templates").all("template")
    assert (template["status"], template["version"]["version_number"]) == ("ok", "1")
    assert {"cores", "threads", "sockets"} <= template["cpu"]["topology"].keys()
    (up_host,) = [each for each in xml.get("/hosts").all("host") if each["status"] == "up"]
    assert up_host["cluster"]["id"] == str(vm.cluster_id)


def test_the_go_client_removes_a_console_and_the_machine_in_its_order(admin: User, host: Host) -> None:
    xml = Caller(admin)
    for path in ("", "/clusters", "/hosts", "/storagedomains", "/templates", "/vnicprofiles", "/networks"):
        assert xml.get(path).status == 200, path
    (cluster,) = xml.get("/clusters").all("cluster")
    assert xml.get(f"/datacenters/{cluster['data_center']['id']}/clusters").status == 200
    body = (
        f'<vm><cluster id="{cluster["id"]}"/><disk_attachments></disk_attachments><name>TestList</name>'
        '<template id="00000000-0000-0000-0000-000000000000"/><type>desktop</type></vm>'
    )
    made = xml.send("post", "/vms", body)
    assert (made.status, made.at("type")) == (201, "desktop"), made.text
    path = f"/vms/{made.at('id')}"
    assert re.fullmatch(r"[0-9a-f]+", xml.get(f"{path}/graphicsconsoles").all("graphics_console")[0]["id"])
    assert xml.delete(f"{path}/graphicsconsoles/{VNC_ID}").status == 200
    assert xml.get(f"{path}/graphicsconsoles").all("graphics_console") == []
    assert xml.get(path).at("display") is None
    assert xml.delete(path).status == 200
