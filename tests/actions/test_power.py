"""Starting, stopping and what lies between: jobs, states and rights."""

from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from vms.actions import jobs, migration, power, reports
from vms.domain.console import Offer
from vms.domain.errors import Kind, Refusal
from vms.domain.hosts import Capabilities
from vms.domain.lifecycle import ALLOWED, Status, Verb
from vms.domain.machine import MachineSpec
from vms.domain.runonce import ConsoleChoice, RunOnce
from vms.models import VM, AuditEvent, Host, Job, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


def with_vnc(spec: MachineSpec, offer: Offer) -> RunOnce:
    return RunOnce.choose(ConsoleChoice.VNC, spec, offer)


def test_a_start_is_a_job_that_carries_the_machine_as_it_is_now(headless_vm: VM, admin: User) -> None:
    job = power.start(headless_vm, by=admin)
    assert job.params["run"]["base"]["console"]["graphics"] == []


def test_run_once_with_vnc_carries_the_headless_machine_beside_the_overlay(headless_vm: VM, admin: User) -> None:
    run = power.run_once(headless_vm, with_vnc, by=admin).params["run"]
    assert (run["base"]["console"]["graphics"], run["once"]["graphics"]) == ([], ["vnc"])


def test_a_machine_that_starts_waits_for_launch(vm: VM, admin: User) -> None:
    power.start(vm, by=admin)
    vm.refresh_from_db()
    assert vm.status == "wait_for_launch"


def test_a_second_start_is_refused(vm: VM, admin: User) -> None:
    power.start(vm, by=admin)
    with pytest.raises(Refusal, match="STATUS_ILLEGAL"):
        power.start(vm, by=admin)


def test_stopping_calls_off_a_start_that_the_engine_has_not_begun(vm: VM, admin: User) -> None:
    power.start(vm, by=admin)
    power.stop(vm, by=admin)
    vm.refresh_from_db()
    assert (vm.status, Job.objects.get().state) == ("down", "aborted")


def test_a_job_that_the_engine_has_begun_is_not_called_off(vm: VM, host: Host, admin: User) -> None:
    power.start(vm, by=admin)
    assert jobs.claim("engine", [host.pk]) is not None
    with pytest.raises(Refusal, match="OBJECT_LOCKED"):
        power.stop(vm, by=admin)


def test_bob_may_start_but_carol_may_not(vm: VM, bob: User, carol: User) -> None:
    with pytest.raises(Refusal, match="NOT_AUTHORIZED"):
        power.start(vm, by=carol)
    assert power.start(vm, by=bob).created_by == bob


def test_what_is_refused_leaves_no_trace(vm: VM, carol: User) -> None:
    before = AuditEvent.objects.count()
    with pytest.raises(Refusal):
        power.start(vm, by=carol)
    assert (Job.objects.count(), AuditEvent.objects.count()) == (0, before)


# Verb → what becomes of it where the state does not allow it as it is (oVirt: RunVm resumes, ShutdownVm stops).
INSTEAD = {Verb.START: Verb.RESUME, Verb.SHUTDOWN: Verb.STOP}
# A guest that is not up has nobody to ask; one that was asked to reboot is there.
AS_IT_IS = {Verb.SHUTDOWN: {Status.UP, Status.POWERING_UP, Status.POWERING_DOWN, Status.REBOOT_IN_PROGRESS}}


@pytest.mark.parametrize("verb", [verb for verb in Verb if verb not in {Verb.EDIT, Verb.REMOVE}])
def test_a_verb_is_taken_in_the_states_that_allow_it_and_in_no_other(
    vm: VM, host: Host, admin: User, verb: Verb
) -> None:
    if verb == Verb.MIGRATE:
        reports.host_seen(Host.objects.create(name="other", cluster=host.cluster), Capabilities())
        act: Any = migration.migrate
    else:
        act = partial(power.run_once, overlay=with_vnc) if verb == Verb.RUN_ONCE else getattr(power, verb.value)
    taken: dict[Status, str] = {}
    for status in Status:
        VM.objects.filter(pk=vm.pk).update(observed=status, status=status, host=host)
        with transaction.atomic():
            with suppress(Refusal):
                taken[status] = act(vm, by=admin).verb
            transaction.set_rollback(True)
    as_it_is = AS_IT_IS.get(verb, ALLOWED[verb])
    instead = dict.fromkeys(ALLOWED[INSTEAD[verb]], INSTEAD[verb].value) if verb in INSTEAD else {}
    assert taken == instead | dict.fromkeys(as_it_is, verb.value)


def test_a_state_that_does_not_allow_it_is_told_with_the_verb(vm: VM, admin: User) -> None:
    with pytest.raises(Refusal, match="STATUS_ILLEGAL") as refused:
        power.reset(vm, by=admin)
    assert (refused.value.kind, refused.value.params) == (Kind.CONFLICT, {"verb": "reset", "status": "down"})
