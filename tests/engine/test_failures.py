"""What goes wrong: hypervisors that refuse, fall silent or hang, guests that do not follow, and polite ends."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.engine.conftest import DATABASE, Running, comes_to, ended, eventually, fresh
from tests.engine.faults import (
    FaultyHypervisor,
    HangingHypervisor,
    SilentAfterRefusing,
    SlowHypervisor,
    StubbornHypervisor,
    reason,
)
from tests.factories import machine
from vms.actions import jobs, power
from vms.domain.errors import Refusal
from vms.domain.lifecycle import Verb
from vms.engine import watcher, worker
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import VM, AuditEvent, Cluster, Host, HostStatus, JobState, User

pytestmark = DATABASE


# -- what goes wrong


def test_what_the_hypervisor_refuses_is_told_on_the_job(
    start_engine: Callable[..., Running], vm: VM, admin: User
) -> None:
    start_engine(FaultyHypervisor(Refusal("HYPERVISOR_REFUSED", None, message="no memory left")))
    job = ended(power.start(vm, by=admin))
    assert (job.state, reason(job)) == ("failed", "HYPERVISOR_REFUSED")
    assert job.error == Refusal("HYPERVISOR_REFUSED", None, message="no memory left").as_document()
    assert comes_to(vm, "down").run is None
    assert AuditEvent.objects.filter(code="USER_FAILED_START_VM", entity_id=vm.pk).exists()
    assert [step.state for step in job.steps.all()] == ["failed"]


def test_a_fault_of_our_own_ends_the_job_and_not_the_worker(
    start_engine: Callable[..., Running], vm: VM, headless_vm: VM, admin: User
) -> None:
    start_engine(FaultyHypervisor(ZeroDivisionError(), only=vm.pk))
    for _ in range(watcher.WORKERS + 1):
        job = ended(power.start(fresh(vm), by=admin))
        assert (job.state, reason(job)) == ("failed", "ENGINE_FAILED")
    power.start(headless_vm, by=admin)
    assert comes_to(headless_vm, "up").run is not None


def test_a_host_that_does_not_answer_is_asked_again_until_it_does(
    engine: Running, vm: VM, host: Host, admin: User, hypervisor: MemoryHypervisor
) -> None:
    hypervisor.unplug()
    job = power.start(vm, by=admin)
    eventually(lambda: fresh(host).status == HostStatus.NON_RESPONSIVE, "the host is missed")
    assert fresh(job).active, "the start waits for its host"
    hypervisor.plug()
    assert (ended(job).state, comes_to(vm, "up").status) == ("finished", "up")


def test_a_host_that_never_answers_a_job_is_given_up(start_engine: Callable[..., Running], vm: VM, admin: User) -> None:
    start_engine(FaultyHypervisor(Refusal("HOST_NOT_RESPONDING", None, host="deaf")))
    job = ended(power.start(vm, by=admin))
    assert (job.state, reason(job), job.attempts) == ("failed", "HOST_NOT_RESPONDING", worker.ATTEMPTS)


def test_a_host_that_falls_silent_while_it_refuses_is_one_that_does_not_answer(
    start_engine: Callable[..., Running], vm: VM, admin: User
) -> None:
    driver = SilentAfterRefusing()
    start_engine(driver)
    power.start(vm, by=admin)
    comes_to(vm, "up")
    driver.silent = True
    job = power.shutdown(fresh(vm), by=admin)
    assert (ended(job).state, reason(fresh(job)), fresh(job).attempts) == (
        "failed",
        "HOST_NOT_RESPONDING",
        worker.ATTEMPTS,
    )
    driver.silent = False
    power.stop(comes_to(vm, "up"), by=admin)
    assert comes_to(vm, "down").ended == "stopped"


def test_a_guest_that_does_not_follow_is_asked_again_and_then_given_up(
    monkeypatch: pytest.MonkeyPatch, start_engine: Callable[..., Running], vm: VM, admin: User
) -> None:
    monkeypatch.setattr(jobs, "ASK_EVERY", timedelta(seconds=0))
    monkeypatch.setitem(worker.PATIENCE, Verb.SHUTDOWN, timedelta(seconds=3))
    stubborn = StubbornHypervisor()
    start_engine(stubborn)
    power.start(vm, by=admin)
    comes_to(vm, "up")
    job = ended(power.shutdown(fresh(vm), by=admin))
    assert (job.state, reason(job), comes_to(vm, "up").status) == ("failed", "GUEST_DID_NOT_REACT", "up")
    assert stubborn.asked > 1


def test_power_off_overtakes_a_request_that_the_guest_does_not_follow(
    start_engine: Callable[..., Running], vm: VM, admin: User
) -> None:
    start_engine(StubbornHypervisor())
    power.start(vm, by=admin)
    request = power.shutdown(comes_to(vm, "up"), by=admin)
    eventually(lambda: fresh(request).state == JobState.WAITING, "the guest is asked")
    assert fresh(vm).status == "powering_down"
    power.stop(fresh(vm), by=admin)
    assert (comes_to(vm, "down").ended, ended(request).state) == ("stopped", "aborted")


# -- hypervisors that hang


def test_a_job_that_hangs_is_given_up_and_power_off_is_possible(
    monkeypatch: pytest.MonkeyPatch, start_engine: Callable[..., Running], vm: VM, admin: User
) -> None:
    monkeypatch.setattr(worker, "LIMIT", 0.2)
    hanging = HangingHypervisor()
    start_engine(hanging)
    power.start(vm, by=admin)
    job = ended(power.reset(comes_to(vm, "up"), by=admin))
    assert (job.state, reason(job)) == ("failed", "MACHINE_NOT_RESPONDING")
    power.stop(fresh(vm), by=admin)
    assert comes_to(vm, "down").ended == "stopped"
    hanging.go_on.set()
    assert fresh(job).state == "failed", "what it came to is not believed any more"


def test_many_jobs_that_hang_hold_up_neither_their_host_nor_another(
    monkeypatch: pytest.MonkeyPatch, start_engine: Callable[..., Running], cluster: Cluster, host: Host, admin: User
) -> None:
    monkeypatch.setattr(worker, "LIMIT", 0.2)
    other, hanging = Host.objects.create(name="other", cluster=cluster), HangingHypervisor()
    start_engine(hanging)
    eventually(lambda: fresh(other).status == HostStatus.UP, "the other host is up")
    vms = [machine(f"vm-{n}", by=admin, hosts=(host.pk,)) for n in range(watcher.WORKERS + 1)]
    for vm in vms:
        power.start(vm, by=admin)
    resets = [power.reset(comes_to(vm, "up"), by=admin) for vm in vms]
    elsewhere = machine("elsewhere", by=admin, hosts=(other.pk,))
    asked = time.monotonic()
    assert ended(power.start(elsewhere, by=admin)).state == "finished"
    assert time.monotonic() - asked < 2
    assert {reason(ended(job)) for job in resets} == {"MACHINE_NOT_RESPONDING"}
    here = machine("here", by=admin, hosts=(host.pk,))
    assert ended(power.start(here, by=admin)).state == "finished"
    hanging.go_on.set()


# -- the end of an engine


def test_a_polite_end_finishes_what_is_at_hand(
    start_engine: Callable[..., Running], vm: VM, headless_vm: VM, host: Host, admin: User
) -> None:
    slow = SlowHypervisor()
    engine = start_engine(slow)
    job = power.start(vm, by=admin)
    eventually(lambda: slow.begun.is_set(), "the start has begun")
    engine.engine.stop()
    later = power.start(headless_vm, by=admin)
    slow.go_on.set()
    asked = time.monotonic()
    engine.stop()
    assert time.monotonic() - asked < 5
    assert (fresh(job).state, fresh(later).state) == ("finished", "queued")
    assert (fresh(vm).status, fresh(host).status) == ("up", HostStatus.CONNECTING)


def test_an_idle_engine_ends_at_once(engine: Running) -> None:
    asked = time.monotonic()
    engine.stop()
    assert time.monotonic() - asked < 2
