"""The four kinds of machine in WebAdmin, as one table: their words, addresses, forms and columns."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _

from vms.actions import create
from vms.forms import HardwareForm, InstanceTypeForm, PoolForm, TemplateForm, VMForm
from vms.messages import Text
from vms.models import VM, Hardware, InstanceType, Pool, Template, User
from vms.search.languages import LANGUAGES

from . import panels
from .pages import address

# Pages whose address names begin with what is done there: `edit_vm`, but `vm_list`.
_VERBS: Final = frozenset({"new", "edit", "preview", "preview_new", "xml", "xml_new", "remove"})
# Pages of all machines of a kind; the others are those of one.
_OF_ALL: Final = frozenset({"list", "rows", "new", "preview_new", "xml_new"})

Columns = tuple[tuple[str, Text], ...]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of machine: `name` begins or ends the names of its addresses, `path` begins the addresses."""

    name: str
    path: str
    model: type[Any]
    form: type[HardwareForm]
    create: Callable[..., Hardware]
    title: Text
    new: Text
    nothing: Text
    nothing_why: Text
    removal: Text
    columns: Columns
    tabs: Columns
    joined: tuple[str, ...] = ()
    header: str = "vms/_kind_header.html"
    # The columns that the list is ordered by; together they are unique.
    order: tuple[str, ...] = ("name",)
    # What a list needs beside the rows themselves.
    listed: Callable[[Any], Any] = lambda rows: rows
    # What its header shows beside its name.
    told: Callable[[Any, User], dict[str, Any]] = panels.header

    @property
    def about(self) -> str:
        """What stands before a search of them."""
        return LANGUAGES[self.model].about

    # Whether virtual machines are made of it.
    makes_vms: bool = False
    # Sources that are given to the form of a new one by the address: `?template=…`.
    given: tuple[str, ...] = ()

    def at(self, request: HttpRequest, row: Hardware | None = None) -> "Addresses":
        return Addresses(request, self, row)

    def rows(self, request: HttpRequest) -> Any:
        """The rows that somebody may see, with what their pages show of others."""
        return self.model.objects.visible_to(user_of(request)).select_related(*self.joined)

    def row(self, request: HttpRequest, pk: Any) -> Any:
        """One of them; 404 when it is not there for this person."""
        return get_object_or_404(self.rows(request), pk=pk)


@dataclass(frozen=True)
class Addresses:
    """The addresses of a kind, or of one row of it, in the portal that was asked: `at.list`, `at.edit` in templates."""

    request: HttpRequest
    kind: Kind
    row: Hardware | None = None

    def __getitem__(self, page: str) -> str:
        kind = self.kind.name
        if page == "key":
            return str(self.row.pk) if self.row else ""
        if page == "new_vm":
            return f"{address(self.request, 'new_vm')}?{kind}={self.row.pk}" if self.row else ""
        if page == "new_version":
            root = self.row.root_id if isinstance(self.row, Template) else None
            return f"{address(self.request, 'new_template')}?base={root}" if root else ""
        name = f"{page}_{kind}" if page in _VERBS else f"{kind}_{page}"
        return address(self.request, name, *([self.row.pk] if self.row and page not in _OF_ALL else []))


def user_of(request: HttpRequest) -> User:
    """Who is asking; every address here takes somebody who has logged in."""
    assert isinstance(request.user, User)
    return request.user


_DETAIL: Final[Columns] = (("detail", _("General")), ("devices", _("Devices")))
_NICS: Final[Columns] = (("nics", _("Network Interfaces")),)
_DISKS: Final[Columns] = (("disks", _("Disks")),)
_MEMBERS: Final[Columns] = (("members", _("Virtual Machines")),)
_EVENTS: Final[Columns] = (("events", _("Events")),)

VMS: Final = Kind(
    name="vm",
    path="vms",
    model=VM,
    form=VMForm,
    create=create.vm,
    title=_("Virtual Machines"),
    new=_("New Virtual Machine"),
    nothing=_("No virtual machines yet"),
    nothing_why=_("What you create, and what others let you use, is listed here."),
    removal=_("The virtual machine %(name)s and its configuration are removed. This cannot be undone."),
    columns=panels.COLUMNS,
    tabs=(
        *(*_DETAIL, *_NICS, *_DISKS, ("snapshots", _("Snapshots")), ("console", _("Console"))),
        *(("affinity", _("Affinity")), ("guest", _("Guest Info")), ("monitoring", _("Monitoring")), *_EVENTS),
    ),
    joined=("host", "cluster__data_center", "template", "instance_type", "pool"),
    listed=lambda rows: rows.listed(),
    header="vms/_header.html",
    told=panels.vm_header,
    given=("template", "instance_type", "cluster"),
)
TEMPLATES: Final = Kind(
    name="template",
    path="templates",
    model=Template,
    form=TemplateForm,
    create=create.template,
    title=_("Templates"),
    new=_("New Template"),
    nothing=_("No templates yet"),
    nothing_why=_("A template hands down all that it is; a virtual machine's page makes one of it."),
    removal=_("The template %(name)s is removed. This cannot be undone."),
    columns=panels.columns("name", "version", *panels.SHAPE, "cluster", "description", "actions"),
    tabs=(*_DETAIL, *_NICS, *_DISKS, *_MEMBERS, *_EVENTS),
    joined=("cluster", "base"),
    order=("name", "version_number"),
    makes_vms=True,
    given=("base", "cluster"),
)
POOLS: Final = Kind(
    name="pool",
    path="pools",
    model=Pool,
    form=PoolForm,
    create=create.pool,
    title=_("Pools"),
    new=_("New Pool"),
    nothing=_("No pools yet"),
    nothing_why=_("A pool makes virtual machines alike, for people to take one of."),
    removal=_("The pool %(name)s and all its virtual machines are removed. This cannot be undone."),
    columns=panels.columns(
        "name", "assigned", "running", "prestarted", "type", *panels.SHAPE, "cluster", "description", "actions"
    ),
    tabs=(*_DETAIL, *_MEMBERS, *_EVENTS),
    joined=("cluster", "template", "instance_type"),
    listed=lambda rows: rows.counted(),
    given=("template", "instance_type", "cluster"),
)
INSTANCE_TYPES: Final = Kind(
    name="instance_type",
    path="instance-types",
    model=InstanceType,
    form=InstanceTypeForm,
    create=create.instance_type,
    title=_("Instance Types"),
    new=_("New Instance Type"),
    nothing=_("No instance types yet"),
    nothing_why=_("An instance type hands down its memory, CPUs and console, and wins over the template."),
    removal=_("The instance type %(name)s is removed; what was made of it stays. This cannot be undone."),
    columns=panels.columns("name", *panels.SHAPE, "description", "actions"),
    tabs=(*_DETAIL, *_MEMBERS, *_EVENTS),
    makes_vms=True,
)
KINDS: Final = (VMS, TEMPLATES, POOLS, INSTANCE_TYPES)
