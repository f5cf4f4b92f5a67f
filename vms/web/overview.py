"""What goes on as a whole: the dashboard, what has happened, what is being done."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from vms import messages
from vms.domain.access import Rating
from vms.messages import Text
from vms.models import VM, AuditEvent, Host, HostStatus, Job, User
from vms.models.hardware import IS_HEADLESS
from vms.routes import Access, administers, route
from vms.search.visible import visible

from . import panels, placefacts, trails
from .kinds import user_of
from .pages import PORTAL, live
from .searched import searched

RECENT: Final = 10
LOST: Final = "headless = true and access = none"
# SPICE, VNC → what that is called, and what the search language calls it.
_PROTOCOLS: Final[tuple[tuple[tuple[bool, bool], Text, str], ...]] = (
    ((False, False), gettext_lazy("Headless"), "none"),
    ((False, True), "VNC", "vnc"),
    ((True, False), "SPICE", "spice"),
    ((True, True), "SPICE + VNC", "both"),
)


@dataclass(frozen=True)
class Figure:
    """A number of machines, and the list of them."""

    label: Text
    count: int
    url: str
    icon: str = ""


def _found(query: str) -> str:
    return f"{reverse('vm_list')}?{urlencode({'q': query})}"


@route(Access.USER)
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Where everybody begins: administrators on the dashboard, all others in UserPortal."""
    if not administers(request):
        return redirect(f"{PORTAL}:vm_list")
    user = user_of(request)
    rows = visible(VM, user).order_by()
    counted = dict(rows.values_list("status").annotate(count=Count("pk")))
    lost = rows.filter(IS_HEADLESS, access=Rating.LOCKED_OUT.value)
    context = {
        "total": Figure(gettext_lazy("All virtual machines"), sum(counted.values()), reverse("vm_list")),
        "statuses": [
            Figure(messages.STATUSES[status], count, _found(f"status = {status}"), panels.status_icon(status)[0])
            for status, count in sorted(counted.items())
        ],
        "screens": _screens(rows),
        "waiting": [
            Figure(gettext_lazy("Headless without a way in"), lost.count(), _found(LOST)),
            Figure(gettext_lazy("Restart pending"), rows.filter(pending=True).count(), _found("pending = true")),
            Figure(gettext_lazy("Run once"), rows.filter(run_once=True).count(), _found("run_once = true")),
        ],
        "lost": list(lost.order_by("folded", "name").only("name")[:RECENT]),
        "hosts": _hosts(user),
        "new": reverse("new_vm"),
        "events": trails.lines(visible(AuditEvent, user).order_by("-id")[:RECENT]),
    }
    return live(request, "lists/dashboard.html", "lists/_dashboard.html", context, busy=False)


def _screens(rows: QuerySet[VM]) -> list[Figure]:
    """How many show which protocols; the headless ones first, for they are what this is about."""
    counted = {(spice, vnc): count for spice, vnc, count in rows.values_list("spice", "vnc").annotate(Count("pk"))}
    return [Figure(label, counted.get(shown, 0), _found(f"graphics = {word}")) for shown, label, word in _PROTOCOLS]


def _hosts(user: User) -> list[Figure]:
    counted = Counter((host.shown_status, placefacts.status_icon(host)[0]) for host in visible(Host, user))
    return [
        Figure(HostStatus(status).label, count, reverse("host_list"), icon)
        for (status, icon), count in sorted(counted.items())
    ]


@route(Access.ADMINISTRATOR)
@require_GET
def events(request: HttpRequest) -> HttpResponse:
    """What has happened, the latest first."""
    found = found_page(request, AuditEvent, ("id",))
    context = {**found, "events": trails.lines(found["page"].rows), "at": reverse("events")}
    return live(request, "lists/events.html", "lists/_events.html", context, busy=False)


def found_page(request: HttpRequest, model: type[Any], columns: tuple[str, ...]) -> dict[str, Any]:
    """A page of what a search finds, the latest first, with the addresses of its neighbours."""
    rows = visible(model, user_of(request))
    if model is Job:
        rows = rows.select_related("created_by")
    return searched(request, rows, model, columns, descending=True)
