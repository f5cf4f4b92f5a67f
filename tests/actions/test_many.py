"""Many machines at once: one job, an outcome for each machine, the rights of whoever asked, nothing done twice."""

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from tests.actions.runs import fresh, up
from tests.factories import machine, person
from vms.actions import edit, jobs, many, remove, tags
from vms.domain.changes import Changes
from vms.domain.errors import Refusal
from vms.models import VM, AuditEvent, Host, Job, JobState, Permission, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


@pytest.fixture
def three(admin: User, host: Host) -> list[VM]:
    return [machine(name, by=admin) for name in ("m1", "m2", "m3")]


def carried_out(job: Job) -> Job:
    """The job, after an engine has dealt with all of it."""
    taken = jobs.claim_many("engine")
    assert taken is not None
    assert taken.pk == job.pk
    while many.carry_on(taken):
        pass
    job.refresh_from_db()
    return job


def report(job: Job) -> list[tuple[str, str, str | None]]:
    steps = job.steps.order_by("number")
    return [(step.name, step.state, step.error and step.error["code"]) for step in steps]


def refusal(act: Callable[[], Any]) -> str:
    with pytest.raises(Refusal) as no:
        act()
    return no.value.code


def test_a_verb_reaches_each_machine_and_leads_to_its_job(three: list[VM], admin: User) -> None:
    job = carried_out(many.ask("start", VM.objects.all(), by=admin, expected=3))
    assert report(job) == [(name, "finished", None) for name in ("m1", "m2", "m3")]
    assert job.state == JobState.FINISHED
    assert {fresh(vm).status for vm in three} == {"wait_for_launch"}
    started = {job.machine for job in Job.objects.filter(verb="start", created_by=admin)}
    assert started == {vm.pk for vm in three}
    assert {step.led_to and step.led_to.machine for step in job.steps.all()} == started


def test_what_is_refused_for_one_is_done_for_the_others(three: list[VM], host: Host, admin: User) -> None:
    up(three[1], host, by=admin)
    job = carried_out(many.ask("start", VM.objects.all(), by=admin))
    told = ("m2", "failed", "ACTION_TYPE_FAILED_VM_STATUS_ILLEGAL")
    assert report(job) == [("m1", "finished", None), told, ("m3", "finished", None)]
    event = AuditEvent.objects.filter(code="MANY_DONE").get()
    assert (event.severity, event.entity_name, event.params["failed"]) == ("warning", "3", 1)


def test_where_nothing_could_be_done_the_job_has_failed(three: list[VM], admin: User) -> None:
    job = carried_out(many.ask("reset", VM.objects.all(), by=admin))
    assert (job.state, job.error and job.error["code"]) == (JobState.FAILED, "MANY_ALL_FAILED")


def test_machines_become_headless_and_graphical_again(three: list[VM], admin: User) -> None:
    job = carried_out(many.ask("headless", VM.objects.all(), by=admin, serial=True))
    assert {row[1] for row in report(job)} == {"finished"}
    assert [(vm.console.headless, vm.console.serial) for vm in VM.objects.all()] == [(True, True)] * 3
    carried_out(many.ask("graphical", VM.objects.all(), by=admin))
    assert not any(vm.console.headless for vm in VM.objects.all())


def test_nobody_is_locked_out_without_having_accepted_it(three: list[VM], admin: User) -> None:
    edit.edit(three[0], Changes(console=lambda console, _offer: console, machine={"memory": 2048}), by=admin)
    refused = carried_out(many.ask("headless", VM.objects.all(), by=admin))
    assert {row[2] for row in report(refused)} == {"VM_WOULD_BE_LOCKED_OUT"}
    carried_out(many.ask("headless", VM.objects.all(), by=admin, accept_lockout=True))
    assert all(vm.console.headless for vm in VM.objects.all())


def test_a_tag_is_put_on_and_taken_off(three: list[VM], admin: User) -> None:
    tag = tags.create("shop", by=admin)
    carried_out(many.ask("attach_tag", VM.objects.exclude(name="m3"), by=admin, tag=str(tag.pk)))
    assert sorted(VM.objects.filter(tags=tag).values_list("name", flat=True)) == ["m1", "m2"]
    carried_out(many.ask("detach_tag", VM.objects.all(), by=admin, tag=str(tag.pk)))
    tags.remove(tag, by=admin)
    job = carried_out(many.ask("attach_tag", VM.objects.all(), by=admin, tag=str(tag.pk)))
    assert {row[2] for row in report(job)} == {"ACTION_TYPE_FAILED_VM_NOT_FOUND"}


def test_which_machines_is_settled_when_it_is_asked_for(three: list[VM], admin: User) -> None:
    job = many.ask("remove", VM.objects.filter(name__startswith="m"), by=admin)
    machine("m4", by=admin)
    remove.remove(three[0], by=admin)
    gone = ("m1", "failed", "ACTION_TYPE_FAILED_VM_NOT_FOUND")
    assert report(carried_out(job)) == [gone, ("m2", "finished", None), ("m3", "finished", None)]
    assert list(VM.objects.values_list("name", flat=True)) == ["m4"]


def test_another_number_than_was_shown_is_refused(three: list[VM], admin: User) -> None:
    assert refusal(lambda: many.ask("start", VM.objects.all(), by=admin, expected=2)) == "MANY_OTHERS_MEANWHILE"
    assert refusal(lambda: many.ask("start", VM.objects.none(), by=admin)) == "MANY_NONE"
    assert refusal(lambda: many.ask("edit", VM.objects.all(), by=admin)) == "ILLEGAL_VALUE"
    with mock.patch.object(many, "MOST", 2):
        assert refusal(lambda: many.ask("start", VM.objects.all(), by=admin)) == "MANY_TOO_MANY"
    assert not Job.objects.exists()


def test_each_machine_takes_the_rights_of_whoever_asked(three: list[VM]) -> None:
    dora = person("dora", role="UserRole", vm=three[0])
    job = carried_out(many.ask("start", VM.objects.all(), by=dora))
    denied = "USER_NOT_AUTHORIZED_TO_PERFORM_ACTION"
    assert report(job) == [("m1", "finished", None), ("m2", "failed", denied), ("m3", "failed", denied)]


def test_a_right_that_is_lost_meanwhile_is_lost(three: list[VM]) -> None:
    dora = person("dora", role="SuperUser")
    job = many.ask("start", VM.objects.all(), by=dora)
    Permission.objects.filter(user=dora).delete()
    assert {row[1] for row in report(carried_out(job))} == {"failed"}


def test_whoever_asked_may_cancel_what_is_left(three: list[VM], admin: User, alice: User) -> None:
    job = many.ask("start", VM.objects.filter(name__startswith="m"), by=admin)
    taken = jobs.claim_many("engine")
    assert taken is not None
    assert many.carry_on(taken)
    assert refusal(lambda: many.cancel(job, by=alice)) == "MANY_NOT_YOURS"
    many.cancel(job, by=admin)
    assert not many.carry_on(taken)
    job.refresh_from_db()
    assert (job.state, [row[1] for row in report(job)]) == (JobState.ABORTED, ["finished", "aborted", "aborted"])
    many.cancel(job, by=admin)


def test_an_engine_that_dies_leaves_the_rest_to_the_next_one(three: list[VM], admin: User) -> None:
    job = many.ask("start", VM.objects.all(), by=admin)
    first = jobs.claim_many("dead")
    assert first is not None
    many.carry_on(first)
    assert jobs.claim_many("other") is None
    jobs.reclaim("other")
    assert {row[1] for row in report(carried_out(job))} == {"finished"}
    assert not many.carry_on(first)
    assert Job.objects.filter(verb="start").count() == 3


def test_what_nobody_has_foreseen_fails_one_machine_and_no_other(three: list[VM], admin: User) -> None:
    def odd(vm: VM, by: User, params: Any) -> None:
        edit.edit(vm, Changes(machine={"memory": 2048}), by=by)
        if vm.name == "m2":
            raise RuntimeError("nobody has foreseen this")

    with mock.patch.dict(many.VERBS, {"reset": odd}):
        job = carried_out(many.ask("reset", VM.objects.all(), by=admin))
    assert report(job)[1] == ("m2", "failed", "ENGINE_FAILED")
    assert [vm.memory for vm in VM.objects.order_by("name")] == [2048, 1024, 2048]


def test_a_machine_that_is_headless_already_stays_so(headless_vm: VM, admin: User) -> None:
    before = fresh(headless_vm).version
    job = carried_out(many.ask("headless", VM.objects.all(), by=admin))
    assert (report(job), fresh(headless_vm).version) == ([("db", "finished", None)], before)
