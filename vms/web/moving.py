"""A migration that is under way, as the machine's own page tells it."""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from vms.actions import migration
from vms.domain.lifecycle import MIGRATING, Status
from vms.models import VM, User

from . import reasons


@dataclass(frozen=True)
class Moving:
    """Where a machine is going, how far it is, and why it cannot be called off (empty where it can)."""

    pk: UUID
    text: str
    percent: int | None
    why_not: str


def moving(vm: VM, user: User) -> Moving | None:
    """The machine's migration; None when there is none."""
    job = migration.under_way(vm) if Status(vm.status) in MIGRATING else None
    if job is None:
        return None
    if job.cancelling:
        return Moving(job.pk, _("The migration is being called off."), job.progress, _("It is being called off."))
    text = _("It moves to host %(host)s.") % {"host": job.params.get("to_name", "…")}
    return Moving(job.pk, text, job.progress, reasons.why_not_cancelled(job, user))
