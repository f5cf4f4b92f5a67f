"""Daemons that hang or die: noticed in time, and found again with their machines."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.hypervisors.conftest import wait_until
from tests.hypervisors.obeying import boot_dir, daemon, driver, machine, opened, with_vnc
from vms.domain.errors import Refusal
from vms.domain.hosts import Ended
from vms.domain.lifecycle import Status
from vms.domain.runonce import Run
from vms.hypervisors.private import PrivateDaemon

__all__ = ["boot_dir", "daemon", "driver", "opened"]

NOTICED_WITHIN = 5.0  # seconds


def refused_within(call: Callable[[], object]) -> tuple[str, float]:
    """The code that a call is refused with, and after how many seconds."""
    asked = time.monotonic()
    try:
        call()
    except Refusal as refusal:
        return refusal.code, time.monotonic() - asked
    return "", time.monotonic() - asked


@pytest.mark.hypervisor
def test_a_daemon_that_hangs_is_noticed_in_time_and_found_again(
    driver: Any, daemon: PrivateDaemon, opened: Callable[..., Any], boot_dir: Path
) -> None:
    spec = machine()
    run = Run(base=spec, job=uuid4())
    driver.start(run)
    pid = daemon.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        code, took = refused_within(lambda: driver.observe(spec.id))
        assert (code, took <= NOTICED_WITHIN) == ("HOST_NOT_RESPONDING", True), f"{code or 'answered'} after {took:.1f}"
        wait_until(lambda: not driver.alive, NOTICED_WITHIN, "the loss of the connection that tells events")
        # Whoever comes anew, and whoever asks from another thread, waits no longer either.
        code, took = refused_within(lambda: opened(daemon.uri, boot_dir))
        assert (code, took <= NOTICED_WITHIN) == ("HOST_NOT_RESPONDING", True), f"{code or 'answered'} after {took:.1f}"
    finally:
        os.kill(pid, signal.SIGCONT)
    driver.open(lambda _event: None)
    assert driver.observe(spec.id).run == run


@pytest.mark.hypervisor
def test_a_thread_whose_first_call_meets_a_hanging_daemon_waits_no_longer(driver: Any, daemon: PrivateDaemon) -> None:
    spec, outcomes = machine(), []
    driver.start(Run(base=spec, job=uuid4()))
    pid = daemon.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        first = threading.Thread(
            target=lambda: outcomes.append(refused_within(lambda: driver.observe(spec.id))), daemon=True
        )
        first.start()
        first.join(NOTICED_WITHIN + 1)
        assert [code for code, _took in outcomes] == ["HOST_NOT_RESPONDING"]
        assert outcomes[0][1] <= NOTICED_WITHIN
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.hypervisor
def test_a_daemon_that_is_killed_is_told_at_once_and_found_with_its_machines(
    driver: Any, daemon: PrivateDaemon
) -> None:
    spec = machine()
    run = Run(base=spec, once=with_vnc(spec), job=uuid4())
    before = driver.start(run)
    os.kill(daemon.pid or 0, signal.SIGKILL)
    wait_until(lambda: not driver.alive, 1, "the loss of the connection")
    assert refused_within(lambda: driver.observe(spec.id))[0] == "HOST_NOT_RESPONDING"
    back = time.monotonic()
    driver.open(lambda _event: None)
    seen = driver.observe(spec.id)
    assert time.monotonic() - back < NOTICED_WITHIN
    assert (seen.status, seen.run, seen.endpoints) == (Status.UP, run, before.endpoints)
    assert driver.start(run).run == run, "the start is not done again"


@pytest.mark.hypervisor
def test_a_machine_that_is_stopped_right_after_its_daemon_came_back_is_stopped(
    driver: Any, daemon: PrivateDaemon
) -> None:
    spec = machine()
    driver.start(Run(base=spec, job=uuid4()))
    os.kill(daemon.pid or 0, signal.SIGKILL)
    wait_until(lambda: not driver.alive, 1, "the loss of the connection")
    driver.open(lambda _event: None)
    driver.stop(spec.id)
    wait_until(lambda: driver.observe(spec.id).status == Status.DOWN, 5, "it is off")


@pytest.mark.hypervisor
def test_a_suspended_machine_is_still_suspended_for_a_daemon_that_was_started_anew(
    driver: Any, daemon: PrivateDaemon
) -> None:
    spec = machine()
    run = Run(base=spec, once=with_vnc(spec), job=uuid4())
    driver.start(run)
    driver.suspend(spec.id)
    daemon.stop()
    driver.open(lambda _event: None)
    assert driver.glance()[spec.id].status == Status.SUSPENDED
    seen = driver.observe(spec.id)
    assert (seen.status, seen.ended) == (Status.SUSPENDED, Ended.SAVED)
    assert driver.resume(spec.id).run == run
