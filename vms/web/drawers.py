"""What lies beside every page: what happened that somebody should know, and what is being done; each also a page."""

from collections.abc import Iterable
from typing import Any, Final

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods
from django_htmx.http import trigger_client_event

from vms.actions import notices
from vms.actions.notices import Shelf
from vms.models import ACTIVE, VM, AuditEvent, Job
from vms.models.audit import ALERTS
from vms.routes import Access, administers, route
from vms.search.visible import visible

from . import trails
from .kinds import user_of
from .pages import PORTAL, htmx_of, page
from .tasks import counted_steps, line

SHOWN: Final = 30
MANY: Final = 100  # more are told as “99+”


@route(Access.USER)
@require_GET
def badges(request: HttpRequest) -> HttpResponse:
    """How many warnings are unread and how many tasks at work; 204 while that is what the page shows."""
    user = user_of(request)
    unread = _shown(request).filter(severity__in=ALERTS, pk__gt=Shelf.of(user).read)[:MANY].count()
    active = visible(Job, user).filter(state__in=ACTIVE)[:MANY].count()
    mark = f"{unread}-{active}"
    if request.GET.get("seen") == mark:
        return HttpResponse(status=204)
    told = {"unread": _capped(unread), "active": _capped(active), "mark": mark}
    return render(request, "elements/badges.html", told)


@route(Access.USER)
@require_http_methods(["GET", "POST"])
def notifications(request: HttpRequest) -> HttpResponse:
    """The latest warnings and other events that are not put away; a post reads them or puts them away."""
    if request.method == "POST":
        _put_away(request)
        if not htmx_of(request):
            return redirect("notifications")
    shelf, rows = Shelf.of(user_of(request)), _shown(request)
    groups = [list(rows.filter(severity__in=ALERTS)[:SHOWN]), list(rows.exclude(severity__in=ALERTS)[:SHOWN])]
    alerts, others = (_linked(request, group, shelf) for group in groups)
    newest = max((event.pk for group in groups for event in group), default=0)
    answer = _drawer(request, "notifications", {"alerts": alerts, "others": others, "newest": newest})
    return trigger_client_event(answer, "noticed") if request.method == "POST" else answer


@route(Access.USER)
@require_GET
def recent_tasks(request: HttpRequest) -> HttpResponse:
    """What is at work, and what was done last."""
    rows = visible(Job, user_of(request)).select_related("created_by", "host").order_by("-created_at", "-id")
    active = list(rows.filter(state__in=ACTIVE)[:SHOWN])
    done = list(rows.exclude(state__in=ACTIVE)[: max(5, SHOWN - len(active))])
    steps = counted_steps([*active, *done])
    told = {"active": [line(job, steps) for job in active], "done": [line(job, steps) for job in done]}
    return _drawer(request, "recent_tasks", told)


def _drawer(request: HttpRequest, name: str, told: dict[str, Any]) -> HttpResponse:
    return page(request, f"drawers/{name}.html", f"drawers/_{name}.html", {**told, "at": reverse(name)})


def _shown(request: HttpRequest) -> QuerySet[AuditEvent]:
    """The events that somebody may see and has not put away, the newest first."""
    shelf = Shelf.of(user_of(request))
    rows = visible(AuditEvent, user_of(request)).filter(pk__gt=shelf.cleared).exclude(pk__in=shelf.dismissed)
    newest_first: QuerySet[AuditEvent] = rows.order_by("-id")
    return newest_first


def _put_away(request: HttpRequest) -> None:
    user, given = user_of(request), request.POST
    for name, act in (("dismiss", notices.dismiss), ("clear", notices.clear), ("read", notices.read)):
        text = given.get(name, "")
        if text.isascii() and text.isdigit() and len(text) < 19:
            act(int(text), by=user)


def _linked(request: HttpRequest, events: list[AuditEvent], shelf: Shelf) -> list[dict[str, Any]]:
    """Events in sentences, each with the page of its machine where that is still there."""
    machines = _machines(request, events)
    return [
        {"key": event.pk, "told": told, "url": machines.get(event.entity_id, ""), "read": event.pk <= shelf.read}
        for event, told in zip(events, trails.lines(events), strict=True)
    ]


def _machines(request: HttpRequest, events: Iterable[AuditEvent]) -> dict[Any, str]:
    keys = {event.entity_id for event in events if event.entity_kind == VM._meta.model_name}
    there = visible(VM, user_of(request)).filter(pk__in=keys).values_list("pk", flat=True) if keys else ()
    name = "vm_detail" if administers(request) else f"{PORTAL}:vm_detail"
    return {key: reverse(name, args=[key]) for key in there}


def _capped(count: int) -> str:
    return f"{MANY - 1}+" if count >= MANY else str(count) if count else ""
