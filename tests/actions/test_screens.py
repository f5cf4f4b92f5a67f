"""What becomes of a machine when the last of its graphical consoles is left."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.actions.runs import down, fresh, settled, up
from vms import messages
from vms.actions import screens
from vms.actions.edit import edit
from vms.domain.changes import Changes
from vms.domain.console import DisconnectAction
from vms.models import VM, AuditEvent, Host, Job, JobState, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


def left(vm: VM, host: Host, action: DisconnectAction, by: User, delay: int = 0) -> VM:
    """The machine runs, is told what to do when it is left, and then is left."""
    vm = up(vm, host, by=by)
    edit(
        vm,
        Changes(console=lambda console, _: replace(console, disconnect_action=action, disconnect_delay=delay)),
        by=by,
    )
    assert not fresh(vm).pending
    screens.seen(host, vm.pk, left=True)
    return fresh(vm)


def asked_for(vm: VM) -> list[str]:
    open_jobs = Job.objects.filter(machine=vm.pk, state=JobState.QUEUED)
    return list(open_jobs.values_list("verb", flat=True))


def test_the_guest_is_asked_to_lock_or_to_log_out_as_configured(vm: VM, host: Host, admin: User) -> None:
    vm = left(vm, host, DisconnectAction.LOCK_SCREEN, admin)
    assert asked_for(vm) == ["lock_screen"]
    settled(vm, host)
    edit(vm, Changes(console=lambda console, _: replace(console, disconnect_action=DisconnectAction.LOGOUT)), by=admin)
    screens.seen(host, vm.pk, left=True)
    assert asked_for(vm) == ["logout"]


def test_nothing_is_done_where_nothing_is_wanted_or_nothing_runs(vm: VM, host: Host, admin: User) -> None:
    vm = left(vm, host, DisconnectAction.NONE, admin)
    assert (asked_for(vm), screens.follow()) == ([], 0)
    edit(vm, Changes(console=lambda console, _: replace(console, disconnect_action=DisconnectAction.REBOOT)), by=admin)
    down(vm, host)
    screens.seen(host, vm.pk, left=True)
    assert asked_for(vm) == []


def test_it_reboots_at_once_and_the_trail_tells_why(vm: VM, host: Host, admin: User) -> None:
    vm = left(vm, host, DisconnectAction.REBOOT, admin)
    assert asked_for(vm) == ["reboot"]
    event = AuditEvent.objects.get(code="VM_CONSOLE_LEFT")
    told = messages.event(event.code, entity=event.entity_name, actor=event.actor_name, params=event.params)
    assert told == f"The console of {vm.name} was left: Reboot virtual machine."


def test_a_shutdown_comes_after_its_delay(vm: VM, host: Host, admin: User) -> None:
    vm = left(vm, host, DisconnectAction.SHUTDOWN, admin, delay=5)
    assert (screens.follow(), asked_for(vm)) == (0, [])
    VM.objects.filter(pk=vm.pk).update(left_at=timezone.now() - timedelta(minutes=5))
    assert (screens.follow(), asked_for(vm), screens.follow()) == (1, ["shutdown"], 0)


def test_a_shutdown_does_not_come_if_somebody_is_back_or_it_is_off(vm: VM, host: Host, admin: User) -> None:
    vm = left(vm, host, DisconnectAction.SHUTDOWN, admin)
    screens.seen(host, vm.pk, left=False)
    assert (screens.follow(), asked_for(vm)) == (0, [])
    screens.seen(host, vm.pk, left=True)
    down(vm, host)
    assert (screens.follow(), asked_for(vm)) == (0, [])


def test_a_machine_of_another_host_or_none_of_ours_is_left_alone(vm: VM, host: Host, admin: User) -> None:
    vm = up(vm, host, by=admin)
    screens.seen(Host.objects.create(name="other", cluster=vm.cluster), vm.pk, left=True)
    screens.seen(host, host.pk, left=True)
    assert asked_for(vm) == []


def test_a_console_that_was_left_is_anybodys_again(vm: VM, host: Host, admin: User) -> None:
    vm = up(vm, host, by=admin)
    VM.objects.filter(pk=vm.pk).update(console_user=admin)
    screens.seen(host, vm.pk, left=False)
    assert fresh(vm).console_user == admin
    screens.seen(host, vm.pk, left=True)
    assert fresh(vm).console_user is None
