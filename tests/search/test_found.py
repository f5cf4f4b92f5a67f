"""What searches find as things change: at once, of each collection, and nothing that may not be seen."""

from typing import Any

import pytest

from tests.actions.runs import choosing, tell, up
from tests.factories import machine, person
from tests.search.conftest import ALL, Found, serial_only
from vms.actions import affinity, affinity_labels, create, edit, guests, tags
from vms.actions._status import renamed
from vms.domain.changes import Changes
from vms.domain.guest import Guest, GuestAddress, Source
from vms.domain.lifecycle import Status
from vms.domain.runonce import ConsoleChoice
from vms.models import VM, AuditEvent, Cluster, DataCenter, Host, InstanceType, Job, Pool, Template, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


def test_a_change_is_found_at_once(found: Found, machines: dict[str, VM], host: Host, admin: User) -> None:
    dark = edit.edit(machines["dark"], Changes(attributes={"description": "quiet"}, machine={"name": "noon"}), by=admin)
    assert (found("name = *oon*"), found("quiet"), found("dark"), found("stars")) == (["noon"], ["noon"], [], [])
    up(dark, host, by=admin, overlay=choosing(ConsoleChoice.VNC))
    assert (found("run_once = true"), found("host = local")) == (["noon"], ["alpha", "noon"])
    edit.edit(VM.objects.get(name="alpha"), Changes(console=serial_only, accept_lockout=True), by=admin)
    assert (found("pending = true"), found("headless = true")) == (["alpha"], ["alpha", "alpine", "noon"])


def test_what_a_guest_tells_is_found_while_it_runs(found: Found, machines: dict[str, VM], host: Host) -> None:
    addresses = [GuestAddress(address=each, source=Source.AGENT) for each in ("10.0.0.5", "2001:db8::7", "fe80::1")]
    told = Guest(agent=True, fqdn="Alpha.example.org", addresses={Source.AGENT: tuple(addresses)})
    assert guests.seen(host, machines["alpha"].pk, told)
    asked = [
        "ip = 10.0.0.5",
        "ip = 10.0.*",
        "ip = 2001:DB8::7",
        "fqdn = alpha.*",
        "guest_agent = true",
        "access = agent",
    ]
    assert [found(text) for text in [*asked, "10.0.0", "example"]] == [["alpha"]] * 8
    assert (found("ip = 10.0.0"), found("ip = *0.5*db8*"), found('ip != ""')) == ([], [], ["alpha"])
    tell(machines["alpha"], host, Status.DOWN)
    assert [found(text) for text in asked] == [[]] * 6


def test_a_machine_that_is_removed_leaves_no_text(found: Found, machines: dict[str, VM]) -> None:
    machines["dark"].delete()
    machine("dark", by=User.objects.get(username="admin"))
    assert (found("stars"), found("dark")) == ([], ["dark"])


def test_places_are_found_by_their_new_names(
    found: Found, machines: dict[str, VM], cluster: Cluster, host: Host
) -> None:
    for place, name in ((cluster, "Keller"), (host, "Node 7")):
        place.name = name
        place.save(update_fields=["name"])
        renamed(place)
    assert (found("cluster = default"), found("cluster = keller")) == ([], ALL)
    assert (found("host = local"), found('host = "NODE 7"')) == ([], ["alpha"])


def test_a_tag_is_had_by_what_has_one_below_it(found: Found, machines: dict[str, VM], admin: User) -> None:
    site = tags.create("Site", by=admin)
    rack = tags.create("rack 1", parent=tags.create("hall", parent=site, by=admin), by=admin)
    tags.attach(rack, machines["alpha"], by=admin)
    tags.attach(site, machines["dark"], by=admin)
    tags.attach(rack, Template.objects.get(), by=admin)
    assert found("tag = site") == ["alpha", "dark"]
    assert found('tag = "rack*"') == found("tag = hall") == ["alpha"]
    assert found("tag != hall") == ["Beta", "alpine", "dark"]
    assert found("tag = other") == []
    assert found("tag = site", Template) == ["Blank"]


OTHERS: list[tuple[type[Any], str, list[str]]] = [
    (Template, "name = bl*", ["Blank"]),
    (Template, "vm.name = alpha", ["Blank"]),
    (Template, "Vms.status = up", ["Blank"]),
    (Template, "vm.name = other", []),
    (Template, "headless = false", ["Blank"]),
    (Template, "blank", ["Blank"]),
    (Pool, "name = row", ["row"]),
    (Pool, "type = automatic", ["row"]),
    (InstanceType, "memory > 8192", ["XLarge"]),
    (InstanceType, "large sortby memory desc", ["XLarge", "Large"]),
    (Cluster, "datacenter = default", ["Default"]),
    (DataCenter, "clusters.name = Default", ["Default"]),
    (Host, "status = up", ["local"]),
    (Host, "cluster = default and name = loc*", ["local"]),
    (Job, "status = finished and action_type = start", ["start alpha"]),
    (AuditEvent, "severity > normal", ["VM_LOCKED_OUT dark"]),
    (AuditEvent, "severity <= normal and type = user_started_vm", ["USER_STARTED_VM alpha"]),
    (AuditEvent, "usrname = admin and dark and severity = warning", ["VM_LOCKED_OUT dark"]),
]


def test_the_other_collections_are_searched_alike(found: Found, machines: dict[str, VM], admin: User) -> None:
    create.pool("row", cluster=machines["dark"].cluster, by=admin)
    told = [(model, text, found(text, model)) for model, text, _names in OTHERS]
    assert [each for each in told if each not in OTHERS] == []


def test_a_cross_reference_tells_nothing_of_what_may_not_be_seen(
    found: Found, machines: dict[str, VM], alice: User
) -> None:
    """`alice` owns `web` alone."""
    assert found("vm.name = web", Template, by=alice) == ["Blank"]
    assert found("vm.name = alpha", Template, by=alice) == []
    assert found("name = *", by=alice) == ["web"]
    assert found("host.name = local", by=alice) == []


def test_only_what_may_be_seen_is_found(found: Found, machines: dict[str, VM], carol: User, admin: User) -> None:
    assert found("", by=carol) == []
    assert found("shop", by=person("dora", role="UserRole", vm=machines["alpha"])) == ["alpha"]


def test_affinity_is_found_by_group_and_label_on_machines_and_hosts(
    found: Found, machines: dict[str, VM], host: Host, admin: User
) -> None:
    label = affinity_labels.create("Licence", vms=[machines["alpha"]], hosts=[host], by=admin)
    said = {"vms": [machines["Beta"]], "vm_labels": [label], "host_labels": [label]}
    affinity.create("shop", cluster=host.cluster, by=admin, **said)
    for query, model, names in (
        ("affinity_label = licence", VM, ["alpha"]),
        ("affinity_group = sh*", VM, ["Beta", "alpha"]),
        ("affinity_group != shop", VM, ["alpine", "dark"]),
        ("affinity_group = other", VM, []),
        ("affinity_label = Lic*", Host, [host.name]),
        ("affinity_group = shop", Host, [host.name]),
    ):
        assert found(query, model) == names, query
    alice = person("alice", role="UserRole", vm=machines["alpha"])
    assert found("affinity_group = shop", by=alice) == [], "groups are told to those alone who see their cluster"
