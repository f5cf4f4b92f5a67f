"""The history of how busy machines are, a day of each: the engine writes it, and nobody else."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from vms.domain.lifecycle import NOT_RUNNING
from vms.domain.statistics import Counters, NicCounters, between, rate
from vms.models import VM, Host, Statistic, VmNic

from ._action import action

KEPT: Final = timedelta(hours=24)


@action
def measured(host: Host, machine: UUID, before: Counters, now: Counters) -> bool:
    """A machine of this host was measured twice; False where that tells nothing."""
    vm = VM.objects.filter(pk=machine, host=host).exclude(observed__in=NOT_RUNNING).first()
    run = vm.run if vm else None
    if vm is None or run is None:
        return False
    figures = between(before, now, cpus=run.spec.cpu.total, memory=run.spec.memory)
    if figures is None:
        return False
    Statistic.objects.filter(vm=vm, at__lt=now.at - KEPT).delete()
    cpu, memory, network, disk = figures.cpu, figures.memory, figures.network, figures.disk
    Statistic.objects.create(vm=vm, at=now.at, cpu=cpu, memory=memory, network=network, disk=disk)
    return True


@action
def counted(host: Host, machine: UUID, before: Counters | None, now: Counters) -> None:
    """What went through a machine's cards, for all of them that were counted."""
    if not now.nics:
        return
    seconds = (now.at - before.at).total_seconds() if before else 0.0
    for card in VmNic.objects.filter(vm=machine, vm__host=host, mac__in=now.nics):
        new = now.nics[card.mac]
        old = before.nics.get(card.mac, new) if before else new
        card.counted = {"at": now.at.isoformat(), **_figures(old, new, seconds)}
        card.save(update_fields=["counted"])


def _figures(old: NicCounters, new: NicCounters, seconds: float) -> dict[str, float]:
    return {
        "received": new.received,
        "sent": new.sent,
        "receive_errors": new.receive_errors,
        "send_errors": new.send_errors,
        "receive_rate": rate(old.received, new.received, seconds),
        "send_rate": rate(old.sent, new.sent, seconds),
    }
