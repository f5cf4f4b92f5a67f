"""Prepare for headless: the wizard's one page, which shows how far it is, and what is asked meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from vms import messages
from vms.actions import preparations, rights
from vms.domain.errors import Refusal
from vms.domain.headless_guest import KERNEL, SERIAL
from vms.domain.lifecycle import Status, Verb
from vms.domain.preparation import Goal, Outcome, Stage, Way, progress
from vms.messages import Text
from vms.messages.preparing import CALLED, ENDS, LOADERS, STAGES, STATES
from vms.models import VM, Preparation
from vms.routes import Access, route

from . import reasons
from .kinds import VMS, Kind, user_of
from .machines import shown
from .pages import address, complain, reply
from .preview import XmlLine

_MARKS: Final = {"+": "added", "-": "removed", "@": "place", "#": "place"}
_HEADS: Final = frozenset({"---", "+++"})
_TONES: Final = {Outcome.DONE: "success", Outcome.UNDONE: "success", Outcome.FAILED: "danger"}


@dataclass(frozen=True)
class StageLine:
    """One stage: what it is called, how it stands, and what happens while it is at work."""

    label: Text
    state: Text
    icon: str
    tone: str
    now: Text


@dataclass(frozen=True)
class Wizard:
    """Everything that the page shows of a preparation."""

    preparation: Preparation

    @property
    def stages(self) -> list[StageLine]:
        return [self._line(stage, state) for stage, state in self._progress()]

    @property
    def outcome(self) -> Outcome:
        return Outcome(self.preparation.outcome)

    @property
    def active(self) -> bool:
        return self.preparation.active

    @property
    def asks(self) -> bool:
        """Whether it waits for a person to read what would be changed."""
        return self.active and self.preparation.stage == Stage.CONFIRM

    @property
    def undoing(self) -> bool:
        return self.preparation.goal == Goal.UNDO

    @property
    def end(self) -> Text:
        return ENDS.get((Goal(self.preparation.goal), self.outcome), "")

    @property
    def tone(self) -> str:
        return _TONES.get(self.outcome, "info")

    @property
    def reason(self) -> str:
        return messages.job_error(self.preparation.error)

    @property
    def loader(self) -> Text:
        return LOADERS.get(self.preparation.loader, "")

    @property
    def percent(self) -> int | None:
        """How far the stage is that is at work, where that is known."""
        job = self.preparation.job
        return job.progress if job is not None and job.active else None

    @property
    def changes(self) -> list[XmlLine]:
        lines = self.preparation.changes.splitlines()
        return [XmlLine(line, "place" if line[:3] in _HEADS else _MARKS.get(line[:1], "")) for line in lines]

    def _progress(self) -> list[tuple[Stage, str]]:
        row = self.preparation
        return progress(Goal(row.goal), Way(row.way), Stage(row.stage), self.outcome)

    def _line(self, stage: Stage, state: str) -> StageLine:
        label, now = CALLED[self.undoing, Way(self.preparation.way)].get(stage, STAGES[stage])
        told, icon, tone = STATES["asks" if stage == Stage.CONFIRM and state == Outcome.ACTIVE else state]
        return StageLine(label, told, icon, tone, now if state == Outcome.ACTIVE else "")


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def prepare_vm(request: HttpRequest, pk: UUID, kind: Kind = VMS) -> HttpResponse:
    """How far the preparation of a machine is, or what it would be; asked for with a POST."""
    vm = kind.row(request, pk)
    if request.method == "POST":
        allowed = bool(request.POST.get("may_power_off"))
        way = Way.OFFLINE if request.POST.get("way") == Way.OFFLINE else Way.AGENT
        return _done(request, vm, lambda: preparations.begin(vm, by=user_of(request), way=way, may_power_off=allowed))
    latest = vm.preparations.first()
    no_offline = preparations.no_offline(vm)
    context = {
        "wizard": Wizard(latest) if latest else None,
        "can_begin": latest is None or not latest.active,
        "can_undo": latest is not None and latest.undoable,
        "no_begin": _why_not(request, vm),
        "silent": not preparations.reachable(vm),
        "runs": vm.status != Status.DOWN,
        "no_offline": messages.refusal(no_offline) if no_offline else "",
        "offline": preparations.way_for(vm) == Way.OFFLINE,
        "kernel": KERNEL,
        "serial": SERIAL,
        "preparing": latest is not None and latest.active,
        "step": {verb: address(request, "prepare_step", vm.pk, verb) for verb in STEPS},
    }
    return shown(request, kind, vm, "prepare", "vms/_prepare.html", context)


@route(Access.ADMINISTRATOR)
@require_POST
def prepare_step(request: HttpRequest, pk: UUID, verb: str) -> HttpResponse:
    """Go on, cancel or undo."""
    vm = VMS.row(request, pk)
    latest = vm.preparations.first()
    if latest is None or verb not in STEPS:
        raise Http404
    more = {"may_power_off": bool(request.POST.get("may_power_off"))} if verb == "undo" else {}
    return _done(request, vm, lambda: STEPS[verb](latest, by=user_of(request), **more))


STEPS: Final[dict[str, Callable[..., Preparation]]] = {
    "confirm": preparations.confirm,
    "cancel": preparations.cancel,
    "undo": preparations.undo,
}


def _done(request: HttpRequest, vm: VM, act: Callable[[], Any]) -> HttpResponse:
    at = address(request, "prepare_vm", vm.pk)
    try:
        act()
    except Refusal as no:
        return complain(request, no, at)
    return reply(request, _("The request was recorded; this page shows how far it is."), at, stay=True)


def _why_not(request: HttpRequest, vm: VM) -> str:
    """Why somebody cannot have it prepared; empty when it is possible."""
    held = rights.on(user_of(request), vm)
    if vm.stateless:
        return messages.sentence("PREPARE_STATELESS", {"name": vm.name})
    if vm.pool:
        return messages.sentence("ACTION_TYPE_FAILED_VM_IN_POOL", {"pool": str(vm.pool)})
    lacking = (reasons.lacking(rights.NEEDED[verb], held) for verb in (Verb.EDIT, Verb.RUN_ONCE, Verb.SHUTDOWN))
    return next(filter(None, lacking), "")
