"""Hypervisors with a fault, and what the jobs over them come to."""

import threading
from typing import Any
from uuid import UUID

from tests.engine.conftest import PATIENCE
from vms.domain.errors import Refusal
from vms.domain.hosts import Observation
from vms.domain.runonce import Run
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import Job


class SlowHypervisor(MemoryHypervisor):
    """Starts a machine when it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = threading.Event(), threading.Event()

    def start(self, run: Run, **options: Any) -> Observation:
        self.begun.set()
        assert self.go_on.wait(PATIENCE)
        return super().start(run, **options)


class HangingHypervisor(MemoryHypervisor):
    """Resets no machine until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def reset(self, machine: UUID) -> None:
        self.go_on.wait(PATIENCE)


class FaultyHypervisor(MemoryHypervisor):
    """Starts no machine, or one not, with the fault that it is given."""

    def __init__(self, fault: Exception, only: UUID | None = None) -> None:
        super().__init__()
        self._fault, self._only = fault, only

    def start(self, run: Run, **options: Any) -> Observation:
        if self._only in {None, run.base.id}:
            raise self._fault
        return super().start(run, **options)


class SilentAfterRefusing(MemoryHypervisor):
    """Refuses to shut a machine down, and does not answer the question that follows."""

    silent = False
    _refused = False

    def shutdown(self, machine: UUID) -> None:
        if self.silent:
            self._refused = True
            raise Refusal("HYPERVISOR_REFUSED", None, message="domain is not running")
        super().shutdown(machine)

    def observe(self, machine: UUID) -> Observation | None:
        if self._refused and threading.current_thread().name.startswith("work"):
            self._refused = False
            raise Refusal("HOST_NOT_RESPONDING", None, host="silent")
        return super().observe(machine)


class StubbornHypervisor(MemoryHypervisor):
    """Its guests do not listen."""

    asked = 0

    def shutdown(self, machine: UUID) -> None:
        self.asked += 1


def reason(job: Job) -> str | None:
    """The code with which a job has failed."""
    return job.error["code"] if job.error else None


def count_calls(hypervisor: MemoryHypervisor, verb: str) -> list[UUID]:
    called: list[UUID] = []
    method = getattr(hypervisor, verb)

    def counted(machine: UUID) -> None:
        called.append(machine)
        method(machine)

    setattr(hypervisor, verb, counted)
    return called
