"""The Console tab: a machine's screen and its serial line in the browser, or why not and what to do about it."""

from typing import Any
from uuid import UUID

from csp.constants import NONCE
from csp.decorators import csp_update
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from vms import messages
from vms.actions import passes, rights, tickets, viewing
from vms.domain.console import Protocol
from vms.domain.errors import Refusal
from vms.domain.graphicalaccess import ConsoleState
from vms.domain.viewing import Opener
from vms.messages import consoles as texts
from vms.models import VM, ConsoleKind
from vms.routes import Access, route

from . import reasons
from .kinds import VMS, Kind, user_of
from .machines import shown
from .pages import STATUS, address, in_portal

# xterm.js draws with style sheets that it makes; those of this page's own scripts alone are let in.
_own_styles: Any = csp_update({"style-src": [NONCE]})


@route(Access.ADMINISTRATOR)
@require_GET
def vm_console(request: HttpRequest, pk: UUID, kind: Kind = VMS) -> HttpResponse:
    """Graphical: the machine's screen, or why there is none and the way out."""
    vm = VMS.row(request, pk)
    access, options = vm.graphical_access, viewing.options_of(vm, user_of(request))
    opener = options.opens(access.protocols)
    if "here" in request.GET and Protocol.VNC in access.protocols:
        opener = Opener.BROWSER
    context = {
        "access": access,
        "state": "viewer" if opener and opener.native else access.state,
        "opener": opener,
        "options": options,
        "vnc": Protocol.VNC in access.protocols,
        "keys": [(name, " ".join(map(str, codes))) for name, codes in texts.KEYS],
        "no_options": reasons.why_no_options(vm, rights.on(user_of(request), vm)),
        **_in_browser(request, vm, ConsoleKind.VNC),
    }
    return shown(request, kind, vm, "console", "vms/_console.html", context, template="vms/console.html")


@route(Access.ADMINISTRATOR)
@require_GET
@_own_styles
def vm_serial(request: HttpRequest, pk: UUID, kind: Kind = VMS) -> HttpResponse:
    """Serial: the machine's serial line, or why there is none and the way out."""
    vm = VMS.row(request, pk)
    no_serial = reasons.why_no_serial(vm, rights.on(user_of(request), vm))
    context = {
        "no_serial": no_serial,
        "no_options": reasons.why_no_options(vm, rights.on(user_of(request), vm)),
        "skipped": texts.SKIPPED % {"count": "{count}"},
        "recorded": (vm.running_console or vm.console).recorded,
        **_in_browser(request, vm, ConsoleKind.SERIAL),
    }
    return shown(request, kind, vm, "console", "vms/_serial.html", context, template="vms/serial.html")


@route(Access.ADMINISTRATOR)
@require_POST
@never_cache
def console_ticket(request: HttpRequest, pk: UUID) -> JsonResponse:
    """A password for the page's script, which only the console of a host that is reached through a tunnel asks for."""
    vm = VMS.row(request, pk)
    try:
        issued = tickets.issue(vm, Protocol.VNC, by=user_of(request), seconds=tickets.FILE_EXPIRY)
    except Refusal as no:
        return JsonResponse({"message": messages.refusal(no)}, status=STATUS[no.kind])
    return JsonResponse({"password": issued.ticket.password.reveal()})


@route(Access.ADMINISTRATOR)
@require_POST
@never_cache
def give_pass(request: HttpRequest, pk: UUID, console: str) -> JsonResponse:
    """A pass for the page's script to open a console with, once and soon; refused with the sentence to show."""
    vm = VMS.row(request, pk)
    if console not in ConsoleKind.values:
        raise Http404
    session = passes.mark_of(request.session.session_key)
    try:
        told = passes.give(vm, ConsoleKind(console), by=user_of(request), session=session)
    except Refusal as no:
        return JsonResponse({"message": messages.refusal(no)}, status=STATUS[no.kind])
    return JsonResponse({"pass": told.reveal()})


def _in_browser(request: HttpRequest, vm: VM, console: ConsoleKind) -> dict[str, Any]:
    """What a page needs to open a console from its script."""
    # Which host runs it is nothing to its user.
    host = "…" if in_portal(request) or vm.host is None else vm.host.name
    told = {"name": vm.name, "host": host, "protocol": console.upper()}
    return {
        "open": ConsoleState.ACTIVE,
        "pass_url": address(request, "console_pass", vm.pk, console.value),
        "socket": f"/consoles/{vm.pk}/{console.value}",
        "ticket_url": address(request, "console_ticket", vm.pk),
        "states": texts.STATES.items(),
        "closed": texts.CLOSED.items(),
        "waiting": [(code, messages.sentence(code, told)) for code in texts.WAITING],
    }
