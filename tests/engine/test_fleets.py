"""Fifty machines converted in one run, with an engine that dies in the middle of it, a report, and an undo."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.engine.conftest import DATABASE, Running, fresh
from tests.factories import headless, machine
from tests.hypervisors.conftest import wait_until
from vms.actions import many, power
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import VM, AuditEvent, Job, User

pytestmark = DATABASE

PATIENCE = 60.0  # seconds for one of many stages; a fraction of one on an idle machine


def eventually(condition: Callable[[], Any], what: str) -> Any:
    return wait_until(condition, PATIENCE, what)


FIFTY = 50
RUNNING = 10


@pytest.fixture
def machines(admin: User) -> list[VM]:
    """Fifty, of which the last has no screen already."""
    made = [machine(f"m{number:02}", by=admin) for number in range(FIFTY - 1)]
    return [*made, machine("m99", by=admin, console=headless)]


def over(job: Job) -> Job:
    """The run, once the machines that it restarted have restarted, too."""
    eventually(lambda: not fresh(job).active, "the run is through")
    eventually(lambda: not Job.objects.filter(state__in=("queued", "started", "waiting")).exists(), "all is done")
    done: Job = fresh(job)
    return done


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # that of the thread that dies
def test_fifty_machines_are_converted_and_undone_though_an_engine_dies(
    start_engine: Callable[..., Running],
    machines: list[VM],
    admin: User,
    hypervisor: MemoryHypervisor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = start_engine()
    for vm in machines[:RUNNING]:
        power.start(vm, by=admin)
    eventually(lambda: VM.objects.up().count() == RUNNING, "they run")

    dealt = many._deal_with
    turns, died = iter(range(FIFTY * 2)), threading.Event()

    def die_half_way(*args: object) -> None:
        if next(turns) == FIFTY // 2:
            first.engine.stop()
            died.set()
            raise SystemExit  # this machine was begun, and nothing of it remains
        dealt(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(many, "_deal_with", die_half_way)
    run = many.ask("headless", VM.objects.all(), by=admin, serial=True, restart=True, expected=FIFTY)
    assert died.wait(PATIENCE)
    first.stop()
    there = set(run.steps.values_list("state", flat=True))
    assert there == {"finished", "queued"}, "half of them"
    monkeypatch.setattr(many, "_deal_with", dealt)
    start_engine(ready=False)

    done = over(run)
    assert done.state == "finished"
    assert list(run.steps.values_list("state", flat=True)) == ["finished"] * FIFTY
    assert all(vm.console.headless and vm.console.serial for vm in VM.objects.all())
    up = VM.objects.up()
    assert (up.count(), set(up.values_list("running_graphics", flat=True))) == (RUNNING, {""})
    assert hypervisor.starts == 2 * RUNNING, "each of them restarted once"
    assert AuditEvent.objects.get(code="MANY_DONE").params == {"verb": "headless", "failed": 0}
    assert AuditEvent.objects.filter(code="USER_UPDATE_VM").count() == FIFTY, "and was changed once"

    undone = over(many.undo(done, by=admin, restart=True))
    assert undone.steps.filter(state="finished").count() == FIFTY
    assert [vm.name for vm in VM.objects.headless()] == ["m99"], "which had none before"
    assert not VM.objects.filter(serial_console=True).exists()
    assert set(VM.objects.up().values_list("running_graphics", flat=True)) == {"vnc"}
