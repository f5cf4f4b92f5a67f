"""Machines of pools that wait, running, for whoever takes one (oVirt: VmPoolMonitor): how many, the pool says."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from vms.domain.errors import Refusal
from vms.domain.lifecycle import Verb
from vms.models import VM, AuditEvent, Job, Pool

from . import power
from ._audit import record
from ._authorise import ENGINE

AT_ONCE: Final = 5  # starts of one pool in a turn (oVirt: VmPoolMonitorBatchSize)
# After a start that came to nothing, the next is tried alone, and later each time, until none has failed for a while.
FIRST_REST: Final = timedelta(seconds=15)
LONGEST_REST: Final = timedelta(minutes=5)
FORGIVEN: Final = timedelta(minutes=30)
LASTS: Final = timedelta(minutes=1)  # a run that ended by itself before that came to nothing
FAILED: Final = "VM_FAILED_TO_PRESTART_IN_POOL"


def keep() -> int:
    """Start what pools lack of the machines that are to wait; how many starts were asked for."""
    counted: Any = Pool.objects.filter(prestarted_vms__gt=0).prepared()  # the checker knows no annotations
    lacking = counted.filter(waiting_count__lt=F("prestarted_vms"), idle_count__gt=0)
    return sum(_begin(key) for key in lacking.values_list("pk", flat=True))


def not_started(job: Job, no: Refusal) -> None:
    """A start that failed; one that was to wait for somebody has its pool rest."""
    vm = VM.objects.filter(pk=job.machine, pool__prestarted_vms__gt=0).select_related("pool").first()
    if vm is not None and vm.pool is not None and job.created_by_id is None:
        _failed(vm.pool, no)


def ended(vm: VM) -> None:
    """The run of a machine has ended; one that waited and did not last has its pool rest."""
    if vm.pool is None or not vm.pool.prestarted_vms:
        return
    starts = Job.objects.filter(machine=vm.pk, verb=Verb.START, created_by=None)
    if starts.filter(finished_at__gt=timezone.now() - LASTS).exists():
        _failed(vm.pool, Refusal("PRESTARTED_VM_ENDED", None, name=vm.name))


@transaction.atomic
def _begin(key: UUID) -> int:
    pool = Pool.objects.select_for_update().filter(pk=key).first()
    if pool is None or (most := _may_start(pool)) < 1:
        return 0
    idle = pool.vms.idle().select_for_update(no_key=True, skip_locked=True).order_by("created_at", "pk")
    begun = 0
    for vm in idle[: min(most, pool.prestarted_vms - pool.vms.waiting().count())]:
        try:
            power.start(vm, by=ENGINE)
        except Refusal as no:
            _failed(pool, no)
            break
        begun += 1
    return begun


def _may_start(pool: Pool) -> int:
    """How many machines of the pool may be started now; none while it rests."""
    now = timezone.now()
    recent = AuditEvent.objects.filter(entity_id=pool.pk, code=FAILED, at__gt=now - FORGIVEN)
    times = list(recent.order_by("-id").values_list("at", flat=True)[:8])
    if not times:
        return AT_ONCE
    return 1 if now - times[0] >= min(LONGEST_REST, FIRST_REST * 2 ** (len(times) - 1)) else 0


def _failed(pool: Pool, no: Refusal) -> None:
    told = no.as_document()
    record(ENGINE, FAILED, pool, severity="error", reason=told["code"], params=told["params"])
