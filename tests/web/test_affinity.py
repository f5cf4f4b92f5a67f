"""Affinity groups and labels in WebAdmin: their dialogs and pages, and machines that run against them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.actions.runs import fresh, up
from tests.factories import machine, person
from tests.web.browser import controls
from tests.web.test_vm_detail import text_of
from vms.actions import affinity, reports
from vms.domain.hosts import Capabilities
from vms.models import VM, AffinityGroup, AffinityLabel, Cluster, Host, Job, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

Save = Callable[..., Any]


@pytest.fixture
def save(web: Client) -> Save:
    """Fill in the dialog at an address as a browser does, and send it."""

    def send(path: str, **values: Any) -> Any:
        drawn = controls(web.get(path).content.decode(), path.partition("?")[0])
        return web.post(path, {**drawn.data, **values})

    return send


@pytest.fixture
def two(host: Host) -> list[Host]:
    """Two hosts that have told what they offer."""
    reports.host_seen(host, Capabilities(memory=8192))
    other = Host.objects.create(name="other", cluster=host.cluster)
    reports.host_seen(other, Capabilities(memory=4096))
    return [host, other]


def test_a_group_is_made_from_its_clusters_page_shown_changed_and_removed(
    web: Client, save: Save, vm: VM, headless_vm: VM, host: Host, cluster: Cluster
) -> None:
    page = web.get(f"/clusters/{cluster.pk}/").content.decode()
    assert f"/affinity-groups/new?cluster={cluster.pk}" in page
    said = {"name": "shop", "vms_rule": "negative", "hosts_rule": "positive", "vms": [vm.pk, headless_vm.pk]}
    answer = save(f"/affinity-groups/new?cluster={cluster.pk}", **said, hosts=[host.pk], vms_enforcing="")
    assert answer.status_code == 302, answer.context["form"].errors
    group = AffinityGroup.objects.get()
    assert (group.cluster, group.vms_rule, group.vms_enforcing, group.hosts_enforcing) == (
        *(cluster, "negative", False, True),
    )
    assert set(group.vms.all()) == {vm, headless_vm}
    row = "shop Kept 1 Negative where possible 2 Positive enforcing 1"
    assert row in text_of(web, f"/clusters/{cluster.pk}/")
    assert "shop Kept Default 1 Negative where possible 2 Positive enforcing 1" in text_of(web, "/affinity-groups/")
    at = f"/affinity-groups/{group.pk}/"
    assert "was created by admin" in text_of(web, at)
    assert save(f"{at}edit", description="of the shop", vms=[vm.pk]).status_code == 302
    assert list(AffinityGroup.objects.get().vms.all()) == [vm]
    assert web.post(f"{at}remove").status_code == 302
    assert not AffinityGroup.objects.exists()


def test_a_dialog_that_contradicts_another_group_says_so(save: Save, vm: VM, headless_vm: VM, admin: User) -> None:
    affinity.create("pair", cluster=vm.cluster, vms_rule="positive", vms=[vm, headless_vm], by=admin)
    answer = save("/affinity-groups/new", name="rivals", vms_rule="negative", vms=[vm.pk, headless_vm.pk])
    assert answer.status_code in {409, 422}
    assert "contradict each other" in str(answer.context["form"].errors)
    for values, field in (({"priority": "-1"}, "priority"), ({"name": " "}, "name"), ({"vms": ["x"]}, "vms")):
        assert field in save("/affinity-groups/new", **{"name": "x", **values}).context["form"].errors, values
    assert AffinityGroup.objects.count() == 1


def test_labels_have_pages_and_are_put_on_machines_and_hosts(
    web: Client, save: Save, vm: VM, host: Host, admin: User
) -> None:
    assert save("/affinity-labels/new", name="licence", implicit="on", vms=[vm.pk]).status_code == 302
    label = AffinityLabel.objects.get()
    assert f"licence Yes {vm.name} –" in text_of(web, "/affinity-labels/")
    group = affinity.create("shop", cluster=vm.cluster, by=admin)
    assert save(f"/hosts/{host.pk}/affinity/edit", affinity_labels=[label.pk]).status_code == 302
    assert "licence Yes" in text_of(web, f"/hosts/{host.pk}/")
    tab = f"/vms/{vm.pk}/affinity"
    assert save(f"{tab}/edit", affinity_groups=[group.pk], affinity_labels=[]).status_code == 302
    assert (list(vm.affinity_groups.all()), list(vm.affinity_labels.all())) == ([group], [])
    assert "shop 1 Disabled Disabled" in text_of(web, tab)
    assert f"{host.name} Up" in text_of(web, f"/affinity-labels/{label.pk}/")


def test_who_runs_against_a_group_is_shown_and_mended(web: Client, two: list[Host], vm: VM, admin: User) -> None:
    running = up(vm, two[0], by=admin)
    group = affinity.create("gpu", cluster=vm.cluster, hosts_rule="positive", vms=[vm], hosts=[two[1]], by=admin)
    detail, tab = f"/vms/{vm.pk}/", f"/vms/{vm.pk}/affinity"
    assert "It runs where its affinity does not want it" in text_of(web, detail)
    said = "Not on host local: affinity group gpu ties it to other hosts (other)."
    assert said in text_of(web, tab)
    assert said in text_of(web, f"/affinity-groups/{group.pk}/")
    assert "Broken" in text_of(web, f"/clusters/{vm.cluster.pk}/")
    assert web.post(f"{tab}/mend").status_code == 302
    assert Job.objects.get(machine=running.pk, verb="migrate").params["to"] == str(two[1].pk)


def test_companions_are_taken_along_where_that_is_ticked(web: Client, two: list[Host], admin: User) -> None:
    pair = [machine(name, by=admin, memory=256) for name in ("web", "db")]
    affinity.create("pair", cluster=two[0].cluster, vms_rule="positive", vms=pair, by=admin)
    for each in pair:
        up(each, two[0], by=admin)
    at = f"/vms/{pair[0].pk}/migrate"
    assert "Move db with it" in text_of(web, at)
    assert "keeps it together with db on host local" in web.post(at, {"host": ""}).content.decode()
    assert web.post(at, {"host": "", "together": "on"}).status_code == 302
    assert Job.objects.filter(verb="migrate").count() == 2
    assert {fresh(each).status for each in pair} == {"migrating_from"}


def test_who_may_not_sees_why(client: Client, vm: VM, cluster: Cluster) -> None:
    client.force_login(person("seer", role="ReadOnlyAdmin", cluster=cluster))
    page = client.get(f"/clusters/{cluster.pk}/").content.decode()
    assert "Your roles do not allow you to change affinity groups here." in page
    assert client.post("/affinity-groups/new", {"name": "x"}).status_code in {403, 409, 422}
    assert not AffinityGroup.objects.exists()


def test_many_groups_take_no_more_queries(
    web: Client, vm: VM, cluster: Cluster, admin: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        affinity.create(f"group-{number}", cluster=cluster, vms=[vm], by=admin)
    for page in ("/affinity-groups/", f"/clusters/{cluster.pk}/"):
        with django_assert_max_num_queries(34):
            assert "group-11" in text_of(web, page)
