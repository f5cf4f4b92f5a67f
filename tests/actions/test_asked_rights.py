"""What doors ask beforehand is what actions decide: the rights of a list are those that each row is judged by."""

from typing import Any

import pytest

from tests.factories import machine, person
from vms.actions import create, pools, rights
from vms.models import VM, ActionGroup, Cluster, DataCenter, Host, Template, User
from vms.models.machines import BLANK

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

ROLES = ("UserVmManager", "UserRole", "SuperUser")


@pytest.fixture
def rows(admin: User, host: Host, cluster: Cluster) -> dict[str, Any]:
    """One of everything that a role can be held on, and others of which nobody holds any."""
    other = Cluster.objects.create(name="other", data_center=DataCenter.objects.create(name="elsewhere"))
    pool = create.pool("desk", cluster=cluster, by=admin)
    return {
        "vm": machine("web", by=admin),
        "pool": pool,
        "template": create.template("golden", cluster=cluster, by=admin),
        "instance_type": create.instance_type("sized", by=admin),
        "cluster": cluster,
        "data_center": cluster.data_center,
        "member": pool.vms.get(),
        "blank": Template.objects.get(pk=BLANK),
        "elsewhere": create.vm("far", cluster=other, by=admin),
    }


def test_what_is_told_of_a_role_is_what_it_grants(vm: VM) -> None:
    for role in ROLES:
        kim = person(f"kim, {role}", role=role, vm=vm)
        assert rights.on(kim, vm) == {group for group in ActionGroup if rights.may(kim, group, vm)}, role


@pytest.mark.parametrize("on", ["vm", "pool", "template", "instance_type", "cluster", "data_center", None])
def test_what_is_told_of_a_row_is_what_the_actions_decide(on: str | None, rows: dict[str, Any]) -> None:
    """Of one action group that each of the roles grants and one that one of them does not, wherever it is held."""
    for role in ROLES:
        kim = person(f"kim, {role}", role=role, **({on: rows[on]} if on else {}))
        for name, row in rows.items():
            for group in (ActionGroup.RUN_VM, ActionGroup.EDIT_VM_PROPERTIES):
                assert (group in rights.on(kim, row)) == rights.may(kim, group, row), (role, name, group)


def test_each_row_of_a_list_has_its_own_rights(rows: dict[str, Any], django_assert_num_queries: Any) -> None:
    kim = person("kim", role="UserRole", vm=rows["vm"])
    with django_assert_num_queries(1):
        told = rights.on_each(kim, [rows["vm"], rows["elsewhere"]])
    assert ActionGroup.RUN_VM in told[rows["vm"].pk]
    assert told[rows["elsewhere"].pk] == frozenset()


def test_somebody_who_was_locked_out_has_none(rows: dict[str, Any]) -> None:
    kim = person("kim", role="SuperUser")
    kim.is_active = False
    kim.save(update_fields=["is_active"])
    assert rights.on(kim, rows["vm"]) == frozenset()


def test_a_machine_that_was_taken_is_told_from_one_that_was_given(rows: dict[str, Any]) -> None:
    kim = person("kim", role="UserRole", pool=rows["pool"])
    rows["member"].refresh_from_db()
    assert rights.taken_by(kim, [rows["member"], rows["vm"]]) == frozenset()
    pools.take(rows["pool"], by=kim, start=False)
    assert rights.taken_by(kim, [rows["member"], rows["vm"]]) == {rows["member"].pk}
