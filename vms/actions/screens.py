"""What becomes of a machine whose graphical consoles are left (oVirt: Console Disconnect Action)."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.utils import timezone

from vms.domain.console import DisconnectAction
from vms.domain.errors import Refusal
from vms.domain.lifecycle import NOT_RUNNING, Status
from vms.models import VM, Host

from . import power
from ._action import action
from ._audit import record
from ._authorise import ENGINE
from ._jobs import enqueue

_BY_AGENT: Final = frozenset({DisconnectAction.LOCK_SCREEN, DisconnectAction.LOGOUT})
_BY_POWER: Final = {DisconnectAction.SHUTDOWN: power.shutdown, DisconnectAction.REBOOT: power.reboot}


@action
def seen(host: Host, machine: UUID, *, left: bool) -> None:
    """Somebody opened a console of a machine, or the last one was closed: then what is configured for that is done.

    A shutdown waits for its delay, and does not come if somebody is back before. Locking and logging out are the guest
    agent's; without one nothing happens, as in oVirt. A console that was left is anybody's again.
    """
    vm = VM.objects.select_for_update().filter(pk=machine, host=host).first()
    if vm is None or Status(vm.observed) in NOT_RUNNING:
        return
    wanted = vm.console.disconnect_action
    vm.left_at = timezone.now() if left and wanted == DisconnectAction.SHUTDOWN else None
    user, vm.console_until = vm.console_user, None
    vm.console_user = None if left else vm.console_user
    vm.save(update_fields=["left_at", "console_user", "console_until"])
    if not vm.sessions.graphical().exists():  # those in a browser are told by whoever serves them
        record(user or ENGINE, "VM_CONSOLE_DISCONNECTED" if left else "VM_CONSOLE_CONNECTED", vm, console="viewer")
    if left and wanted in _BY_AGENT:
        enqueue(vm, wanted.value, by=ENGINE, host=vm.host, exclusive=False)
    elif left and wanted == DisconnectAction.REBOOT:
        _do(vm, wanted)


@action
def follow() -> int:
    """Shut down the machines whose consoles were left long enough ago; returns how many."""
    left = VM.objects.select_for_update().filter(left_at__isnull=False).order_by("pk")
    due = [vm for vm in left if _is_due(vm)]
    for vm in due:
        vm.left_at = None
        vm.save(update_fields=["left_at"])
        if vm.console.disconnect_action == DisconnectAction.SHUTDOWN and Status(vm.observed) not in NOT_RUNNING:
            _do(vm, DisconnectAction.SHUTDOWN)
    return len(due)


def _is_due(vm: VM) -> bool:
    return vm.left_at is not None and vm.left_at + timedelta(minutes=vm.disconnect_delay) <= timezone.now()


def _do(vm: VM, wanted: DisconnectAction) -> None:
    try:
        _BY_POWER[wanted](vm, by=ENGINE)
        record(ENGINE, "VM_CONSOLE_LEFT", vm, done=wanted.value)
    except Refusal as refusal:  # it is on its way down already, or somebody else is at work on it
        told = refusal.as_document()
        record(ENGINE, "VM_CONSOLE_LEFT", vm, done=wanted.value, reason=told["code"], params=told["params"])
