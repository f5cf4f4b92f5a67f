"""How somebody's graphical consoles open, and the file that a viewer opens one with."""

from django.db.models import F, Q

from vms.domain import viewerfile
from vms.domain.console import Console, Protocol
from vms.domain.errors import Refusal
from vms.domain.graphicalaccess import NoConsole
from vms.domain.viewing import DEFAULT, Options, openers
from vms.models import VM, ConsoleChoice, User

from . import tickets
from ._action import action


def console_of(vm: VM) -> Console:
    """The console that options are about: the present run's, or that of the next one."""
    return vm.running_console or vm.console


def options_of(vm: VM, user: User) -> Options:
    """What somebody has chosen for a machine, else for all of them, else what everybody begins with."""
    found = ConsoleChoice.objects.filter(Q(vm=vm) | Q(vm=None), user=user)
    chosen = found.order_by(F("vm").asc(nulls_last=True)).first()
    return chosen.options if chosen else DEFAULT


@action
def choose(vm: VM, options: Options, *, everywhere: bool, by: User) -> None:
    """Keep how the console of a machine opens for somebody, or with `everywhere` those of all machines.

    It is nobody else's affair, so nothing of it is recorded. Refused where there is no graphical console to open.
    """
    tickets.require_right(vm, by=by)
    able = openers(console_of(vm).graphics)
    if not able:
        raise Refusal("NO_GRAPHICAL_CONSOLE", None, no_console=vm.graphical_access.reason or NoConsole.HEADLESS)
    if options.opener is not None and options.opener not in able:
        raise Refusal("ILLEGAL_VALUE", "opener", value=options.opener.value, allowed=tuple(each.value for each in able))
    User.objects.select_for_update().get(pk=by.pk)
    row, _made = ConsoleChoice.objects.get_or_create(user=by, vm=None if everywhere else vm)
    row.options = options
    row.save(update_fields=["document"])
    if everywhere:  # else the machine at which it was chosen would be the one that does not follow
        ConsoleChoice.objects.filter(user=by, vm=vm).delete()


def file(vm: VM, protocol: Protocol, *, by: User) -> str:
    """The text of the file that a viewer opens the running console with, a new password in it."""
    issued = tickets.issue(vm, protocol, by=by, seconds=tickets.FILE_EXPIRY)
    return viewerfile.write(
        issued.endpoint,
        title=vm.name,
        password=issued.ticket.password,
        options=options_of(vm, by),
        console=console_of(vm),
        os=vm.os,
        doorway=vm.host.doorway if vm.host else viewerfile.CLOSED,
    )
