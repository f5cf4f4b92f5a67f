"""The Disks tab of virtual machines and templates: what they have, and what is done with it."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from vms.actions import disks, rights
from vms.actions._disks import attachments
from vms.domain.errors import Refusal
from vms.forms.storage import AttachedForm, AttachForm, NewDiskForm
from vms.models import VM, ActionGroup, DiskAttachment, DiskStatus
from vms.routes import Access, route

from . import reasons, storagefacts
from .kinds import TEMPLATES, VMS, Kind, user_of
from .machines import shown
from .pages import address, complain, in_portal, page, refusals_on, reply
from .tables import Cell


@dataclass(frozen=True)
class Line:
    """One disk of a machine, and the addresses of what is done with it."""

    name: str
    key: str
    cells: list[tuple[Any, Cell]]
    edit: str = ""
    detach: str = ""
    switch: str = ""
    active: bool = True
    download: str = ""
    no_download: str = ""


def _columns() -> tuple[str, ...]:
    return (
        *(_("Alias"), _("Status"), _("Virtual Size"), _("Actual Size"), _("Interface"), _("Storage Domain")),
        *(_("Format"), _("Notes")),
    )


def _line(request: HttpRequest, row: DiskAttachment, held: rights.Rights) -> Line:
    shown = storagefacts.attached_cells(row)
    if in_portal(request):  # which has no pages of disks and storage
        shown = tuple(replace(cell, url="") for cell in shown)
    cells = list(zip(_columns(), shown, strict=True))
    download = address(request, "disk_download", row.disk_id)
    fetch: dict[str, Any] = {"download": download, "no_download": _not_downloaded(row, held)}
    if row.vm_id is None:
        return Line(row.disk.name, str(row.disk_id), cells, **fetch)
    at = {word: address(request, f"{word}_vm_disk", row.vm_id, row.disk_id) for word in ("edit", "detach")}
    verb = "deactivate" if row.active else "activate"
    switch = address(request, "switch_vm_disk", row.vm_id, row.disk_id, verb)
    return Line(row.disk.name, str(row.disk_id), cells, at["edit"], at["detach"], switch, row.active, **fetch)


def _not_downloaded(row: DiskAttachment, held: rights.Rights) -> str:
    lacking = reasons.lacking(ActionGroup.EDIT_DISK_PROPERTIES, held)
    if lacking or row.disk.status == DiskStatus.OK:
        return lacking
    return _("A task is at work on the disk.") if row.disk.status == DiskStatus.LOCKED else _("The disk is not whole.")


@route(Access.ADMINISTRATOR)
@require_GET
def vm_disks(request: HttpRequest, pk: UUID, kind: Kind = VMS) -> HttpResponse:
    """The disks that a machine has."""
    vm = kind.row(request, pk)
    rows, held = list(attachments(vm)), rights.on(user_of(request), vm)
    context = {
        "lines": [_line(request, row, held) for row in rows],
        "columns": _columns(),
        "no_change": reasons.lacking(ActionGroup.CONFIGURE_VM_STORAGE, held),
        "new": address(request, "new_vm_disk", vm.pk),
        "attach": address(request, "attach_vm_disk", vm.pk),
        "changes": True,
        **({"busy": True} if any(row.disk.status == DiskStatus.LOCKED for row in rows) else {}),
    }
    return shown(request, kind, vm, "disks", "vms/_disks.html", context)


@route(Access.ADMINISTRATOR)
@require_GET
def template_disks(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The disks that a template hands down."""
    row = TEMPLATES.row(request, pk)
    held = rights.on(user_of(request), row)
    lines = [_line(request, one, held) for one in attachments(row)]
    context = {"lines": lines, "columns": _columns(), "changes": False}
    return shown(request, TEMPLATES, row, "disks", "vms/_disks.html", context)


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def new_disk(request: HttpRequest, pk: UUID, kind: Kind = VMS) -> HttpResponse:
    """A disk that is made for a machine."""
    vm = kind.row(request, pk)
    form = NewDiskForm(request.POST or None, vm=vm, by=user_of(request))
    if form.is_valid():
        with refusals_on(form):
            made = disks.create_in(vm, how=form.how(), by=user_of(request), **form.wish())
            return reply(request, _("%(name)s is being made.") % {"name": made.disk}, _at(request, vm), stay=True)
    return _form(request, vm, form, _("New disk of %(name)s") % {"name": vm}, address(request, "new_vm_disk", vm.pk))


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def attach_disk(request: HttpRequest, pk: UUID, kind: Kind = VMS) -> HttpResponse:
    """A disk that is there, given to a machine."""
    vm = kind.row(request, pk)
    form = AttachForm(request.POST or None, vm=vm, by=user_of(request))
    if form.is_valid():
        with refusals_on(form):
            row = disks.attach(vm, form.cleaned_data["disk"], by=user_of(request), **form.how())
            return reply(request, _("%(name)s was attached.") % {"name": row.disk}, _at(request, vm), stay=True)
    at = address(request, "attach_vm_disk", vm.pk)
    return _form(request, vm, form, _("Attach a disk to %(name)s") % {"name": vm}, at)


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def edit_disk(request: HttpRequest, pk: UUID, disk: UUID, kind: Kind = VMS) -> HttpResponse:
    """A disk of a machine, and how that has it."""
    vm, row = _attached(request, kind, pk, disk)
    form = AttachedForm(request.POST or None, row=row)
    if form.is_valid():
        with refusals_on(form):
            disks.edit(row.disk, by=user_of(request), **form.columns())
            disks.edit_attachment(row, by=user_of(request), **form.how())
            return reply(request, _("%(name)s was saved.") % {"name": row.disk}, _at(request, vm), stay=True)
    at = address(request, "edit_vm_disk", vm.pk, disk)
    return _form(request, vm, form, _("Edit %(name)s") % {"name": row.disk}, at)


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def detach_disk(request: HttpRequest, pk: UUID, disk: UUID, kind: Kind = VMS) -> HttpResponse:
    """Ask whether a disk is to leave a machine, and whether what is on it may go; then do so."""
    vm, row = _attached(request, kind, pk, disk)
    if request.method == "GET":
        held = rights.on(user_of(request), vm)
        context = {
            "vm": vm,
            "disk": row.disk,
            "at": address(request, "detach_vm_disk", vm.pk, disk),
            "back": _at(request, vm),
            "why_not": reasons.lacking(ActionGroup.CONFIGURE_VM_STORAGE, held),
        }
        return page(request, "vms/detach.html", "vms/_detach.html", context)
    try:
        if "remove" in request.POST:
            disks.remove(row.disk, by=user_of(request))
        else:
            disks.detach(row, by=user_of(request))
    except Refusal as no:
        return complain(request, no, _at(request, vm))
    return reply(request, _("%(name)s leaves the virtual machine.") % {"name": row.disk}, _at(request, vm), stay=True)


@route(Access.ADMINISTRATOR)
@require_POST
def switch_disk(request: HttpRequest, pk: UUID, disk: UUID, verb: str, kind: Kind = VMS) -> HttpResponse:
    """Let the guest see a disk, or not."""
    vm, row = _attached(request, kind, pk, disk)
    if verb not in {"activate", "deactivate"}:
        raise Http404
    try:
        disks.edit_attachment(row, active=verb == "activate", by=user_of(request))
    except Refusal as no:
        return complain(request, no, _at(request, vm))
    return reply(request, _("%(name)s was saved.") % {"name": row.disk}, _at(request, vm), stay=True)


def _attached(request: HttpRequest, kind: Kind, pk: UUID, disk: UUID) -> tuple[VM, DiskAttachment]:
    vm = kind.row(request, pk)
    return vm, get_object_or_404(vm.disk_attachments.select_related("disk__domain", "vm"), disk=disk)


def _at(request: HttpRequest, vm: VM) -> str:
    return address(request, "vm_disks", vm.pk)


def _form(request: HttpRequest, vm: VM, form: Any, title: str, action: str) -> HttpResponse:
    context = {"form": form, "title": title, "action": action, "back": _at(request, vm)}
    return page(request, "places/form.html", "places/_form.html", context)
