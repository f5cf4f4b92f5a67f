"""Machines made in bulk are as those made one by one: what is only read, made anew, is what was written."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from vms.actions import edit, remove
from vms.domain.changes import Changes
from vms.models import VM, Device, SearchText, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


def read_models() -> dict[str, Any]:
    devices = Device.objects.filter(vm__isnull=False, scope="configured")
    return {
        "machines": sorted(VM.objects.values_list("pk", *VM.PROJECTED_FIELDS)),
        "devices": sorted(map(str, devices.values_list("device_id", "kind", "model", "params", "position", "vm"))),
        "texts": sorted(SearchText.objects.values_list("vm", "field", "text")),
    }


def test_what_is_seeded_is_what_the_actions_would_write(db: None) -> None:
    call_command("seed", vms=40, running=True, verbosity=0)
    seeded = read_models()
    call_command("rebuild", verbosity=0)
    assert read_models() == seeded
    assert VM.objects.count() == 40
    assert {vm.console.headless for vm in VM.objects.all()} == {True, False}
    assert set(VM.objects.values_list("status", flat=True)) >= {"up", "down"}


def test_what_is_there_already_stays(admin: User) -> None:
    call_command("seed", vms=10, verbosity=0)
    one = VM.objects.earliest("name")
    edit.edit(one, Changes(machine={"memory": 640}), by=admin)
    call_command("seed", vms=20, verbosity=0)
    assert VM.objects.count() == 20
    assert VM.objects.get(pk=one.pk).memory == 640
    assert set(VM.objects.values_list("status", flat=True)) == {"down"}
    remove.remove(one, by=admin)


def test_the_same_seed_makes_the_same_machines(db: None) -> None:
    call_command("seed", vms=5, verbosity=0)
    once = sorted(VM.objects.values_list("pk", "name", "memory", "display_type"))
    VM.objects.all().delete()
    call_command("seed", vms=5, verbosity=0)
    assert sorted(VM.objects.values_list("pk", "name", "memory", "display_type")) == once


@pytest.mark.parametrize("count", [-1, 10_000_000])
def test_no_more_than_can_be(count: int, db: None) -> None:
    with pytest.raises(CommandError):
        call_command("seed", vms=count)
