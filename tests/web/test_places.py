"""Data centers, clusters and hosts in WebAdmin: listed, shown, made, changed, rested and removed."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.actions.runs import up
from tests.factories import person
from tests.web.browser import controls
from tests.web.test_vm_detail import text_of
from vms.actions import reports
from vms.domain.errors import Refusal
from vms.models import VM, Cluster, DataCenter, Host, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


@pytest.fixture
def save(web: Client) -> Callable[..., Any]:
    """Fill in the dialog at an address as a browser does, and send it."""

    def send(path: str, **values: Any) -> Any:
        drawn = controls(web.get(path).content.decode(), path)
        return web.post(path, {**drawn.data, **values})

    return send


def test_the_menu_leads_to_lists_of_what_is_there(web: Client, host: Host) -> None:
    for path, found in (
        ("/data-centers/", "Default 1"),
        ("/clusters/", "Default Default 4.8 1 0 of 0 run"),
        ("/hosts/", "local Up Default"),
    ):
        assert f'href="{path}"' in web.get("/vms/").content.decode()
        assert found in text_of(web, path)


def test_a_host_shows_what_it_offers_what_runs_on_it_and_what_happened(
    web: Client, vm: VM, host: Host, admin: User
) -> None:
    up(vm, host, by=admin)
    text = text_of(web, f"/hosts/{host.pk}/")
    for part in ("Emulation (slow)", "Graphical consoles SPICE, VNC", "web Up", "Host local responds."):
        assert part in text, part


def test_a_host_that_does_not_answer_says_why(web: Client, host: Host) -> None:
    reports.host_lost(host, Refusal("HOST_NOT_RESPONDING", None, host="local", message="no route to <b>host</b>"))
    for path in ("/hosts/", f"/hosts/{host.pk}/"):
        html = web.get(path).content.decode()
        assert "Non Responsive" in html
        assert "no route to &lt;b&gt;host&lt;/b&gt;" in html


def test_a_host_that_cannot_be_reached_says_what_helps(web: Client, host: Host) -> None:
    told = {"host": "there", "host_why": "ssh_key_unknown", "message": "Host key verification failed."}
    reports.host_lost(host, Refusal("HOST_OUT_OF_REACH", None, **told))
    cure = (
        "Host local cannot be reached: its SSH host key is not known here. As the user that the engine runs as, log in"
    )
    assert cure in text_of(web, "/hosts/")
    assert "verification failed" not in text_of(web, "/hosts/"), "in a list there is no room for two sentences"
    assert cure in (text := text_of(web, f"/hosts/{host.pk}/"))
    assert "(Host key verification failed.)" in text


def test_a_data_center_a_cluster_and_a_host_are_made_one_in_the_other(
    web: Client, save: Callable[..., Any], admin: User
) -> None:
    save("/data-centers/new", name="South")
    south = DataCenter.objects.get(name="South")
    save("/clusters/new", name="Blue", data_center=str(south.pk), level="4.7")
    blue = Cluster.objects.get(name="Blue", data_center=south, level="4.7")
    answer = save("/hosts/new", name="h1", cluster=str(blue.pk), uri="qemu+ssh://root@h1.example.org/system")
    made = Host.objects.get(name="h1", cluster=blue)
    assert answer["Location"] == f"/hosts/{made.pk}/"
    assert "h1 Connecting Blue" in text_of(web, "/hosts/")


@pytest.mark.parametrize("uri", ["", "h1", "qemu+ssh://root@h1/system?command=rm", "xen:///system", "qemu+ssh://root@"])
def test_an_address_that_is_none_is_refused_at_its_field(
    uri: str, web: Client, save: Callable[..., Any], cluster: Cluster
) -> None:
    answer = save("/hosts/new", name="h1", uri=uri)
    assert answer.status_code == 422
    assert answer.context["form"].errors.keys() == {"uri"}
    assert not Host.objects.filter(name="h1").exists()


def test_a_name_that_is_taken_is_refused(web: Client, save: Callable[..., Any], host: Host) -> None:
    answer = save("/hosts/new", name="local", uri="qemu+ssh://root@h1/system")
    assert answer.context["form"].errors.keys() == {"name"}


def test_what_cannot_be_changed_is_greyed_out_with_its_reason(
    web: Client, save: Callable[..., Any], host: Host
) -> None:
    path = f"/hosts/{host.pk}/edit"
    drawn = controls(web.get(path).content.decode(), path)
    assert drawn.disabled == {"cluster", "uri"}
    assert "in maintenance alone" in text_of(web, path)
    save(path, name="renamed", uri="qemu+ssh://elsewhere/system")
    host.refresh_from_db()
    assert (host.name, host.uri) == ("renamed", "auto")


def test_a_host_is_put_into_maintenance_and_activated(web: Client, host: Host) -> None:
    for verb, resting in (("maintenance", True), ("activate", False)):
        assert f"why-{verb}" not in web.get(f"/hosts/{host.pk}/").content.decode()
        web.post(f"/hosts/{host.pk}/actions/{verb}")
        host.refresh_from_db()
        assert host.maintenance is resting
        assert f"why-{verb}" in web.get(f"/hosts/{host.pk}/").content.decode()
    assert web.post(f"/hosts/{host.pk}/actions/explode").status_code == 404


def test_a_host_on_which_machines_run_neither_rests_nor_goes(web: Client, vm: VM, host: Host, admin: User) -> None:
    up(vm, host, by=admin)
    refused = {"actions/maintenance": "web cannot leave host local", "remove": "still in use by: web"}
    for path, said in ((f"/hosts/{host.pk}/{end}", said) for end, said in refused.items()):
        assert said in " ".join(str(each) for each in web.post(path, follow=True).context["messages"])
    assert not Host.objects.get(pk=host.pk).maintenance


def test_what_nothing_needs_any_more_is_removed(web: Client, host: Host) -> None:
    cluster = host.cluster
    assert b"hx-post" in web.get(f"/hosts/{host.pk}/remove").content
    assert web.post(f"/hosts/{host.pk}/remove")["Location"] == "/hosts/"
    assert not Host.objects.exists()
    web.post(f"/clusters/{cluster.pk}/remove")
    web.post(f"/data-centers/{cluster.data_center_id}/remove")
    assert not DataCenter.objects.exists()


def test_people_without_an_administrative_role_find_nothing(client: Client, host: Host, bob: User) -> None:
    client.force_login(bob)
    for path in ("/hosts/", "/clusters/", "/data-centers/", f"/hosts/{host.pk}/"):
        assert client.get(path).status_code == 403


def test_an_administrator_of_one_cluster_sees_it_alone_and_may_not_remove_it(client: Client, host: Host) -> None:
    other = Cluster.objects.create(name="Other", data_center=host.cluster.data_center)
    client.force_login(person("dave", role="ClusterAdmin", cluster=other))
    assert "Default Default" not in text_of(client, "/clusters/")
    assert client.get(f"/hosts/{host.pk}/").status_code == 404
    assert client.post(f"/clusters/{host.cluster_id}/remove").status_code == 404
