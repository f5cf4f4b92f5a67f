"""Storage domains and disks in WebAdmin: as tables and pages beside those of places, and what is done with them."""

from typing import Any, Final
from uuid import UUID

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from vms.actions import disks, rights, storage, uploads
from vms.forms.storage import CopyDiskForm, DiskForm, StorageDomainForm, UploadForm
from vms.models import ActionGroup, Disk, StorageDomain, StorageStatus
from vms.routes import Access, route

from . import reasons, storagefacts
from .kinds import user_of
from .pages import live, page, refusals_on, reply
from .places import PlaceKind, at_work_or_at_rest
from .searched import searched
from .tables import Table


def _domain_context(row: StorageDomain, _held: rights.Rights) -> dict[str, Any]:
    icon, tone = storagefacts.status_icon(row)
    return {
        "status": row.get_status_display(),
        "icon": icon,
        "tone": tone,
        "failure": storagefacts.reason(row.reason),
        "busy": row.status == StorageStatus.LOCKED,
    }


def _not_activated(row: StorageDomain) -> str:
    if row.status == StorageStatus.LOCKED:
        return _("The engine is opening it.")
    inactive = not row.active or row.status == StorageStatus.INACTIVE
    return "" if inactive else _("The storage domain is active already.")


def _not_rested(row: StorageDomain) -> str:
    if row.status == StorageStatus.LOCKED:
        return _("The engine is opening it.")
    return "" if row.active else _("The storage domain is not active.")


def _disk_context(row: Disk, held: rights.Rights) -> dict[str, Any]:
    icon, tone = storagefacts.disk_icon(row)
    locked = _("A task is at work on the disk.") if row.status == "locked" else ""
    return {
        "status": row.get_status_display(),
        "icon": icon,
        "tone": tone,
        "openers": [
            {
                "name": "copy",
                "label": _("Copy…"),
                "icon": "fa-clone",
                "url": reverse("disk_copy", args=[row.pk]),
                "reason": reasons.lacking(ActionGroup.EDIT_DISK_PROPERTIES, held) or locked,
            },
            {
                "name": "download",
                "label": _("Download…"),
                "icon": "fa-download",
                "url": reverse("disk_download", args=[row.pk]),
                "reason": reasons.lacking(ActionGroup.EDIT_DISK_PROPERTIES, held) or locked,
            },
        ],
        "failure": storagefacts.reason(row.failure),
        "busy": bool(locked),
    }


STORAGE_DOMAINS: Final = PlaceKind(
    name="storage_domain",
    path="storage",
    model=StorageDomain,
    form=StorageDomainForm,
    create=storage.create,
    edit=storage.edit,
    remove=storage.remove,
    edits=ActionGroup.EDIT_STORAGE_DOMAIN_CONFIGURATION,
    removes=ActionGroup.DELETE_STORAGE_DOMAIN,
    title=gettext_lazy("Storage Domains"),
    new=gettext_lazy("New Storage Domain"),
    nothing=gettext_lazy("There is no storage domain that you may see."),
    removal=gettext_lazy("The storage domain %(name)s is forgotten; its directory or volume group stays as it is."),
    columns=(
        *(gettext_lazy("Name"), gettext_lazy("Status"), gettext_lazy("Storage Type"), gettext_lazy("Data Center")),
        *(gettext_lazy("Total Space"), gettext_lazy("Free Space"), gettext_lazy("Disks")),
    ),
    cells=storagefacts.domain_cells,
    facts=storagefacts.domain,
    tables=storagefacts.domain_tables,
    counted=lambda rows: rows.select_related("data_center", "host").annotate(disk_count=Count("disks", distinct=True)),
    manipulates=ActionGroup.MANIPULATE_STORAGE_DOMAIN,
    verbs=at_work_or_at_rest(storage.activate, _not_activated, storage.deactivate, _not_rested),
    more=_domain_context,
)
DISKS: Final = PlaceKind(
    name="disk",
    path="disks",
    model=Disk,
    form=DiskForm,
    create=disks.create,
    edit=disks.edit,
    remove=disks.remove,
    edits=ActionGroup.EDIT_DISK_PROPERTIES,
    removes=ActionGroup.DELETE_DISK,
    title=gettext_lazy("Disks"),
    new=gettext_lazy("New Disk"),
    nothing=gettext_lazy("There is no disk that you may see."),
    removal=gettext_lazy("The disk %(name)s is removed with all that is written on it. This cannot be undone."),
    columns=(
        *(gettext_lazy("Alias"), gettext_lazy("Status"), gettext_lazy("Virtual Size"), gettext_lazy("Actual Size")),
        *(
            gettext_lazy("Attached To"),
            gettext_lazy("Storage Domain"),
            gettext_lazy("Format"),
            gettext_lazy("Description"),
        ),
    ),
    cells=storagefacts.disk_cells,
    facts=storagefacts.disk,
    tables=storagefacts.disk_tables,
    counted=lambda rows: rows.select_related("domain__data_center").prefetch_related(
        "attachments__vm", "attachments__template"
    ),
    more=_disk_context,
)
STORED: Final = (STORAGE_DOMAINS, DISKS)


@route(Access.ADMINISTRATOR)
@require_GET
def disk_list(request: HttpRequest, kind: PlaceKind = DISKS) -> HttpResponse:
    """The disks that a search means."""
    found = searched(request, kind.rows(request), Disk, ("name", "id"))
    rows = found["page"].rows
    nothing = _("Nothing matches the search") if found["query"] else kind.nothing
    table = Table(kind.title, kind.columns, [kind.cells(row) for row in rows], nothing)
    context = {
        **found,
        "kind": kind,
        "table": table,
        "new": kind.at("new"),
        "at": kind.at("list"),
        "upload": reverse("disk_upload"),
    }
    busy = any(row.status == "locked" for row in rows)
    return live(request, "disks/list.html", "disks/_list.html", context, busy=busy)


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def copy_disk(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Another disk with the same content."""
    row = DISKS.row(request, pk)
    form = CopyDiskForm(request.POST or None, row=row, by=user_of(request))
    if form.is_valid():
        with refusals_on(form):
            made = disks.copy(row, **form.columns(), by=user_of(request))
            return reply(request, _("%(name)s is being made.") % {"name": made}, DISKS.at("detail", made))
    context = {
        "form": form,
        "title": _("Copy %(name)s") % {"name": row},
        "action": reverse("disk_copy", args=[row.pk]),
        "back": DISKS.at("detail", row),
    }
    return page(request, "places/form.html", "places/_form.html", context)


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def upload_disk(request: HttpRequest) -> HttpResponse:
    """A disk or a CD with what is in a file; the browser itself shows how far it is."""
    sent = request.method == "POST"  # one that was cut has nothing in it
    form = UploadForm(request.POST if sent else None, request.FILES if sent else None, by=user_of(request))
    if form.is_valid():
        with refusals_on(form):
            made = uploads.bring(**form.wish(), by=user_of(request))
            return reply(request, _("%(name)s is being made.") % {"name": made}, DISKS.at("detail", made))
    return page(request, "disks/upload.html", "disks/_upload.html", {"form": form, "back": DISKS.at("list")})
