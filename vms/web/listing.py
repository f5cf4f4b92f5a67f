"""A list of machines: one page of drawn rows, and which of them have changed since they were seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest
from django.template.loader import get_template
from django.utils.functional import cached_property
from django.utils.safestring import SafeString, mark_safe

from vms import messages
from vms.actions import rights
from vms.actions.rights import Rights
from vms.domain.lifecycle import Verb
from vms.models import VM, Job
from vms.wire.client import EngineClient

from . import panels, reasons
from .kinds import VMS, Kind, user_of
from .pages import BUSY, IDLE, marked

PAGE: Final = 100


@dataclass(frozen=True)
class Listing:
    """Machines of a kind in its order; `after` says where the page before ended: the values that it is ordered by."""

    TEMPLATE: ClassVar = "machine.html"

    request: HttpRequest
    kind: Kind
    machines: list[Any]
    after: str
    more: bool

    @classmethod
    def of(cls, request: HttpRequest, kind: Kind, rows: Any = None) -> Self:
        """The page that is asked for, of `rows` or of all that somebody may see."""
        after = request.GET.get("after", "").replace("\0", "")
        rows = kind.listed(kind.rows(request)) if rows is None else rows
        found = list(rows.filter(_beyond(kind.order, after)).order_by(*kind.order)[: PAGE + 1])
        return cls(request, kind, found[:PAGE], after, len(found) > PAGE)

    @property
    def next(self) -> str:
        """Where the next page begins; empty on the last one."""
        return ":".join(str(getattr(self.machines[-1], name)) for name in self.kind.order) if self.more else ""

    @property
    def every(self) -> int:
        return IDLE

    @cached_property
    def held(self) -> Mapping[Any, Rights]:
        """What the person who looks may do with each row."""
        return rights.on_each(user_of(self.request), self.machines)

    @cached_property
    def rows(self) -> list[SafeString]:
        template = get_template(self.TEMPLATE, using="jinja2")
        return [mark_safe(template.render(self._cells(row))) for row in self.machines]  # noqa: S308  (autoescaped)

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
        return [mark_safe(row.replace("<tr ", '<tr hx-swap-oob="true" ', 1)) for row in changed]  # noqa: S308

    @property
    def _order(self) -> str:
        return marked(" ".join(str(row.pk) for row in self.machines) + self.next)

    def _cells(self, row: Any) -> dict[str, Any]:
        return {
            "row": row,
            "kind": self.kind,
            "at": self.kind.at(self.request, row),
            "cells": panels.cells(row),
            "no_edit": reasons.why_not_edited(row, self.held[row.pk]),
            "no_remove": reasons.why_not_removed(row, self.held[row.pk]),
        }


@dataclass(frozen=True)
class VMListing(Listing):
    """Virtual machines with what they were last asked to do."""

    TEMPLATE: ClassVar = "vm.html"

    jobs: Mapping[Any, Job] = field(default_factory=dict)

    @classmethod
    def of(cls, request: HttpRequest, kind: Kind = VMS, rows: Any = None) -> Self:
        page = Listing.of(request, kind, rows)
        jobs = panels.latest_jobs([vm.pk for vm in page.machines])
        return cls(request, kind, page.machines, page.after, page.more, jobs)

    @property
    def every(self) -> int:
        return BUSY if any(job.active for job in self.jobs.values()) else IDLE

    def _cells(self, vm: VM) -> dict[str, Any]:
        running, job, held = vm.running_console, self.jobs.get(vm.pk), self.held[vm.pk]
        icon, tone = panels.status_icon(vm.status)
        buttons = {button.verb: button for button in panels.power_buttons(vm, held)}
        run, shutdown = next(iter(buttons.values())), buttons[Verb.SHUTDOWN]
        return {
            "vm": vm,
            "status": messages.STATUSES[vm.status],
            "icon": icon,
            "tone": tone,
            "graphics": panels.graphics_display(vm, running),
            "video": panels.video_display(vm, running),
            "cpus": vm.sockets * vm.cores * vm.threads,
            "pending": [str(change.label) for change in panels.pending(vm)],
            "failure": panels.failure(job),
            "host": vm.host.name if vm.host and vm.running else "",
            "button": shutdown if run.reason and not shutdown.reason else run,
            "no_console": reasons.why_no_console(vm, held),
            "no_edit": reasons.why_not_edited(vm, held),
            "labels": dict(panels.COLUMNS),
        }


def _beyond(order: tuple[str, ...], after: str) -> Q:
    """The rows that come after the one with these values; everything when they make no sense.

    Names hold no colon; the second column, where there is one, is a number.
    """
    name, _colon, number = after.partition(":")
    if len(order) == 1 or not (number.isascii() and number.isdigit() and len(number) < 10):
        return Q(**{f"{order[0]}__gt": name})
    return Q(**{f"{order[0]}__gt": name}) | Q(**{order[0]: name, f"{order[1]}__gt": int(number)})
