"""The ways into a running graphical console: who may use them, and why there is none."""

from typing import NoReturn

import msgspec

from vms.domain.console import ConsoleState, Protocol
from vms.domain.errors import Refusal
from vms.domain.hosts import Endpoint
from vms.models import VM, ActionGroup

from ._authorise import Actor, authorise


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


def issue(vm: VM, protocol: Protocol | None = None, *, by: Actor) -> NoReturn:
    """Refused for a VM without a running console for that reason, and otherwise because nobody sets passwords yet."""
    endpoint(vm, protocol, by=by)
    raise Refusal("SETTING_VM_TICKET_FAILED", None, name=vm.name)
