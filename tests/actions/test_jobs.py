"""How jobs are taken, carried out, given up and taken again: whoever lost a job has no say in it any more."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.actions.runs import asked, claimed, down, fresh, seen
from tests.factories import machine
from vms import messages
from vms.actions import jobs, power
from vms.actions._audit import coming_from
from vms.actions._jobs import enqueue
from vms.domain.errors import Refusal
from vms.domain.hosts import Ended
from vms.domain.lifecycle import Status, Verb
from vms.models import VM, AuditEvent, Host, Job, JobState, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

REFUSED = Refusal("HYPERVISOR_REFUSED", None, message="no space left on device")


def again(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def late(job: Job, **columns: Any) -> None:
    """Time passes: the named columns lie in the past now."""
    Job.objects.filter(pk=job.pk).update(**{name: timezone.now() - timedelta(seconds=1) for name in columns or ()})


# -- taking


def test_a_job_is_taken_once(vm: VM, host: Host, admin: User) -> None:
    power.start(vm, by=admin)
    job = claimed(host, "one")
    assert (job.state, job.lease_owner, job.attempts) == ("started", "one", 1)
    assert job.lease_until is not None
    assert job.lease_until > timezone.now()
    assert jobs.claim("two", [host.pk]) is None


def test_only_jobs_of_ones_own_hosts_are_taken(vm: VM, host: Host, admin: User) -> None:
    power.start(vm, by=admin)
    assert jobs.claim("engine", []) is None
    assert jobs.claim("engine", [vm.pk]) is None


def test_the_oldest_job_comes_first(vm: VM, headless_vm: VM, host: Host, admin: User) -> None:
    for one in (headless_vm, vm):
        power.start(one, by=admin)
    assert [claimed(host).machine for _ in range(2)] == [headless_vm.pk, vm.pk]


def test_a_job_that_another_took_in_between_is_passed_over(
    vm: VM, headless_vm: VM, host: Host, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list was read before: the conditional update decides."""
    for one in (headless_vm, vm):
        power.start(one, by=admin)
    stale = list(Job.objects.filter(state=JobState.QUEUED).order_by("created_at"))
    claimed(host, "faster")

    class Read:
        def order_by(self, *_: str) -> list[Job]:
            return stale

    real = Job.objects.filter
    monkeypatch.setattr(
        Job.objects, "filter", lambda *args, **kwargs: Read() if "host__in" in kwargs else real(*args, **kwargs)
    )
    job = jobs.claim("slower", [host.pk])
    assert job is not None
    assert job.machine == vm.pk


# -- done


def test_a_job_that_is_done_reports_what_was_seen(vm: VM, host: Host, admin: User) -> None:
    power.start(vm, by=admin)
    job = claimed(host)
    jobs.begin_step(job, "start")
    assert jobs.finish(job, seen(vm, Status.UP))
    done = again(job)
    assert (done.state, done.lease_until, fresh(vm).status) == ("finished", None, "up")
    assert done.finished_at is not None
    assert [(step.number, step.name, step.state) for step in done.steps.all()] == [(1, "start", "finished")]


def test_a_job_that_came_to_nothing_says_why(vm: VM, host: Host, admin: User) -> None:
    with coming_from("192.0.2.7", "corr-1"):
        power.start(vm, by=admin)
    job = claimed(host)
    jobs.begin_step(job, "start")
    assert jobs.fail(job, REFUSED)
    done = again(job)
    assert (done.state, done.error, done.active) == ("failed", REFUSED.as_document(), False)
    assert [step.state for step in done.steps.all()] == ["failed"]
    assert fresh(vm).status == "down"


def test_a_failure_is_told_under_the_request_that_wanted_it(vm: VM, host: Host, admin: User) -> None:
    with coming_from("192.0.2.7", "corr-1"):
        power.start(vm, by=admin)
    jobs.fail(claimed(host), REFUSED)
    event = AuditEvent.objects.first()
    assert event is not None
    assert (event.code, event.severity, event.correlation_id, event.actor_name) == (
        "USER_FAILED_START_VM",
        "error",
        "corr-1",
        "engine",
    )
    told = messages.event(event.code, entity=event.entity_name, actor=event.actor_name, params=event.params)
    assert "no space left on device" in told


def test_a_machine_whose_start_failed_can_be_started_again(vm: VM, host: Host, admin: User) -> None:
    power.start(vm, by=admin)
    jobs.fail(claimed(host), REFUSED)
    assert power.start(fresh(vm), by=admin).state == "queued"


@pytest.mark.parametrize("end", ["finish", "fail", "wait", "retry"])
def test_whoever_lost_the_job_has_no_say_in_it(vm: VM, host: Host, admin: User, end: str) -> None:
    """An engine that hung comes back after another took its jobs over."""
    power.start(vm, by=admin)
    lost = claimed(host, "old")
    jobs.reclaim("new")
    mine = claimed(host, "new")
    events = AuditEvent.objects.count()
    arguments: dict[str, tuple[Any, ...]] = {
        "finish": (seen(vm, Status.UP),),
        "fail": (REFUSED,),
        "wait": (timezone.now(),),
        "retry": (),
    }
    assert getattr(jobs, end)(lost, *arguments[end]) is False
    assert (again(mine).state, again(mine).lease_owner, again(mine).attempts) == ("started", "new", 2)
    assert (fresh(vm).status, AuditEvent.objects.count()) == ("wait_for_launch", events)


@pytest.mark.parametrize("end", ["finish", "fail"])
def test_what_is_over_stays_over(vm: VM, host: Host, admin: User, end: str) -> None:
    power.start(vm, by=admin)
    job = claimed(host)
    jobs.finish(job, seen(vm, Status.UP))
    assert getattr(jobs, end)(job, *([REFUSED] if end == "fail" else [])) is False
    assert again(job).state == "finished"


# -- leases


def test_what_an_engine_left_behind_is_done_by_the_next(vm: VM, host: Host, admin: User) -> None:
    power.start(vm, by=admin)
    left = claimed(host, "old")
    assert (jobs.reclaim("new"), jobs.reclaim("new")) == (1, 0)
    assert claimed(host, "new").pk == left.pk


def test_an_engine_of_the_same_name_finds_what_the_one_before_it_left(vm: VM, host: Host, admin: User) -> None:
    """Process ids come again, in a container always."""
    power.start(vm, by=admin)
    claimed(host, "engine-7")
    assert jobs.reclaim("engine-7") == 1


def test_a_job_is_left_to_its_engine_while_that_says_it_works_on_it(vm: VM, host: Host, admin: User) -> None:
    power.start(vm, by=admin)
    job = claimed(host, "engine")
    assert jobs.reclaim() == 0
    late(job, lease_until=True)
    jobs.extend("engine", [job.pk])
    assert jobs.reclaim() == 0


def test_a_job_that_nobody_works_on_any_more_is_queued_again(vm: VM, host: Host, admin: User) -> None:
    power.start(vm, by=admin)
    job = claimed(host, "engine")
    late(job, lease_until=True)
    jobs.extend("another", [job.pk])
    jobs.extend("engine", [])
    assert jobs.reclaim() == 1
    assert (again(job).state, again(job).lease_owner) == ("queued", "")


@pytest.mark.parametrize(
    ("verb", "begun", "state"),
    [
        ("reset", True, "failed"),
        ("reset", False, "queued"),
        ("reboot", True, "failed"),
        ("stop", True, "queued"),
        ("suspend", True, "queued"),
    ],
)
def test_what_must_not_be_done_twice_is_given_up_once_it_was_begun(
    running: VM, host: Host, admin: User, verb: str, begun: bool, state: str
) -> None:
    """A guest that reboots again loses what it has begun since."""
    getattr(power, verb)(running, by=admin)
    job = claimed(host, "old")
    if begun:
        jobs.begin_step(job, verb)
    jobs.reclaim("new")
    assert again(job).state == state


def test_a_host_that_went_away_puts_its_job_back_into_the_queue(vm: VM, host: Host, admin: User) -> None:
    power.start(vm, by=admin)
    job = claimed(host)
    jobs.begin_step(job, "start")
    assert jobs.retry(job)
    assert (again(job).state, fresh(vm).status) == ("queued", "wait_for_launch")
    second = claimed(host)
    jobs.begin_step(second, "start")
    jobs.finish(second, seen(vm, Status.UP))
    assert (second.attempts, [step.number for step in second.steps.all()]) == (2, [1, 2])
    assert {step.state for step in second.steps.all()} == {"finished"}


def test_what_is_waiting_or_over_is_not_taken_back(running: VM, host: Host, admin: User) -> None:
    power.shutdown(running, by=admin)
    waiting = asked(host)
    assert jobs.reclaim("new") == 0
    assert again(waiting).state == "waiting"


# -- requests to a guest


def test_a_request_that_was_made_blocks_nobody(running: VM, host: Host, admin: User) -> None:
    power.shutdown(running, by=admin)
    job = asked(host)
    assert (job.state, job.exclusive, fresh(running).status) == ("waiting", False, "powering_down")
    assert power.stop(running, by=admin).verb == "stop"
    assert again(job).state == "aborted"


def test_a_request_is_made_again_until_the_guest_follows(running: VM, host: Host, admin: User) -> None:
    """A guest that was booting did not hear the button."""
    power.shutdown(running, by=admin)
    job = asked(host)
    assert jobs.ask_again() == 0
    late(job, lease_until=True)
    assert jobs.ask_again() == 1
    assert claimed(host).pk == job.pk


def test_asking_again_gives_no_more_time(running: VM, host: Host, admin: User) -> None:
    power.shutdown(running, by=admin)
    job = asked(host)
    late(job, lease_until=True)
    jobs.ask_again()
    assert jobs.wait(claimed(host), timezone.now() + timedelta(days=1))
    assert again(job).deadline == job.deadline


@pytest.mark.parametrize(("cold", "count"), [(True, 1), (False, 0)])
def test_only_a_reboot_that_is_a_power_off_is_asked_for_again(
    running: VM, host: Host, admin: User, cold: bool, count: int
) -> None:
    """A guest that is asked twice to reboot reboots twice."""
    power.reboot(running, by=admin)
    job = asked(host)
    Job.objects.filter(pk=job.pk).update(params={"cold": cold})
    late(job, lease_until=True)
    assert jobs.ask_again() == count


@pytest.mark.parametrize("verb", ["shutdown", "reboot"])
def test_a_guest_that_does_not_follow_ends_the_request_with_its_reason(
    running: VM, host: Host, admin: User, verb: str
) -> None:
    getattr(power, verb)(running, by=admin)
    job = asked(host)
    assert jobs.expire() == 0
    late(job, deadline=True)
    assert (jobs.expire(), jobs.expire()) == (1, 0)
    assert (again(job).state, again(job).error) == ("failed", {"code": "GUEST_DID_NOT_REACT", "params": {}})
    assert fresh(running).status == "up"
    event = AuditEvent.objects.first()
    assert event is not None
    assert (event.code, event.params["reason"]) == (f"USER_FAILED_{verb.upper()}_VM", "GUEST_DID_NOT_REACT")


def test_a_guest_that_followed_in_the_last_moment_has_followed(running: VM, host: Host, admin: User) -> None:
    power.shutdown(running, by=admin)
    job = asked(host)
    late(job, deadline=True)
    down(running, host)
    assert (jobs.expire(), again(job).state) == (0, "finished")


def test_a_new_request_takes_the_place_of_the_one_before(running: VM, host: Host, admin: User) -> None:
    """Somebody presses the button again."""
    power.shutdown(running, by=admin)
    first = asked(host)
    second = power.shutdown(running, by=admin)
    assert (again(first).state, second.state) == ("aborted", "queued")
    assert again(first).finished_at is not None


def test_a_suspended_machine_that_is_told_to_shut_down_is_stopped(running: VM, host: Host, admin: User) -> None:
    """oVirt: there is no guest to ask (ShutdownVm)."""
    power.suspend(running, by=admin)
    jobs.finish(claimed(host), seen(running, Status.SUSPENDED, ended=Ended.SAVED))
    assert power.shutdown(running, by=admin).verb == "stop"


# -- one at a time


@pytest.mark.parametrize("verb", [Verb.SHUTDOWN, Verb.STOP, Verb.REBOOT, Verb.RESET, Verb.SUSPEND])
def test_while_one_job_is_at_work_another_is_refused(running: VM, host: Host, admin: User, verb: Verb) -> None:
    power.reset(running, by=admin)
    claimed(host)
    events = AuditEvent.objects.count()
    with pytest.raises(Refusal, match=r"OBJECT_LOCKED|STATUS_ILLEGAL"):
        getattr(power, verb.value)(running, by=admin)
    assert (Job.objects.filter(state=JobState.QUEUED).count(), AuditEvent.objects.count()) == (0, events)


def test_what_is_not_exclusive_stands_beside(running: VM, host: Host, admin: User) -> None:
    power.reset(running, by=admin)
    enqueue(running, "set_reboot", by=admin, host=host, exclusive=False)
    assert Job.objects.filter(machine=running.pk, state=JobState.QUEUED).count() == 2


@pytest.mark.parametrize(
    ("verb", "shown"),
    [
        ("shutdown", "powering_down"),
        ("stop", "powering_down"),
        ("reboot", "reboot_in_progress"),
        ("suspend", "saving_state"),
        ("reset", "up"),
    ],
)
def test_lists_show_what_is_under_way(running: VM, host: Host, admin: User, verb: str, shown: str) -> None:
    getattr(power, verb)(running, by=admin)
    assert (fresh(running).status, fresh(running).observed) == (shown, "up")
    jobs.fail(claimed(host), REFUSED)
    assert fresh(running).status == "up"


def test_a_job_whose_machine_is_gone_still_ends(vm: VM, host: Host, admin: User) -> None:
    power.start(vm, by=admin)
    job = claimed(host)
    VM.objects.filter(pk=vm.pk).delete()
    assert jobs.finish(job)
    assert again(job).state == "finished"


def test_machines_of_a_higher_priority_are_served_first(host: Host, admin: User) -> None:
    for name, priority in (("low", 1), ("high", 100), ("medium", 50)):
        power.start(machine(name, by=admin, memory=64, priority=priority), by=admin)
    assert [claimed(host).machine_name for _ in range(3)] == ["high", "medium", "low"]
