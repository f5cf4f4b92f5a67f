"""The list of virtual machines: one page of drawn rows, and which of them have changed since they were seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from django.conf import settings
from django.http import HttpRequest
from django.template.loader import get_template
from django.utils.functional import cached_property
from django.utils.safestring import SafeString, mark_safe

from vms import messages
from vms.domain.lifecycle import Verb
from vms.models import VM, Job, User
from vms.wire.client import EngineClient

from . import panels
from .pages import BUSY, IDLE, marked

PAGE: Final = 100


@dataclass(frozen=True)
class Listing:
    """Machines in the order of their names, which are unique; `after` is the last name of the page before."""

    machines: list[VM]
    jobs: Mapping[Any, Job]
    after: str
    more: bool

    @classmethod
    def of(cls, request: HttpRequest) -> Self:
        assert isinstance(request.user, User)
        after = request.GET.get("after", "").replace("\0", "")
        rows = VM.objects.visible_to(request.user).filter(name__gt=after).order_by("name")
        found = list(rows.select_related("host", "cluster")[: PAGE + 1])
        machines = found[:PAGE]
        return cls(machines, panels.latest_jobs([vm.pk for vm in machines]), after, len(found) > PAGE)

    @property
    def next(self) -> str:
        """The name after which the next page begins; empty on the last one."""
        return self.machines[-1].name if self.more else ""

    @property
    def every(self) -> int:
        return BUSY if any(job.active for job in self.jobs.values()) else IDLE

    @cached_property
    def rows(self) -> list[SafeString]:
        template = get_template("vm.html", using="jinja2")
        return [mark_safe(template.render(self._cells(vm))) for vm in self.machines]  # noqa: S308  (autoescaped)

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
        return marked(" ".join(str(vm.pk) for vm in self.machines) + self.next)

    def _cells(self, vm: VM) -> dict[str, Any]:
        running, job = vm.running_console, self.jobs.get(vm.pk)
        icon, tone = panels.status_icon(vm.status)
        buttons = {button.verb: button for button in panels.power_buttons(vm)}
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
            "no_console": panels.why_no_console(vm),
            "labels": dict(panels.COLUMNS),
        }
