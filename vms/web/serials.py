"""What a serial line said: run by run, from the firmware's first line of the last boot, searched on the server."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from vms.actions import logs, rights
from vms.actions.logs import Kept
from vms.domain import transcript
from vms.domain.errors import Refusal
from vms.domain.transcript import Transcript
from vms.routes import Access, route

from . import reasons
from .kinds import VMS, Kind, user_of
from .machines import shown
from .pages import address, complain

LINES: Final = 500  # on a page
FOUND: Final = 200
BEFORE: Final = 10  # lines above one that was found


@dataclass(frozen=True)
class Page:
    """A part of a run's lines, and where the others are."""

    run: Kept
    lines: list[tuple[int, str]]
    first: int
    total: int
    boots: list[int]
    words: str = ""
    found: int = 0

    @property
    def last(self) -> int:
        return self.lines[-1][0] if self.lines else 0

    @property
    def before(self) -> int:
        """The first line of the page before; 0 for none."""
        return max(1, self.first - LINES) if self.first > 1 else 0

    @property
    def after(self) -> int:
        return self.last + 1 if self.last < self.total else 0

    @property
    def end(self) -> int:
        return max(1, self.total - LINES + 1)

    @property
    def listed(self) -> list[tuple[int, str, int]]:
        """The lines, each with where a page that shows what is around it begins."""
        return [(number, line, max(1, number - BEFORE)) for number, line in self.lines]


@route(Access.ADMINISTRATOR)
@require_GET
@never_cache
def serial_log(request: HttpRequest, pk: UUID, kind: Kind = VMS) -> HttpResponse:
    """Log: what the serial line said since the last boot, or in an earlier run."""
    vm, user = VMS.row(request, pk), user_of(request)
    held = rights.on(user, vm)
    no_serial = reasons.why_no_serial(vm, held)
    runs = [] if no_serial else logs.kept(vm, by=user)
    run = logs.chosen(runs, request.GET.get("run", ""))
    context = {
        "no_serial": no_serial,
        "no_options": reasons.why_no_options(vm, held),
        "runs": runs,
        "page": _page(request, run, logs.transcript(vm, run)) if run else None,
        "records": (vm.running_console or vm.console).recorded,
        "retention": settings.SERIAL_RETENTION,
    }
    return shown(request, kind, vm, "console", "vms/_serial_log.html", context)


@route(Access.ADMINISTRATOR)
@require_GET
@never_cache
def serial_text(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A run's log as a text file, without what a terminal would obey; with `raw` as it came."""
    vm = VMS.row(request, pk)
    try:
        said = logs.read(vm, request.GET.get("run", ""), by=user_of(request))
    except Refusal as no:
        return complain(request, no, address(request, "serial_log", vm.pk))
    text = said if "raw" in request.GET else transcript.plain(said)
    answer = HttpResponse(text, content_type="text/plain; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{vm.name}-serial.txt"'
    return answer


def _page(request: HttpRequest, run: Kept, said: Transcript) -> Page:
    total, words = len(said.lines), request.GET.get("find", "").strip()[:200]
    if words:
        lines, found = said.find(words, FOUND)
        return Page(run, lines, 0, total, said.boots, words, found)
    first = _number(request.GET.get("at", ""), total) or said.boot_before(total)
    return Page(run, said.window(first, LINES), first, total, said.boots)


def _number(word: str, most: int) -> int:
    return min(int(word), most) if word.isascii() and word.isdigit() and len(word) < 10 else 0
