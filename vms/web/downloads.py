"""Downloads of disks: asked for, prepared by the engine, fetched by the browser, forgotten; and what uploads are on
their way, to be given up."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from vms.actions import transfers
from vms.domain.errors import Refusal
from vms.domain.transfers import OPEN, Direction, Phase
from vms.forms.storage import DownloadForm
from vms.models import VM, Disk, Transfer
from vms.routes import Access, route

from . import storagefacts
from .kinds import user_of
from .pages import address, complain, in_portal, live, page, refusals_on, reply
from .storage import DISKS


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def download_disk(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask for what is on a disk, in a format."""
    row = _disk(request, pk)
    form = DownloadForm(request.POST or None, row=row)
    if form.is_valid():
        with refusals_on(form):
            made = transfers.begin(row, Direction.DOWNLOAD, by=user_of(request), **form.wish())
            return reply(request, _("%(name)s is being prepared.") % {"name": row}, _at(request, made))
    context = {
        "form": form,
        "title": _("Download %(name)s") % {"name": row},
        "action": address(request, "disk_download", row.pk),
        "back": _home(request, row),
    }
    return page(request, "places/form.html", "places/_form.html", context)


@route(Access.ADMINISTRATOR)
@require_GET
def download(request: HttpRequest, pk: UUID, transfer: UUID) -> HttpResponse:
    """How far an image is on its way, and where the file of a download is fetched."""
    row = _transfer(request, pk, transfer)
    ready = row.phase == Phase.TRANSFERRING and not row.uploads
    title = _("Upload to %(name)s") if row.uploads else _("Download %(name)s")
    icon, tone = storagefacts.transfer_icon(row)
    context: dict[str, Any] = {
        "row": row,
        "title": title % {"name": row.disk},
        "list": "" if in_portal(request) else DISKS.at("list"),
        "home": _home(request, row.disk),
        "icon": icon,
        "tone": tone,
        "facts": storagefacts.transfer(row),
        "failure": storagefacts.reason(row.failure),
        "fetch": f"/images/{transfers.ticket_of(row)}" if ready else "",
        "open": row.phase in OPEN - {Phase.FINALIZING_SUCCESS},
        "end": {verb: address(request, "end_download", row.disk_id, row.pk, verb) for verb in _ENDS},
        "silence": row.inactivity_timeout // 60,
    }
    busy = row.phase in {Phase.INITIALIZING, Phase.FINALIZING_SUCCESS}
    return live(request, "disks/download.html", "disks/_download.html", context, busy=busy)


@route(Access.ADMINISTRATOR)
@require_POST
def end_download(request: HttpRequest, pk: UUID, transfer: UUID, verb: str) -> HttpResponse:
    """What was put aside, or has come so far, is needed no more."""
    row = _transfer(request, pk, transfer)
    if verb not in _ENDS or (verb == "done" and row.uploads):
        raise Http404
    try:
        _ENDS[verb](row, by=user_of(request))
    except Refusal as no:
        return complain(request, no, _at(request, row))
    return reply(request, _("What was prepared was removed."), _home(request, row.disk))


_ENDS = {"done": transfers.finalize, "cancel": transfers.cancel}


def _transfer(request: HttpRequest, pk: UUID, transfer: UUID) -> Transfer:
    rows = Transfer.objects.visible_to(user_of(request)).select_related("disk__domain", "created_by")
    return get_object_or_404(rows, pk=transfer, disk=pk)


def _disk(request: HttpRequest, pk: UUID) -> Disk:
    return get_object_or_404(Disk.objects.visible_to(user_of(request)).select_related("domain"), pk=pk)


def _at(request: HttpRequest, row: Transfer) -> str:
    return address(request, "download", row.disk_id, row.pk)


def _home(request: HttpRequest, disk: Disk) -> str:
    """The page that a disk is on: its own, or in the portal, which has none, that of a machine that has it."""
    if not in_portal(request):
        return DISKS.at("detail", disk)
    vm = VM.objects.visible_to(user_of(request)).filter(disk_attachments__disk=disk).first()
    return address(request, "vm_disks", vm.pk) if vm else address(request, "vm_list")
