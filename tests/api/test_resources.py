"""Everything beside machines: made, told, changed and removed, by the actions behind it."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.utils import timezone

from tests.actions.runs import up
from tests.actions.test_disks import domain, hypervisor, work
from tests.api.caller import Caller
from vms.actions import disks, reports
from vms.api.mapping import root
from vms.domain.disks import GIB
from vms.domain.errors import Refusal
from vms.domain.guest import GuestAddress, GuestUser, Source, Told
from vms.models import (
    VM,
    AuditEvent,
    Bookmark,
    Cluster,
    DataCenter,
    Host,
    Job,
    Permission,
    Statistic,
    StorageDomain,
    Tag,
    User,
)

__all__ = ["domain", "hypervisor", "work"]

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


def made(api: Caller, path: str, root: str, **tree: Any) -> str:
    answer = api.post(path, root, tree)
    assert answer.status == 201, answer.text
    assert answer.response["Location"] == answer.at("href")
    return str(answer.at("href"))


def test_every_collection_of_the_root_is_there_and_says_what_it_is(api: Caller, vm: VM, host: Host) -> None:
    for rel in root.COLLECTIONS:
        answer = api.get(f"/{rel}?search=&max=5")
        assert answer.status == 200, (rel, answer.text)
        for rows in answer.tree.values():
            for each in rows if isinstance(rows, list) else [rows]:
                one = api.get(each["href"])
                assert (one.status, one.at("id")) == (200, each["id"]), rel
    assert api.get("/storagedomains?search=name%3D%22x%22").tree == {}
    assert api.get("/tags?search=name%3Dx").status == 400


def test_every_link_of_every_entity_leads_somewhere(xml: Caller, vm: VM, host: Host, admin: User) -> None:
    up(vm, host, by=admin)
    for rel in ("vms", "templates", "instancetypes", "hosts", "clusters", "datacenters", "users", "roles", "jobs"):
        for rows in xml.get(f"/{rel}").tree.values():
            each = rows[0] if isinstance(rows, list) else rows
            links = each.get("link", [])
            for link in links if isinstance(links, list) else [links]:
                assert xml.get(link["href"]).status == 200, link
                steps = link["rel"]
                assert xml.get(f"{each['href']}?follow={steps}").status == 200, link


def test_places_are_made_changed_and_removed(api: Caller) -> None:
    center = made(api, "/datacenters", "data_center", name="Berlin", comment="far", local=True)
    cluster = made(
        api,
        "/clusters",
        "cluster",
        name="shop",
        data_center={"name": "Berlin"},
        version={"major": 4, "minor": 4},
        ksm={"enabled": True},
    )
    told = api.get(cluster)
    assert (told.at("version/minor"), told.at("ksm/enabled"), told.at("ballooning_enabled")) == ("4", "true", "true")
    assert api.put(cluster, "cluster", {"name": "store", "fencing_policy": {"enabled": True}}).at("name") == "store"
    assert (api.get(cluster).at("ksm/enabled"), api.get(cluster).at("fencing_policy/enabled")) == ("true", "true")
    assert api.put(cluster, "cluster", {"data_center": {"name": "Default"}}).status == 400
    host = made(api, "/hosts?activate=false", "host", name="far", address="far.example.org", cluster={"name": "store"})
    assert (api.get(host).at("status"), api.get(host).at("address")) == ("maintenance", "far.example.org")
    assert api.post(f"{host}/activate").at("status") == "complete"
    assert api.get(host).at("status") == "connecting"
    assert api.put(host, "host", {"comment": "rack 1"}).at("comment") == "rack 1"
    assert api.put(host, "host", {"address": "near"}).status == 409
    assert api.post(f"{host}/deactivate").status == 200
    assert api.put(host, "host", {"address": "near"}).at("address") == "near"
    assert api.put(host, "host", {"address": "near;rm"}).status == 400
    assert api.post(f"{host}/activate").status == 200
    assert api.delete(cluster).status == 409
    for address in (host, cluster, center):
        whole = api.get(address)
        assert api.send("put", address, whole.text).status == 200, address
        assert api.delete(address).at("status") == "complete"
        assert api.get(address).status == 404
    assert (Cluster.objects.count(), DataCenter.objects.count()) == (1, 1)


def test_a_host_tells_what_keeps_the_engine_from_it_and_takes_an_address_for_migration(api: Caller, host: Host) -> None:
    place = f"/hosts/{host.pk}"
    assert api.put(place, "host", {"migration_address": "10.0.0.7"}).at("migration_address") == "10.0.0.7"
    assert api.put(place, "host", {"migration_address": "no address"}).status == 400
    assert "status_detail" not in api.get(place).text
    told = {"host": "local", "host_why": "ssh_key_unknown", "message": "Host key verification failed."}
    reports.host_lost(host, Refusal("HOST_OUT_OF_REACH", None, **told))
    there = api.get(place)
    assert (there.at("status"), there.at("status_detail")) == ("non_responsive", "ssh_key_unknown")


def test_people_and_their_roles(api: Caller, vm: VM) -> None:
    dave = made(
        api,
        "/users",
        "user",
        user_name="dave@internal-authz",
        principal="dave",
        domain={"name": "internal-authz"},
        email="d@example.org",
    )
    (found,) = api.get("/users?search=usrname%3D%22dave%40internal-authz%22").all("user")
    assert (found["href"], found["user_name"], found["domain"]["name"]) == (
        dave,
        "dave@internal-authz",
        "internal-authz",
    )
    assert api.put(dave, "user", {"last_name": "Dee"}).at("last_name") == "Dee"
    assert api.put(dave, "user", {"user_name": "other@internal-authz"}).status == 400
    assert api.post("/users", "user", {"user_name": "x@elsewhere", "domain": {"name": "elsewhere"}}).status == 400
    role = {"role": {"name": "UserRole"}, "user": {"id": found["id"]}}
    held = made(api, f"/vms/{vm.pk}/permissions", "permission", **role)
    assert found["id"] in {each["user"]["id"] for each in api.get(f"/vms/{vm.pk}/permissions").all("permission")}
    assert Permission.objects.filter(user__username="dave", vm=vm).count() == 1
    assert len(api.get(f"{dave}/permissions").all("permission")) == 1
    assert api.delete(held).status == 200
    system = made(api, "/permissions", "permission", **role)
    assert api.get("/permissions?follow=role,user").status == 200
    assert api.delete(system).status == 200
    assert api.post("/permissions", "permission", {"role": {"name": "UserRole"}}).status == 400
    assert api.post("/permissions", "permission", {**role, "group": {"name": "x"}}).status == 400
    assert api.delete(dave).status == 200
    assert not User.objects.filter(username="dave").exists()


def test_roles_are_held_on_storage_disks_networks_and_profiles(
    api: Caller, admin: User, cluster: Cluster, domain: StorageDomain
) -> None:
    disk = disks.create("data", domain=domain, size=GIB, by=admin)
    network = cluster.data_center.networks.get()
    said = {"role": {"name": "UserRole"}, "user": {"id": str(admin.pk)}}
    for path, name, on in (
        ("disks", "disk", disk),
        ("storagedomains", "storage_domain", domain),
        ("networks", "network", network),
        ("vnicprofiles", "vnic_profile", network.profiles.get()),
    ):
        at = f"/{path}/{on.pk}/permissions"
        held = made(api, at, "permission", **said)
        assert api.get(held).at(f"{name}/id") == str(on.pk)
        assert held in {each["href"] for each in api.get(at).all("permission")}
        assert api.delete(held).status == 200
        assert held not in {each["href"] for each in api.get(at).all("permission")}


def test_roles_tell_what_they_permit(api: Caller) -> None:
    roles = {role["name"]: role for role in api.get("/roles?follow=permits").all("role")}
    permits = roles["UserRole"]["permits"]["permit"]
    assert "run_vm" in {permit["name"] for permit in permits}
    assert (roles["SuperUser"]["administrative"], roles["UserRole"]["administrative"]) == ("true", "false")
    refused = api.delete(roles["UserRole"]["href"])
    assert (refused.status, roles["UserRole"]["mutable"]) == (409, "false")
    assert api.put(roles["UserRole"]["href"], "role", {"name": "x"}).status == 409


def test_roles_are_made_changed_and_removed_by_who_may_do_as_much(api: Caller, vm: VM, alice: User) -> None:
    permits = {"permit": [{"id": "run_vm"}, {"name": "stop_vm"}]}
    role = made(api, "/roles", "role", name="starter", administrative=False, permits=permits)
    granted = {each["id"] for each in api.get(f"{role}/permits").all("permit")}
    assert granted == {"run_vm", "stop_vm", "login"}
    added = made(api, f"{role}/permits", "permit", id="reboot_vm")
    assert api.get(added).at("name") == "reboot_vm"
    assert api.delete(added).status == 200
    assert {each["id"] for each in api.get(f"{role}/permits").all("permit")} == granted
    assert api.put(role, "role", {"description": "starts"}).at("description") == "starts"
    assert api.post("/roles", "role", {"name": "x", "permits": {"permit": [{"id": "fly"}]}}).status == 400
    assert api.post("/roles", "role", {"name": "x"}).status == 400
    assert api.post("/roles", "role", {"name": "starter", "permits": permits}).status == 409
    hers = Caller(alice, api.language)
    assert hers.post("/roles", "role", {"name": "mine", "permits": permits}).status == 403
    held = {"role": {"name": "starter"}, "user": {"name": "alice@internal-authz"}}
    on = made(api, f"/vms/{vm.pk}/permissions", "permission", **held)
    assert api.delete(role).status == 409
    assert api.delete(on).status == 200
    assert api.delete(role).status == 200


def test_public_keys_are_one_s_own_affair_or_of_who_may_do_everything(api: Caller, alice: User, bob: User) -> None:
    hers, his = Caller(alice, api.language), Caller(bob, api.language)
    path = f"/users/{alice.pk}/sshpublickeys"
    line = public_line("alice@laptop")
    key = made(hers, path, "ssh_public_key", content=line)
    assert hers.get(key).at("content") == line
    assert his.get(path).status == his.post(path, "ssh_public_key", {"content": public_line("x")}).status == 404
    other = api.put(key, "ssh_public_key", {"content": public_line("new")})
    assert (other.status, other.at("content").endswith(" new")) == (200, True)
    assert api.post(path, "ssh_public_key", {"content": "ssh-rsa nonsense"}).status == 400
    assert api.delete(other.at("href")).status == 200
    assert api.get(path).all("ssh_public_key") == []


def test_people_see_themselves_and_give_what_they_have(language: str, vm: VM, alice: User, bob: User) -> None:
    hers, his = Caller(alice, language), Caller(bob, language)
    assert [each["principal"] for each in hers.get("/users").all("user")] == ["alice"]
    assert hers.get("/permissions").all("permission") == []
    said = {"role": {"name": "UserRole"}, "user": {"id": str(alice.pk)}}
    assert his.post(f"/vms/{vm.pk}/permissions", "permission", said).status in {400, 403}
    assert hers.post("/permissions", "permission", said).status == 403
    assert hers.post("/users", "user", {"principal": "x"}).status == 403


def public_line(comment: str) -> str:
    key = Ed25519PrivateKey.generate().public_key()
    return f"{key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()} {comment}"


def test_tags_are_put_on_machines(api: Caller, vm: VM) -> None:
    top = made(api, "/tags", "tag", name="shop", description="all of it")
    below = made(api, "/tags", "tag", name="front", parent={"name": "shop"})
    assert api.get(top).at("parent/id") == "00000000-0000-0000-0000-000000000000"
    assert api.get(below).at("parent/href") == top
    on = made(api, f"/vms/{vm.pk}/tags", "tag", name="front")
    assert [each["name"] for each in api.get(f"/vms/{vm.pk}/tags").all("tag")] == ["front"]
    (told,) = api.get("/vms?follow=tags").all("vm")
    assert "front" in str(told["tags"])
    assert api.delete(on).status == 200
    assert api.get(f"/vms/{vm.pk}/tags").all("tag") == []
    assert api.put(below, "tag", {"parent": {"name": "front"}}).status == 400
    assert api.put(below, "tag", {"description": "x"}).at("description") == "x"
    assert api.delete(top).status == 200
    assert not Tag.objects.exists()


def test_bookmarks_keep_searches(api: Caller) -> None:
    address = made(api, "/bookmarks", "bookmark", name="bare", value="Vms: headless = true")
    assert api.put(address, "bookmark", {"name": "no screen"}).at("value") == "Vms: headless = true"
    assert api.post("/bookmarks", "bookmark", {"name": "x"}).status == 400
    assert api.delete(address).status == 200
    assert not Bookmark.objects.exists()


def test_events_are_told_by_programs_and_read_from_where_one_was(api: Caller, vm: VM) -> None:
    last = api.get("/events?max=1").all("event")[0]
    address = made(
        api,
        "/events",
        "event",
        description="100 % done",
        severity="warning",
        origin="backup",
        custom_id=7,
        vm={"id": str(vm.pk)},
    )
    told = api.get(address)
    assert (told.at("description"), told.at("origin"), told.at("vm/id")) == ("100 % done", "backup", str(vm.pk))
    assert [each["id"] for each in api.get(f"/events?from={last['id']}").all("event")] == [told.at("id")]
    assert api.post("/events", "event", {"severity": "normal"}).status == 400
    assert api.post("/events", "event", {"description": "x", "vm": {"name": "no such"}}).status == 400
    assert api.delete(address).status == 200
    assert api.get(address).status == api.delete(address).status == 404
    assert told.at("id") not in {each["id"] for each in api.get("/events").all("event")}
    assert AuditEvent.objects.filter(code="USER_DISMISS_EVENT", params__event=told.at("id")).exists()
    assert AuditEvent.objects.filter(code="EXTERNAL_EVENT_WARNING").exists()


def test_jobs_are_told_by_programs_and_ended_by_them(api: Caller) -> None:
    job = made(api, "/jobs", "job", description="Backing up", status="started", external=True, auto_cleared=True)
    step = made(api, f"{job}/steps", "step", description="reading", type="unknown", status="started")
    assert (api.get(step).at("status"), api.get(step).at("external")) == ("started", "true")
    assert api.post(f"{step}/end", "action", {"succeeded": False}).status == 200
    assert api.post(f"{job}/end", "action", {"succeeded": True}).status == 200
    assert (api.get(step).at("status"), api.get(job).at("status")) == ("failed", "finished")
    assert api.post(f"{job}/end").status == 409
    assert api.post(f"{job}/clear").status == 200
    assert not Job.objects.exists()


def test_what_there_is_none_of_takes_none_and_says_so(api: Caller, vm: VM) -> None:
    answer = api.post(f"/vms/{vm.pk}/hostdevices", "host_device", {"name": "x"})
    assert (answer.status, "POST" in answer.fault[1]) == (405, True)


def test_how_busy_a_machine_is_is_told_of_the_last_minute(api: Caller, vm: VM, host: Host, admin: User) -> None:
    def figures() -> dict[str, str]:
        told = api.get(f"/vms/{vm.pk}/statistics").all("statistic")
        found = {}
        for each in told:
            value = each["values"]["value"]
            found[each["name"]] = (value[0] if isinstance(value, list) else value)["datum"]
        return found

    assert figures() == {"memory.installed": str(vm.memory << 20)}
    up(vm, host, by=admin)
    now = timezone.now()
    for minutes, cpu in ((2, 10.0), (1, 42.55)):
        at = now - timedelta(minutes=minutes)
        Statistic.objects.create(vm=vm, at=at, cpu=cpu, memory=50.0, network=1000.4, disk=0.0)
    told = figures()
    assert (told["cpu.current.total"], told["memory.used"]) == ("42.5", str((vm.memory << 20) // 2))
    assert (told["network.bytes.current"], told["disk.bytes.current"]) == ("1000", "0")
    assert "42.5" in api.get("/vms?detail=statistics").text


def test_what_the_guest_tells_hangs_on_its_machine(api: Caller, vm: VM, host: Host, admin: User) -> None:
    running = up(vm, host, by=admin)
    address = GuestAddress(address="10.0.0.5", source=Source.AGENT, mac="52:54:00:00:00:01", interface="eth0")
    running.addresses = (address, GuestAddress(address="fd00::5", source=Source.AGENT, interface="eth0"))
    running.guest = Told(agent_version="7.2", users=(GuestUser(name="root"),))
    running.console_user, running.fqdn = admin, "web.example.org"
    running.save(update_fields=[*VM.GUEST_FIELDS, "console_user"])
    path = f"/vms/{vm.pk}"
    assert api.get(path).at("fqdn") == "web.example.org"
    told = api.get(f"{path}/reporteddevices").all("reported_device")
    assert {(each["name"], each["type"]) for each in told} == {("eth0", "network")}
    assert "10.0.0.5" in str(told)
    sessions = api.get(f"{path}/sessions").all("session")
    assert {each["console_user"] for each in sessions} == {"true", "false"}
    assert [each["name"] for each in api.get(f"{path}/applications").all("application")] == ["qemu-guest-agent-7.2"]
    assert "fd00::5" in api.get("/vms?follow=reported_devices,sessions,applications").text


def test_settings_and_systems_are_told_as_the_portal_reads_them(api: Caller) -> None:
    option = api.get("/options/MaxNumOfVmCpus")
    assert option.at("name") == "MaxNumOfVmCpus"
    assert "256" in str(option.at("values"))
    assert "debian_12" in {each["name"] for each in api.get("/operatingsystems").all("operating_system")}
    (icon,) = api.get("/icons").all("icon")
    assert icon["media_type"] == "image/svg+xml"
    assert api.get("/options/Nothing").status == 404
