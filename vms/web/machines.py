"""What WebAdmin does alike with all kinds of machine: listed, shown and removed."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from vms.actions import rights
from vms.actions.remove import remove
from vms.domain.errors import Refusal
from vms.models import VM, Hardware
from vms.routes import Access, route

from . import doctor, facts, reasons, trails
from .definitions import definition
from .kinds import VMS, Kind, user_of
from .listing import Listing
from .many import CHOICES
from .pages import complain, live, page, reply
from .reach import Reach, configured


@route(Access.ADMINISTRATOR)
@require_GET
def machine_list(request: HttpRequest, kind: Kind) -> HttpResponse:
    """The machines of a kind that somebody may see."""
    return page(request, "vms/list.html", "vms/_list.html", _listed(request, kind))


@route(Access.ADMINISTRATOR)
@require_GET
def machine_rows(request: HttpRequest, kind: Kind) -> HttpResponse:
    """What has changed in the list since it was seen; 204 when nothing has."""
    context = _listed(request, kind)
    listing: Listing = context["listing"]
    seen = request.GET.get("seen", "")
    if seen == listing.mark:
        return HttpResponse(status=204)
    return render(request, "vms/_changed.html", {**context, "changed": listing.changed_since(seen)})


@route(Access.ADMINISTRATOR)
@require_GET
def machine_detail(request: HttpRequest, kind: Kind, pk: UUID) -> HttpResponse:
    """General: what a machine is."""
    row = kind.row(request, pk)
    return shown(request, kind, row, "detail", "vms/_general.html", {"groups": facts.general(row)})


@route(Access.ADMINISTRATOR)
@require_GET
def machine_devices(request: HttpRequest, kind: Kind, pk: UUID) -> HttpResponse:
    """The devices that it is configured with, and those of the present run."""
    row = kind.row(request, pk)
    told = definition(row, user_of(request)) if isinstance(row, VM) else None
    context = {"devices": trails.devices(row), "definition": told}
    return shown(request, kind, row, "devices", "vms/_devices.html", context)


@route(Access.ADMINISTRATOR)
@require_GET
def machine_members(request: HttpRequest, kind: Kind, pk: UUID) -> HttpResponse:
    """The virtual machines of a pool, or those made of a template or an instance type."""
    row = kind.row(request, pk)
    listing = Listing(request, VMS, VMS.rows(request).filter(**{kind.name: row}))
    return shown(request, kind, row, "members", "vms/_members.html", {"listing": listing, "members": VMS})


@route(Access.ADMINISTRATOR)
@require_GET
def machine_events(request: HttpRequest, kind: Kind, pk: UUID) -> HttpResponse:
    """What happened to it, and what it was asked to do."""
    row = kind.row(request, pk)
    context = {"events": trails.events(row), "jobs": trails.jobs(row) if isinstance(row, VM) else None}
    return shown(request, kind, row, "events", "vms/_events.html", context)


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def remove_machine(request: HttpRequest, kind: Kind, pk: UUID) -> HttpResponse:
    row = kind.row(request, pk)
    at, name = kind.at(request, row), {"name": str(row)}
    if request.method == "GET":
        why_not = reasons.why_not_removed(row, rights.on(user_of(request), row))
        asked = {"row": row, "at": at, "why_not": why_not, "text": str(kind.removal) % name}
        return page(request, "vms/remove.html", "vms/_remove.html", asked)
    try:
        remove(row, by=user_of(request))
    except Refusal as no:
        return complain(request, no, at["detail"])
    return reply(request, _("%(name)s was removed.") % name, kind.at(request)["list"])


def shown(
    request: HttpRequest,
    kind: Kind,
    row: Hardware,
    tab: str,
    fragment: str,
    context: Mapping[str, Any],
    *,
    template: str = "vms/detail.html",
) -> HttpResponse:
    """A page of one machine, below its header and tabs; it keeps itself up to date."""
    at, told = kind.at(request, row), kind.told(row, user_of(request))

    def reach() -> Reach:
        return configured(request, row, edit=at["edit"], no_edit=told["no_edit"], no_run_once=told.get("no_run_once"))

    header = {
        "kind": kind,
        "row": row,
        "vm": row,
        "at": at,
        "tab": tab,
        "tabs": [(key, label, at[key]) for key, label in kind.tabs],
        "reach": reach,
        "boot": doctor.panel(request, row) if isinstance(row, VM) else None,
        **told,
    }
    return live(request, template, fragment, {**header, **context}, busy=header.get("busy", False))


def _listed(request: HttpRequest, kind: Kind) -> dict[str, Any]:
    return {"listing": Listing(request, kind), "kind": kind, "at": kind.at(request), "many_verbs": CHOICES}
