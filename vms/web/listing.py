"""A list of machines: what is searched for, one page of drawn rows, and which of them have changed since."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest
from django.template.loader import get_template
from django.utils.functional import cached_property
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from vms import messages
from vms.actions import rights
from vms.actions.rights import Rights
from vms.domain.errors import Refusal
from vms.domain.search import Order, Search, Word, parse
from vms.messages import Text
from vms.models import VM, Cluster
from vms.search.find import find
from vms.search.languages import LANGUAGES
from vms.search.paging import Page, Sorting
from vms.wire.client import EngineClient

from . import columns, panels, reasons
from .columns import Heading
from .kinds import Kind, user_of
from .pages import BUSY, IDLE, marked
from .panels import Button, Display

PAGE: Final = 100
# What people filter virtual machines by most, a click each.
QUICK: Final[tuple[tuple[Text, str, str], ...]] = (
    (messages.STATUSES["up"], "status", "up"),
    (_("Headless"), "headless", "true"),
    (_("Restart pending"), "pending", "true"),
    (_("No way in"), "access", "none"),
)


@dataclass(frozen=True)
class Chip:
    """One condition of the search, and the address without it; or a condition that is offered, and the one with it."""

    text: str
    url: str


@dataclass(frozen=True)
class Listing:
    """A page of machines of a kind; `refusal` says why the search means nothing, `gone` that the page was of another
    order."""

    request: HttpRequest
    kind: Kind
    base: Any = None

    # -- what is asked for

    @property
    def query(self) -> str:
        return self.request.GET.get("q", "").replace("\0", "")[:20_000].strip()

    @cached_property
    def _asked(self) -> tuple[Search, Refusal | None]:
        try:
            search = parse(self.query)
            self._found(search)
            LANGUAGES[self.kind.model].columns(search)
        except Refusal as no:
            return Search(), no
        return replace(search, page=0), None

    @property
    def search(self) -> Search:
        return self._asked[0]

    @property
    def refusal(self) -> str:
        return messages.refusal(self._asked[1]) if self._asked[1] else ""

    @property
    def marked_query(self) -> tuple[str, str, str] | None:
        """The search in three parts, of which the second is not understood."""
        if self._asked[1] is None:
            return None
        start, end = (int(str(self._asked[1].params[name])) for name in ("start", "end"))
        return self.query[:start], self.query[start:end], self.query[end:]

    def _found(self, search: Search) -> Any:
        rows = self.kind.rows(self.request) if self.base is None else self.base
        return find(self.kind.listed(rows), LANGUAGES[self.kind.model], search, by=user_of(self.request))

    @property
    def matching(self) -> Any:
        """All rows that the search means, on whatever page."""
        return self._found(self.search) if not self.refusal else self.kind.model.objects.none()

    @cached_property
    def sorting(self) -> Sorting:
        language, order = LANGUAGES[self.kind.model], self.search.order
        by = language.columns(self.search) or language.orders["name"]
        return Sorting(self.kind.model, by, order.descending if order else False)

    @cached_property
    def _page(self) -> tuple[Page, str]:
        asked = {name: self.request.GET.get(name, "") for name in ("after", "before")}
        try:
            found, gone = self.sorting.page(self.matching, **asked, size=PAGE), ""
        except Refusal as no:
            found, gone = self.sorting.page(self.matching, "", "", size=PAGE), messages.refusal(no)
        if self.kind.model is VM:
            _placed(found.rows)
        return found, gone

    @property
    def page(self) -> Page:
        return self._page[0]

    @property
    def gone(self) -> str:
        return self._page[1]

    @property
    def machines(self) -> list[Any]:
        return self.page.rows

    # -- where else it leads

    @property
    def path(self) -> str:
        return self.request.path.removesuffix("rows")

    def url(self, search: Search | None = None, **place: str) -> str:
        """The address of the list with a search and a place in it."""
        query = self.query if search is None else str(search)
        asked = urlencode({name: value for name, value in {"q": query, **place}.items() if value})
        return f"{self.path}?{asked}" if asked else self.path

    @property
    def refresh(self) -> str:
        """What an open page asks with."""
        place = {name: self.request.GET[name] for name in ("after", "before") if self.request.GET.get(name)}
        return urlencode({"seen": self.mark, "q": self.query, **place} if self.query else {"seen": self.mark, **place})

    @property
    def first(self) -> str:
        return self.url() if self.page.previous else ""

    @property
    def previous(self) -> str:
        return self.url(before=self.page.previous) if self.page.previous else ""

    @property
    def next(self) -> str:
        return self.url(after=self.page.following) if self.page.following else ""

    @property
    def chips(self) -> list[Chip]:
        """What is filtered by."""
        return [Chip(str(term), self.url(self.search.without(at))) for at, term in enumerate(self.search.terms)]

    @property
    def quick(self) -> list[Chip]:
        """What could be filtered by besides."""
        if self.kind.model is not VM or self.refusal:
            return []
        there = {str(term) for term in self.search.terms}
        offered = ((label, self.search.narrowed(name, value), f"{name} = {value}") for label, name, value in QUICK)
        return [Chip(str(label), self.url(search)) for label, search, text in offered if text not in there]

    @cached_property
    def columns(self) -> tuple[tuple[str, Text], ...]:
        return columns.chosen(self.kind, user_of(self.request))

    @property
    def compact(self) -> bool:
        return columns.compact(user_of(self.request))

    @property
    def headings(self) -> list[Heading]:
        return [self._heading(key, label) for key, label in self.columns]

    def _heading(self, key: str, label: Text) -> Heading:
        name, orders = columns.ORDERS.get(key, ""), LANGUAGES[self.kind.model].orders
        if name not in orders or self.refusal:
            return Heading(key, label)
        by = self.search.order.field.text.lower() if self.search.order else "name"
        here, down = by == name, self.sorting.descending
        turned = replace(self.search, order=Order(Word(name), descending=here and not down))
        return Heading(key, label, self.url(turned), ("descending" if down else "ascending") if here else "none")

    # -- what the rows say

    @property
    def every(self) -> int:
        busy = self.kind.model is VM and any(vm.busy for vm in self.machines)
        return BUSY if busy else IDLE

    @cached_property
    def held(self) -> Mapping[Any, Rights]:
        """What the person who looks may do with each row."""
        return rights.on_each(user_of(self.request), self.machines)

    @cached_property
    def rows(self) -> list[SafeString]:
        """The rows as they are drawn, each by itself."""
        of_vms = self.kind.model is VM
        template = get_template("vm.html" if of_vms else "machine.html", using="jinja2")
        drawn = template.render(
            {
                "rows": [_vm_line(self, row) if of_vms else _line(self, row) for row in self.machines],
                "kind": self.kind,
                "columns": [(key, escape(str(label))) for key, label in self.columns],
                "numbers": columns.NUMBERS,
                "selects": self.selects,
            }
        )
        # No text in it ends a row: all of them are escaped.
        return [mark_safe(f"{row}{_END}") for row in drawn.split(_END)[:-1]]  # noqa: S308

    @cached_property
    def texts(self) -> list[tuple[str, Callable[[Any], Text]]]:
        """The columns that are plain text, with what makes it."""
        return [(key, columns.VM_TEXTS[key]) for key, _label in self.columns if key in columns.VM_TEXTS]

    @property
    def selects(self) -> bool:
        """Whether rows can be chosen, for something to be done with several at once."""
        return self.kind.model is VM and self.base is None

    @cached_property
    def at(self) -> str:
        """Where the pages of its machines begin."""
        return self.kind.at(self.request)["list"]

    def told_once(self, what: Hashable, tell: Callable[[], Any]) -> Any:
        """What is alike for many rows is made for the first of them."""
        if what not in self._told:
            self._told[what] = tell()
        return self._told[what]

    @cached_property
    def _told(self) -> dict[Hashable, Any]:
        return {}

    @cached_property
    def mark(self) -> str:
        """Order, each row and the engine, as marks; what a browser sends back to learn what has changed."""
        alive = EngineClient(settings.RUN_DIR).alive()
        return ".".join((self._order, "".join(marked(row) for row in self.rows), str(int(alive))))

    def changed_since(self, seen: str) -> list[SafeString] | None:
        """The rows that differ from what was seen, to be put in place; None when the page holds other machines now."""
        order, _dot, rest = seen.partition(".")
        if order != self._order:
            return None
        marks = rest.partition(".")[0]
        changed = [row for at, row in enumerate(self.rows) if marks[at * 8 : at * 8 + 8] != marked(row)]
        return [mark_safe(row.replace("<tr ", '<tr hx-swap-oob="morph" ', 1)) for row in changed]  # noqa: S308

    @property
    def _order(self) -> str:
        return marked(" ".join(str(row.pk) for row in self.machines) + self.page.following)


def _placed(rows: list[Any]) -> None:
    """Machines of a list come with the columns of their clusters alone; each cluster is there once."""
    known: dict[Any, Cluster] = {}
    for vm in rows:
        here = Cluster(pk=vm.cluster_id, name=vm.cluster_title, data_center_id=vm.center)
        vm.cluster = known.setdefault(vm.cluster_id, here)


_END: Final = "</tr>"


@dataclass(frozen=True, slots=True)
class _Line:
    """A template, pool or instance type in a list."""

    key: str
    name: str
    at: Any
    cells: dict[str, Any]
    no_edit: str
    no_remove: str


@dataclass(frozen=True, slots=True)
class _VmLine:
    """A virtual machine in a list."""

    key: str
    vm: VM
    at: str
    icon: str
    status: Text
    pending: str
    failure: str
    graphics: Display
    video: Display
    button: Button
    no_console: str
    cells: dict[str, Text]


def _line(listing: Listing, row: Any) -> _Line:
    held = listing.held[row.pk]
    return _Line(
        key=str(row.pk),
        name=str(row),
        at=listing.kind.at(listing.request, row),
        cells=panels.cells(row),
        no_edit=reasons.why_not_edited(row, held),
        no_remove=reasons.why_not_removed(row, held),
    )


def _vm_line(listing: Listing, vm: VM) -> _VmLine:
    once, key = listing.told_once, str(vm.pk)
    running, held, console = vm.running_screen, listing.held[vm.pk], vm.console
    screens = (console.graphics, console.video, running)
    graphical = (*screens, vm.status, vm.run_once, held)
    return _VmLine(
        key=key,
        vm=vm,
        at=f"{listing.at}{key}/",
        icon=panels.status_icon(vm.status)[0],
        status=once(("status", vm.status), lambda: escape(str(messages.STATUSES[vm.status]))),
        pending=columns.pending(vm) if vm.pending_names else "",
        failure=panels.failure(vm),
        graphics=once(("graphics", *screens), lambda: panels.graphics_display(vm, running)),
        video=once(("video", *screens), lambda: panels.video_display(vm, running)),
        button=once(("button", vm.status, held), lambda: panels.first_button(vm, held)),
        no_console=once(("console", *graphical), lambda: reasons.why_no_console(vm, held)),
        cells={name: tell(vm) for name, tell in listing.texts},
    )
