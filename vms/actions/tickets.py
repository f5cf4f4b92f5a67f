"""The ways into a running graphical console: who may use them, the passwords for them, and why there is none."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from django.conf import settings
from django.utils import timezone

from vms.domain.console import Protocol
from vms.domain.errors import Refusal
from vms.domain.graphicalaccess import ConsoleState
from vms.domain.hosts import Endpoint
from vms.domain.lifecycle import TICKETABLE, Status
from vms.domain.secret import Secret
from vms.domain.ticket import Ticket
from vms.models import VM, ActionGroup, User
from vms.wire.client import EngineClient

from ._action import action, locked
from ._audit import record
from ._authorise import Actor, authorise

FILE_EXPIRY: Final = 120  # seconds that the password in a viewer's file is good for (oVirt: TicketValiditySeconds)


@dataclass(frozen=True, slots=True)
class Issued:
    """A password that was set, and where the console listens that takes it."""

    endpoint: Endpoint
    ticket: Ticket


def require_right(vm: VM, *, by: Actor) -> None:
    """Refuse somebody who may not open the consoles of a VM."""
    authorise(by, ActionGroup.CONNECT_TO_VM, vm)


def endpoint(vm: VM, protocol: Protocol | None = None, *, by: Actor) -> Endpoint:
    """Where a console of the present run listens; without a protocol SPICE before VNC. Refused with the reason for
    there is none."""
    require_right(vm, by=by)
    access = vm.graphical_access
    if access.state != ConsoleState.ACTIVE:
        raise Refusal("NO_GRAPHICAL_CONSOLE", None, no_console=access.reason or "")
    found = {each.protocol: each for each in msgspec.convert(vm.endpoints, list[Endpoint])}
    for wanted in (protocol,) if protocol else (Protocol.SPICE, Protocol.VNC):
        if wanted in found:
            return found[wanted]
    raise Refusal("GRAPHICS_CONSOLE_NOT_FOUND", "protocol", protocol=(protocol or "").upper())


def issue(
    vm: VM,
    protocol: Protocol | None = None,
    *,
    by: User,
    password: Secret | None = None,
    seconds: int | None = None,
) -> Issued:
    """Have a running console take a password for a while: the given one, or one that is made (oVirt: SetVmTicket).

    The engine sets it at once, and it is written down nowhere. Whoever asks is the console's user from then on; while
    another is, it takes the right to take consoles over. A password that could not be set leaves all as it was.
    """
    issued, before = _promise(vm, protocol, by=by, password=password, seconds=seconds)
    try:
        assert vm.host_id is not None
        EngineClient(settings.RUN_DIR).set_ticket(vm.host_id, vm.pk, issued.ticket)
    except Refusal:
        user, until = before
        VM.objects.filter(pk=vm.pk, console_user=by).update(console_user=user, console_until=until)
        raise
    _record(vm, issued, by=by)
    return issued


def require_open(vm: VM, protocol: Protocol | None, *, by: User) -> Endpoint:
    """Where a running console listens that somebody may open now; refused also where another person is its user, who
    may not be pushed out."""
    found = endpoint(vm, protocol, by=by)
    if Status(vm.status) not in TICKETABLE:
        raise Refusal("ACTION_TYPE_FAILED_VM_STATUS_ILLEGAL", None, verb="console", status=vm.status)
    user = vm.console_holder
    if user is not None and user != by and not vm.allow_reconnect:
        _require_takeover(vm, user, by=by)
    return found


def claim(vm: VM, protocol: Protocol | None, *, by: User, until: datetime | None = None) -> Endpoint:
    """Make somebody the user of a locked VM's running console; with a time, unless he has not come until then."""
    found = require_open(vm, protocol, by=by)
    vm.console_user, vm.console_until = by, until
    vm.save(update_fields=["console_user", "console_until"])
    return found


def _require_takeover(vm: VM, user: User, *, by: User) -> None:
    try:
        authorise(by, ActionGroup.RECONNECT_TO_VM, vm)
    except Refusal as no:
        told = {"name": vm.name, "user": user.get_username()}
        raise Refusal("USER_CANNOT_FORCE_RECONNECT_TO_VM", None, **told) from no


@action
def _promise(
    vm: VM, protocol: Protocol | None, *, by: User, password: Secret | None, seconds: int | None
) -> tuple[Issued, tuple[UUID | None, datetime | None]]:
    """The ticket to set, and who was the console's user before."""
    vm = locked(vm)
    before = vm.console_user_id, vm.console_until
    ticket = Ticket.of(endpoint(vm, protocol, by=by).protocol, password, seconds)
    found = claim(vm, ticket.protocol, by=by, until=timezone.now() + timedelta(seconds=ticket.seconds))
    return Issued(found, ticket), before


@action
def _record(vm: VM, issued: Issued, *, by: User) -> None:
    ticket = issued.ticket
    record(by, "VM_SET_TICKET", vm, protocol=ticket.protocol.upper(), seconds=ticket.seconds)
