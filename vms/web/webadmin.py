"""WebAdmin: what is done with virtual machines alone: run, reached, cloned, made a template of, given back."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from vms import messages
from vms.actions import access, create, migration, pools, power, rights
from vms.domain.access import Cure
from vms.domain.errors import Refusal
from vms.domain.lifecycle import Verb
from vms.forms import CloneForm, MigrateForm, NewTemplateForm, RunOnceForm
from vms.models import VM
from vms.routes import Access, route

from . import facts, guest, monitoring, panels, reasons
from .kinds import TEMPLATES, VMS, Kind, user_of
from .machines import shown
from .pages import ask, complain, page, refusals_on, reply
from .reach import configured, reach


@route(Access.ADMINISTRATOR)
@require_GET
def vm_guest(request: HttpRequest, pk: UUID, kind: Kind = VMS) -> HttpResponse:
    """What its guest tells of itself, or why it does not."""
    vm = VMS.row(request, pk)
    context = {"groups": guest.facts(vm), "tables": guest.tables(vm), "why_nothing": guest.why_nothing(vm)}
    return shown(request, kind, vm, "guest", "vms/_guest.html", context)


@route(Access.ADMINISTRATOR)
@require_GET
def vm_monitoring(request: HttpRequest, pk: UUID, kind: Kind = VMS) -> HttpResponse:
    """How busy it has been."""
    vm = VMS.row(request, pk)
    return shown(request, kind, vm, "monitoring", "vms/_monitoring.html", {"charts": monitoring.charts(vm)})


@route(Access.ADMINISTRATOR)
@require_GET
def vm_actions(request: HttpRequest, pk: UUID) -> HttpResponse:
    """All that can be done with a machine, as a row of a list offers it."""
    vm = VMS.row(request, pk)
    return page(request, "vms/actions.html", "vms/_actions.html", {"vm": vm, **panels.vm_header(vm, user_of(request))})


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def clone_vm(request: HttpRequest, pk: UUID) -> HttpResponse:
    vm = VMS.row(request, pk)
    form = CloneForm(request.POST or None, vm=vm)
    if form.is_valid():
        with refusals_on(form):
            made = create.clone(vm, **form.creation(), by=user_of(request))
            return reply(request, _("%(name)s was created.") % {"name": made}, VMS.at(request, made)["detail"])
    context = {"vm": vm, "form": form, "facts": facts.console_facts(vm, None), "reach": reach(access.of(vm), pages={})}
    return page(request, "vms/clone.html", "vms/_clone.html", context)


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def make_template(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A template of a virtual machine, or the next version of one."""
    vm = VMS.row(request, pk)
    form = NewTemplateForm(request.POST or None, vm=vm, by=user_of(request))
    if form.is_valid():
        with refusals_on(form):
            made = create.template(vm=vm, **form.creation(), by=user_of(request))
            done = _("%(name)s was created.") % {"name": made}
            return reply(request, done, TEMPLATES.at(request, made)["detail"])
    context = {"vm": vm, "form": form, "facts": facts.console_facts(vm, None), "reach": reach(access.of(vm), pages={})}
    return page(request, "vms/make_template.html", "vms/_make_template.html", context)


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def give_back(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give a machine back to its pool, after being told what becomes of it."""
    vm = VMS.row(request, pk)
    if request.method == "GET":
        why_not = reasons.why_not_given_back(vm, user_of(request))
        return page(request, "vms/give_back.html", "vms/_give_back.html", {"vm": vm, "why_not": why_not})
    try:
        pools.give_back(vm, by=user_of(request))
    except Refusal as no:
        return complain(request, no, VMS.at(request, vm)["detail"])
    done = _("%(name)s went back to pool %(pool)s.") % {"name": vm, "pool": vm.pool}
    return reply(request, done, VMS.at(request)["list"])


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def migrate_vm(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Choose the host that a running machine goes on on."""
    vm = VMS.row(request, pk)
    form = MigrateForm(request.POST or None, vm=vm)
    if form.is_valid():
        with refusals_on(form):
            together = form.cleaned_data.get("together", False)
            migration.migrate(vm, to=form.to, together=together, by=user_of(request))
            return reply(request, _asked(vm, Verb.MIGRATE), VMS.at(request, vm)["detail"], stay=True)
    why_not = reasons.why_not_moved(vm, rights.on(user_of(request), vm))
    return page(request, "vms/migrate.html", "vms/_migrate.html", {"vm": vm, "form": form, "why_not": why_not})


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def run_vm_once(request: HttpRequest, pk: UUID) -> HttpResponse:
    vm = VMS.row(request, pk)
    form = RunOnceForm(request.POST or None, vm=vm, console=request.GET.get("console", ""))
    if form.is_valid():
        accepted = form.cleaned_data["accept_lockout"]
        with refusals_on(form):
            told, fleeting = form.cleaned_data["initialize"], form.cleaned_data["stateless"]
            how = {"accept_lockout": accepted, "initialize": told, "fleeting": fleeting}
            power.run_once(vm, form.overlay(), by=user_of(request), **how)
            return reply(request, _asked(vm, Verb.RUN_ONCE), VMS.at(request, vm)["detail"], stay=True)
    return _run_once(request, vm, form)


@route(Access.ADMINISTRATOR)
@require_POST
def preview_run_once(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The dialog Run Once after a choice that others depend on; nothing is judged."""
    vm = VMS.row(request, pk)
    return _run_once(request, vm, RunOnceForm(request.POST, vm=vm).redrawn())


@route(Access.ADMINISTRATOR)
@require_POST
def vm_action(request: HttpRequest, pk: UUID, verb: str) -> HttpResponse:
    """Ask for a verb that needs no dialog; what becomes of it shows on the page."""
    vm = VMS.row(request, pk)
    if verb not in power.BY_VERB:
        raise Http404
    accepted = {"accept_lockout": "accept_lockout" in request.POST} if verb == Verb.START else {}
    try:
        power.BY_VERB[Verb(verb)](vm, by=user_of(request), **accepted)
    except Refusal as no:
        if no.code == "VM_WOULD_BE_LOCKED_OUT":
            return _confirm_start(request, vm)
        return complain(request, no, VMS.at(request, vm)["detail"])
    return reply(request, _asked(vm, verb), VMS.at(request, vm)["detail"], stay=True)


def _run_once(request: HttpRequest, vm: VM, form: RunOnceForm) -> HttpResponse:
    panel = reach(access.of(vm, form.shown), pages={}, buttons=(Cure.ENABLE_SERIAL, Cure.RUN_ONCE_WITH_VNC))
    return page(request, "vms/run_once.html", "vms/_run_once.html", {"vm": vm, "form": form, "reach": panel})


def _confirm_start(request: HttpRequest, vm: VM) -> HttpResponse:
    """Ask whether a machine that nobody could reach is to start all the same."""
    at = VMS.at(request, vm)
    no_edit = reasons.why_not_edited(vm, rights.on(user_of(request), vm))
    panel = configured(request, vm, edit=at["edit"], no_edit=no_edit, no_run_once="")
    return ask(request, "vms/start.html", "vms/_start.html", {"vm": vm, "reach": panel, "back": at["detail"]})


def _asked(vm: VM, verb: str) -> str:
    return _("“%(verb)s” was requested for %(name)s.") % {"verb": messages.VERBS[verb], "name": vm.name}
