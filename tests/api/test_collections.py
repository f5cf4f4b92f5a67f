"""Lists: what a search finds and in which order, how much is told of each, and what that costs the database."""

from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.actions.runs import up
from tests.api.caller import Caller
from tests.factories import headless, machine
from vms.actions import create, edit, nics, power
from vms.domain.changes import Changes
from vms.models import VM, AuditEvent, Cluster, DataCenter, Host, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


def found(api: Caller, query: str, path: str = "vms", name: str = "vm", **parameters: str) -> list[str]:
    more = "".join(f"&{key}={value}" for key, value in parameters.items())
    answer = api.get(f"/{path}?search={quote(query)}{more}")
    assert answer.status == 200, answer.text
    return [told["name"] for told in answer.all(name)]


@pytest.fixture
def machines(admin: User, host: Host) -> list[VM]:
    """Four machines; one has a space's worth of words in its description, one is headless."""
    made = [machine(name, by=admin) for name in ("alpha", "beta", "Beta2")]
    made.append(machine("gamma", by=admin, console=headless))
    edit.edit(made[1], Changes(attributes={"description": "the second one"}), by=admin)
    return made


FOUND = [
    ("", ["Beta2", "alpha", "beta", "gamma"]),
    ("name=beta", ["beta"]),
    ('name="beta"', ["beta"]),
    ("name = beta", ["beta"]),
    ("name=bet", []),
    ("name=BETA", []),
    ("name=bet*", ["beta"]),
    ("name=*ta", ["beta"]),
    ("name=*mm*", ["gamma"]),
    ("name=g*a", ["gamma"]),
    ("name=*", ["Beta2", "alpha", "beta", "gamma"]),
    ("name!=beta", ["Beta2", "alpha", "gamma"]),
    ('name="beta" and cluster="Default"', ["beta"]),
    ("name=beta AND datacenter=Default", ["beta"]),
    (" datacenter=Default page 1", ["Beta2", "alpha", "beta", "gamma"]),
    ("datacenter=Default page 2", []),
    ("cluster=Other", []),
    ('description="the second one"', ["beta"]),
    ("status=down", ["Beta2", "alpha", "beta", "gamma"]),
    ("status=up", []),
    ("status!=up", ["Beta2", "alpha", "beta", "gamma"]),
    ("template=Blank", ["Beta2", "alpha", "beta", "gamma"]),
    ("pool=none", []),
    ("mm", ["gamma"]),
    ("sortby name desc", ["gamma", "Beta2", "beta", "alpha"]),
    ("SORTBY NAME ASC page 1", ["alpha", "beta", "Beta2", "gamma"]),
    ("status=down sortby name desc page 1", ["gamma", "Beta2", "beta", "alpha"]),
    ("name=bet*a", ["beta"]),
    ("name=a*p*a", ["alpha"]),
    ("name=alpha or name=gamma", ["alpha", "gamma"]),
    ("headless=true", ["gamma"]),
    (r'name="be\ta"', ["beta"]),
]


def test_a_search_finds(api: Caller, machines: list[VM]) -> None:
    for query, names in FOUND:
        told = found(api, query)
        # Databases have orders of their own; what is asked for is the same in all.
        assert (told if "sortby" in query.lower() else sorted(told)) == (
            names if "sortby" in query.lower() else sorted(names)
        ), query


def test_the_case_of_a_name_counts_unless_it_is_not_to(api: Caller, machines: list[VM]) -> None:
    assert found(api, "name=BETA", case_sensitive="false") == ["beta"]


@pytest.mark.parametrize(("most", "count"), [("0", 0), ("1", 1), ("3", 3), ("99", 4), ("-1", 4)])
def test_max_limits_what_is_told(api: Caller, machines: list[VM], most: str, count: int) -> None:
    assert len(found(api, "", max=most)) == count


def test_pages_follow_each_other(api: Caller, machines: list[VM]) -> None:
    pages = [found(api, f"sortby name asc page {page}", max="3") for page in (1, 2, 3)]
    assert [len(page) for page in pages] == [3, 1, 0]
    assert len({name for page in pages for name in page}) == 4


def test_an_id_finds_its_machine(api: Caller, machines: list[VM]) -> None:
    assert found(api, f"id={machines[1].pk}") == ["beta"]


def test_the_other_collections_are_searched_alike(api: Caller, machines: list[VM], admin: User) -> None:
    create.template("golden", vm=machines[0], by=admin)
    create.pool("row", cluster=machines[0].cluster, by=admin)
    assert found(api, 'name="golden" and cluster="Default"', "templates", "template") == ["golden"]
    assert found(api, "vm.name=alpha", "templates", "template") == ["Blank"]
    assert found(api, "name=Tiny", "instancetypes", "instance_type") == ["Tiny"]
    assert found(api, "name=row and datacenter=Default", "vmpools", "vm_pool") == ["row"]
    assert found(api, "pool=row") == ["row-1"]
    assert found(api, "name=Default", "clusters", "cluster") == ["Default"]
    assert found(api, "name=Default", "datacenters", "data_center") == ["Default"]
    assert found(api, "status=up", "hosts", "host") == ["local"]


def test_events_are_found_by_how_bad_they_are(api: Caller, vm: VM) -> None:
    AuditEvent.objects.filter(entity_id=vm.pk).update(severity="error")
    assert found(api, "severity>normal", "events", "event") == ["USER_ADD_VM"]
    assert found(api, "severity=error", "events", "event") == ["USER_ADD_VM"]
    assert found(api, "severity<normal", "events", "event") == []
    assert found(api, "severity>alert", "events", "event") == []


def test_contents_that_are_followed_are_in_place_of_their_link(api: Caller, vm: VM) -> None:
    card_there = nics.add(vm, nics.Card(), by=User.objects.get(username="admin"))
    (told,) = api.get("/vms?follow=nics.reported_devices,graphics_consoles,unknown").all("vm")
    consoles, cards = told["graphics_consoles"], told["nics"]
    assert consoles["href"].endswith("/graphicsconsoles")
    (console,) = one_or_more(consoles["graphics_console"])
    (card,) = one_or_more(cards["nic"])
    assert (console["protocol"], card["mac"]["address"]) == ("vnc", card_there.mac)
    assert {link["rel"] for link in told["link"]}.isdisjoint({"graphicsconsoles", "nics"})


def one_or_more(node: Any) -> list[Any]:
    return node if isinstance(node, list) else [node]


def test_what_no_machine_has_is_an_empty_list(api: Caller, vm: VM) -> None:
    for path in ("diskattachments", "numanodes", "watchdogs", "reporteddevices", "tags", "sessions"):
        answer = api.get(f"/vms/{vm.pk}/{path}")
        assert (answer.status, answer.tree) == (200, {})


def test_clusters_are_found_in_their_data_center(api: Caller, cluster: Cluster) -> None:
    other = DataCenter.objects.create(name="Other")
    Cluster.objects.create(name="elsewhere", data_center=other)
    assert [told["name"] for told in api.get(f"/datacenters/{other.pk}/clusters").all("cluster")] == ["elsewhere"]
    assert api.get(f"/clusters/{cluster.pk}").at("version") == {"major": "4", "minor": "8"}


# -- what a list costs


def more_of(kind: str, count: int, admin: User, cluster: Cluster) -> None:
    for number in range(count):
        name = f"{kind}-{count}-{number}"
        made = machine(name, by=admin)
        if kind == "templates":
            create.template(name, vm=made, by=admin)
        elif kind == "instancetypes":
            create.instance_type(name, by=admin)
        elif kind == "vmpools":
            create.pool(name, cluster=cluster, by=admin)
        elif kind == "jobs":
            power.start(made, by=admin)
        elif kind == "clusters":
            Cluster.objects.create(name=name, data_center=cluster.data_center)


COST = {
    # The token, whether its user runs anything (twice at most), and the rows.
    "vms": 3,
    "vms?follow=graphics_consoles,nics&current": 4,
    "templates": 3,
    "instancetypes": 3,
    "vmpools": 3,
    "clusters": 3,
    "datacenters": 3,
    "hosts": 4,
    "jobs": 4,
    "events": 4,
}


@pytest.mark.parametrize("path", COST)
def test_a_list_costs_the_same_however_long_it_is(
    xml: Caller, admin: User, cluster: Cluster, host: Host, path: str
) -> None:
    kind = path.partition("?")[0]
    more_of(kind, 1, admin, cluster)
    running = VM.objects.first()
    if path.startswith("vms?") and running:
        up(running, host, by=admin)
    few = cost(xml, path)
    more_of(kind, 3, admin, cluster)
    assert [len(few), len(cost(xml, path))] == [COST[path]] * 2, few


def cost(api: Caller, path: str) -> list[str]:
    with CaptureQueriesContext(connection) as asked:
        assert api.get(f"/{path}").status == 200
    return [query["sql"] for query in asked.captured_queries]
