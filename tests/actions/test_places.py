"""Data centers, clusters and hosts: made, changed and removed by whoever may, and never from under machines."""

from typing import Any

import pytest

from tests.actions.runs import up
from tests.factories import machine, person
from vms.actions import create, hosts, places, power, reports
from vms.domain.console import VNC, Console, Level, Video
from vms.domain.errors import Refusal
from vms.domain.firmware import Firmware
from vms.domain.hosts import Capabilities
from vms.models import VM, AuditEvent, Cluster, DataCenter, Host, HostStatus, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


def refused(code: str, act: Any, *args: Any, **more: Any) -> Refusal:
    with pytest.raises(Refusal) as no:
        act(*args, **more)
    assert no.value.code == code
    return no.value


def last_event() -> tuple[str, str]:
    event = AuditEvent.objects.first()
    assert event is not None
    return event.code, event.entity_name


def test_a_data_center_and_a_cluster_are_made_changed_and_removed(admin: User) -> None:
    center = places.create_data_center("Berlin one", description="far away", by=admin)
    cluster = places.create_cluster("web", data_center=center, level="4.4", by=admin)
    assert last_event() == ("USER_ADD_CLUSTER", "web")
    refused("ACTION_TYPE_FAILED_STILL_IN_USE", places.remove_data_center, center, by=admin)
    places.edit_cluster(cluster, name="shop", comment="new", by=admin)
    places.edit_data_center(center, name="Berlin", by=admin)
    changed = AuditEvent.objects.get(code="USER_UPDATE_CLUSTER")
    assert (changed.before, changed.after) == ({"name": "web", "comment": ""}, {"name": "shop", "comment": "new"})
    places.remove_cluster(Cluster.objects.get(name="shop"), by=admin)
    places.remove_data_center(DataCenter.objects.get(name="Berlin"), by=admin)
    assert not DataCenter.objects.filter(name="Berlin").exists()


def test_an_edit_that_changes_nothing_is_no_event(admin: User, cluster: Cluster) -> None:
    before = AuditEvent.objects.count()
    places.edit_cluster(cluster, name=cluster.name, level=cluster.level, by=admin)
    places.edit_data_center(cluster.data_center, name="Default", by=admin)
    assert AuditEvent.objects.count() == before


@pytest.mark.parametrize("name", ["", " x", "-x", "a/b", "x" * 41, "a\nb", "a\0b"])
def test_a_place_has_a_name_that_can_be_written(admin: User, cluster: Cluster, name: str) -> None:
    code = "ACTION_TYPE_FAILED_INVALID_CHARACTERS_IN_NAME"
    refused(code, places.create_data_center, name, by=admin)
    refused(code, places.edit_cluster, cluster, name=name, by=admin)


def test_a_name_is_used_once(admin: User, cluster: Cluster) -> None:
    code = "ACTION_TYPE_FAILED_NAME_ALREADY_USED"
    assert refused(code, places.create_data_center, "Default", by=admin).field == "name"
    refused(code, places.create_cluster, "Default", data_center=cluster.data_center, by=admin)
    hosts.create("one", cluster=cluster, uri="qemu:///system", by=admin)
    refused(code, hosts.create, "one", cluster=cluster, uri="qemu+ssh://two/system", by=admin)


def test_there_are_only_levels_that_there_are(admin: User, cluster: Cluster) -> None:
    assert refused("ILLEGAL_VALUE", places.edit_cluster, cluster, level="5.0", by=admin).field == "level"


def test_machines_keep_their_cluster_in_place(admin: User, cluster: Cluster, vm: VM, host: Host) -> None:
    hosts.deactivate(host, by=admin)
    hosts.remove(host, by=admin)
    told = refused("ACTION_TYPE_FAILED_STILL_IN_USE", places.remove_cluster, cluster, by=admin)
    assert "web" in str(told.params["users"])


def with_bochs(console: Console) -> Console:
    return console.with_display(VNC, Video.BOCHS)


def test_a_lower_level_gives_machines_a_card_that_it_shows(admin: User, cluster: Cluster, host: Host) -> None:
    shown = machine("uefi", by=admin, firmware=Firmware.UEFI, console=lambda console, _offer: with_bochs(console))
    template = create.template("golden", vm=shown, by=admin)
    places.edit_cluster(cluster, level=Level.V4_4.value, by=admin)
    for row in (shown, template):
        assert type(row).objects.get(pk=row.pk).console.video == Video.VGA


def test_a_new_name_is_the_one_that_machines_are_found_by(admin: User, cluster: Cluster, vm: VM) -> None:
    places.edit_cluster(cluster, name="Shop", by=admin)
    assert VM.objects.get(pk=vm.pk).cluster_name == "shop"


# -- hosts


@pytest.mark.parametrize("uri", ["", "ssh://x", "qemu+ext://x/system?command=sh", "qemu:///system?socket=/x", "memory"])
def test_a_host_has_an_address_that_an_engine_may_connect_to(admin: User, cluster: Cluster, uri: str) -> None:
    assert refused("ILLEGAL_VALUE", hosts.create, "one", cluster=cluster, uri=uri, by=admin).field == "uri"


def test_a_host_is_changed_but_not_made_another(admin: User, cluster: Cluster, host: Host) -> None:
    hosts.edit(host, name="first", comment="oldest", uri="auto", by=admin)
    assert last_event() == ("USER_UPDATE_VDS", "first")
    assert refused("ILLEGAL_VALUE", hosts.edit, host, uri="qemu:///session", by=admin).field == "uri"


def test_a_host_gets_another_address_in_maintenance(admin: User, cluster: Cluster) -> None:
    far = hosts.create("far", cluster=cluster, uri="qemu+ssh://root@far/system", by=admin)
    near = "qemu+ssh://root@near/system"
    assert refused("ACTION_TYPE_FAILED_VDS_STATUS_ILLEGAL", hosts.edit, far, uri=near, by=admin).field == "uri"
    hosts.deactivate(far, by=admin)
    assert hosts.edit(far, uri=near, by=admin).uri == near
    assert refused("ILLEGAL_VALUE", hosts.edit, far, uri="auto", by=admin).field == "uri"


def test_a_host_moves_to_another_cluster_in_maintenance(admin: User, cluster: Cluster, host: Host) -> None:
    other = places.create_cluster("other", data_center=cluster.data_center, by=admin)
    refused("ACTION_TYPE_FAILED_VDS_STATUS_ILLEGAL", hosts.edit, host, cluster=other, by=admin)
    hosts.deactivate(host, by=admin)
    assert hosts.edit(host, cluster=other, by=admin).cluster == other


def test_nothing_starts_on_a_host_in_maintenance_whatever_the_engine_sees(
    admin: User, host: Host, headless_vm: VM
) -> None:
    hosts.deactivate(host, by=admin)
    reports.host_seen(Host.objects.get(pk=host.pk), Capabilities())
    assert Host.objects.get(pk=host.pk).shown_status == HostStatus.MAINTENANCE
    refused("ACTION_TYPE_FAILED_VDS_VM_CLUSTER", power.start, headless_vm, by=admin)
    hosts.activate(host, by=admin)
    assert Host.objects.get(pk=host.pk).shown_status == HostStatus.UP
    power.start(headless_vm, by=admin)
    assert [event.code for event in AuditEvent.objects.filter(entity_id=host.pk)][:2] == [
        "USER_VDS_ACTIVATE",
        "USER_VDS_MAINTENANCE",
    ]


def test_a_host_that_machines_run_on_stays(admin: User, host: Host, headless_vm: VM) -> None:
    up(headless_vm, host, by=admin)
    refused("VDS_CANNOT_MAINTENANCE_VMS_STAY", hosts.deactivate, host, by=admin)
    refused("ACTION_TYPE_FAILED_STILL_IN_USE", hosts.remove, host, by=admin)


# -- who may


def test_each_takes_its_right_where_it_is(admin: User, cluster: Cluster, host: Host) -> None:
    no = "USER_NOT_AUTHORIZED_TO_PERFORM_ACTION"
    center = cluster.data_center
    of_cluster = person("clara", role="ClusterAdmin", cluster=cluster)
    of_center = person("dora", role="DataCenterAdmin", data_center=center)
    stranger = person("carol")
    for by in (of_cluster, of_center, stranger):
        refused(no, places.create_data_center, "theirs", by=by)
    for by in (of_cluster, stranger):
        refused(no, places.create_cluster, "theirs", data_center=center, by=by)
        refused(no, places.edit_data_center, center, comment="theirs", by=by)
    for act in (hosts.deactivate, hosts.activate, hosts.remove, places.remove_cluster):
        refused(no, act, host if act.__module__.endswith("hosts") else cluster, by=stranger)
    places.edit_cluster(cluster, comment="hers", by=of_cluster)
    hosts.edit(hosts.create("hers", cluster=cluster, uri="qemu:///session", by=of_cluster), comment="x", by=of_center)
    places.remove_cluster(places.create_cluster("made", data_center=center, by=of_center), by=of_center)


def test_a_daemon_is_a_host_once_however_its_address_is_spelt(admin: User, cluster: Cluster) -> None:
    hosts.create("one", cluster=cluster, uri="qemu+ssh://root@one.example.org/system", by=admin)
    two = hosts.create("two", cluster=cluster, uri="qemu+ssh://root@one.example.org:2222/system", by=admin)
    code = "ACTION_TYPE_FAILED_VDS_WITH_SAME_HOST_EXIST"
    for uri in ("qemu+ssh://ROOT@One.Example.org:22/system?keyfile=/a", "qemu+tls://one.example.org/system"):
        assert refused(code, hosts.create, "three", cluster=cluster, uri=uri, by=admin).params == {"name": "one"}
    hosts.deactivate(two, by=admin)
    assert refused(code, hosts.edit, two, uri="qemu+ssh://one.example.org./system", by=admin).field == "uri"
    hosts.edit(two, uri="qemu+ssh://two.example.org/system", by=admin)
