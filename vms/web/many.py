"""Many virtual machines at once: what is asked back, and the report of what became of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import Case, Count, IntegerField, Value, When
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from vms import messages
from vms.actions import many
from vms.actions.fleet import RESTORE
from vms.domain import lifecycle
from vms.domain.errors import Refusal
from vms.domain.lifecycle import Status, Verb
from vms.domain.preparation import Outcome, Stage
from vms.domain.search import parse
from vms.messages import Text
from vms.messages.preparing import STAGES
from vms.models import VM, Job, JobState, Pool, Preparation, Step, Tag, Template
from vms.routes import Access, route
from vms.search.find import find
from vms.search.languages import VMS as LANGUAGE
from vms.search.visible import visible

from . import fleet
from .kinds import VMS, user_of
from .pages import STATUS, page, reply

NAMED: Final = 10
SHOWN: Final = 500  # machines of a report on one page
# Undoing a run is asked for on the page of its report.
CHOICES: Final[tuple[tuple[str, Text], ...]] = tuple(
    (word, messages.verb(word)) for word in many.VERBS if word != RESTORE
)


@dataclass(frozen=True)
class Line:
    """What became of one machine."""

    name: str
    url: str
    state: str
    reason: str
    failed: bool


@dataclass(frozen=True)
class Task:
    """A job over many machines as a page tells it."""

    job: Job

    @property
    def pk(self) -> UUID:
        return self.job.pk

    @property
    def title(self) -> str:
        return _("%(verb)s: %(count)s virtual machines") % {
            "verb": messages.verb(self.job.verb),
            "count": self.job.machine_name,
        }

    @property
    def state(self) -> str:
        return str(JobState(self.job.state).label)

    @property
    def reason(self) -> str:
        return messages.job_error(self.job.error)

    @property
    def active(self) -> bool:
        return self.job.active

    def _counted(self) -> Mapping[str, int]:
        return dict(self.job.steps.order_by().values_list("state").annotate(count=Count("pk")))

    def told(self) -> dict[str, Any]:
        """Everything that the page shows, from two queries."""
        counted = self._counted()
        total, failed = sum(counted.values()), counted.get(JobState.FAILED.value, 0)
        done = counted.get(JobState.FINISHED.value, 0)
        first = Case(When(state=JobState.FAILED, then=Value(0)), default=Value(1), output_field=IntegerField())
        steps = (
            self.job.steps.select_related("job", "led_to", "preparation")
            .annotate(first=first)
            .order_by("first", "number")
        )
        return {
            "pk": self.pk,
            "title": self.title,
            "state": self.state,
            "reason": self.reason,
            "active": self.active,
            "total": total,
            "done": done,
            "failed": failed,
            "over": total - counted.get(JobState.QUEUED.value, 0),
            "lines": [_line(step) for step in steps[:SHOWN]],
            "beyond": max(0, total - SHOWN),
        }


def _line(step: Step) -> Line:
    of_pool = step.kind == many.POOL
    url = reverse("pool_detail" if of_pool else "vm_detail", args=[step.machine]) if step.machine else ""
    if step.preparation is not None:
        return _prepared(step, step.preparation)
    # What the machine was asked for may have come to nothing afterwards.
    later = step.led_to if step.led_to and step.led_to.state == JobState.FAILED else None
    error = later.error if later else step.error
    failed = step.state == JobState.FAILED or later is not None
    state = JobState.FAILED if failed else JobState(step.led_to.state if step.led_to else step.state)
    if state == JobState.FINISHED and step.led_to is None and fleet.left_alone(step):
        return Line(step.name, url, _("is so already"), "", failed=False)
    return Line(step.name, url, str(state.label), messages.job_error(error), failed)


def _prepared(step: Step, preparation: Preparation) -> Line:
    """How far the preparation is that a machine was begun with; its page tells more."""
    failed = preparation.outcome == Outcome.FAILED
    told = str(preparation.get_outcome_display())
    if preparation.active:
        told = f"{told}: {STAGES[Stage(preparation.stage)][0]}"
    url = reverse("prepare_vm", args=[step.machine])
    return Line(step.name, url, told, messages.job_error(preparation.error), failed)


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def many_vms(request: HttpRequest) -> HttpResponse:
    """What is to be done with several virtual machines: asked back with their number, then recorded as one task."""
    given = request.POST if request.method == "POST" else request.GET
    verb = given.get("verb", "")
    try:
        if verb not in many.VERBS or verb == RESTORE:
            raise Refusal("ILLEGAL_VALUE", "verb", value=verb[:40], allowed=", ".join(many.VERBS))
        source = fleet.source(request, given) if verb in fleet.VERBS else None
        machines = _chosen(request, given, source)
        if request.method == "POST":
            whole = source if isinstance(source, Pool) else None
            job = many.ask(verb, machines, by=user_of(request), expected=_number(given), pool=whole, **_params(given))
            done = _("The task was recorded; its report is on the page of the task.")
            return reply(request, done, reverse("task", args=[job.pk]))
        return _ask(request, given, verb, machines, source=source)
    except Refusal as no:
        return _ask(request, given, verb if verb in many.VERBS else "", None, no)


def _chosen(request: HttpRequest, given: Any, source: Pool | Template | None) -> Any:
    rows = visible(VM, user_of(request))
    if source is not None:
        return source.vms.filter(pk__in=rows.values("pk"))
    if given.get("all"):
        return find(rows, LANGUAGE, parse(given.get("q", "").replace("\0", "")), by=user_of(request))
    keys = []
    for text in given.getlist("vm")[: many.MOST]:
        try:
            keys.append(UUID(text))
        except ValueError:
            continue
    return rows.filter(pk__in=keys)


def _number(given: Any) -> int | None:
    text = given.get("expected", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None


def _params(given: Any) -> dict[str, Any]:
    params = fleet.params(given)
    if tag := given.get("tag"):
        try:
            params["tag"] = str(UUID(tag))
        except ValueError as error:
            raise Refusal("ILLEGAL_VALUE", "tag", value=tag[:40], allowed="any text") from error
    return params


def _ask(
    request: HttpRequest,
    given: Any,
    verb: str,
    machines: Any,
    no: Refusal | None = None,
    *,
    source: Pool | Template | None = None,
) -> HttpResponse:
    rows = machines if machines is not None else VM.objects.none()
    count = rows.count()
    named = list(rows.order_by("folded", "name").values_list("pk", "name")[:NAMED])
    pool = source if isinstance(source, Pool) else None
    context = {
        "forecast": fleet.told(verb, rows, given, pool),
        "forecast_headings": fleet.HEADINGS,
        "source": source,
        "source_kind": source._meta.model_name if source else "",
        "title": str(messages.verb(verb)) if verb else _("Several virtual machines"),
        "label": messages.verb(verb),
        "verb": verb,
        "count": count,
        "names": [name for _pk, name in named],
        "more": max(0, count - NAMED),
        "not_now": _not_now(verb, rows) if count else "",
        "refusal": messages.refusal(no or Refusal("MANY_NONE")) if no or not count else "",
        "unable": not count,
        "chosen": [] if given.get("all") or source else rows.values_list("pk", flat=True),
        "all": given.get("all"),
        "query": given.get("q", ""),
        "tags": Tag.objects.all() if verb.endswith("_tag") else None,
        "back": VMS.at(request)["list"],
    }
    answer = page(request, "vms/many.html", "vms/_many_ask.html", context)
    if no is not None:
        answer.status_code = STATUS[no.kind]
    return answer


def _not_now(verb: str, rows: Any) -> str:
    """How many of them the verb is not possible for at present, as far as their status tells."""
    if verb not in set(Verb):
        return ""
    able = lifecycle.ALLOWED[Verb(verb)]
    if verb == Verb.START:
        able = able | lifecycle.ALLOWED[Verb.RESUME]
    counted = rows.order_by().values_list("status").annotate(count=Count("pk"))
    refused = sum(number for status, number in counted if Status(status) not in able)
    return _("Not possible at present for %(count)s of them, by their status.") % {"count": refused} if refused else ""
