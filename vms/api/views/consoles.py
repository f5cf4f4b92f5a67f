"""Graphics consoles of VMs, templates and instance types, and the ways into a running one."""

from dataclasses import replace
from typing import Any, Final

from django.http import HttpResponse
from rest_framework.exceptions import NotAcceptable
from rest_framework.renderers import BaseRenderer
from rest_framework.response import Response

from vms.actions import consoles, passes, screenshots, tickets, viewing
from vms.api.document import Document
from vms.api.faults import not_found
from vms.api.mapping.consoles import TICKET, Shown, hexadecimal
from vms.api.mapping.draft import read
from vms.api.mapping.fields import TEXT, Field
from vms.api.mapping.follow import tell_one
from vms.api.mapping.types import read_protocol
from vms.api.renderers import XmlRenderer
from vms.domain.console import Protocol
from vms.domain.graphicalaccess import ConsoleState
from vms.domain.secret import Secret
from vms.models import VM, ConsoleKind

from .actions import Acting
from .base import done
from .links import Linked, LinkedOne
from .machines import VMS

_PROTOCOLS: Final = {hexadecimal(protocol): protocol for protocol in Protocol}


def _protocol(console: str) -> Protocol:
    """The protocol whose console has this id."""
    if console.lower() not in _PROTOCOLS:
        raise not_found()
    return _PROTOCOLS[console.lower()]


class Consoles(Linked):
    """The consoles of one machine: what is configured, or with `current` what its run shows."""

    def post(self, request: Any, key: str) -> Response:
        """Add one; a headless machine becomes graphical."""
        row = self.owner(key)
        protocol = read_protocol(self.body("graphics_console"), "graphics_console")
        consoles.attach(row, protocol, by=self.user)
        row, configured = self.owner(key), replace(self.telling, current=False)
        told = tell_one(self.link.entity, Shown(row.pk, protocol), configured, self.place(row))
        return Response(Document("graphics_console", told), 201, headers={"Location": told["href"]})


_UNREACHED: Final = {503: "The engine or the host does not answer."}
VIEWER_FILE: Final = "application/x-virt-viewer"


class _ViewerFile(BaseRenderer):
    media_type = VIEWER_FILE
    format = "vv"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return data.encode() if isinstance(data, str) else XmlRenderer().render(data)


class Console(LinkedOne):
    """One console; a remote viewer asks for it as a file."""

    media = (VIEWER_FILE,)
    besides = _UNREACHED

    def get_renderers(self) -> list[BaseRenderer]:
        return [*super().get_renderers(), _ViewerFile()]

    def get(self, request: Any, key: str, inner: str) -> Response:
        """The console, or the file that a viewer opens it with."""
        if request.accepted_renderer.format != "vv":
            return super().get(request, key, inner)
        row, protocol = self.owner(key), _protocol(inner)
        if not isinstance(row, VM):
            raise NotAcceptable
        return _unkept(Response(viewing.file(row, protocol, by=self.user)))

    def delete(self, request: Any, key: str, inner: str) -> Response:
        """Remove it; with the last one the machine is headless."""
        consoles.detach(self.owner(key), _protocol(inner), by=self.user)
        return done()

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        if getattr(getattr(self.request, "accepted_renderer", None), "format", "") == "vv":
            response.content_type = "application/xml; charset=UTF-8"
        return response


class RemoteViewerFile(Acting):
    """The viewer's file inside an action; nothing at all where there is no console to open, as in oVirt."""

    gives = (Field("remote_viewer_connection_file", TEXT),)
    besides = {204: "There is no console to open.", **_UNREACHED}

    def post(self, request: Any, key: str, console: str) -> Response | HttpResponse:
        """The file, or 204."""
        vm, protocol = self.row(VMS.rows(self.user), key), _protocol(console)
        self.body("action")
        access = vm.graphical_access
        if access.state != ConsoleState.ACTIVE or protocol not in access.protocols:
            tickets.require_right(vm, by=self.user)
            return HttpResponse(status=204)
        return _unkept(done(remote_viewer_connection_file=viewing.file(vm, protocol, by=self.user)))


class Ticket(Acting):
    """A password for a console, for a while; without a console in the path, for the one that oVirt would take."""

    takes = gives = TICKET
    besides = _UNREACHED

    def post(self, request: Any, key: str, console: str = "") -> Response:
        """Set it, the one that is given or one that is made."""
        vm = self.row(VMS.rows(self.user), key)
        draft = read(TICKET, self.body("action"))
        password, seconds = draft.take("ticket", "password"), draft.take("ticket", "seconds")
        issued = tickets.issue(
            *(vm, _protocol(console) if console else None),
            by=self.user,
            password=Secret(password) if password else None,
            seconds=seconds,
        )
        told = {"value": issued.ticket.password.reveal(), "expiry": issued.ticket.seconds}
        return _unkept(done(ticket=told))


class _Picture(BaseRenderer):
    media_type = "image/png"
    format = "png"
    charset = None
    render_style = "binary"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return data if isinstance(data, bytes) else XmlRenderer().render(data)


class Screenshot(Acting):
    """A picture of the screen; it is itself the answer, whatever else a client takes, as in oVirt."""

    media = (_Picture.media_type,)

    def get_renderers(self) -> list[BaseRenderer]:
        return [*super().get_renderers(), _Picture()]

    def post(self, request: Any, key: str) -> HttpResponse:
        """Take it."""
        vm = self.row(VMS.rows(self.user), key)
        self.body("action")
        taken = screenshots.take(vm, by=self.user)
        return HttpResponse(bytes(taken.png), content_type=_Picture.media_type, headers={"Cache-Control": "no-store"})


class ProxyTicket(Acting):
    """What the proxy for browsers lets somebody through with, once."""

    gives = (Field("proxy_ticket/value", TEXT),)

    def post(self, request: Any, key: str, console: str) -> Response:
        """Give one."""
        vm = self.row(VMS.rows(self.user), key)
        self.body("action")
        told = passes.give(vm, ConsoleKind(_protocol(console).value), by=self.user)
        return _unkept(done(proxy_ticket={"value": told.reveal()}))


def _unkept(response: Response) -> Response:
    """An answer with a password in it, which nobody on the way may keep."""
    response["Cache-Control"] = "no-store"
    return response
