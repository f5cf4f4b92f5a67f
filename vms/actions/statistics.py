"""The history of how busy machines are, a day of each: the engine writes it, and nobody else."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from vms.domain.lifecycle import NOT_RUNNING
from vms.domain.statistics import Counters, between
from vms.models import VM, Host, Statistic

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
