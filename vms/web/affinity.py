"""Affinity groups and labels as pages beside those of places, and what machines and hosts belong to."""

from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from vms.actions import affinity, affinity_labels, migration, rights
from vms.domain.errors import Refusal
from vms.forms.affinity import AffinityGroupForm, AffinityLabelForm, BelongForm
from vms.models import ActionGroup, AffinityGroup, AffinityLabel
from vms.routes import Access, route

from . import affinityfacts, reasons
from .kinds import VMS, Kind, user_of
from .machines import shown
from .pages import complain, page, refusals_on, reply
from .places import HOSTS, PlaceKind

AFFINITY_GROUPS: Final = PlaceKind(
    name="affinity_group",
    path="affinity-groups",
    model=AffinityGroup,
    form=AffinityGroupForm,
    create=affinity.create,
    edit=affinity.edit,
    remove=affinity.remove,
    edits=ActionGroup.MANIPULATE_AFFINITY_GROUPS,
    removes=ActionGroup.MANIPULATE_AFFINITY_GROUPS,
    title=gettext_lazy("Affinity Groups"),
    new=gettext_lazy("New Affinity Group"),
    nothing=gettext_lazy("There is no affinity group that you may see."),
    removal=gettext_lazy("The affinity group %(name)s is removed; its machines run on where they are."),
    columns=(
        *(gettext_lazy("Name"), gettext_lazy("Status"), gettext_lazy("Cluster"), gettext_lazy("Priority")),
        *(gettext_lazy("VM Affinity Rule"), gettext_lazy("Virtual Machines")),
        *(gettext_lazy("Host Affinity Rule"), gettext_lazy("Hosts")),
    ),
    cells=affinityfacts.group_cells,
    facts=affinityfacts.group,
    tables=affinityfacts.group_tables,
    counted=affinityfacts.counted,
    more=affinityfacts.status,
    given=("cluster",),
)
AFFINITY_LABELS: Final = PlaceKind(
    name="affinity_label",
    path="affinity-labels",
    model=AffinityLabel,
    form=AffinityLabelForm,
    create=affinity_labels.create,
    edit=affinity_labels.edit,
    remove=affinity_labels.remove,
    edits=ActionGroup.TAG_MANAGEMENT,
    removes=ActionGroup.TAG_MANAGEMENT,
    title=gettext_lazy("Affinity Labels"),
    new=gettext_lazy("New Affinity Label"),
    nothing=gettext_lazy("There is no affinity label yet."),
    removal=gettext_lazy("The affinity label %(name)s is removed, also from all that it is on."),
    columns=(
        *(gettext_lazy("Name"), gettext_lazy("Implicit Affinity Group")),
        *(gettext_lazy("Virtual Machines"), gettext_lazy("Hosts")),
    ),
    cells=affinityfacts.label_cells,
    facts=affinityfacts.label,
    tables=affinityfacts.label_tables,
    counted=lambda rows: rows.prefetch_related("vms", "hosts"),
)
AFFINITY: Final = (AFFINITY_GROUPS, AFFINITY_LABELS)
_BACK: Final = {"vm": "vm_affinity", "host": "host_detail"}


@route(Access.ADMINISTRATOR)
@require_GET
def vm_affinity(request: HttpRequest, pk: UUID, kind: Kind = VMS) -> HttpResponse:
    """Which groups and labels a machine has, and what it breaks where it runs."""
    vm = VMS.row(request, pk)
    held = rights.on(user_of(request), vm)
    context = {
        "tables": [affinityfacts.machine_table(vm), affinityfacts.label_table(vm)],
        "breaches": affinityfacts.breaches_of(vm),
        "mend": reverse("vm_affinity_mend", args=[vm.pk]),
        "no_mend": reasons.why_not_moved(vm, held),
        "edit_affinity": reverse("vm_affinity_edit", args=[vm.pk]),
        "no_affinity": reasons.lacking(ActionGroup.MANIPULATE_AFFINITY_GROUPS, held),
    }
    return shown(request, kind, vm, "affinity", "vms/_affinity.html", context)


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def edit_affinity(request: HttpRequest, pk: UUID, kind: str) -> HttpResponse:
    """Choose the groups and labels of a machine or host."""
    row: Any = (VMS if kind == "vm" else HOSTS).row(request, pk)
    back = reverse(_BACK[kind], args=[row.pk])
    # Nothing ticked posts nothing but the token.
    form = BelongForm(request.POST if request.method == "POST" else None, row=row, by=user_of(request))
    if form.is_valid():
        with refusals_on(form):
            affinity.belong(row, **form.wish(), by=user_of(request))
            return reply(request, _("%(name)s was saved.") % {"name": row}, back, stay=True)
    context = {
        "form": form,
        "title": _("Affinity of %(name)s") % {"name": row},
        "action": request.path,
        "back": back,
    }
    return page(request, "places/form.html", "places/_form.html", context)


@route(Access.ADMINISTRATOR)
@require_POST
def mend_affinity(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Have a machine go where it breaks no rule."""
    vm = VMS.row(request, pk)
    back = reverse("vm_affinity", args=[vm.pk])
    try:
        job = migration.mend(vm, by=user_of(request))
    except Refusal as no:
        return complain(request, no, back)
    done = _("%(name)s moves to host %(host)s.") % {"name": vm, "host": job.params["to_name"]}
    return reply(request, done, back, stay=True)
