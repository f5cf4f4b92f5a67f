"""Running machines are asked in turn, and one that never answers is waited for by nobody else."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.engine.conftest import DATABASE, Running, comes_to, eventually, fresh
from tests.hypervisors.conftest import wait_until
from vms.actions import power
from vms.domain.access import Seen
from vms.domain.errors import Refusal
from vms.domain.guest import Guest, GuestAddress, Source
from vms.domain.statistics import Counters
from vms.engine import surveyor
from vms.engine.surveyor import Surveyor
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import VM, Statistic, User

TELLING = Guest(
    agent=True, fqdn="web", addresses={Source.AGENT: (GuestAddress(address="192.0.2.7", source=Source.AGENT),)}
)
FEW = [UUID(int=number) for number in range(1, 6)]


@pytest.fixture
def survey(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make a surveyor whose cycle takes a fraction of a second; it stops with the test."""
    monkeypatch.setattr(surveyor, "EVERY", 0.1)
    made: list[Surveyor] = []

    def make(ask: Callable[[UUID], None]) -> Surveyor:
        made.append(Surveyor("local", ask))
        return made[-1]

    yield make
    for one in made:
        one.stop()


class TestTurns:
    def test_every_machine_that_runs_has_its_turn_again_and_again(self, survey: Any) -> None:
        asked: list[UUID] = []
        survey(asked.append).follow(set(FEW))
        wait_until(lambda: all(asked.count(one) >= 3 for one in FEW), 5, "three turns for each")

    def test_one_that_has_gone_has_none(self, survey: Any) -> None:
        asked: list[UUID] = []
        one = survey(asked.append)
        one.follow(set(FEW))
        one.follow({FEW[0]})
        wait_until(lambda: asked.count(FEW[0]) >= 3, 5, "three turns")
        before = len(asked)
        wait_until(lambda: len(asked) > before + 2, 5, "further turns")
        assert set(asked[before:]) == {FEW[0]}

    def test_one_that_hangs_holds_up_nobody_else(self, survey: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(surveyor, "DEADLINE", 0.05)
        monkeypatch.setattr(surveyor, "WORKERS", 1)
        release, asked = threading.Event(), list[UUID]()

        def ask(machine: UUID) -> None:
            asked.append(machine)
            if machine in FEW[:2]:
                release.wait(10)

        one = survey(ask)
        try:
            for _ in range(100):
                one.follow(set(FEW))
                if one.hanging == set(FEW[:2]) and all(asked.count(each) >= 2 for each in FEW[2:]):
                    break
                time.sleep(0.02)
            assert one.hanging == set(FEW[:2])
            assert all(asked.count(each) >= 2 for each in FEW[2:])
            assert [asked.count(each) for each in FEW[:2]] == [1, 1], "nor is it asked again meanwhile"
        finally:
            release.set()
        wait_until(lambda: not one.hanging, 5, "they have answered")

    def test_threads_are_bounded_however_many_hang(self, survey: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(surveyor, "DEADLINE", 0.0)
        release, many = threading.Event(), {UUID(int=number) for number in range(100)}
        one = survey(lambda _machine: release.wait(10))
        try:
            for _ in range(20):
                one.follow(many)
                time.sleep(0.02)
            named = [each for each in threading.enumerate() if each.name == "survey-local"]
            assert len(named) <= surveyor.WORKERS + surveyor.HANGING
        finally:
            release.set()

    def test_one_that_cannot_be_asked_is_asked_again(self, survey: Any) -> None:
        asked: list[UUID] = []

        def ask(machine: UUID) -> None:
            asked.append(machine)
            raise Refusal("HOST_NOT_RESPONDING", None, host="local") if len(asked) % 2 else RuntimeError

        survey(ask).follow({FEW[0]})
        wait_until(lambda: len(asked) >= 4, 5, "further turns")


@pytest.mark.sql
@DATABASE
class TestGuests:
    @pytest.fixture
    def running_vm(self, engine: Running, vm: VM, admin: User) -> VM:
        power.start(vm, by=admin)
        return comes_to(vm, "up")

    def test_an_agent_that_connects_is_asked_at_once(self, running_vm: VM, hypervisor: MemoryHypervisor) -> None:
        hypervisor.agent_tells(running_vm.pk, TELLING)
        happened = time.monotonic()
        told = eventually(lambda: fresh(running_vm).ip and fresh(running_vm), "its address")
        assert (told.agent, told.fqdn, told.ip) == (Seen.NOW, "web", "192.0.2.7")
        assert time.monotonic() - happened < 2, "not only when its turn comes"

    def test_an_agent_that_goes_is_told_as_one_that_was_there(
        self, running_vm: VM, hypervisor: MemoryHypervisor
    ) -> None:
        hypervisor.agent_tells(running_vm.pk, TELLING)
        eventually(lambda: fresh(running_vm).agent == Seen.NOW, "the agent is there")
        hypervisor.agent_tells(running_vm.pk, Guest())
        eventually(lambda: fresh(running_vm).agent == Seen.BEFORE, "the agent is gone")

    def test_what_a_machine_uses_is_noted_from_one_turn_to_the_next(
        self, running_vm: VM, hypervisor: MemoryHypervisor
    ) -> None:
        now = datetime.now(UTC)
        hypervisor.counters[running_vm.pk] = Counters(at=now)
        hypervisor.agent_tells(running_vm.pk, TELLING)
        eventually(lambda: fresh(running_vm).ip, "the first turn")
        hypervisor.agent_tells(running_vm.pk, Guest())
        eventually(lambda: fresh(running_vm).agent == Seen.BEFORE, "the agent is gone")
        hypervisor.counters[running_vm.pk] = Counters(at=now + timedelta(minutes=1), cpu=15.0)
        hypervisor.agent_tells(running_vm.pk, TELLING)
        assert eventually(lambda: Statistic.objects.first(), "a figure").cpu == 25.0

    def test_what_a_guest_told_goes_with_its_run(self, running_vm: VM, hypervisor: MemoryHypervisor) -> None:
        hypervisor.agent_tells(running_vm.pk, TELLING)
        eventually(lambda: fresh(running_vm).ip, "its address")
        hypervisor.guest_powers_off(running_vm.pk)
        assert (comes_to(running_vm, "down").ip, fresh(running_vm).agent) == ("", Seen.BEFORE)
