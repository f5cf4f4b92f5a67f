"""Words to speak about machines with."""

from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.db import models
from django.db.models import Exists, OuterRef, Q, Subquery

from vms.domain.lifecycle import Status

from .hardware import IS_HEADLESS, Hardware
from .jobs import ACTIVE, Job
from .users import Permission, User, permitted

if TYPE_CHECKING:
    from .machines import VM, Template  # noqa: F401 (named in subscripts)

_Row = TypeVar("_Row", bound=Hardware)


class HardwareQuerySet(models.QuerySet[_Row]):
    """Words to speak about machines with."""

    def headless(self) -> Self:
        return self.filter(IS_HEADLESS)

    def graphical(self) -> Self:
        return self.exclude(IS_HEADLESS)

    def visible_to(self, user: User, *action_groups: str) -> Self:
        """The rows that the user sees, or on which one of the action groups is granted."""
        return permitted(self, user, *action_groups)  # type: ignore[return-value]


class VMQuerySet(HardwareQuerySet["VM"]):
    """Words to speak about virtual machines with; `up` is what the hypervisor says, whatever a job is about to do."""

    def up(self) -> Self:
        return self.filter(observed=Status.UP.value)

    def needing_restart(self) -> Self:
        return self.filter(pending=True)

    def listed(self) -> Self:
        """With what lists show, and without the documents: those of a hundred runs take longer than all the rest."""
        recorded = models.ExpressionWrapper(Q(running__isnull=False), models.BooleanField())
        # No join: a planner would begin with the few clusters or templates, and sort all their machines for one page.
        names = {f"{path}_title": self._of(path, "name") for path in ("cluster", "host", "template", "pool")}
        rows = self.select_related(None).only(*self.model.LISTED_FIELDS)
        return rows.annotate(recorded=recorded, **names, center=self._of("cluster", "data_center"))

    def taken(self) -> Self:
        """Machines of pools that somebody holds: a role on the very machine says so (as oVirt has it)."""
        return self.filter(Exists(Permission.objects.filter(vm=OuterRef("pk"))), pool__isnull=False)

    def free(self) -> Self:
        """Machines of pools that anybody may take: held by nobody, no job at work on them, and off or ready."""
        return self._at_rest().filter(_IDLE | _READY)

    def idle(self) -> Self:
        """Free machines that are off."""
        return self._at_rest().filter(_IDLE)

    def ready(self) -> Self:
        """Free machines that run and wait for somebody, as their pool wants."""
        return self._at_rest().filter(_READY)

    def waiting(self) -> Self:
        """Those that wait for somebody, and those that are about to."""
        return self._nobodys().filter(_USUAL, status__in=[status.value for status in _ON_THE_WAY])

    def _at_rest(self) -> Self:
        busy = Job.objects.filter(machine=OuterRef("pk"), exclusive=True, state__in=ACTIVE)
        return self._nobodys().filter(~Exists(busy))

    def _nobodys(self) -> Self:
        return self.filter(~Exists(Permission.objects.filter(vm=OuterRef("pk"))), pool__isnull=False)

    def _of(self, path: str, column: str) -> Subquery:
        """A column of what a machine belongs to."""
        model: Any = self.model._meta.get_field(path).related_model
        return Subquery(model._default_manager.filter(pk=OuterRef(path)).order_by().values(column)[:1])

    def following_latest(self) -> Self:
        """Machines that go over to every new version of their template: stateless ones and those of pools."""
        return self.filter(Q(stateless=True) | Q(pool__isnull=False), use_latest_version=True)


_ON_THE_WAY = frozenset({Status.UP, Status.POWERING_UP, Status.WAIT_FOR_LAUNCH, Status.REBOOT_IN_PROGRESS})
_USUAL = Q(run_once=False, console_user=None)  # nobody tries something out there
_IDLE = Q(status=Status.DOWN.value)
_READY = Q(status=Status.UP.value, pool__prestarted_vms__gt=0) & _USUAL


class TemplateQuerySet(HardwareQuerySet["Template"]):
    """Words to speak about templates with."""

    def family(self, template: "Template") -> Self:
        """A template with all its versions, whichever of them is named; the oldest first."""
        return self.filter(Q(pk=template.root_id) | Q(base=template.root_id)).order_by("version_number")
