"""Pictures of machines' screens: taken by the engine while somebody waits, kept while the run goes on."""

from django.conf import settings
from django.utils import timezone

from vms.domain.errors import Refusal
from vms.domain.lifecycle import REACHABLE, Status
from vms.models import VM, Screenshot, User
from vms.wire.client import EngineClient

from . import tickets
from ._action import action, locked
from ._audit import record


def require(vm: VM, *, by: User) -> None:
    """Refuse a picture of a machine that shows none, or to somebody who may not open its console."""
    tickets.require_right(vm, by=by)
    console = vm.running_console or vm.console
    if console.headless:
        raise Refusal("ACTION_TYPE_FAILED_CANNOT_SCREENSHOT_HEADLESS_VM", None, name=vm.name)
    if vm.running_console is None or Status(vm.status) not in REACHABLE:
        raise Refusal("ACTION_TYPE_FAILED_VM_STATUS_ILLEGAL", None, verb="screenshot", status=vm.status)


def take(vm: VM, *, by: User) -> Screenshot:
    """Have the engine look at the screen now; the picture replaces the one before."""
    require(vm, by=by)
    assert vm.host_id is not None
    return _keep(vm, EngineClient(settings.RUN_DIR).screenshot(vm.host_id, vm.pk), by=by)


def latest(vm: VM) -> Screenshot | None:
    """The last picture of the present run, without its content; None where there is none."""
    if vm.started_at is None:
        return None
    return Screenshot.objects.filter(vm=vm, taken_at__gte=vm.started_at).defer("png").first()


def picture(vm: VM, *, by: User) -> bytes:
    """The content of the last picture of the present run."""
    tickets.require_right(vm, by=by)
    found = Screenshot.objects.filter(vm=vm, taken_at__gte=vm.started_at).first() if vm.started_at else None
    if found is None:
        raise Refusal("NO_SCREENSHOT", None, name=vm.name)
    return bytes(found.png)


def forget(vm: VM) -> None:
    """The run has ended, or the machine is another's from now on: its picture is nobody's any more."""
    Screenshot.objects.filter(vm=vm).delete()


@action
def _keep(vm: VM, png: bytes, *, by: User) -> Screenshot:
    vm = locked(vm)
    told = {"png": png, "taken_at": timezone.now(), "user": by}
    made, _created = Screenshot.objects.update_or_create(vm=vm, defaults=told)
    record(by, "VM_SCREENSHOT", vm)
    return made
