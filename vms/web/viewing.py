"""How graphical consoles open: Console Options, and the file for a viewer."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from vms.actions import rights, screenshots, viewing
from vms.domain.console import Protocol
from vms.domain.errors import Refusal
from vms.forms.viewing import OptionsForm
from vms.routes import Access, route

from . import panels, reasons
from .kinds import VMS, Kind, user_of
from .machines import shown
from .pages import address, complain, page, refusals_on, reply


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def console_options(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What opens a machine's screen for whoever asks, kept for him alone; or why there is nothing to choose."""
    vm, user = VMS.row(request, pk), user_of(request)
    form = OptionsForm(request.POST or None, vm=vm, options=viewing.options_of(vm, user))
    if form.is_valid():
        with refusals_on(form):
            viewing.choose(vm, form.options(), everywhere=form.cleaned_data["everywhere"], by=user)
            return reply(request, _("Your console options were saved."), address(request, "vm_console", vm.pk))
    no_options = reasons.why_no_options(vm, rights.on(user, vm))
    told = {"vm": vm, "form": form, "no_options": no_options, "access": vm.graphical_access}
    context = {**panels.vm_header(vm, user), **told}
    return page(request, "vms/console_options.html", "vms/_console_options.html", context)


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
@never_cache
def vm_screenshot(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The last picture of a machine's screen; a POST takes another one."""
    vm, user = VMS.row(request, pk), user_of(request)
    try:
        if request.method == "GET":
            return HttpResponse(screenshots.picture(vm, by=user), content_type="image/png")
        screenshots.take(vm, by=user)
    except Refusal as no:
        if request.method == "GET":
            raise Http404 from no
        return complain(request, no, address(request, "vm_detail", vm.pk))
    return reply(request, _("The screenshot was taken."), address(request, "vm_detail", vm.pk), stay=True)


@route(Access.ADMINISTRATOR)
@require_GET
def vm_viewer(request: HttpRequest, pk: UUID, kind: Kind = VMS) -> HttpResponse:
    """Remote viewer: a file for each protocol of the run, or why there is none."""
    vm = VMS.row(request, pk)
    no_options = reasons.why_no_options(vm, rights.on(user_of(request), vm))
    context = {"access": vm.graphical_access, "ends": panels.endpoints(vm), "no_options": no_options}
    return shown(request, kind, vm, "console", "vms/_viewer.html", context)


@route(Access.ADMINISTRATOR)
@require_POST
@never_cache
def viewer_file(request: HttpRequest, pk: UUID, protocol: str) -> HttpResponse:
    """The file that a viewer opens the console with, its password in it."""
    vm = VMS.row(request, pk)
    if protocol not in set(Protocol):
        raise Http404
    try:
        text = viewing.file(vm, Protocol(protocol), by=user_of(request))
    except Refusal as no:
        return complain(request, no, address(request, "vm_viewer", vm.pk))
    answer = HttpResponse(text, content_type="application/x-virt-viewer")
    answer["Content-Disposition"] = f'attachment; filename="{vm.name}.vv"'
    return answer
