"""Data centers, clusters and hosts in WebAdmin, as one table, and the pages that they share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from vms.actions import hosts, macpools, networks, places, rights
from vms.domain.errors import Refusal
from vms.domain.lifecycle import NOT_RUNNING
from vms.forms.networks import MacPoolForm, NetworkForm, VnicProfileForm
from vms.forms.places import ClusterForm, DataCenterForm, HostForm, PlaceForm
from vms.messages import Text
from vms.models import (
    ActionGroup,
    Cluster,
    DataCenter,
    Host,
    HostStatus,
    MacPool,
    Network,
    VnicProfile,
)
from vms.routes import Access, route

from . import affinityfacts, networkfacts, placefacts, reasons, trails
from .definitions import foreign
from .kinds import user_of
from .pages import complain, live, page, refusals_on, reply
from .tables import Cell, Table

_RUNNING: Final = Count("vms", filter=~Q(vms__observed__in=NOT_RUNNING), distinct=True)


@dataclass(frozen=True, kw_only=True)
class Verb:
    """Something that is done with a place by a button; `why_not` says why it cannot be at present, or nothing."""

    act: Callable[..., Any]
    label: Text
    icon: str
    why_not: Callable[[Any], str]


def at_work_or_at_rest(
    activate: Callable[..., Any],
    not_activated: Callable[[Any], str],
    deactivate: Callable[..., Any],
    not_rested: Callable[[Any], str],
) -> dict[str, Verb]:
    """The verbs of what is put into maintenance and out of it again."""
    return {
        "activate": Verb(act=activate, label=gettext_lazy("Activate"), icon="fa-play", why_not=not_activated),
        "maintenance": Verb(act=deactivate, label=gettext_lazy("Maintenance"), icon="fa-wrench", why_not=not_rested),
    }


@dataclass(frozen=True, kw_only=True)
class PlaceKind:
    """One kind of place: its words, its rows, its dialog, its actions, and what its pages tell."""

    name: str
    path: str
    model: type[Any]
    form: type[PlaceForm]
    create: Callable[..., Any]
    edit: Callable[..., Any]
    remove: Callable[..., Any]
    edits: ActionGroup
    removes: ActionGroup
    title: Text
    new: Text
    nothing: Text
    removal: Text
    columns: tuple[Text, ...]
    cells: Callable[[Any], tuple[Cell, ...]]
    facts: Callable[[Any], list[Any]]
    tables: Callable[[Any], list[Table]]
    counted: Callable[[Any], Any]
    # What its buttons do, and the right that they take.
    verbs: Mapping[str, Verb] = field(default_factory=dict)
    manipulates: ActionGroup | None = None
    # What a page tells beside that: status, what is wrong, dialogs.
    more: Callable[[Any, rights.Rights], dict[str, Any]] = lambda _row, _held: {}
    # What the address of a new one says of it already: `?cluster=…`.
    given: tuple[str, ...] = ()

    def rows(self, request: HttpRequest) -> Any:
        """The rows that somebody may see, with what lists count of them."""
        return self.counted(self.model.objects.visible_to(user_of(request))).order_by("name")

    def row(self, request: HttpRequest, pk: UUID) -> Any:
        return get_object_or_404(self.rows(request), pk=pk)

    def buttons(self, row: Any, held: rights.Rights) -> list[dict[str, Any]]:
        """What can be done with a place, each with the reason why not."""
        lacking = reasons.lacking(self.manipulates, held) if self.manipulates else ""
        return [
            {
                "name": name,
                "label": verb.label,
                "icon": verb.icon,
                "url": reverse(f"{self.name}_action", args=[row.pk, name]),
                "reason": lacking or verb.why_not(row),
            }
            for name, verb in self.verbs.items()
        ]

    def at(self, page: str, row: Any = None) -> str:
        return reverse(f"{self.name}_{page}", args=[row.pk] if row is not None else [])


def _host_context(host: Host, held: rights.Rights) -> dict[str, Any]:
    icon, tone = placefacts.status_icon(host)
    return {
        "status": host.shown_status.label,
        "icon": icon,
        "tone": tone,
        "failure": placefacts.reason(host, whole=True),
        "foreign": foreign(host, held),
        "openers": affinityfacts.openers_of(host, held),
    }


def _not_activated(host: Host) -> str:
    return "" if host.maintenance else _("The host is active already.")


def _not_rested(host: Host) -> str:
    if not host.maintenance or host.shown_status == HostStatus.PREPARING:
        return ""  # what could not leave the first time is asked again
    return _("The host is in maintenance already.")


DATA_CENTERS: Final = PlaceKind(
    name="data_center",
    path="data-centers",
    model=DataCenter,
    form=DataCenterForm,
    create=places.create_data_center,
    edit=places.edit_data_center,
    remove=places.remove_data_center,
    edits=ActionGroup.EDIT_STORAGE_POOL_CONFIGURATION,
    removes=ActionGroup.DELETE_STORAGE_POOL,
    title=gettext_lazy("Data Centers"),
    new=gettext_lazy("New Data Center"),
    nothing=gettext_lazy("There is no data center that you may see."),
    removal=gettext_lazy("The data center %(name)s is removed. This cannot be undone."),
    columns=(gettext_lazy("Name"), gettext_lazy("Clusters"), gettext_lazy("Description")),
    cells=placefacts.data_center_cells,
    facts=placefacts.data_center,
    tables=placefacts.data_center_tables,
    counted=lambda rows: rows.annotate(cluster_count=Count("clusters", distinct=True)),
)
CLUSTERS: Final = PlaceKind(
    name="cluster",
    path="clusters",
    model=Cluster,
    form=ClusterForm,
    create=places.create_cluster,
    edit=places.edit_cluster,
    remove=places.remove_cluster,
    edits=ActionGroup.EDIT_CLUSTER_CONFIGURATION,
    removes=ActionGroup.DELETE_CLUSTER,
    title=gettext_lazy("Clusters"),
    new=gettext_lazy("New Cluster"),
    nothing=gettext_lazy("There is no cluster that you may see."),
    removal=gettext_lazy("The cluster %(name)s is removed. This cannot be undone."),
    columns=(
        *(gettext_lazy("Name"), gettext_lazy("Data Center"), gettext_lazy("Compatibility Version")),
        *(gettext_lazy("Hosts"), gettext_lazy("Virtual Machines"), gettext_lazy("Description")),
    ),
    cells=placefacts.cluster_cells,
    facts=placefacts.cluster,
    tables=placefacts.cluster_tables,
    counted=lambda rows: rows.select_related("data_center").annotate(
        host_count=Count("hosts", distinct=True), vm_count=Count("vms", distinct=True), running_count=_RUNNING
    ),
    more=affinityfacts.on_cluster,
)
HOSTS: Final = PlaceKind(
    name="host",
    path="hosts",
    model=Host,
    form=HostForm,
    create=hosts.create,
    edit=hosts.edit,
    remove=hosts.remove,
    edits=ActionGroup.EDIT_HOST_CONFIGURATION,
    removes=ActionGroup.DELETE_HOST,
    title=gettext_lazy("Hosts"),
    new=gettext_lazy("New Host"),
    nothing=gettext_lazy("There is no host that you may see."),
    removal=gettext_lazy("The host %(name)s is forgotten; what is defined on it stays there. This cannot be undone."),
    columns=(
        *(gettext_lazy("Name"), gettext_lazy("Status"), gettext_lazy("Cluster"), gettext_lazy("Hypervisor")),
        *(gettext_lazy("CPUs"), gettext_lazy("Memory"), gettext_lazy("Running VMs")),
    ),
    cells=placefacts.host_cells,
    facts=placefacts.host,
    tables=placefacts.host_tables,
    counted=lambda rows: rows.select_related("cluster__data_center").annotate(running_count=_RUNNING),
    manipulates=ActionGroup.MANIPULATE_HOST,
    verbs=at_work_or_at_rest(hosts.activate, _not_activated, hosts.deactivate, _not_rested),
    more=_host_context,
)
NETWORKS: Final = PlaceKind(
    name="network",
    path="networks",
    model=Network,
    form=NetworkForm,
    create=networks.create,
    edit=networks.edit,
    remove=networks.remove,
    edits=ActionGroup.CONFIGURE_STORAGE_POOL_NETWORK,
    removes=ActionGroup.DELETE_STORAGE_POOL_NETWORK,
    title=gettext_lazy("Networks"),
    new=gettext_lazy("New Network"),
    nothing=gettext_lazy("There is no network that you may see."),
    removal=gettext_lazy("The network %(name)s and its vNIC profiles are removed. This cannot be undone."),
    columns=(
        *(gettext_lazy("Name"), gettext_lazy("Data Center"), gettext_lazy("Carried by"), "MTU"),
        *(gettext_lazy("Clusters"), gettext_lazy("Virtual Machines"), gettext_lazy("Description")),
    ),
    cells=networkfacts.network_cells,
    facts=networkfacts.network,
    tables=networkfacts.network_tables,
    counted=networkfacts.counted,
)
PROFILES: Final = PlaceKind(
    name="vnic_profile",
    path="vnic-profiles",
    model=VnicProfile,
    form=VnicProfileForm,
    create=networks.create_profile,
    edit=networks.edit_profile,
    remove=networks.remove_profile,
    edits=ActionGroup.CONFIGURE_NETWORK_VNIC_PROFILE,
    removes=ActionGroup.DELETE_NETWORK_VNIC_PROFILE,
    title=gettext_lazy("vNIC Profiles"),
    new=gettext_lazy("New vNIC Profile"),
    nothing=gettext_lazy("There is no vNIC profile that you may see."),
    removal=gettext_lazy("The vNIC profile %(name)s is removed. This cannot be undone."),
    columns=(
        *(gettext_lazy("Name"), gettext_lazy("Network"), gettext_lazy("Data Center"), gettext_lazy("Used by")),
        *(gettext_lazy("Virtual Machines"), gettext_lazy("Description")),
    ),
    cells=networkfacts.profile_cells,
    facts=networkfacts.profile,
    tables=networkfacts.profile_tables,
    counted=networkfacts.counted_profiles,
)
MAC_POOLS: Final = PlaceKind(
    name="mac_pool",
    path="mac-pools",
    model=MacPool,
    form=MacPoolForm,
    create=macpools.create,
    edit=macpools.edit,
    remove=macpools.remove,
    edits=ActionGroup.EDIT_MAC_POOL,
    removes=ActionGroup.DELETE_MAC_POOL,
    title=gettext_lazy("MAC Address Pools"),
    new=gettext_lazy("New MAC Address Pool"),
    nothing=gettext_lazy("There is no MAC address pool that you may see."),
    removal=gettext_lazy("The MAC address pool %(name)s is removed. This cannot be undone."),
    columns=(
        *(gettext_lazy("Name"), gettext_lazy("Ranges"), gettext_lazy("Clusters"), gettext_lazy("Duplicates")),
        gettext_lazy("Description"),
    ),
    cells=networkfacts.pool_cells,
    facts=networkfacts.pool,
    tables=lambda _row: [],
    counted=lambda rows: rows.prefetch_related("clusters"),
)
PLACES: Final = (DATA_CENTERS, CLUSTERS, HOSTS, NETWORKS, PROFILES, MAC_POOLS)


@route(Access.ADMINISTRATOR)
@require_GET
def place_list(request: HttpRequest, kind: PlaceKind) -> HttpResponse:
    """The places of a kind that somebody may see; there are never many."""
    rows = list(kind.rows(request))
    table = Table(kind.title, kind.columns, [kind.cells(row) for row in rows], kind.nothing)
    return live(
        request,
        "places/list.html",
        "places/_list.html",
        {"kind": kind, "table": table, "new": kind.at("new")},
        busy=False,
    )


@route(Access.ADMINISTRATOR)
@require_GET
def place_detail(request: HttpRequest, kind: PlaceKind, pk: UUID) -> HttpResponse:
    """What a place is, what is in it, and what happened to it."""
    row = kind.row(request, pk)
    held = rights.on(user_of(request), row)
    context = {
        "kind": kind,
        "row": row,
        "groups": kind.facts(row),
        "tables": kind.tables(row),
        "events": trails.events(row),
        "no_edit": reasons.lacking(kind.edits, held),
        "no_remove": reasons.lacking(kind.removes, held),
        "at": {page: kind.at(page, row) for page in ("edit", "remove")} | {"list": kind.at("list")},
        "buttons": kind.buttons(row, held),
        **kind.more(row, held),
    }
    busy = bool(context.get("busy"))
    return live(request, "places/detail.html", "places/_detail.html", context, busy=busy)


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def place_form(request: HttpRequest, kind: PlaceKind, pk: UUID | None = None) -> HttpResponse:
    """The dialog of a new place, or of one that is there."""
    row = kind.row(request, pk) if pk else None
    given = {name: request.GET.get(name, "") for name in kind.given}
    form = kind.form(request.POST or None, row=row, by=user_of(request), **given)
    if form.is_valid():
        with refusals_on(form):
            do = kind.edit if row else kind.create
            saved = do(*([row] if row else []), by=user_of(request), **form.columns())
            return reply(request, _("%(name)s was saved.") % {"name": saved}, kind.at("detail", saved), stay=bool(row))
    context = {
        "form": form,
        "title": _("Edit %(name)s") % {"name": row} if row else kind.new,
        "action": kind.at("edit", row) if row else kind.at("new"),
        "back": kind.at("detail", row) if row else kind.at("list"),
    }
    return page(request, "places/form.html", "places/_form.html", context)


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def remove_place(request: HttpRequest, kind: PlaceKind, pk: UUID) -> HttpResponse:
    """Ask whether a place is to go, and have it go."""
    row, name = kind.row(request, pk), {"name": str(kind.row(request, pk))}
    at = {"remove": kind.at("remove", row), "detail": kind.at("detail", row)}
    if request.method == "GET":
        why_not = reasons.lacking(kind.removes, rights.on(user_of(request), row))
        asked = {"row": row, "at": at, "why_not": why_not, "text": str(kind.removal) % name}
        return page(request, "vms/remove.html", "vms/_remove.html", asked)
    try:
        kind.remove(row, by=user_of(request))
    except Refusal as no:
        return complain(request, no, at["detail"])
    return reply(request, _("%(name)s was removed.") % name, kind.at("list"))


@route(Access.ADMINISTRATOR)
@require_POST
def place_action(request: HttpRequest, kind: PlaceKind, pk: UUID, verb: str) -> HttpResponse:
    """Do what a button of a place says."""
    row = kind.row(request, pk)
    if verb not in kind.verbs:
        raise Http404
    try:
        kind.verbs[verb].act(row, by=user_of(request))
    except Refusal as no:
        return complain(request, no, kind.at("detail", row))
    done = _("“%(verb)s” was done for %(name)s.") % {"verb": kind.verbs[verb].label, "name": row}
    return reply(request, done, kind.at("detail", row), stay=True)
