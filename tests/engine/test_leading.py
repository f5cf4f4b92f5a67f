"""Of several engines over one database one leads; another takes over when it ends, dies or is stopped."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.engine.conftest import DATABASE, Running, comes_to, ended, eventually, fresh
from vms.actions import leading, power
from vms.engine import service
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import VM, Host, HostStatus, Leadership, User

pytestmark = DATABASE

TAKES_OVER_WITHIN = 10.0  # seconds


@pytest.fixture(autouse=True)
def _short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    assert leading.LEASE + timedelta(seconds=service.HOUSEKEEPING) < timedelta(seconds=TAKES_OVER_WITHIN)
    monkeypatch.setattr(leading, "LEASE", timedelta(seconds=0.6))
    monkeypatch.setattr(service, "HOUSEKEEPING", 0.1)


@pytest.fixture
def beside(settings: Settings, tmp_path: Path, hypervisor: MemoryHypervisor) -> Iterator[Callable[[], Running]]:
    """Start an engine of another installation over the same database and host."""
    started: list[Running] = []

    def start() -> Running:
        started.append(Running(tmp_path / f"other-{len(started)}", lambda _host: hypervisor))
        return started[-1]

    yield start
    for running in started:
        running.stop()


def leader() -> str:
    return Leadership.objects.get().owner


def test_one_leads_and_the_other_stands_by(engine: Running, beside: Callable[[], Running], vm: VM, admin: User) -> None:
    other = beside()
    power.start(vm, by=admin)
    comes_to(vm, "up")
    assert leader() == engine.engine._owner
    assert not other.engine._watchers, "it watches nothing"


def test_when_one_ends_the_other_leads_at_once(
    monkeypatch: pytest.MonkeyPatch, engine: Running, beside: Callable[[], Running], vm: VM, admin: User
) -> None:
    monkeypatch.setattr(leading, "LEASE", timedelta(hours=1))
    other = beside()
    engine.stop()
    power.start(vm, by=admin)
    assert comes_to(vm, "up").run is not None
    assert leader() == other.engine._owner


def test_when_one_is_stopped_the_other_takes_over_and_it_stands_down(
    monkeypatch: pytest.MonkeyPatch, engine: Running, beside: Callable[[], Running], vm: VM, host: Host, admin: User
) -> None:
    go_on, first = threading.Event(), engine.engine
    take = first._leadership.take
    monkeypatch.setattr(first._leadership, "take", lambda: go_on.wait(20) and take())
    other = beside()
    stopped = time.monotonic()
    eventually(lambda: leader() == other.engine._owner, "the other one leads")
    assert time.monotonic() - stopped < 3
    assert ended(power.start(vm, by=admin)).lease_owner == other.engine._owner, "the first takes no job any more"
    go_on.set()
    eventually(lambda: not first._watchers, "the first stands down")
    assert (fresh(host).status, leader()) == (HostStatus.UP, other.engine._owner), "nor does it say that nobody watches"


def test_an_engine_waits_for_no_lease_of_a_dead_predecessor(
    monkeypatch: pytest.MonkeyPatch, start_engine: Callable[..., Running], settings: Settings, vm: VM, admin: User
) -> None:
    monkeypatch.setattr(leading, "LEASE", timedelta(hours=1))
    assert leading.lead(service.Engine(settings.RUN_DIR, lambda _host: MemoryHypervisor())._owner)
    start_engine()
    power.start(vm, by=admin)
    assert comes_to(vm, "up").run is not None
