"""Machines that a host had before us: adopted on its page, and settled where somebody changed them."""

from typing import Final
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from vms.actions import adoption
from vms.domain.errors import Refusal
from vms.models import Domain
from vms.routes import Access, route

from .kinds import VMS, user_of
from .pages import complain, reply
from .places import HOSTS

_VERBS: Final = {"accept": adoption.accept, "restore": adoption.restore, "normalise": adoption.normalise}


@route(Access.ADMINISTRATOR)
@require_POST
def adopt_domain(request: HttpRequest, pk: UUID, domain: int) -> HttpResponse:
    """Manage one domain of a host."""
    host = HOSTS.row(request, pk)
    row = get_object_or_404(Domain, pk=domain, host=host)
    try:
        vm = adoption.take_over(row, by=user_of(request))
    except Refusal as no:
        return complain(request, no, HOSTS.at("detail", host))
    return reply(request, _("%(name)s is managed from now on.") % {"name": vm}, HOSTS.at("detail", host), stay=True)


@route(Access.ADMINISTRATOR)
@require_POST
def adopt_all(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Manage all domains of a host."""
    host = HOSTS.row(request, pk)
    try:
        made = adoption.take_over_all(host, by=user_of(request))
    except Refusal as no:
        return complain(request, no, HOSTS.at("detail", host))
    done = ngettext("%(count)s domain is managed from now on.", "%(count)s domains are managed from now on.", len(made))
    return reply(request, done % {"count": len(made)}, HOSTS.at("detail", host), stay=True)


@route(Access.ADMINISTRATOR)
@require_POST
def settle_definition(request: HttpRequest, pk: UUID, verb: str) -> HttpResponse:
    """Accept what somebody changed, write the former definition again, or make an odd one ordinary."""
    vm = VMS.row(request, pk)
    if verb not in _VERBS:
        raise Http404
    at = VMS.at(request, vm)["devices"]
    try:
        _VERBS[verb](vm, by=user_of(request))
    except Refusal as no:
        return complain(request, no, at)
    done = _("It was accepted.") if verb == "accept" else _("It was requested for %(name)s.") % {"name": vm}
    return reply(request, done, at, stay=True)
