"""What guests tell of themselves: the only writer of those columns, beside reports, which forget them with the run."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from vms.domain.access import Seen
from vms.domain.guest import Guest, Told, merged
from vms.domain.lifecycle import NOT_RUNNING, Status
from vms.models import VM, Host

from ._action import action
from ._status import project

# When nothing has changed, the ages alone are written anew, and no more often than this.
REFRESH: Final = timedelta(minutes=5)


def seen(host: Host, machine: UUID, guest: Guest) -> bool:
    """A guest on this host has answered, or its agent has failed to; False when that is no news."""
    vm = VM.objects.filter(pk=machine, host=host).exclude(observed__in=NOT_RUNNING).first()
    if vm is None or not _is_news(vm, guest, timezone.now()):
        return False
    return _write(host, machine, guest)


def forget_the_run(vm: VM) -> None:
    """Set, on an unsaved machine that is not running any more, that nobody is there to be reached."""
    agent_is_gone(vm)
    vm.addresses, vm.fqdn, vm.guest = (), "", vm.guest.after_the_run()


def agent_is_gone(vm: VM) -> None:
    """Set, on an unsaved machine, that no agent is connected now."""
    if vm.agent == Seen.NOW:
        vm.agent = Seen.BEFORE.value


@action
def _write(host: Host, machine: UUID, guest: Guest) -> bool:
    vm = VM.objects.select_for_update().filter(pk=machine, host=host).first()
    if vm is None or Status(vm.observed) in NOT_RUNNING:
        return False
    _set(vm, guest, timezone.now())
    vm.save(update_fields=VM.GUEST_FIELDS)
    project(vm)
    return True


def _set(vm: VM, guest: Guest, now: datetime) -> None:
    if guest.agent:
        vm.agent, vm.agent_seen_at = Seen.NOW.value, now
        vm.fqdn, vm.guest = guest.fqdn, guest.told
    else:
        agent_is_gone(vm)
    vm.addresses = merged(vm.addresses, guest, now)
    vm.guest_seen_at = now


def _is_news(vm: VM, guest: Guest, now: datetime) -> bool:
    before, due = _content(vm), vm.guest_seen_at is None or vm.guest_seen_at + REFRESH < now
    _set(vm, guest, now)
    return due or _content(vm) != before


def _content(vm: VM) -> tuple[Any, ...]:
    """What the columns say, without times and without how full disks are: those change all the time."""
    return (vm.agent, vm.fqdn, _lasting(vm.guest), [replace(one, seen_at=None) for one in vm.addresses])


def _lasting(told: Told) -> Told:
    return replace(told, filesystems=tuple(replace(each, used=None) for each in told.filesystems))
