"""WebAdmin: virtual machines, listed, shown, made, changed, run and removed."""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from vms import messages
from vms.actions import create, power
from vms.actions.edit import edit
from vms.actions.remove import remove
from vms.domain.errors import Refusal
from vms.domain.lifecycle import Verb
from vms.forms import RunOnceForm, VMForm
from vms.models import VM, User
from vms.routes import Access, route

from . import panels, trails
from .listing import Listing
from .pages import complain, live, page, refusals_on, reply

ACTIONS: Final[dict[str, Callable[..., Any]]] = {
    Verb.START.value: power.start,
    Verb.RESUME.value: power.resume,
    Verb.SHUTDOWN.value: power.shutdown,
    Verb.STOP.value: power.stop,
    Verb.REBOOT.value: power.reboot,
    Verb.RESET.value: power.reset,
    Verb.SUSPEND.value: power.suspend,
}


@route(Access.ADMINISTRATOR)
@require_GET
def vm_list(request: HttpRequest) -> HttpResponse:
    """The virtual machines that somebody may see."""
    listing = Listing.of(request)
    return page(request, "vms/list.html", "vms/_list.html", {"listing": listing, "columns": panels.COLUMNS})


@route(Access.ADMINISTRATOR)
@require_GET
def vm_rows(request: HttpRequest) -> HttpResponse:
    """What has changed in the list since it was seen; 204 when nothing has."""
    listing = Listing.of(request)
    seen = request.GET.get("seen", "")
    if seen == listing.mark:
        return HttpResponse(status=204)
    context = {"listing": listing, "changed": listing.changed_since(seen), "columns": panels.COLUMNS}
    return render(request, "vms/_changed.html", context)


@route(Access.ADMINISTRATOR)
@require_GET
def vm_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """General: what a virtual machine is, configured and running."""
    vm = _vm(request, pk)
    return _shown(request, vm, "general", {"groups": panels.general(vm)})


@route(Access.ADMINISTRATOR)
@require_GET
def vm_devices(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The devices that it is configured with, and those of the present run."""
    vm = _vm(request, pk)
    return _shown(request, vm, "devices", {"devices": trails.devices(vm)})


@route(Access.ADMINISTRATOR)
@require_GET
def vm_console(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Its consoles: where they can be reached, or why not and what to do about it."""
    vm = _vm(request, pk)
    context = {"access": vm.graphical_access, "no_console": panels.why_no_console(vm), "ends": panels.endpoints(vm)}
    return _shown(request, vm, "console", context)


@route(Access.ADMINISTRATOR)
@require_GET
def vm_events(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What happened to it, and what it was asked to do."""
    vm = _vm(request, pk)
    return _shown(request, vm, "events", {"events": trails.events(vm), "jobs": trails.jobs(vm)})


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def new_vm(request: HttpRequest) -> HttpResponse:
    form = VMForm(request.POST or None, row=VM(), by=_user(request))
    if form.is_valid():
        with refusals_on(form):
            made = create.vm(**form.creation(), by=_user(request))
            return reply(request, _("%(name)s was created.") % {"name": made.name}, _page_of(made))
    return _form(request, form)


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def edit_vm(request: HttpRequest, pk: UUID) -> HttpResponse:
    vm = _vm(request, pk)
    form = VMForm(request.POST or None, row=vm, by=_user(request))
    if form.is_valid():
        with refusals_on(form):
            saved = edit(vm, form.changes(), by=_user(request))
            return reply(request, _("%(name)s was saved.") % {"name": saved.name}, _page_of(vm), stay=True)
    return _form(request, form)


@route(Access.ADMINISTRATOR)
@require_POST
def preview_vm(request: HttpRequest, pk: UUID | None = None) -> HttpResponse:
    """The form after a choice that others depend on; nothing is saved or judged."""
    vm = _vm(request, pk) if pk else VM()
    return _form(request, VMForm(request.POST, row=vm, by=_user(request)).redrawn())


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def run_vm_once(request: HttpRequest, pk: UUID) -> HttpResponse:
    vm = _vm(request, pk)
    form = RunOnceForm(request.POST or None, vm=vm, console=request.GET.get("console", ""))
    if form.is_valid():
        with refusals_on(form):
            power.run_once(vm, form.overlay(), by=_user(request))
            return reply(request, _asked(vm, Verb.RUN_ONCE), _page_of(vm), stay=True)
    return page(request, "vms/run_once.html", "vms/_run_once.html", {"vm": vm, "form": form})


@route(Access.ADMINISTRATOR)
@require_POST
def vm_action(request: HttpRequest, pk: UUID, verb: str) -> HttpResponse:
    """Ask for a verb that needs no dialog; what becomes of it shows on the page."""
    vm = _vm(request, pk)
    if verb not in ACTIONS:
        raise Http404
    try:
        ACTIONS[verb](vm, by=_user(request))
    except Refusal as no:
        return complain(request, no, _page_of(vm))
    return reply(request, _asked(vm, verb), _page_of(vm), stay=True)


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def remove_vm(request: HttpRequest, pk: UUID) -> HttpResponse:
    vm = _vm(request, pk)
    if request.method == "GET":
        context = {"vm": vm, "why_not": panels.why_not(vm, Verb.REMOVE)}
        return page(request, "vms/remove.html", "vms/_remove.html", context)
    try:
        remove(vm, by=_user(request))
    except Refusal as no:
        return complain(request, no, _page_of(vm))
    return reply(request, _("%(name)s was removed.") % {"name": vm.name}, reverse("vm_list"))


def _vm(request: HttpRequest, pk: UUID) -> VM:
    rows = VM.objects.visible_to(_user(request)).select_related("host", "cluster", "template", "instance_type", "pool")
    return get_object_or_404(rows, pk=pk)


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _asked(vm: VM, verb: str) -> str:
    return _("“%(verb)s” was requested for %(name)s.") % {"verb": messages.VERBS[verb], "name": vm.name}


def _page_of(vm: VM) -> str:
    return reverse("vm_detail", args=[vm.pk])


def _form(request: HttpRequest, form: VMForm) -> HttpResponse:
    context = {
        "form": form,
        "vm": form.row,
        "action": reverse("new_vm") if form.is_new else reverse("edit_vm", args=[form.row.pk]),
        "preview": reverse("preview_new_vm") if form.is_new else reverse("preview_vm", args=[form.row.pk]),
        "tab": form.first_tab_with_errors or request.GET.get("tab", ""),
    }
    return page(request, "vms/form.html", "vms/_form.html", context)


def _shown(request: HttpRequest, vm: VM, tab: str, context: dict[str, Any]) -> HttpResponse:
    job = panels.latest_jobs([vm.pk]).get(vm.pk)
    icon, tone = panels.status_icon(vm.status)
    header = {
        "vm": vm,
        "tab": tab,
        "status": messages.STATUSES[vm.status],
        "icon": icon,
        "tone": tone,
        "buttons": panels.power_buttons(vm),
        "no_run_once": panels.why_not(vm, Verb.RUN_ONCE),
        "no_remove": panels.why_not(vm, Verb.REMOVE),
        "no_console": panels.why_no_console(vm),
        "pending": panels.pending(vm),
        "failure": panels.failure(job),
    }
    busy = job is not None and job.active
    return live(request, "vms/detail.html", f"vms/_{tab}.html", {**header, **context}, busy=busy)
