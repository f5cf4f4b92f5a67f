"""UserPortal: what somebody may use: own machines, and pools to take one from."""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from vms.actions import access, create, pools
from vms.domain.errors import Refusal
from vms.domain.lifecycle import Status
from vms.forms import NewTemplateForm
from vms.models import Pool
from vms.routes import Access, route

from . import (
    consoles,
    dialogs,
    downloads,
    facts,
    machinedisks,
    machines,
    nics,
    preparing,
    serials,
    snapshots,
    viewing,
    webadmin,
)
from .cards import Cards
from .kinds import VMS, user_of
from .pages import address, complain, live, page, refusals_on, reply
from .reach import reach

# Without events: those of a pool's machine name the people who had it before.
_ADMINISTRATORS: Final = {"events", "affinity"}
MINE: Final = replace(VMS, tabs=tuple(tab for tab in VMS.tabs if tab[0] not in _ADMINISTRATORS))


@route(Access.USER)
@require_GET
def vm_list(request: HttpRequest) -> HttpResponse:
    """The machines and pools that somebody may use."""
    cards = Cards.of(request)
    return live(request, "userportal/list.html", "userportal/_list.html", {"cards": cards}, busy=cards.busy)


@route(Access.USER)
@require_GET
def vm_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """General: what a machine is; which host runs it is nothing to its user."""
    vm = MINE.row(request, pk)
    groups = facts.general(vm, with_host=False)
    return machines.shown(request, MINE, vm, "detail", "vms/_general.html", {"groups": groups})


@route(Access.USER)
@require_POST
def take_from_pool(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take a machine of a pool; it starts."""
    pool = get_object_or_404(Pool.objects.visible_to(user_of(request)), pk=pk)
    try:
        vm = pools.take(pool, by=user_of(request))
    except Refusal as no:
        return complain(request, no, address(request, "vm_list"))
    ready = _("You have %(name)s from pool %(pool)s now; it is up.")
    begins = _("You have %(name)s from pool %(pool)s now; it is being started.")
    done = (ready if vm.status == Status.UP else begins) % {"name": vm, "pool": pool}
    return reply(request, done, address(request, "vm_list"), stay=True)


@route(Access.USER)
@require_http_methods(["GET", "POST"])
def make_template(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A template of a machine; UserPortal has no pages of templates, so its maker stays with the machine."""
    vm = MINE.row(request, pk)
    form = NewTemplateForm(request.POST or None, vm=vm, by=user_of(request))
    if form.is_valid():
        with refusals_on(form):
            made = create.template(vm=vm, **form.creation(), by=user_of(request))
            done = _("%(name)s was created.") % {"name": made}
            return reply(request, done, address(request, "vm_detail", vm.pk), stay=True)
    context = {"vm": vm, "form": form, "facts": facts.console_facts(vm, None), "reach": reach(access.of(vm), pages={})}
    return page(request, "vms/make_template.html", "vms/_make_template.html", context)


def _for_everybody(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A view of WebAdmin that takes no administrator: rows and actions look at the rights themselves."""

    @wraps(view)
    def call(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return view(request, *args, **kwargs)

    return route(Access.USER)(call)


vm_devices = _for_everybody(machines.machine_devices)
vm_nics = _for_everybody(nics.machine_nics)
nic_form = _for_everybody(nics.nic_form)
remove_nic = _for_everybody(nics.remove_nic)
plug_nic = _for_everybody(nics.plug_nic)
vm_disks = _for_everybody(machinedisks.vm_disks)
new_disk = _for_everybody(machinedisks.new_disk)
attach_disk = _for_everybody(machinedisks.attach_disk)
edit_disk = _for_everybody(machinedisks.edit_disk)
detach_disk = _for_everybody(machinedisks.detach_disk)
switch_disk = _for_everybody(machinedisks.switch_disk)
download_disk = _for_everybody(downloads.download_disk)
download = _for_everybody(downloads.download)
end_download = _for_everybody(downloads.end_download)
vm_snapshots = _for_everybody(snapshots.vm_snapshots)
take_snapshot = _for_everybody(snapshots.take_snapshot)
clone_snapshot = _for_everybody(snapshots.clone_snapshot)
preview_snapshot = _for_everybody(snapshots.preview_snapshot)
end_preview = _for_everybody(snapshots.end_preview)
remove_snapshot = _for_everybody(snapshots.remove_snapshot)
give_back = _for_everybody(webadmin.give_back)
vm_console = _for_everybody(consoles.vm_console)
vm_guest = _for_everybody(webadmin.vm_guest)
vm_monitoring = _for_everybody(webadmin.vm_monitoring)
vm_serial = _for_everybody(consoles.vm_serial)
serial_log = _for_everybody(serials.serial_log)
serial_text = _for_everybody(serials.serial_text)
console_options = _for_everybody(viewing.console_options)
vm_screenshot = _for_everybody(viewing.vm_screenshot)
vm_viewer = _for_everybody(viewing.vm_viewer)
viewer_file = _for_everybody(viewing.viewer_file)
console_ticket = _for_everybody(consoles.console_ticket)
give_pass = _for_everybody(consoles.give_pass)
new_vm = _for_everybody(dialogs.new_machine)
edit_vm = _for_everybody(dialogs.edit_machine)
preview_vm = _for_everybody(dialogs.preview_machine)
remove_vm = _for_everybody(machines.remove_machine)
clone_vm = _for_everybody(webadmin.clone_vm)
run_vm_once = _for_everybody(webadmin.run_vm_once)
prepare_vm = _for_everybody(preparing.prepare_vm)
prepare_step = _for_everybody(preparing.prepare_step)
preview_run_once = _for_everybody(webadmin.preview_run_once)
vm_action = _for_everybody(webadmin.vm_action)
