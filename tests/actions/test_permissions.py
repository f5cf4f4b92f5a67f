"""Roles given and taken, people added and removed: nobody gives more than they have, and who administers stays."""

from typing import Any

import pytest

from tests.actions.test_disks import domain, hypervisor, work
from tests.actions.test_places import refused
from tests.factories import person
from vms.actions import disks, networks, people, permissions, power
from vms.domain.disks import GIB
from vms.domain.secret import Secret
from vms.models import (
    VM,
    ActionGroup,
    AuditEvent,
    Cluster,
    Disk,
    Host,
    Role,
    StorageDomain,
    Template,
    User,
    VnicProfile,
)

__all__ = ["domain", "hypervisor", "work"]

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

NO = "USER_NOT_AUTHORIZED_TO_PERFORM_ACTION"


def sees(user: User, row: Any) -> bool:
    found: bool = type(row).objects.visible_to(user).filter(pk=row.pk).exists()
    return found


def role(name: str) -> Role:
    return Role.objects.get(name=name)


def test_a_role_on_a_machine_opens_it_and_goes_again(admin: User, headless_vm: VM, carol: User) -> None:
    given = permissions.grant(carol, role("UserRole"), headless_vm, by=admin)
    assert permissions.grant(carol, role("UserRole"), headless_vm, by=admin) == given
    power.start(headless_vm, by=carol)
    permissions.revoke(given, by=admin)
    refused(NO, power.stop, headless_vm, by=carol)
    told = AuditEvent.objects.filter(code__contains="PERMISSION").values_list("code", "entity_name", "params")
    assert list(told) == [
        ("USER_REMOVE_PERMISSION", "db", {"user": "carol", "role": "UserRole"}),
        ("USER_ADD_PERMISSION", "db", {"user": "carol", "role": "UserRole"}),
    ]


def test_a_role_on_storage_a_disk_a_network_or_a_profile_reaches_what_is_below_and_nothing_beside(
    admin: User, carol: User, cluster: Cluster, host: Host, domain: StorageDomain
) -> None:
    disk = disks.create("data", domain=domain, size=GIB, by=admin)
    other = disks.create("other", domain=domain, size=GIB, by=admin)
    network = cluster.data_center.networks.get()
    beside = networks.create("beside", data_center=cluster.data_center, by=admin)
    for row in VnicProfile.objects.all():
        networks.edit_profile(row, public=False, by=admin)
    profile = network.profiles.get()
    closed = networks.create_profile("closed", network=network, public=False, by=admin)
    assert not Disk.objects.visible_to(carol).exists()
    for name, on, seen, hidden in (
        ("DiskOperator", disk, [disk], [other, domain]),
        ("DiskOperator", domain, [disk, other, domain], [cluster.data_center]),
        ("UserRole", profile, [profile], [closed]),
        ("UserRole", network, [network, closed], [beside]),
    ):
        given = permissions.grant(carol, role(name), on, by=admin)
        found = {sees(carol, row) for row in seen}
        assert found == {True}, (name, on)
        assert not any(sees(carol, row) for row in hidden), (name, on)
        permissions.revoke(given, by=admin)
    refused(NO, disks.edit, disk, size=2 * GIB, by=carol)
    permissions.grant(carol, role("DiskOperator"), disk, by=admin)
    disks.edit(disk, description="hers", by=carol)
    refused(NO, disks.edit, other, description="hers", by=carol)


def test_who_makes_a_disk_may_do_anything_with_it(carol: User, admin: User, domain: StorageDomain) -> None:
    permissions.grant(carol, role("DiskCreator"), domain, by=admin)
    disk = disks.create("mine", domain=domain, size=GIB, by=carol)
    disks.edit(disk, description="mine", by=carol)
    assert list(Disk.objects.visible_to(carol)) == [disk]
    refused(NO, permissions.grant, carol, role("DiskOperator"), domain, by=carol)


def test_a_role_on_the_system_is_told_of_its_holder(admin: User, carol: User) -> None:
    permissions.revoke(permissions.grant(carol, role("ReadOnlyAdmin"), by=admin), by=admin)
    codes = AuditEvent.objects.filter(entity_name="carol").values_list("code", flat=True)
    assert list(codes) == ["USER_REMOVE_SYSTEM_PERMISSION", "USER_ADD_SYSTEM_PERMISSION"]


def test_an_owner_gives_others_what_she_has_and_no_more(vm: VM, headless_vm: VM, alice: User, carol: User) -> None:
    permissions.grant(carol, role("UserInstanceManager"), vm, by=alice)
    only = "PERMISSION_ADD_FAILED_ONLY_SYSTEM_SUPER_USER_CAN_GIVE_ADMIN_ROLES"
    refused(only, permissions.grant, carol, role("ReadOnlyAdmin"), vm, by=alice)
    for name in ("SuperUser", "ClusterAdmin", "VmPoolAdmin"):
        refused(NO, permissions.grant, carol, role(name), vm, by=alice)
    refused(NO, permissions.grant, carol, role("UserRole"), headless_vm, by=alice)
    refused(NO, permissions.grant, carol, role("UserRole"), by=alice)
    refused(NO, permissions.grant, alice, role("SuperUser"), vm, by=alice)
    assert set(carol.permissions.values_list("role__name", flat=True)) == {"UserInstanceManager"}


def test_who_may_only_use_a_machine_gives_nothing(vm: VM, bob: User, carol: User) -> None:
    refused(NO, permissions.grant, carol, role("UserRole"), vm, by=bob)
    refused(NO, permissions.revoke, bob.permissions.get(), by=carol)


def test_nobody_takes_from_others_what_they_have_not_themselves(admin: User, vm: VM, alice: User) -> None:
    above = permissions.grant(person("dora"), role("ClusterAdmin"), vm, by=admin)
    refused(NO, permissions.revoke, above, by=alice)


def test_an_administrator_of_a_place_gives_roles_there_alone(
    admin: User, cluster: Cluster, vm: VM, carol: User
) -> None:
    clara = person("clara", role="ClusterAdmin", cluster=cluster)
    permissions.grant(carol, role("ClusterAdmin"), vm, by=clara)
    permissions.grant(carol, role("UserRole"), cluster, by=clara)
    refused(NO, permissions.grant, carol, role("UserRole"), cluster.data_center, by=clara)
    refused(NO, permissions.grant, carol, role("ClusterAdmin"), by=clara)
    refused(NO, permissions.grant, carol, role("DataCenterAdmin"), vm, by=clara)


def test_somebody_who_administers_the_system_stays(admin: User) -> None:
    mine = admin.permissions.get()
    refused("SYSTEM_NEEDS_AN_ADMINISTRATOR", permissions.revoke, mine, by=admin)
    mine = admin.permissions.get()
    other = permissions.grant(person("second"), role("SuperUser"), by=admin)
    permissions.revoke(mine, by=other.user)
    refused("SYSTEM_NEEDS_AN_ADMINISTRATOR", permissions.revoke, other, by=other.user)


def test_a_role_may_be_held_on_every_kind_of_object(admin: User, vm: VM, carol: User) -> None:
    objects: list[Any] = [model._default_manager.first() for model in permissions.COLUMNS]
    for on in objects:
        if on is not None:
            given = permissions.grant(carol, role("UserRole"), on, by=admin)
            assert permissions.held_on(given) == on
    assert Template in {type(on) for on in objects if on is not None}


# -- people


def test_somebody_is_added_without_any_right_and_logs_in_with_the_password(admin: User) -> None:
    dave = people.create("dave", password=Secret("correct horse battery"), email="dave@example.org", by=admin)
    assert dave.check_password("correct horse battery")
    assert not dave.permissions.exists()
    assert not people.create("nopass", by=admin).has_usable_password()
    people.edit(dave, first_name="Dave", by=admin)
    assert AuditEvent.objects.get(code="USER_UPDATE").after == {"first_name": "Dave"}


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 151, "a\0"])
def test_a_user_name_is_one(admin: User, name: str) -> None:
    assert refused("ILLEGAL_VALUE", people.create, name, by=admin).field == "username"


def test_a_password_is_no_poor_one_and_a_name_is_used_once(admin: User) -> None:
    assert refused("ILLEGAL_VALUE", people.create, "dave", password=Secret("1234"), by=admin).field == "password"
    people.create("dave", by=admin)
    refused("ACTION_TYPE_FAILED_NAME_ALREADY_USED", people.create, "dave", by=admin)


def test_somebody_who_is_removed_is_gone_with_the_roles(admin: User, vm: VM, bob: User) -> None:
    people.remove(bob, by=admin)
    assert not vm.permissions.filter(role__name="UserRole").exists()
    refused("USER_CANNOT_REMOVE_HIMSELF", people.remove, admin, by=admin)


def test_the_last_administrator_is_not_removed(admin: User) -> None:
    keeper = Role.objects.create(name="Keeper")
    keeper.permits.create(action_group=ActionGroup.MANIPULATE_USERS)
    refused("SYSTEM_NEEDS_AN_ADMINISTRATOR", people.remove, admin, by=person("keeper", role="Keeper"))
    assert User.objects.filter(pk=admin.pk).exists()


def test_people_are_an_administrator_s_affair(vm: VM, alice: User, bob: User) -> None:
    refused(NO, people.create, "dave", by=alice)
    refused(NO, people.edit, bob, first_name="Bob", by=alice)
    refused(NO, people.remove, bob, by=alice)
