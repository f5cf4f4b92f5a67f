"""Prepare for headless by programs: ours beside oVirt's actions."""

import pytest

from tests.actions.runs import up
from tests.api.caller import Caller
from vms.actions import preparations
from vms.domain.errors import Refusal
from vms.domain.preparation import Way
from vms.models import VM, Host, Preparation, User

pytestmark = pytest.mark.django_db


def test_a_program_has_a_machine_prepared_and_looks_how_far_it_is(api: Caller, vm: VM) -> None:
    begun = api.post(f"/vms/{vm.pk}/prepareheadless", "action", {})
    assert (begun.status, begun.at("status")) == (202, "pending"), begun.text
    preparation = Preparation.objects.get()
    assert (str(preparation.pk), preparation.alone) == (begun.at("id"), True)
    there = f"/vms/{vm.pk}/prepareheadless/{preparation.pk}"
    assert begun.at("href").endswith(there)
    assert api.get(there).at("status") == "in_progress"
    assert api.post(f"/vms/{vm.pk}/prepareheadless", "action", {}).status == 409, "once at a time"
    preparations._fail(preparation.pk, Refusal("PREPARE_NO_GRUB"))
    failed = api.get(there)
    assert failed.at("status") == "failed"
    assert "does not boot with GRUB" in failed.text
    assert api.post(f"/vms/{vm.pk}/undoprepareheadless", "action", {}).status == 409, "nothing was changed"


def test_what_runs_is_powered_off_by_force_alone(api: Caller, vm: VM, host: Host, admin: User) -> None:
    up(vm, host, by=admin)
    assert api.post(f"/vms/{vm.pk}/prepareheadless", "action", {}).status == 409
    assert api.post(f"/vms/{vm.pk}/prepareheadless", "action", {"force": True}).status == 202
    assert Preparation.objects.get().may_power_off


def test_who_may_not_edit_it_is_refused(vm: VM, bob: User, carol: User, language: str) -> None:
    assert Caller(bob, language).post(f"/vms/{vm.pk}/prepareheadless", "action", {}).status == 403
    assert Caller(carol, language).post(f"/vms/{vm.pk}/prepareheadless", "action", {}).status == 404


def test_a_program_says_on_which_way_and_nonsense_is_refused(api: Caller, vm: VM) -> None:
    refused = api.post(f"/vms/{vm.pk}/prepareheadless", "action", {"offline": True})
    assert refused.status == 409
    assert "It has no disk of its own" in refused.text
    assert api.post(f"/vms/{vm.pk}/prepareheadless", "action", {"offline": "perhaps"}).status == 400
    assert not Preparation.objects.exists()
    assert api.post(f"/vms/{vm.pk}/prepareheadless", "action", {"offline": False}).status == 202
    assert Preparation.objects.get().way == Way.AGENT
