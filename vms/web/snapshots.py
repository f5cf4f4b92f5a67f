"""The Snapshots tab of virtual machines: how they were, and going back there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from vms import messages
from vms.actions import create, rights, snapshots
from vms.domain.errors import Refusal
from vms.domain.lifecycle import Status
from vms.domain.machine import NAME_LENGTH
from vms.forms.fields import Field
from vms.messages import FIELDS
from vms.models import VM, ActionGroup, Snapshot, SnapshotKind, SnapshotStatus
from vms.routes import Access, route

from . import reasons
from .kinds import VMS, Kind, user_of
from .machines import shown
from .pages import address, complain, page, refusals_on, reply


class _Form(forms.Form):
    bound_field_class = Field
    locked: Any = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.fields:
            field: Any = self.fields[name]
            field.label = FIELDS[name]

    def refuse(self, no: Refusal) -> None:
        """Show a refusal at the field that it is about, or above the form."""
        self.add_error(no.field if no.field in self.fields else None, messages.refusal(no))


class TakeForm(_Form):
    """A snapshot, by what it is called."""

    description = forms.CharField(max_length=4000, help_text=gettext_lazy("For instance: before the update."))


class CloneSnapshotForm(_Form):
    """A machine like another was."""

    name = forms.CharField(max_length=NAME_LENGTH)


@dataclass(frozen=True)
class Line:
    """One snapshot, and the addresses of what is done with it."""

    row: Snapshot
    status: str
    shape: str
    disks: str
    preview: str
    clone: str
    remove: str
    locked: bool


def _line(request: HttpRequest, row: Snapshot) -> Line:
    at = {word: address(request, f"{word}_snapshot", row.vm_id, row.pk) for word in ("preview", "clone", "remove")}
    try:
        spec = row.spec
        screen = _("headless") if spec.console.headless else spec.console.graphics_label
        shape = f"{spec.memory} MiB, {screen}"
    except Refusal as no:
        shape = messages.refusal(no)
    names = ", ".join(image.disk.name for image in row.images.all())
    return Line(
        row, str(row.get_status_display()), shape, names or "–", **at, locked=row.status == SnapshotStatus.LOCKED
    )


@route(Access.ADMINISTRATOR)
@require_GET
def vm_snapshots(request: HttpRequest, pk: UUID, kind: Kind = VMS) -> HttpResponse:
    """How a machine was, the latest first."""
    vm = kind.row(request, pk)
    rows = vm.snapshots.filter(kind=SnapshotKind.REGULAR).prefetch_related("images__disk").order_by("-created_at")
    lines = [_line(request, row) for row in rows]
    no_change = reasons.lacking(ActionGroup.MANIPULATE_VM_SNAPSHOTS, rights.on(user_of(request), vm))
    previewed = next((line.row for line in lines if line.row.status == SnapshotStatus.IN_PREVIEW), None)
    down = "" if vm.status == Status.DOWN else _("The virtual machine has to be down for this.")
    context = {
        "lines": lines,
        "no_change": no_change,
        "no_preview": no_change or down or (_("A snapshot is previewed already.") if previewed else ""),
        "no_end": no_change or down,
        "previewed": previewed,
        "take": address(request, "take_snapshot", pk),
        "ends": [
            (verb, address(request, "end_preview", pk, verb), label, icon)
            for verb, (_act, label, icon) in _ENDS.items()
        ],
        **({"busy": True} if any(line.locked for line in lines) else {}),
    }
    return shown(request, kind, vm, "snapshots", "vms/_snapshots.html", context)


# How a preview ends: verb → action, words, icon.
_ENDS: Final[dict[str, tuple[Callable[..., Snapshot], Any, str]]] = {
    "commit": (snapshots.commit, gettext_lazy("Commit"), "fa-check"),
    "undo": (snapshots.undo, gettext_lazy("Undo"), "fa-undo"),
}


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def take_snapshot(request: HttpRequest, pk: UUID, kind: Kind = VMS) -> HttpResponse:
    """Keep a machine as it is."""
    vm = kind.row(request, pk)
    form = TakeForm(request.POST or None)
    if form.is_valid():
        with refusals_on(form):
            made = snapshots.take(vm, form.cleaned_data["description"], by=user_of(request))
            return reply(request, _("%(name)s is being made.") % {"name": made}, _at(request, vm), stay=True)
    title = _("Take a snapshot of %(name)s") % {"name": vm}
    return _form(request, vm, form, title, address(request, "take_snapshot", pk))


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def clone_snapshot(request: HttpRequest, pk: UUID, snapshot: UUID, kind: Kind = VMS) -> HttpResponse:
    """A machine like this one was."""
    vm, row = _kept(request, kind, pk, snapshot)
    form = CloneSnapshotForm(request.POST or None)
    if form.is_valid():
        with refusals_on(form):
            made = create.from_snapshot(row, form.cleaned_data["name"], by=user_of(request))
            return reply(request, _("%(name)s was created.") % {"name": made}, kind.at(request, made)["detail"])
    title = _("Clone “%(name)s”") % {"name": row}
    return _form(request, vm, form, title, address(request, "clone_snapshot", pk, snapshot))


@route(Access.ADMINISTRATOR)
@require_POST
def preview_snapshot(request: HttpRequest, pk: UUID, snapshot: UUID, kind: Kind = VMS) -> HttpResponse:
    """Go back to a snapshot for a look."""
    vm, row = _kept(request, kind, pk, snapshot)
    return _done(request, vm, lambda: snapshots.preview(row, by=user_of(request)), _("Preview"))


@route(Access.ADMINISTRATOR)
@require_POST
def end_preview(request: HttpRequest, pk: UUID, verb: str, kind: Kind = VMS) -> HttpResponse:
    """Stay there for good, or come back."""
    vm = kind.row(request, pk)
    if verb not in _ENDS:
        raise Http404
    act, label, _icon = _ENDS[verb]
    return _done(request, vm, lambda: act(vm, by=user_of(request)), str(label))


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def remove_snapshot(request: HttpRequest, pk: UUID, snapshot: UUID, kind: Kind = VMS) -> HttpResponse:
    """Ask whether a snapshot is to go, and have it go."""
    vm, row = _kept(request, kind, pk, snapshot)
    if request.method == "GET":
        held = rights.on(user_of(request), vm)
        at = {"remove": address(request, "remove_snapshot", pk, snapshot), "detail": _at(request, vm)}
        text = _("The snapshot is forgotten: there is no way back to how the machine was then. How it is stays.")
        why_not = reasons.lacking(ActionGroup.MANIPULATE_VM_SNAPSHOTS, held)
        context = {"row": row, "at": at, "why_not": why_not, "text": text}
        return page(request, "vms/remove.html", "vms/_remove.html", context)
    return _done(request, vm, lambda: snapshots.remove(row, by=user_of(request)), _("Remove"))


def _kept(request: HttpRequest, kind: Kind, pk: UUID, snapshot: UUID) -> tuple[VM, Snapshot]:
    vm = kind.row(request, pk)
    return vm, get_object_or_404(vm.snapshots.filter(kind=SnapshotKind.REGULAR), pk=snapshot)


def _done(request: HttpRequest, vm: VM, act: Callable[[], object], verb: str) -> HttpResponse:
    try:
        act()
    except Refusal as no:
        return complain(request, no, _at(request, vm))
    told = _("“%(verb)s” was requested for %(name)s.") % {"verb": verb, "name": vm.name}
    return reply(request, told, _at(request, vm), stay=True)


def _at(request: HttpRequest, vm: VM) -> str:
    return address(request, "vm_snapshots", vm.pk)


def _form(request: HttpRequest, vm: VM, form: Any, title: str, action: str) -> HttpResponse:
    context = {"form": form, "title": title, "action": action, "back": _at(request, vm)}
    return page(request, "places/form.html", "places/_form.html", context)
