"""What making many machines headless, or giving them their screens back, would do to each, and what it has done."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from vms import messages
from vms.actions import fleet, many
from vms.actions.fleet import Forecast
from vms.domain.access import Access, Rating
from vms.messages import Text
from vms.messages.access import RATINGS
from vms.models import VM, Job, Pool, Saving, Step, Template

from .kinds import user_of
from .reach import LOOKS

VERBS: Final = frozenset({fleet.HEADLESS, fleet.GRAPHICAL})
FORECAST: Final = 200  # machines that are looked at one by one before a run
HEADINGS: Final = (
    *(gettext_lazy("Name"), gettext_lazy("Screen"), gettext_lazy("Access now"), gettext_lazy("Access afterwards")),
    gettext_lazy("Note"),
)
# What a form says of a run; all but the first are off by default.
CHOICES: Final = ("serial", "accept_lockout", "restart", "prepare", "may_power_off")


@dataclass(frozen=True)
class Mark:
    """A rating with the way it looks."""

    label: Text
    tone: str
    icon: str


@dataclass(frozen=True)
class Line:
    """One machine before a run: how it can be reached now and afterwards, and what is to be known."""

    name: str
    url: str
    screen: str
    now: Mark
    after: Mark | None
    note: Text
    refused: bool


@dataclass(frozen=True)
class Told:
    """The dry run: a line for each of the first machines, and what becomes of them in numbers."""

    lines: list[Line]
    beyond: int
    changed: int
    restart: int
    refused: int


def told(verb: str, rows: Any, given: Any, pool: Pool | None) -> Told | None:
    """What a run would do; None for a verb that converts nothing."""
    if verb not in VERBS:
        return None
    # The form has its box for the serial console ticked, so that is what is told of.
    params = {"serial": True, **{name: True for name in CHOICES if given.get(name)}}
    some = rows.order_by("folded", "name").select_related("cluster", "pool").prefetch_related("cluster__hosts")
    forecasts = [fleet.forecast(verb, vm, params, pooled=pool is not None) for vm in some[:FORECAST]]
    return Told(
        lines=[_line(each) for each in forecasts],
        beyond=max(0, rows.count() - FORECAST),
        changed=sum(each.changes and each.no is None for each in forecasts),
        restart=sum(each.restart and each.no is None for each in forecasts),
        refused=sum(each.no is not None for each in forecasts),
    )


def params(given: Any) -> dict[str, Any]:
    """What somebody has ticked."""
    return {name: True for name in CHOICES if given.get(name)}


def source(request: HttpRequest, given: Any) -> Pool | Template | None:
    """The pool or template whose machines are meant; None where machines are named one by one."""
    for name, model in (("pool", Pool), ("template", Template)):
        if key := given.get(name):
            rows: Any = model._default_manager
            found: Pool | Template = get_object_or_404(rows.visible_to(user_of(request)), pk=_uuid(key))
            return found
    return None


def undoing(job: Job) -> dict[str, Any]:
    """What the report of a run says of undoing it: whether that is possible, or the run that did it."""
    verb = job.verb.removeprefix(many.PREFIX)
    if verb not in VERBS or job.active:
        return {}
    undone = Job.objects.filter(verb=f"{many.PREFIX}{fleet.RESTORE}", params__of=str(job.pk)).first()
    return {
        "undo": reverse("undo_task", args=[job.pk]) if undone is None and fleet.undoable(job).exists() else "",
        "undone_by": reverse("task", args=[undone.pk]) if undone else "",
    }


def left_alone(step: Step) -> bool:
    """Whether a run over a fleet has found nothing to change in a machine."""
    return step.job.verb.removeprefix(many.PREFIX) in VERBS and step.changed is None and step.preparation is None


def savings(job: Job) -> dict[str, Any]:
    """What was measured on this installation that a machine without a screen saves; for runs that took screens away."""
    if job.verb != f"{many.PREFIX}{fleet.HEADLESS}":
        return {}
    return {"measures": True, "saving": Saving.objects.first(), "converted": fleet.undoable(job).count()}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _line(each: Forecast) -> Line:
    vm: VM = each.vm
    return Line(
        name=vm.name,
        url=reverse("vm_detail", args=[vm.pk]),
        screen=_("None") if vm.console.headless else vm.console.graphics_label,
        now=_mark(each.now),
        after=_mark(each.after) if each.after else None,
        note=_note(each),
        refused=each.no is not None,
    )


def _note(each: Forecast) -> str:
    if each.no is not None:
        return messages.refusal(each.no)
    if not each.changes and not each.restart:
        return _("is so already")
    return _("runs: takes effect with a restart") if each.restart else ""


def _mark(access: Access) -> Mark:
    rating: Rating = access.rating
    return Mark(RATINGS[rating], *LOOKS[rating])
