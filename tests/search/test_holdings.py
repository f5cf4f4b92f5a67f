"""Machines are found by what they have: disks and their storage, cards and their networks, snapshots."""

from collections.abc import Callable

import pytest

from tests.actions.test_disks import domain, hypervisor, work
from tests.factories import machine
from vms.actions import create, disks, nics, snapshots
from vms.actions.nics import Card
from vms.domain.disks import GIB
from vms.domain.search import parse
from vms.models import VM, StorageDomain, Template, User
from vms.search.find import find
from vms.search.languages import TEMPLATES, VMS

__all__ = ["domain", "hypervisor", "work"]

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


def test_machines_and_templates_are_found_by_what_they_have(
    vm: VM, admin: User, bob: User, domain: StorageDomain, work: Callable[[], None]
) -> None:
    machine("bare", by=admin)
    disks.create_in(vm, "root-disk", domain=domain, size=GIB, by=admin)
    card = vm.cards.first() or nics.add(vm, Card(name="nic1"), by=admin)
    network = vm.cluster.data_center.networks.get()
    nics.edit(card, profile=network.profiles.get(), by=admin)
    work()
    snapshots.take(vm, "before the update", by=admin)
    work()
    vm.refresh_from_db()
    create.template("golden", vm=vm, by=admin)
    work()
    card.refresh_from_db()
    for text in (
        *("disk.name = root-disk", "disk.alias = ROOT*", "disk.status = ok", f"disk.provisioned_size = {GIB}"),
        *(f"storage.name = {domain.name}", f"network.name = {network.name}", f"vnic.network_name = {network.name}"),
        *(f"vnic.name = {card.name}", f"vnic.mac = {card.mac}", "vnic.linked = true"),
        *("snapshot.description = before*", "snapshot.status = ok", "snapshot.creation_date = today"),
    ):
        found = find(VM.objects.all(), VMS, parse(text), by=admin)
        assert [row.name for row in found] == [vm.name], text
    for text in ("disk.status = ok", f"storage.name = {domain.name}", f"network.name = {network.name}"):
        assert [row.name for row in find(Template.objects.all(), TEMPLATES, parse(text), by=admin)] == ["golden"], text
    hidden = find(VM.objects.visible_to(bob), VMS, parse(f"storage.name = {domain.name}"), by=bob)
    assert not hidden.exists(), "who does not see the storage is not told by it"
    assert find(VM.objects.visible_to(bob), VMS, parse("disk.name = root-disk"), by=bob).exists()
