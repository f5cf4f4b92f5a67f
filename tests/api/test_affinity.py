"""Affinity groups and labels as oVirt's API has them."""

from typing import Any

import pytest

from tests.actions.runs import up
from tests.api.caller import BASE, Caller
from tests.factories import person
from vms.actions import affinity, affinity_labels, reports
from vms.domain.hosts import Capabilities
from vms.models import VM, AffinityGroup, AffinityLabel, Cluster, Host, Job, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


@pytest.fixture
def groups(cluster: Cluster) -> str:
    """The address of the cluster's affinity groups."""
    return f"/clusters/{cluster.pk}/affinitygroups"


def rule(enabled: bool, positive: bool, enforcing: bool) -> dict[str, str]:
    said = {"enabled": enabled, "positive": positive, "enforcing": enforcing}
    return {name: str(value).lower() for name, value in said.items()}


def ids(listed: Any, name: str) -> list[str]:
    """The ids in a list inside a document."""
    inside = listed.get(name, []) if isinstance(listed, dict) else []
    return [each["id"] for each in (inside if isinstance(inside, list) else [inside])]


def words(tree: dict[str, Any], name: str) -> dict[str, str]:
    return {key: str(value).lower() for key, value in tree[name].items()}


def test_a_group_is_made_told_changed_and_removed(
    api: Caller, groups: str, vm: VM, headless_vm: VM, host: Host
) -> None:
    body = {
        "name": "shop",
        "description": "of the shop",
        "priority": "2.5",
        "vms_rule": {"enabled": "true", "positive": "true", "enforcing": "false"},
        "hosts_rule": {"enabled": "true", "positive": "false", "enforcing": "true"},
        "vms": {"vm": [{"id": str(vm.pk)}]},
        "hosts": {"host": [{"name": host.name}]},
    }
    made = api.post(groups, "affinity_group", body)
    assert made.status == 201, made.text
    at = made.tree["href"]
    assert at == f"{BASE}{groups}/{AffinityGroup.objects.get().pk}"
    told = api.get(at)
    assert told.tree == made.tree
    assert (told.at("name"), told.at("description"), float(told.at("priority"))) == ("shop", "of the shop", 2.5)
    assert words(told.tree, "vms_rule") == rule(True, True, False)
    assert words(told.tree, "hosts_rule") == rule(True, False, True)
    assert (str(told.at("positive")).lower(), str(told.at("enforcing")).lower()) == ("true", "false")
    assert (ids(told.at("vms"), "vm"), ids(told.at("hosts"), "host")) == ([str(vm.pk)], [str(host.pk)])
    assert [each["id"] for each in api.get(groups).all("affinity_group")] == [told.at("id")]

    changed = api.put(at, "affinity_group", {"vms": {"vm": [{"id": str(headless_vm.pk)}]}, "positive": "false"})
    assert changed.status == 200, changed.text
    assert ids(changed.at("vms"), "vm") == [str(headless_vm.pk)]
    assert words(changed.tree, "vms_rule")["positive"] == "false"
    repeated = api.put(at, "affinity_group", {**changed.tree})
    assert repeated.tree == changed.tree, "a document that is put back changes nothing"
    switched = api.put(at, "affinity_group", {"vms_rule": {"enabled": "false"}})
    assert words(switched.tree, "vms_rule")["enabled"] == "false"
    assert api.delete(at).status == 200
    assert api.get(at).status == 404


def test_members_come_and_go_one_by_one(
    api: Caller, groups: str, vm: VM, host: Host, cluster: Cluster, admin: User
) -> None:
    group = affinity.create("shop", cluster=cluster, by=admin)
    label = affinity_labels.create("blue", by=admin)
    for word, root, row in (
        ("vms", "vm", vm),
        ("hosts", "host", host),
        ("vmlabels", "affinity_label", label),
        ("hostlabels", "affinity_label", label),
    ):
        at = f"{groups}/{group.pk}/{word}"
        assert api.get(at).all(root) == []
        added = api.post(at, root, {"id": str(row.pk)})
        assert added.status == 201, added.text
        assert (added.root if api.language == "xml" else root) == root
        assert added.tree["href"] == f"{BASE}{at}/{row.pk}"
        assert [each["name"] for each in api.get(at).all(root)] == [row.name]
        assert api.get(f"{at}/{row.pk}").at("name") == row.name
        assert api.delete(f"{at}/{row.pk}").status == 200
        assert api.get(f"{at}/{row.pk}").status == api.delete(f"{at}/{row.pk}").status == 404
    assert api.post(f"{groups}/{group.pk}/vms", "vm", {"id": str(host.pk)}).status == 400
    assert api.post(f"{groups}/{group.pk}/vms", "vm", {}).status == 400


def test_labels_are_put_on_from_either_side(api: Caller, vm: VM, host: Host) -> None:
    made = api.post("/affinitylabels", "affinity_label", {"name": "blue", "vms": {"vm": [{"id": str(vm.pk)}]}})
    assert made.status == 201, made.text
    key = made.at("id")
    assert str(made.at("has_implicit_affinity_group")).lower() == "false"
    at = f"/affinitylabels/{key}"
    assert [each["id"] for each in api.get(f"{at}/vms").all("vm")] == [str(vm.pk)]
    assert api.post(f"{at}/hosts", "host", {"id": str(host.pk)}).status == 201
    assert [each["id"] for each in api.get(f"/hosts/{host.pk}/affinitylabels").all("affinity_label")] == [key]
    assert api.delete(f"{at}/hosts/{host.pk}").status == 200
    assert api.delete(f"/vms/{vm.pk}/affinitylabels/{key}").status == 200
    assert api.get(f"{at}/vms").all("vm") == []
    assert api.post(f"/vms/{vm.pk}/affinitylabels", "affinity_label", {"name": "blue"}).status == 201
    assert api.post(f"/hosts/{host.pk}/affinitylabels", "affinity_label", {"id": key}).status == 201
    changed = api.put(at, "affinity_label", {"name": "green", "has_implicit_affinity_group": "true"})
    assert (changed.status, changed.at("name")) == (200, "green")
    assert AffinityLabel.objects.get().implicit
    followed = api.get(f"{at}?follow=vms,hosts")
    assert (ids(followed.at("vms"), "vm"), ids(followed.at("hosts"), "host")) == ([str(vm.pk)], [str(host.pk)])
    assert api.delete(at).status == 200
    assert api.get(f"/vms/{vm.pk}/affinitylabels").all("affinity_label") == []


def test_a_group_that_somebody_runs_against_is_broken(
    xml: Caller, groups: str, vm: VM, headless_vm: VM, host: Host, admin: User
) -> None:
    reports.host_seen(host, Capabilities(memory=8192))
    for each in (vm, headless_vm):
        up(each, host, by=admin)
    kept = affinity.create("kept", cluster=vm.cluster, vms_rule="positive", vms=[vm, headless_vm], by=admin)
    torn = affinity.create("torn", cluster=vm.cluster, hosts_rule="negative", vms=[vm], hosts=[host], by=admin)
    told = {each["name"]: each["broken"] for each in xml.get(groups).all("affinity_group")}
    assert told == {kept.name: "false", torn.name: "true"}


def test_companions_are_taken_along_where_a_client_asks_for_it(
    xml: Caller, vm: VM, headless_vm: VM, host: Host, admin: User
) -> None:
    reports.host_seen(host, Capabilities(memory=8192))
    reports.host_seen(Host.objects.create(name="other", cluster=host.cluster), Capabilities(memory=8192))
    affinity.create("pair", cluster=vm.cluster, vms_rule="positive", vms=[vm, headless_vm], by=admin)
    for each in (vm, headless_vm):
        up(each, host, by=admin)
    assert xml.post(f"/vms/{vm.pk}/migrate").status == 409
    assert xml.post(f"/vms/{vm.pk}/migrate", tree={"migrate_vms_in_affinity_closure": "true"}).status == 200
    assert Job.objects.filter(verb="migrate").count() == 2


def test_what_is_refused_is_a_fault_and_changes_nothing(
    api: Caller, groups: str, vm: VM, headless_vm: VM, cluster: Cluster, admin: User
) -> None:
    affinity.create("pair", cluster=cluster, vms_rule="positive", vms=[vm, headless_vm], by=admin)
    both = {"vm": [{"id": str(vm.pk)}, {"id": str(headless_vm.pk)}]}
    said = {"name": "rivals", "vms_rule": {"positive": "false"}, "vms": both}
    answer = api.post(groups, "affinity_group", said)
    assert answer.status == 409
    assert "contradict each other" in answer.fault[1]
    for body, status in (
        ({}, 400),
        ({"name": "pair"}, 409),
        ({"name": "x", "priority": "much"}, 400),
        ({"name": "x", "priority": "-1"}, 400),
        ({"name": "x", "vms_rule": {"positive": "maybe"}}, 400),
        ({"name": "x", "vms": {"vm": [{"id": "nonsense"}]}}, 400),
    ):
        assert api.post(groups, "affinity_group", body).status == status, body
    assert AffinityGroup.objects.count() == 1


def test_a_group_is_its_clusters_administrators(
    groups: str, cluster: Cluster, vm: VM, alice: User, carol: User
) -> None:
    assert Caller(carol).get(groups).status == 404, "whoever sees no cluster sees no group"
    seer = person("seer", role="ReadOnlyAdmin", cluster=cluster)
    assert Caller(seer).get(groups).status == 200
    assert Caller(seer).post(groups, "affinity_group", {"name": "hers"}).status == 403
    keeper = person("keeper", role="ClusterAdmin", cluster=cluster)
    assert Caller(keeper).post(groups, "affinity_group", {"name": "his"}).status == 201
    assert Caller(keeper).post("/affinitylabels", "affinity_label", {"name": "his"}).status == 403


def test_many_groups_take_no_more_queries(
    xml: Caller, groups: str, vm: VM, host: Host, cluster: Cluster, admin: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        affinity.create(f"group-{number}", cluster=cluster, vms=[vm], hosts=[host], by=admin)
    with django_assert_max_num_queries(30):
        assert len(xml.get(groups).all("affinity_group")) == 12
