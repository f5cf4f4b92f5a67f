"""The dialog of all kinds of machine: made, changed, asked back about a running one, and previewed meanwhile."""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from vms.actions import access, rights
from vms.actions.edit import edit, edit_and_restart
from vms.domain.access import Cure
from vms.domain.lifecycle import Verb
from vms.forms import HardwareForm, followed, preset, redraw
from vms.messages import Text
from vms.models import VM, Hardware
from vms.routes import Access, route

from . import preview, reasons
from .asking import Plan, plan
from .kinds import Kind, user_of
from .pages import address, in_portal, page, refusals_on, reply
from .reach import Reach, reach

ADVANCED: Final = "advanced"
_VIEW: Final = "form_view"  # where a session keeps which view somebody likes


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def new_machine(request: HttpRequest, kind: Kind) -> HttpResponse:
    given = {name: request.GET[name] for name in kind.given if name in request.GET}
    form = kind.form(request.POST or None, row=kind.model(), by=user_of(request), initial=given)
    if form.is_valid():
        with refusals_on(form):
            made = kind.create(**form.creation(), by=user_of(request))
            done = _("%(name)s was created.") % {"name": made}
            return reply(request, done, kind.at(request, made)["detail"])
    return _form(request, kind, form)


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def edit_machine(request: HttpRequest, kind: Kind, pk: UUID) -> HttpResponse:
    row = kind.row(request, pk)
    cured = {"serial": True} if request.GET.get("cure") == Cure.ENABLE_SERIAL else None
    form = kind.form(request.POST or None, row=row, by=user_of(request), initial=cured)
    if form.is_valid():
        answer = request.POST.get("confirmed", "")
        if not answer and (asked := plan(form)):
            return _ask(request, kind, form, asked)
        with refusals_on(form):
            save, done = _SAVING.get(answer, _SAVING["save"])
            saved = save(row, form.changes(), by=user_of(request))
            return reply(request, str(done) % {"name": saved}, kind.at(request, row)["detail"], stay=True)
    return _form(request, kind, form)


@route(Access.ADMINISTRATOR)
@require_POST
def preview_machine(request: HttpRequest, kind: Kind, pk: UUID | None = None) -> HttpResponse:
    """The form after a choice that others depend on; nothing is saved or judged."""
    return _form(request, kind, redraw(_posted(request, kind, pk)))


@route(Access.ADMINISTRATOR)
@require_POST
def machine_xml(request: HttpRequest, kind: Kind, pk: UUID | None = None) -> HttpResponse:
    """What saving would change in the domain XML."""
    form = _posted(request, kind, pk)
    lines = preview.xml_lines(form.row, _stored(form), form.described)
    return page(request, "vms/xml.html", "vms/_xml.html", {"lines": lines, "title": _title(kind, form)})


# What somebody answers when an edit of a running machine asks back.
_SAVING: Final[dict[str, tuple[Callable[..., Hardware], Text]]] = {
    "save": (edit, gettext_lazy("%(name)s was saved.")),
    "restart": (edit_and_restart, gettext_lazy("%(name)s was saved and restarts now.")),
}


def _ask(request: HttpRequest, kind: Kind, form: HardwareForm, asked: Plan) -> HttpResponse:
    """Ask back before a running machine is left with changes that wait for a restart."""
    row: Any = form.row
    at, now = kind.at(request, row), access.of(row, asked.running.console)
    context = {
        "vm": row,
        "plan": asked,
        "posted": [(name, value) for name, values in request.POST.lists() for value in values],
        "action": at["edit"],
        "preview": at["preview"],
        "reach": reach(access.of(row, asked.after.console), before=now, pages={}),
        "no_restart": reasons.why_not(row, Verb.REBOOT, rights.on(user_of(request), row)),
    }
    return page(request, "vms/confirm.html", "vms/_confirm.html", context)


def _posted(request: HttpRequest, kind: Kind, pk: UUID | None) -> HardwareForm:
    row = kind.row(request, pk) if pk else kind.model()
    return kind.form(request.POST, row=row, by=user_of(request))


def _form(request: HttpRequest, kind: Kind, form: HardwareForm) -> HttpResponse:
    at = kind.at(request, None if form.is_new else form.row)
    new = "_new" if form.is_new else ""
    context = {
        "form": form,
        "title": _title(kind, form),
        "action": at["new" if form.is_new else "edit"],
        "preview": at[f"preview{new}"],
        # What hosts are given is nothing to people without an administrative role.
        "xml": "" if in_portal(request) else at[f"xml{new}"],
        "back": at["list" if form.is_new else "detail"],
        "unable": reasons.why_no_form(form.row, user_of(request), is_new=form.is_new),
        "tab": form.first_tab_with_errors or request.GET.get("tab", ""),
        "basic": not _advanced(request, form),
        "followed": followed(form),
        "preset": preset(form),
        "devices": preview.device_lines(_stored(form), form.described),
        "reach": _reach(request, form),
    }
    return page(request, "vms/form.html", "vms/_form.html", context)


def _title(kind: Kind, form: HardwareForm) -> str:
    return str(kind.new) if form.is_new else _("Edit %(name)s") % {"name": form.row}


def _stored(form: HardwareForm) -> Any:
    return None if form.is_new else form.row.spec


def _advanced(request: HttpRequest, form: HardwareForm) -> bool:
    """Whether every field is shown: as somebody has chosen last, and wherever a tab is asked for or holds an error."""
    pressed = request.POST.get("show")
    if pressed is not None:
        request.session[_VIEW] = pressed
    chosen = pressed or request.POST.get("view") or request.session.get(_VIEW)
    return chosen == ADVANCED or "tab" in request.GET or form.has_advanced_errors


def _reach(request: HttpRequest, form: HardwareForm) -> Reach:
    """How the machine that the dialog describes could be reached, against how it is now."""
    row, before = form.row, None if form.is_new else access.of(form.row)
    pages = {Cure.RUN_ONCE_WITH_VNC: _run_once(request, row)} if _can_run_once(request, row, is_new=form.is_new) else {}
    return reach(access.of(row, form.console), before=before, pages=pages, buttons=(Cure.ENABLE_SERIAL,))


def _can_run_once(request: HttpRequest, row: Hardware, *, is_new: bool) -> bool:
    if is_new or not isinstance(row, VM):
        return False
    return not reasons.why_not(row, Verb.RUN_ONCE, rights.on(user_of(request), row))


def _run_once(request: HttpRequest, row: Hardware) -> str:
    return f"{address(request, 'run_vm_once', row.pk)}?console=vnc"
