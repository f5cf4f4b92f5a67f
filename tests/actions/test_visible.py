"""Which rows people see: what they hold a role on or above, and what they have made."""

from typing import Any

import pytest

from tests.actions.places import place_of
from tests.factories import person
from vms.actions import create, power
from vms.actions._authorise import ENGINE
from vms.domain.errors import Refusal
from vms.models import VM, ActionGroup, Cluster, DataCenter, Host, InstanceType, Pool, Template, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


@pytest.fixture
def village(cluster: Cluster, host: Host, admin: User) -> dict[str, Any]:
    """Two data centers with a cluster each, a machine in each cluster, and one of each other kind."""
    far = Cluster.objects.create(name="far", data_center=DataCenter.objects.create(name="far"))
    return {
        "near": create.vm("near", cluster=cluster, by=ENGINE),
        "far": create.vm("far", cluster=far, by=ENGINE),
        "template": create.template("golden", cluster=cluster, by=ENGINE),
        "pool": create.pool("desk", cluster=cluster, by=ENGINE),
        "instance_type": create.instance_type("Odd", by=ENGINE),
        "cluster": cluster,
        "data_center": far.data_center,
    }


@pytest.mark.parametrize(
    ("on", "machines", "others"),
    [
        ({}, ["desk-1", "far", "near"], {"golden", "desk", "Odd", "Blank", "Tiny"}),
        ({"cluster": "cluster"}, ["desk-1", "near"], {"golden", "desk"}),
        ({"data_center": "data_center"}, ["far"], set()),
        ({"vm": "near"}, ["near"], set()),
        ({"pool": "pool"}, [], {"desk"}),  # its machines are seen by who took them
        ({"template": "template"}, [], {"golden"}),
        ({"instance_type": "instance_type"}, [], {"Odd"}),
        (None, [], set()),
    ],
)
def test_people_see_what_they_hold_a_role_on_or_above(
    village: dict[str, Any], on: dict[str, str] | None, machines: list[str], others: set[str]
) -> None:
    kim = person("kim", role="UserRole", **{key: village[name] for key, name in on.items()}) if on is not None else None
    who = kim or person("kim")
    assert [vm.name for vm in VM.objects.visible_to(who)] == machines
    seen = {row.name for kind in (Template, Pool, InstanceType) for row in kind._default_manager.visible_to(who)}
    assert seen & {"golden", "desk", "Odd", "Blank", "Tiny"} == others


def test_a_machine_seen_by_three_roles_is_one_row(village: dict[str, Any]) -> None:
    lea = person("lea", role="UserRole", vm=village["near"])
    person("lea", role="UserVmManager", vm=village["near"])
    person("lea", role="UserRole", cluster=village["cluster"])
    assert VM.objects.visible_to(lea).filter(name="near").count() == 1


def test_rows_can_be_asked_for_by_what_may_be_done_with_them(village: dict[str, Any]) -> None:
    max_ = person("max", role="UserRole", cluster=village["cluster"])
    person("max", role="UserVmManager", vm=village["near"])
    editable = VM.objects.visible_to(max_, ActionGroup.EDIT_VM_PROPERTIES)
    assert [vm.name for vm in editable] == ["near"]
    assert VM.objects.visible_to(max_).count() == 2


@pytest.mark.parametrize("superuser", [True, False])
def test_who_has_left_sees_nothing(village: dict[str, Any], superuser: bool) -> None:
    ned = person("ned", role="SuperUser")
    ned.is_active, ned.is_superuser = False, superuser
    ned.save()
    assert not VM.objects.visible_to(ned).exists()


def test_a_superuser_of_djangos_sees_everything(village: dict[str, Any]) -> None:
    assert VM.objects.visible_to(User.objects.create_superuser("root")).count() == 3


def test_clusters_and_data_centers_are_seen_from_above_only(village: dict[str, Any]) -> None:
    ola = person("ola", role="UserRole", data_center=village["data_center"])
    pia = person("pia", role="UserRole", vm=village["near"])
    assert [row.name for row in Cluster.objects.visible_to(ola)] == ["far"]
    assert [row.name for row in DataCenter.objects.visible_to(ola)] == ["far"]
    assert not Cluster.objects.visible_to(pia).exists()


@pytest.mark.parametrize("place", ["cluster", "data_center", "system"])
@pytest.mark.parametrize("role", ["PowerUserRole", "VmCreator"])
def test_who_may_make_machines_sees_his_own_and_no_others(vm: VM, role: str, place: str) -> None:
    dora = person("dora", role=role, **place_of(vm, place))
    assert not VM.objects.visible_to(dora).exists()
    with pytest.raises(Refusal, match="USER_NOT_AUTHORIZED"):
        create.clone(vm, "stolen", by=dora)
    made = create.vm("mine", cluster=vm.cluster, by=dora)
    assert list(VM.objects.visible_to(dora)) == [made]
    power.start(made, by=dora)
    create.clone(made, "again", by=dora)


def test_a_creator_of_instances_makes_machines_of_instance_types_alone(cluster: Cluster, host: Host) -> None:
    dora = person("dora", role="InstanceCreator", cluster=cluster)
    with pytest.raises(Refusal, match="USER_NOT_AUTHORIZED"):
        create.vm("free", cluster=cluster, by=dora)
    size = InstanceType.objects.get(name="Tiny")
    assert create.vm("sized", cluster=cluster, instance_type=size, by=dora).instance_type == size


def test_who_makes_templates_owns_them_and_a_user_of_a_template_sees_it_alone(
    cluster: Cluster, host: Host, admin: User
) -> None:
    dora = person("dora", role="TemplateCreator", data_center=cluster.data_center)
    made, other = (create.template(name, cluster=cluster, by=by) for name, by in (("hers", dora), ("other", admin)))
    assert list(Template.objects.visible_to(dora)) == [made]
    eric = person("eric", role="UserTemplateBasedVm", template=other)
    person("eric", role="VmCreator", cluster=cluster)
    assert create.vm("of-other", cluster=cluster, template=other, by=eric).template == other
    with pytest.raises(Refusal, match="USER_NOT_AUTHORIZED"):
        create.vm("of-hers", cluster=cluster, template=made, by=eric)
